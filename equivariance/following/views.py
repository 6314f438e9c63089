"""Operations that show the same numbers in another shape or order."""

from typing import Any

from equivariance.following.dims import (
    CHANNELS,
    Atom,
    Dim,
    channels,
    has_space,
    reshaped,
    size_of,
    widths_of,
)
from equivariance.following.skeleton import (
    Context,
    Skeleton,
    handles,
    place_of,
)


@handles("view", "_unsafe_view", "reshape", "_reshape_alias", "flatten", "unflatten", "view_copy")
def _view(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    shape = context.out_shape
    dims = reshaped(value.dims, shape)
    return Skeleton(dims, value.tensor.reshape(widths_of(dims)))


@handles("permute", "transpose", "t", "movedim", "swapaxes")
def _permute(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    rank = len(value.dims)
    if context.operation.name == "permute":
        order = [place_of(dim, rank) for dim in args[1]]
    else:
        order = list(range(rank))
        first, second = (0, 1) if context.operation.name == "t" else (args[1], args[2])
        if rank > 1:
            first, second = place_of(first, rank), place_of(second, rank)
            order[first], order[second] = order[second], order[first]
    return Skeleton(tuple(value.dims[at] for at in order), value.tensor.permute(order))


@handles("unsqueeze")
def _unsqueeze(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    at = args[1] % (len(value.dims) + 1)
    return Skeleton((*value.dims[:at], (channels(1),), *value.dims[at:]), value.tensor.unsqueeze(at))


@handles("squeeze")
def _squeeze(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    rank = len(value.dims)
    chosen = args[1] if len(args) > 1 else list(range(rank))
    places = {place_of(dim, rank) for dim in (chosen if isinstance(chosen, list | tuple) else [chosen])}
    keep = [at for at in range(rank) if at not in places or size_of(value.dims[at]) != 1]
    return Skeleton(tuple(value.dims[at] for at in keep), value.tensor.reshape([value.tensor.shape[at] for at in keep]))


@handles("expand", "broadcast_to")
def _expand(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    shape = context.out_shape
    dims = ((channels(1),),) * (len(shape) - len(value.dims)) + value.dims
    new: list[Dim] = []
    for dim, size in zip(dims, shape, strict=True):
        if size_of(dim) == size:
            new.append(dim)
        elif has_space([dim]):
            new.append((Atom(next(atom.kind for atom in dim if atom.kind != CHANNELS), size),))
        else:
            new.append((channels(size),))
    tensor = value.tensor.reshape((1,) * (len(shape) - len(value.dims)) + tuple(value.tensor.shape))
    return Skeleton(tuple(new), tensor.expand(widths_of(tuple(new))))
