"""What is said of the claims: true of runs that show them, false of runs that do not, and silent without enough."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from explorer.reproduction.gap import Gap, GapRun

from explorer.reproduction.claims import (
    NOT_RUN,
    NOT_SEEN,
    OPEN,
    SEEN,
    fails_unseen_turns,
    learns_to_break,
    lower_bound,
    one_pixel_decides,
    relaxes_its_constraint,
    upper_bound,
    what_mending_shows,
    what_order_shows,
    what_parity_shows,
    what_photographs_show,
    what_uniform_shows,
    what_upright_shows,
    what_was_tried,
)
from explorer.reproduction.knight import KnightRun, KnightRuns
from explorer.reproduction.results import Results, Session, seed_run
from explorer.reproduction.sides import NetworkSides, Side, Sides
from explorer.reproduction.studies import BUDGETS, STUDIES, cifar10_studies, mnist_studies
from explorer.training.metrics import TESTED, Epoch

SESSION = Session("a command", "2025-01-31", "one core", {})
UPRIGHT = mnist_studies(BUDGETS["mnist"]["quick"])[0]
PAPER = {
    "upright/exact-28": (97.5, 97.7, 97.9),
    "upright/approximate-27": (68.0, 71.0, 74.0),
    "upright/approximate-29": (66.0, 70.0, 75.0),
    "upright/plain-28": (26.0, 27.0, 26.5),
}


def epoch(number: int, percent: float, near: float) -> Epoch:
    """Upright always 0.98; every turn `percent`, every angle `percent` but 40°, which is `near`."""
    angles = tuple(near / 100 if place == 4 else percent / 100 for place in range(36))
    accuracy = {**dict.fromkeys(TESTED, percent / 100), "identity": 0.98}
    return Epoch(number, number, None, None, 0.1, accuracy, angles, 0.9, {"logits": 0.1}, 1.0, 1.0)


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


def knight(lowest_at_33: float) -> KnightRuns:
    runs = [KnightRun(32, seed, (0.7, 0.03), 0.03, "broken", "approximate") for seed in range(3)]
    verdict = "broken" if lowest_at_33 < 0.68 else "unbreakable"
    runs += [KnightRun(33, seed, (0.7, lowest_at_33), lowest_at_33, verdict, "exact") for seed in range(3)]
    return KnightRuns(tuple(runs), ())


def test_the_knight_is_told_apart_at_one_size_alone() -> None:
    found = learns_to_break(knight(0.6931))

    assert found.state == SEEN
    assert "At 32 px 3 of 3 trainings" in found.sentence
    assert "At 33 px 0 of 3 trainings" in found.sentence and "stays at 0.6931; a guess" in found.sentence


def test_a_knight_that_is_told_apart_at_the_exact_size_contradicts_the_claim() -> None:
    found = learns_to_break(knight(0.1))

    assert found.state == NOT_SEEN and "At 33 px 3 of 3 trainings" in found.sentence
    assert found.sentence.endswith("the loss falls to 0.100 on average.") and "stays" not in found.sentence


def test_a_knight_of_two_seeds_or_one_size_leaves_the_claim_open() -> None:
    found = knight(0.6931)

    assert learns_to_break(replace(found, runs=tuple(run for run in found.runs if run.seed < 2))).state == OPEN
    assert learns_to_break(replace(found, runs=found.runs[:3])).sentence == NOT_RUN


@pytest.mark.parametrize(("error_at_33", "state"), [(2e-6, SEEN), (0.3, NOT_SEEN)])
def test_one_pixel_decides_where_errors_follow_theory(error_at_33: float, state: str) -> None:
    sides = (Side(32, False, 0.4), Side(33, True, error_at_33))

    assert one_pixel_decides(Sides((NetworkSides("p4-resnet18", "1 mod 8", sides),), ())).state == state


def test_photographs_are_compared_where_one_of_the_two_is_exact() -> None:
    (_, study) = cifar10_studies(BUDGETS["cifar10"]["quick"])
    runs = {"resnet44/p4-33": (50.0, 51.0, 52.0), "resnet44/p4-32": (40.0, 41.0, 42.0), "resnet44/p4m-33": (60.0,)}
    plain = {"resnet44/z2-33": (50.0, 51.0, 52.0), "resnet44/z2-32": (40.0, 41.0, 42.0)}

    said = what_photographs_show(results({**runs, **plain}, experiment="cifar10"), study)

    assert said.startswith("Approximate against exact. p4, 32 px against 33 px: +0.0 points [0.0, 0.0] upright, −10.0")
    assert said.count("against") == 2 and "p4m" not in said and "z2" not in said
    assert what_photographs_show(results(plain, experiment="cifar10"), study) == NOT_RUN


def test_unseen_turns_are_failed_where_the_interval_says_so() -> None:
    found = fails_unseen_turns(results(PAPER))

    assert found.state == SEEN
    assert "reads 97.7 % of the digits" in found.sentence and "71.0 % at 27 px (26.7 points fewer [" in found.sentence


def test_the_opposite_is_said_as_such() -> None:
    found = fails_unseen_turns(results({**PAPER, "upright/approximate-29": (99.0, 99.1, 99.2)}))

    assert found.state == NOT_SEEN and "1.4 points more [1.2, 1.6]" in found.sentence


@pytest.mark.parametrize("values", [(97.6, 97.8, 97.7), (97.0, 99.0, 97.5)])
def test_a_difference_that_may_be_chance_leaves_the_claim_open(values: tuple[float, ...]) -> None:
    assert fails_unseen_turns(results({**PAPER, "upright/approximate-29": values})).state == OPEN


def test_two_seeds_leave_the_claim_open() -> None:
    found = fails_unseen_turns(results({case: values[:2] for case, values in PAPER.items()}))

    assert found.state == OPEN and "[too few seeds for an interval]" in found.sentence
    few = {case: values[:2] for case, values in PAPER.items()}
    assert what_order_shows(results(few), UPRIGHT).endswith("is said from three seeds on.")


def test_a_case_that_was_not_run_is_said() -> None:
    without = {case: values for case, values in PAPER.items() if case != "upright/approximate-29"}

    for found in (fails_unseen_turns(None), relaxes_its_constraint(results(PAPER))):
        assert (found.state, found.sentence, found.short) == (OPEN, NOT_RUN, NOT_RUN)
    found = fails_unseen_turns(results(without))
    assert (found.state, found.sentence) == (OPEN, "Not complete: approximate-29 not run yet.")
    assert learns_to_break(None).sentence == one_pixel_decides(None).sentence == NOT_RUN
    assert what_parity_shows(None) == what_mending_shows(None) == what_order_shows(None, UPRIGHT) == NOT_RUN


def turned(study: str, exact: float, *approximate: float, elsewhere: float = 78.0) -> Results:
    """Exact networks right at 40° as often as `exact` says and at 96 elsewhere; then those of 27 and 29 px."""
    found = results({f"{study}/exact-28": (96.0, 96.1, 96.2)}, near=exact)
    for side, near in zip((27, 29), approximate, strict=False):
        key = f"{study}/approximate-{side}"
        values = (elsewhere, elsewhere + 0.5, elsewhere + 1)
        for run in results({key: values}, near=near).cases[key].values():
            found = found.with_run(key, run, SESSION)
    return found


def test_the_constraint_is_relaxed_near_the_training_and_paid_for_elsewhere() -> None:
    found = relaxes_its_constraint(turned("turned-20", 97.0, 98.0, 98.5))

    assert found.state == SEEN
    assert "at 40°, among the angles of training, by +1.0 points [0.9, 1.1] at 27 px and +1.5 points" in found.sentence
    assert "over all 36 angles by −1" in found.sentence and "+1.0 and +1.5 points at 40°" in found.short


def test_one_approximate_network_is_not_enough() -> None:
    found = relaxes_its_constraint(turned("turned-20", 97.0, 98.0))

    assert (found.state, found.sentence) == (OPEN, "Not complete: approximate-29 not run yet.")


@pytest.mark.parametrize(("near", "state"), [((97.0, 97.0), NOT_SEEN), ((99.0, 98.0), OPEN), ((99.0, 97.0), NOT_SEEN)])
def test_what_does_not_pay_is_not_called_seen(near: tuple[float, float], state: str) -> None:
    assert relaxes_its_constraint(turned("turned-20", 98.0, *near)).state == state


def test_a_gain_that_costs_nothing_contradicts_the_claim() -> None:
    assert relaxes_its_constraint(turned("turned-20", 97.0, 98.0, 98.0, elsewhere=97.5)).state == NOT_SEEN


def test_networks_that_were_shown_no_turn_are_compared_at_40_degrees_too() -> None:
    said = what_upright_shows(turned("upright", 75.0, 80.0, 81.0))

    assert said.endswith("at 40° by +5.0 points [4.9, 5.1] at 27 px and +6.0 points [5.9, 6.1] at 29 px.")
    assert what_upright_shows(None) == what_upright_shows(turned("upright", 75.0, 80.0)) == ""


def test_all_angles_are_compared_with_their_intervals() -> None:
    said = what_uniform_shows(turned("uniform", 97.0, 97.0, 97.0))

    assert said.count("points [") == 2 and "−17" in said
    assert what_uniform_shows(None) == "Training at all angles: not run yet."


def test_parity_and_resampling_are_told_apart() -> None:
    runs = {"parity/resized-30": (97.5, 97.6, 97.7), "parity/padded-29": (70.0, 71.0, 72.0)}

    said = what_parity_shows(results({**PAPER, **runs, "parity/padded-30": (97.6, 97.7, 97.8)}))

    assert "; resampled but even (30 px) −0.1 points" in f"; {said.partition(': ')[2]}"
    assert "padded to 29 px) −26.7 points" in said and "cut" not in said


def test_mending_is_said_before_and_after_fine_tuning() -> None:
    runs = {**PAPER, "mended/29": (97.4, 97.5, 97.6)}

    assert what_mending_shows(results(runs)).endswith("Mending after training: not run yet.")
    said = what_mending_shows(results({**runs, "tuned/29": (95.0, 95.5, 96.0)}, first=60.0))
    assert "98.0 % and 98.0 % (0.0 points more [0.0, 0.0])." in said  # upright
    assert "the published weights give 60.0 % at unseen turns at once, and 95.5 % after 2 more epochs" in said


def test_what_was_tried_is_said_from_three_seeds_on() -> None:
    runs = [GapRun("unpadded", seed, 98.0, 93.0 + seed) for seed in range(3)]
    gap = Gap((*runs, GapRun("dropout", 0, 96.0, 85.0)), ())

    (said,) = what_was_tried(gap, results(PAPER))

    assert said.startswith("without padding in any convolution: 94.0 % (+23.7 points [")
    assert what_was_tried(None, results(PAPER)) == what_was_tried(gap, None) == ()


def test_the_authors_order_is_found_and_exceptions_are_named() -> None:
    agreeing = what_order_shows(results(PAPER), UPRIGHT)
    swapped = {**PAPER, "upright/plain-28": (99.0, 99.0, 99.0)}

    # Upright all are equal here: the exact network is not below the three others, as the authors' is.
    assert agreeing.startswith("Of the 18 pairs") and "15 come in the same order here, 15 of them" in agreeing
    assert "leaves out zero; not exact, 28 px and" in agreeing
    assert agreeing.count("at 0°") == 3 and "and 6 more" not in agreeing
    assert what_order_shows(results(swapped), UPRIGHT).endswith("and 9 more.")


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
