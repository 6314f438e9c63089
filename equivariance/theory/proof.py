"""Theory's word for a network at one size."""

from dataclasses import dataclass, field

from equivariance.following.code_lines import CodeLine
from equivariance.following.dims import Dims
from equivariance.following.values import Value
from equivariance.groups.fields import FieldType
from equivariance.theory.grids import BROKEN, UNDECIDED, AxisSampling

NO_ACTION = "no action"


@dataclass(frozen=True)
class NotFollowed:
    """An operation that theory could not follow: its name, the layer or block it is in, its line, why it matters."""

    operation: str
    layer: str
    place: CodeLine | None
    why: str

    def __str__(self) -> str:
        where = " ".join(
            filter(None, [f"in {self.layer}" if self.layer else "", f"at {self.place}" if self.place else ""])
        )
        return f"{self.operation} {where}".strip()


@dataclass(frozen=True)
class Part:
    """One call of one layer, or one operation outside all layers, as theory sees it at a size.

    elements: status by name. weight_error: the largest relative difference of its weights from their own transform.
    why: in words, what of it does not commute; empty for windows, whose numbers say it. place: its line.
    fields: the type of its output's channels, None where it is not known; fields_from: where that comes from.
    dims: what the dimensions of its output mean, where it transforms as theory says under every element, with all that
    comes before it. cause: of a broken one, "weights", "places" (numbers that differ from place to place),
    "flattened" (a linear layer on pixels) or "grid"; block: the block that an operation outside all layers is in.
    """

    name: str
    kind: str
    module_name: str
    in_hw: tuple[int, int]
    out_hw: tuple[int, int]
    elements: dict[str, str]
    weight_error: float = 0.0
    why: str = ""
    place: CodeLine | None = None
    sampling: tuple[AxisSampling, AxisSampling] | None = None
    fields: FieldType | None = None
    fields_from: str = ""
    dims: Dims | None = None
    cause: str = ""
    block: str = ""

    @property
    def is_broken(self) -> bool:
        """Whether any element is broken by this part itself."""
        return BROKEN in self.elements.values()


@dataclass(frozen=True)
class Proof:
    """Theory's word for one network at one size.

    elements: of the whole network. outputs: path → element → status. together: parts that do not commute by
    themselves though the network does, so that they undo each other. by_weights: whether weights or numbers that depend
    on the place break it at every size. loosest: the largest difference of weights that was taken for rounding.
    unpooled: why an output is no answer, or not the one that is asked for, though all before it commutes; else empty.
    """

    height_px: int
    width_px: int
    elements: dict[str, str]
    outputs: dict[str, dict[str, str]]
    parts: tuple[Part, ...]
    not_followed: tuple[NotFollowed, ...]
    together: tuple[str, ...]
    by_weights: bool
    unpooled: str
    output_values: dict[str, Value | None] = field(repr=False)
    loosest: float = 0.0

    @property
    def verdict(self) -> str:
        """ "exact", "approximate", "not equivariant" or "undecided"."""
        statuses = set(self.elements.values())
        if BROKEN in statuses:
            return "not equivariant" if self.by_weights else "approximate"
        return "undecided" if UNDECIDED in statuses or not statuses else "exact"

    @property
    def broken_parts(self) -> tuple[Part, ...]:
        """Every part that breaks an element by itself, in order."""
        return tuple(part for part in self.parts if part.is_broken)
