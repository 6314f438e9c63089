"""The reader of escnn: its field types in our words, and the two modules that enter and leave its typed tensors.

Importing this module imports escnn, which takes seconds.
"""

import warnings
from typing import Any

from torch import Tensor, nn

from equivariance.groups.fields import FieldType, Harmonics, Regular, Representation, Scalar
from equivariance.groups.point_groups import SO2, PointGroup
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
    """Our type for one of escnn's with scalar, regular or harmonic fields; raises ValueError for other fields."""
    group = _group_of(escnn_type.fibergroup)
    runs: list[tuple[Representation, int]] = []
    for escnn_representation in escnn_type.representations:
        representation = _representation_of(escnn_representation, group)
        if runs and runs[-1][0] == representation:
            runs[-1] = (representation, runs[-1][1] + 1)
        else:
            runs.append((representation, 1))
    return FieldType(tuple(runs))


def _group_of(fiber_group: Any) -> PointGroup:
    if fiber_group.continuous:
        return SO2
    mirrors = fiber_group.name.startswith("D")
    return PointGroup(fiber_group.name.lower(), fiber_group.order() // (1 + mirrors), mirrors)


def _representation_of(representation: Any, group: PointGroup) -> Representation:
    if representation.size == 1 and representation.is_trivial():
        return Scalar()
    if representation.name == "regular":
        return Regular(group)
    frequencies = [irrep[-1] for irrep in representation.irreps]
    if group == SO2 and frequencies == list(range(len(frequencies))):
        return Harmonics(len(frequencies) - 1)
    raise ValueError(f"fields of {representation.name} are not supported: use trivial, regular or harmonic fields")
