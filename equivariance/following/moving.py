"""Operations that move pixels: turns, mirrors, rolls, and pixels that change places with channels."""

from typing import Any

from equivariance.following.dims import (
    CHANNELS,
    HEIGHT,
    WIDTH,
    Atom,
    Dims,
    UnclearError,
    has_space,
    reshaped,
    size_of,
    unknown_channels,
    widths_of,
)
from equivariance.following.skeleton import (
    Context,
    Skeleton,
    handles,
    one_axis,
    parts_of,
    place_of,
)
from equivariance.following.windows import check_maps


@handles("flip")
def _flip(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    rank = len(value.dims)
    dims, tensor = list(value.dims), value.tensor
    for dim in args[1]:
        at = place_of(dim, rank)
        if has_space([dims[at]]):
            one_axis(dims[at])
            tensor = tensor.flip(at)
        elif size_of(dims[at]) > 1:
            parts = parts_of(dims[at])
            tensor = tensor.flip(at)
            dims[at] = (unknown_channels(size_of(dims[at]), tuple(reversed(parts))),)
    return Skeleton(tuple(dims), tensor)


@handles("rot90")
def _rot90(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    turns = (args[1] if len(args) > 1 else 1) % 4
    first, second = (place_of(dim, len(value.dims)) for dim in (args[2] if len(args) > 2 else (0, 1)))
    result = value
    for _ in range(turns):
        result = _flip(context, (result, [second]), {})
        order = list(range(len(value.dims)))
        order[first], order[second] = second, first
        result = Skeleton(tuple(result.dims[at] for at in order), result.tensor.permute(order))
    return result


@handles("roll")
def _roll(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    shifts = args[1] if isinstance(args[1], list | tuple) else [args[1]]
    places = args[2] if len(args) > 2 else []
    if not places:
        raise UnclearError("a roll over all dimensions at once")
    tensor, dims = value.tensor, list(value.dims)
    for shift, dim in zip(shifts, places, strict=True):
        at = place_of(dim, len(dims))
        if has_space([dims[at]]):
            one_axis(dims[at])
            tensor = tensor.roll(shift, at)
        elif len(parts_of(dims[at])) > 1:
            raise UnclearError("channels from different places are rolled")
        else:
            dims[at] = (unknown_channels(size_of(dims[at])),)
    return Skeleton(tuple(dims), tensor)


@handles("pixel_unshuffle")
def _pixel_unshuffle(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    check_maps(value)
    r = int(args[1])
    height, width = (size_of(dim) for dim in value.dims[-2:])
    dims = (
        *value.dims[:-3],
        (*value.dims[-3], Atom(HEIGHT, r), Atom(WIDTH, r)),
        (Atom(HEIGHT, height // r),),
        (Atom(WIDTH, width // r),),
    )
    lead = value.tensor.shape[:-2]
    cut = value.tensor.reshape(*lead, height // r, r, width // r, r)
    rank = cut.dim()
    order = [*range(rank - 4), rank - 3, rank - 1, rank - 4, rank - 2]
    return Skeleton(dims, cut.permute(order).reshape(widths_of(dims)))


@handles("pixel_shuffle")
def _pixel_shuffle(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    check_maps(value)
    r = int(args[1])
    count = size_of(value.dims[-3])
    height, width = value.dims[-2], value.dims[-1]
    split = reshaped(value.dims, (*map(size_of, value.dims[:-3]), count // r**2, r, r, size_of(height), size_of(width)))
    inner_h, inner_w = split[-4], split[-3]
    if all(atom.kind == CHANNELS for atom in (*inner_h, *inner_w)):
        return _channels_to_places(context, value, r)
    if any(atom.kind != HEIGHT for atom in inner_h if atom.size != 1) or any(
        atom.kind != WIDTH for atom in inner_w if atom.size != 1
    ):
        raise UnclearError("pixels are put back in other places")
    widths = widths_of(split)
    rank = len(widths)
    order = [*range(rank - 4), rank - 2, rank - 4, rank - 1, rank - 3]
    tensor = value.tensor.reshape(widths).permute(order)
    dims = (*split[:-4], (Atom(HEIGHT, size_of(height) * r),), (Atom(WIDTH, size_of(width) * r),))
    return Skeleton(dims, tensor.reshape(widths_of(dims)))


def _channels_to_places(context: Context, value: Skeleton, r: int) -> Skeleton:
    """Each pixel becomes r×r, of channels that have weights of their own: told apart by generic factors."""
    if len(parts_of(value.dims[-3])) != 1:
        raise UnclearError("channels from different places become pixels")
    factors = 1.0 + 0.5 * context.numbers((r, r), 9)
    lead, (height, width) = value.tensor.shape[:-2], value.tensor.shape[-2:]
    spread = value.tensor.reshape(*lead, height, 1, width, 1) * factors.reshape(1, r, 1, r)
    dims: Dims = (
        *value.dims[:-3],
        (unknown_channels(size_of(value.dims[-3]) // r**2),),
        (Atom(HEIGHT, height * r),),
        (Atom(WIDTH, width * r),),
    )
    return Skeleton(dims, spread.reshape(*lead, height * r, width * r))
