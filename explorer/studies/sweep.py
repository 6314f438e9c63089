"""Sizes: theory's prediction, and the measured errors, for one network over a range of square pictures."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from equivariance.errors import SizeError
from equivariance.groups.transforms import label_of
from equivariance.largest import largest_of
from equivariance.measurement.measure import Measurement
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.measurement.verdict import unbroken_layers
from equivariance.theory.exactness import Prediction, predict
from equivariance.theory.grids import UNDECIDED
from explorer.pictures.fitting import fit
from explorer.pictures.images import Fit, Picture
from explorer.serving.engine import Engine, Inspection, Request, Served
from explorer.serving.weights import Weights
from models.catalog import NetworkSpec

MAX_SIZES = 512


@dataclass(frozen=True)
class Sweep:
    """What to go through: the sides from `first_px` to `last_px`, measured on `picture` where one is given."""

    network: NetworkSpec
    first_px: int
    last_px: int
    picture: Picture | None = None
    how: Fit = "resize"
    seed: int = 0
    dtype: str = "float32"
    weights: Weights | None = None


@dataclass(frozen=True)
class SizeResult:
    """One size. Errors are the largest over the elements; `error` also over all layers and the logits.

    `predicted` and `broken_layers` are theory's; `undecided` says that theory cannot tell. `error` is None and
    `layer_errors` empty where nothing was measured.
    disagreements: errors above rounding where theory expects none, by transform, or by layer before the first break.
    unseen: transforms that theory calls broken, and that this picture does not show to be.
    """

    size_px: int
    predicted: bool
    broken_layers: tuple[str, ...] = ()
    error: float | None = None
    layer_errors: dict[str, float | None] = field(default_factory=dict)
    undecided: bool = False
    disagreements: dict[str, float] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()

    @property
    def first_broken_layer(self) -> str | None:
        """The first layer that breaks by itself, if any."""
        return next(iter(self.broken_layers), None)


def sweep_sizes(
    engine: Engine,
    sweep: Sweep,
    *,
    owner: str | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Iterator[SizeResult]:
    """One result after the other, for each side that the network can take.

    `owner` and `progress` as of `Engine.inspect`, for the size at work. Raises SizeError as `sides_of`, at once.
    """
    sides_px = sides_of(engine, sweep)
    return (size_result(engine, sweep, side_px, owner=owner, progress=progress) for side_px in sides_px)


def sides_of(engine: Engine, sweep: Sweep) -> range:
    """The sides in the range that the network can take.

    Raises SizeError for a range that is empty, too long, above what this installation measures, or below what the
    network takes.
    """
    first_px, last_px = sweep.first_px, sweep.last_px
    if not 1 <= first_px <= last_px or last_px - first_px >= MAX_SIZES:
        raise SizeError(
            f"The range {first_px} to {last_px} px is empty or too long: give a first size, then a last one at "
            f"least as large, at most {MAX_SIZES} sizes."
        )
    if sweep.picture is not None:
        engine.check_size(height_px=last_px, width_px=last_px)
    smallest_px = _served(engine, sweep).structure.smallest_px
    if last_px < smallest_px:
        raise SizeError(f"The network cannot take {last_px} px: give a range that reaches at least {smallest_px} px.")
    return range(max(first_px, smallest_px), last_px + 1)


def check_work(first_px: int, last_px: int, *, max_pixels: int) -> None:
    """Raise SizeError for a range of several sizes whose pictures have more than `max_pixels` pixels in all."""
    pixels = itertools.accumulate(side_px**2 for side_px in range(first_px, last_px + 1))
    within = max(sum(count <= max_pixels for count in pixels), 1)
    if within <= last_px - first_px:
        raise SizeError(
            f"The range {first_px} to {last_px} px is too much to measure: at most {max_pixels:,} pixels in all, so "
            f"end at {first_px + within - 1} px or below."
        )


def size_result(
    engine: Engine,
    sweep: Sweep,
    side_px: int,
    *,
    owner: str | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> SizeResult:
    """The result for one side; `owner`, `progress` and errors as of `Engine.inspect`."""
    if sweep.picture is None:
        return _theory(predict(_served(engine, sweep).structure, height_px=side_px, width_px=side_px))
    picture = fit(sweep.picture, height_px=side_px, width_px=side_px, how=sweep.how)
    request = Request(sweep.network, sweep.seed, picture, dtype=sweep.dtype, weights=sweep.weights)
    return _measured(engine.inspect(request, owner=owner, own_errors=False, progress=progress))


def _served(engine: Engine, sweep: Sweep) -> Served:
    return engine.served(sweep.network, sweep.seed, sweep.dtype, sweep.weights)


def _theory(prediction: Prediction) -> SizeResult:
    return SizeResult(
        prediction.height_px,
        prediction.verdict == "exact",
        tuple(layer.name for layer in prediction.broken_layers),
        undecided=prediction.verdict == UNDECIDED,
    )


def _measured(inspection: Inspection) -> SizeResult:
    prediction, measured = inspection.prediction, inspection.measurement
    elements = list(prediction.elements)
    by_layer = _by_layer(measured, elements)
    theory = _theory(prediction)
    return SizeResult(
        theory.size_px,
        theory.predicted,
        theory.broken_layers,
        largest_of([*by_layer.values(), *(measured.output_error[name] for name in elements)]),
        by_layer,
        theory.undecided,
        _disagreements(inspection),
        tuple(label_of(name) for name in inspection.verdict.unseen),
    )


def _by_layer(measured: Measurement, elements: list[str]) -> dict[str, float | None]:
    return {layer.name: largest_of(layer.error[name] for name in elements) for layer in measured.layers}


def _disagreements(inspection: Inspection) -> dict[str, float]:
    """What theory calls exact and the measurement does not: transforms, and layers that nothing can have broken yet."""
    measured = inspection.again or inspection.measurement
    by_layer = _by_layer(measured, list(inspection.prediction.elements))
    unbroken = unbroken_layers(inspection.prediction)
    by_element = {label_of(name): measured.largest_error(name) for name in inspection.verdict.disagreements}
    found = {**by_element, **{name: error for name, error in by_layer.items() if name in unbroken}}
    level = ROUNDING_LEVEL[measured.dtype]
    return {name: error for name, error in found.items() if error is not None and not error <= level}
