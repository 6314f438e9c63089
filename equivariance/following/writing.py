"""Writes into a part of a tensor, taken through views."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from equivariance.following.dims import (
    Atom,
    Dim,
    UnclearError,
    channels,
    has_space,
    joined_types,
    size_of,
    type_of,
    width_of,
    widths_of,
)
from equivariance.following.picking import as_one, picked_type
from equivariance.following.recording import Constant, Operation
from equivariance.following.skeleton import (
    HANDLERS,
    Context,
    Skeleton,
    ends_of,
    filled,
    many,
    one_axis,
    parts_of,
    shape_of,
)
from equivariance.groups.fields import FieldType, scalars


@dataclass(frozen=True)
class _Lies:
    """Where a dimension of a tensor lies in a view of it: along which of its dimensions (None: one entry was taken),
    and which entries these are, in order."""

    along: int | None
    entries: list[int]

    def is_all_of(self, size: int) -> bool:
        """Whether the view has the whole dimension."""
        return self.entries == list(range(size))


def written(context: Context, base: Any, part: Any) -> Skeleton:
    """All of a tensor once a view of it, taken as `context.operation.view` says, was written to."""
    if not isinstance(base, Skeleton) and not isinstance(part, Skeleton):
        raise UnclearError("a write that does not depend on the picture")
    operation = context.operation
    lies, rank = _lies(shape_of(base), operation.view)
    dims = tuple(_dim_after(base, part, at, lies, rank) for at in range(len(lies)))
    tensor = filled(context, base, dims).reshape(-1).clone()
    view = Skeleton(dims, torch.arange(tensor.numel(), dtype=torch.float64).reshape(widths_of(dims)))
    try:
        for func, args, kwargs, at in operation.view:
            view = _viewed(context, view, func, args, kwargs, at)
    finally:
        context.operation = operation
    tensor[view.tensor.reshape(-1).long()] = filled(context, part, view.dims).reshape(-1)
    return Skeleton(dims, tensor.reshape(widths_of(dims)))


def _viewed(context: Context, view: Skeleton, func: Any, args: Any, kwargs: Any, at: int) -> Skeleton:
    context.operation = Operation(func, (None, *args[1:]), kwargs, (None,), "", None)
    if context.operation.name not in _WRITTEN_THROUGH:
        raise UnclearError(f"a write through {context.operation.name}")
    result = HANDLERS[context.operation.name](context, (view, *args[1:]), kwargs)
    taken: Skeleton = result[at] if isinstance(result, list) else result
    return taken


_WRITTEN_THROUGH = {"slice", "select", "narrow", "split", "unbind", "permute", "transpose", "t", "unsqueeze", "detach"}


def _lies(shape: Sequence[int], view: Sequence[Any]) -> tuple[list[_Lies], int]:
    """Of each dimension of a tensor of such a shape, where it lies in a view, as torch takes it; the view's rank."""
    found, rank = [], len(shape)
    for at, size in enumerate(shape):
        labels = torch.arange(size).as_strided(tuple(shape), [int(place == at) for place in range(len(shape))])
        for func, args, kwargs, number in view:
            taken = func(labels, *args[1:], **kwargs)
            labels = taken[number] if isinstance(taken, list | tuple) else taken
        rank = labels.dim()
        along = max((dim for dim in range(rank) if labels.stride(dim)), key=labels.size, default=None)
        first = labels[tuple(slice(None) if dim == along else 0 for dim in range(rank))] if labels.numel() else None
        found.append(_Lies(along, [] if first is None else first.reshape(-1).tolist()))
    return found, rank


def _dim_after(base: Any, part: Any, at: int, lies: Sequence[_Lies], rank: int) -> Dim:
    """What a dimension of the base means once the part is written: channels are told apart where the part does."""
    own, size = lies[at], shape_of(base)[at]
    source = _source_of(part, own, rank)
    if isinstance(base, Skeleton):
        dim: Dim = base.dims[at]
        if source is not None and 1 not in (size, size_of(source)) and has_space([source]) != has_space([dim]):
            raise UnclearError("places are written into channels, or channels into places")
        is_same = isinstance(part, Constant) or dim == source
        if has_space([dim]) or size == 1 or (own.is_all_of(size) and is_same):
            return dim
    elif source is None:
        if size != 1:
            raise UnclearError("a write into a constant with another number of dimensions")
        return (channels(1),)
    elif own.is_all_of(size) and size_of(source) == size:
        return source
    elif has_space([source]):
        return (Atom(one_axis(source), size),)
    else:
        dim = (channels(size),)
    atom = many(as_one(dim))[0] if size != 1 else channels(1)
    is_apart = isinstance(base, Constant) or all(
        each.is_all_of(length) for each, length in zip(lies, shape_of(base), strict=True) if each is not own
    )
    fields = _type_after(atom.fields, part, source, own, is_apart=is_apart)
    ends = sorted({*ends_of(atom.parts), *_cuts(own, source), size} - {0})
    return (
        replace(atom, parts=tuple(end - start for start, end in zip([0, *ends], ends, strict=False)), fields=fields),
    )


def _source_of(part: Any, own: _Lies, rank: int) -> Dim | None:
    """The dimension of the part that is written along a dimension of the base; None where it has none."""
    if not isinstance(part, Skeleton) or own.along is None:
        return None
    place = own.along - rank + len(part.dims)
    return part.dims[place] if place >= 0 else None


def _cuts(own: _Lies, source: Dim | None) -> Collection[int]:
    """Where channels of the base must be told apart: about what is written, and where the part tells its own apart."""
    entries = own.entries
    cuts = {entry for entry in entries if entry - 1 not in entries} | {
        entry + 1 for entry in entries if entry + 1 not in entries
    }
    if source is not None and width_of(source) != 1:
        cuts |= {entries[end] for end in ends_of(parts_of(source))[:-1]}
    return cuts


def _type_after(
    fields: FieldType | None, part: Any, source: Dim | None, own: _Lies, *, is_apart: bool
) -> FieldType | None:
    """The type of channels of which some are written; is_apart: whether these are nowhere left as they were."""
    entries = own.entries
    if fields is None or not entries:
        return fields
    picked = range(entries[0], entries[-1] + 1)
    is_row = entries == list(picked)
    here = picked_type(fields, picked if is_row else range(0, 2 * len(entries), 2))
    if isinstance(part, Constant):
        return fields if here is not None else None  # its numbers are held against the type
    there = scalars(len(entries)) if source is None or size_of(source) == 1 else type_of(source)
    if there is not None and there == here:
        return fields
    if there is None or not (is_row and is_apart):
        return None
    before, after = range(picked.start), range(picked.stop, fields.channels)
    kept = [picked_type(fields, before), there, picked_type(fields, after)]
    types = [each for each, entries in zip(kept, (before, picked, after), strict=True) if entries]
    return None if None in types else joined_types([each for each in types if each is not None])
