"""Sums along an axis, order among numbers, and what looks at windows without adding them up."""

from typing import Any

import torch

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
    unknown_channels,
    widths_of,
)
from equivariance.following.kinds import permutes
from equivariance.following.picking import picked_of
from equivariance.following.pixelwise import bent
from equivariance.following.recording import Constant
from equivariance.following.reductions import among_channels, set_of
from equivariance.following.skeleton import SHARPNESS, Context, Skeleton, handles, many, one_axis, parts_of, place_of
from equivariance.following.windows import check_maps, from_planes, planes_of


def _mixed_channels(context: Context, value: Skeleton, at: int, size: int) -> Skeleton:
    """Any function of all channels at a place: of scalar fields scalar ones, of others unknown."""
    fields = type_of(value.dims[at])
    is_scalar = fields is not None and fields.is_scalar
    mixed = among_channels(context, value, [at])
    dim: Dim = (channels(size) if is_scalar else unknown_channels(size),)
    tensor = mixed if mixed.shape[at] == 1 else mixed.mean(at, keepdim=True)
    return Skeleton((*value.dims[:at], dim, *value.dims[at + 1 :]), tensor)


@handles("cumsum", "cumprod", "logcumsumexp", "cummax", "cummin")
def _along(context: Context, args: Any, kwargs: Any) -> Any:
    """What runs along an axis: itself where it is smooth, log Σ exp for largest values."""
    value: Skeleton = args[0]
    at = place_of(args[1], len(value.dims))
    name = context.operation.name
    if not has_space([value.dims[at]]):
        result = _mixed_channels(context, value, at, size_of(value.dims[at]))
    else:
        one_axis(value.dims[at])
        if name == "cumsum":
            tensor = value.tensor.cumsum(at) / context.pixels**0.5
        elif name == "cumprod":
            tensor = torch.tanh(value.tensor).cumsum(at)
        else:
            sign = {"cummin": -SHARPNESS, "cummax": SHARPNESS}.get(name, 1.0)
            tensor = torch.logcumsumexp(sign * value.tensor, at) / sign
        dims = value.dims if name == "cumsum" else bent(value.dims)
        result = Skeleton(dims, tensor)
    return [result, None] if len(context.operation.outputs) > 1 else result


@handles("sort", "topk", "kthvalue", "median", "mode", "nanmedian")
def _by_order(context: Context, args: Any, kwargs: Any) -> list[Any]:
    """The largest few of a set, in order: functions of the set, whatever order its numbers come in."""
    value: Skeleton = args[0]
    name = context.operation.name
    given = args[1:] if name in ("sort", "median", "mode", "nanmedian") else args[2:]
    numbers = [each for each in given if isinstance(each, int) and not isinstance(each, bool)]
    if name in ("median", "nanmedian") and not numbers and "dim" not in kwargs:
        raise UnclearError("the median of all numbers of a batch")
    at = place_of(int(kwargs.get("dim", numbers[0] if numbers else -1)), len(value.dims))
    dim = value.dims[at]
    shape = context.out_shape
    is_whole = {atom.kind for atom in many(dim)} == {HEIGHT, WIDTH} or not has_space([dim])
    if has_space([dim]) and (shape == context.in_shape or not is_whole):
        raise UnclearError("the order of numbers along an axis")
    fields = type_of(dim)
    if not has_space([dim]) and not permutes(fields):
        context.lose("an order among channels that elements mix")
    if any(atom.kind == CHANNELS and len(atom.parts) > 1 for atom in dim):
        raise UnclearError("an order among channels that come from different places")
    reduced = set_of(value.tensor, [at])
    rest = bent(value.dims)
    others = None if fields is None and not has_space([dim]) else 1
    if len(shape) < len(value.dims):
        return [Skeleton((*rest[:at], *rest[at + 1 :]), reduced), *[None] * (len(context.operation.outputs) - 1)]
    new: Dim = (channels(shape[at]) if others else unknown_channels(shape[at]),)
    result = Skeleton((*rest[:at], new, *rest[at + 1 :]), reduced.unsqueeze(at))
    return [result, *[None] * (len(context.operation.outputs) - 1)]


@handles("argmax", "argmin")
def _which(context: Context, args: Any, kwargs: Any) -> Skeleton:
    """Which of scalar channels is largest, at each place."""
    value: Skeleton = args[0]
    wanted = kwargs.get("dim", args[1] if len(args) > 1 else None)
    if wanted is None or has_space([value.dims[place_of(wanted, len(value.dims))]]):
        raise UnclearError("the place of the largest number")
    at = place_of(wanted, len(value.dims))
    fields = type_of(value.dims[at])
    if fields is None or not fields.is_scalar:
        context.lose("the number of the largest channel, of channels that elements exchange")
    mixed = _mixed_channels(context, value, at, 1)
    rest = bent(mixed.dims)
    if len(context.out_shape) == len(value.dims):
        return Skeleton(rest, mixed.tensor)
    return Skeleton((*rest[:at], *rest[at + 1 :]), mixed.tensor.squeeze(at))


@handles("tril", "triu")
def _triangle(context: Context, args: Any, kwargs: Any) -> Skeleton:
    check_maps(args[0])
    return from_planes(args[0], context.operation.func(planes_of(args[0]), *args[1:], **kwargs))


@handles("glu")
def _gated(context: Context, args: Any, kwargs: Any) -> Skeleton:
    """The first half of the channels by a function of the second."""
    value: Skeleton = args[0]
    at = place_of(args[1] if len(args) > 1 else -1, len(value.dims))
    half = size_of(value.dims[at]) // 2
    first, second = picked_of(value, at, range(half)), picked_of(value, at, range(half, 2 * half))
    if len(parts_of(first.dims[at])) != len(parts_of(second.dims[at])) or first.dims[at] != second.dims[at]:
        raise UnclearError("two halves of unlike channels")
    return Skeleton(bent(first.dims), first.tensor * torch.sigmoid(second.tensor))


@handles("channel_shuffle", "native_channel_shuffle")
def _shuffled(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    dim = value.dims[1]
    fields = type_of(dim)
    if len(parts_of(dim)) != 1:
        raise UnclearError("channels that come from different places are shuffled")
    new = dim if fields is not None and fields.is_scalar else (unknown_channels(size_of(dim)),)
    return Skeleton((value.dims[0], new, *value.dims[2:]), value.tensor)


@handles("avg_pool3d")
def _over_channels(context: Context, args: Any, kwargs: Any) -> Skeleton:
    """A mean over neighbouring channels, as local response normalisation takes it."""
    value: Skeleton = args[0]
    kernel, stride = list(args[1]), list(args[2]) if len(args) > 2 and args[2] else list(args[1])
    if len(value.dims) != 5 or kernel[1:] != [1, 1] or any(step != 1 for step in stride[-2:]):
        raise UnclearError("windows over three dimensions")
    return _mixed_channels(context, value, 2, context.out_shape[2])


@handles("grid_sampler_2d")
def _sampled(context: Context, args: Any, kwargs: Any) -> Skeleton:
    """Maps read at places that do not depend on the picture."""
    value, grid = args[:2]
    check_maps(value)
    if not isinstance(grid, Constant):
        raise UnclearError("places that depend on the picture")
    places = grid.value().double()
    if not bool((places == places[:1]).all()):
        raise UnclearError("other places for each picture")
    planes = planes_of(value)
    moved = torch.ops.aten.grid_sampler_2d.default(planes, places[:1].expand(len(planes), *places.shape[1:]), *args[2:])
    return from_planes(value, moved)


# ---------------------------------------------------------------------------------------------------- windows, laid out


@handles("unfold")
def _windows_along(context: Context, args: Any, kwargs: Any) -> Skeleton:
    """`x.unfold(dim, size, step)`: places and, as a last dimension, places within the window."""
    value: Skeleton = args[0]
    at = place_of(args[1], len(value.dims))
    kind = one_axis(value.dims[at])
    tensor = value.tensor.unfold(at, args[2], args[3])
    dims: Dims = (*value.dims[:at], (Atom(kind, tensor.shape[at]),), *value.dims[at + 1 :], (Atom(kind, args[2]),))
    return Skeleton(dims, tensor)


@handles("im2col")
def _laid_out(context: Context, args: Any, kwargs: Any) -> Skeleton:
    """(B, C·k·k, L): channels with places within the window, and places of windows."""
    value: Skeleton = args[0]
    check_maps(value)
    if len(value.dims) != 4:
        raise UnclearError("windows of maps without a batch")
    height, width = args[1]
    columns = torch.ops.aten.im2col.default(value.tensor, *args[1:])
    sides = [
        (side + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
        for side, kernel, dilation, pad, stride in zip(value.tensor.shape[-2:], *args[1:5], strict=True)
    ]
    inner: Dim = (*value.dims[1], Atom(HEIGHT, height), Atom(WIDTH, width))
    dims: Dims = (value.dims[0], inner, (Atom(HEIGHT, sides[0]), Atom(WIDTH, sides[1])))
    return Skeleton(dims, columns.reshape(widths_of(dims)))


@handles("col2im")
def _put_back(context: Context, args: Any, kwargs: Any) -> Skeleton:
    """Windows added up where they came from."""
    value: Skeleton = args[0]
    if len(value.dims) != 3:
        raise UnclearError("windows of maps without a batch")
    inner, outer = many(value.dims[1]), many(value.dims[2])
    kernel = tuple(int(side) for side in args[2])
    window = [atom for atom in inner if atom.kind != CHANNELS]
    if [atom.size for atom in window] != [side for side in kernel if side != 1] or inner[
        len(inner) - len(window) :
    ] != window:
        raise UnclearError("windows that are put back elsewhere")
    if [atom.kind for atom in outer] not in ([HEIGHT, WIDTH], [HEIGHT], [WIDTH], []):
        raise UnclearError("windows that are put back elsewhere")
    maps = torch.ops.aten.col2im.default(value.tensor, *args[1:])
    dims: Dims = (
        value.dims[0],
        tuple(inner[: len(inner) - len(window)]) or (channels(1),),
        (Atom(HEIGHT, maps.shape[-2]),),
        (Atom(WIDTH, maps.shape[-1]),),
    )
    return Skeleton(dims, maps)
