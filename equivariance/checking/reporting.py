"""A decision as a report."""

from collections.abc import Callable
from typing import Any

from equivariance.checking.decision import Decision
from equivariance.checking.random_states import untouched
from equivariance.checking.words import reason_of, remedy_of, sentence_of
from equivariance.measurement.any_network import Seen
from equivariance.report import Pair, Report
from equivariance.theory.grids import UNDECIDED
from equivariance.theory.proof import NotFollowed, Part, Proof
from equivariance.versions import versions


def report_of(decision: Decision, seconds: float) -> Report:
    """The report of a decision that took `seconds`."""
    subject, proof, seen, broken = decision.subject, decision.proof, decision.seen, decision.broken
    elements = decision.elements or dict.fromkeys(decision.measured_elements, UNDECIDED)
    return Report(
        verdict=decision.verdict,
        evidence=decision.evidence,
        sentence=sentence_of(decision),
        reason=reason_of(decision),
        remedy=remedy_of(decision),
        group=subject.group.name.upper(),
        elements=elements,
        output_error={} if seen is None else {name: seen.largest(name) for name in elements},
        outputs=_outputs(proof, seen),
        first_broken_layer=broken[0].name if broken else None,
        broken_layers=tuple(part.name for part in broken),
        together=proof.together,
        find_sizes=_finder_of_sizes(decision),
        layers=tuple(_layer(part, proof, seen) for part in proof.parts),
        not_followed=tuple(map(_entry, proof.not_followed)),
        notes=decision.notes,
        input=decision.source,
        height_px=proof.height_px,
        width_px=proof.width_px,
        dtype=subject.dtype,
        device="cpu",
        seconds=seconds,
        versions=versions(),
    )


def _finder_of_sizes(decision: Decision) -> Callable[[], dict[str, Pair]]:
    """What finds the nearest exact sides; it is asked when they are."""
    nothing: dict[str, Pair] = {"height": (None, None), "width": (None, None)}
    proof, subject = decision.proof, decision.subject
    if proof.by_weights or not subject.elements or decision.doubts or decision.verdict == "undecided":
        return lambda: nothing
    program, height_px, width_px = subject.program, proof.height_px, proof.width_px

    def find() -> dict[str, Pair]:
        heights = program.exact_sides(height_px, width_px, 0)
        widths = heights if height_px == width_px else program.exact_sides(height_px, width_px, 1)
        return {"height": heights, "width": widths}

    return lambda: untouched(find)


def _outputs(proof: Proof, seen: Seen | None) -> dict[str, dict[str, Any]]:
    found = {}
    for path, statuses in proof.outputs.items():
        errors = {} if seen is None else seen.outputs.get(path, {})
        kind = "" if seen is None else seen.kinds.get(path, "")
        found[path] = {"theory": statuses, "error": errors, "compared as": kind}
    return found


def _layer(part: Part, proof: Proof, seen: Seen | None) -> dict[str, Any]:
    sampling = part.sampling
    return {
        "name": part.name,
        "kind": part.kind,
        "in_hw": part.in_hw,
        "out_hw": part.out_hw,
        "kernel": _each(sampling, lambda axis: axis.window.kernel),
        "stride": _each(sampling, lambda axis: axis.window.stride),
        "padding": _each(sampling, lambda axis: axis.window.pad),
        "remainder": _each(sampling, lambda axis: axis.remainder),
        "displacement_px": _each(sampling, lambda axis: axis.displacement_px),
        "elements": part.elements,
        "weight_error": part.weight_error,
        "error": {} if seen is None else seen.layers.get(part.name, {}),
        "fields": None if part.fields is None else part.fields.title,
        "fields_from": part.fields_from,
        "not_followed": [_entry(each) for each in proof.not_followed if each.layer == part.name],
        "place": None if part.place is None else str(part.place),
    }


def _each(sampling: Any, of: Any) -> Any:
    return None if sampling is None else [of(axis) for axis in sampling]


def _entry(each: NotFollowed) -> dict[str, Any]:
    place = each.place
    return {
        "operation": each.operation,
        "layer": each.layer,
        "file": None if place is None else place.file,
        "line": None if place is None else place.line,
        "why": each.why,
    }
