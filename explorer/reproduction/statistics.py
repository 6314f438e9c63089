"""Statistics over seeds: mean, standard deviation, and confidence intervals by bootstrap. No claim without them.

Intervals are percentile bootstrap intervals (Efron 1979) at 95 %: seeds are drawn with replacement, the mean is taken
anew, and the middle 95 % of the means are kept. With three to five seeds they are too narrow rather than too wide.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.training.metrics import ANGLES_DEG, TURNS, Epoch

LEAST_VALUES = 3  # fewer have no interval
RESAMPLES = 10_000
_MIDDLE_PERCENT = (2.5, 97.5)
MEASURES = {
    **dict(zip(TURNS, ("0°", "90°", "180°", "270°"), strict=True)),
    "unseen": "unseen turns",
    "angle40": "40°",
    "angles": "36 angles",
}  # and their titles


@dataclass(frozen=True)
class Summary:
    """Figures of several seeds: mean, standard deviation (n − 1), bootstrap interval of the mean.

    `sd` is None of a single value, `low` and `high` of fewer than LEAST_VALUES.
    """

    values: tuple[float, ...]
    mean: float
    sd: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """How much larger one mean is than another, with the bootstrap interval; None of fewer than LEAST_VALUES seeds."""

    mean: float
    low: float | None
    high: float | None

    @property
    def sign(self) -> int:
        """1 larger, −1 smaller, 0 where the interval holds both or there is none: then nothing may be claimed."""
        if self.low is None or self.high is None:
            return 0
        return (self.low > 0) - (self.high < 0)


def percent_of(epoch: Epoch, measure: str) -> float | None:
    """An accuracy of MEASURES in percent; None where the epoch was not tested at all angles.

    `unseen` leaves the upright one out: it is the mean over 90°, 180° and 270°.
    """
    share = _share(epoch, measure)
    return None if share is None else round(100 * share, 6)  # equal figures stay equal when they are averaged


def _share(epoch: Epoch, measure: str) -> float | None:
    if measure == "unseen":
        return epoch.unseen_accuracy
    if measure in TURNS:
        return epoch.accuracy[measure]
    if measure == "angles" or epoch.angles is None:
        return epoch.angles_accuracy
    return epoch.angles[ANGLES_DEG.index(int(measure.removeprefix("angle")))]


def summarise(values: Sequence[float], *, seed: int = 0) -> Summary:
    """The summary of at least one value; `seed` is of the resampling."""
    few = len(values) < LEAST_VALUES
    low, high = (None, None) if few else _middle(_means(values, np.random.default_rng(seed)))
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Summary(tuple(values), float(np.mean(values)), sd, low, high)


def difference(first: Sequence[float], second: Sequence[float], *, seed: int = 0) -> Difference:
    """How much larger the mean of `first` is than that of `second`; the seeds of the two are drawn independently."""
    mean = float(np.mean(first) - np.mean(second))
    if min(len(first), len(second)) < LEAST_VALUES:
        return Difference(mean, None, None)
    generator = np.random.default_rng(seed)
    return Difference(mean, *_middle(_means(first, generator) - _means(second, generator)))


def _means(values: Sequence[float], generator: np.random.Generator) -> NDArray[np.float64]:
    """(RESAMPLES,): the mean of as many values, drawn with replacement."""
    given = np.asarray(values, dtype=np.float64)
    return given[generator.integers(0, len(given), (RESAMPLES, len(given)))].mean(axis=1)


def _middle(means: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(means, _MIDDLE_PERCENT)
    return float(low), float(high)
