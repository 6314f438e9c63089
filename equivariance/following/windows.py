"""Convolutions, pools, resizes and padding."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from equivariance.following.dims import (
    CHANNELS,
    HEIGHT,
    WIDTH,
    Atom,
    Dim,
    Dims,
    UnclearError,
    channels,
    has_space,
    size_of,
    type_of,
    width_of,
)
from equivariance.following.pixelwise import bent
from equivariance.following.recording import Constant
from equivariance.following.skeleton import (
    SHARPNESS,
    Context,
    Skeleton,
    handles,
    many,
    one_axis,
    parts_of,
    projected,
)
from equivariance.groups.fields import FieldType, move_pixels, scalars
from equivariance.layers.windows import pair

Pair = tuple[int, int]


def check_maps(value: Any) -> None:
    """Raise UnclearError unless the last two dimensions are height and width."""
    if not isinstance(value, Skeleton) or len(value.dims) < 3:
        raise UnclearError("windows over a tensor that is not a map")
    for dim, kind in zip(value.dims[-2:], (HEIGHT, WIDTH), strict=True):
        if any(atom.kind != kind for atom in many(dim)) or len(many(dim)) > 1:
            raise UnclearError("windows over dimensions other than height and width")


def planes_of(value: Skeleton) -> Tensor:
    """(N, 1, H, W): each map by itself."""
    return value.tensor.reshape(-1, 1, *value.tensor.shape[-2:])


def from_planes(value: Skeleton, planes: Tensor) -> Skeleton:
    """Planes of another side in the place of those of `value`."""
    sides: Dims = ((Atom(HEIGHT, planes.shape[-2]),), (Atom(WIDTH, planes.shape[-1]),))
    return Skeleton((*value.dims[:-2], *sides), planes.reshape(*value.tensor.shape[:-2], *planes.shape[-2:]))


# ---------------------------------------------------------------------------------------------------------- convolution


@handles("convolution")
def _convolution(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value, weight, bias, stride, padding, dilation, transposed, output_padding, groups = args[:9]
    check_maps(value)
    if not isinstance(weight, Constant) or len(weight.shape) != 4:
        raise UnclearError("a convolution whose kernel depends on the picture")
    if len(value.dims) == 3:
        whole = _convolution(context, (Skeleton(((channels(1),), *value.dims), value.tensor[None]), *args[1:]), kwargs)
        return Skeleton(whole.dims[1:], whole.tensor[0])
    batch, dim = value.dims[:2]
    if has_space([batch]):
        raise UnclearError("pixels in the batch dimension")
    fields = _looked_at(context, weight, bias, dim, bool(transposed), groups) if context.looks_at_weights else None
    if context.looks_at_weights:
        context.note_scalar(is_scalar=_is_scalar(type_of(dim)) and _is_scalar(fields))
    out_channels = weight.shape[1] * groups if transposed else weight.shape[0]
    kernel, out_parts, kernel_groups = _kernel(context, weight, dim, bool(transposed), groups, out_channels)
    if transposed:
        tensor = functional.conv_transpose2d(
            value.tensor, kernel, None, stride, padding, output_padding, kernel_groups, dilation
        )
    else:
        tensor = functional.conv2d(value.tensor, kernel, None, stride, padding, dilation, kernel_groups)
    if bias is not None and bool(bias.value().any()):
        tensor = context.centred(tensor, 3) + context.factor(3)
    else:
        tensor = context.scaled(tensor)
    out: Dim = (Atom(CHANNELS, out_channels, out_parts, fields),)
    return Skeleton((batch, out, (Atom(HEIGHT, tensor.shape[-2]),), (Atom(WIDTH, tensor.shape[-1]),)), tensor)


def _kernel(
    context: Context, weight: Constant, dim: Dim, transposed: bool, groups: int, out_channels: int
) -> tuple[Tensor, tuple[int, ...], int]:
    """A generic kernel of this world, the parts of its output, and its groups."""
    hw, parts = tuple(weight.shape[-2:]), parts_of(dim)
    if has_space([dim]):
        if transposed or groups != 1:
            raise UnclearError("groups of channels that hold pixels")
        wanted: Dims = ((channels(weight.shape[0]),), dim, (Atom(HEIGHT, hw[0]),), (Atom(WIDTH, hw[1]),))
        return projected(context, weight, weight.shape, wanted, 5), (out_channels,), 1
    if groups > 1 and len(parts) > 1:
        if groups != size_of(dim):
            raise UnclearError("groups of channels from different places")
        shape, out_parts = (len(parts), 1), tuple(part * (out_channels // groups) for part in parts)
        return _moved_kernel(context, context.numbers((*shape, *hw), 1)), out_parts, len(parts)
    shape = (len(parts), 1) if transposed else (1, len(parts))
    return _moved_kernel(context, context.numbers((*shape, *hw), 1)), (out_channels,), 1


def _is_scalar(fields: FieldType | None) -> bool:
    return fields is not None and fields.is_scalar


def _moved_kernel(context: Context, kernel: Tensor) -> Tensor:
    """As an equivariant layer's kernel is, up to its channels; a kernel that is not square cannot be turned.

    From scalar fields to scalar fields it is symmetric itself.
    """
    is_square = kernel.shape[-1] == kernel.shape[-2]
    if context.is_scalar:
        fitting = [element for element in context.kinds.closed if is_square or not element.swaps_axes]
        return torch.stack([move_pixels(kernel, element) for element in fitting]).mean(0)
    return move_pixels(kernel, context.world) if is_square or not context.world.swaps_axes else kernel


def _looked_at(
    context: Context, weight: Constant, bias: Constant | None, dim: Dim, transposed: bool, groups: int
) -> FieldType | None:
    """The type of the output, found once for each weight: it does not depend on the picture's size."""
    keys = (weight.key, None if bias is None else bias.key)
    known = weight.key is not None and (bias is None or bias.key is not None)
    key = (*keys, type_of(dim), context.wanted_type, transposed, groups) if known else None
    return context.kinds.looked_at(
        context.number, key, lambda: _out_type(context, weight, bias, dim, transposed, groups)
    )


def _out_type(
    context: Context, weight: Constant, bias: Constant | None, dim: Dim, transposed: bool, groups: int
) -> FieldType | None:
    in_type, kernel = type_of(dim), weight.value()
    if in_type is None:
        return None
    if groups == 1:
        kernel = kernel.transpose(0, 1) if transposed else kernel
        fields = context.kinds.of_kernel(context.number, kernel, in_type, context.wanted_type)
    elif groups == in_type.channels and kernel.shape[1] == 1 and kernel.shape[0] == groups:
        errors = context.kinds.kernel_errors(kernel, scalars(1), in_type)
        context.kinds.note(context.number, errors, of_places=True)
        fields = in_type
    elif transposed:
        return None
    else:
        fields = context.kinds.of_kernel(context.number, dense(kernel, groups), in_type, context.wanted_type)
    if bias is not None and fields is not None:
        context.kinds.note(context.number, context.kinds.vector_errors(bias.value(), fields))
    return fields


def dense(kernel: Tensor, groups: int) -> Tensor:
    """(C_out, C_in, k, k) of a grouped convolution, whose missing connections are zeros."""
    if groups == 1:
        return kernel
    outs, ins = kernel.shape[0] // groups, kernel.shape[1]
    whole = kernel.new_zeros(kernel.shape[0], ins * groups, *kernel.shape[2:])
    for group in range(groups):
        rows = slice(group * outs, (group + 1) * outs)
        whole[rows, group * ins : (group + 1) * ins] = kernel[rows]
    return whole


# ---------------------------------------------------------------------------------------------------------------- pools


@handles("max_pool2d_with_indices", "max_pool2d")
def _max_pool(context: Context, args: Any, kwargs: Any) -> list[Skeleton]:
    """log Σ exp over each window in the place of the largest: of all of them in any order, and of windows of windows.

    Every equation between sums and log Σ exp holds for sums and maxima too: it is one of polynomials with natural
    coefficients.
    """
    value: Skeleton = args[0]
    check_maps(value)
    kernel = pair(args[1])
    stride = pair(args[2]) if len(args) > 2 and args[2] else kernel
    padding = pair(args[3]) if len(args) > 3 else (0, 0)
    dilation = pair(args[4]) if len(args) > 4 else (1, 1)
    ceil_mode = bool(args[5]) if len(args) > 5 else bool(kwargs.get("ceil_mode", False))
    planes = planes_of(value)
    there = torch.isfinite(planes)
    finite = torch.where(there, planes, torch.zeros_like(planes))
    largest = finite.amax()
    marked = torch.where(there, torch.exp(SHARPNESS * (finite - largest)), torch.zeros_like(planes))
    summed = _window_sums(marked, kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    result = from_planes(value, torch.log(summed / math.prod(kernel) + 1e-30) / SHARPNESS + largest)
    result = Skeleton(bent(result.dims), result.tensor)
    return [result, Skeleton(result.dims, result.tensor + 1.0)]


def _window_sums(
    planes: Tensor, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, *, ceil_mode: bool
) -> Tensor:
    """Sums over windows (padding counts nothing), at the places that torch's pools have."""
    counts, after = [], []
    for axis in (0, 1):
        side, reach = planes.shape[2 + axis], dilation[axis] * (kernel[axis] - 1)
        room = side + 2 * padding[axis] - reach - 1
        count = (-(-room // stride[axis]) if ceil_mode else room // stride[axis]) + 1
        if ceil_mode and (count - 1) * stride[axis] >= side + padding[axis]:
            count -= 1
        counts.append(count)
        after.append(max(stride[axis] * (count - 1) + reach + 1 - side - padding[axis], 0))
    padded = functional.pad(planes, (padding[1], after[1], padding[0], after[0]))
    ones = torch.ones(1, 1, *kernel, dtype=planes.dtype)
    return functional.conv2d(padded, ones, None, stride, 0, dilation)[..., : counts[0], : counts[1]]


@handles("avg_pool2d")
def _avg_pool(context: Context, args: Any, kwargs: Any) -> Skeleton:
    check_maps(args[0])
    return from_planes(args[0], torch.ops.aten.avg_pool2d.default(planes_of(args[0]), *args[1:], **kwargs))


@handles("_adaptive_avg_pool2d")
def _adaptive_avg(context: Context, args: Any, kwargs: Any) -> Skeleton:
    check_maps(args[0])
    return from_planes(args[0], functional.adaptive_avg_pool2d(planes_of(args[0]), pair(args[1])))


@handles("adaptive_max_pool2d")
def _adaptive_max(context: Context, args: Any, kwargs: Any) -> list[Skeleton]:
    check_maps(args[0])
    planes = planes_of(args[0])
    means = functional.adaptive_avg_pool2d(torch.exp(SHARPNESS * (planes - planes.amax())), pair(args[1]))
    result = from_planes(args[0], torch.log(means) / SHARPNESS + planes.amax())
    result = Skeleton(bent(result.dims), result.tensor)
    return [result, Skeleton(result.dims, result.tensor + 1.0)]


@handles(
    "upsample_nearest2d",
    "_upsample_nearest_exact2d",
    "upsample_bilinear2d",
    "upsample_bicubic2d",
    "_upsample_bilinear2d_aa",
    "_upsample_bicubic2d_aa",
    "reflection_pad2d",
    "replication_pad2d",
)
def _by_torch(context: Context, args: Any, kwargs: Any) -> Skeleton:
    """What torch does to the pixels of each map, by torch itself."""
    check_maps(args[0])
    return from_planes(args[0], context.operation.func(planes_of(args[0]), *args[1:], **kwargs))


@handles("constant_pad_nd")
def _pad(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value, padding = args[0], list(args[1])
    fill = float(args[2]) if len(args) > 2 else float(kwargs.get("value", 0))
    dims, tensor = list(value.dims), value.tensor
    for back in range(len(padding) // 2):
        before, after = padding[2 * back], padding[2 * back + 1]
        at = len(dims) - 1 - back
        if before == after == 0:
            continue
        if has_space([dims[at]]):
            tensor = functional.pad(tensor, [0, 0] * back + [before, after], value=fill)
            dims[at] = (Atom(one_axis(dims[at]), tensor.shape[at]),)
            continue
        dims[at], tensor = _padded_channels(dims[at], tensor, back, (before, after), fill)
    return Skeleton(tuple(dims), tensor)


def _padded_channels(dim: Dim, tensor: Tensor, back: int, pads: Pair, fill: float) -> tuple[Dim, Tensor]:
    if min(pads) < 0 or width_of(dim) != len(parts_of(dim)):
        raise UnclearError("channels cut off by padding")
    parts = tuple(part for part in (pads[0], *parts_of(dim), pads[1]) if part)
    fields = type_of(dim)
    padded = scalars(sum(parts)) if fields is not None and fields.is_scalar else None
    tensor = functional.pad(tensor, [0, 0] * back + [int(pads[0] > 0), int(pads[1] > 0)], value=fill)
    return (Atom(CHANNELS, sum(parts), parts, padded),), tensor
