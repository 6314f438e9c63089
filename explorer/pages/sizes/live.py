"""The part of the Sizes page that computes: theory at once, measurements size by size, kept. Imports torch."""

import csv
import io
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from equivariance.kept import Kept
from equivariance.largest import largest_of
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.theory.exactness import predict
from equivariance.theory.grids import EXACT
from equivariance.theory.survivors import Survivors, survivors, theory_of
from explorer.figures.reasons import draw_reasons
from explorer.figures.sizes import SizeCurve, error_by_size, error_by_size_and_layer
from explorer.figures.survivors import surviving_elements
from explorer.pages.session.live import engine, freeze
from explorer.pages.session.shared import session_name
from explorer.pages.sizes.controls import Range
from explorer.pages.widgets.charts import Chart, chart_of
from explorer.pages.widgets.tensors import weights_of
from explorer.studies.sweep import SizeResult, Sweep, check_work, sides_of, size_result
from models.catalog import NetworkSpec

MAX_PIXELS = 1_000_000  # of all pictures of a range: some ten minutes on two cores
MAX_PAIR_SIDES = 64
MAX_NAMED = 12  # exact sizes in the sentence
BETWEEN_DRAWINGS_S = 2.0

Progress = Callable[[float], None]


@dataclass
class _Sweep:
    """What was measured of one network and picture, by size in pixels, and how long that took.

    All visitors of a view share it and add to it at the same time: go through copies.
    """

    results: dict[int, SizeResult] = field(default_factory=dict)
    elapsed_s: float = 0.0
    _added_s: float = 0.0  # when, by the monotonic clock

    def add(self, result: SizeResult, *, since_s: float) -> None:
        """Keep a result whose measuring began at `since_s`; time that another visitor's took, too, counts once."""
        now_s = time.monotonic()
        self.elapsed_s += now_s - max(since_s, self._added_s)
        self.results[result.size_px], self._added_s = result, now_s


_measured: Kept[_Sweep] = Kept(32)
_survivors: Kept[Survivors] = Kept(32)
_reasons: Kept[tuple[str, ...]] = Kept(256)


@dataclass(frozen=True)
class Series:
    """One network over the range: its sweep, theory's words and the results that there are, growing."""

    sweep: Sweep
    pairs: Survivors = field(repr=False)
    curve: SizeCurve
    kept: _Sweep = field(repr=False)

    @property
    def left(self) -> list[int]:
        """Sizes that are not measured yet."""
        return [size_px for size_px in self.curve.theory if size_px not in self.kept.results]


def series_of(view: Range) -> tuple[Series, ...]:
    """Theory for every size, and what is measured already; raises SizeError for a range that cannot be measured."""
    series = tuple(_series(view, network) for network in view.networks)
    freeze()
    return series


def _series(view: Range, network: NetworkSpec) -> Series:
    weights = weights_of(view.trained)
    sweep = Sweep(network, view.first_px, view.last_px, view.picture, view.how, view.seed, view.dtype, weights)
    sides_px = sides_of(engine(), sweep)
    check_work(sides_px[0], sides_px[-1], max_pixels=MAX_PIXELS)
    structure = engine().structure(network, view.seed, view.dtype, weights)
    pairs = _survivors.get(
        (view.key(network), sides_px), lambda: survivors(structure, heights_px=sides_px, widths_px=sides_px)
    )
    theory = {side_px: theory_of(pairs.at(height_px=side_px, width_px=side_px)) for side_px in sides_px}
    prediction = predict(structure, height_px=sides_px[0], width_px=sides_px[0])
    layers = tuple(layer.name for layer in prediction.layers)
    kept = _measured.get(view.key(network), _Sweep)
    return Series(sweep, pairs, SizeCurve(network.subsampling, view.dtype, layers, theory, kept.results), kept)


def reasons_of(view: Range, size_px: int) -> tuple[str, ...]:
    """Drawings of the layer that decides at a size, kept."""

    def draw() -> tuple[str, ...]:
        weights = weights_of(view.trained)
        chosen, published = (
            predict(engine().structure(each, view.seed, view.dtype, weights), height_px=size_px, width_px=size_px)
            for each in (view.network, view.network.as_published)
        )
        return draw_reasons(chosen, published)

    return _reasons.get((view.key(view.network), size_px), draw)


def measure_some(series: Sequence[Series], progress: Progress) -> None:
    """Measure what is left, network by network, until it is time to redraw; at least one size.

    `progress` is told the fraction of all work that is done. Raises EquivarianceError, Superseded.
    """
    started = time.monotonic()
    todo = [(each, size_px) for each in series for size_px in each.left]
    for each, size_px in todo:
        if size_px in each.kept.results:  # another visitor has measured it meanwhile
            continue
        began = time.monotonic()
        base, share = _done(series), size_px**2 / _pixels(series)
        result = size_result(
            engine(),
            each.sweep,
            size_px,
            owner=session_name(),
            progress=lambda fraction, base=base, share=share: progress(base + share * fraction),  # type: ignore[misc]
        )
        each.kept.add(result, since_s=began)
        if time.monotonic() - started > BETWEEN_DRAWINGS_S:
            return


def _pixels(series: Sequence[Series]) -> int:
    return sum(size_px**2 for each in series for size_px in each.curve.theory)


def _done(series: Sequence[Series]) -> float:
    """The fraction of the work that is done: pixels measured."""
    left = sum(size_px**2 for each in series for size_px in each.left)
    return 1.0 - left / _pixels(series)


@dataclass(frozen=True)
class SizesReport:
    """What the page shows of the measurements so far; texts are Markdown.

    summary: which sizes are exact by theory.
    state: how many sizes are measured, and about how long the rest takes; empty when all are.
    done: fraction of the work.
    problems, remarks: what contradicts the theory; what this picture does not show.
    """

    summary: str
    state: str
    done: float
    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    curve: Chart
    layers: Chart
    pairs: Chart
    csv: str
    sizes_px: dict[int, str]


def report_of(series: Sequence[Series]) -> SizesReport:
    """Everything that is drawn."""
    chosen = series[0]
    measured = [(each, result) for each in series for result in each.curve.measured]
    return SizesReport(
        _summary(chosen.curve),
        _state(series),
        _done(series),
        tuple(_problem(each, result) for each, result in measured if result.disagreements),
        tuple(_remark(result) for result in chosen.curve.measured if result.unseen),
        chart_of(error_by_size([each.curve for each in series]), _errors_in_words(series)),
        chart_of(error_by_size_and_layer(chosen.curve), _layers_in_words(chosen.curve)),
        chart_of(surviving_elements(_few(chosen.pairs)), _pairs_in_words(_few(chosen.pairs))),
        csv_of(series),
        dict(chosen.curve.theory),
    )


def _summary(curve: SizeCurve) -> str:
    exact = [size_px for size_px, status in curve.theory.items() if status == EXACT]
    if not exact:
        return f"By theory none of the {len(curve.theory)} sizes is exact."
    if len(exact) == len(curve.theory):
        return f":green[●] By theory all {len(exact)} sizes are exact."
    numbers = ", ".join(map(str, exact[:MAX_NAMED])) + (" …" if len(exact) > MAX_NAMED else "")
    return f":green[●] By theory {len(exact)} of {len(curve.theory)} sizes are exact: **{numbers}** px."


def _state(series: Sequence[Series]) -> str:
    total = sum(len(each.curve.theory) for each in series)
    left = sum(len(each.left) for each in series)
    if not left:
        return ""
    return f"{total - left} of {total} sizes measured{_time_left(series)}"


def _time_left(series: Sequence[Series]) -> str:
    """From the time that a pixel of these networks took so far."""
    done_px = sum(size_px**2 for each in series for size_px in tuple(each.kept.results))
    if not done_px:
        return ""
    left_px = sum(size_px**2 for each in series for size_px in each.left)
    left_s = sum(each.kept.elapsed_s for each in series) / done_px * left_px
    return f", about {left_s:.0f} s left" if left_s < 90 else f", about {left_s / 60:.0f} min left"


def _problem(series: Series, result: SizeResult) -> str:
    found = ", ".join(f"{name} {error:.1e}" for name, error in result.disagreements.items())
    level = ROUNDING_LEVEL[series.curve.dtype]
    return (
        f"**Theory and measurement disagree at {result.size_px} px** ({series.curve.name} subsampling). Theory calls "
        f"this size exact, and the measurement finds more than rounding (at most {level:.0e}): {found}. A bug or a "
        f"discovery: please report it."
    )


def _remark(result: SizeResult) -> str:
    return (
        f"{result.size_px} px: this picture does not show the break under {', '.join(result.unseen)}: it may be "
        "symmetric itself. Try another one."
    )


def _errors_in_words(series: Sequence[Series]) -> str:
    parts = []
    for each in series:
        by_status: dict[str, list[float]] = {}
        for result in each.curve.measured:
            if result.error is not None:
                by_status.setdefault(each.curve.theory[result.size_px], []).append(result.error)
        parts += [
            f"{each.curve.name} subsampling, {len(errors)} sizes that theory calls {status}: errors from "
            f"{min(errors):.1e} to {largest_of(errors):.1e}"
            for status, errors in by_status.items()
        ]
    return f"Largest error by size. {'; '.join(parts) or 'Nothing is measured yet'}."


def _layers_in_words(curve: SizeCurve) -> str:
    firsts = Counter(result.first_broken_layer for result in curve.measured if result.first_broken_layer)
    words = "; ".join(f"{name} breaks first at {count} sizes" for name, count in firsts.items())
    return f"Error by size and layer, {len(curve.measured)} sizes measured. {words or 'No layer breaks'}."


def _few(pairs: Survivors) -> Survivors:
    sides, statuses = pairs.heights_px[:MAX_PAIR_SIDES], pairs.statuses[:MAX_PAIR_SIDES]
    return Survivors(sides, sides, tuple(row[:MAX_PAIR_SIDES] for row in statuses))


def _pairs_in_words(pairs: Survivors) -> str:
    exact = sum(theory_of(statuses) == EXACT for row in pairs.statuses for statuses in row)
    total = len(pairs.heights_px) * len(pairs.widths_px)
    return f"Theory for every height and width: {exact} of {total} pairs are exact."


def csv_of(series: Sequence[Series]) -> str:
    """One row for each measured size, all digits; with two networks their subsampling comes first."""
    rows = [_row(each, result, named=len(series) > 1) for each in series for result in each.curve.measured]
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(series: Series, result: SizeResult, *, named: bool) -> dict[str, object]:
    return {
        **({"subsampling": series.curve.name} if named else {}),
        "size_px": result.size_px,
        "predicted": series.curve.theory[result.size_px],
        "first_broken_layer": result.first_broken_layer,
        "error": result.error,
        **result.layer_errors,
    }
