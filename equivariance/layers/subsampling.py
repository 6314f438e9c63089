"""Subsampling that keeps the symmetry of a network, its weights and all its sides.

`symmetric`: every layer samples about the centre of its input. A layer that gives m pixels covers
L = s(m − 1) + d(k − 1) + 1 of them; it is given just these, centred on its input, and pads nothing itself (see
`windows.AxisWindow.centring`). Where L and the side differ by an odd number, the mean of neighbouring pixels comes
first: a grid of one pixel less, centred on the same point. The mean never reaches further than 2×2 pixels.

`with_larger_kernels`: the same with that mean as part of the kernel, which becomes one pixel larger: (k+1)×(k+1).
What lies outside then enters the mean at the border, as it does in any convolution that pads. For comparison.

`antialiased`: the published alternative (Zhang 2019, arXiv 1904.11486): the layer runs at stride 1, and a blur with
the stride samples what it gives. It makes shifts smoother and centres nothing.
"""

import copy
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from equivariance.layers.export import layers_of
from equivariance.layers.group_conv import GroupConv2d
from equivariance.layers.plain import FieldMaxPool2d
from equivariance.layers.windows import AxisWindow, pair

Network = TypeVar("Network", bound=nn.Module)
Windows = tuple[AxisWindow, AxisWindow]  # of height and width
BLUR = (0.25, 0.5, 0.25)  # the paper's "Tri-3"


def symmetric(network: Network, *, only: Collection[str] | None = None, in_place: bool = False) -> Network:
    """A copy of `network`, or `network` itself `in_place`, whose layers sample about the centre of their input.

    That is all layers, or only those in `only`.

    Weights, their names and the sides of all feature maps stay. Convolutions, pools and paddings with a constant are
    changed; function calls such as `F.max_pool2d` are not layers and stay as they are.
    """
    return _with_layers(network, only, _centre, in_place=in_place)


def with_larger_kernels(network: Network, *, only: Collection[str] | None = None, in_place: bool = False) -> Network:
    """The same as `symmetric`, but layers that would take a mean first get a kernel that is one pixel larger.

    The weights are those of the file: the larger kernel of a convolution is theirs, spread over 2×2 pixels, and a
    max-pool takes the largest of one pixel more.
    """
    return _with_layers(network, only, _enlarge, in_place=in_place)


def antialiased(network: Network, *, only: Collection[str] | None = None, in_place: bool = False) -> Network:
    """A copy whose strided convolutions and max-pools run at stride 1 and are blurred when sampled."""
    return _with_layers(network, only, _blur, in_place=in_place)


def windows_of(layer: nn.Module) -> Windows | None:
    """The windows of a convolution, pool or padding for height and width, as published; None for any other layer."""
    if isinstance(layer, Centred):
        return layer.windows
    if isinstance(layer, nn.Conv2d | GroupConv2d):
        return _conv_windows(layer)
    if isinstance(layer, nn.ConstantPad2d):
        left, right, top, bottom = layer.padding
        return _padding_window(top, bottom), _padding_window(left, right)
    if isinstance(layer, nn.MaxPool2d | nn.AvgPool2d | FieldMaxPool2d):
        return _pool_windows(layer)
    return None


def declared_windows(layer: nn.Module) -> tuple[Windows, ...]:
    """The windows of a layer, one after the other, where its operations do not show them; else none."""
    windows = windows_of(layer)
    if windows is None or not isinstance(layer, Centred | FieldMaxPool2d):
        return ()
    if isinstance(layer, Antialiased):
        height, width = (AxisWindow("conv", len(BLUR), stride, pad=1) for stride in layer.strides)
        return windows, (height, width)
    return (windows,)


class Centred(nn.Module):
    """Mixed into the class of a layer: its input is centred on what the layer covers, and the layer pads nothing."""

    windows: Windows  # as published
    pad_mode: str
    pad_value: float

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', h, w), of the sides that the layer gives as published."""
        return super().forward(self.centre(features))

    def centre(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, L, L'): the pixels that the windows cover, about the centre of `features`."""
        pads = []
        for axis, window in zip((-2, -1), self.windows, strict=True):
            centring = window.centring(features.shape[axis])
            pads.append(centring.pad)
            if centring.averages:
                features = _between(features, axis, window)
        return _pad(features, pads[0], pads[1], mode=self.pad_mode, value=self.pad_value)


class Enlarged(Centred):
    """Mixed in like `Centred`: all is padded before the mean, which so is a part of the kernel."""

    def centre(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, L, L'): from L + 1 pixels where the kernel is one larger."""
        axes = list(zip((-2, -1), self.windows, strict=True))
        missing = [window.span(features.shape[axis]) - features.shape[axis] for axis, window in axes]
        rows, columns = (-(-pixels // 2) for pixels in missing)  # an odd number: one more
        features = _pad(features, rows, columns, mode=self.pad_mode, value=self.pad_value)
        for (axis, _), pixels in zip(axes, missing, strict=True):
            if pixels % 2:
                features = _joined(self, *_neighbours(features, axis))
        return features


class _CentredMean(Centred):
    """For a mean over real pixels alone: divided by how much of each window is real."""

    def forward(self, features: Tensor) -> Tensor:
        real = super().forward(torch.ones_like(features[:1, :1]))
        return super().forward(features) / real.clamp_min(torch.finfo(real.dtype).eps)


class Antialiased(nn.Module):
    """Mixed into the class of a layer whose stride is now 1: what it gives is blurred, and sampled with `strides`."""

    strides: tuple[int, int]

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', h, w), of the sides that the layer gives as published in floor mode."""
        features = super().forward(features)
        taps = torch.tensor(BLUR, dtype=features.dtype, device=features.device)
        channels = features.shape[1]
        kernel = (taps[:, None] * taps[None, :]).expand(channels, 1, 3, 3)
        return functional.conv2d(features, kernel, stride=self.strides, padding=1, groups=channels)


def _between(features: Tensor, axis: int, window: AxisWindow) -> Tensor:
    """The means of neighbours along an axis: n pixels → n − 1, and 1 → 2 (between the pixel and what lies outside)."""
    side = features.shape[axis]
    if side == 1:
        outside_counts = window.kind in ("conv", "padded mean")  # as zero
        return features.repeat_interleave(2, dim=axis) * (0.5 if outside_counts else 1.0)
    first, second = _neighbours(features, axis)
    return (first + second) / 2


def _neighbours(features: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """All pixels but the last along an axis, and all but the first."""
    side = features.shape[axis]
    return features.narrow(axis, 0, side - 1), features.narrow(axis, 1, side - 1)


def _joined(layer: nn.Module, first: Tensor, second: Tensor) -> Tensor:
    """What a window of two pixels gives: the mean, for max-pools the larger, of fields the longer."""
    if isinstance(layer, nn.MaxPool2d):
        return torch.maximum(first, second)
    if isinstance(layer, FieldMaxPool2d):
        field, other = (each.unflatten(1, (-1, layer.field_size)) for each in (first, second))
        is_longer = field.square().sum(2, keepdim=True) >= other.square().sum(2, keepdim=True)
        return torch.where(is_longer, field, other).flatten(1, 2)
    return (first + second) / 2


def _pad(features: Tensor, rows: int, columns: int, *, mode: str, value: float) -> Tensor:
    """Pixels added on both sides of each axis, or cut off where negative."""
    if rows < 0 or columns < 0:
        cut = [min(columns, 0)] * 2 + [min(rows, 0)] * 2
        features = functional.pad(features, cut)
    added = [max(columns, 0)] * 2 + [max(rows, 0)] * 2
    if not any(added):
        return features
    return functional.pad(features, added, mode=mode, value=value if mode == "constant" else None)


def _with_layers(
    network: Network, only: Collection[str] | None, change: Callable[[nn.Module], None], *, in_place: bool
) -> Network:
    changed = network if in_place else copy.deepcopy(network)
    for name, layer in layers_of(changed):
        if only is None or name in only:
            change(layer)
    return changed


def _centre(layer: Any, how: type[Centred] = Centred) -> None:
    """Make `layer` centre its input, where that can make a difference: where it strides, or pads one side more."""
    windows = windows_of(layer)
    if isinstance(layer, Centred) or windows is None or all(w.stride == 1 and w.extra_pad == 0 for w in windows):
        return
    layer.windows = tuple(replace(window, centred=True) for window in windows)
    layer.pad_mode = getattr(layer, "padding_mode", "zeros").replace("zeros", "constant")
    layer.pad_value = -torch.inf if isinstance(layer, nn.MaxPool2d) else getattr(layer, "value", 0.0)
    only_real = isinstance(layer, nn.AvgPool2d) and windows[0].kind == "mean" and layer.divisor_override is None
    layer.__class__ = _mixed(_CentredMean if only_real else how, type(layer))  # type: ignore[arg-type]  # classes are hashable
    _pad_nothing(layer)


def _enlarge(layer: Any) -> None:
    _centre(layer, Enlarged)


def _pad_nothing(layer: Any) -> None:
    if isinstance(layer, nn.ConstantPad2d):
        layer.padding = (0, 0, 0, 0)
    elif isinstance(layer, nn.Conv2d):
        layer.padding, layer.padding_mode = (0, 0), "zeros"
    else:
        layer.padding = 0
        layer.ceil_mode = False


def _blur(layer: Any) -> None:
    windows = windows_of(layer)
    if windows is None or isinstance(layer, nn.AvgPool2d) or all(window.stride == 1 for window in windows):
        return
    layer.strides = windows[0].stride, windows[1].stride
    layer.stride = 1 if isinstance(layer.stride, int) else (1, 1)
    layer.__class__ = _mixed(Antialiased, type(layer))  # type: ignore[arg-type]  # classes are hashable


@cache
def _mixed(mixin: type[nn.Module], kind: type[nn.Module]) -> type[nn.Module]:
    """The class of a changed layer; named like the layer's own, which it still is one of."""
    return type(kind.__name__, (mixin, kind), {"__module__": kind.__module__})


def _conv_windows(conv: Any) -> Windows:
    kernels, dilations = pair(conv.kernel_size), pair(conv.dilation)
    if conv.padding == "same":
        total = [dilation * (kernel - 1) for dilation, kernel in zip(dilations, kernels, strict=True)]
    else:
        total = [0, 0] if conv.padding == "valid" else [2 * pad for pad in pair(conv.padding)]
    height, width = (
        AxisWindow("conv", kernel, stride, dilation, pads // 2, extra_pad=pads % 2)
        for kernel, stride, dilation, pads in zip(kernels, pair(conv.stride), dilations, total, strict=True)
    )
    return height, width


def _pool_windows(pool: Any) -> Windows:
    kind = "max"
    if isinstance(pool, nn.AvgPool2d):
        kind = "padded mean" if pool.count_include_pad and pool.divisor_override is None else "mean"
    dilations = pair(getattr(pool, "dilation", 1))
    ceil_mode = bool(getattr(pool, "ceil_mode", False))
    sides = zip(pair(pool.kernel_size), pair(pool.stride), dilations, pair(pool.padding), strict=True)
    height, width = (AxisWindow(kind, *numbers, ceil_mode) for numbers in sides)
    return height, width


def _padding_window(before: int, after: int) -> AxisWindow:
    return AxisWindow("conv", 1, pad=before, extra_pad=after - before)
