"""The part of the Orbit page that computes: batches measured and kept, and the charts of those there are. Torch."""

import base64
import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PIL import Image

from equivariance.groups.acting import transform_picture
from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import label_of
from equivariance.kept import Kept
from equivariance.theory.exactness import predict
from explorer.figures.layers import logits_bars
from explorer.figures.orbit import mirrors, shift_map
from explorer.figures.orbit_marks import OrbitCurve
from explorer.figures.polar import Point, polar
from explorer.pages.orbit.controls import ROLES, OrbitView
from explorer.pages.session.live import engine, freeze
from explorer.pages.session.shared import session_name
from explorer.pages.widgets.charts import Chart, chart_of
from explorer.pages.widgets.tensors import weights_of
from explorer.pages.widgets.trained import plain_beside
from explorer.pictures.fitting import fit
from explorer.pictures.images import Picture
from explorer.studies.orbit import (
    LOGITS,
    SHIFT_LIMIT_PX,
    Batch,
    BatchErrors,
    Orbit,
    Spread,
    Variant,
    fitted,
    logits_changes,
    measure_batch,
    resampling_error,
    shift_batches,
    shifts,
    spreads,
    turn_batches,
    variants,
)

BETWEEN_DRAWINGS_S = 2.0
MIRRORS = ("mirror", "mirror_rot90", "mirror_rot180", "mirror_rot270")

Progress = Callable[[float], None]

_measured: Kept[BatchErrors] = Kept(2048)
_works: Kept[dict[str, BatchErrors]] = Kept(16)  # all of a work's, so that it ends however many batches it has
_baselines: Kept[dict[float, float]] = Kept(64)


class _NotMeasuredError(Exception):
    """Stands for a batch that is not measured yet."""


@dataclass(frozen=True)
class OrbitWork:
    """What there is to go through for a view: `found` is measured, `left` is not. kept: by key, what is measured."""

    view: OrbitView
    orbit: Orbit
    layer: str
    shift_layer: str
    planned_shifts: Mapping[Variant, tuple[str, ...]]
    found: list[tuple[Batch, BatchErrors]] = field(repr=False)
    left: list[Batch] = field(repr=False)
    kept: dict[str, BatchErrors] = field(repr=False)

    @property
    def fraction(self) -> float:
        """The fraction of all batches that is done."""
        return len(self.found) / max(1, len(self.found) + len(self.left))


def layers_of(view: OrbitView) -> tuple[list[str], int]:
    """The layers of the chosen network, and which to show first: one that breaks, or would at other sizes."""
    engine().check_size(height_px=view.size_px, width_px=view.size_px)
    structure = engine().structure(view.network, view.seed, view.dtype, weights_of(view.trained))
    prediction = predict(structure, height_px=view.size_px, width_px=view.size_px)
    names = [layer.name for layer in prediction.layers if layer.module_name]
    first = prediction.first_broken_layer or prediction.first_strided_layer
    return names, names.index(first.name) if first is not None and first.name in names else 0


def work_of(view: OrbitView, layer: str, shift_layer: str) -> OrbitWork:
    """What is measured already and what is left; raises SizeError for a size that cannot be measured."""
    found = variants(
        engine(),
        view.network,
        size_px=view.size_px,
        seed=view.seed,
        dtype=view.dtype,
        weights=weights_of(view.trained),
        plain_weights=weights_of(plain_beside(view.trained)),
    )
    chosen = tuple(variant for variant in found if variant.role in view.roles)
    orbit = Orbit(chosen, view.pictures, view.how, view.seed, view.dtype, view.step_deg, view.with_mirror)
    by_shift = list(shift_batches(engine(), orbit, shift_layer))
    planned = {
        variant: tuple(
            dict.fromkeys(shift.name for batch in by_shift if batch.variant == variant for shift in batch.transforms)
        )
        for variant in chosen
    }
    batches = {batch.key: batch for batch in (*turn_batches(orbit), *by_shift)}
    work = OrbitWork(view, orbit, layer, shift_layer, planned, [], [], _works.get(tuple(batches), dict))
    for key, batch in batches.items():
        errors = work.kept.get(key) or _known(key)
        if errors is None:
            work.left.append(batch)
        else:
            work.kept[key] = errors
            work.found.append((batch, errors))
    return work


def _known(key: str) -> BatchErrors | None:
    """What was recently measured for any view."""
    try:
        return _measured.get(key, _unknown)
    except _NotMeasuredError:
        return None


def _unknown() -> BatchErrors:
    raise _NotMeasuredError


def measure_some(work: OrbitWork, progress: Progress) -> None:
    """Measure what is left until it is time to redraw; at least one batch. Raises EquivarianceError, Superseded.

    `progress` is told the fraction of all batches that is done.
    """
    started = time.monotonic()
    total = len(work.found) + len(work.left)
    for number, batch in enumerate(work.left, start=len(work.found)):

        def tell(fraction: float, number: int = number) -> None:
            progress((number + fraction) / total)

        def make(batch: Batch = batch) -> BatchErrors:
            return measure_batch(engine(), batch, owner=session_name(), progress=tell)

        work.kept[batch.key] = _measured.get(batch.key, make)
        if time.monotonic() - started > BETWEEN_DRAWINGS_S:
            break
    freeze()


# -------------------------------------------------------------------------------------------------------------- charts


def polar_chart(work: OrbitWork, layer: str) -> Chart:
    """Errors by angle at a layer or at LOGITS."""
    points = [Point(each.name, each.angle_deg, each.moves_pixels) for each in work.orbit.turns]
    curves = _curves(work, layer)
    figure = polar(
        points,
        curves,
        baseline=_baseline(work),
        dtype=work.orbit.dtype,
        logarithmic=work.view.logarithmic,
    )
    exact = [point.transform for point in points if point.is_exact]
    resampled = [point.transform for point in points if not point.is_exact]
    said = [f"{c.title}: exact transforms {_range(c, exact)}, resampled {_range(c, resampled)}" for c in curves]
    return chart_of(figure, f"Error by angle at {layer}. {'; '.join(said)}.")


def mirrors_chart(work: OrbitWork, layer: str) -> Chart:
    """Errors of the mirrors at a layer or at LOGITS."""
    curves = _curves(work, layer)
    said = [f"{label_of(name)} {_range(curve, [name])}" for curve in curves for name in MIRRORS]
    words = [f"{c.title}: {', '.join(said[4 * k : 4 * k + 4])}" for k, c in enumerate(curves)]
    figure = mirrors(MIRRORS, curves, dtype=work.orbit.dtype)
    return chart_of(figure, f"Error of the mirrors at {layer}. {'; '.join(words)}.")


def shift_charts(work: OrbitWork) -> list[tuple[Variant, Chart]]:
    """Errors by shift for each network; at LOGITS, how much the logits change."""
    return [(variant, _shift_chart(work, variant)) for variant in work.orbit.variants]


def _shift_chart(work: OrbitWork, variant: Variant) -> Chart:
    at_logits = work.shift_layer == LOGITS
    found = logits_changes(work.found, variant) if at_logits else spreads(work.found, variant, work.shift_layer)
    planned = work.planned_shifts[variant]
    cells: dict[tuple[int, int], Spread | None] = {}
    for shift in shifts():
        if shift.name in found or shift.name not in planned:
            cells[shift.down_px, shift.right_px] = found.get(shift.name)
    known = [spread.mean for spread in cells.values() if spread is not None]
    none = sum(spread is None for spread in cells.values())
    errors = f"{len(known)} shifts, errors {min(known):.1e} to {max(known):.1e}" if known else "no shift acts"
    figure = shift_map(cells, dtype=work.orbit.dtype, limit_px=SHIFT_LIMIT_PX)
    return chart_of(figure, f"Shifts at {work.shift_layer}, {variant.title}: {errors}; {none} without an action.")


def _curves(work: OrbitWork, layer: str) -> list[OrbitCurve]:
    return [
        OrbitCurve(variant.title, list(ROLES).index(variant.role), spreads(work.found, variant, layer))
        for variant in work.orbit.variants
    ]


def _baseline(work: OrbitWork) -> dict[float, float]:
    """What resampling alone costs, by angle: the mean over the pictures at the chosen size."""
    orbit = work.orbit
    each = []
    for picture in orbit.pictures:
        make = partial(_baseline_of, picture, work.view.size_px, orbit)
        each.append(_baselines.get((picture.sha256, work.view.size_px, orbit.how, orbit.turns), make))
    return {angle_deg: float(np.mean([one[angle_deg] for one in each])) for angle_deg in each[0]}


def _baseline_of(picture: Picture, size_px: int, orbit: Orbit) -> dict[float, float]:
    pixels = fit(picture, height_px=size_px, width_px=size_px, how=orbit.how)
    return {each.angle_deg: resampling_error(pixels, each) for each in orbit.turns if not each.moves_pixels}


def _range(curve: OrbitCurve, transforms: list[str]) -> str:
    """The smallest and the largest mean error in words."""
    known = [spread.mean for name in transforms if (spread := curve.errors.get(name)) is not None]
    if known:
        return f"{min(known):.1e}" + (f" to {max(known):.1e}" if max(known) > min(known) else "")
    return "no action" if any(name in curve.errors for name in transforms) else "not measured"


# ------------------------------------------------------------------------------------------------------ one transform


@dataclass(frozen=True)
class Turned:
    """The picture upright and transformed as PNGs in base64, and what each network answers to it.

    answers: (title, class upright, class transformed, change of the logits) of each network that is measured there.
    """

    upright_png: str = field(repr=False)
    turned_png: str = field(repr=False)
    answers: tuple[tuple[str, str, str, float], ...]
    logits: Chart | None


def turned(work: OrbitWork, element: Element) -> Turned:
    """The view's picture under one of its turns, at the size of the first network; masked where it is resampled."""
    variant = work.orbit.variants[0]
    batch = Batch(variant, work.view.picture, (element,), work.orbit.how, work.orbit.seed, work.orbit.dtype)
    upright = fitted(batch)
    moved = transform_picture(upright, element)
    names = () if work.view.trained is None else work.view.trained.header.classes
    answers, chart = [], None
    for each, errors in work.found:
        if each.picture is work.view.picture and element.name in errors.columns:
            pair = {"identity": errors.logits[0], element.name: errors.logits[1 + errors.columns.index(element.name)]}
            numbers = [int(np.argmax(values)) for values in pair.values()]
            classes = [names[number] if names else str(number) for number in numbers]
            answers.append((each.variant.title, classes[0], classes[1], errors.logits_change(element.name)))
            if each.variant == variant:
                words = f"Logits of {variant.title}: class {classes[0]} upright, {classes[1]} transformed."
                chart = chart_of(logits_bars({name: list(values) for name, values in pair.items()}, names), words)
    return Turned(_png(upright.numpy()), _png(moved.numpy()), tuple(answers), chart)


def _png(pixels: np.ndarray) -> str:
    """(3, H, W), 0..1, as a PNG in base64."""
    rounded = np.round(pixels.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    buffer = io.BytesIO()
    Image.fromarray(rounded).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def rows_of(work: OrbitWork) -> list[dict[str, object]]:
    """The measured errors of the turns and mirrors, one row for each network, layer and transform."""
    rows: list[dict[str, object]] = []
    for variant in work.orbit.variants:
        for layer in (work.layer, LOGITS):
            for name, spread in spreads(work.found, variant, layer).items():
                errors = (None, None, None) if spread is None else (spread.mean, spread.smallest, spread.largest)
                named = dict(zip(("mean error", "smallest error", "largest error"), errors, strict=True))
                shown = {"network": variant.network.name, "subsampling": variant.network.subsampling}
                rows.append({**shown, "size_px": variant.size_px, "layer": layer, "transform": name, **named})
    return rows
