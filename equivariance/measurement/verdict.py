"""The verdict: theory's word, confirmed or contradicted by measurement, in sentences that say numbers."""

import math
from dataclasses import dataclass

from equivariance.groups.transforms import label_of
from equivariance.largest import largest_of
from equivariance.measurement.measure import Measurement
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.theory.exactness import LayerTheory, Prediction
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED, AxisSampling


@dataclass(frozen=True)
class Verdict:
    """`kind`: "exact", "approximate" or "not equivariant". `elements`: "exact", "broken" or "no action" by name.

    `disagreements` are elements that theory calls exact and the measurement does not: a bug or a discovery. `unseen`
    are broken elements that this picture does not show.
    """

    kind: str
    headline: str
    reason: str
    elements: dict[str, str]
    disagreements: tuple[str, ...]
    unseen: tuple[str, ...]


def judge(prediction: Prediction, measurement: Measurement) -> Verdict:
    """Theory decides; measurement settles what theory leaves undecided, and is compared with the rest."""
    level = ROUNDING_LEVEL[measurement.dtype]
    compared = {name: compared_errors(measurement, name, prediction) for name in prediction.elements}
    measured = {name: all(error <= level for error in errors) if errors else None for name, errors in compared.items()}
    elements = {
        name: (EXACT if measured[name] is not False else BROKEN) if status == UNDECIDED else status
        for name, status in prediction.elements.items()
    }
    kind = _kind(prediction, elements)
    disagreements = tuple(
        name for name, status in prediction.elements.items() if status == EXACT and measured[name] is False
    )
    unseen = tuple(name for name, status in prediction.elements.items() if status == BROKEN and measured[name])
    largest = largest_of(error for errors in compared.values() for error in errors) or 0.0
    return Verdict(
        kind,
        headline(kind, prediction),
        reason(kind, prediction, elements, largest_error=largest, dtype=measurement.dtype),
        elements,
        disagreements,
        unseen,
    )


def headline(kind: str, prediction: Prediction) -> str:
    """One sentence: how equivariant, to what, at which size."""
    what = "quarter turns" if "rot90" in prediction.elements else "half turns"
    if any(name.startswith("mirror") for name in prediction.elements):
        what += " and mirrors"
    word = {"exact": "Exactly equivariant", "approximate": "Approximately equivariant"}.get(kind, "Not equivariant")
    return f"{word} to {what} at {size_text(prediction.height_px, prediction.width_px)}"


def reason(kind: str, prediction: Prediction, elements: dict[str, str], *, largest_error: float, dtype: str) -> str:
    """Why, in numbers: the first layer that breaks and how, or what was checked."""
    layer = prediction.first_broken_layer
    if kind == "not equivariant" and layer is not None:
        if math.isnan(layer.weight_error):
            return f"First broken at {layer.name}: its weights hold NaN or infinity, which no size mends."
        return (
            f"First broken at {layer.name}: its weights differ from their own transform by up to "
            f"{layer.weight_error:.0%}, so no size makes it equivariant."
        )
    logits = "" if prediction.invariant_logits else " The logits are not invariant: the group is not pooled."
    if kind == "exact":
        if not largest_error <= ROUNDING_LEVEL[dtype]:  # NaN is not rounding either
            found = f"the measurement finds errors up to {largest_error:.1e}, more than rounding of {dtype}"
            return f"Theory finds every sampling grid centred, yet {found}.{logits}"
        theory = "Theory cannot decide" if prediction.verdict == UNDECIDED else "Every sampling grid is centred"
        return f"{theory}; the largest error, {largest_error:.1e}, is the rounding of {dtype}.{logits}"
    survivors = [name for name, status in elements.items() if status == EXACT]
    still = f" Still exact: {', '.join(map(label_of, survivors))}." if survivors else ""
    if layer is None:
        return f"Theory cannot decide; the measurement finds errors up to {largest_error:.1e}.{still}"
    count = len(prediction.broken_layers)
    others = "" if count == 1 else f" {count} layers break." if count > 2 else " 2 layers break."
    return f"First broken at {layer.name} ({sides_text(layer)}): {grid_text(layer)}.{others}{still}{logits}"


def sides_text(layer: LayerTheory) -> str:
    """`32 → 16 px`, or both sides where they differ."""
    (height, width), (out_height, out_width) = layer.in_hw, layer.out_hw
    if height == width and out_height == out_width:
        return f"{height} → {out_height} px"
    return f"{height}×{width} → {out_height}×{out_width} px"


def size_text(height_px: int, width_px: int) -> str:
    """`32 px`, or `30×33 px` (height × width)."""
    return f"{height_px} px" if height_px == width_px else f"{height_px}×{width_px} px"


def grid_text(layer: LayerTheory) -> str:
    """Kernel, stride, padding, remainder and displacement in words."""
    if layer.kernel is None or layer.stride is None or layer.padding is None or layer.displacement_px is None:
        return "its output is displaced"
    if layer.remainder is None:
        return "its output is displaced"
    padding = f", padding {_pair(layer.padding)}" if any(layer.padding) else ""
    displacement = _pair(tuple(_halves(abs(value)) for value in layer.displacement_px))
    return (
        f"kernel {_pair(layer.kernel)}, stride {_pair(layer.stride)}{padding}, remainder {_pair(layer.remainder)}: "
        f"the grid is {displacement} px off centre"
    )


def grid_text_of(sampling: tuple[AxisSampling, AxisSampling]) -> str:
    """The same of a window's numbers along height and width; what is alike on both axes is said once."""
    height, width = sampling
    windows = (height.window, width.window)
    padding = tuple(window.pad for window in windows)
    displacements = tuple(_halves(abs(axis.displacement_px)) for axis in sampling)
    if height.displacement_px == width.displacement_px == 0:
        kernel, stride = (tuple(getattr(window, name) for window in windows) for name in ("kernel", "stride"))
        if kernel[0] != kernel[1] or stride[0] != stride[1] or padding[0] != padding[1]:
            return f"kernel {_pair(kernel)}, stride {_pair(stride)}: height and width are not treated alike"
    return (
        f"kernel {_pair(tuple(window.kernel for window in windows))}, "
        f"stride {_pair(tuple(window.stride for window in windows))}"
        f"{f', padding {_pair(padding)}' if any(padding) else ''}, "
        f"remainder {_pair((height.remainder, width.remainder))}: the grid is {_pair(displacements)} px off centre"
    )


def _halves(value: float) -> str:
    """0, ½, 1, 1½, …"""
    whole, half = divmod(round(2 * value), 2)
    return f"{whole or '' if half else whole}{'½' if half else ''}"


def _pair(values: tuple[object, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else f"{values[0]} (height) and {values[1]} (width)"


def compared_errors(measurement: Measurement, name: str, prediction: Prediction) -> list[float]:
    """All errors under an element; none where nothing could be compared.

    Layers whose one-sided padding merges with the next layer's are left out: on their own they look displaced.
    """
    merging = {layer.name for layer in prediction.layers if layer.elements.get(name) == UNDECIDED}
    errors = [layer.error[name] for layer in measurement.layers if layer.name not in merging]
    return [error for error in (*errors, measurement.output_error[name]) if error is not None]


def _kind(prediction: Prediction, elements: dict[str, str]) -> str:
    if prediction.verdict == "not equivariant":
        return "not equivariant"
    return "approximate" if BROKEN in elements.values() else "exact"
