"""Statistics over seeds: means, deviations and bootstrap intervals, against independent ways to get them."""

import itertools
import statistics
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from explorer.reproduction.statistics import (
    LEAST_VALUES,
    RESAMPLES,
    Difference,
    difference,
    percent_of,
    summarise,
)
from explorer.training.metrics import TESTED, Epoch

SEEDS = (97.4, 97.9, 97.6, 98.3, 97.1)


def an_epoch(*, angles: tuple[float, ...] | None = None, **accuracy: float) -> Epoch:
    """An epoch with these accuracies, one half for the others."""
    known = {**dict.fromkeys(TESTED, 0.5), **accuracy}
    return Epoch(3, 30, 0.1, 0.9, 0.2, known, angles, 0.8, {"logits": 0.1}, 100.0, 1.0)


def all_means(values: tuple[float, ...]) -> np.ndarray:
    """The mean of every possible resample: the distribution that the bootstrap draws from."""
    return np.array([np.mean(chosen) for chosen in itertools.product(values, repeat=len(values))])


def test_mean_and_deviation_are_those_of_the_standard_library() -> None:
    summary = summarise(SEEDS)

    assert summary.mean == pytest.approx(statistics.mean(SEEDS))
    assert summary.sd == pytest.approx(statistics.stdev(SEEDS))  # n − 1
    assert summary.values == SEEDS


def test_interval_is_that_of_all_resamples() -> None:
    summary = summarise(SEEDS)
    low, high = np.percentile(all_means(SEEDS), (2.5, 97.5))

    assert summary.low == pytest.approx(low, abs=0.06) and summary.high == pytest.approx(high, abs=0.06)
    assert summary.high - summary.low > 0.5  # so that the tolerance above means something


def test_interval_of_a_difference_is_that_of_all_pairs_of_resamples() -> None:
    first, second = SEEDS[:4], (80.0, 85.0, 79.0)
    found = difference(first, second)
    pairs = np.subtract.outer(all_means(first), all_means(second)).ravel()
    low, high = np.percentile(pairs, (2.5, 97.5))

    assert found.mean == pytest.approx(np.mean(first) - np.mean(second))
    assert found.low == pytest.approx(low, abs=0.1) and found.high == pytest.approx(high, abs=0.1)
    assert found.sign == 1 and difference(second, first).sign == -1


@pytest.mark.parametrize("seed", [0, 1])
def test_intervals_are_those_of_scipy_from_the_same_draws(seed: int) -> None:
    first, second = SEEDS[:4], (80.0, 85.0, 79.0)

    def of_scipy(samples: tuple[tuple[float, ...], ...], statistic: Callable[..., object]) -> tuple[float, float]:
        options = {"method": "percentile", "n_resamples": RESAMPLES, "rng": np.random.default_rng(seed)}
        return tuple(stats.bootstrap(samples, statistic, vectorized=True, **options).confidence_interval)

    one, both = summarise(first, seed=seed), difference(first, second, seed=seed)

    assert (one.low, one.high) == pytest.approx(of_scipy((first,), np.mean), rel=1e-12)
    assert (both.low, both.high) == pytest.approx(
        of_scipy((first, second), lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis)), rel=1e-12
    )


def test_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(7)
    draws = generator.normal(5.0, 2.0, (200, 30))
    summaries = [summarise(tuple(draw)) for draw in draws]

    covered = sum(s.low <= 5.0 <= s.high for s in summaries if s.low is not None and s.high is not None)

    assert 175 <= covered <= 199  # of 200; a binomial with 0.93 gives fewer or more once in 10,000


def test_the_same_values_give_the_same_interval() -> None:
    assert summarise(SEEDS) == summarise(SEEDS) == summarise(SEEDS, seed=0)
    assert summarise(SEEDS, seed=1) != summarise(SEEDS, seed=2)


def test_the_least_number_of_seeds_has_an_interval_and_two_have_a_deviation() -> None:
    least = summarise(SEEDS[:LEAST_VALUES])

    assert least.low is not None and least.high is not None
    assert least.low < least.mean < least.high
    assert difference(SEEDS[:LEAST_VALUES], [value - 90 for value in SEEDS[:LEAST_VALUES]]).sign == 1
    assert summarise((1.0, 3.0)).sd == pytest.approx(2**0.5)


@pytest.mark.parametrize(
    ("low", "high", "sign"),
    [(0.1, 2.0, 1), (-2.0, -0.1, -1), (-1.0, 1.0, 0), (0.0, 2.0, 0), (-2.0, 0.0, 0), (None, -1.0, 0), (1.0, None, 0)],
)
def test_a_claim_needs_an_interval_clear_of_zero(low: float | None, high: float | None, sign: int) -> None:
    assert Difference(0.0, low, high).sign == sign


def test_too_few_seeds_have_no_interval_and_allow_no_claim() -> None:
    few = SEEDS[: LEAST_VALUES - 1]

    assert (summarise(few).low, summarise(few).high) == (None, None)
    assert summarise(SEEDS[:1]).sd is None
    found = difference(few, (1.0, 1.1, 1.2))
    assert found.mean > 90 and (found.low, found.high, found.sign) == (None, None, 0)


def test_equal_networks_allow_no_claim() -> None:
    assert difference(SEEDS, tuple(reversed(SEEDS))).sign == 0


def test_unseen_accuracy_leaves_the_upright_one_out() -> None:
    epoch = an_epoch(identity=1.0, rot90=0.3, rot180=0.6, rot270=0.0)

    assert percent_of(epoch, "unseen") == pytest.approx(30.0)
    assert percent_of(epoch, "identity") == pytest.approx(100.0)


def test_accuracies_that_are_equal_are_equal_as_their_mean() -> None:
    epoch = an_epoch(**dict.fromkeys(("identity", "rot90", "rot180", "rot270"), 0.9675))

    assert percent_of(epoch, "unseen") == percent_of(epoch, "identity") == 96.75


def test_percents_keep_six_places() -> None:
    assert percent_of(an_epoch(rot90=2 / 3), "rot90") == 66.666667


def test_angles_are_found_by_their_degrees() -> None:
    epoch = an_epoch(angles=tuple(number / 100 for number in range(36)))

    assert percent_of(epoch, "angle40") == pytest.approx(4.0)
    assert percent_of(epoch, "angles") == pytest.approx(17.5)
    assert percent_of(an_epoch(), "angles") is None and percent_of(an_epoch(), "angle40") is None


@pytest.mark.parametrize(("seeds", "lowest", "highest"), [(3, 0.76, 0.86), (5, 0.84, 0.92)])
def test_intervals_of_few_seeds_hold_the_truth_less_often_than_they_say(
    seeds: int, lowest: float, highest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the Paper page has it: about eight of ten with three seeds, nine of ten with five."""
    monkeypatch.setattr("explorer.reproduction.statistics.RESAMPLES", 1000)
    draws = np.random.default_rng(3).normal(0.0, 1.0, (1500, 2, seeds))
    found = [difference(tuple(first), tuple(second)) for first, second in draws]

    covered = sum(each.low <= 0.0 <= each.high for each in found if each.low is not None and each.high is not None)

    assert lowest < covered / len(draws) < highest
