"""Sizes: theory's prediction, and the measured errors, for one network over a range of square pictures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from explorer.engine import Engine, Request
from explorer.errors import SizeError
from explorer.exactness import predict
from explorer.fitting import fit
from explorer.images import Fit, Picture
from explorer.weights import Weights
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

    `broken_layers` are theory's. `error` is None and `layer_errors` empty where nothing was measured.
    """

    size_px: int
    predicted: bool
    broken_layers: tuple[str, ...] = ()
    error: float | None = None
    layer_errors: dict[str, float | None] = field(default_factory=dict)

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

    `owner` and `progress` as of `Engine.inspect`, for the size at work. Raises SizeError at once for a range that is
    empty, too long, above what this installation measures, or below what the network takes.
    """
    first_px, last_px = sweep.first_px, sweep.last_px
    if not 1 <= first_px <= last_px or last_px - first_px >= MAX_SIZES:
        raise SizeError(
            f"The range {first_px} to {last_px} px is empty or too long: give a first size, then a last one at "
            f"least as large, at most {MAX_SIZES} sizes."
        )
    if sweep.picture is not None:
        engine.check_size(height_px=last_px, width_px=last_px)
    smallest_px = engine.served(sweep.network, sweep.seed, sweep.dtype, sweep.weights).structure.smallest_px
    if last_px < smallest_px:
        raise SizeError(f"The network cannot take {last_px} px: give a range that reaches {smallest_px} px at least.")
    sides = range(max(first_px, smallest_px), last_px + 1)
    return (_result(engine, sweep, side_px, owner, progress) for side_px in sides)


def _result(
    engine: Engine, sweep: Sweep, side_px: int, owner: str | None, progress: Callable[[float], None]
) -> SizeResult:
    structure = engine.served(sweep.network, sweep.seed, sweep.dtype, sweep.weights).structure
    prediction = predict(structure, height_px=side_px, width_px=side_px)
    predicted = prediction.verdict == "exact"
    broken = tuple(layer.name for layer in prediction.broken_layers)
    if sweep.picture is None:
        return SizeResult(side_px, predicted, broken)
    picture = fit(sweep.picture, height_px=side_px, width_px=side_px, how=sweep.how)
    request = Request(sweep.network, sweep.seed, picture, dtype=sweep.dtype, weights=sweep.weights)
    measured = engine.inspect(request, owner=owner, own_errors=False, progress=progress).measurement
    by_layer = {layer.name: _largest([layer.error[name] for name in prediction.elements]) for layer in measured.layers}
    error = _largest([*by_layer.values(), *(measured.output_error[name] for name in prediction.elements)])
    return SizeResult(side_px, predicted, broken, error, by_layer)


def _largest(errors: list[float | None]) -> float | None:
    return max((error for error in errors if error is not None), default=None)
