"""What torch dispatches while a network runs, written down operation by operation."""

from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from equivariance.following.arguments import flat, keyed, mapped, written_by
from equivariance.following.calls import Calls
from equivariance.following.code_lines import place_now
from equivariance.following.computed import Computed, scattered
from equivariance.following.recording import Constant, Operation, Recording, Ref
from equivariance.following.shapes import output_of

aten = torch.ops.aten


class NeedsDataError(Exception):
    """The pass cannot continue with shapes alone."""


class Keys:
    """One number for each constant that is the same in all recordings of a network, made from what it is made of."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def number(self, made_of: Hashable) -> int:
        """The number of a constant; raises TypeError where `made_of` cannot be hashed."""
        return self._numbers.setdefault(made_of, len(self._numbers))


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


class Recorder(TorchDispatchMode):
    """One pass of a network, run and written down.

    leaves: id of a parameter or buffer → the tensor with its numbers. owners: id of such a tensor → its name.
    """

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
        self._calls = Calls(self.recording, blocks=places)
        self._on_meta: bool

    # ------------------------------------------------------------------------------------------------ running

    def run(self, network: nn.Module, picture: Tensor) -> Recording:
        """The recording of `network` on a picture (1, C, H, W); for one recorder once."""
        self._on_meta = picture.is_meta
        number = self._new_value(picture)
        self._remember(picture, Ref(number))
        with torch.no_grad(), self._calls.watch(network, self._number), self:
            output = network(picture)
        self.recording.output = mapped(output, lambda tensor: self._entry(tensor))
        return self.recording

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
            raise NeedsDataError
        taken = tensor.clone() if not self._on_meta else tensor
        made = Constant(tensor.shape, lambda: taken)
        self.recording.foreign.append((made, place_now()))
        return made

    def _number(self, value: Any) -> int | None:
        if not isinstance(value, Tensor):
            return None
        entry = self._entry(value) if id(value) in self._known else None
        return entry.number if isinstance(entry, Ref) else None

    # ------------------------------------------------------------------------------------------------ operations

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        entries = mapped(args, self._entry), mapped(kwargs, self._entry)
        depends = any(isinstance(value, Ref) for value in flat((entries[0], entries[1].values())))
        depends = depends and _name(func) not in _SHAPE_ALONE
        if func in _READS:
            if depends:
                if self._on_meta:
                    raise NeedsDataError
                read = _READ_BY.get(_name(func), _name(func))
                self.recording.doubts.append((read, place_now(), "the code reads numbers that depend on the picture"))
            return func(*args, **kwargs)
        output = output_of(func, args, kwargs, None) if self._on_meta else func(*args, **kwargs)
        written = written_by(func, args, kwargs)
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
                self.recording.doubts.append((_name(func), place_now(), "it draws random numbers"))
            stand_ins = mapped(args, self._stand_in)
            shared = Computed(func, stand_ins, entries[1], blank=_name(func) in _EMPTY)
            has_own = torch.Tag.nondeterministic_seeded in func.tags or any(
                isinstance(entry, Ref) for entry in flat((entries[0],))
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
            if tensor is None or entry is None or id(tensor) in self._known:
                continue
            known = _Known(entry, source.root if source else _Root(entry))
            if source is not None:
                known.chain = (*source.chain, (func, entries[0], entries[1], at))
                known.version = source.root.version
            self._remember(tensor, entry, known)
        return output

    def _key(self, func: Any, entries: Any) -> int | None:
        """Of what is computed from constants alone; None where one of them has none."""
        if any(isinstance(value, Constant) and value.key is None for value in flat(entries)):
            return None
        try:
            return self._keys.number((func, keyed(entries)))
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
        call, block = self._calls.name, self._calls.block
        place = place_now() if self._places else None
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
            shared = Computed(func, *entries)
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
            self.recording.doubts.append((_name(func).rstrip("_"), place_now(), why))

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
                shared = Computed(func, (source, *args[1:]), kwargs)
                entry = Constant(tensor.shape, shared.maker(at), source.owner)
        if isinstance(entry, Ref):
            self.recording.shapes[entry.number] = tuple(tensor.shape)
        known.entry, known.version = entry, known.root.version


def _owner(entries: Any) -> str:
    return next((value.owner for value in flat((entries[0],)) if isinstance(value, Constant) and value.owner), "")


def _name(func: Any) -> str:
    return str(func.overloadpacket.__name__)


# What takes the shape alone from a tensor.
_SHAPE_ALONE = {
    *(f"{kind}_like" for kind in ("empty", "zeros", "ones", "full", "rand", "randn", "randint")),
    *(f"new_{kind}" for kind in ("empty", "empty_strided", "zeros", "ones", "full")),
}
_READ_BY = {"_local_scalar_dense": "item", "is_nonzero": "item"}
_EMPTY = {"empty", "empty_strided", "empty_like", "new_empty", "new_empty_strided"}
# What takes numbers out of tensors.
_READS = {aten._local_scalar_dense.default, aten.is_nonzero.default, aten.equal.default, aten.nonzero.default}
