"""Writes into a part of a tensor, taken through views."""

import math
from dataclasses import replace
from typing import Any

import torch

from equivariance.following.dims import (
    Atom,
    Dim,
    Dims,
    UnclearError,
    channels,
    has_space,
    size_of,
    widths_of,
)
from equivariance.following.picking import as_one
from equivariance.following.recording import Constant, Operation
from equivariance.following.skeleton import (
    HANDLERS,
    Context,
    Skeleton,
    ends_of,
    filled,
    many,
    one_axis,
    place_of,
)


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
    atom = many(as_one(dim))[0]
    ends = sorted({*ends_of(atom.parts), *cuts} - {0})
    return (replace(atom, parts=tuple(end - start for start, end in zip([0, *ends], ends, strict=False))),)
