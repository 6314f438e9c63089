"""Does training at an off-centre side leave lopsided mean filters around the layer that breaks?

In ImageNet's ResNets it does (Alsallakh et al. 2021, *Mind the Pad*, arXiv 2010.02178): the mean 3×3 kernel of a layer
leans to one side where a border is dropped. In a plain network all kernels can lean to the same side of the picture.

In a group convolution they cannot. The kernel of output element g is the first one's, moved by g: over all elements the
mean is symmetric whatever the weights are. What could lean are the kernels of the first element, by relative element,
which are free weights. Yet which element of a field is the first is a name. Give a field's elements other names (its
kernels moved by u, and the next layer's kernels for it exchanged accordingly), and the network computes the same; such
weights are as likely at the start, and training goes the same way from both: norms are shared within a field, the head
pools all elements alike, Adam treats each weight alike. A half turn of the names reverses the field's kernels. So over
random starts the mean filter's odd part is 0 on average, at every side: kernels may become lopsided, but each to a side
of its own, and together they cancel as random ones do. `tests/explorer/reproduction/test_fingerprint.py` holds this.

So a systematic leaning is not to be expected in p4 networks; what could differ is how much training happens to leave.
Three measures of the mean filters are compared with those of the exact network at the same seed, which started from the
same weights: how lopsided they are, how far they lean to the side that is dropped (right and below), and how far the
centre of mass of |w| lies there. Random filters are lopsided, too: 0 is no baseline, the other network is.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.reproduction.results import Results, SeedRun
from explorer.reproduction.statistics import LEAST_VALUES, Summary, summarise

Filters = NDArray[np.float64]  # (…, h, w)
EXACT = "upright/exact-28"  # that others are held against, at the same seed
CASES = {
    EXACT: "Exact, 28 px",
    "upright/approximate-27": "Approximate, 27 px",
    "upright/approximate-29": "Approximate, 29 px",
    "mended/29": "Mended, 29 px",
    "upright/plain-28": "Plain, 28 px",
}  # and their titles; the plain network starts from other weights, and is not held against the exact one
COMPARED = ("upright/approximate-27", "upright/approximate-29", "mended/29")
AROUND = ("layer2.conv", "layer3.conv")  # before and after the pool


@dataclass(frozen=True)
class Course:
    """One measure of one layer of a case over its epochs: a summary over seeds for each."""

    epochs: tuple[int, ...]
    summaries: tuple[Summary, ...]


@dataclass(frozen=True)
class AgainstExact:
    """How much larger a measure is after training than in the exact network at the same seed, over `seeds` pairs.

    `start`: the same before training: 0, as both start from the same weights.
    """

    case: str
    layer: str
    measure: str
    ours: Summary
    exact: Summary
    difference: Summary
    start: Summary

    @property
    def sign(self) -> int:
        """1 where it is larger at every seed, −1 smaller; else 0. Chance alone gives n pairs one sign in 2¹⁻ⁿ of cases.

        The bootstrap's interval of three to five values is too narrow to be asked whether it holds 0.
        """
        values = self.difference.values
        return int(min(values) > 0) - int(max(values) < 0)


def lopsided(filters: Filters) -> Filters:
    """(…,): ‖odd part‖ / ‖filter‖ as `equivariance.measurement.mean_filters.lopsidedness`, without torch."""
    odd = (filters - filters[..., ::-1, ::-1]) / 2
    size = np.sqrt((filters**2).sum((-2, -1)))
    return np.sqrt((odd**2).sum((-2, -1))) / np.where(size > 0, size, 1.0)


def leaning_px(filters: Filters) -> Filters:
    """(…,): Σ w·p / Σ |w|, p the place along the diagonal to the lower right corner, in pixels of an axis."""
    return _moment(filters, np.abs(filters))


def mass_px(filters: Filters) -> Filters:
    """(…,): Σ |w|·p / Σ |w|: the same without signs, the centre of mass."""
    return _moment(np.abs(filters), np.abs(filters))


MEASURES: Mapping[str, tuple[str, Callable[[Filters], Filters]]] = {
    "lopsidedness": ("Lopsidedness (0 to 1)", lopsided),
    "leaning": ("Leaning to the lower right (px)", leaning_px),
    "mass": ("Centre of |w| to the lower right (px)", mass_px),
}  # title and function, by name


def layers_in(results: Results) -> tuple[str, ...]:
    """The layers whose filters were kept, in order; of the cases here."""
    runs = [run for case in CASES for run in results.cases.get(case, {}).values()]
    return tuple(next((run.filters for run in runs if run.filters), {}))


def course(results: Results, case: str, layer: str, measure: str) -> Course | None:
    """A measure over epochs, mean over the layer's filters and summarised over seeds; None where none was kept."""
    runs = _runs(results, case, layer)
    if not runs:
        return None
    epochs = tuple(epoch for epoch, *_ in runs[0].curve)
    same = [run for run in runs if tuple(epoch for epoch, *_ in run.curve) == epochs]
    by_run = np.array([_values(run, layer, measure) for run in same])  # (seeds, epochs)
    return Course(epochs, tuple(summarise(column.tolist()) for column in by_run.T))


def compared(results: Results, cases: Iterable[str] = COMPARED) -> tuple[AgainstExact, ...]:
    """Every measure of every layer after training, against the exact network at the same seeds."""
    return tuple(
        found
        for case in cases
        for layer in layers_in(results)
        for measure in MEASURES
        if (found := _compared(results, case, layer, measure)) is not None
    )


def mean_filter(results: Results, case: str, layer: str) -> Filters | None:
    """(h, w): after training, the mean over a layer's filters and over seeds, each run's scaled to length 1."""
    runs = _runs(results, case, layer)
    if not runs:
        return None
    means = [np.array(run.filters[layer][-1]).mean(0) for run in runs]
    scaled: Filters = np.mean([each / (np.linalg.norm(each) or 1.0) for each in means], axis=0)
    return scaled


def sentence(results: Results) -> str:
    """What is seen around the pool, and what is not."""
    found = [each for each in compared(results) if each.layer in AROUND]
    told = [each for each in found if len(each.difference.values) >= LEAST_VALUES]
    if not told:
        seeds = max((len(each.difference.values) for each in found), default=0)
        return f"{seeds} seeds of two networks to compare: nothing is said of fewer than {LEAST_VALUES}."
    approximate = [each for each in told if each.case.startswith("upright/") and each.measure == "lopsidedness"]
    figures = "; ".join(_figures(each) for each in approximate)
    pairs = _range(len(each.difference.values) for each in told)
    seen, chance = sum(each.sign != 0 for each in told), sum(2.0 ** (1 - len(each.difference.values)) for each in told)
    return (
        f"Lopsidedness of the mean filters beside the pool, less the exact network's at the same seed ({pairs} seeds): "
        f"{figures}. Of all {len(told)} comparisons there, by three measures, {seen} have one sign at every seed; by "
        f"chance about {chance:.1f} would."
    )


def _figures(each: AgainstExact) -> str:
    low, high = each.difference.low, each.difference.high
    size_px, where = each.case[-2:], "before" if each.layer == AROUND[0] else "after"
    return f"{size_px} px, {where} it, {each.difference.mean:+.2f} [{low:+.2f}, {high:+.2f}]".replace("-", "−")


def _compared(results: Results, case: str, layer: str, measure: str) -> AgainstExact | None:
    theirs = {run.seed: run for run in _runs(results, EXACT, layer)}
    pairs = [(run, theirs[run.seed]) for run in _runs(results, case, layer) if run.seed in theirs]
    if not pairs:
        return None
    ours = np.array([_values(run, layer, measure)[[0, -1]] for run, _ in pairs])  # (seeds, first and last)
    exact = np.array([_values(run, layer, measure)[[0, -1]] for _, run in pairs])
    difference = ours - exact
    summaries = (summarise(each.tolist()) for each in (ours[:, 1], exact[:, 1], difference[:, 1], difference[:, 0]))
    return AgainstExact(case, layer, measure, *summaries)


def _values(run: SeedRun, layer: str, measure: str) -> NDArray[np.float64]:
    """(epochs,): the mean over the layer's filters."""
    _, of = MEASURES[measure]
    return np.array([float(of(np.array(filters)).mean()) for filters in run.filters[layer]])


def _runs(results: Results, case: str, layer: str) -> list[SeedRun]:
    return [run for run in results.cases.get(case, {}).values() if run.filters.get(layer)]


def _moment(weights: Filters, sizes: Filters) -> Filters:
    height, width = weights.shape[-2:]
    down, right = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    place = (down[:, None] + right[None, :]) / 2
    total = sizes.sum((-2, -1))
    moment: Filters = (weights * place).sum((-2, -1)) / np.where(total > 0, total, 1.0)
    return moment


def _range(numbers: Iterable[int]) -> str:
    found = sorted(set(numbers))
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"
