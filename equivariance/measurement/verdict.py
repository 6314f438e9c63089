"""The verdict: theory's word, confirmed or contradicted by measurement, in sentences that say numbers."""

import itertools
import math
from dataclasses import dataclass

from equivariance.groups.transforms import label_of
from equivariance.largest import largest_of
from equivariance.measurement.measure import Measurement
from equivariance.measurement.remarks import remarks
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.theory.exactness import LayerTheory, Prediction
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED, AxisSampling

_UNLIKE = "height and width are not treated alike"
_TURNS = {"rot90": "quarter turns", "rot180": "half turns"}  # the first that is there names them


@dataclass(frozen=True)
class Verdict:
    """`kind`: "exact", "approximate", "not equivariant" or "undecided".

    `elements`: "exact", "broken", "undecided" or "no action" by name.

    `disagreements` are elements that theory calls exact and the measurement does not: a bug or a discovery. `unseen`
    are broken elements that this picture does not show. `remarks`: sentences on what the measurement can say at all.
    A verdict is "undecided" where theory leaves an element open and nothing that was measured can settle it.
    """

    kind: str
    headline: str
    reason: str
    elements: dict[str, str]
    disagreements: tuple[str, ...]
    unseen: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def judge(prediction: Prediction, measurement: Measurement, again: Measurement | None = None) -> Verdict:
    """Theory decides; measurement settles what theory leaves undecided, and is compared with the rest.

    again: the same measured in a finer precision, which then has the word. See `calls_for_more`.
    """
    first, measurement = measurement, again or measurement
    level = ROUNDING_LEVEL[measurement.dtype]
    compared = {name: compared_errors(measurement, name, prediction) for name in prediction.elements}
    measured = {name: all(error <= level for error in errors) if errors else None for name, errors in compared.items()}
    elements = {
        name: _settled(measured[name], measurement.output_error[name])
        if status == UNDECIDED or (status == EXACT and measured[name] is None)  # no layer says how it transforms
        else status
        for name, status in prediction.elements.items()
    }
    kind = _kind(prediction, elements)
    disagreements = tuple(
        name for name, status in prediction.elements.items() if status == EXACT and measured[name] is False
    )
    unseen = tuple(name for name, status in prediction.elements.items() if status == BROKEN and measured[name])
    return Verdict(
        kind,
        headline(kind, prediction),
        reason(kind, prediction, elements, largest=largest_compared(measurement, prediction), dtype=measurement.dtype),
        elements,
        disagreements,
        unseen,
        (*_precision_remarks(first, again), *remarks(measurement, elements, unseen)),
    )


def calls_for_more(prediction: Prediction, measurement: Measurement, verdict: Verdict) -> bool:
    """Whether a finer precision should be asked before measurement alone calls an element or a layer broken.

    Rounding adds up over layers and pixels: a deep network at a large size may pass the level of float32.
    """
    by_measurement = [name for name, status in prediction.elements.items() if status == UNDECIDED]
    if verdict.disagreements or any(verdict.elements[name] == BROKEN for name in by_measurement):
        return True
    level, unbroken = ROUNDING_LEVEL[measurement.dtype], unbroken_layers(prediction)
    errors = [
        layer.error[name] for layer in measurement.layers if layer.name in unbroken for name in prediction.elements
    ]
    return any(error is not None and not error <= level for error in errors)


def unbroken_layers(prediction: Prediction) -> set[str]:
    """The layers whose output nothing can have broken yet, by theory."""
    sound = itertools.takewhile(lambda layer: not {BROKEN, UNDECIDED} & {*layer.elements.values()}, prediction.layers)
    return {layer.name for layer in sound}


def _settled(is_rounding: bool | None, output_error: float | None) -> str:
    """What measurement makes of an element that theory leaves open: exact only where the output was compared."""
    if is_rounding is False:
        return BROKEN
    return UNDECIDED if output_error is None else EXACT


def _precision_remarks(first: Measurement, again: Measurement | None) -> tuple[str, ...]:
    if again is None:
        return ()
    largest = _largest(first)
    return (
        f"Errors up to {largest:.1e} in {first.dtype} are above its usual rounding, so that all was measured again in "
        f"{again.dtype}: there they are up to {_largest(again):.1e}.",
    )


def _largest(measurement: Measurement) -> float:
    return largest_of(map(measurement.largest_error, measurement.output_error)) or 0.0


def headline(kind: str, prediction: Prediction) -> str:
    """One sentence: how equivariant, to what, at which size."""
    if not prediction.elements:
        return f"Undecided: no element of {_group(prediction)} moves pixels to pixels"
    turns = next((words for name, words in _TURNS.items() if name in prediction.elements), "")
    mirrors = [name for name in prediction.elements if name.startswith("mirror")]
    mirrored = "" if not mirrors else "mirrors" if len(mirrors) > 1 else "the mirror"
    what = " and ".join(filter(None, (turns, mirrored)))
    if kind == "undecided":
        return f"Undecided under {what} at {size_text(prediction.height_px, prediction.width_px)}"
    word = {"exact": "Exactly equivariant", "approximate": "Approximately equivariant"}.get(kind, "Not equivariant")
    return f"{word} to {what} at {size_text(prediction.height_px, prediction.width_px)}"


def reason(kind: str, prediction: Prediction, elements: dict[str, str], *, largest: "Largest", dtype: str) -> str:
    """Why, in numbers: the first layer that breaks and how, or what was checked."""
    if not prediction.elements:
        return (
            f"Every turn and mirror of {_group(prediction)} but the identity falls between pixels, so that nothing "
            "can be compared without resampling."
        )
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
        if not largest.error <= ROUNDING_LEVEL[dtype]:  # NaN is not rounding either
            found = f"the measurement finds errors up to {largest}, more than rounding of {dtype}"
            return f"Theory finds every sampling grid centred, yet {found}.{logits}"
        theory = "Theory cannot decide" if prediction.verdict == UNDECIDED else "Every sampling grid is centred"
        return f"{theory}; the largest error, {largest.error:.1e}, is the rounding of {dtype}.{logits}"
    if kind == "undecided":
        open_parts = (
            "Theory cannot decide" if prediction.verdict == UNDECIDED else "No layer says how its channels transform"
        )
        return f"{open_parts}, and no element is known to act on the output, so that it cannot be compared.{logits}"
    survivors = [name for name, status in elements.items() if status == EXACT]
    still = f" Still exact: {', '.join(map(label_of, survivors))}." if survivors else ""
    if layer is None and prediction.verdict == UNDECIDED:
        return f"Theory cannot decide; the measurement finds errors up to {largest}.{still}"
    if layer is None:
        return f"{_broken_between_layers(prediction)} The measurement finds errors up to {largest}.{still}"
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
    window = f"kernel {_pair(layer.kernel)}, stride {_pair(layer.stride)}{padding}"
    unlike = any(height != width for height, width in (layer.kernel, layer.stride, layer.padding))
    if not any(layer.displacement_px):
        return f"{window}: {_UNLIKE}" if unlike else f"{window}, and another of its operations displaces the grid"
    displacement = _pair(tuple(_halves(abs(value)) for value in layer.displacement_px))
    also = f", and {_UNLIKE}" if unlike else ""
    return f"{window}, remainder {_pair(layer.remainder)}: the grid is {displacement} px off centre{also}"


def _broken_between_layers(prediction: Prediction) -> str:
    """Why theory calls an element broken that no single layer breaks."""
    broken = [name for name, status in prediction.elements.items() if status == BROKEN]
    under = f"under {', '.join(map(label_of, broken))}"
    waiting = (layer for layer in prediction.layers if UNDECIDED in (layer.elements.get(name) for name in broken))
    layer = next(waiting, None)
    if layer is None:
        return f"Broken {under} by a step between the layers."
    return (
        f"Broken {under} from {layer.name} on ({sides_text(layer)}): its padding differs from side to side, and no "
        "later layer makes up for it."
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
            return f"kernel {_pair(kernel)}, stride {_pair(stride)}: {_UNLIKE}"
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


@dataclass(frozen=True)
class Largest:
    """The largest inherited error that was compared, and where: "3.1e-01 (at fc under ⟲ 90°, inherited)"."""

    error: float = 0.0
    place: str = ""
    element: str = ""

    def __str__(self) -> str:
        where = f" (at {self.place} under {label_of(self.element)}, inherited)" if self.element else ""
        return f"{self.error:.1e}{where}"


def largest_compared(measurement: Measurement, prediction: Prediction) -> Largest:
    """The largest of `compared_errors` under all elements, NaN if one is; 0 where nothing could be compared."""
    found = (
        Largest(error, place, name)
        for name in prediction.elements
        for place, error in _compared(measurement, name, prediction)
    )
    return max(found, key=lambda each: (math.isnan(each.error), each.error), default=Largest())


def compared_errors(measurement: Measurement, name: str, prediction: Prediction) -> list[float]:
    """All errors under an element; none where nothing could be compared."""
    return [error for _, error in _compared(measurement, name, prediction)]


def _compared(measurement: Measurement, name: str, prediction: Prediction) -> list[tuple[str, float]]:
    """(layer or "the logits", error) under an element.

    Layers whose one-sided padding merges with the next layer's are left out: on their own they look displaced.
    """
    merging = {layer.name for layer in prediction.layers if layer.elements.get(name) == UNDECIDED}
    errors = [(layer.name, layer.error[name]) for layer in measurement.layers if layer.name not in merging]
    everything = [*errors, ("the logits", measurement.output_error[name])]
    return [(place, error) for place, error in everything if error is not None]


def _kind(prediction: Prediction, elements: dict[str, str]) -> str:
    if prediction.verdict == "not equivariant":
        return "not equivariant"
    if BROKEN in elements.values():
        return "approximate"
    return "undecided" if UNDECIDED in elements.values() or not elements else "exact"


def _group(prediction: Prediction) -> str:
    return prediction.group.upper() or "the group"
