"""Full-filter group convolutions (Cohen and Welling 2016, arXiv 1602.07576): p4 for C4, p4m for D4.

One free k×k kernel per pair of fields and relative element, copied to all elements by moving its pixels: exact in every
dtype, and cheap to build and to train.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from equivariance.groups.fields import FieldType, Regular, move_pixels
from equivariance.groups.point_groups import PointGroup


class GroupConv2d(nn.Module):
    """Convolution from scalar or regular fields to regular fields of a group whose elements all move pixels.

    weight: (out fields, in fields, |G| or 1 for scalar input, k, k); bias: one number per out field.
    The kernel of output element g is the base kernel moved by g, its input elements h taken at g⁻¹∘h.
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.in_type, self.out_type = in_type, out_type
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.group = _full_filter_group(out_type)
        if not in_type.is_scalar and _full_filter_group(in_type) != self.group:
            raise ValueError(f"full filters need scalars or the same group on both sides, not {in_type}")
        in_elements = 1 if in_type.is_scalar else self.group.order
        shape = (out_type.fields, in_type.fields, in_elements, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros(out_type.fields)) if bias else None
        nn.init.normal_(self.weight, std=math.sqrt(2.0 / math.prod(shape[1:])))  # He et al. 2015, fan-in
        relative = [[self.group.index(g.inverse.after(h)) for h in self.group.elements] for g in self.group.elements]
        self._relative = relative if in_elements > 1 else [[0]] * self.group.order

    def kernel(self) -> Tensor:
        """The planar kernel: (out fields · |G|, in fields · |G| or in fields, k, k), differentiable."""
        copies = [
            move_pixels(self.weight[:, :, source], element)
            for element, source in zip(self.group.elements, self._relative, strict=True)
        ]
        stacked = torch.stack(copies, dim=1)  # (out, |G|, in, |G| or 1, k, k)
        return stacked.flatten(2, 3).flatten(0, 1)

    def planar_bias(self) -> Tensor | None:
        """The bias of every channel: (out fields · |G|,), or None."""
        return None if self.bias is None else self.bias.repeat_interleave(self.group.order)

    def forward(self, features: Tensor) -> Tensor:
        """(B, in channels, H, W) → (B, out channels, h, w)."""
        return functional.conv2d(features, self.kernel(), self.planar_bias(), self.stride, self.padding, self.dilation)

    def extra_repr(self) -> str:
        """Fields, kernel, stride and padding."""
        return (
            f"{self.in_type.fields} → {self.out_type.fields} fields of {self.group.name}, kernel {self.kernel_size}, "
            f"stride {self.stride}, padding {self.padding}"
        )


class FieldNorm2d(nn.BatchNorm3d):
    """Batch normalization with statistics and affine parameters shared by the elements of each regular field."""

    def __init__(self, field_type: FieldType) -> None:
        super().__init__(field_type.fields)
        self.in_type = self.out_type = field_type

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, H, W)."""
        fields = features.unflatten(1, (self.num_features, -1))  # (B, fields, |G|, H, W)
        return super().forward(fields).flatten(1, 2)


def _full_filter_group(field_type: FieldType) -> PointGroup:
    representations = {representation for representation, _ in field_type.runs}
    if len(representations) == 1:
        (representation,) = representations
        if isinstance(representation, Regular):
            group = representation.group
            if group.pixel_exact_elements == group.elements:
                return group
    raise ValueError(f"full filters need regular fields of a group that moves pixels, not {field_type}")
