"""Operations on numbers at one place."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from equivariance.following.dims import (
    CHANNELS,
    Atom,
    Dim,
    Dims,
    UnclearError,
    channels,
    has_space,
    size_of,
    widths_of,
)
from equivariance.following.kinds import permutes
from equivariance.following.recording import Constant
from equivariance.following.skeleton import (
    Context,
    Skeleton,
    aligned,
    filled,
    generic,
    handles,
    shape_of,
    tensors_in,
)


def bent(dims: Dims) -> Dims:
    """The dims after a function of each number by itself: types that mix channels are unknown from then on."""
    return tuple(
        tuple(
            replace(atom, fields=None) if atom.kind == CHANNELS and not permutes(atom.fields) else atom for atom in dim
        )
        for dim in dims
    )


@handles("hardswish", "hardsigmoid", "_prelu_kernel", "prelu", "rrelu_with_noise")
def pointwise(context: Context, args: Any, kwargs: Any) -> Skeleton:
    """Any function of numbers at one place: a generic analytic one of all its tensors, in their order."""
    brought, dims = aligned(context, tensors_in((args, tuple(kwargs.values()))))
    shift = 0.0 if context.once("zero stays", lambda: _zero_stays(context, args, kwargs)) else 0.4
    has_constants = any(isinstance(value, Constant) for value in tensors_in((args, tuple(kwargs.values()))))
    function = None if has_constants else context.of_function(args, kwargs)
    mixed = torch.zeros((), dtype=torch.float64)
    for at, tensor in enumerate(brought):
        mixed = mixed + context.factor(at, function) * generic(tensor, 0.0, 0.3)
    for at in range(1, len(brought)):
        mixed = mixed + context.factor(20 + at, function) * generic(brought[0], 0.0, 0.2) * generic(
            brought[at], 0.0, 0.4
        )
    if shift and bool(torch.isfinite(mixed).all()):
        mixed = context.centred(mixed, function=function)
    return Skeleton(bent(dims), generic(mixed, shift, 0.25).expand(widths_of(dims)))


def _zero_stays(context: Context, args: Any, kwargs: Any) -> bool:
    """Whether the function gives 0 where all tensors that come from the picture are 0."""

    def at_zero(value: Any) -> Any:
        if isinstance(value, Skeleton):
            return torch.zeros(1)
        return value.value().flatten()[:1].clone() if isinstance(value, Constant) else value

    if any(isinstance(value, Constant) and len(set(value.value().flatten()[:64].tolist())) > 1 for value in args):
        return False
    try:
        output = context.operation.func(*map(at_zero, args), **{name: at_zero(value) for name, value in kwargs.items()})
    except (RuntimeError, TypeError, ValueError):
        return False
    return isinstance(output, Tensor) and bool((output == 0).all())


@handles("add", "sub", "rsub")
def _add(context: Context, args: Any, kwargs: Any) -> Skeleton:
    (first, second), dims = aligned(context, args[:2])
    alpha = float(kwargs.get("alpha", args[2] if len(args) > 2 else 1))
    name = context.operation.name
    if name == "rsub":
        first, second = second, first
    result = first + (alpha if name == "add" else -alpha) * second
    if not all(isinstance(value, Skeleton | Constant) for value in args[:2]):
        dims = bent(dims)  # a number is added to every channel
    return Skeleton(dims, result.expand(widths_of(dims)))


@handles("mul")
def _mul(context: Context, args: Any, kwargs: Any) -> Skeleton:
    (first, second), dims = aligned(context, args[:2])
    result = Skeleton(dims, (first * second).expand(widths_of(dims)))
    return _scaled(result, args)


@handles("div")
def _div(context: Context, args: Any, kwargs: Any) -> Skeleton:
    if kwargs.get("rounding_mode"):
        return pointwise(context, args, kwargs)
    (first, second), dims = aligned(context, args[:2])
    if isinstance(args[1], Skeleton):
        second = 1 / (generic(second, 0.1, 0.2) + 3.0)
        return _scaled(Skeleton(dims, (first * second).expand(widths_of(dims))), args)
    safe = torch.where(second == 0, torch.ones_like(second), second)
    return _scaled(Skeleton(dims, (first / safe).expand(widths_of(dims))), args)


def _scaled(result: Skeleton, args: Any) -> Skeleton:
    """A product keeps a type that mixes channels only where the other factor is one number for all of them."""
    for value in args[:2]:
        if isinstance(value, Skeleton | Constant):
            shape = (1,) * (len(result.dims) - len(shape_of(value))) + shape_of(value)
            if all(size == 1 or _is_space(dim) for size, dim in zip(shape, result.dims, strict=True)):
                return result
        else:
            return result
    return Skeleton(bent(result.dims), result.tensor)


def _is_space(dim: Any) -> bool:
    return all(atom.kind != CHANNELS for atom in dim if atom.size != 1)


@handles("neg")
def _neg(context: Context, args: Any, kwargs: Any) -> Skeleton:
    return Skeleton(args[0].dims, -args[0].tensor)


@handles("_to_copy")
def _converted(context: Context, args: Any, kwargs: Any) -> Skeleton:
    dtype = kwargs.get("dtype")
    if dtype is not None and not dtype.is_floating_point:
        return pointwise(context, args, {})
    return Skeleton(args[0].dims, args[0].tensor)


@handles("clone", "detach", "alias", "lift_fresh", "positive", "contiguous")
def _same_numbers(context: Context, args: Any, kwargs: Any) -> Skeleton:
    return Skeleton(args[0].dims, args[0].tensor)


@handles("copy")
def _copied(context: Context, args: Any, kwargs: Any) -> Skeleton:
    """`target.copy_(source)`: the source, spread as the target asks."""
    target, source = args[:2]
    if not isinstance(source, Skeleton):
        return Skeleton(target.dims, filled(context, source, target.dims))
    shape = shape_of(target)
    dims = ((channels(1),),) * (len(shape) - len(source.dims)) + source.dims
    if tuple(map(size_of, dims)) != tuple(shape):
        if not isinstance(target, Skeleton):
            raise UnclearError("a copy that is broadcast over a constant")
        dims = target.dims
    return Skeleton(dims, filled(context, source, dims))


@handles("zero", "fill")
def _filled_with(context: Context, args: Any, kwargs: Any) -> Skeleton:
    number = 0.0
    if context.operation.name == "fill":
        number = float(args[1]) if isinstance(args[1], int | float) else context.factor()
    return Skeleton(args[0].dims, torch.full(widths_of(args[0].dims), number, dtype=torch.float64))


@handles("at_each_pixel")
def _at_each_pixel(context: Context, args: Any, kwargs: Any) -> Skeleton:
    """A function of all channels of each pixel by itself; the module around it declares the type of what it gives."""
    value, _, out_channels = args
    if len(value.dims) != 4 or has_space(value.dims[:2]):
        raise UnclearError("its channels hold places")
    mix = context.numbers((value.tensor.shape[1],), 1).abs() + 0.3
    mixed = torch.tensordot(value.tensor, mix, dims=([1], [0])).unsqueeze(1)
    out: Dim = (Atom(CHANNELS, out_channels, (out_channels,), None),)
    return Skeleton((value.dims[0], out, *value.dims[2:]), generic(context.scaled(mixed), 0.3, 0.4))
