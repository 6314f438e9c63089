"""A decision in words."""

import math

from equivariance.checking.decision import Decision
from equivariance.groups.transforms import label_of
from equivariance.largest import largest_of
from equivariance.measurement.verdict import grid_text_of, size_text
from equivariance.theory.grids import EXACT
from equivariance.theory.proof import Part
from equivariance.theory.reasons import ALONG_ONE_SIDE, LISTED

_COURSES = {ALONG_ONE_SIDE: "Or work along both sides of the maps, or along neither."}


def sentence_of(decision: Decision) -> str:
    """The verdict, in one sentence."""
    proof = decision.proof
    size = size_text(proof.height_px, proof.width_px)
    if not decision.subject.elements:
        group = decision.subject.group.name.upper()
        base = f"Undecided at {size}: {group} has no quarter turn, half turn or mirror that moves pixels to pixels"
        found = decision.resampled
        return f"{base}." if found is None else f"{base}; with resampled turns, errors are up to {found:.1e}."
    what = _what(decision)
    word = {
        "exact": f"Exactly equivariant to {what} at {size}",
        "approximate": f"Approximately equivariant to {what} at {size}",
        "not equivariant": f"Not equivariant to {what} at {size}",
        "undecided": f"Undecided whether equivariant to {what} at {size}",
    }[decision.verdict]
    if decision.verdict == "exact" and decision.evidence == "measurement alone":
        named = " and ".join(str(each) for each in proof.not_followed[:2])
        more = f": {named} could not be followed" if named else ""
        return f"{word}, as measured on {decision.source} and not proven{more}."
    return f"{word}."


def _what(decision: Decision) -> str:
    names = set(decision.elements)
    turns = "quarter turns" if "rot90" in names else "half turns" if "rot180" in names else ""
    mirrors = "mirrors" if any(name.startswith("mirror") for name in names) else ""
    return " and ".join(filter(None, [turns, mirrors]))


def reason_of(decision: Decision) -> str:
    """Why the verdict is as it is."""
    proof, found, broken = decision.proof, decision.found, decision.broken
    if not decision.subject.elements:
        return "Resampling changes a picture by itself, so neither theory nor an error near it can decide."
    if decision.doubts:
        return f"Theory and measurement disagree: {decision.doubts[0]}. Neither is believed."
    if decision.seen is not None and decision.seen.insensitive and decision.verdict != "exact":
        return "The output is the same for every picture that was tried, so it shows nothing."
    if found is not None and math.isnan(found):
        return "The output holds NaN, so nothing can be compared."
    survivors = [label_of(name) for name, status in decision.elements.items() if status == EXACT]
    still = f" Still exact: {', '.join(survivors)}." if survivors and decision.verdict != "exact" else ""
    if decision.verdict == "exact":
        return _why_exact(decision)
    if broken:
        first, count = broken[0], len(broken)
        others = "" if count == 1 else f" {count} layers break."
        return f"First broken at {first.name}{_where(first)}: {_why(first)}.{others}{still}"
    if proof.unpooled:
        return f"{proof.unpooled}{still}"
    if proof.not_followed:
        first_one = proof.not_followed[0]
        errors = "" if found is None else f" The measurement finds errors up to {found:.1e}."
        return f"Theory could not follow {first_one}: {first_one.why}.{errors}{still}"
    errors = "nothing could be compared" if found is None else f"errors are up to {found:.1e}"
    return f"Theory finds no layer that breaks and no proof either; {errors}.{still}"


def _why_exact(decision: Decision) -> str:
    proof = decision.proof
    if decision.seen is None:
        base = f"{'The network as a whole' if proof.together else 'Every operation'} commutes with every element"
    else:
        largest = largest_of(map(decision.largest, decision.elements)) or 0.0
        whole = "The network as a whole commutes" if proof.together else "Every operation commutes"
        proven = whole if decision.evidence == "theory and measurement" else "Measured, not proven"
        base = f"{proven}; the largest error, {largest:.1e}, is the rounding of {decision.precision}"
    pair = proof.together
    if len(pair) == 1:
        return f"{base}; {pair[0]} alone does not, and what comes after it makes up for that."
    return f"{base}; {' and '.join(pair[:2])} do not alone, and undo each other." if pair else f"{base}."


def remedy_of(decision: Decision) -> str:
    """What to do, but for the nearest exact sizes."""
    proof, broken = decision.proof, decision.broken
    if decision.verdict == "undecided" and proof.not_followed and not decision.doubts:
        return "Teach theory the operation with equivariance.theory.handle, or use operations that it knows."
    causes = [part.cause for part in broken]
    if "weights" in causes:
        return ""
    if "flattened" in causes:
        return "Take the mean over all places before it, or a convolution in its place."
    if "places" in causes:
        return "Make these numbers symmetric about the centre, or leave them out."
    if broken:
        windows = broken[0].sampling is not None and broken[0].cause == "grid"
        if windows and any(axis.window.stride > 1 for axis in broken[0].sampling or ()):
            return "Or switch on symmetric subsampling."
        return _COURSES.get(broken[0].why, "Or cut, pad and move both ends of both sides alike.")
    if proof.unpooled and decision.verdict == "not equivariant":
        return _pooling(proof.unpooled)
    return ""


def _where(part: Part) -> str:
    """In brackets: its sides in and out, and the line of an operation outside all layers."""
    (height, width), (out_height, out_width) = part.in_hw, part.out_hw
    sides = f"{size_text(height, width).removesuffix(' px')} → {size_text(out_height, out_width)}"
    words = [
        f"in {part.block}" if part.block else "",
        "" if (height, width, out_height, out_width) == (1, 1, 1, 1) else sides,
        str(part.place) if part.place and not part.module_name else "",
    ]
    there = "; ".join(filter(None, words))
    return f" ({there})" if there else ""


def _why(part: Part) -> str:
    """What of a part does not commute, in words that follow a colon."""
    if part.kind == "Retyped":
        return "it restricts its fields to a smaller group"
    if math.isnan(part.weight_error):
        return "its weights hold NaN or infinity, which no size mends"
    if part.cause == "weights":
        difference = f"its weights differ from their own transform by up to {part.weight_error:.0%}"
        return f"{difference}, so no size makes it equivariant"
    if part.weight_error:
        return f"{part.why}, and these differ from their own transform by up to {part.weight_error:.0%}"
    if part.sampling is not None and not part.why:
        return grid_text_of(part.sampling)
    return part.why or "it treats height and width, or their ends, differently"


def _pooling(unpooled: str) -> str:
    if unpooled == LISTED:
        return "Give it as maps (B, C, H, W), or take the mean over all places."
    if "pooled" in unpooled:
        return 'Pool the group before the output, by its maximum or mean, or say output="regular" if that is meant.'
    return "Say with output= what the output is meant to be."
