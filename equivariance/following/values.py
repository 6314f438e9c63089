"""Tensors of the skeleton in each world, and when two of them agree."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from equivariance.following.dims import (
    CHANNELS,
    HEIGHT,
    WIDTH,
    Atom,
    Dims,
    UnclearError,
    atoms_of,
    has_space,
    moved,
    size_of,
    type_of,
)
from equivariance.following.skeleton import Skeleton
from equivariance.groups.fields import FieldType, move_pixels
from equivariance.groups.point_groups import IDENTITY, Element

AGREES = 1e-8  # relative; a step's rounding is 1e-15 or so, a displaced grid changes the first digit
SMALL_AGREES = 1e-6


@dataclass(frozen=True)
class Value:
    """A tensor of the skeleton in each world, what its dimensions mean, and why its transform is not known, if so."""

    dims: Dims
    worlds: Mapping[Element, Skeleton]
    lost: str = ""

    @property
    def unknown(self) -> str:
        """Why it is not known how the channels transform; empty where it is."""
        if self.lost:
            return self.lost
        if any(type_of(dim) is None for dim in self.dims if not has_space([dim])):
            return "the fields of its channels are not known"
        mixed = [atom for dim in self.dims if has_space([dim]) for atom in dim if atom.kind == CHANNELS]
        return "the fields of its channels are not known" if any(atom.fields is None for atom in mixed) else ""

    @property
    def has_maps(self) -> bool:
        """Whether its last two dimensions are the axes of maps, in either order, and no other holds places."""
        if len(self.dims) < 3 or any(atom.size != 1 for atom in atoms_of(self.dims[:-2]) if atom.kind != CHANNELS):
            return False
        axes = [[atom.kind for atom in dim if atom.size != 1] for dim in self.dims[-2:]]
        if max(map(len, axes)) > 1 or [CHANNELS] in axes or axes[0] == axes[1]:
            return False
        return len(self.dims) > 3 or min(map(len, axes)) == 1

    @property
    def has_places(self) -> bool:
        """Whether it holds places at all, in whatever order."""
        return any(atom.kind != CHANNELS and atom.size != 1 for dim in self.dims for atom in dim)

    def answers(self, element: Element) -> bool:
        """Whether, as an output, it is moved with the picture if it is maps, and stays the same if it is not."""
        expected = self.worlds[IDENTITY].tensor
        return same(self.worlds[element].tensor, move_pixels(expected, element) if self.has_maps else expected)

    @property
    def fields(self) -> FieldType | None:
        """The type of its channels, of the dimension that has most of them; None where it is not known."""
        dims = [dim for dim in self.dims if not has_space([dim])]
        largest = max(dims, key=size_of, default=None)
        return None if largest is None or self.lost else type_of(largest)

    @property
    def type_of_channels(self) -> FieldType | None:
        """The type of all channels together, but for the pictures of a batch; None where it is not known."""
        atoms = tuple(atom for dim in self.dims[1:] for atom in dim if atom.kind == CHANNELS)
        return None if self.lost else type_of(atoms)

    @property
    def dims_of_maps(self) -> Dims:
        """What its dimensions mean to a reader who takes the last two for height and width."""
        lead = tuple(tuple(atom for atom in dim if atom.kind == CHANNELS) for dim in self.dims[:-2])
        height, width = map(size_of, self.dims[-2:])
        return (*lead, (Atom(HEIGHT, height),), (Atom(WIDTH, width),))

    @property
    def is_scalar(self) -> bool:
        """Whether elements change no channel."""
        atoms = [atom for dim in self.dims for atom in dim if atom.kind == CHANNELS and atom.size != 1]
        return all(atom.fields is not None and atom.fields.is_scalar for atom in atoms)


def moved_or_none(value: Skeleton, element: Element) -> Tensor | None:
    """The moved tensor; None where its dimensions cannot be moved."""
    try:
        return moved(value.tensor, value.dims, element)
    except UnclearError:
        return None


def same(value: Tensor, expected: Tensor | None) -> bool:
    """Whether two tensors agree but for rounding; infinities must be in the same places."""
    if expected is None or value.shape != expected.shape:
        return False
    finite = torch.isfinite(expected)
    if not torch.equal(finite, torch.isfinite(value)):
        return False
    value, expected = value[finite], expected[finite]
    if not expected.numel():
        return True
    if float((torch.tanh(value) - torch.tanh(expected)).abs().max()) > SMALL_AGREES:
        return False  # small numbers beside a few that are large, as −10⁹ in masks is
    return float((value - expected).abs().max()) <= AGREES * max(float(expected.abs().max()), 1e-6)
