"""What is said of the claims: true of runs that show them, false of runs that do not, and silent without enough."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from scipy import stats

from explorer.reproduction.claims import (
    NOT_RUN,
    NOT_SEEN,
    OPEN,
    SEEN,
    Finding,
    fails_unseen_turns,
    judged,
    learns_to_break,
    one_pixel_decides,
    relaxes_its_constraint,
)
from explorer.reproduction.knight import KnightRun, KnightRuns
from explorer.reproduction.results import Results, Session, seed_run
from explorer.reproduction.sides import NetworkSides, Side, Sides
from explorer.reproduction.studies import BUDGETS, STUDIES
from explorer.reproduction.words import lower_bound, upper_bound
from explorer.training.metrics import TESTED, TURNS, Epoch, packed

SESSION = Session("a command", "2025-01-31", "one core", {})
PAPER = {
    "upright/exact-28": (97.5, 97.7, 97.9, 97.6, 97.8),
    "upright/approximate-27": (68.0, 71.0, 74.0, 70.5, 71.5),
    "upright/approximate-29": (66.0, 70.0, 75.0, 69.5, 70.5),
    "upright/plain-28": (26.0, 27.0, 26.5, 26.6, 26.4),
}
OTHERS = {"breaking": 1e-5, "one-pixel": 1e-20}  # p-values of the claims that are seen without training


def epoch(number: int, percent: float, near: float) -> Epoch:
    """Upright always 0.98; every turn `percent`, every angle `percent` but 40°, which is `near`."""
    angles = tuple(near / 100 if place == 4 else percent / 100 for place in range(36))
    accuracy = {**dict.fromkeys(TESTED, percent / 100), "identity": 0.98}
    errors = {"layer7.activation": 0.2 + 0.01 * number, "logits": 0.01 + 0.1 * number}
    return Epoch(number, number, None, None, 0.1, accuracy, angles, percent / 100, errors, 1.0, 1.0)


def results(
    cases: Mapping[str, Sequence[float]],
    *,
    near: float = 97.0,
    first: float = 50.0,
    experiment: str = "mnist",
    budget: str = "quick",
) -> Results:
    """Runs whose accuracy at unseen turns is as given, in percent; one for each seed."""
    found = Results(experiment, budget)
    recipes = {case.key: case for study in STUDIES[experiment](BUDGETS[experiment][budget]) for case in study.cases}
    for case, percents in cases.items():
        for seed, percent in enumerate(percents):
            recipe = recipes[case].seeded(seed, start="run:abcd" if case.startswith("tuned/") else "")
            epochs = [epoch(0, first, near), epoch(2, percent, near + 0.1 * seed)]
            found = found.with_run(case, seed_run(seed, recipe.document(), epochs), SESSION)
    return found


def with_seed(found: Results, case: str, seed: int, percent: float) -> Results:
    """One run more."""
    recipe = next(
        each for study in STUDIES["mnist"](BUDGETS["mnist"]["quick"]) for each in study.cases if each.key == case
    )
    return found.with_run(case, seed_run(seed, recipe.seeded(seed).document(), [epoch(2, percent, percent)]), SESSION)


def state_of(finding: Finding, **others: float) -> tuple[str, str]:
    """Its state among the other claims, and its sentence."""
    claims = {name: Finding(OPEN, "", p=p, side=1, seeds=9) for name, p in {**OTHERS, **others}.items()}
    found = judged({**claims, "this": finding})["this"]
    return found.state, found.sentence


def knight(lowest_at_33: float) -> KnightRuns:
    runs = [KnightRun(32, seed, (0.7, 0.03), 0.03, "broken", "approximate") for seed in range(5)]
    verdict = "broken" if lowest_at_33 < 0.68 else "unbreakable"
    runs += [KnightRun(33, seed, (0.7, lowest_at_33), lowest_at_33, verdict, "exact") for seed in range(5)]
    return KnightRuns(tuple(runs), ())


def test_the_knight_is_told_apart_at_one_size_alone() -> None:
    state, said = state_of(learns_to_break(knight(0.6931)))

    assert state == SEEN
    assert "At 32 px 5 of 5 trainings" in said
    assert "At 33 px 0 of 5 trainings" in said and "stays at 0.6931; a guess" in said
    assert learns_to_break(None).authors == "loss 0.092 at 32 px after 400 steps"


def test_a_knight_that_is_told_apart_at_the_exact_size_contradicts_the_claim() -> None:
    state, said = state_of(learns_to_break(knight(0.1)))

    assert state == NOT_SEEN and "At 33 px 5 of 5 trainings" in said
    assert said.endswith("the loss falls to 0.100 on average.") and "stays" not in said


def test_a_knight_of_three_seeds_or_one_size_leaves_the_claim_open() -> None:
    found = knight(0.6931)
    state, said = state_of(learns_to_break(replace(found, runs=tuple(run for run in found.runs if run.seed < 3))))

    assert state == OPEN
    assert said.endswith(
        "Three against three decide nothing by themselves: chance alone orders them so once in 20 times."
    )
    assert learns_to_break(replace(found, runs=found.runs[:5])).sentence == NOT_RUN


@pytest.mark.parametrize(("error_when_exact", "state", "p"), [(2e-6, SEEN, 1 / 136), (0.3, NOT_SEEN, 1.0)])
def test_one_pixel_decides_where_errors_follow_theory(error_when_exact: float, state: str, p: float) -> None:
    sides = tuple(Side(px, px in (25, 33), error_when_exact if px in (25, 33) else 0.4) for px in range(24, 41))
    found = one_pixel_decides(Sides((NetworkSides("p4-resnet18", "1 mod 8", sides),), ()))

    assert found.p == pytest.approx(p)  # two of 17 sizes named by guessing: 136 ways
    assert state_of(found)[0] == state


def test_unseen_turns_are_failed_where_interval_and_p_value_say_so() -> None:
    found = fails_unseen_turns(results(PAPER))
    state, said = state_of(found)

    assert state == SEEN and found.p == pytest.approx(1 / 252)
    expected = stats.ttest_rel(PAPER["upright/exact-28"], PAPER["upright/approximate-27"]).confidence_interval(0.95)
    assert f"71.0 % at 27 px (26.7 points fewer [{expected.low:.1f}, {expected.high:.1f}])" in said
    assert (
        "the exact network reads 97.7 % of the digits" in said and "The plain network reads 26.5 %. Five seeds." in said
    )
    assert said.endswith("p = 0.004, corrected for 3 claims.")
    assert found.short == "exact 97.7 %, approximate 71.0 % and 70.2 %, plain 26.5 %"
    assert found.authors == "exact 97.7 %, approximate 70.6 % and 70.9 %, plain 26.6 %"


def test_p_values_are_corrected_for_the_claims_that_were_run() -> None:
    found = fails_unseen_turns(results(PAPER))

    assert state_of(found, third=0.2)[0] == SEEN  # 2 · 1/252
    assert state_of(replace(found, p=0.03), third=0.04)[0] == OPEN  # 2 · 0.03
    assert state_of(replace(found, p=0.03), third=0.04)[1].endswith("p = 0.060, corrected for 4 claims: not enough.")
    assert judged({"this": found, "other": Finding(OPEN, NOT_RUN)})["other"] == Finding(OPEN, NOT_RUN)


def test_a_small_p_value_is_not_enough_without_the_interval() -> None:
    found = replace(fails_unseen_turns(results(PAPER)), side=0)

    assert state_of(found)[0] == OPEN


def test_all_figures_of_a_sentence_are_of_the_same_seeds() -> None:
    found = with_seed(results(PAPER), "upright/exact-28", 7, 10.0)

    assert fails_unseen_turns(found) == fails_unseen_turns(results(PAPER))
    without = {**PAPER, "upright/plain-28": PAPER["upright/plain-28"][:3]}
    said = fails_unseen_turns(results(without)).sentence
    exact, plain = (fmean(PAPER[f"upright/{case}"][:3]) for case in ("exact-28", "plain-28"))
    assert f"the exact network reads {exact:.1f} %" in said and f"reads {plain:.1f} %. Three seeds." in said


def test_the_choice_of_test_digits_is_in_the_interval_where_answers_are_kept() -> None:
    """Seeds that hardly differ, tested on 100 digits of which one network misses 20: a binomial interval."""
    found = Results("mnist", "quick")
    for case, missed in (("exact-28", 0), ("approximate-27", 20), ("approximate-29", 20)):
        recipe = next(each.cases for each in STUDIES["mnist"](BUDGETS["mnist"]["quick"]))[0].recipe
        right = np.arange(100) >= missed
        each = replace(epoch(2, 100 - missed, 97.0), right=packed(dict.fromkeys(TURNS, right)))
        for seed in range(5):
            found = found.with_run(f"upright/{case}", seed_run(seed, recipe.document(), [each]), SESSION)

    said = fails_unseen_turns(found).sentence
    match = re.search(r"80\.0 % at 27 px \(20\.0 points fewer \[([\d.]+), ([\d.]+)\]", said)

    assert match is not None and said.endswith("Five seeds.")
    half = 1.984 * 100 * (0.2 * 0.8 / 99) ** 0.5  # t of 99 degrees of freedom
    assert [float(end) for end in match.groups()] == pytest.approx([20 - half, 20 + half], abs=0.05)


def test_the_opposite_is_said_as_such() -> None:
    ahead = (99.0, 99.1, 99.2, 99.1, 99.1)
    state, said = state_of(fails_unseen_turns(results({**PAPER, "upright/approximate-29": ahead})))

    assert state == NOT_SEEN and "1.4 points more [1.3, 1.5]" in said


@pytest.mark.parametrize("values", [(97.6, 97.8, 97.7, 97.6, 97.8), (97.0, 99.0, 97.5, 98.0, 97.1)])
def test_a_difference_that_may_be_chance_leaves_the_claim_open(values: tuple[float, ...]) -> None:
    assert state_of(fails_unseen_turns(results({**PAPER, "upright/approximate-29": values})))[0] == OPEN


@pytest.mark.parametrize(
    ("seeds", "end"),
    [
        (1, "One seed. One run against one decides nothing."),
        (2, "Two seeds. Two against two decide nothing by themselves: chance alone orders them so once in 6 times."),
        (3, "Three against three decide nothing by themselves: chance alone orders them so once in 20 times."),
        (4, "p = 0.014, corrected for 3 claims."),
    ],
)
def test_few_seeds_say_that_they_decide_nothing(seeds: int, end: str) -> None:
    state, said = state_of(fails_unseen_turns(results({case: values[:seeds] for case, values in PAPER.items()})))

    assert said.endswith(end) and state == (SEEN if seeds == 4 else OPEN)
    assert ("points fewer [" in said) == (seeds >= 3)


def test_a_case_that_was_not_run_is_said() -> None:
    without = {case: values for case, values in PAPER.items() if case != "upright/approximate-29"}

    for found in (fails_unseen_turns(None), relaxes_its_constraint(results(PAPER))):
        assert (found.state, found.sentence, found.short, found.p) == (OPEN, NOT_RUN, NOT_RUN, None)
    found = fails_unseen_turns(results(without))
    assert (found.state, found.sentence) == (OPEN, "Not complete: approximate-29 not run yet.")
    assert learns_to_break(None).sentence == one_pixel_decides(None).sentence == NOT_RUN


def turned(study: str, exact: float, *approximate: float, elsewhere: float = 78.0) -> Results:
    """Exact networks right at 40° as often as `exact` says and at 96 elsewhere; then those of 27 and 29 px."""
    found = results({f"{study}/exact-28": (96.0, 96.1, 96.2, 96.1, 96.0)}, near=exact)
    for side, near in zip((27, 29), approximate, strict=False):
        key = f"{study}/approximate-{side}"
        values = tuple(elsewhere + more for more in (0.0, 0.5, 1.0, 0.4, 0.6))
        for run in results({key: values}, near=near).cases[key].values():
            found = found.with_run(key, run, SESSION)
    return found


def test_the_constraint_is_relaxed_near_the_training_and_paid_for_elsewhere() -> None:
    found = relaxes_its_constraint(turned("turned-20", 97.0, 98.0, 98.5))

    assert state_of(found)[0] == SEEN
    assert "at 40°, among the angles of training, by +1.0 points [1.0, 1.0] at 27 px and +1.5 points" in found.sentence
    assert "over all 36 angles by −1" in found.sentence and "+1.0 and +1.5 points at 40°" in found.short
    assert found.authors == "+0.9 and +1.0 points at 40°, −18.0 and −18.2 over all angles"


def test_one_approximate_network_is_not_enough() -> None:
    found = relaxes_its_constraint(turned("turned-20", 97.0, 98.0))

    assert (found.state, found.sentence) == (OPEN, "Not complete: approximate-29 not run yet.")


@pytest.mark.parametrize(("near", "state"), [((97.0, 97.0), NOT_SEEN), ((99.0, 98.0), OPEN), ((99.0, 97.0), NOT_SEEN)])
def test_what_does_not_pay_is_not_called_seen(near: tuple[float, float], state: str) -> None:
    assert state_of(relaxes_its_constraint(turned("turned-20", 98.0, *near)))[0] == state


def test_a_gain_that_costs_nothing_contradicts_the_claim() -> None:
    assert state_of(relaxes_its_constraint(turned("turned-20", 97.0, 98.0, 98.0, elsewhere=97.5)))[0] == NOT_SEEN


@pytest.mark.parametrize(
    ("value", "upper", "lower"),
    [
        (2.42e-6, "3·10⁻⁶", "2·10⁻⁶"),
        (3e-6, "3·10⁻⁶", "3·10⁻⁶"),
        (0.359, "0.4", "0.3"),
        (0.96, "1", "0.9"),
        (0.041, "0.05", "0.04"),
        (0.0, "0", "0"),
    ],
)
def test_bounds_are_never_on_the_wrong_side(value: float, upper: str, lower: str) -> None:
    assert (upper_bound(value), lower_bound(value)) == (upper, lower)
