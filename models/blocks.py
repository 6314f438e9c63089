"""Kits: the layers that a family is built of, plain or with full filters; `steerable` has escnn's.

A family (`cnn`, `resnet`, `wide_resnet`) reads the same for every group; the kit decides what a convolution is.
"""

import math
from abc import ABC, abstractmethod
from typing import Any

from torch import nn

from equivariance.groups.fields import FieldType, Harmonics, regular, scalars
from equivariance.groups.point_groups import PointGroup
from equivariance.layers.group_conv import FieldNorm2d, GroupConv2d
from equivariance.layers.plain import FieldLength, GroupMaxPool, SpatialMean, typed
from models.catalog import MAXIMUM_FIRST, MEAN_FIRST, NO_POOLING


class Kit(ABC):
    """What a family needs to build its layers. `Any` stands for a FieldType, ours or escnn's."""

    def __init__(self, group: PointGroup) -> None:
        self.group = group

    @abstractmethod
    def picture(self, channels: int) -> Any:
        """The type of the picture: `channels` scalars."""

    @abstractmethod
    def hidden(self, planes: int) -> Any:
        """The type that stands in for `planes` planes of the plain network, at a comparable number of parameters."""

    @abstractmethod
    def conv(
        self, in_type: Any, out_type: Any, kernel_size: int, *, stride: int = 1, padding: int = 0, bias: bool = False
    ) -> nn.Module:
        """A convolution."""

    @abstractmethod
    def norm(self, field_type: Any) -> nn.Module:
        """Batch normalization, shared within each field."""

    @abstractmethod
    def activation(self, field_type: Any) -> nn.Module:
        """A nonlinearity that commutes with the group."""

    @abstractmethod
    def max_pool(self, field_type: Any, kernel_size: int, *, stride: int, padding: int = 0) -> nn.Module:
        """Max-pooling over space."""

    @abstractmethod
    def group_pool(self, field_type: Any) -> nn.Module:
        """Pooling of the group: one invariant number per field."""

    @abstractmethod
    def field_type(self, field_type: Any) -> FieldType:
        """`field_type` in our own terms."""

    def enter(self, picture: Any) -> nn.Module:
        """From a tensor to what the layers of the kit take."""
        return nn.Identity()

    def leave(self) -> nn.Module:
        """Back to a tensor."""
        return nn.Identity()

    def dropout(self, field_type: Any, rate: float) -> nn.Module:
        """Dropout of single numbers, as the authors of the paper have it: while it trains it breaks the symmetry."""
        return typed(nn.Dropout(rate), self.field_type(field_type), self.field_type(field_type))

    def head(self, field_type: Any, classes: int, *, order: str) -> nn.Module:
        """Pool space and the group in an order of `models.catalog.HEADS`, then classify: (B, C, H, W) → (B, classes).

        For an exactly equivariant network both orders give invariant logits; for others they differ in how much of the
        group's error is left in them.
        """
        pooled = self.field_type(field_type)
        pools_group = order != NO_POOLING and not pooled.is_scalar
        head = nn.Sequential()
        if pools_group and order == MAXIMUM_FIRST:
            head.add_module("group_pool", self.group_pool(field_type))
            pooled = scalars(pooled.fields)
        head.add_module("leave", self.leave())
        head.add_module("spatial_mean", typed(SpatialMean(), pooled, pooled))
        if pools_group and order == MEAN_FIRST:
            head.add_module("group_pool", typed(_vector_pool(pooled), pooled, scalars(pooled.fields)))
            pooled = scalars(pooled.fields)
        logits = scalars(classes) if pooled.is_scalar else None  # without group pooling no element acts on the logits
        head.add_module("classifier", typed(nn.Linear(pooled.channels, classes), pooled, logits))
        return head


def _vector_pool(field_type: FieldType) -> nn.Module:
    """Pooling of the group in vectors, (B, C) → (B, fields): the length of harmonics, else the largest value."""
    ((representation, _),) = field_type.runs
    pool = FieldLength if isinstance(representation, Harmonics) else GroupMaxPool
    return pool(representation.size)


class PlainKit(Kit):
    """Torch's own layers; every channel is a scalar field."""

    def picture(self, channels: int) -> FieldType:
        return scalars(channels)

    def hidden(self, planes: int) -> FieldType:
        return scalars(planes)

    def conv(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = False,
    ) -> nn.Module:
        conv = nn.Conv2d(in_type.channels, out_type.channels, kernel_size, stride, padding, bias=bias)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
        return typed(conv, in_type, out_type)

    def norm(self, field_type: FieldType) -> nn.Module:
        return typed(nn.BatchNorm2d(field_type.channels), field_type, field_type)

    def activation(self, field_type: FieldType) -> nn.Module:
        return typed(nn.ReLU(), field_type, field_type)

    def max_pool(self, field_type: FieldType, kernel_size: int, *, stride: int, padding: int = 0) -> nn.Module:
        return typed(nn.MaxPool2d(kernel_size, stride, padding), field_type, field_type)

    def group_pool(self, field_type: FieldType) -> nn.Module:
        raise ValueError("plain networks have no group to pool")

    def field_type(self, field_type: FieldType) -> FieldType:
        return field_type


class FullKit(PlainKit):
    """Full filters on regular fields: the networks of the paper. Activations and pools are those of plain networks."""

    def hidden(self, planes: int) -> FieldType:
        return regular(self.group, max(1, round(planes / math.sqrt(self.group.order))))

    def conv(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = False,
    ) -> nn.Module:
        return GroupConv2d(in_type, out_type, kernel_size, stride=stride, padding=padding, bias=bias)

    def norm(self, field_type: FieldType) -> nn.Module:
        return FieldNorm2d(field_type)

    def group_pool(self, field_type: FieldType) -> nn.Module:
        return typed(GroupMaxPool(self.group.order), field_type, scalars(field_type.fields))
