"""Whether the operations of a recording commute with an element, found by following a skeleton of the network.

The skeleton has the network's operations with their own arguments and the network's own sides, but one channel where
the network has many, and generic analytic functions and kernels where the network has its own: float64 numbers drawn
once. It runs on a random picture x and on g·x (kernels moved by g, as the kernels of an equivariant layer are, up to
their channels), and every tensor is compared with the moved one of x. Where all operations are polynomial or analytic
in picture and kernels, agreement on random numbers is agreement for all numbers, but for a set of measure zero
(Schwartz 1980, Zippel 1979): what agrees here commutes for *every* weight setting that commutes with the channels'
action, which `kinds` looks at. No layer is listed by its kind: paddings that a later layer drops, borders that a mean
does not see, and numbers that depend on the place come out by themselves.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from equivariance.following.arguments import refs_in
from equivariance.following.dims import (
    CHANNELS,
    HEIGHT,
    WIDTH,
    Atom,
    Dims,
    UnclearError,
    atoms_of,
    channels,
    has_space,
    moved,
    random_like,
    size_of,
    turned,
    type_of,
    widths_of,
)
from equivariance.following.handling import handler_of
from equivariance.following.kinds import Kinds, Looked
from equivariance.following.recording import Called, Operation, Recording, Ref
from equivariance.following.skeleton import PART_OF_FIELD, Context, Skeleton
from equivariance.following.values import Value, moved_or_none, same
from equivariance.following.writing import written
from equivariance.groups.fields import FieldType
from equivariance.groups.point_groups import IDENTITY, Element, PointGroup

Types = tuple[FieldType | None, FieldType | None]  # of a layer's input and output
_REFUSALS = (Exception,)  # whatever an operation of anyone's network meets here: it is not followed, and named


@dataclass
class Followed:
    """What following found.

    agrees: value → the elements under which it agrees. own: operation → the elements that it breaks by itself.
    unknown: operation → why it could not be followed. weights: operation → {element: relative difference}. uneven: the
    same of numbers that depend on the place, which break only where `agrees` says so. loosest: the largest difference
    of weights that was taken for rounding.
    """

    recording: Recording
    agrees: dict[int, frozenset[Element]]
    values: dict[int, Value | None]
    own: dict[int, frozenset[Element]]
    unknown: dict[int, str]
    weights: dict[int, dict[str, float]]
    uneven: dict[int, dict[str, float]] = field(default_factory=dict)
    loosest: float = 0.0


def follow(
    recording: Recording,
    group: PointGroup,
    elements: Sequence[Element],
    declared: Mapping[str, Types] | None = None,
    *,
    turned_recording: Recording | None = None,
    errors_of: Callable[[str], dict[str, float]] | None = None,
    modules: Mapping[str, str] | None = None,
    kept: dict[Hashable, Looked] | None = None,
    own: bool = True,
    stored: torch.dtype | None = None,
    seed: int = 0,
) -> Followed:
    """Follow `recording` under `elements`, which move pixels; `declared`: the types of layers, by the names of calls.

    turned_recording: of a picture that is not square, the recording of its turn, for elements that swap its axes.
    errors_of: of a layer that declares its types, by module name (`modules`: the calls' names → theirs), the elements
    that its channels do not commute with; asked where its operations do not tell. kept: what was found of weights at
    other sizes. own: whether to find which operations break by themselves. stored: the precision that the weights were
    stored in before they were brought to the one that they have.
    """
    follower = _Follower(recording, turned_recording or recording, group, elements, declared or {}, seed, kept, stored)
    follower.finds_own = own
    follower.errors_of, follower.modules = errors_of or (lambda name: {}), dict(modules or {})
    return follower.follow()


class _Follower:
    def __init__(
        self,
        recording: Recording,
        turned_recording: Recording,
        group: PointGroup,
        elements: Sequence[Element],
        declared: Mapping[str, Types],
        seed: int,
        kept: dict[Hashable, Looked] | None = None,
        stored: torch.dtype | None = None,
    ) -> None:
        self._recording, self._turned = recording, turned_recording
        self.finds_own = True
        self._elements, self._declared, self._seed = tuple(elements), declared, seed
        self.errors_of: Callable[[str], dict[str, float]] = lambda name: {}
        self.modules: dict[str, str] = {}
        self._kinds = Kinds(group, elements, kept, stored)
        self._context = Context(self._kinds, recording.shapes, seed)
        self._values: dict[int, Value | None] = {}
        self._found = Followed(recording, {}, self._values, {}, {}, self._kinds.errors, self._kinds.uneven)
        self._ends: dict[int, list[Called]] = {}
        for call in recording.calls:
            if call.name in declared and call.output is not None:
                self._ends.setdefault(call.last, []).append(call)

    def follow(self) -> Followed:
        shape = self._recording.shapes[0]
        dims: Dims = ((channels(1),), (channels(shape[1]),), (Atom(HEIGHT, shape[2]),), (Atom(WIDTH, shape[3]),))
        picture = random_like((1, 1, shape[2], shape[3]), self._seed + 1)
        worlds = {
            element: Skeleton(turned(dims) if element.swaps_axes else dims, moved(picture, dims, element))
            for element in (IDENTITY, *self._elements)
        }
        self._values[0] = Value(dims, worlds)
        self._found.agrees[0] = frozenset(self._elements)
        for number, operation in enumerate(self._recording.operations):
            self._context.number = number
            self._step(number, operation)
            for call in self._ends.get(number + 1, ()):
                self._declare(call)
        self._found.loosest = self._kinds.loosest
        return self._found

    # ------------------------------------------------------------------------------------------------ one operation

    def _step(self, number: int, operation: Operation) -> None:
        inputs = [ref.number for ref in refs_in((operation.args, operation.kwargs))]
        if any(self._values.get(each) is None for each in inputs):
            self._forget(operation)
            return
        try:
            self._follow_step(number, operation, inputs)
        except UnclearError as error:
            self._found.unknown[number] = str(error)
            self._forget(operation)
        except _REFUSALS as error:
            self._found.unknown[number] = f"{type(error).__name__}: {error}".splitlines()[0]
            self._forget(operation)

    def _follow_step(self, number: int, operation: Operation, inputs: Sequence[int]) -> None:
        self._note_indices(operation)
        self._context.lost = ""
        self._context.looks_at_weights = True
        self._context.wanted_type = self._declared.get(operation.call, (None, None))[1]
        upright = self._results(operation, IDENTITY, itself=False)
        self._context.looks_at_weights = False
        lost = self._context.lost or next(
            (value.lost for each in inputs if (value := self._values[each]) is not None and value.lost), ""
        )
        worlds = {element: self._results(operation, element, itself=False) for element in self._elements}
        for at, output in enumerate(operation.outputs):
            if output is None:
                continue
            result = upright[at] if at < len(upright) else None
            if result is None:
                self._values[output], self._found.agrees[output] = None, frozenset()
                continue
            self._check_shape(operation, result, output)
            tensors = {IDENTITY: result}
            agreeing = set()
            for element in self._elements:
                there = worlds[element][at]
                assert there is not None
                tensors[element] = there
                if same(there.tensor, moved_or_none(result, element)):
                    agreeing.add(element)
            self._values[output] = Value(result.dims, tensors, lost or _part_of_field(result.dims))
            self._found.agrees[output] = frozenset(agreeing)
        if not self.finds_own:
            return
        broken = frozenset(element for element in self._elements if self._breaks(operation, element, inputs, upright))
        if broken:
            self._found.own[number] = broken

    def _breaks(
        self, operation: Operation, element: Element, inputs: Sequence[int], upright: Sequence[Skeleton | None]
    ) -> bool:
        """Whether the operation by itself does not commute: fed with the moved inputs of the picture itself."""
        outputs = [output for output in operation.outputs if output is not None and self._values[output] is not None]
        if all(element in self._found.agrees[each] for each in inputs):
            return any(element not in self._found.agrees[output] for output in outputs)
        try:
            self._argument((operation.args, operation.kwargs), element, True)
        except _REFUSALS:
            return False  # what it is given has lost the meaning of its axes before
        try:
            results = self._results(operation, element, itself=True)
        except _REFUSALS:
            return True
        return any(
            one is not None and (two is None or not same(two.tensor, moved_or_none(one, element)))
            for one, two in zip(upright, results, strict=True)
        )

    def _results(self, operation: Operation, world: Element, *, itself: bool) -> list[Skeleton | None]:
        """The outputs of an operation in a world; `itself`: on the moved inputs of the picture itself."""
        if world.swaps_axes and self._turned is not self._recording:
            operation = self._counterpart(operation)
        self._context.operation, self._context.world = operation, world
        self._context.shapes = (self._turned if world.swaps_axes else self._recording).shapes
        args, kwargs = self._argument(operation.args, world, itself), self._argument(operation.kwargs, world, itself)
        if operation.func is None:
            return [written(self._context, *args)]
        result = handler_of(operation)(self._context, args, kwargs)
        results = result if isinstance(result, list) else [result]
        for each in results:
            if each is not None and tuple(each.tensor.shape) != widths_of(each.dims):
                raise UnclearError(f"{operation.name}: {tuple(each.tensor.shape)} for {widths_of(each.dims)}")
        return results

    def _counterpart(self, operation: Operation) -> Operation:
        """The same operation in the pass of the turned picture."""
        others = self._turned.operations
        if len(others) != len(self._recording.operations) or others[self._context.number].name != operation.name:
            raise UnclearError("the turned picture goes through other operations")
        return others[self._context.number]

    def _argument(self, entry: Any, world: Element, itself: bool) -> Any:
        if isinstance(entry, Ref):
            value = self._values[entry.number]
            assert value is not None
            if not itself:
                return Skeleton(value.dims, value.worlds[world].tensor) if world == IDENTITY else value.worlds[world]
            tensor = moved(value.worlds[IDENTITY].tensor, value.dims, world)
            return Skeleton(turned(value.dims) if world.swaps_axes else value.dims, tensor)
        if isinstance(entry, list | tuple):
            return type(entry)(self._argument(each, world, itself) for each in entry)
        if isinstance(entry, dict):
            return {name: self._argument(each, world, itself) for name, each in entry.items()}
        return entry

    def _check_shape(self, operation: Operation, result: Skeleton, output: int) -> None:
        shape, meant = self._recording.shapes[output], tuple(map(size_of, result.dims))
        if meant != tuple(shape):
            raise UnclearError(f"{operation.name} gives {meant} instead of {tuple(shape)}")

    def _note_indices(self, operation: Operation) -> None:
        """Where a window's largest value was may only be looked up again, see `gather`."""
        numbers = {ref.number for ref in refs_in((operation.args, operation.kwargs))}
        if operation.name in _POOLS and len(operation.outputs) > 1 and operation.outputs[1] is not None:
            self._context.window_indices.add(operation.outputs[1])
        elif numbers & self._context.window_indices:
            if operation.name in _VIEWS and operation.outputs[0] is not None:
                self._context.window_indices.add(operation.outputs[0])
            elif operation.name != "gather":
                raise UnclearError("the indices of a max-pool are used")

    def _forget(self, operation: Operation) -> None:
        for output in operation.outputs:
            if output is not None:
                self._values[output], self._found.agrees[output] = None, frozenset()

    # ------------------------------------------------------------------------------------------------ declared types

    def _declare(self, call: Called) -> None:
        """A layer that declares its types: what goes in must be of its type, what comes out is then of its type."""
        in_type, out_type = self._declared[call.name]
        output = self._values.get(call.output) if call.output is not None else None
        if output is None or call.output is None:
            return
        place = _channel_place(output.dims, out_type)
        if out_type is None or place is None:
            self._values[call.output] = replace(output, lost=f"{call.name} does not say how its output transforms")
            return
        if type_of(output.dims[place]) == out_type and not output.lost and not self._errors_in(call):
            return  # followed one by one, its operations tell the same
        if in_type is None:
            return
        lost = self._lost_before(call, in_type)
        errors = self.errors_of(self.modules.get(call.name, ""))
        restricted = [each for each in self._elements if in_type.has_action(each) and not out_type.has_action(each)]
        if errors and not restricted and not output.lost and type_of(output.dims[place]) is not None:
            return  # its operations tell more than a look at its channels alone
        for at in range(call.first, call.last):
            if at not in self._kinds.of_places:
                self._found.weights.pop(at, None)
        if errors:
            self._kinds.note(max(call.last - 1, 0), errors)
        dim = output.dims[place]
        parts = [atom for atom in dim if atom.size != 1]
        if len(parts) > 1 and widths_of(output.dims)[place] != 1:
            lost = lost or f"the channels of {call.name} have several meanings"
            self._values[call.output] = replace(output, lost=lost)
            return
        told_apart = parts[0].parts if len(parts) == 1 else (out_type.channels,)
        atom = Atom(CHANNELS, out_type.channels, told_apart, out_type)
        dims = (*output.dims[:place], (atom,), *output.dims[place + 1 :])
        self._values[call.output] = Value(dims, output.worlds, lost)

    def _errors_in(self, call: Called) -> bool:
        return any(self._found.weights.get(at) for at in range(call.first, call.last))

    def _lost_before(self, call: Called, in_type: FieldType) -> str:
        """Why the layer is not given what it declares; empty where it is."""
        given = self._values.get(call.input) if call.input is not None else None
        if given is None:
            return f"the input of {call.name} could not be followed"
        at = _channel_place(given.dims, in_type)
        came = None if at is None else type_of(given.dims[at])
        if given.lost or came is None:
            return given.lost or f"the fields of the input of {call.name} are not known"
        return "" if came == in_type else f"the input of {call.name} has other fields than it declares"


def _part_of_field(dims: Dims) -> str:
    """Why a tensor is lost that is one channel of a field: alone, it looks like a scalar one."""
    alone = [atom for atom in atoms_of(dims) if atom.kind == CHANNELS and atom.size == 1 and atom.fields is None]
    return PART_OF_FIELD if alone else ""


def _channel_place(dims: Dims, fields: FieldType | None) -> int | None:
    """The dimension of channels that such fields lie along: the second, or the only one of their size."""
    if fields is None:
        return None
    fitting = [at for at, dim in enumerate(dims) if not has_space([dim]) and size_of(dim) == fields.channels]
    return 1 if 1 in fitting else fitting[-1] if fitting else None


_POOLS = ("max_pool2d_with_indices", "adaptive_max_pool2d")
_VIEWS = (
    "view",
    "_unsafe_view",
    "reshape",
    "unsqueeze",
    "squeeze",
    "expand",
    "permute",
    "transpose",
    "clone",
    "detach",
)
