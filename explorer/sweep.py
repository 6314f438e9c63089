"""Sizes: theory's prediction, and the measured error, for one network over a range of square pictures."""

from collections.abc import Iterator
from dataclasses import dataclass

from explorer.engine import Engine, Request
from explorer.errors import SizeError
from explorer.exactness import predict
from explorer.fitting import fit
from explorer.images import Fit, Picture
from explorer.weights import Weights
from models.catalog import NetworkSpec

MAX_SIZES = 512


@dataclass(frozen=True)
class SizeResult:
    """One size. `error`: the largest over elements, layers and logits; None where it was not measured."""

    size_px: int
    predicted: bool
    first_broken_layer: str | None
    error: float | None


def sweep_sizes(
    engine: Engine,
    network: NetworkSpec,
    first_px: int,
    last_px: int,
    *,
    seed: int,
    dtype: str,
    weights: Weights | None = None,
    picture: Picture | None,
    how: Fit = "resize",
) -> list[SizeResult]:
    """One result for each side from `first_px` to `last_px`, measured on `picture` where one is given.

    Raises SizeError for an empty or overlong range, or a side that the network cannot take.
    """
    if not 1 <= first_px <= last_px or last_px - first_px >= MAX_SIZES:
        raise SizeError(
            f"The range {first_px} to {last_px} px is empty or too long: give a first size, then a last one at "
            f"least as large, at most {MAX_SIZES} sizes."
        )
    if picture is not None:
        engine.check_size(height_px=last_px, width_px=last_px)
    return list(_sweep(engine, network, range(first_px, last_px + 1), seed, dtype, weights, picture, how))


def _sweep(
    engine: Engine,
    network: NetworkSpec,
    sizes: range,
    seed: int,
    dtype: str,
    weights: Weights | None,
    picture: Picture | None,
    how: Fit,
) -> Iterator[SizeResult]:
    structure = engine.served(network, seed, dtype, weights).structure
    for size_px in sizes:
        prediction, error = predict(structure, height_px=size_px, width_px=size_px), None
        if picture is not None:
            fitted = fit(picture, height_px=size_px, width_px=size_px, how=how)
            request = Request(network, seed, fitted, dtype=dtype, weights=weights)
            measurement = engine.inspect(request, own_errors=False).measurement
            error = max(measurement.largest_error(name) or 0.0 for name in prediction.elements)
        first = prediction.first_broken_layer
        yield SizeResult(size_px, prediction.verdict == "exact", None if first is None else first.name, error)
