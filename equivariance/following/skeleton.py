"""What the handlers of operations share: the skeleton's tensors, the context they work in, and generic numbers."""

import math
import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equivariance.following.dims import (
    CHANNELS,
    Atom,
    Dim,
    Dims,
    UnclearError,
    channels,
    has_space,
    moved,
    random_like,
    size_of,
    type_of,
    width_of,
    widths_of,
)
from equivariance.following.kinds import Kinds
from equivariance.following.recording import Constant, Operation, Ref
from equivariance.groups.fields import FieldType
from equivariance.groups.point_groups import Element

Centre = tuple[float, float]  # a mean and a deviation


@dataclass(frozen=True)
class Skeleton:
    """A tensor of the skeleton, and what its dimensions mean."""

    dims: Dims
    tensor: Tensor


class Context:
    """What a handler needs to know besides its arguments.

    operation, number: what it stands for. world: the element whose picture it works on. looks_at_weights: whether it is
    to find the type of its output, and to note weights that do not commute.
    """

    def __init__(self, kinds: Kinds, shapes: Sequence[tuple[int, ...]], seed: int) -> None:
        self.kinds, self._seed = kinds, seed
        self.shapes: Sequence[tuple[int, ...]] = shapes
        self._scales: dict[int, float] = {}
        self._found: dict[tuple[int, Hashable], Any] = {}
        self._centres: dict[tuple[int, int], Centre] = {}
        self._centres_of: dict[int, list[Centre]] = {}
        self._scalar: dict[int, bool] = {}
        self.operation: Operation
        self.number = 0
        self.world: Element
        self.looks_at_weights = False
        self.wanted_type: FieldType | None = None
        self.lost = ""
        self.window_indices: set[int] = set()  # values that say where in its window a largest number was

    def note_scalar(self, *, is_scalar: bool) -> None:
        """Whether this operation's weights take scalar fields to scalar fields."""
        self._scalar[self.number] = is_scalar

    @property
    def is_scalar(self) -> bool:
        """As noted when the operation's weights were looked at."""
        return self._scalar.get(self.number, False)

    @property
    def out_shape(self) -> tuple[int, ...]:
        """The shape that the network's own output of this operation has."""
        output = self.operation.outputs[0]
        assert output is not None
        return self.shapes[output]

    @property
    def in_shape(self) -> tuple[int, ...]:
        """The shape that the network's own first tensor of this operation has."""
        first = next(value for value in self.operation.args if isinstance(value, Ref))
        return self.shapes[first.number]

    @property
    def pixels(self) -> int:
        """Of the picture: the same for its turn."""
        return max(1, math.prod(self.shapes[0][2:]))

    def of_function(self, args: Any, kwargs: Any) -> int:
        """A salt that depends on the function and its numbers alone, so that the same function twice is the same."""
        described = repr((self.operation.name, _described(args), _described(kwargs)))
        return zlib.crc32(described.encode())

    def lose(self, why: str) -> None:
        """Note that it is not known how the output transforms, whatever the types of its channels say."""
        self.lost = self.lost or why

    def note_asymmetry(self, numbers: Tensor, dims: Dims) -> None:
        """Note how much numbers that depend on the place (the network's own) differ from their own transform."""
        size = float(numbers.norm())
        if not numbers.numel() or bool((numbers == numbers.flatten()[0]).all()):
            return
        errors = {}
        for element in self.kinds.elements:
            try:
                there = moved(numbers.reshape(widths_of(dims)), dims, element)
                error = float((there - numbers.reshape(widths_of(dims))).norm()) / max(size, 1e-30)
            except (UnclearError, RuntimeError):
                continue  # the skeleton tells
            if error > 1e-6:
                errors[element.name] = error
        if errors:
            known = self.kinds.uneven.setdefault(self.number, {})
            known.update({name: max(error, known.get(name, 0.0)) for name, error in errors.items()})

    def numbers(self, widths: Sequence[int], salt: int = 0) -> Tensor:
        """Numbers of this operation, the same in all worlds: float64, normal."""
        return random_like(widths, self._seed + 7919 * (self.number + 1) + salt)

    def factor(self, salt: int = 0, function: int | None = None) -> float:
        """A number of this operation, or of a function, between 0.5 and 1.5."""

        def find() -> float:
            number = self.numbers((1,), salt) if function is None else random_like((1,), self._seed + function + salt)
            return 0.5 + float(torch.sigmoid(number))

        return float(self.once(("factor", salt, function), find))

    def once(self, what: Hashable, find: Callable[[], Any]) -> Any:
        """What `find` gives for this operation, found in one world and kept for the others."""
        key = (self.number, what)
        if key not in self._found:
            self._found[key] = find()
        return self._found[key]

    def scaled(self, tensor: Tensor, salt: int = 0) -> Tensor:
        """`tensor` divided by the size that it has for the picture itself, so that numbers stay near one."""
        key = self.number * 16 + salt
        if key not in self._scales:
            size = float(tensor.square().mean().sqrt()) if tensor.numel() else 1.0
            self._scales[key] = size if size > 1e-12 and math.isfinite(size) else 1.0
        return tensor / self._scales[key]

    def centred(self, tensor: Tensor, salt: int = 0, function: int | None = None) -> Tensor:
        """`tensor` minus its mean and divided by its deviation, both those for the picture itself, plus 0.3.

        Where 0 need not stay 0. Else a large mean takes the bent functions that follow to where they are flat, and
        after some layers no difference is left to see. function: the same one shares what it is centred by with all
        its operations that this serves, so that they stay the same.
        """
        key = (self.number, salt)
        if key not in self._centres:
            own = _centre_of(tensor)
            known = [] if function is None else self._centres_of.setdefault(function, [])
            fitting = [each for each in known if _serves(each, own)]
            if not fitting:
                known.append(own)
            self._centres[key] = fitting[0] if fitting else own
        mean, deviation = self._centres[key]
        return (tensor - mean) / deviation + 0.3


def _centre_of(tensor: Tensor) -> Centre:
    mean = float(tensor.mean()) if tensor.numel() else 0.0
    deviation = float((tensor - mean).square().mean().sqrt()) if tensor.numel() else 1.0
    is_even = not math.isfinite(deviation) or deviation <= 1e-9 * abs(mean) or deviation < 1e-12
    divisor = (abs(mean) or 1.0) if is_even else deviation
    return (mean if math.isfinite(mean) else 0.0, divisor) if math.isfinite(divisor) else (0.0, 1.0)


def _serves(centre: Centre, own: Centre) -> bool:
    """Whether numbers of centre `own` are still seen well from another one."""
    return abs(own[0] - centre[0]) <= centre[1] and 0.25 <= own[1] / centre[1] <= 4.0


def _described(value: Any) -> Any:
    if isinstance(value, Skeleton):
        return "skeleton"
    if isinstance(value, list | tuple):
        return [_described(each) for each in value]
    if isinstance(value, dict):
        return [(name, _described(each)) for name, each in value.items()]
    return value


PART_OF_FIELD = "the fields of its channels are not known: one channel of a field by itself"
SHARPNESS = 1.7  # of log Σ exp in the place of the largest: not the 1 of softmax, which it would undo
Handler = Callable[[Context, Any, Any], Any]
HANDLERS: dict[str, Handler] = {}


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Register how operations of these names act on the skeleton."""

    def register(handler: Handler) -> Handler:
        for name in names:
            HANDLERS[name] = handler
        return handler

    return register


def generic(tensor: Tensor, shift: float, bend: float) -> Tensor:
    """An analytic function in the place of any other; 0 stays 0 where `shift` is 0, and −∞ is what is not there."""
    there = torch.isfinite(tensor)
    finite = torch.where(there, tensor, torch.zeros_like(tensor))
    bent = torch.tanh(finite + shift)
    return torch.where(there, bent + bend * bent * bent + 0.1 * finite, torch.full_like(bent, -1.0))


# ----------------------------------------------------------------------------------------------------------- dimensions


def place_of(dim: int, rank: int) -> int:
    """`dim` counted from the front."""
    return dim % rank


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape that a skeleton or constant has in the network."""
    return value.shape if isinstance(value, Constant) else tuple(map(size_of, value.dims))


def tensors_in(values: Any) -> list[Any]:
    """All skeletons and constants, however deep."""
    found = []
    for value in values:
        if isinstance(value, list | tuple):
            found += tensors_in(value)
        elif isinstance(value, Skeleton | Constant):
            found.append(value)
    return found


def ends_of(parts: Sequence[int]) -> list[int]:
    """Where each part ends."""
    ends, total = [], 0
    for part in parts:
        total += part
        ends.append(total)
    return ends


def many(dim: Dim) -> list[Atom]:
    """The atoms of a dimension that are not of size 1."""
    return [atom for atom in dim if atom.size != 1]


def parts_of(dim: Dim) -> tuple[int, ...]:
    """The parts of a dimension of channels; of several atoms, one each."""
    atoms = many(dim)
    if not atoms:
        return (1,)
    return atoms[0].parts if len(atoms) == 1 and atoms[0].kind == CHANNELS else (1,) * width_of(dim)


def one_axis(dim: Dim) -> str:
    """HEIGHT or WIDTH, of a dimension that is one axis and nothing else; raises UnclearError for others."""
    atoms = many(dim) or [atom for atom in dim if atom.kind != CHANNELS]
    if len(atoms) != 1 or atoms[0].kind == CHANNELS:
        raise UnclearError("a dimension with several meanings is cut or padded")
    return atoms[0].kind


def common(first: Dim, second: Dim) -> Dim:
    """The meaning of two dimensions that are combined: parts are refined; unlike types are unknown."""
    if first == second:
        return first
    ones, others = many(first), many(second)
    if [(atom.kind, atom.size) for atom in ones] != [(atom.kind, atom.size) for atom in others]:
        raise UnclearError("dimensions with different meanings are combined")
    merged = []
    for one, other in zip(ones, others, strict=True):
        if one.kind == CHANNELS:
            ends = sorted({*ends_of(one.parts), *ends_of(other.parts)})
            parts = tuple(end - start for start, end in zip([0, *ends], ends, strict=False))
            one = Atom(CHANNELS, one.size, parts, one.fields if one.fields == other.fields else None)
        merged.append(one)
    return tuple(merged)


# ------------------------------------------------------------------------------------------------------------- together


def aligned(context: Context, values: Sequence[Any]) -> tuple[list[Tensor], Dims]:
    """Skeletons, constants and numbers brought to common dims, as torch broadcasts them."""
    rank = max(len(shape_of(value)) for value in values if isinstance(value, Skeleton | Constant))
    dims = tuple(_aligned_dim(values, at, rank) for at in range(rank))
    return [brought(context, value, dims, salt) for salt, value in enumerate(values)], dims


def _aligned_dim(values: Sequence[Any], at: int, rank: int) -> Dim:
    found: Dim | None = None
    sizes = set()
    for value in values:
        if not isinstance(value, Skeleton | Constant):
            continue
        place = at - rank + len(shape_of(value))
        if place < 0:
            continue
        if isinstance(value, Constant):
            sizes.add(value.shape[place])
            continue
        dim = value.dims[place]
        if found is None or size_of(found) == 1:
            found = dim
        elif size_of(dim) != 1:
            found = common(found, dim)
    size = max(sizes - {1}, default=1)
    if size != 1 and found is not None and size_of(found) == 1 and has_space([found]):
        raise UnclearError("a constant spreads one pixel over many")
    if found is None or (size_of(found) == 1 and size != 1):
        return (channels(size),)
    return found


def brought(context: Context, value: Any, dims: Dims, salt: int) -> Tensor:
    """The tensor of a value for `dims`, broadcastable with others of the same dims."""
    if isinstance(value, Constant):
        return constant(context, value, dims, salt)
    if not isinstance(value, Skeleton):
        return torch.tensor(float(value), dtype=torch.float64)
    missing = len(dims) - len(value.dims)
    tensor = value.tensor.reshape((1,) * missing + tuple(value.tensor.shape))
    for at, (dim, wanted) in enumerate(zip(((),) * missing + value.dims, dims, strict=True)):
        if size_of(dim) != 1:
            tensor = _spread(tensor, at, dim, wanted)
    return tensor


def _spread(tensor: Tensor, at: int, dim: Dim, wanted: Dim) -> Tensor:
    """Channels that are alike repeated where `wanted` tells them apart."""
    if width_of(dim) == width_of(wanted):
        return tensor
    if width_of(dim) == 1:
        return tensor.expand(*tensor.shape[:at], width_of(wanted), *tensor.shape[at + 1 :])
    before, after = tensor.shape[:at], tensor.shape[at + 1 :]
    tensor = tensor.reshape(*before, *[atom.width for atom in many(dim)], *after)
    for offset, (one, other) in enumerate(zip(many(dim), many(wanted), strict=True)):
        if one.width != other.width:
            ends = ends_of(one.parts)
            starts = [end - part for end, part in zip(ends_of(other.parts), other.parts, strict=True)]
            source = [next(at for at, end in enumerate(ends) if start < end) for start in starts]
            tensor = tensor.index_select(at + offset, torch.tensor(source))
    return tensor.reshape(*before, -1, *after)


def filled(context: Context, value: Any, dims: Dims, salt: int = 0) -> Tensor:
    """The same in full, with nothing left to broadcast."""
    return brought(context, value, dims, salt).expand(widths_of(dims))


# ------------------------------------------------------------------------------------------------------------ constants


def constant(context: Context, value: Constant, dims: Dims, salt: int) -> Tensor:
    """What a constant is in the skeleton: its numbers along space, one generic number for its channels."""
    shape = (1,) * (len(dims) - len(value.shape)) + tuple(value.shape)
    varying = [dim for size, dim in zip(shape, dims, strict=True) if size != 1]
    if context.looks_at_weights:
        _note_constant(context, value, shape, dims)
    if has_space(varying):
        numbers = projected(context, value, shape, dims, salt)
        if context.looks_at_weights:
            alone = tuple(dim if size != 1 else () for size, dim in zip(shape, dims, strict=True))
            context.note_asymmetry(numbers, alone)
        return numbers
    widths = [1 if size == 1 else width_of(dim) for size, dim in zip(shape, dims, strict=True)]
    known = value.value()
    if known.numel() == 1:
        return known.double().reshape([1] * len(widths))
    if known.numel() and not bool(known.any()):
        return torch.zeros(widths, dtype=torch.float64)
    return context.numbers(widths, 100 + salt).abs() + 0.3


def _note_constant(context: Context, value: Constant, shape: Sequence[int], dims: Dims) -> None:
    """Note how much a constant differs from its own transform on the channels it is combined with.

    Numbers that depend on the place are averaged over it here; whether the place matters shows in the skeleton, and
    what depends on both is unknown unless the fields are scalar.
    """
    for at, (size, dim) in enumerate(zip(shape, dims, strict=True)):
        fields = type_of(dim) if size != 1 and not has_space([dim]) else None
        if fields is None or fields.is_scalar:
            continue
        rest = [place for place in range(len(shape)) if place != at]
        tensor = value.value().double().reshape(tuple(shape))
        mean = tensor.mean(rest) if rest else tensor
        context.kinds.note(context.number, context.kinds.vector_errors(mean.to(value.value().dtype), fields))
        back = [1] * len(shape)
        back[at] = size
        if rest and not bool(torch.allclose(tensor, mean.reshape(back).expand_as(tensor), rtol=1e-6, atol=1e-12)):
            context.lose("numbers that depend on both the place and the channel")


def projected(context: Context, value: Constant, shape: Sequence[int], dims: Dims, salt: int) -> Tensor:
    """A constant along space with its channels mixed to one number each part (generic, the same in all worlds)."""
    tensor = value.value().double().reshape(tuple(shape))
    for at, dim in enumerate(dims):
        if tensor.shape[at] == 1 or not any(atom.kind == CHANNELS for atom in many(dim)):
            continue
        atoms = many(dim)
        before, after = tensor.shape[:at], tensor.shape[at + 1 :]
        tensor = tensor.reshape(*before, *[atom.size for atom in atoms], *after)
        for offset, atom in enumerate(atoms):
            if atom.kind == CHANNELS:
                mixed = torch.tensordot(tensor, _mix(context, atom, salt), dims=([at + offset], [1]))
                tensor = mixed.movedim(-1, at + offset)
        tensor = tensor.reshape(*before, -1, *after)
    return tensor


def _mix(context: Context, atom: Atom, salt: int) -> Tensor:
    """(parts, channels): generic weights of the channels of each part."""
    mix = torch.zeros(atom.width, atom.size, dtype=torch.float64)
    for part, (end, size) in enumerate(zip(ends_of(atom.parts), atom.parts, strict=True)):
        mix[part, end - size : end] = context.numbers((size,), 200 + salt).abs() + 0.2
    return mix
