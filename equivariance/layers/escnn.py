"""escnn itself, and the two modules that enter and leave its typed tensors; its types are read in `reading`.

Importing this module imports escnn, which takes seconds.
"""

import warnings

from torch import Tensor, nn

from equivariance.layers.coefficients import stored_or_remembered
from equivariance.layers.reading import field_type_of

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
