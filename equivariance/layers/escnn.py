"""The reader of escnn: its field types in our words, and the two modules that enter and leave its typed tensors.

Importing this module imports escnn, which takes seconds.
"""

import warnings
from typing import Any

import numpy as np
from torch import Tensor, nn

from equivariance.groups.fields import FieldType, Harmonics, Regular, Representation, Scalar
from equivariance.groups.point_groups import O2, SO2, Element, PointGroup
from equivariance.layers.coefficients import stored_or_remembered

with warnings.catch_warnings(), stored_or_remembered():
    warnings.filterwarnings("ignore", message="`py3nj` package not found")  # it serves 3-D groups only
    from escnn import gspaces
    from escnn import nn as escnn_nn

__all__ = ["Enter", "Leave", "escnn_nn", "field_type_of", "gspaces"]


class Enter(nn.Module):
    """Wraps a picture into escnn's GeometricTensor."""

    def __init__(self, field_type: escnn_nn.FieldType) -> None:
        super().__init__()
        self.field_type = field_type

    def forward(self, picture: Tensor) -> escnn_nn.GeometricTensor:
        """(B, C, H, W) → the same, typed."""
        return escnn_nn.GeometricTensor(picture, self.field_type)


class Leave(nn.Module):
    """Takes the tensor out of escnn's GeometricTensor."""

    def forward(self, features: escnn_nn.GeometricTensor) -> Tensor:
        """(B, C, H, W), untyped."""
        return features.tensor


def field_type_of(escnn_type: escnn_nn.FieldType) -> FieldType:
    """Our type for one of escnn's with scalar, regular or harmonic fields.

    Raises ValueError, in one sentence, for other fields and for groups that do not act as ours do.
    """
    group = _group_of(escnn_type.gspace)
    runs: list[tuple[Representation, int]] = []
    for escnn_representation in escnn_type.representations:
        representation = _representation_of(escnn_representation, group)
        if runs and runs[-1][0] == representation:
            runs[-1] = (representation, runs[-1][1] + 1)
        else:
            runs.append((representation, 1))
    return FieldType(tuple(runs))


def _group_of(space: Any) -> PointGroup:
    """The group by what its elements do to the plane: C2 is half a turn in one of escnn's spaces, a mirror in others.

    Raises ValueError for a group whose elements, in escnn's order, are not those of ours.
    """
    fiber_group = space.fibergroup
    if space.dimensionality == 2:
        if fiber_group.continuous:
            theirs = [fiber_group.reflection] if hasattr(fiber_group, "reflection") else []
            group, ours = (O2, [Element(mirrored=True)]) if theirs else (SO2, [])
        else:
            theirs = list(fiber_group.elements)
            turns = sum(bool(np.linalg.det(space.basespace_action(element)) > 0) for element in theirs)
            mirrors = turns < len(theirs)
            group = PointGroup(f"{'d' if mirrors else 'c'}{turns}", turns, mirrors)
            ours = list(group.elements)
        if all(map(np.allclose, map(space.basespace_action, theirs), map(_move, ours))):
            return group
    raise ValueError(
        f"the symmetries {space.name} are not supported: use turns about the centre of the plane, alone or with the "
        f"mirror left-right"
    )


def _move(element: Element) -> np.ndarray:
    """What an element does to (x to the right, y up): (2, 2), float64."""
    cosine, sine = np.cos(np.deg2rad(element.angle_deg)), np.sin(np.deg2rad(element.angle_deg))
    mirror = -1.0 if element.mirrored else 1.0
    return np.array([[cosine * mirror, -sine], [sine * mirror, cosine]])


def _representation_of(representation: Any, group: PointGroup) -> Representation:
    if representation.size == 1 and representation.is_trivial():
        return Scalar()
    if representation.name == "regular":
        return Regular(group)
    frequencies = [irrep[-1] for irrep in representation.irreps]
    if group == SO2 and frequencies == list(range(len(frequencies))):
        return Harmonics(len(frequencies) - 1)
    raise ValueError(
        f"fields of {representation.name} of {representation.group.name} are not supported: use trivial, regular or "
        f"harmonic fields, the latter of SO(2) alone"
    )
