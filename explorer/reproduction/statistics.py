"""Statistics over seeds: means, deviations, t intervals at 95 %, exact p-values. No claim about accuracy without them.

Runs of a study share their seeds, and with them initial draws and the order of the digits; and all networks read the
same test pictures. So networks are compared in pairs, seed by seed and picture by picture (`difference`).
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from explorer.reproduction.student import t_above, t_quantile
from explorer.training.metrics import ANGLES_DEG, TURNS, UNSEEN, Epoch

LEAST_VALUES = 3  # fewer have no interval
CHANCE = 0.05  # what a claim's corrected p-value stays below
CONFIDENCE = 0.95
_MOST_WAYS = 200_000  # to share out values, counted one by one: ten against ten
_SAME = 1e-9  # percentage points within which two figures are equal
MEASURES = {
    **dict(zip(TURNS, ("0°", "90°", "180°", "270°"), strict=True)),
    "unseen": "unseen turns",
    "angle40": "40°",
    "angles": "36 angles",
}  # and their titles
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Figures of one case in percent, by seed.

    pictures: by seed, (P,): for each test picture the percent of the measure's transforms at which it was read right;
    of the seeds for which that was kept.
    """

    percents: dict[int, float]
    pictures: dict[int, Floats] = field(default_factory=dict)

    def of(self, seeds: Sequence[int]) -> "Sample":
        """The same of these seeds alone."""
        kept = {seed: self.pictures[seed] for seed in seeds if seed in self.pictures}
        return Sample({seed: self.percents[seed] for seed in seeds}, kept)

    @property
    def values(self) -> tuple[float, ...]:
        """The figures in the order of the seeds."""
        return tuple(self.percents[seed] for seed in sorted(self.percents))


@dataclass(frozen=True)
class Summary:
    """Figures of several seeds: mean, standard deviation (n − 1), t interval of the mean.

    `sd` is None of a single value, `low` and `high` of fewer than LEAST_VALUES.
    """

    values: tuple[float, ...]
    mean: float
    sd: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """How much larger one mean is than another, in percentage points.

    low, high: the interval at 95 %; None of fewer than LEAST_VALUES seeds.
    above, below: exact one-sided p-values, that it is larger than 0 and that it is smaller by chance alone.
    seeds: of each of the two; is_paired: whether they are the same seeds. has_pictures: whether the interval also
    holds what another choice of test pictures would have changed.
    """

    mean: float
    low: float | None
    high: float | None
    above: float = 1.0
    below: float = 1.0
    seeds: int = 0
    is_paired: bool = True
    has_pictures: bool = False

    @property
    def sign(self) -> int:
        """1 larger, −1 smaller, 0 where the interval holds both or there is none: then nothing may be claimed."""
        if self.low is None or self.high is None:
            return 0
        return (self.low > 0) - (self.high < 0)


# ---------------------------------------------------------------------------------------------- figures of single runs


def percent_of(epoch: Epoch, measure: str) -> float | None:
    """An accuracy of MEASURES in percent; None where the epoch was not tested at all angles.

    `unseen` leaves the upright one out: it is the mean over 90°, 180° and 270°.
    """
    share = _share(epoch, measure)
    return None if share is None else round(100 * share, 6)  # equal figures stay equal when they are averaged


def transforms_of(measure: str) -> tuple[str, ...]:
    """The transforms of the test pictures that a measure of MEASURES is the mean over, as `Epoch.right` names them."""
    if measure in TURNS:
        return (measure,)
    if measure == "unseen":
        return UNSEEN
    degrees = ANGLES_DEG if measure == "angles" else (int(measure.removeprefix("angle")),)
    return tuple("identity" if angle == 0 else f"rot{angle}" for angle in degrees)


def _share(epoch: Epoch, measure: str) -> float | None:
    if measure == "unseen":
        return epoch.unseen_accuracy
    if measure in TURNS:
        return epoch.accuracy[measure]
    if measure == "angles" or epoch.angles is None:
        return epoch.angles_accuracy
    return epoch.angles[ANGLES_DEG.index(int(measure.removeprefix("angle")))]


# ---------------------------------------------------------------------------------------------------- over several runs


def summarise(values: Sequence[float]) -> Summary:
    """The summary of at least one value; its interval is Student's, of the seeds alone."""
    given = np.asarray(values, dtype=np.float64)
    mean, sd = float(given.mean()), float(given.std(ddof=1)) if len(given) > 1 else None
    if sd is None or len(given) < LEAST_VALUES:
        return Summary(tuple(values), mean, sd, None, None)
    return Summary(tuple(values), mean, sd, *_interval(mean, sd**2 / len(given), len(given) - 1))


def difference(first: Sample, second: Sample) -> Difference:
    """How much larger the mean of `first` is than that of `second`, over the seeds that both have.

    With pairs, the interval is of two-way variance components, after Hillis (2007, Statistics in Medicine 26:596-619)
    and Dorfman, Berbaum and Metz (1992): what readers and cases are there, seeds and test pictures are here. Of the
    differences d(s, p) of S seeds and P pictures, with the mean squares of seeds, of pictures and of what is left,

        variance of the mean = [MS(seeds) + max(MS(pictures) − MS(rest), 0)] / (S P),
        degrees of freedom = (S − 1) · {[MS(seeds) + max(MS(pictures) − MS(rest), 0)] / MS(seeds)}²,

    the latter at most P − 1. Where the answers to single pictures are not kept, this is the paired t interval over
    seeds. Samples without a common seed are independent and get Welch's interval. P-values: see `permutation_p`.
    """
    seeds = sorted(first.percents.keys() & second.percents.keys())
    if not seeds:
        return _independent(first.values, second.values)
    first, second = first.of(seeds), second.of(seeds)
    pairs = np.subtract(first.values, second.values)
    mean = float(pairs.mean())
    above, below = permutation_p(first.values, second.values), permutation_p(second.values, first.values)
    if len(seeds) < LEAST_VALUES:
        return Difference(mean, None, None, above, below, len(seeds))
    answers = _differences_by_picture(first, second, seeds)
    variance, df = _of_seeds(pairs) if answers is None else variance_of_mean(answers)
    return Difference(mean, *_interval(mean, variance, df), above, below, len(seeds), has_pictures=answers is not None)


def welch(first: Summary, mean: float, sd: float, count: int) -> tuple[float, float] | None:
    """Welch's interval of `first` less a mean of which only the deviation and the number of runs are known.

    None where `first` has fewer than LEAST_VALUES values.
    """
    if first.sd is None or len(first.values) < LEAST_VALUES:
        return None
    parts = (first.sd**2 / len(first.values), len(first.values)), (sd**2 / count, count)
    return _interval(first.mean - mean, *_welch(parts))


@lru_cache(maxsize=256)
def permutation_p(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """The one-sided p-value that the mean of `first` is larger: of all ways to share out the values, the share that
    has a difference as large (Fisher 1935). Three against three never give less than 1/20, five against five 1/252.

    With values that come in pairs of the same seed it errs on the safe side, as long as those of a pair are alike
    rather than unlike. With more ways than can be counted, it is that of Welch's t.
    """
    everything = np.asarray([*first, *second], dtype=np.float64)
    if math.comb(len(everything), len(first)) > _MOST_WAYS:
        variance, df = _welch(tuple((float(np.var(each, ddof=1)) / len(each), len(each)) for each in (first, second)))
        mean = float(np.mean(first) - np.mean(second))
        return t_above(mean / math.sqrt(variance), df) if variance else float(mean <= 0)
    chosen = np.array(list(itertools.combinations(range(len(everything)), len(first))))
    sums = everything[chosen].sum(axis=1)
    return float(np.mean(sums >= sum(first) - _SAME))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The p-values of several claims, corrected for their number (Holm 1979)."""
    corrected, largest = {}, 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[name]))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def variance_of_mean(answers: Floats) -> tuple[float, float]:
    """(variance of the mean, degrees of freedom) of (S, P) values: see `difference` for the formula."""
    seeds, pictures = answers.shape
    by_seed, by_picture, mean = answers.mean(axis=1), answers.mean(axis=0), answers.mean()
    of_seeds = pictures * float(by_seed.var(ddof=1))
    of_pictures = seeds * float(by_picture.var(ddof=1))
    rest = answers - by_seed[:, None] - by_picture + mean
    of_rest = float((rest**2).sum()) / ((seeds - 1) * (pictures - 1))
    total = of_seeds + max(of_pictures - of_rest, 0.0)
    df = (seeds - 1) * (total / of_seeds) ** 2 if of_seeds else math.inf
    return total / (seeds * pictures), min(df, float(pictures - 1))


# ------------------------------------------------------------------------------------------------------------- helpers


def _differences_by_picture(first: Sample, second: Sample, seeds: Sequence[int]) -> Floats | None:
    """(S, P); None where answers are missing or of other pictures."""
    if not all(seed in sample.pictures for sample in (first, second) for seed in seeds):
        return None
    if len({len(sample.pictures[seed]) for sample in (first, second) for seed in seeds}) != 1:
        return None
    return np.stack([first.pictures[seed] - second.pictures[seed] for seed in seeds])


def _independent(first: tuple[float, ...], second: tuple[float, ...]) -> Difference:
    mean, seeds = float(np.mean(first) - np.mean(second)), min(len(first), len(second))
    above, below = permutation_p(first, second), permutation_p(second, first)
    if seeds < LEAST_VALUES:
        return Difference(mean, None, None, above, below, seeds, is_paired=False)
    parts = tuple((float(np.var(each, ddof=1)) / len(each), len(each)) for each in (first, second))
    return Difference(mean, *_interval(mean, *_welch(parts)), above, below, seeds, is_paired=False)


def _of_seeds(values: Floats) -> tuple[float, float]:
    return float(values.var(ddof=1)) / len(values), len(values) - 1.0


def _welch(parts: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """(variance, degrees of freedom) of a difference of two means, each with its variance and number of values."""
    total = sum(variance for variance, _ in parts)
    if not total:
        return 0.0, math.inf
    return total, total**2 / sum(variance**2 / (count - 1) for variance, count in parts)


def _interval(mean: float, variance: float, df: float) -> tuple[float, float]:
    half = t_quantile((1 + CONFIDENCE) / 2, df) * math.sqrt(variance)
    return mean - half, mean + half
