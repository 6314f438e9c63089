"""Every operation of one pass of a network, as torch dispatches them: what `following` reads.

The network runs once under a dispatch mode, on the meta device (shapes without data) where that can be done, so that
branches, reused modules, functional calls, views and writes in place are all seen, whatever its code looks like. Where
its code needs numbers (`.item()`, `if`, NumPy) or makes tensors from Python numbers, it runs on a real picture instead.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from equivariance.following.shapes import output_of
from equivariance.layers.export import layers_of
from equivariance.layers.planar import copied

aten = torch.ops.aten


def _folders_of(file: str) -> set[Path]:
    """The package that a file of the package's own folder, or of one below it, belongs to."""
    at = 1 if file == __file__ else 0
    return {Path(file).parents[at], Path(file).resolve().parents[at]}


_HIDDEN = tuple(  # files whose lines are not the network's own, also where they are reached through a link
    {f"{folder}{os.sep}" for file in (__file__, torch.__file__) for folder in _folders_of(file)} | {"<"}
)


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
class CodeLine:
    """A line of the network's code."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


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


class _NeedsDataError(Exception):
    """The pass cannot continue with shapes alone."""


class Keys:
    """One number for each constant that is the same in all recordings of a network, made from what it is made of."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def number(self, made_of: Hashable) -> int:
        """The number of a constant; raises TypeError where `made_of` cannot be hashed."""
        return self._numbers.setdefault(made_of, len(self._numbers))


def record(
    network: nn.Module, blank: nn.Module | None, picture: Tensor, keys: Keys | None = None, *, places: bool = True
) -> Recording:
    """The pass of `network` on `picture` (1, C, H, W); torch's own errors pass through.

    blank: a copy of `network` on the meta device; None runs `network` itself. keys: shared by the recordings of one
    network. places: whether to note the line of each operation.
    """
    keys = keys or Keys()
    if blank is not None:
        leaves = dict(zip(map(id, _tensors(blank)), _tensors(network), strict=True))
        recorder = _Recorder(leaves, _owners(network), keys, places=places)
        try:
            with torch.device("meta"):
                return recorder.run(blank, picture.to("meta"))
        except _NeedsDataError:
            pass
        except (NotImplementedError, TypeError, RuntimeError) as error:
            if "meta" not in str(error).lower() and not isinstance(error, TypeError):
                raise
    recording, other = (_on_data(network, each, keys) for each in (picture, picture.flip(-1) * 0.7 + 0.1))
    for (one, place), (two, _) in zip(recording.foreign, other.foreign, strict=False):
        if _mapped_constants(one) != _mapped_constants(two):
            recording.doubts.append(("tensor", place, "its numbers come from the picture by a way outside torch"))
            return recording
    for here, there in zip(_outside(recording), _outside(other), strict=False):
        if here[0] != there[0]:
            recording.doubts.append(
                (here[1].name, here[1].place, "it takes numbers that come from the picture by a way outside torch")
            )
            break
    if len(recording.operations) != len(other.operations):
        recording.doubts.append(("if", None, "which operations run depends on the picture"))
    return recording


def _on_data(network: nn.Module, picture: Tensor, keys: Keys) -> Recording:
    leaves = {id(tensor): tensor for tensor in _tensors(network)}
    recording = _Recorder(leaves, _owners(network), keys).run(network, picture)
    recording.on_data = True
    return recording


def _outside(recording: Recording) -> Iterator[tuple[str, Operation]]:
    """What each operation takes from outside the recording, as text that can be compared."""
    for operation in recording.operations:
        yield repr(_mapped_constants((operation.name, operation.args, operation.kwargs))), operation


def _mapped_constants(value: Any) -> Any:
    if isinstance(value, Constant):
        return hashlib.sha256(value.value().double().contiguous().numpy().tobytes()).hexdigest()
    if isinstance(value, list | tuple):
        return [_mapped_constants(each) for each in value]
    if isinstance(value, dict):
        return {name: _mapped_constants(each) for name, each in value.items()}
    return value


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _owners(network: nn.Module) -> dict[int, str]:
    return {id(tensor): name for name, tensor in (*network.named_parameters(), *network.named_buffers())}


class _Known:
    """What is known of a tensor object: its value's number or constant, and how it aliases another."""

    def __init__(self, entry: Ref | Constant, root: "_Root") -> None:
        self.entry, self.root = entry, root
        self.chain: tuple[Any, ...] = ()  # how it is taken from the root: (func, args, kwargs, output index)
        self.version = root.version


class _Root:
    """A storage: the entry of all of it, and how often it was written to. is_leaf: of a parameter or buffer."""

    def __init__(self, entry: Ref | Constant | None, *, is_leaf: bool = False) -> None:
        self.entry = entry
        self.version = 0
        self.is_leaf = is_leaf


class _Recorder(TorchDispatchMode):
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False: else torch imports its compiler, 50 MB and a second, to be told that it is not to compile this."""
        return False

    def __init__(self, leaves: dict[int, Tensor], owners: dict[int, str], keys: Keys, *, places: bool = True) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's mode has no types
        self._leaves, self._owners, self._keys, self._places = leaves, owners, keys, places
        self._known: dict[int, _Known] = {}
        self._alive: list[Tensor] = []
        self.recording = Recording([], [], [], None)
        self._open: list[dict[str, Any]] = []
        self._blocks: list[str] = []
        self._counts: dict[str, int] = {}
        self._on_meta = False

    # ------------------------------------------------------------------------------------------------ running

    def run(self, network: nn.Module, picture: Tensor) -> Recording:
        self._on_meta = picture.is_meta
        number = self._new_value(picture)
        self._remember(picture, Ref(number))
        with torch.no_grad(), self._watch(network), self:
            output = network(picture)
        self.recording.output = _mapped(output, lambda tensor: self._entry(tensor))
        return self.recording

    @contextmanager
    def _watch(self, network: nn.Module) -> Iterator[None]:
        handles = []
        for name, module in layers_of(network):
            handles.append(module.register_forward_pre_hook(self._opener(name or "network")))
            handles.append(module.register_forward_hook(self._close, always_call=True))
        for name, module in network.named_modules() if self._places else ():
            if any(module.children()) and not isinstance(module, nn.Sequential):
                handles.append(module.register_forward_pre_hook(self._block_opener(name)))
                handles.append(module.register_forward_hook(self._close_block, always_call=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _block_opener(self, name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._blocks.append(name)

        return hook

    def _close_block(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self._blocks.pop()

    def _opener(self, module_name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            count = self._counts[module_name] = self._counts.get(module_name, 0) + 1
            first = _first_tensor(inputs)
            self._open.append(
                {
                    "name": module_name if count == 1 else f"{module_name}#{count}",
                    "module_name": module_name,
                    "kind": type(module).__name__,
                    "in_hw": side_of(first),
                    "first": len(self.recording.operations),
                    "input": self._number(first),
                }
            )

        return hook

    def _close(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if not self._open:
            return
        call = self._open.pop()
        first = _first_tensor((output,))
        self.recording.calls.append(
            Called(
                call["name"],
                call["kind"],
                call["module_name"],
                call["in_hw"],
                side_of(first),
                call["first"],
                len(self.recording.operations),
                call["input"],
                self._number(first),
                first.numel() if first is not None else 0,
            )
        )

    # ------------------------------------------------------------------------------------------------ tensors

    def _new_value(self, tensor: Tensor) -> int:
        self.recording.shapes.append(tuple(tensor.shape))
        return len(self.recording.shapes) - 1

    def _remember(self, tensor: Tensor, entry: Ref | Constant, known: _Known | None = None) -> None:
        key = id(tensor)
        self._known[key] = known or _Known(entry, _Root(entry))
        self._alive.append(tensor)  # so that ids stay unique while recording

    def _entry(self, tensor: Tensor) -> Ref | Constant:
        known = self._known.get(id(tensor))
        if known is None:
            leaf = self._leaf(tensor)
            self._remember(tensor, leaf, _Known(leaf, _Root(leaf, is_leaf=id(tensor) in self._leaves)))
            known = self._known[id(tensor)]
        if known.version != known.root.version:
            self._refresh(tensor, known)
        return known.entry

    def _leaf(self, tensor: Tensor) -> Constant:
        real = self._leaves.get(id(tensor))
        if real is not None:
            return Constant(tensor.shape, lambda: real, self._owners.get(id(real), ""), self._keys.number(id(real)))
        if tensor.is_meta:
            raise _NeedsDataError
        taken = tensor.clone() if not self._on_meta else tensor
        made = Constant(tensor.shape, lambda: taken)
        self.recording.foreign.append((made, _place()))
        return made

    def _number(self, value: Any) -> int | None:
        if not isinstance(value, Tensor):
            return None
        entry = self._entry(value) if id(value) in self._known else None
        return entry.number if isinstance(entry, Ref) else None

    # ------------------------------------------------------------------------------------------------ operations

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        entries = _mapped(args, self._entry), _mapped(kwargs, self._entry)
        depends = any(isinstance(value, Ref) for value in _flat((entries[0], entries[1].values())))
        depends = depends and _name(func) not in _SHAPE_ALONE
        if func in _READS:
            if depends:
                if self._on_meta:
                    raise _NeedsDataError
                read = _READ_BY.get(_name(func), _name(func))
                self.recording.doubts.append((read, _place(), "the code reads numbers that depend on the picture"))
            return func(*args, **kwargs)
        output = output_of(func, args, kwargs, None) if self._on_meta else func(*args, **kwargs)
        written = _written(func, args, kwargs)
        if written is not None:
            self._write(func, entries, written, depends)
            return output
        outputs = output if isinstance(output, tuple | list) else (output,)
        tensors = [value if isinstance(value, Tensor) else None for value in outputs]
        if depends:
            numbers = tuple(None if tensor is None else self._new_value(tensor) for tensor in tensors)
            self._note(func, entries[0], entries[1], numbers)
            made: list[Ref | Constant | None] = [None if number is None else Ref(number) for number in numbers]
        else:
            if torch.Tag.nondeterministic_seeded in func.tags:
                self.recording.doubts.append((_name(func), _place(), "it draws random numbers"))
            stand_ins = _mapped(args, self._stand_in)
            shared = _Shared(func, stand_ins, entries[1], blank=_name(func) in _EMPTY)
            has_own = torch.Tag.nondeterministic_seeded in func.tags or any(
                isinstance(entry, Ref) for entry in _flat((entries[0],))
            )
            key = None if has_own else self._key(func, entries)
            made = [
                None
                if tensor is None
                else Constant(tensor.shape, shared.maker(at), _owner(entries), None if key is None else (key, at))
                for at, tensor in enumerate(tensors)
            ]
        source = self._viewed(func, args)
        for at, (tensor, entry) in enumerate(zip(tensors, made, strict=True)):
            if tensor is None or entry is None or (id(tensor) in self._known and any(tensor is arg for arg in args)):
                continue
            known = _Known(entry, source.root if source else _Root(entry))
            if source is not None:
                known.chain = (*source.chain, (func, entries[0], entries[1], at))
                known.version = source.root.version
            self._remember(tensor, entry, known)
        return output

    def _key(self, func: Any, entries: Any) -> int | None:
        """Of what is computed from constants alone; None where one of them has none."""
        if any(isinstance(value, Constant) and value.key is None for value in _flat(entries)):
            return None
        try:
            return self._keys.number((func, _keyed(entries)))
        except TypeError:
            return None

    def _stand_in(self, tensor: Tensor) -> Constant:
        """Of a tensor of which the shape and the kind of numbers alone are used."""
        entry = self._entry(tensor)
        if isinstance(entry, Constant):
            return entry
        shape, dtype = tuple(tensor.shape), tensor.dtype
        return Constant(shape, lambda: torch.zeros(shape, dtype=dtype))

    def _note(self, func: Any, args: Any, kwargs: Any, numbers: Any, view: Any = ()) -> None:
        call = self._open[-1]["name"] if self._open else ""
        block = self._blocks[-1] if self._blocks else ""
        place = _place() if self._places else None
        self.recording.operations.append(Operation(func, tuple(args), dict(kwargs), numbers, call, place, view, block))

    def _viewed(self, func: Any, args: Any) -> _Known | None:
        """What is known of the tensor that this operation takes a view of; None for one that makes new numbers."""
        returns = func._schema.returns
        if not returns or returns[0].alias_info is None or not args or not isinstance(args[0], Tensor):
            return None
        return self._known.get(id(args[0]))

    # ------------------------------------------------------------------------------------------------ writes in place

    def _write(self, func: Any, entries: Any, written: Tensor, depends: bool) -> None:
        """The tensor, and whatever shares its storage, has a new value from here on."""
        known = self._known[id(written)]
        root = known.root
        if depends or isinstance(root.entry, Ref):
            number = self._new_value(written)
            self._note(func, entries[0], entries[1], (number,))
            known.entry = Ref(number)
        else:
            shared = _Shared(func, *entries)
            known.entry = Constant(written.shape, shared.maker(0), _owner(entries))
        if root.is_leaf:
            self._doubt_state(func, root)
        if known.chain:
            root.entry = self._scattered(root, known)
        else:
            root.entry = known.entry
        root.version += 1
        known.version = root.version

    def _doubt_state(self, func: Any, root: _Root) -> None:
        """A parameter or buffer that is written to: the next pass is another."""
        why = "it changes a parameter or buffer, so that each pass depends on those before"
        if not any(each[2] == why for each in self.recording.doubts):
            self.recording.doubts.append((_name(func).rstrip("_"), _place(), why))

    def _scattered(self, root: _Root, known: _Known) -> Ref | Constant:
        """All of the storage, once the view that `known` is has a new value."""
        before, view = root.entry, known.entry
        assert before is not None
        shape = before.shape if isinstance(before, Constant) else self.recording.shapes[before.number]
        if isinstance(before, Ref) or isinstance(view, Ref):
            self.recording.shapes.append(tuple(shape))
            number = len(self.recording.shapes) - 1
            self._note(None, (before, view), {}, (number,), known.chain)
            return Ref(number)
        chain = known.chain
        return Constant(shape, lambda: scattered(before.value(), view.value(), chain), before.owner)

    def _refresh(self, tensor: Tensor, known: _Known) -> None:
        """The value of a tensor after its storage was written to through another."""
        entry = known.root.entry
        assert entry is not None
        for func, args, kwargs, at in known.chain:
            if isinstance(entry, Ref):
                self.recording.shapes.append(())
                number = len(self.recording.shapes) - 1
                numbers = [None] * at + [number]
                self._note(func, (entry, *args[1:]), kwargs, tuple(numbers))
                entry = Ref(number)
            else:
                source = entry
                shared = _Shared(func, (source, *args[1:]), kwargs)
                entry = Constant(tensor.shape, shared.maker(at), source.owner)
        if isinstance(entry, Ref):
            self.recording.shapes[entry.number] = tuple(tensor.shape)
        known.entry, known.version = entry, known.root.version


class _Shared:
    """The outputs of an operation on constants, computed once and only if asked for."""

    def __init__(self, func: Any, args: Any, kwargs: Any, *, blank: bool = False) -> None:
        self._func, self._args, self._kwargs, self._blank = func, args, kwargs, blank
        self._outputs: Any = None

    def maker(self, at: int) -> Callable[[], Tensor]:
        """What gives the output number `at`."""
        return lambda: self.output(at)

    def output(self, at: int) -> Tensor:
        """The output number `at`."""
        if self._outputs is None:
            args = _mapped(self._args, None)
            kwargs = dict(_mapped(self._kwargs, None))
            if "device" in kwargs:
                kwargs["device"] = torch.device("cpu")
            written = _written(self._func, args, kwargs)
            if written is not None:
                args = tuple(value.clone() if value is written else value for value in args)
            outputs = self._func(*args, **kwargs)
            if self._blank:  # whatever was in memory: it is written over, or the network is not defined
                outputs.zero_()
            self._outputs = outputs if isinstance(outputs, tuple | list) else (outputs,)
        return self._outputs[at]


def scattered(base: Tensor, part: Tensor, chain: Any) -> Tensor:
    """`base` with the view that `chain` takes of it replaced by `part`."""
    result = base.clone()
    view = result
    for func, args, kwargs, at in chain:
        taken = func(view, *_mapped(args[1:], None), **_mapped(kwargs, None))
        view = taken[at] if isinstance(taken, tuple | list) else taken
    view.copy_(part)
    return result


def _mapped(value: Any, change: Callable[[Tensor], Any] | None) -> Any:
    """`value` with its tensors changed; without `change`, with its constants as tensors."""
    if isinstance(plain_tensor(value), Tensor) and change is not None:
        return change(plain_tensor(value))
    if isinstance(value, Constant) and change is None:
        return value.value()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_mapped(each, change) for each in value))
    if isinstance(value, list | tuple):
        return type(value)(_mapped(each, change) for each in value)
    if isinstance(value, dict):
        return {name: _mapped(each, change) for name, each in value.items()}
    return value


def _keyed(value: Any) -> Any:
    """Arguments with constants as their keys, all in tuples."""
    if isinstance(value, Constant):
        return ("constant", value.key)
    if isinstance(value, list | tuple):
        return tuple(map(_keyed, value))
    if isinstance(value, dict):
        return tuple((name, _keyed(each)) for name, each in sorted(value.items()))
    return (type(value).__name__, value)


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        elif isinstance(value, dict):
            yield from _flat(value.values())
        else:
            yield value


def plain_tensor(value: Any) -> Any:
    """The tensor of a typed one such as escnn's GeometricTensor; anything else as it is."""
    inner = getattr(value, "tensor", None)
    return inner if isinstance(inner, Tensor) and hasattr(value, "type") and not isinstance(value, Tensor) else value


def _first_tensor(values: Any) -> Tensor | None:
    return next((each for value in _flat(values) if isinstance(each := plain_tensor(value), Tensor)), None)


def _written(func: Any, args: Any, kwargs: Any) -> Tensor | None:
    """The tensor that the operation writes into, if any."""
    if not func._schema.is_mutable:
        return None
    for argument, value in zip(func._schema.arguments, args, strict=False):
        if argument.alias_info is not None and argument.alias_info.is_write:
            return value if isinstance(value, Tensor) else None
    for argument in func._schema.arguments:
        if argument.alias_info is not None and argument.alias_info.is_write and argument.name in kwargs:
            value = kwargs[argument.name]
            return value if isinstance(value, Tensor) else None
    return None


def _owner(entries: Any) -> str:
    return next((value.owner for value in _flat((entries[0],)) if isinstance(value, Constant) and value.owner), "")


def _name(func: Any) -> str:
    return str(func.overloadpacket.__name__)


def _place() -> CodeLine | None:
    """The innermost line outside torch and this library."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_HIDDEN):
            return CodeLine(file, frame.f_lineno)
        frame = frame.f_back
    return None


def side_of(value: Any) -> tuple[int, int]:
    """(H, W) of maps (B, C, H, W) or (B, C, |G|, H, W); (1, 1) of anything else."""
    if isinstance(value, Tensor) and value.dim() in (4, 5):
        return int(value.shape[-2]), int(value.shape[-1])
    return 1, 1


def blank_copy(network: nn.Module) -> nn.Module:
    """A copy of `network` on the meta device: its structure without its weights, and without copying them."""
    tensors = _tensors(network)
    blank: nn.Module = copied(network, {id(tensor): _on_meta(tensor) for tensor in tensors})
    return blank.eval()


def _on_meta(tensor: Tensor) -> Tensor:
    there = tensor.detach().to("meta")
    return nn.Parameter(there, requires_grad=False) if isinstance(tensor, nn.Parameter) else there


# What takes the shape alone from a tensor.
_SHAPE_ALONE = {
    *(f"{kind}_like" for kind in ("empty", "zeros", "ones", "full", "rand", "randn", "randint")),
    *(f"new_{kind}" for kind in ("empty", "empty_strided", "zeros", "ones", "full")),
}
_READ_BY = {"_local_scalar_dense": "item", "is_nonzero": "item"}
_EMPTY = {"empty", "empty_strided", "empty_like", "new_empty", "new_empty_strided"}
# What takes numbers out of tensors.
_READS = {aten._local_scalar_dense.default, aten.is_nonzero.default, aten.equal.default, aten.nonzero.default}
