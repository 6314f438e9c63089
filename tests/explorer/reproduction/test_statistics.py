"""Statistics over seeds: means, deviations, intervals and p-values, against SciPy, textbooks and simulation."""

import itertools
import math
import statistics
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from explorer.reproduction.results import Results, Session, by_picture, seed_run
from explorer.reproduction.statistics import (
    LEAST_VALUES,
    MEASURES,
    Difference,
    Sample,
    difference,
    holm,
    percent_of,
    permutation_p,
    summarise,
    transforms_of,
    variance_of_mean,
    welch,
)
from explorer.reproduction.student import t_above, t_quantile
from explorer.training.metrics import ANGLES_DEG, TESTED, Epoch, packed

SEEDS = (97.4, 97.9, 97.6, 98.3, 97.1)


def an_epoch(*, angles: tuple[float, ...] | None = None, **accuracy: float) -> Epoch:
    """An epoch with these accuracies, one half for the others."""
    known = {**dict.fromkeys(TESTED, 0.5), **accuracy}
    return Epoch(3, 30, 0.1, 0.9, 0.2, known, angles, 0.8, {"logits": 0.1}, 100.0, 1.0)


def sample(*values: float, first_seed: int = 0) -> Sample:
    return Sample(dict(enumerate(values, first_seed)))


# ---------------------------------------------------------------------------------------------------------- Student's t


@pytest.mark.parametrize(
    ("df", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (30, 2.042), (math.inf, 1.960)]
)
def test_quantiles_are_those_of_the_printed_tables(df: float, quantile: float) -> None:
    assert round(t_quantile(0.975, df), 3) == quantile


@pytest.mark.parametrize("df", [1.0, 1.5, 2.0, 3.7, 4.0, 30.0, 99.5, 1999.0, 59_999.0])
def test_quantiles_and_tails_are_those_of_scipy(df: float) -> None:
    for t in (-5.0, -1.0, 0.0, 0.3, 2.776, 10.0, 100.0):
        assert t_above(t, df) == pytest.approx(float(stats.t.sf(t, df)), rel=1e-6)
    for share in (0.0001, 0.1, 0.5, 0.6, 0.975, 0.9999):
        assert t_quantile(share, df) == pytest.approx(float(stats.t.ppf(share, df)), rel=1e-6, abs=1e-12)


# ------------------------------------------------------------------------------------------------ means and differences


def test_mean_and_deviation_are_those_of_the_standard_library() -> None:
    summary = summarise(SEEDS)

    assert summary.mean == pytest.approx(statistics.mean(SEEDS))
    assert summary.sd == pytest.approx(statistics.stdev(SEEDS))  # n − 1
    assert summary.values == SEEDS


def test_the_interval_of_a_mean_is_students() -> None:
    summary = summarise(SEEDS)
    expected = stats.ttest_1samp(SEEDS, 0.0).confidence_interval(0.95)

    assert (summary.low, summary.high) == pytest.approx((expected.low, expected.high))


def test_the_same_seeds_are_compared_in_pairs() -> None:
    first, second = SEEDS, (80.0, 85.0, 79.0, 81.5, 80.5)
    found = difference(sample(*first), sample(*second))
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)

    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.mean == pytest.approx(np.mean(first) - np.mean(second))
    assert (found.is_paired, found.has_pictures, found.seeds) == (True, False, 5)
    assert found.sign == 1 and difference(sample(*second), sample(*first)).sign == -1


def test_seeds_that_one_of_the_two_lacks_are_left_out() -> None:
    longer, shorter = sample(90.0, 91.0, 95.0, 70.0), sample(80.0, 81.5, 84.0)

    assert difference(longer, shorter) == difference(sample(90.0, 91.0, 95.0), shorter)
    assert difference(longer, Sample({1: 81.5, 3: 60.0})).mean == pytest.approx((9.5 + 10.0) / 2)


def test_samples_without_a_common_seed_are_independent() -> None:
    first, second = SEEDS, (80.0, 85.0, 79.0)
    found = difference(sample(*first), sample(*second, first_seed=10))
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)

    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert not found.is_paired and found.above == pytest.approx(1 / 56) and found.below == 1.0  # (8 choose 3) ways


def test_a_mean_that_is_known_with_its_deviation_is_compared_by_welch() -> None:
    published = np.random.default_rng(5).normal(70.0, 4.0, 100)
    expected = stats.ttest_ind(SEEDS, published, equal_var=False).confidence_interval(0.95)

    found = welch(summarise(SEEDS), float(published.mean()), float(published.std(ddof=1)), 100)

    assert found == pytest.approx((expected.low, expected.high))
    assert welch(summarise(SEEDS[:2]), 70.0, 4.0, 100) is None


# ---------------------------------------------------------------------------------------- the choice of test pictures


def with_pictures(answers: Sequence[np.ndarray]) -> Sample:
    return Sample({seed: float(each.mean()) for seed, each in enumerate(answers)}, dict(enumerate(answers)))


def test_without_an_effect_of_pictures_the_interval_is_that_of_pairs() -> None:
    by_seed = np.array([3.0, 5.0, 4.5])
    answers = by_seed[:, None] + np.array([-1.0, 1.0, -1.0, 1.0]) * np.array([[1.0], [-1.0], [0.0]])
    found = difference(with_pictures(answers), sample(0.0, 0.0, 0.0))
    pictures = difference(with_pictures(answers), with_pictures(np.zeros((3, 4))))

    assert not found.has_pictures and pictures.has_pictures
    assert (found.low, found.high) == pytest.approx((pictures.low, pictures.high))


def test_the_choice_of_pictures_widens_the_interval() -> None:
    """Seeds that hardly differ, and 400 pictures of which every network answers another share: a binomial interval."""
    right = (np.arange(400) < 100).astype(float) * 100
    answers = right + np.array([[-0.1], [0.0], [0.1]])

    found = difference(with_pictures(answers), with_pictures(np.zeros((3, 400))))

    assert found.low is not None and found.high is not None
    half = 1.96 * 100 * math.sqrt(0.25 * 0.75 / 400)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.02)


def test_variance_components_are_those_of_the_analysis_of_variance() -> None:
    """Mean squares by the textbook's sums over all cells, written out."""
    answers = np.random.default_rng(2).normal(1.0, 2.0, (4, 7)) + np.arange(7.0)
    mean = sum(answers.ravel()) / 28
    rows = [sum(row) / 7 for row in answers]
    columns = [sum(column) / 4 for column in answers.T]
    of_seeds = 7 * sum((row - mean) ** 2 for row in rows) / 3
    of_pictures = 4 * sum((column - mean) ** 2 for column in columns) / 6
    cells = itertools.product(range(4), range(7))
    of_rest = sum((answers[s, p] - rows[s] - columns[p] + mean) ** 2 for s, p in cells) / 18

    variance, df = variance_of_mean(answers)

    assert variance == pytest.approx((of_seeds + of_pictures - of_rest) / 28)
    assert df == pytest.approx(min(3 * ((of_seeds + of_pictures - of_rest) / of_seeds) ** 2, 6))


@pytest.mark.parametrize("spread", [(1.0, 0.0, 10.0), (1.0, 8.0, 10.0), (0.3, 8.0, 10.0), (0.0, 8.0, 10.0)])
@pytest.mark.parametrize(("seeds", "least"), [(3, 0.92), (5, 0.93)])
def test_intervals_hold_the_truth_as_often_as_they_say(
    spread: tuple[float, float, float], seeds: int, least: float
) -> None:
    """Draws of seeds and of pictures anew each time: 95 of 100 intervals hold the true difference, 0."""
    generator = np.random.default_rng(11)
    of_seeds, of_pictures, of_both = spread
    covered, times = 0, 1000
    for _ in range(times):
        answers = (
            generator.normal(0, of_seeds, (seeds, 1))
            + generator.normal(0, of_pictures, (1, 100))
            + generator.normal(0, of_both, (seeds, 100))
        )
        found = difference(with_pictures(answers), with_pictures(np.zeros((seeds, 100))))
        covered += found.sign == 0

    assert least <= covered / times <= 0.97


def test_intervals_of_answers_right_or_wrong_hold_the_truth_as_often_as_they_say() -> None:
    """Two networks as good as each other, seeds more and less lucky, pictures easy and hard: answers right or wrong."""
    generator = np.random.default_rng(12)
    covered, times = 0, 1000
    for _ in range(times):
        easy, lucky = generator.normal(1.5, 1.0, (2, 1, 300)), generator.normal(0, 0.3, (2, 5, 1))
        answers = 100.0 * (generator.normal(0, 1, (2, 5, 300)) < easy + lucky)
        covered += difference(with_pictures(answers[0]), with_pictures(answers[1])).sign == 0

    assert 0.93 <= covered / times <= 0.97


def test_seeds_alone_are_taken_where_answers_are_missing_or_of_other_pictures() -> None:
    answers = np.random.default_rng(3).normal(50, 5, (3, 20))
    whole = with_pictures(answers)
    part = Sample(whole.percents, {0: answers[0]})
    others = Sample(whole.percents, dict(enumerate(answers[:, :10])))

    assert difference(whole, whole).has_pictures
    assert not difference(whole, part).has_pictures and not difference(whole, others).has_pictures


@pytest.mark.parametrize("measure", MEASURES)
def test_answers_to_single_pictures_give_the_accuracy_of_the_run(measure: str) -> None:
    generator = np.random.default_rng(4)
    names = dict.fromkeys([*TESTED, *(f"rot{angle}" for angle in ANGLES_DEG if angle)])
    right = {name: generator.random(50) < generator.random() for name in names}
    shares = {name: float(each.mean()) for name, each in right.items()}
    angles = tuple(shares["identity" if angle == 0 else f"rot{angle}"] for angle in ANGLES_DEG)
    accuracy = {name: shares[name] for name in TESTED}
    epoch = Epoch(3, 30, 0.1, 0.9, 0.2, accuracy, angles, 0.8, {}, 100.0, 1.0, right=packed(right))
    results = Results("mnist", "quick").with_run("a case", seed_run(7, {}, [epoch]), Session("", "", "", {}))

    found = results.sample("a case", measure)

    assert found.pictures[7].mean() == pytest.approx(found.percents[7], abs=1e-3)
    assert found.percents[7] == results.percents("a case", measure)[0]
    assert len(found.pictures[7]) == 50 and by_picture(packed(right), measure) is not None
    assert set(transforms_of(measure)) <= set(names)


# ------------------------------------------------------------------------------------------------------------- p-values


def test_all_ways_to_share_out_the_values_are_counted() -> None:
    assert permutation_p((4.0, 5.0, 6.0), (1.0, 2.0, 3.0)) == 1 / 20  # three against three: never less
    assert permutation_p((5.0,) * 5, (1.0,) * 5) == 1 / 252
    assert permutation_p((1.0, 2.0), (4.0, 5.0)) == permutation_p((1.0, 1.0), (1.0, 1.0)) == 1.0
    first, second = (1.0, 5.0, 6.0), (4.0, 2.0, 3.0, 2.5)
    expected = stats.permutation_test(
        (first, second), lambda x, y: np.mean(x) - np.mean(y), alternative="greater", n_resamples=np.inf
    )
    assert permutation_p(first, second) == pytest.approx(expected.pvalue)


def test_p_values_of_many_seeds_are_those_of_t() -> None:
    generator = np.random.default_rng(6)
    first, second = (tuple(generator.normal(mean, 1, 60)) for mean in (0.3, 0.0))
    expected = stats.ttest_ind(first, second, equal_var=False, alternative="greater").pvalue

    assert permutation_p(first, second) == pytest.approx(expected, rel=1e-6)
    assert permutation_p((1.0,) * 60, (0.0,) * 60) == 0.0 and permutation_p((1.0,) * 60, (1.0,) * 60) == 1.0


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.95])
def test_pairs_that_are_alike_make_p_values_safe(alike: float) -> None:
    """Networks that do not differ are told apart no more often than the p-value says, however alike pairs are."""
    generator = np.random.default_rng(8)
    rejected, times = 0, 1500
    for _ in range(times):
        shared, own = generator.normal(0, 1, 5), generator.normal(0, 1, (2, 5))
        first, second = math.sqrt(alike) * shared + math.sqrt(1 - alike) * own
        rejected += permutation_p(tuple(first), tuple(second)) <= 0.05

    assert rejected / times <= (0.067 if not alike else 0.05)  # of 0.05, three deviations more


def test_holm_corrects_the_smallest_most() -> None:
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})  # 4 · 0.005, 3 · 0.01, 2 · 0.03, and no less

    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert list(found) == ["a", "b", "c", "d"] and holm({}) == {} and holm({"a": 0.7, "b": 0.6}) == {"a": 1, "b": 1}


# -------------------------------------------------------------------------------------------------- what may be claimed


@pytest.mark.parametrize(
    ("low", "high", "sign"),
    [(0.1, 2.0, 1), (-2.0, -0.1, -1), (-1.0, 1.0, 0), (0.0, 2.0, 0), (-2.0, 0.0, 0), (None, -1.0, 0), (1.0, None, 0)],
)
def test_a_claim_needs_an_interval_clear_of_zero(low: float | None, high: float | None, sign: int) -> None:
    assert Difference(0.0, low, high).sign == sign


def test_too_few_seeds_have_no_interval_and_allow_no_claim() -> None:
    few = SEEDS[: LEAST_VALUES - 1]

    assert (summarise(few).low, summarise(few).high) == (None, None)
    assert summarise(SEEDS[:1]).sd is None and summarise((1.0, 3.0)).sd == pytest.approx(2**0.5)
    found = difference(sample(*few), sample(1.0, 1.1, 1.2))
    assert found.mean > 90 and (found.low, found.high, found.sign) == (None, None, 0)


def test_equal_networks_allow_no_claim() -> None:
    assert difference(sample(*SEEDS), sample(*SEEDS)).sign == 0
    assert difference(sample(*SEEDS), sample(*reversed(SEEDS))).sign == 0


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
