"""A skeleton as wide as the network: there, operations that only move numbers give what torch itself gives."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from equivariance.following.blank import blank_copy
from equivariance.following.dims import HEIGHT, WIDTH, Atom, channels, moved, size_of, widths_of
from equivariance.following.handling import handler_of
from equivariance.following.kinds import Kinds
from equivariance.following.record import record
from equivariance.following.recording import Ref
from equivariance.following.skeleton import Context, Skeleton, many
from equivariance.following.writing import written
from equivariance.groups.fields import move_pixels
from equivariance.groups.point_groups import C4, Element
from tests.equivariance.draws.tools import Apply

Function = Callable[[Tensor], Tensor]
MIRRORS = (Element(mirrored=True), Element(180.0), Element(180.0, mirrored=True))
PICTURE = torch.randn(1, 4, 4, 6, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def skeleton_of(function: Function, picture: Tensor = PICTURE, *, on_data: bool = False) -> Skeleton:
    """What the handlers make of `function`, with a channel of the skeleton for each of the picture (1, C, H, W).

    on_data: recorded with numbers, where torch dispatches other operations than for shapes alone.
    """
    network = Apply(function)
    recording = record(network, None if on_data else blank_copy(network), picture)
    context = Context(Kinds(C4, ()), recording.shapes, 0)
    context.world = Element()
    _, count, height, width = picture.shape
    dims = ((channels(1),), (channels(count, parts=[1] * count),), (Atom(HEIGHT, height),), (Atom(WIDTH, width),))
    values: dict[int, Any] = {0: Skeleton(dims, picture)}

    def given(entry: Any) -> Any:
        if isinstance(entry, Ref):
            return values[entry.number]
        if isinstance(entry, list | tuple):
            return type(entry)(given(each) for each in entry)
        return entry

    for number, operation in enumerate(recording.operations):
        context.number, context.operation = number, operation
        args = given(operation.args)
        if operation.func is None:
            result: Any = written(context, *args)
        else:
            result = handler_of(operation)(context, args, operation.kwargs)
        results = result if isinstance(result, list) else [result]
        for output, each in zip(operation.outputs, results, strict=False):
            if output is not None and each is not None:
                assert tuple(each.tensor.shape) == widths_of(each.dims)
                assert tuple(map(size_of, each.dims)) == recording.shapes[output]
                values[output] = each
    found = given(recording.output)
    assert isinstance(found, Skeleton)
    return found


def in_full(skeleton: Skeleton) -> Tensor:
    """As many numbers as the network has: those of channels that are alike, again for each of them."""
    tensor = skeleton.tensor
    for at, dim in enumerate(skeleton.dims):
        atoms = many(dim)
        if len(atoms) == 1 and atoms[0].width != atoms[0].size:
            tensor = tensor.repeat_interleave(torch.tensor(atoms[0].parts), at)
    return tensor


def must_give_what_torch_gives(function: Function, picture: Tensor = PICTURE) -> None:
    """The same numbers, and dimensions of the same sizes."""
    assert torch.equal(in_full(skeleton_of(function, picture)), function(picture))


def must_mean_what_moves(function: Function, picture: Tensor = PICTURE) -> None:
    """What its dimensions mean: moved by them, the result is that of the moved picture."""
    found = skeleton_of(function, picture)
    for element in MIRRORS:
        there = Skeleton(found.dims, moved(found.tensor, found.dims, element))
        assert torch.equal(in_full(there), function(move_pixels(picture, element))), element.name
