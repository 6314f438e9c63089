"""Sums, means, largest values, norms, and what divides by them."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from equivariance.following.dims import (
    CHANNELS,
    Atom,
    Dim,
    UnclearError,
    channels,
    has_space,
    size_of,
    type_of,
    widths_of,
)
from equivariance.following.kinds import permutes
from equivariance.following.pixelwise import bent, pointwise
from equivariance.following.recording import Constant
from equivariance.following.skeleton import (
    SHARPNESS,
    Context,
    Skeleton,
    brought,
    generic,
    handles,
    many,
    parts_of,
    place_of,
)


@handles("mean", "sum")
def _linear(context: Context, args: Any, kwargs: Any) -> Skeleton:
    take_mean = context.operation.name == "mean"

    def reduce(tensor: Tensor, places: list[int]) -> Tensor:
        return tensor.mean(places) if take_mean else tensor.sum(places) / context.pixels ** (len(places) / 2)

    return _reduced(context, args, kwargs, reduce, only_permuted=True)


@handles("amax", "amin", "max", "min", "logsumexp", "any", "all")
def _largest(context: Context, args: Any, kwargs: Any) -> Any:
    """log Σ exp in the place of the largest, so that the largest of the largest is the largest of all."""
    name = context.operation.name
    if name in ("max", "min") and len(args) > 1 and isinstance(args[1], Skeleton | Constant):
        return pointwise(context, args, kwargs)
    sign = 1.0 if name == "logsumexp" else -SHARPNESS if name in ("amin", "min", "all") else SHARPNESS

    def reduce(tensor: Tensor, places: list[int]) -> Tensor:
        if not places:
            return tensor
        count = 1 if name == "logsumexp" else math.prod(tensor.shape[at] for at in places)  # else small numbers drown
        return (torch.logsumexp(sign * tensor, places) - math.log(max(count, 1))) / sign

    result = _reduced(context, args, kwargs, reduce, only_permuted=True, is_linear=False)
    return [result, *[None] * (len(context.operation.outputs) - 1)]  # where the largest was is not followed


@handles("prod", "var", "std", "var_mean", "std_mean")
def _any_order(context: Context, args: Any, kwargs: Any) -> Any:
    """A generic function of a mean of another: it tells sets of numbers apart, in whatever order they come."""
    result = _reduced(context, args, kwargs, set_of, only_permuted=True)
    if context.operation.name.endswith("_mean"):
        return [result, Skeleton(result.dims, result.tensor + 1.0)]
    return [result, *[None] * (len(context.operation.outputs) - 1)]  # where the largest was is not followed


@handles("linalg_vector_norm", "norm")
def _length(context: Context, args: Any, kwargs: Any) -> Skeleton:
    order = args[1] if len(args) > 1 and args[1] is not None else 2
    rest = (args[0], args[2] if len(args) > 2 else None, *args[3:4])
    if float(order) != 2.0:
        return _reduced(context, rest, kwargs, set_of, only_permuted=True)
    return _reduced(context, rest, kwargs, _euclidean, only_permuted=False, is_linear=False)


def _euclidean(tensor: Tensor, places: list[int]) -> Tensor:
    return torch.linalg.vector_norm(tensor, dim=places) if places else tensor.abs()


def set_of(tensor: Tensor, places: list[int]) -> Tensor:
    """A generic function of the numbers along `places`, whatever order they come in."""
    each = generic(tensor, 0.3, 0.35)
    return generic(each.mean(places) if places else each, -0.2, 0.4)


def _reduced(
    context: Context,
    args: Any,
    kwargs: Any,
    reduce: Callable[[Tensor, list[int]], Tensor],
    *,
    only_permuted: bool,
    is_linear: bool = True,
) -> Skeleton:
    """What is left of some dimensions.

    One channel stands for all of a field, and the largest of one number, or its length, is the number itself: where
    `reduce` is not linear, what it gives over channels is made so by a generic function.
    """
    value: Skeleton = args[0]
    rank = len(value.dims)
    wanted = kwargs.get("dim", args[1] if len(args) > 1 and not isinstance(args[1], bool) else None)
    wanted = [wanted] if isinstance(wanted, int) else wanted
    places = sorted({place_of(dim, rank) for dim in wanted}) if wanted else list(range(rank))
    keeps = bool(kwargs.get("keepdim", False)) or any(arg is True for arg in args[2:])
    tensor = reduce(_told_apart(context, value, places), places)
    for at in places:
        _check_fields(context, value.dims[at], only_permuted=only_permuted)
    if not is_linear and any(_is_of_many_channels(value.dims[at]) for at in places):
        tensor = generic(tensor, 0.15, 0.3)
    dims: list[Dim] = []
    for at, dim in enumerate(value.dims):
        if at not in places:
            dims.append(dim)
        elif keeps:
            dims.append(tuple(Atom(atom.kind, 1) for atom in dim if atom.kind != CHANNELS)[:1] or (channels(1),))
    return Skeleton(tuple(dims), tensor.reshape(widths_of(tuple(dims))))


def _is_of_many_channels(dim: Dim) -> bool:
    return any(atom.kind == CHANNELS and atom.size != 1 for atom in dim)


def _told_apart(context: Context, value: Skeleton, places: Sequence[int]) -> Tensor:
    """Channels that come from different places with weights of their own, before they are added up."""
    tensor = value.tensor
    for at in places:
        if not has_space([value.dims[at]]) and tensor.shape[at] > 1:
            shape = [1] * tensor.dim()
            shape[at] = tensor.shape[at]
            tensor = tensor * (context.numbers((tensor.shape[at],), 30 + at).abs() + 0.3).reshape(shape)
    return tensor


def _check_fields(context: Context, dim: Dim, *, only_permuted: bool) -> None:
    """A sum over whole fields does not change where elements exchange their channels; a length, under rotations too."""
    for atom in dim:
        if atom.kind == CHANNELS and atom.size != 1:
            if atom.fields is None:
                context.lose("a sum over channels whose fields are not known")
            elif only_permuted and not permutes(atom.fields):
                context.lose("a sum over channels that elements mix")


# ---------------------------------------------------------------------------------------------------------------- norms


@handles("_softmax", "_log_softmax", "_safe_softmax")
def _softmax(context: Context, args: Any, kwargs: Any) -> Skeleton:
    value: Skeleton = args[0]
    at = place_of(args[1], len(value.dims))
    dims = bent(value.dims)
    _check_fields(context, value.dims[at], only_permuted=True)
    if has_space([value.dims[at]]):
        of_all = torch.log_softmax if context.operation.name == "_log_softmax" else torch.softmax
        return Skeleton(dims, of_all(value.tensor, at))
    return Skeleton(dims, among_channels(context, value, [at]))


def among_channels(context: Context, value: Skeleton, places: Sequence[int]) -> Tensor:
    """A generic function of each number and of all others at its place."""
    own = generic(value.tensor, 0.0, 0.3)
    for at in places:
        if value.tensor.shape[at] > 1:
            told_apart = _told_apart(context, value, [at])
            own = own + 0.5 * generic(told_apart, 0.1, 0.2).sum(at, keepdim=True)
    return generic(context.centred(own, 40), 0.3, 0.2)


def _normed(context: Context, value: Skeleton, places: Sequence[int]) -> Tensor:
    """Minus the mean and divided by the deviation over `places`; over channels, a generic function of them all."""
    space = [at for at in places if has_space([tuple(many(value.dims[at]))])]
    among = [at for at in places if any(atom.kind == CHANNELS for atom in many(value.dims[at]))]
    if not space:
        return among_channels(context, value, among) if among else torch.zeros_like(value.tensor)
    own = value.tensor
    if any(own.shape[at] > 1 for at in among if at not in space):
        own = among_channels(context, value, [at for at in among if at not in space])
    mean = own.mean(space, keepdim=True)
    deviation = ((own - mean).square().mean(space, keepdim=True) + 0.1).sqrt()
    return (own - (0.6 if among else 1.0) * mean) / deviation  # among others, the mean of all is not that of each


@handles("native_layer_norm")
def _layer_norm(context: Context, args: Any, kwargs: Any) -> list[Any]:
    value, shape, weight, bias = args[:4]
    rank = len(value.dims)
    places = list(range(rank - len(shape), rank))
    for at in places:
        _check_fields(context, value.dims[at], only_permuted=True)
    tensor = _normed(context, value, places)
    if isinstance(weight, Constant):
        tensor = tensor * brought(context, weight, value.dims, 50)
    if isinstance(bias, Constant):
        tensor = tensor + brought(context, bias, value.dims, 51)
    return [Skeleton(bent(value.dims), tensor.expand(widths_of(value.dims))), None, None]


@handles("native_group_norm")
def _group_norm(context: Context, args: Any, kwargs: Any) -> list[Any]:
    value, weight, bias, groups = args[0], args[1], args[2], args[-2]
    rank, channel_dim = len(value.dims), value.dims[1]
    each_alone = groups == size_of(channel_dim)
    if groups > 1 and not each_alone and len(parts_of(channel_dim)) > 1:
        raise UnclearError("groups of channels from different places")
    _check_groups(context, channel_dim, groups)
    places = list(range(2, rank)) if each_alone else list(range(1, rank))
    tensor = _normed(context, value, places)
    for salt, vector in enumerate((weight, bias)):
        if isinstance(vector, Constant):
            _note_vector(context, vector, channel_dim)
            tensor = tensor * context.factor(60) if salt == 0 else tensor + context.factor(61)
    return [Skeleton(bent(value.dims), tensor), None, None]


def _check_groups(context: Context, dim: Dim, groups: int) -> None:
    """Elements must exchange groups as wholes."""
    fields = type_of(dim)
    if fields is None or not permutes(fields):
        context.lose("a norm over channels whose fields are not known, or that elements mix")
        return
    size = fields.channels // groups
    owner = torch.arange(fields.channels, dtype=torch.float64).div(size, rounding_mode="floor")
    for element in context.kinds.elements:
        moved = fields.act(owner, element, dim=0).reshape(groups, size)
        if not bool((moved == moved[:, :1]).all()):
            context.kinds.note(context.number, {element.name: 1.0})


def _note_vector(context: Context, vector: Constant, dim: Dim) -> None:
    fields = type_of(dim)
    if context.looks_at_weights and fields is not None:
        context.kinds.note(context.number, context.kinds.vector_errors(vector.value(), fields))


@handles("native_batch_norm", "_native_batch_norm_legit_no_training", "_native_batch_norm_legit", "cudnn_batch_norm")
def _batch_norm(context: Context, args: Any, kwargs: Any) -> list[Any]:
    value, weight, bias, mean, variance = args[:5]
    by_picture = context.operation.name != "_native_batch_norm_legit_no_training" and (
        not isinstance(mean, Constant) or (len(args) > 5 and args[5] is True)
    )
    if by_picture:
        if context.operation.name == "_native_batch_norm_legit":
            weight, bias = args[1], args[2]
        tensor = _normed(context, value, [0, *range(2, len(value.dims))])
    else:
        tensor = context.scaled(value.tensor) * context.factor(70)
        if any(isinstance(each, Constant) and bool(each.value().any()) for each in (bias, mean)):
            tensor = tensor + 0.3 * context.factor(71)
    for vector in (weight, bias, mean, variance):
        if isinstance(vector, Constant):
            _note_vector(context, vector, value.dims[1])
    fields = type_of(value.dims[1])
    if fields is not None and not permutes(fields):
        return [Skeleton(bent(value.dims), tensor), None, None]
    return [Skeleton(value.dims, tensor), None, None]
