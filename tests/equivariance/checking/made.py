"""Proofs, measurements and decisions, made by hand."""

from types import SimpleNamespace
from typing import Any

from equivariance.checking.decision import Decision
from equivariance.groups.point_groups import C4, PointGroup
from equivariance.measurement.any_network import How, Seen
from equivariance.theory.grids import EXACT
from equivariance.theory.proof import Part, Proof

TURNS = ("rot90", "rot180", "rot270")


def proof_of(status: str | dict[str, str] = EXACT, *parts: Part, **more: Any) -> Proof:
    """At 9×9 px, with one status for all turns, or one each."""
    elements = dict.fromkeys(TURNS, status) if isinstance(status, str) else status
    filled = {
        "height_px": 9,
        "width_px": 9,
        "outputs": {"output": elements},
        "not_followed": (),
        "together": (),
        "by_weights": False,
        "unpooled": "",
        "output_values": {},
        **more,
    }
    return Proof(elements=elements, parts=parts, **filled)


def part_of(status: str = EXACT, **more: Any) -> Part:
    """A layer `0` on 9×9 pixels with one status for all turns."""
    given = {"name": "0", "kind": "Conv2d", "module_name": "0", "in_hw": (9, 9), "out_hw": (7, 7), **more}
    return Part(elements=dict.fromkeys(TURNS, status), **given)


def seen_of(error: float | dict[str, float | None] | None, *, insensitive: bool = False, **layers: Any) -> Seen:
    """One error for all turns, or one each; layers: their errors, by element."""
    errors = error if isinstance(error, dict) else dict.fromkeys(TURNS, error)
    return Seen({("output", How("maps")): errors}, layers, insensitive)


def seen_of_outputs(**outputs: dict[str, float | None]) -> Seen:
    """The errors of several outputs, by element."""
    return Seen({(path, How("maps")): errors for path, errors in outputs.items()}, {}, insensitive=False)


def decision_of(
    proof: Proof, seen: Seen | None = None, *, dtype: str = "float64", group: PointGroup = C4, source: str = "a picture"
) -> Decision:
    """Of a subject that has a group and a precision, and nothing else."""
    subject: Any = SimpleNamespace(
        elements=group.pixel_exact_elements[1:], group=group, dtype=dtype, notes=(), program=None
    )
    return Decision(subject, proof, seen, source)
