"""Operations that take some entries of a dimension."""

from dataclasses import replace
from typing import Any

import torch

from equivariance.following.dims import (
    CHANNELS,
    HEIGHT,
    WIDTH,
    Atom,
    Dim,
    UnclearError,
    has_space,
    size_of,
    type_of,
    unknown_channels,
    width_of,
)
from equivariance.following.recording import Constant, Ref
from equivariance.following.skeleton import (
    PART_OF_FIELD,
    Context,
    Skeleton,
    ends_of,
    generic,
    handles,
    many,
    one_axis,
    parts_of,
    place_of,
)
from equivariance.groups.fields import FieldType


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
    dim = as_one(dim)
    parts = parts_of(dim)
    owner = [part for part, size in enumerate(parts) for _ in range(size)]
    kept = [owner[entry] for entry in picked]
    sources = list(dict.fromkeys(kept))
    new_parts = tuple(kept.count(source) for source in sources)
    index = torch.tensor(sources, dtype=torch.int64)
    atom = next((atom for atom in dim if atom.size != 1), None)
    fields = None if atom is None else picked_type(atom.fields, picked)
    new = Atom(CHANNELS, len(picked), new_parts, fields)
    return Skeleton((*value.dims[:at], (new,), *value.dims[at + 1 :]), value.tensor.index_select(at, index))


def as_one(dim: Dim) -> Dim:
    """Channels of several meanings, such as (fields, elements), as one atom; raises UnclearError where they differ."""
    if len(many(dim)) <= 1:
        return dim
    if width_of(dim) != 1:
        raise UnclearError("channels of several meanings are cut")
    return (Atom(CHANNELS, size_of(dim), (size_of(dim),), type_of(dim)),)


def picked_type(fields: FieldType | None, picked: range) -> FieldType | None:
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
