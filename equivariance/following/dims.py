"""What the dimensions of a tensor mean: which of them are space, which are channels, and how an element moves them.

A dimension is a product of atoms, the slowest first, so that reshapes only regroup atoms: `(B, C, H, W)` flattened to
`(B, C·H·W)` has one dimension of three atoms, and a pixel unshuffle splits the atom of the height in two.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from equivariance.groups.fields import FieldType, Interleaved, Regular, Representation, scalars
from equivariance.groups.point_groups import Element

HEIGHT, WIDTH, CHANNELS = "height", "width", "channels"
_FEW = 1024  # numbers that are kept


@dataclass(frozen=True)
class Atom:
    """A factor of a dimension.

    kind: HEIGHT or WIDTH, along which elements move; CHANNELS, on which they act by `fields`.
    parts: of channels, the numbers of channels that are alike in where they come from; the skeleton has one value each.
    fields: of channels, their type; None where it is not known.
    """

    kind: str
    size: int
    parts: tuple[int, ...] = ()
    fields: FieldType | None = None

    @property
    def width(self) -> int:
        """Its size in the skeleton."""
        return len(self.parts) if self.kind == CHANNELS else self.size


Dim = tuple[Atom, ...]
Dims = tuple[Dim, ...]


class UnclearError(Exception):
    """A reshape, slice or the like that the atoms cannot express."""


def channels(size: int, fields: FieldType | None = None, parts: Sequence[int] | None = None) -> Atom:
    """An atom of channels; scalar fields and one part unless given."""
    return Atom(CHANNELS, size, tuple(parts) if parts else (size,), fields if fields is not None else scalars(size))


def unknown_channels(size: int, parts: Sequence[int] | None = None) -> Atom:
    """An atom of channels whose type is not known."""
    return Atom(CHANNELS, size, tuple(parts) if parts else (size,), None)


def size_of(dim: Dim) -> int:
    """Its size in the network."""
    return math.prod(atom.size for atom in dim)


def width_of(dim: Dim) -> int:
    """Its size in the skeleton."""
    return math.prod(atom.width for atom in dim)


def widths_of(dims: Dims) -> tuple[int, ...]:
    """The shape of the skeleton's tensor."""
    return tuple(map(width_of, dims))


def atoms_of(dims: Iterable[Dim]) -> tuple[Atom, ...]:
    """All atoms, in order."""
    return tuple(atom for dim in dims for atom in dim)


def has_space(dims: Iterable[Dim]) -> bool:
    """Whether any atom is space."""
    return any(atom.kind != CHANNELS for atom in atoms_of(dims))


def type_of(dim: Dim) -> FieldType | None:
    """The type of a dimension of channels alone; None where it is not known, or not channels."""
    found: FieldType | None = None
    for atom in dim:
        if atom.size == 1:
            continue
        if atom.kind != CHANNELS or atom.fields is None:
            return None
        if found is None:
            found = atom.fields
        elif found.is_scalar:  # that many copies, field after field
            found = joined_types([atom.fields] * found.channels)
        elif atom.fields.is_scalar:  # element after element
            found = _interleaved(found, atom.size)
            if found is None:
                return None
        else:
            return None
    return scalars(1) if found is None else found


def joined_types(types: Sequence[FieldType]) -> FieldType:
    """The type of channels one after the other."""
    runs: list[tuple[Representation, int]] = []
    for fields in types:
        for representation, count in fields.runs:
            if runs and runs[-1][0] == representation:
                runs[-1] = (representation, runs[-1][1] + count)
            else:
                runs.append((representation, count))
    return FieldType(tuple(runs))


def _interleaved(fields: FieldType, copies: int) -> FieldType | None:
    if len(fields.runs) > 1:
        return None
    representation, count = fields.runs[0]
    if not isinstance(representation, Regular):
        return None
    return FieldType(((Interleaved(representation, copies), count),))


# ------------------------------------------------------------------------------------------------------------ elements


def moved(value: Tensor, dims: Dims, element: Element) -> Tensor:
    """The skeleton's `value` with its space moved by `element`; channels stay (their action is looked at apart)."""
    return _moved(value.reshape([atom.width for atom in atoms_of(dims)]), dims, element)


def acted(value: Tensor, dims: Dims, element: Element) -> Tensor | None:
    """A tensor of the network itself, its space moved and its channels changed; None where their type is unknown."""
    atoms = atoms_of(dims)
    value = value.reshape([atom.size for atom in atoms])
    for at, atom in enumerate(atoms):
        if atom.kind == CHANNELS and atom.size != 1:
            if atom.fields is None or not atom.fields.has_action(element):
                return None
            if not atom.fields.is_scalar:
                value = atom.fields.act(value, element, at)
    return _moved(value, dims, element)


def _moved(value: Tensor, dims: Dims, element: Element) -> Tensor:
    """The same of one dimension for each atom."""
    atoms = atoms_of(dims)
    reverse_height, reverse_width = element.reversed_axes
    flipped = [
        at
        for at, atom in enumerate(atoms)
        if (atom.kind == HEIGHT and reverse_height) or (atom.kind == WIDTH and reverse_width)
    ]
    value = value.flip(flipped)
    if element.swaps_axes:
        heights = [at for at, atom in enumerate(atoms) if atom.kind == HEIGHT]
        widths = [at for at, atom in enumerate(atoms) if atom.kind == WIDTH]
        if len(heights) != len(widths):
            raise UnclearError("height and width are not treated alike")
        order = list(range(len(atoms)))
        for height, width in zip(heights, widths, strict=True):
            order[height], order[width] = width, height
        value = value.permute(order)
    sizes, at = [], 0
    for dim in dims:
        sizes.append(math.prod(value.shape[at : at + len(dim)]))
        at += len(dim)
    return value.reshape(sizes)


def turned(dims: Dims) -> Dims:
    """The dims of the same tensor for the turned picture: heights and widths exchange their sides."""
    atoms = atoms_of(dims)
    heights = [atom.size for atom in atoms if atom.kind == HEIGHT]
    widths = [atom.size for atom in atoms if atom.kind == WIDTH]
    if heights == widths:
        return dims
    if len(heights) != len(widths):
        raise UnclearError("height and width are not treated alike")
    sides = {HEIGHT: iter(widths), WIDTH: iter(heights)}
    return tuple(
        tuple(replace(atom, size=next(sides[atom.kind])) if atom.kind != CHANNELS else atom for atom in dim)
        for dim in dims
    )


# ------------------------------------------------------------------------------------------------------------- reshape


def reshaped(dims: Dims, shape: Sequence[int]) -> Dims:
    """The dims of the same tensor as `shape`; raises UnclearError where an atom would have to be cut unevenly."""
    atoms = list(reversed(atoms_of(dims)))
    result: list[Dim] = []
    for size in shape:
        taken: list[Atom] = []
        rest = int(size)
        while rest != 1:
            if not atoms:
                raise UnclearError("a reshape")
            atom = atoms.pop()
            if rest % atom.size == 0:
                taken.append(atom)
                rest //= atom.size
            elif atom.size % rest == 0:
                first, second = split_atom(atom, rest)
                taken.append(first)
                atoms.append(second)
                rest = 1
            else:
                raise UnclearError("a reshape that cuts across rows")
        while atoms and atoms[-1].size == 1 and (size == 1 or len(result) + 1 == len(shape)):
            taken.append(atoms.pop())
        result.append(tuple(taken))
    if any(atom.size != 1 for atom in atoms):
        raise UnclearError("a reshape")
    return tuple(map(_joined, result))


def _joined(dim: Dim) -> Dim:
    """Neighbouring atoms of one axis as one: reversing both is reversing their product."""
    joined: list[Atom] = []
    for atom in dim:
        if joined and atom.kind != CHANNELS and joined[-1].kind == atom.kind:
            joined[-1] = Atom(atom.kind, joined[-1].size * atom.size)
        else:
            joined.append(atom)
    return tuple(joined)


def split_atom(atom: Atom, outer: int) -> tuple[Atom, Atom]:
    """`atom` as a product of `outer` and what is left."""
    inner = atom.size // outer
    if atom.kind != CHANNELS:
        return replace(atom, size=outer), replace(atom, size=inner)
    parts: tuple[tuple[int, ...], tuple[int, ...]]
    if len(atom.parts) == 1:
        parts = ((outer,), (inner,))
    elif all(part % inner == 0 for part in atom.parts):
        parts = (tuple(part // inner for part in atom.parts), (inner,))
    else:
        raise UnclearError("a reshape of channels that come from different places")
    types = split_type(atom.fields, outer, inner)
    return Atom(CHANNELS, outer, parts[0], types[0]), Atom(CHANNELS, inner, parts[1], types[1])


def split_type(fields: FieldType | None, outer: int, inner: int) -> tuple[FieldType | None, FieldType | None]:
    """The types of the two factors of channels of type `fields`."""
    if fields is None:
        return None, None
    if fields.is_scalar:
        return scalars(outer), scalars(inner)
    if len(fields.runs) == 1:
        representation, count = fields.runs[0]
        if inner % representation.size == 0:
            return scalars(outer), FieldType(((representation, count // outer),))
        if isinstance(representation, Interleaved) and count == 1 and outer == representation.inner.size:
            return FieldType(((representation.inner, 1),)), scalars(inner)
    return None, None


def random_like(widths: Sequence[int], seed: int) -> Tensor:
    """float64 numbers that depend on the seed alone; not to be written to."""
    few = math.prod(widths) <= _FEW
    return _kept_random(tuple(widths), seed) if few else _random(tuple(widths), seed)


def _random(widths: tuple[int, ...], seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(widths, generator=generator, dtype=torch.float64)


@lru_cache(maxsize=8192)
def _kept_random(widths: tuple[int, ...], seed: int) -> Tensor:
    """The same, kept: each size of a picture asks for the same few numbers, and a generator takes longer than them."""
    with torch.inference_mode(mode=False):
        return _random(widths, seed)
