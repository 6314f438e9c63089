"""Operations that put tensors side by side."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from equivariance.following.dims import (
    CHANNELS,
    Atom,
    Dim,
    UnclearError,
    channels,
    joined_types,
    size_of,
    type_of,
)
from equivariance.following.recording import Constant
from equivariance.following.skeleton import (
    Context,
    Skeleton,
    common,
    filled,
    handles,
    many,
    one_axis,
    parts_of,
    place_of,
    shape_of,
)


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
