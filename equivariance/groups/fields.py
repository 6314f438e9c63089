"""Types of feature fields: how the channels of a layer change when the picture is transformed.

Every type stores its channels field after field, and within a field element after element (or frequency after
frequency), so that one action serves all networks.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from equivariance.groups.point_groups import Element, PointGroup

_PART_ROWS = 64  # of a kernel that are worked on at once: 2 MB in float64 for 440 channels and 3×3 pixels
_SNAP = 1e-12  # so near to 0 and ±1 a listed number is one of them
_ORTHOGONAL = 1e-9


def move_pixels(maps: Tensor, element: Element) -> Tensor:
    """`maps` (..., H, W) with every pixel moved by `element`: (..., H, W), or (..., W, H) where it swaps the axes.

    The centre is the centre of the grid; nothing is resampled or padded. Raises ValueError for other angles.
    """
    if not element.moves_pixels:
        raise ValueError(f"{element.name} does not move pixels to pixels")
    mirrored = maps.flip(-1) if element.mirrored else maps
    return torch.rot90(mirrored, round(element.angle_deg / 90.0), (-2, -1))


class Representation(Hashable, Protocol):
    """How the channels of one field mix under an element; orthogonal."""

    @property
    def name(self) -> str:
        """Readable name."""

    @property
    def size(self) -> int:
        """Channels of one field."""

    def matrix(self, element: Element) -> np.ndarray | None:
        """(size, size), float64; None where the element has no action on this field."""


@dataclass(frozen=True)
class Scalar:
    """One channel that no element changes."""

    name: str = "scalar"
    size: int = 1

    def matrix(self, element: Element) -> np.ndarray | None:
        """The 1×1 identity, for every element."""
        return np.eye(1)


@dataclass(frozen=True)
class Regular:
    """One channel per group element; element u sends the value at h to u∘h."""

    group: PointGroup
    name: str = "regular"

    @property
    def size(self) -> int:
        """Order of the group."""
        return self.group.order

    def matrix(self, element: Element) -> np.ndarray | None:
        """Permutation matrix, or None for elements outside the group."""
        if element not in self.group:
            return None
        matrix = np.zeros((self.size, self.size))
        for column, h in enumerate(self.group.elements):
            matrix[self.group.index(element.after(h)), column] = 1.0
        return matrix


@dataclass(frozen=True)
class Interleaved:
    """Fields stored element after element, as channels (|G|, copies): channel e·copies + i is element e of field i."""

    inner: Regular
    copies: int

    @property
    def name(self) -> str:
        """`regular, element-major`."""
        return f"{self.inner.name}, element-major"

    @property
    def size(self) -> int:
        """Channels of all copies."""
        return self.inner.size * self.copies

    def matrix(self, element: Element) -> np.ndarray | None:
        """ρ(g) ⊗ 1, or None for elements outside the group."""
        matrix = self.inner.matrix(element)
        return None if matrix is None else np.kron(matrix, np.eye(self.copies))


@dataclass(frozen=True)
class Harmonics:
    """Frequencies 0 … `maximum_frequency` of a function on SO(2): one channel, then (cosine, sine) pairs."""

    maximum_frequency: int
    name: str = "irreps"

    @property
    def size(self) -> int:
        """1 + 2 · maximum frequency."""
        return 1 + 2 * self.maximum_frequency

    def matrix(self, element: Element) -> np.ndarray | None:
        """Block-diagonal rotation by frequency times angle, or None for mirrors. Quarter turns are exact."""
        if element.mirrored:
            return None
        matrix = np.eye(self.size)
        for frequency in range(1, self.maximum_frequency + 1):
            cosine, sine = _cosine_sine(frequency * element.angle_deg)
            at = 2 * frequency - 1
            matrix[at : at + 2, at : at + 2] = [[cosine, -sine], [sine, cosine]]
        return matrix


@dataclass(frozen=True)
class Tabulated:
    """A field whose matrices are listed: quotient, irreducible, restricted, induced fields, sums of them, and others.

    matrices: of `elements`, in their order: (elements, size, size), float64, row after row. Orthogonal.
    """

    name: str
    size: int
    elements: tuple[Element, ...]
    matrices: bytes

    def matrix(self, element: Element) -> np.ndarray | None:
        """The listed matrix, or None for elements that are not listed."""
        if element not in self.elements:
            return None
        return self._table()[self.elements.index(element)].copy()

    @property
    def is_permutation(self) -> bool:
        """Whether every listed element only exchanges channels."""
        table = self._table()
        return bool(((table == 0) | (table == 1)).all())

    def _table(self) -> np.ndarray:
        return np.frombuffer(self.matrices, dtype=np.float64).reshape(-1, self.size, self.size)


def tabulated(name: str, table: Mapping[Element, np.ndarray]) -> Tabulated:
    """The field with these matrices, (size, size) each; numbers next to 0 and ±1 are these.

    Raises ValueError for matrices that are not orthogonal.
    """
    matrices = np.stack([np.asarray(matrix, dtype=np.float64) for matrix in table.values()])
    whole = np.round(matrices)
    matrices = np.where(np.abs(matrices - whole) < _SNAP, whole + 0.0, matrices)
    size = matrices.shape[-1]
    if np.abs(matrices @ matrices.transpose(0, 2, 1) - np.eye(size)).max() > _ORTHOGONAL:
        raise ValueError(f"fields of {name} are not supported: their matrices are not orthogonal")
    return Tabulated(name, size, tuple(table), matrices.tobytes())


def _cosine_sine(angle_deg: float) -> tuple[float, float]:
    quarter_turns, rest_deg = divmod(angle_deg % 360.0, 90.0)
    cosine, sine = np.cos(np.deg2rad(rest_deg)), np.sin(np.deg2rad(rest_deg))
    for _ in range(int(quarter_turns)):
        cosine, sine = -sine, cosine
    return float(cosine), float(sine)


@lru_cache(maxsize=4096)
def _action(representation: Representation, element: Element) -> Tensor | None:
    """A permutation as indices (size,) int64, any other action as a matrix (size, size) float64, or None.

    Kept for all who come later: a tensor made in inference mode would refuse gradients to them.
    """
    matrix = representation.matrix(element)
    if matrix is None:
        return None
    source = matrix.argmax(axis=1)
    is_permutation = np.array_equal(matrix, np.eye(len(matrix))[source])
    with torch.inference_mode(mode=False):
        return torch.from_numpy(source if is_permutation else matrix)


@dataclass(frozen=True)
class FieldType:
    """Channels of a layer: runs of (representation, number of fields)."""

    runs: tuple[tuple[Representation, int], ...]

    @property
    def channels(self) -> int:
        """Channels of all fields."""
        return sum(representation.size * count for representation, count in self.runs)

    @property
    def fields(self) -> int:
        """Number of fields."""
        return sum(count for _, count in self.runs)

    @property
    def title(self) -> str:
        """In words: `8 regular`, `3 scalar`, …"""
        return ", ".join(f"{count} {representation.name}" for representation, count in self.runs)

    @property
    def is_scalar(self) -> bool:
        """Whether no channel is changed by any element."""
        return all(isinstance(representation, Scalar) for representation, _ in self.runs)

    def field_channels(self) -> list[range]:
        """The channels of each field, in order."""
        ranges, start = [], 0
        for representation, count in self.runs:
            for _ in range(count):
                ranges.append(range(start, start + representation.size))
                start += representation.size
        return ranges

    def has_action(self, element: Element) -> bool:
        """Whether `element` acts on every field."""
        return all(_action(representation, element) is not None for representation, _ in self.runs)

    def act(self, values: Tensor, element: Element, dim: int = 1) -> Tensor:
        """`values` with ρ(element) applied along `dim` (of size `channels`); raises ValueError without an action."""
        if values.shape[dim] != self.channels:
            raise ValueError(f"{values.shape[dim]} channels given to a type of {self.channels}")
        parts = []
        runs = values.split([representation.size * count for representation, count in self.runs], dim)
        for (representation, count), part in zip(self.runs, runs, strict=True):
            action = _action(representation, element)
            if action is None:
                raise ValueError(f"{element.name} has no action on {representation.name} fields")
            fields = part.unflatten(dim, (count, representation.size))
            if action.dtype == torch.int64:
                moved = fields.index_select(dim + 1, action.to(values.device))
            else:
                matrix = action.to(values.device, values.dtype)
                moved = torch.tensordot(fields, matrix, dims=([dim + 1], [1])).movedim(-1, dim + 1)
            parts.append(moved.flatten(dim, dim + 1))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim)


def scalars(count: int) -> FieldType:
    """`count` scalar fields."""
    return FieldType(((Scalar(), count),))


def regular(group: PointGroup, count: int) -> FieldType:
    """`count` regular fields of `group`."""
    return FieldType(((Regular(group), count),))


def transformed_kernel(weight: Tensor, element: Element, *, in_type: FieldType, out_type: FieldType) -> Tensor:
    """ρ_out(g) · (g moves the pixels of W) · ρ_in(g)⁻¹: (C_out, C_in, k, k), W itself iff the layer commutes with g."""
    return out_type.act(in_type.act(move_pixels(weight, element), element, dim=1), element, dim=0)


def average_kernel(weight: Tensor, group: PointGroup, *, in_type: FieldType, out_type: FieldType) -> Tensor:
    """The nearest kernel that commutes with the pixel-exact elements of `group`: their mean, (C_out, C_in, k, k).

    float64, whatever `weight` is. The subgroup is a product of up to three halves, so the mean is up to three means of
    two kernels.
    """
    averaged = torch.empty(weight.shape, dtype=torch.float64)
    for rows, fields in kernel_parts(out_type):
        part = weight[rows].double()
        for generator in generators_of(group):
            moved = transformed_kernel(part, generator, in_type=in_type, out_type=fields)
            part = moved.add_(part).div_(2)
        averaged[rows] = part
    return averaged


def average_bias(bias: Tensor, group: PointGroup, out_type: FieldType) -> Tensor:
    """The nearest bias (C_out,) that the pixel-exact elements of `group` do not change: float64."""
    averaged = bias.double()
    for generator in generators_of(group):
        averaged = (averaged + out_type.act(averaged, generator, dim=0)) / 2
    return averaged


def generators_of(group: PointGroup) -> list[Element]:
    """Elements of which the pixel-exact subgroup is the product, each halving what is left: half turn, turn, mirror."""
    mirrors = [element for element in group.pixel_exact_elements if element.mirrored][:1]
    return [*(turn for turn in (Element(180.0), Element(90.0)) if turn in group), *mirrors]


def kernel_parts(out_type: FieldType) -> Iterator[tuple[slice, FieldType]]:
    """Whole fields of a kernel's output, few enough for little memory: their rows (C_out) and their type."""
    start = 0
    for representation, count in out_type.runs:
        most = max(1, _PART_ROWS // representation.size)
        for first in range(0, count, most):
            fields = FieldType(((representation, min(most, count - first)),))
            yield slice(start, start + fields.channels), fields
            start += fields.channels
