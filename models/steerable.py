"""The steerable kit: escnn's layers (Weiler and Cesa 2019, arXiv 1911.08251), with band-limited filters."""

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

from equivariance.groups.fields import FieldType
from equivariance.groups.point_groups import SO2, PointGroup
from equivariance.layers.escnn import Enter, Leave, escnn_nn, field_type_of, gspaces
from models.blocks import Kit

MAXIMUM_FREQUENCY = 3  # of the fields of SO(2)
FOURIER_SAMPLES = 16  # a multiple of 4, so that quarter turns permute the samples

# Fields for one plane of the plain network, so that the numbers of parameters are comparable: a pair of
# fields with a 3×3 filter has 24 weights for C4, 48 for D4 and C8, 96 for D8, 36 for SO(2), and 9 of a plain one.
_FIELDS_PER_PLANE = {"c4": 0.61, "d4": 0.43, "c8": 0.43, "d8": 0.31, "so2": 0.5}


class SteerableKit(Kit):
    """Layers of escnn for C4, D4, C8, D8 (regular fields) and SO(2) (harmonics); they pass GeometricTensors on."""

    def __init__(self, group: PointGroup) -> None:
        super().__init__(group)
        if group == SO2:
            self.space = gspaces.rot2dOnR2(-1, maximum_frequency=2 * MAXIMUM_FREQUENCY)
            self._frequencies = self.space.fibergroup.bl_irreps(MAXIMUM_FREQUENCY)
            self._field = self.space.fibergroup.spectral_regular_representation(*self._frequencies, name=None)
        else:
            make_space = gspaces.flipRot2dOnR2 if group.mirrors else gspaces.rot2dOnR2
            self.space = make_space(group.rotations)
            self._field = self.space.regular_repr

    def picture(self, channels: int) -> escnn_nn.FieldType:
        return escnn_nn.FieldType(self.space, [self.space.trivial_repr] * channels)

    def hidden(self, planes: int) -> escnn_nn.FieldType:
        count = max(1, round(planes * _FIELDS_PER_PLANE[self.group.name]))
        return escnn_nn.FieldType(self.space, [self._field] * count)

    def conv(
        self,
        in_type: escnn_nn.FieldType,
        out_type: escnn_nn.FieldType,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = False,
    ) -> nn.Module:
        conv = escnn_nn.R2Conv(
            in_type, out_type, kernel_size, stride=stride, padding=padding, bias=bias, initialize=False
        )
        he_initialize(conv)
        return conv

    def norm(self, field_type: escnn_nn.FieldType) -> nn.Module:
        return escnn_nn.IIDBatchNorm2d(field_type) if self.group == SO2 else escnn_nn.InnerBatchNorm(field_type)

    def activation(self, field_type: escnn_nn.FieldType) -> nn.Module:
        if self.group != SO2:
            return escnn_nn.ReLU(field_type)
        return escnn_nn.FourierELU(
            self.space, len(field_type), self._frequencies, type="regular", N=FOURIER_SAMPLES, inplace=False
        )

    def max_pool(self, field_type: escnn_nn.FieldType, kernel_size: int, *, stride: int, padding: int = 0) -> nn.Module:
        pool = escnn_nn.NormMaxPool if self.group == SO2 else escnn_nn.PointwiseMaxPool2D
        return pool(field_type, kernel_size, stride=stride, padding=padding)

    def group_pool(self, field_type: escnn_nn.FieldType) -> nn.Module:
        return escnn_nn.NormPool(field_type) if self.group == SO2 else escnn_nn.GroupPooling(field_type)

    def field_type(self, field_type: escnn_nn.FieldType) -> FieldType:
        return field_type_of(field_type)

    def dropout(self, field_type: escnn_nn.FieldType, rate: float) -> nn.Module:
        dropout = escnn_nn.FieldDropout if self.group == SO2 else escnn_nn.PointwiseDropout
        return dropout(field_type, rate)

    def enter(self, picture: escnn_nn.FieldType) -> nn.Module:
        return Enter(picture)

    def leave(self) -> nn.Module:
        return Leave()


def he_initialize(conv: escnn_nn.R2Conv) -> None:
    """Draw the weights of `conv` from escnn's generalised He distribution without its loop over every weight.

    All pairs of fields share their standard deviations up to √(number of in fields), so they are computed for one pair
    and repeated. Needs fields of one kind on either side.
    """
    if len(set(conv.in_type.representations)) > 1 or len(set(conv.out_type.representations)) > 1:
        raise ValueError("he_initialize needs fields of one kind in and fields of one kind out")
    one_in, one_out = conv.in_type.index_select([0]), conv.out_type.index_select([0])
    deviations = _he_deviations(one_in, one_out, conv.kernel_size) / math.sqrt(len(conv.in_type))
    with torch.no_grad():
        drawn = torch.randn(len(conv.out_type) * len(conv.in_type), len(deviations))
        conv.weights.copy_((drawn * deviations).flatten())


@lru_cache(maxsize=256)
def _he_deviations(one_in: escnn_nn.FieldType, one_out: escnn_nn.FieldType, kernel_size: int) -> Tensor:
    pair = escnn_nn.R2Conv(one_in, one_out, kernel_size, initialize=False, bias=False)
    # escnn calls them variances; they are standard deviations.
    return escnn_nn.init._generalized_he_init_variances(pair.basisexpansion)
