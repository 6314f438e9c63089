"""Operations that move numbers and change none."""

import math
from collections.abc import Sequence
from dataclasses import replace
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
    joined_types,
    reshaped,
    size_of,
    type_of,
    unknown_channels,
    width_of,
    widths_of,
)
from equivariance.following.recording import Constant, Operation, Ref
from equivariance.following.skeleton import (
    HANDLERS,
    PART_OF_FIELD,
    Context,
    Skeleton,
    common,
    ends_of,
    filled,
    generic,
    handles,
    many,
    one_axis,
    parts_of,
    place_of,
    shape_of,
)
from equivariance.following.windows import check_maps
from equivariance.groups.fields import FieldType


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


@handles("slice", "narrow")
def _slice(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    at = place_of(args[1] if len(args) > 1 else 0, len(value.dims))
    size = size_of(value.dims[at])
    if context.operation.name == "narrow":
        picked = range(args[2] % (size + 1), args[2] % (size + 1) + args[3])
    else:
        start, stop = (args[2] if len(args) > 2 else None), (args[3] if len(args) > 3 else None)
        picked = range(size)[slice(start, stop, args[4] if len(args) > 4 else 1)]
    return picked_of(value, at, picked)


def picked_of(value: Skeleton, at: int, picked: range) -> Skeleton:
    """Some entries of one dimension."""
    dim = value.dims[at]
    if picked == range(size_of(dim)):
        return value
    step = slice(picked.start, picked.stop if picked.stop >= 0 else None, picked.step)
    if has_space([dim]):
        kind = one_axis(dim)
        tensor = value.tensor[(slice(None),) * at + (step,)]
        return Skeleton((*value.dims[:at], (Atom(kind, len(picked)),), *value.dims[at + 1 :]), tensor)
    dim = _as_one(dim)
    parts = parts_of(dim)
    owner = [part for part, size in enumerate(parts) for _ in range(size)]
    kept = [owner[entry] for entry in picked]
    sources = list(dict.fromkeys(kept))
    new_parts = tuple(kept.count(source) for source in sources)
    index = torch.tensor(sources, dtype=torch.int64)
    atom = next((atom for atom in dim if atom.size != 1), None)
    fields = None if atom is None else _picked_type(atom.fields, picked)
    new = Atom(CHANNELS, len(picked), new_parts, fields)
    return Skeleton((*value.dims[:at], (new,), *value.dims[at + 1 :]), value.tensor.index_select(at, index))


def _as_one(dim: Dim) -> Dim:
    """Channels of several meanings, such as (fields, elements), as one atom; raises UnclearError where they differ."""
    if len(many(dim)) <= 1:
        return dim
    if width_of(dim) != 1:
        raise UnclearError("channels of several meanings are cut")
    return (Atom(CHANNELS, size_of(dim), (size_of(dim),), type_of(dim)),)


def _picked_type(fields: FieldType | None, picked: range) -> FieldType | None:
    """The type of some of the channels, where they are whole fields one after the other."""
    if fields is None:
        return None
    if fields.is_scalar:
        return FieldType(((fields.runs[0][0], len(picked)),))
    if picked.step != 1 or not len(picked):
        return None
    runs: list[tuple[Any, int]] = []
    start = 0
    for representation, count in fields.runs:
        for _ in range(count):
            end = start + representation.size
            if end > picked.start and start < picked.stop:
                if start < picked.start or end > picked.stop:
                    return None
                if runs and runs[-1][0] == representation:
                    runs[-1] = (representation, runs[-1][1] + 1)
                else:
                    runs.append((representation, 1))
            start = end
    return FieldType(tuple(runs))


def _note_part(context: Context, dim: Dim) -> None:
    """A dimension that goes away takes with it that its channel was one of a field."""
    if any(atom.kind == CHANNELS and atom.fields is None for atom in dim):
        context.lose(PART_OF_FIELD)


@handles("select")
def _select(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    at = place_of(args[1], len(value.dims))
    entry = args[2] % size_of(value.dims[at])
    one = picked_of(value, at, range(entry, entry + 1))
    _note_part(context, one.dims[at])
    return Skeleton((*one.dims[:at], *one.dims[at + 1 :]), one.tensor.squeeze(at))


@handles("split", "split_with_sizes", "chunk", "tensor_split", "unbind")
def _split(context: Context, args: Any, kwargs: Any) -> list[Skeleton]:
    value: Skeleton = args[0]
    if context.operation.name == "unbind":
        at = place_of(args[1] if len(args) > 1 else 0, len(value.dims))
        ones = [picked_of(value, at, range(entry, entry + 1)) for entry in range(size_of(value.dims[at]))]
        for one in ones:
            _note_part(context, one.dims[at])
        return [Skeleton((*one.dims[:at], *one.dims[at + 1 :]), one.tensor.squeeze(at)) for one in ones]
    at = place_of(args[2] if len(args) > 2 else kwargs.get("dim", 0), len(value.dims))
    size = size_of(value.dims[at])
    sizes = (
        list(args[1])
        if isinstance(args[1], list | tuple)
        else [min(args[1], size - start) for start in range(0, size, args[1])]
    )
    ends = ends_of(sizes)
    return [picked_of(value, at, range(end - part, end)) for part, end in zip(sizes, ends, strict=True)]


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
    if not places:
        raise UnclearError("a roll over all dimensions at once")
    return Skeleton(tuple(dims), tensor)


@handles("cat", "concat", "concatenate")
def _cat(context: Context, args: Any, kwargs: Any) -> Skeleton:
    at = args[1] if len(args) > 1 else kwargs.get("dim", 0)
    rank = max(len(shape_of(value)) for value in args[0])
    at = place_of(at, rank)
    values = [value for value in args[0] if math.prod(shape_of(value)) != 0 or len(shape_of(value)) == rank]
    return joined(context, values, at)


def joined(context: Context, values: Sequence[Any], at: int) -> Skeleton:
    """Skeletons and constants one after the other along a dimension."""
    skeletons = [value for value in values if isinstance(value, Skeleton)]
    dims = list(skeletons[0].dims)
    for other in skeletons[1:]:
        dims = [dim if place == at else common(dim, other.dims[place]) for place, dim in enumerate(dims)]
    kinds = {atom.kind for value in skeletons for atom in many(value.dims[at]) if atom.kind != CHANNELS}
    owns = [_joined_dim(value, at, next(iter(kinds), None)) for value in values]
    pieces = []
    for salt, (value, own) in enumerate(zip(values, owns, strict=True)):
        wanted = (*dims[:at], own, *dims[at + 1 :])
        pieces.append(filled(context, value, wanted, 10 + salt))
    size = sum(map(size_of, owns))
    if kinds:
        new: Dim = (Atom(next(iter(kinds)), size),)
    else:
        types = [type_of(own) for own in owns]
        fields = None if None in types else joined_types([each for each in types if each is not None])
        new = (Atom(CHANNELS, size, tuple(part for own in owns for part in parts_of(own)), fields),)
    return Skeleton((*dims[:at], new, *dims[at + 1 :]), torch.cat(pieces, at))


def _joined_dim(value: Any, at: int, kind: str | None) -> Dim:
    """What one of several that are joined means along the dimension: all of one axis, or all channels."""
    size = shape_of(value)[at]
    if isinstance(value, Constant):
        return (Atom(kind, size),) if kind else (channels(size),)
    own: Dim = value.dims[at]
    if (kind and size != 1 and one_axis(own) != kind) or (not kind and len(many(own)) > 1):
        raise UnclearError("unlike dimensions are joined")
    return (Atom(kind, size),) if kind else own


@handles("stack")
def _stack(context: Context, args: Any, kwargs: Any) -> Skeleton:
    at = args[1] if len(args) > 1 else kwargs.get("dim", 0)
    at %= len(shape_of(args[0][0])) + 1
    whole = joined(context, [_with_one(value, at) for value in args[0]], at)
    dim = tuple(replace(atom, fields=None) if atom.kind == CHANNELS else atom for atom in whole.dims[at])
    return Skeleton((*whole.dims[:at], dim, *whole.dims[at + 1 :]), whole.tensor)


def _with_one(value: Any, at: int) -> Any:
    if isinstance(value, Skeleton):
        return Skeleton((*value.dims[:at], (channels(1),), *value.dims[at:]), value.tensor.unsqueeze(at))
    return Constant((*value.shape[:at], 1, *value.shape[at:]), lambda: value.value().unsqueeze(at), value.owner)


@handles("repeat", "tile")
def _repeat(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    counts = list(args[1])
    dims = ((channels(1),),) * (len(counts) - len(value.dims)) + value.dims
    tensor = value.tensor.reshape((1,) * (len(counts) - len(value.dims)) + tuple(value.tensor.shape))
    result = Skeleton(dims, tensor)
    for at, count in enumerate(counts):
        if count != 1:
            result = joined(context, [result] * count, at)
    return result


@handles("index_select")
def _index_select(context: Context, args: Any, kwargs: Any) -> Skeleton:
    return _indexed(args[0], place_of(args[1], len(args[0].dims)), args[2])


@handles("index")
def _index(context: Context, args: Any, kwargs: Any) -> Skeleton:
    indices = list(args[1])
    given = [at for at, each in enumerate(indices) if each is not None]
    if len(given) != 1 or not isinstance(indices[given[0]], Constant) or len(indices[given[0]].shape) != 1:
        raise UnclearError("entries picked by several index tensors, or by one that depends on the picture")
    return _indexed(args[0], given[0], indices[given[0]])


def _indexed(value: Skeleton, at: int, index: Any) -> Skeleton:
    if not isinstance(index, Constant):
        raise UnclearError("entries picked by what depends on the picture")
    picked = index.value()
    picked = picked.nonzero().flatten() if picked.dtype in (torch.bool, torch.uint8) else picked.long()
    if bool((picked < 0).any()):
        picked = picked % size_of(value.dims[at])
    dim = value.dims[at]
    if has_space([dim]):
        kind = one_axis(dim)
        return Skeleton(
            (*value.dims[:at], (Atom(kind, len(picked)),), *value.dims[at + 1 :]), value.tensor.index_select(at, picked)
        )
    parts = parts_of(dim)
    owner = [part for part, size in enumerate(parts) for _ in range(size)]
    kept = [owner[int(entry)] for entry in picked]
    runs: list[list[int]] = []
    for source in kept:
        if runs and runs[-1][0] == source:
            runs[-1][1] += 1
        else:
            runs.append([source, 1])
    sources = torch.tensor([source for source, _ in runs], dtype=torch.int64)
    new = unknown_channels(len(picked), [count for _, count in runs])
    return Skeleton((*value.dims[:at], (new,), *value.dims[at + 1 :]), value.tensor.index_select(at, sources))


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


@handles("gather")
def _gather(context: Context, args: Any, kwargs: Any) -> Skeleton:
    """What the largest value of each window was picked from: it depends on the window, as the index does."""
    source, dim, index = args[:3]
    is_index = isinstance(context.operation.args[2], Ref) and context.operation.args[2].number in context.window_indices
    at = place_of(dim, len(source.dims)) if isinstance(source, Skeleton) else 0
    if not is_index or [atom.kind for atom in many(source.dims[at])] not in ([HEIGHT, WIDTH], []):
        raise UnclearError("entries picked by what depends on the picture")
    dims = tuple(
        tuple(replace(atom, fields=None) if atom.kind == CHANNELS else atom for atom in each) for each in index.dims
    )
    return Skeleton(dims, generic(index.tensor, 0.2, 0.3))


# ------------------------------------------------------------------------------------------------------ writes in place


def written(context: Context, base: Any, part: Any) -> Skeleton:
    """All of a tensor once a view of it, taken as `context.operation.view` says, was written to."""
    if not isinstance(base, Skeleton):
        if not isinstance(part, Skeleton):
            raise UnclearError("a write that does not depend on the picture")
        base = _as_base(context, base, part)
    base = _parted(context, base)
    count = math.prod(widths_of(base.dims))
    view = Skeleton(base.dims, torch.arange(count, dtype=torch.float64).reshape(widths_of(base.dims)))
    operation = context.operation
    try:
        for func, args, kwargs, at in operation.view:
            view = _viewed(context, view, func, args, kwargs, at)
    finally:
        context.operation = operation
    tensor = base.tensor.reshape(-1).clone()
    tensor[view.tensor.reshape(-1).long()] = filled(context, part, view.dims).reshape(-1)
    return Skeleton(base.dims, tensor.reshape(base.tensor.shape))


def _viewed(context: Context, view: Skeleton, func: Any, args: Any, kwargs: Any, at: int) -> Skeleton:
    context.operation = Operation(func, (None, *args[1:]), kwargs, (None,), "", None)
    if context.operation.name not in _WRITTEN_THROUGH:
        raise UnclearError(f"a write through {context.operation.name}")
    result = HANDLERS[context.operation.name](context, (view, *args[1:]), kwargs)
    taken: Skeleton = result[at] if isinstance(result, list) else result
    return taken


_WRITTEN_THROUGH = {"slice", "select", "narrow", "split", "unbind", "permute", "transpose", "t", "unsqueeze", "detach"}


def _as_base(context: Context, base: Constant, part: Skeleton) -> Skeleton:
    """A constant tensor in the meaning that the view written into it has."""
    if len(base.shape) != len(part.dims):
        raise UnclearError("a write into a constant with another number of dimensions")
    dims: Dims = tuple(
        dim if size_of(dim) == size else (Atom(one_axis(dim), size),) if has_space([dim]) else (channels(size),)
        for size, dim in zip(base.shape, part.dims, strict=True)
    )
    return Skeleton(dims, filled(context, base, dims))


def _parted(context: Context, base: Skeleton) -> Skeleton:
    """`base` with its channels parted where the view cuts them."""
    dims = list(base.dims)
    places = list(range(len(dims)))
    for func, args, _, _ in context.operation.view:
        name = str(func.overloadpacket.__name__)
        if name not in ("slice", "select", "narrow"):
            continue
        at = place_of(args[1] if len(args) > 1 else 0, len(places))
        dim = dims[places[at]]
        if not has_space([dim]) and size_of(dim) > 1:
            dims[places[at]] = _cut(dim, _cuts(name, args, size_of(dim)))
        if name == "select":
            places.pop(at)
    return Skeleton(tuple(dims), filled(context, base, tuple(dims)))


def _cuts(name: str, args: Any, size: int) -> set[int]:
    """Where a slice cuts a dimension."""
    if name == "select":
        return {args[2] % size, args[2] % size + 1}
    if name == "narrow":
        return {args[2], args[2] + args[3]}
    picked = range(size)[slice(*(args[at] if len(args) > at else None for at in (2, 3, 4)))]
    return {picked.start, picked.stop} if picked.step == 1 else set(range(size))


def _cut(dim: Dim, cuts: set[int]) -> Dim:
    atom = many(_as_one(dim))[0]
    ends = sorted({*ends_of(atom.parts), *cuts} - {0})
    return (replace(atom, parts=tuple(end - start for start, end in zip([0, *ends], ends, strict=False))),)
