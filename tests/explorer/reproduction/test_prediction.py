"""Rank correlations against independent ones, what is chosen on one half and told on the other, and the sentences."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from explorer.reproduction import prediction as module
from explorer.reproduction.prediction import (
    LEAST,
    PREDICTORS,
    YARDSTICK,
    LossPoint,
    analysed,
    correlation,
    held_out,
    points_of,
    prediction_of,
    spearman,
)
from explorer.reproduction.prediction_report import document, remarks, sentence, text
from explorer.reproduction.results import Results, SeedRun
from explorer.reproduction.sample import BUDGETS, Member, members
from explorer.training.metrics import TESTED, Epoch

SAMPLE = members(BUDGETS["quick"])
APPROXIMATE = [member for member in SAMPLE if not member.is_exact]
EXACT = [member for member in SAMPLE if member.is_exact]


def points(
    sample: Sequence[Member], lost: Callable[[int, float], float], *, upright: float = 90.0, seed: int = 0
) -> list[LossPoint]:
    """Networks whose trained logits have the error 0 … 1 by number; the other predictors are chance."""
    generator = np.random.default_rng(seed)
    found = []
    for at, member in enumerate(sample):
        values = {name: float(generator.random()) for name in (*PREDICTORS, YARDSTICK)}
        values["logits"] = at / len(sample)
        found.append(LossPoint(member, values, lost(at, float(generator.random())), upright))
    return found


def run(
    member: Member, *, unseen: float, errors: dict[str, tuple[float | None, ...]], agreement: float = 0.7
) -> SeedRun:
    accuracy = {**dict.fromkeys(TESTED, unseen), "identity": 0.9}
    final = Epoch(5, 100, 0.1, 0.9, 0.2, accuracy, None, agreement, {"logits": 0.1}, 99.0, 1.0)
    return SeedRun(0, member.recipe.document(), None, final, ((0, 0.1, 0.1), (5, 0.9, unseen)), errors=errors)


def by_counting(first: Sequence[float], second: Sequence[float]) -> float:
    """ρ from ranks that are counted one by one, as in a textbook."""

    def ranks(values: Sequence[float]) -> list[float]:
        order = sorted(values)
        return [order.index(value) + (order.count(value) - 1) / 2 for value in values]

    return float(np.corrcoef(ranks(first), ranks(second))[0, 1])


@pytest.mark.parametrize("ties", [False, True])
def test_rank_correlation_is_that_of_counted_ranks(ties: bool) -> None:
    generator = np.random.default_rng(1)
    first, second = generator.random((2, 5, 11))
    if ties:
        first, second = np.round(first, 1), np.round(second, 1)

    found = spearman(first, second)

    assert found == pytest.approx([by_counting(*each) for each in zip(first.tolist(), second.tolist(), strict=True)])


def test_rank_correlation_without_ties_is_spearmans_formula() -> None:
    """1 − 6 Σ d² / n(n² − 1), for all orders of five."""
    for order in itertools.permutations(range(5)):
        squares = sum((rank - at) ** 2 for at, rank in enumerate(order))
        assert spearman(np.arange(5.0), np.array(order, float)) == pytest.approx(1 - 6 * squares / 120)


def test_any_growing_function_is_ranked_alike_and_a_constant_is_not_ranked() -> None:
    values = np.random.default_rng(0).random(20)

    assert spearman(values, np.exp(5 * values)) == pytest.approx(1)
    assert spearman(values, -(values**3)) == pytest.approx(-1)
    assert np.isnan(spearman(values, np.ones(20)))
    assert correlation([replace(each, lost=3.0) for each in points(APPROXIMATE, lambda at, _: 0)], "logits").rho is None


def test_interval_holds_chance_and_not_a_strong_relation() -> None:
    strong = correlation(points(APPROXIMATE, lambda at, chance: at + 5 * chance), "logits")
    none = correlation(points(APPROXIMATE, lambda _, chance: chance), "logits")

    assert strong.rho is not None and strong.low is not None and strong.low > 0.8
    assert none.low is not None and none.high is not None and none.low < 0 < none.high
    assert strong.count == len(APPROXIMATE)


def test_a_true_predictor_is_chosen_and_holds_on_the_other_half() -> None:
    found = held_out(points(APPROXIMATE, lambda at, chance: at + 5 * chance))

    assert found.chosen == {"logits": 1.0}
    assert found.halves.low is not None and found.halves.low > 0.7
    assert {name for name, _ in found.left_out.values()} == {"logits"}
    assert {"25 px", "cut or padded", "mean first", "p4m", "resnet18", "wide"} <= set(found.left_out)


def test_the_best_of_chance_does_not_hold_on_the_other_half() -> None:
    """On the networks that it was chosen by it looks as if it did."""
    chance = points(APPROXIMATE, lambda _, chance: chance, seed=5)
    found = analysed(chance)
    assert found.best is not None and found.held_out is not None
    best, halves = found.approximate[found.best], found.held_out.halves

    assert best.rho is not None and abs(best.rho) > 0.2
    assert halves.low is not None and halves.high is not None and halves.low < 0 < halves.high
    assert "it need not rank them" in sentence(found)


def test_what_is_known_before_training_is_told_once() -> None:
    """The best of it beside the best of all; where they are the same, that it is."""
    trained = points(APPROXIMATE, lambda at, _: at)
    before = [
        replace(each, values={**each.values, "logits": 0.5, "start-last": each.values["logits"]}) for each in trained
    ]

    assert "Of what is known before training, the best is the" in sentence(analysed(trained))
    assert sentence(analysed(before)).endswith("That is known before training.")


def test_exact_networks_are_apart_and_together() -> None:
    both = points(APPROXIMATE, lambda at, chance: 5 + at + chance)
    none = [replace(each, values=dict.fromkeys(each.values, 0.0), lost=0.0) for each in points(EXACT, lambda *_: 0)]
    found = analysed([*both, *none])

    assert (len(found.points), len(found.exact), found.exact_lost) == (len(APPROXIMATE), len(EXACT), 0.0)
    assert found.approximate["logits"].count == len(APPROXIMATE)
    assert found.together["logits"].count == len(SAMPLE)
    chance, together = found.approximate["start-last"].rho, found.together["start-last"].rho
    assert chance is not None and together is not None and together > chance  # ties at zero make everything predict
    assert remarks(found) == [f"Exact networks ({len(EXACT)} of them) lose 0.0 percentage points at most."]


def test_networks_that_learned_too_little_are_left_out() -> None:
    kept, poor = points(APPROXIMATE, lambda at, _: at), points(APPROXIMATE[:2], lambda at, _: at, upright=49.9)
    found = analysed([*kept, *poor])

    assert len(found.points) == len(APPROXIMATE) and found.poor == tuple(poor)
    assert remarks(found) == ["2 networks are left out, which read fewer than 50 % upright."]


def test_points_are_what_the_runs_say() -> None:
    """The last map is the one before the head; errors of rounding are none."""
    member = next(each for each in APPROXIMATE if each.family == "resnet18" and each.recipe.size_px == 29)
    errors = {
        "stem.conv": (1e-7, 2e-7),
        "stage4.block2.activation2": (0.4, 0.8),
        "head.spatial_mean": (0.9, 0.2),
        "logits": (2e-5, 0.3),
    }
    (point,) = points_of(
        Results("prediction", "quick", (), {member.key: {0: run(member, unseen=0.5, errors=errors)}}), SAMPLE
    )

    assert (point.lost, point.upright) == (pytest.approx(40), pytest.approx(90))
    assert point.values == pytest.approx(
        {
            "displacement": 2.0,
            "relative": 2 / 29,
            "start-last": 0.4,
            "start-largest": 0.9,
            "start-logits": 0.0,
            "last": 0.8,
            "largest": 0.8,
            "logits": 0.3,
            YARDSTICK: 0.3,
        }
    )


def test_an_error_that_is_infinite_is_the_largest_and_has_no_word_in_json() -> None:
    """Of a layer that answers nothing to a picture, and something to its turn."""
    results = grid(len(SAMPLE))
    case = APPROXIMATE[0].key
    kept = results.cases[case][0]
    results.cases[case][0] = replace(kept, errors={**kept.errors, "layer.conv": (0.1, None)})
    found = {point.member.key: point.values for point in prediction_of(results).points}

    assert found[case]["largest"] == max(values["largest"] for values in found.values()) == float("inf")
    assert prediction_of(results).approximate["largest"].rho is not None
    (told,) = [each for each in document(results)["networks"] if each["case"] == case]
    assert told["largest"] is None and told["logits"] is not None


def grid(count: int) -> Results:
    cases = {}
    for at, member in enumerate(SAMPLE[:count]):
        error = 0.0 if member.is_exact else 0.1 + 0.01 * at
        errors = {"layer.conv": (error, error), "head.spatial_mean": (error, error), "logits": (error, error)}
        cases[member.key] = {0: run(member, unseen=0.9 - error, errors=errors)}
    return Results("prediction", "quick", (), cases)


@pytest.mark.parametrize("count", [0, 1, LEAST - 1])
def test_of_few_networks_nothing_is_said(count: int) -> None:
    found = prediction_of(grid(count))

    assert sentence(found) == f"{len(found.points)} approximate networks are trained: nothing is said of fewer than 8."
    assert text(grid(count)) and document(grid(count))["held_out"] is None


def test_kinds_too_small_to_be_left_out_are_no_empty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HALVINGS", 20)
    monkeypatch.setattr(module, "LEAST_LEFT_OUT", 30)

    assert "approximate networks, what is lost" in text(grid(len(SAMPLE)))
    assert "Chosen without one kind" not in text(grid(len(SAMPLE)))


def test_what_is_found_is_said_with_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HALVINGS", 20)
    results = grid(len(SAMPLE))

    words, printed = sentence(prediction_of(results)), text(results)

    assert f"Over {len(APPROXIMATE)} approximate networks" in words and "(ρ 1.00 [1.00, 1.00])" in words
    assert "it still ranks them on the other (ρ 1.00 [1.00, 1.00] over random halves)" in words
    assert words in printed and "Chosen without one kind of network, reported on it:" in printed
    assert "error of the logits, trained" in printed and "with exact" in printed
    found = document(results)
    assert len(found["networks"]) == len(SAMPLE) and found["approximate"]["logits"]["rho"] == pytest.approx(1)
    assert set(found["held_out"]["chosen"]) <= set(PREDICTORS)
