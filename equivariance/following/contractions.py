"""Products of matrices, and attention."""

from typing import Any

import torch
from torch import Tensor

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
    size_of,
    type_of,
    width_of,
)
from equivariance.following.recording import Constant
from equivariance.following.skeleton import (
    Context,
    Skeleton,
    brought,
    common,
    filled,
    generic,
    handles,
    one_axis,
)
from equivariance.groups.fields import FieldType


@handles("mm", "bmm", "addmm", "baddbmm")
def _product(context: Context, args: Any, kwargs: Any) -> Skeleton:
    added = args[0] if context.operation.name in ("addmm", "baddbmm") else None
    first, second = args[1:3] if added is not None else args[:2]
    if isinstance(first, Skeleton) and isinstance(second, Skeleton):
        result = _of_two(context, first, second)
    elif isinstance(first, Skeleton):
        result = _by_matrix(context, first, second)
    elif has_space([second.dims[-2]]):
        result = _over_places(first, second)
    else:
        result = _turned(_by_matrix(context, _turned(second), _transposed(first)))
    if added is None:
        return result
    if isinstance(added, Skeleton):
        return Skeleton(result.dims, result.tensor + brought(context, added, result.dims, 83))
    if context.looks_at_weights and len(added.shape) == 1:
        fields = type_of(result.dims[-1])
        if fields is not None:
            context.kinds.note(context.number, context.kinds.vector_errors(added.value(), fields))
    return Skeleton(result.dims, context.centred(result.tensor, 84) + context.factor(84))


def _of_two(context: Context, first: Skeleton, second: Skeleton) -> Skeleton:
    """Two tensors that depend on the picture: elements act alike on what is summed over."""
    inner = common(first.dims[-1], second.dims[-2])
    for atom in inner:
        if atom.kind == CHANNELS and atom.size != 1 and atom.fields is None:
            context.lose("a product over channels whose fields are not known")
    lead = tuple(
        two if size_of(one) == 1 else one if size_of(two) == 1 else common(one, two)
        for one, two in zip(first.dims[:-2], second.dims[:-2], strict=True)
    )
    left: Dims = (*lead, first.dims[-2], inner)
    right: Dims = (*lead, inner, second.dims[-1])
    product = filled(context, first, left, 80) @ filled(context, second, right, 81)
    return Skeleton((*lead, first.dims[-2], second.dims[-1]), context.scaled(product))


def _by_matrix(context: Context, value: Skeleton, matrix: Constant) -> Skeleton:
    """A linear layer: matrix (in, out), or the same with leading ones."""
    inner, out_channels = value.dims[-1], matrix.shape[-1]
    matrix = _one_of(matrix)
    if _resizes(value):
        kind = one_axis(inner)
        numbers = matrix.value().double().reshape(matrix.shape[-2:])
        return Skeleton((*value.dims[:-1], (Atom(kind, numbers.shape[1]),)), value.tensor @ numbers)
    if has_space([inner]):
        return _by_place(context, value, matrix)
    weights = context.numbers((width_of(inner), 1), 82)
    fields: FieldType | None = None
    in_type = type_of(inner)
    if context.looks_at_weights and in_type is not None:

        def look() -> FieldType | None:
            kernel = matrix.value().reshape(matrix.shape[-2:]).T[:, :, None, None]
            return context.kinds.of_kernel(context.number, kernel, in_type, context.wanted_type)

        key = None if matrix.key is None else (matrix.key, in_type, context.wanted_type)
        fields = context.kinds.looked_at(context.number, key, look)
    out: Dim = (Atom(CHANNELS, out_channels, (out_channels,), fields),)
    return Skeleton((*value.dims[:-1], out), context.scaled(value.tensor @ weights))


def _one_of(matrix: Constant) -> Constant:
    """The matrix of which several are alike; raises UnclearError where they are not."""
    if all(size == 1 for size in matrix.shape[:-2]):
        return matrix
    numbers = matrix.value().flatten(0, -3)
    if not bool((numbers == numbers[:1]).all()):
        raise UnclearError("many matrices at once")
    return Constant(matrix.shape[-2:], lambda: numbers[0], matrix.owner)


def _resizes(value: Skeleton) -> bool:
    """Whether a matrix is given one axis of maps while the other stays: rows of another length are rows."""
    inner = [atom for atom in value.dims[-1] if atom.size != 1]
    if len(inner) != 1 or inner[0].kind == CHANNELS:
        return False
    others = {atom.kind for dim in value.dims[:-1] for atom in dim if atom.kind != CHANNELS and atom.size != 1}
    return others == {HEIGHT, WIDTH} - {inner[0].kind}


def _by_place(context: Context, value: Skeleton, matrix: Constant) -> Skeleton:
    """A linear layer whose inputs are pixels: each has a weight of its own, which counts as it is."""
    inner = value.dims[-1]
    numbers = matrix.value().double().reshape(matrix.shape[-2:])
    mix = context.numbers((numbers.shape[1],), 85).abs() + 0.2
    column = numbers @ mix  # (in,): the outputs mixed to one
    atoms = [atom for atom in inner if atom.size != 1]
    column = column.reshape([atom.size for atom in atoms])
    for at, atom in enumerate(atoms):
        if atom.kind == CHANNELS:
            if atom.width != 1:
                raise UnclearError("a linear layer on channels from different places")
            if atom.fields is None or not atom.fields.is_scalar:
                context.lose("a linear layer on pixels whose channels are not scalar")
            weights = context.numbers((atom.size,), 86).abs() + 0.2
            shape = [1] * column.dim()
            shape[at] = atom.size
            column = (column * weights.reshape(shape)).sum(at, keepdim=True)
    if context.looks_at_weights:
        context.note_asymmetry(column, (inner,))
    out: Dim = (channels(matrix.shape[-1]),)
    return Skeleton((*value.dims[:-1], out), context.scaled(value.tensor @ column.reshape(-1, 1)))


def _over_places(matrix: Constant, value: Skeleton) -> Skeleton:
    """A matrix over the rows or columns, such as one that resizes: its numbers count as they are."""
    kind = one_axis(value.dims[-2])
    matrix = _one_of(matrix)
    numbers = matrix.value().double().reshape(matrix.shape[-2:])
    dims = (*value.dims[:-2], (Atom(kind, numbers.shape[0]),), value.dims[-1])
    return Skeleton(dims, numbers @ value.tensor)


def _turned(value: Skeleton) -> Skeleton:
    return Skeleton((*value.dims[:-2], value.dims[-1], value.dims[-2]), value.tensor.transpose(-1, -2))


def _transposed(matrix: Constant) -> Constant:
    shape = (*matrix.shape[:-2], matrix.shape[-1], matrix.shape[-2])
    return Constant(shape, lambda: matrix.value().transpose(-1, -2), matrix.owner)


@handles(
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_attention_math",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_fused_attention_overrideable",
)
def _attention(context: Context, args: Any, kwargs: Any) -> list[Any]:
    """softmax(Q Kᵀ) V, generic in between."""
    query, key, value = args[:3]
    if kwargs.get("is_causal") or any(arg is True for arg in args[3:]):
        raise UnclearError("causal attention")
    mask = kwargs.get("attn_mask") or next((arg for arg in args[3:] if isinstance(arg, Skeleton | Constant)), None)
    scores = _of_two(context, query, _turned(key)).tensor
    if mask is not None:
        scores = scores + brought(context, mask, (*query.dims[:-1], key.dims[-2]), 90)
    shares: Tensor = torch.softmax(generic(scores, 0.1, 0.3), -1)
    result = Skeleton((*query.dims[:-1], value.dims[-1]), context.scaled(shares @ value.tensor, 2))
    return [result, *[None] * (len(context.operation.outputs) - 1)]
