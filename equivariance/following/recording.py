"""A recording: all operations of one pass of a network, and the values that they take and give."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from equivariance.following.code_lines import CodeLine


@dataclass(frozen=True)
class Ref:
    """A tensor that depends on the picture: the number of its value."""

    number: int


class Constant:
    """A tensor that does not depend on the picture: parameters, buffers, and what is computed from them alone.

    owner: the name of the parameter or buffer that it is, or is computed from. key: alike for constants that are the
    same tensor, also in other recordings of the network; None where that cannot be told.
    """

    def __init__(self, shape: Sequence[int], make: Callable[[], Tensor], owner: str = "", key: Hashable = None) -> None:
        self.shape, self.owner, self.key, self._make = tuple(shape), owner, key, make
        self._value: Tensor | None = None

    def value(self) -> Tensor:
        """The tensor, on the CPU."""
        if self._value is None:
            self._value = self._make().detach().cpu()
        return self._value


@dataclass(frozen=True)
class Operation:
    """One operation: its tensors are Ref or Constant in `args` and `kwargs`, numbers in `outputs` (None: no tensor).

    call: of the innermost layer that was at work, or "" outside all layers. place: the line that asked for it.
    view: of a write into a view, how the view was taken (see `write`). block: of the innermost module with parts that
    was at work, or "" for the network itself.
    """

    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[int | None, ...]
    call: str
    place: CodeLine | None
    view: tuple[tuple[Any, tuple[Any, ...], dict[str, Any], int], ...] = ()
    block: str = ""

    @property
    def name(self) -> str:
        """`convolution`, `slice`, …: without namespace, overload and the mark of in-place forms."""
        return str(self.func.overloadpacket.__name__).rstrip("_") if self.func is not None else "write"


@dataclass(frozen=True)
class Called:
    """One call of one layer: its name (with `#2` from the second call on), kind, sides, and its values."""

    name: str
    kind: str
    module_name: str
    in_hw: tuple[int, int]
    out_hw: tuple[int, int]
    first: int
    last: int
    input: int | None
    output: int | None
    out_numbers: int


@dataclass
class Recording:
    """All of one pass. `shapes[number]` is the shape of a value; value 0 is the picture.

    output: the network's output with tensors as Ref, Constant or what they were. doubts: why the recording may not hold
    for other pictures, one (operation, place) each. foreign: tensors that are neither the network's own nor computed
    from them by torch, and where they were first used.
    """

    shapes: list[tuple[int, ...]]
    operations: list[Operation]
    calls: list[Called]
    output: Any
    doubts: list[tuple[str, CodeLine | None, str]] = field(default_factory=list)
    on_data: bool = False
    foreign: list[tuple[Constant, CodeLine | None]] = field(default_factory=list)
