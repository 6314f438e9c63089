"""The orbit of a picture: the errors of up to four networks under turns, mirrored turns and shifts, batch by batch.

A batch is one picture through one network under some of the transforms; batches come coarse first, so that a plot of
them fills evenly. Resampled angles (no multiples of 90°) are measured on the picture masked to the disc, which is what
their errors compare with; so their upright logits are those of the masked picture, too.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from equivariance.groups.acting import disc_mask, transform_picture
from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import Shift, Transform
from equivariance.measurement.outputs import output_error
from equivariance.relative import relative_error
from equivariance.theory.exactness import Structure, predict
from explorer.pictures.fitting import fit
from explorer.pictures.images import Fit, Picture
from explorer.serving.engine import Engine, Request
from explorer.serving.weights import Weights
from models.catalog import NetworkSpec

LOGITS = "logits"  # stands for a layer's name
SHIFT_LIMIT_PX = 8
_PIXELS_PER_BATCH = 24 * 64 * 64
_MOST_PER_BATCH = 24

Errors = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Variant:
    """One network at one size: a line in the plots. `role` says which, see `variants`. Without weights: random ones."""

    role: str
    network: NetworkSpec
    size_px: int
    weights: Weights | None = field(default=None, repr=False)

    @property
    def title(self) -> str:
        """`p4-resnet18, 33 px`, and how it subsamples where that is not as published."""
        subsampling = self.network.subsampling
        return f"{self.network.name}, {self.size_px} px" + ("" if subsampling == "published" else f", {subsampling}")


@dataclass(frozen=True)
class Orbit:
    """What to go through. `step_deg` divides 45; `with_mirror`: mirror left-right first, then turn."""

    variants: tuple[Variant, ...]
    pictures: tuple[Picture, ...]
    how: Fit = "resize"
    seed: int = 0
    dtype: str = "float32"
    step_deg: int = 15
    with_mirror: bool = False

    @property
    def turns(self) -> tuple[Element, ...]:
        """The turns (or mirrored turns) of the polar plot, by angle; not the identity."""
        elements = (Element(float(angle_deg), self.with_mirror) for angle_deg in range(0, 360, self.step_deg))
        return tuple(element for element in elements if not element.is_identity)


@dataclass(frozen=True)
class Batch:
    """One picture through one network; all of `transforms` move pixels, or none does."""

    variant: Variant
    picture: Picture
    transforms: tuple[Transform, ...]
    how: Fit
    seed: int
    dtype: str

    @property
    def key(self) -> str:
        """What the numbers depend on."""
        names = [transform.name for transform in self.transforms]
        weights = self.variant.weights
        drawn_from = self.seed if weights is None else weights.sha256
        settings = (self.variant.network, self.variant.size_px, self.how, drawn_from, self.dtype)
        return repr((settings, self.picture.sha256, names))


@dataclass(frozen=True)
class BatchErrors:
    """The errors of a batch, float64: (layers and logits, transforms); not a number where there is no action.

    An error that is not a number itself is infinite here. `logits` are (upright and transforms, classes); `verdict`
    is that of the network at its size.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    errors: Errors = field(repr=False)
    logits: Errors = field(repr=False)
    verdict: str

    def error(self, layer: str, transform: str) -> float | None:
        """The error at a layer, or at LOGITS; None where the group has no action, or the network no such layer."""
        if layer not in self.rows:
            return None
        error = float(self.errors[self.rows.index(layer), self.columns.index(transform)])
        return None if math.isnan(error) else error

    def logits_change(self, transform: str) -> float:
        """`output_error` of the logits, whether or not the transform acts on them."""
        upright, moved = self.logits[0], self.logits[1 + self.columns.index(transform)]
        return float(output_error(torch.from_numpy(moved), torch.from_numpy(upright)))


@dataclass(frozen=True)
class Spread:
    """An error over the pictures of a set: arithmetic mean, smallest and largest."""

    mean: float
    smallest: float
    largest: float

    @classmethod
    def of(cls, errors: Sequence[float]) -> "Spread":
        """Of at least one error."""
        return cls(float(np.mean(errors)), min(errors), max(errors))


def variants(
    engine: Engine,
    network: NetworkSpec,
    *,
    size_px: int,
    seed: int = 0,
    dtype: str = "float32",
    weights: Weights | None = None,
    plain_weights: Weights | None = None,
) -> tuple[Variant, ...]:
    """The networks to compare with `network`, itself first; what would be the same network again is left out.

    "size near": the nearest exact size; one pixel more where this size is exact. "plain": the same family without a
    group; beside trained `weights` only with trained ones of its own. "mended": symmetric subsampling. Raises SizeError
    for a size that the network or the settings do not take.
    """
    engine.check_size(height_px=size_px, width_px=size_px)
    found = [Variant("as chosen", network, size_px, weights)]
    structure = engine.structure(network, seed, dtype, weights)
    near_px = _size_near(structure, size_px, engine.settings.max_size_px)
    if near_px is not None:
        found.append(Variant("size near", network, near_px, weights))
    if network.group != "z2":
        if weights is None or plain_weights is not None:
            found.append(Variant("plain", replace(network.as_published, group="z2"), size_px, plain_weights))
        mended = replace(network, subsampling="symmetric", only=())
        found += [Variant("mended", mended, size_px, weights)] if mended != network else []
    return tuple(found)


def _size_near(structure: Structure, size_px: int, largest_px: int) -> int | None:
    prediction = predict(structure, height_px=size_px, width_px=size_px)
    sides = [side for side in prediction.exact_heights_px if side is not None]
    if prediction.verdict == "exact":
        sides = [] if size_px + 1 in sides else [size_px + 1]
    allowed = [side for side in sides if side <= largest_px]
    return min(allowed, key=lambda side: abs(side - size_px), default=None)


def turn_batches(orbit: Orbit) -> Iterator[Batch]:
    """Quarter turns and mirrors first, then the odd multiples of 45°, then the rest."""
    mirrors = [Element(angle_deg, mirrored=True) for angle_deg in (0.0, 90.0, 180.0, 270.0)]
    exact = [Element(angle_deg) for angle_deg in (90.0, 180.0, 270.0)]
    resampled = [element for element in orbit.turns if not element.moves_pixels]
    halves = [element for element in resampled if element.angle_deg % 45 == 0]
    rest = [element for element in resampled if element.angle_deg % 45]
    for stage in ([*exact, *mirrors], halves, rest):
        yield from _stage(orbit, orbit.variants, stage)


def shift_batches(engine: Engine, orbit: Orbit, layer: str, limit_px: int = SHIFT_LIMIT_PX) -> Iterator[Batch]:
    """The shifts up to ±limit_px, coarse first, that can be compared at `layer`; all of them at LOGITS."""
    strides = {variant: _stride(engine, orbit, variant, layer) for variant in orbit.variants}
    coarse_first = sorted(shifts(limit_px), key=_coarseness, reverse=True)
    for coarseness in dict.fromkeys(map(_coarseness, coarse_first)):
        stage = [shift for shift in coarse_first if _coarseness(shift) == coarseness]
        for variant, stride in strides.items():
            compared = [shift for shift in stage if stride and not (shift.down_px % stride or shift.right_px % stride)]
            yield from _stage(orbit, (variant,), [shift for shift in compared if _leaves_something(shift, variant)])


def shifts(limit_px: int = SHIFT_LIMIT_PX) -> list[Shift]:
    """All shifts up to ±limit_px down and right, row by row, without the one that moves nothing."""
    span = range(-limit_px, limit_px + 1)
    return [Shift(down, right) for down in span for right in span if down or right]


def spreads(found: Iterable[tuple[Batch, BatchErrors]], variant: Variant, layer: str) -> dict[str, Spread | None]:
    """The errors at a layer, or at LOGITS, over the pictures measured so far, by transform; None without an action.

    Empty where the network has no such layer.
    """
    by_transform: dict[str, list[float | None]] = {}
    for batch, errors in found:
        if batch.variant == variant and layer in errors.rows:
            for name in errors.columns:
                by_transform.setdefault(name, []).append(errors.error(layer, name))
    return {name: _spread(values) for name, values in by_transform.items()}


def logits_changes(found: Iterable[tuple[Batch, BatchErrors]], variant: Variant) -> dict[str, Spread | None]:
    """How much the logits change, over the pictures measured so far, by transform; see `BatchErrors.logits_change`."""
    by_transform: dict[str, list[float | None]] = {}
    for batch, errors in found:
        if batch.variant == variant:
            for name in errors.columns:
                by_transform.setdefault(name, []).append(errors.logits_change(name))
    return {name: _spread(values) for name, values in by_transform.items()}


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread.of(known) if known else None


def _leaves_something(shift: Shift, variant: Variant) -> bool:
    return max(abs(shift.down_px), abs(shift.right_px)) < variant.size_px


def _coarseness(shift: Shift) -> int:
    """The largest power of two that divides both parts."""
    common = math.gcd(shift.down_px, shift.right_px)
    return common & -common


def _stride(engine: Engine, orbit: Orbit, variant: Variant, layer: str) -> float:
    """Pixels of the picture between samples of a layer; 1 for the logits, 0 where nothing can be compared."""
    if layer == LOGITS:
        return 1.0
    structure = engine.structure(variant.network, orbit.seed, orbit.dtype, variant.weights)
    grid = structure.grids(height_px=variant.size_px, width_px=variant.size_px).get(layer)
    return 0.0 if grid is None or grid[0].side <= 1 else grid[0].stride


def _stage(orbit: Orbit, among: Sequence[Variant], transforms: Sequence[Transform]) -> Iterator[Batch]:
    for picture in orbit.pictures:
        for variant in among:
            together = min(_MOST_PER_BATCH, max(4, _PIXELS_PER_BATCH // variant.size_px**2))
            for start in range(0, len(transforms), together):
                some = tuple(transforms[start : start + together])
                yield Batch(variant, picture, some, orbit.how, orbit.seed, orbit.dtype)


def measure_batch(
    engine: Engine,
    batch: Batch,
    *,
    owner: str | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> BatchErrors:
    """The errors of a batch; `owner`, `progress` and what is raised are those of `Engine.inspect`."""
    pixels = fitted(batch)
    variant = batch.variant
    request = Request(variant.network, batch.seed, pixels, batch.transforms, batch.dtype, weights=variant.weights)
    inspection = engine.inspect(request, owner=owner, own_errors=False, progress=progress)
    measured = inspection.measurement
    columns = tuple(transform.name for transform in batch.transforms)
    by_row = {**{layer.name: layer.error for layer in measured.layers}, LOGITS: measured.output_error}
    return BatchErrors(
        tuple(by_row),
        columns,
        np.array([[_number(errors[name]) for name in columns] for errors in by_row.values()]),
        np.array([measured.logits[name] for name in ("identity", *columns)]),
        inspection.verdict.kind,
    )


def _number(error: float | None) -> float:
    if error is None:
        return math.nan
    return math.inf if math.isnan(error) else error


def fitted(batch: Batch) -> Tensor:
    """The batch's picture at the network's size, (3, H, W); masked to the disc where its transforms resample."""
    side_px = batch.variant.size_px
    pixels = fit(batch.picture, height_px=side_px, width_px=side_px, how=batch.how)
    resampled = any(not transform.moves_pixels for transform in batch.transforms)
    return pixels * disc_mask(side_px, side_px) if resampled else pixels


def resampling_error(picture: Tensor, element: Element) -> float:
    """What resampling alone costs: ‖g⁻¹(g·x) − x‖₂ / ‖x‖₂ inside the disc, x the picture (3, H, W) masked to it.

    Two resamplings of pixels: a yardstick for the errors of features, no bound. Zero where pixels move to pixels.
    """
    mask = disc_mask(*picture.shape[-2:])
    masked = picture.double() * mask
    back = transform_picture(transform_picture(masked, element), element.inverse)
    return float(relative_error(back, masked, mask=mask))
