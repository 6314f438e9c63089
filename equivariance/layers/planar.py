"""Plain equivalents of the planar modules of escnn and e2cnn, found by their names; neither package is imported.

What has none here is run as it is, see `export`.
"""

import contextlib
import copy
from collections.abc import Callable
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from equivariance.groups.fields import FieldType, Harmonics, average_bias, average_kernel, kernel_parts
from equivariance.groups.point_groups import PointGroup
from equivariance.layers.plain import (
    BlurredMaxPool2d,
    Branched,
    FieldAffine,
    FieldLength,
    FieldMaxPool2d,
    FieldsMaxPool2d,
    FieldsPool,
    FourierELU,
    GroupMaxPool,
    Masked,
    Picked,
    Resized,
    Retyped,
    typed,
)
from equivariance.layers.reading import field_type_of, geometric, group_of, is_their_type, package_of
from equivariance.layers.windows import pair
from equivariance.relative import relative_error_in_parts

KERNEL_ROUNDING = 1e-6  # largest relative change that averaging a float32 kernel over its group may make
_LARGE = 1024.0

Maker = Callable[[Any, "PointGroup | None"], nn.Module]


class NoEquivalentError(ValueError):
    """A module that has no plain equivalent here, or whose kernel is not what its types promise."""


def is_theirs(module: nn.Module) -> bool:
    """Whether the class of a module is escnn's or e2cnn's own."""
    return bool(package_of(module))


def has_equivalent(module: nn.Module) -> bool:
    """Whether there is a plain equivalent of modules of this class."""
    return _maker_of(module) is not None


def plain_of(module: nn.Module, group: PointGroup | None) -> nn.Module:
    """The plain layer that does what `module` does in eval mode, typed where its types can be read.

    group: whose pixel-exact elements kernels are averaged over; None: that of the module's own types. Raises ValueError
    in one sentence.
    """
    maker = _maker_of(module)
    if maker is None:
        raise NoEquivalentError(f"{type(module).__name__} has no plain equivalent here")
    return maker(module, group)


def as_in_eval(module: nn.Module) -> nn.Module:
    """A copy of `module` in eval mode, with what it expands from its weights expanded anew.

    Of a convolution it shares the bases, which are large.
    """
    if has_filter(module):
        expand: Any = module.expand_parameters
        return with_filter(module, *expand())
    twin = copied(module)
    if hasattr(module, "expand_parameters"):
        twin.train()
    return twin.eval()


def with_filter(module: nn.Module, kernel: Tensor, bias: Tensor | None) -> nn.Module:
    """A shallow copy in eval mode that uses this kernel and bias; the rest is shared with `module`."""
    twin = copy.copy(module)
    name = "filter" if hasattr(module, "kernel_size") else "matrix"
    twin._buffers = {**module._buffers, name: kernel.detach(), "expanded_bias": bias}
    twin.__dict__.pop("expanded_bias", None)
    twin.training = False
    return twin


def has_filter(module: nn.Module) -> bool:
    """Whether a module expands a kernel and a bias from its weights."""
    return hasattr(module, "expand_parameters") and hasattr(module, "bias")


def copied(module: nn.Module, replaced: dict[int, Any] | None = None) -> Any:
    """A deep copy that shares field types, groups and spaces, which never change, and drops gradients' histories.

    replaced: id of a module → what stands in its place in the copy.
    """
    memo = dict(replaced or {})
    for part in module.modules():
        if id(part) in memo:
            continue
        for value in (*vars(part).values(), *part._buffers.values(), *part._parameters.values()):
            if package_of(value) and not isinstance(value, nn.Module):
                memo.setdefault(id(value), value)
            elif isinstance(value, Tensor) and value.grad_fn is not None:
                memo.setdefault(id(value), value.detach().clone())
    return copy.deepcopy(module, memo)


def _maker_of(module: nn.Module) -> Maker | None:
    """By the class that defines its forward pass, so that a class of a user's own with another one has none."""
    kind = next(kind for kind in type(module).__mro__ if "forward" in vars(kind))
    if not any(package_of_class(each) for each in type(module).__mro__):
        return None
    for each in type(module).__mro__:
        if package_of_class(each) and each.__name__ in _MAKERS and issubclass(each, kind):
            return _MAKERS[each.__name__]
    return None


def package_of_class(kind: type) -> bool:
    """Whether a class is defined in escnn or e2cnn."""
    return kind.__module__.partition(".")[0] in ("escnn", "e2cnn")


def _types(module: Any) -> tuple[FieldType, FieldType]:
    return field_type_of(module.in_type), field_type_of(module.out_type)


def _as_declared(module: Any, plain: nn.Module) -> nn.Module:
    """With the types that can be read; the numbers are right whatever they are."""
    if not is_their_type(module.in_type):
        return plain
    try:
        return typed(plain, *_types(module))
    except ValueError:
        return plain


def is_sequence(module: nn.Module) -> bool:
    """Whether a module is their container that calls one module after the other."""
    return is_theirs(module) and type(module).__name__ == "SequentialModule"


def is_branched(module: nn.Module) -> bool:
    """Whether a module is their container of one module for each part of the channels, with one part each."""
    if not (is_theirs(module) and type(module).__name__ == "MultipleModule"):
        return False
    labels: Any = getattr(module, "merging", None)
    return all(len(each) == 1 for each in getattr(labels, "_labels", [()]))


def make_plain_container(container: Any) -> None:
    """A copied container of theirs as one of torch's or ours, which takes plain tensors too; its parts stay."""
    if is_sequence(container):
        container.__class__ = nn.Sequential
    elif is_branched(container):
        _make_branched(container)


def _make_branched(container: Any) -> None:
    branching, merging = container.branching, container.merging
    labels = [label for (label,) in merging._labels]
    numbers = torch.arange(container.in_type.size, dtype=torch.float32)[None, :, None, None]
    parts = branching(geometric(numbers, container.in_type))
    picks = nn.ModuleList()
    for label in labels:
        pick = Picked(parts[label].tensor.flatten().long())
        with contextlib.suppress(ValueError):  # types that cannot be read
            typed(pick, field_type_of(container.in_type), field_type_of(parts[label].type))
        picks.append(pick.eval())
    container.theirs = tuple(parts[label].type for label in labels), container.out_type
    merging.__class__ = nn.ModuleDict
    del container.branching
    container.picks = picks
    container.__class__ = Branched


# ------------------------------------------------------------------------------------------------------ convolutions


def _conv(module: Any, group: PointGroup | None) -> nn.Module:
    kernel, bias, in_type, out_type = _weights(module, group, transposed=False)
    plain = nn.Conv2d(
        in_type.channels,
        out_type.channels,
        module.kernel_size,
        module.stride,
        module.padding,
        module.dilation,
        groups=module.groups,
        bias=bias is not None,
        padding_mode=getattr(module, "padding_mode", "zeros"),
        dtype=torch.float64,
        device="meta",
    )
    return _filled(plain, kernel, bias, in_type, out_type)


def _transposed_conv(module: Any, group: PointGroup | None) -> nn.Module:
    kernel, bias, in_type, out_type = _weights(module, group, transposed=True)
    plain = nn.ConvTranspose2d(
        in_type.channels,
        out_type.channels,
        module.kernel_size,
        module.stride,
        module.padding,
        module.output_padding,
        module.groups,
        bias is not None,
        module.dilation,
        dtype=torch.float64,
        device="meta",
    )
    return _filled(plain, kernel, bias, in_type, out_type)


def _filled(
    conv: nn.Conv2d | nn.ConvTranspose2d, kernel: Tensor, bias: Tensor | None, in_type: FieldType, out_type: FieldType
) -> nn.Module:
    conv.weight = nn.Parameter(kernel.contiguous())
    conv.bias = None if bias is None else nn.Parameter(bias)
    return typed(conv, in_type, out_type)


def _weights(
    module: Any, group: PointGroup | None, *, transposed: bool
) -> tuple[Tensor, Tensor | None, FieldType, FieldType]:
    """(kernel as torch keeps it, bias, types), averaged over the group in float64."""
    in_type, out_type = _types(module)
    group = group_of(module.in_type) if group is None else group
    kernel, bias = module.expand_parameters()
    dense = _dense(kernel, module.groups, transposed=transposed)  # (C_out, C_in, k, k)
    averaged = average_kernel(dense, group, in_type=in_type, out_type=out_type)
    moved = float(relative_error_in_parts((averaged[rows], dense[rows]) for rows, _ in kernel_parts(out_type)))
    if moved > KERNEL_ROUNDING:
        raise NoEquivalentError(f"the kernel differs from its group average by {moved:.1e}, more than rounding")
    if bias is not None:
        bias = average_bias(bias.detach(), group, out_type)
    return _in_groups(averaged, module.groups, transposed=transposed), bias, in_type, out_type


def _dense(kernel: Tensor, groups: int, *, transposed: bool) -> Tensor:
    """(C_out, C_in, k, k), with zeros for the missing connections of groups."""
    if groups == 1:
        return kernel.transpose(0, 1) if transposed else kernel
    parts = [part.transpose(0, 1) if transposed else part for part in kernel.chunk(groups)]
    outs, ins = parts[0].shape[:2]
    dense = kernel.new_zeros(outs * groups, ins * groups, *kernel.shape[2:])
    for at, part in enumerate(parts):
        dense[at * outs : (at + 1) * outs, at * ins : (at + 1) * ins] = part
    return dense


def _in_groups(dense: Tensor, groups: int, *, transposed: bool) -> Tensor:
    outs, ins = dense.shape[0] // groups, dense.shape[1] // groups
    parts = [dense[at * outs : (at + 1) * outs, at * ins : (at + 1) * ins] for at in range(groups)]
    return torch.cat([part.transpose(0, 1) if transposed else part for part in parts])


def _linear(module: Any, group: PointGroup | None) -> nn.Module:
    weight, bias = module.expand_parameters()
    plain = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    plain.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        plain.bias = nn.Parameter(bias.detach().clone())
    return _as_declared(module, plain)


# --------------------------------------------------------------------------------- normalisation, channel by channel


def _as_they_export(module: Any, group: PointGroup | None) -> nn.Module:
    training = module.training
    try:
        plain: nn.Module = module.export()  # which puts the module itself into eval mode
    except NotImplementedError:  # of fields that do not lie side by side
        return _affine(module, group)
    finally:
        module.train(training)
    return typed(plain, *_types(module))


def _affine(module: Any, group: PointGroup | None) -> nn.Module:
    """Of a normalisation with fixed statistics: what it does to 0 and to large numbers tells all."""
    twin, channels = as_in_eval(module), module.in_type.size
    ends = [torch.full((1, channels, 1, 1), value) for value in (0.0, _LARGE, -_LARGE)]
    zero, above, below = (_called(twin, each).double().flatten() for each in ends)
    return _as_declared(module, FieldAffine((above - below) / (2 * _LARGE), zero))


def _called(module: nn.Module, features: Tensor) -> Tensor:
    return module(geometric(features, module.in_type)).tensor


def _pointwise(make: Callable[[Any], nn.Module]) -> Maker:
    return lambda module, group: _as_declared(module, make(module))


def _function(module: Any) -> nn.Module:
    name = module._function.__name__
    if name not in _FUNCTIONS:
        raise NoEquivalentError(f"the function {name} has no plain equivalent here")
    return _FUNCTIONS[name]()


_FUNCTIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


def _disentangled(module: Any, group: PointGroup | None) -> nn.Module:
    """A product with a matrix at every pixel: the matrix is what it does to each channel alone."""
    channels = module.in_type.size
    twin = as_in_eval(module)
    columns = _called(twin, torch.eye(channels)[:, :, None, None])[:, :, 0, 0]  # (channel in, channel out)
    plain = nn.Conv2d(channels, channels, 1, bias=False, device="meta")
    plain.weight = nn.Parameter(_exact_numbers(module, columns.T.double())[:, :, None, None].contiguous())
    return _as_declared(module, plain)


def _exact_numbers(module: Any, matrix: Tensor) -> Tensor:
    """`matrix`, made to commute to the last digit: averaged over the group, as kernels are."""
    whole = matrix.round()
    matrix = torch.where((matrix - whole).abs() < KERNEL_ROUNDING, whole, matrix)
    try:
        in_type, out_type = _types(module)
        averaged = average_kernel(
            matrix[:, :, None, None], group_of(module.out_type), in_type=in_type, out_type=out_type
        )
    except ValueError:
        return matrix
    return averaged[:, :, 0, 0]


# ------------------------------------------------------------------------------------------------------------- pools


def _max_pool(module: Any) -> nn.Module:
    return nn.MaxPool2d(
        module.kernel_size, module.stride, module.padding, module.dilation, ceil_mode=bool(module.ceil_mode)
    )


def _mean_pool(module: Any) -> nn.Module:
    return nn.AvgPool2d(module.kernel_size, module.stride, module.padding, ceil_mode=bool(module.ceil_mode))


def _blurred_mean(module: Any) -> nn.Module:
    channels = module.in_type.size
    conv = nn.Conv2d(
        channels,
        channels,
        module.kernel_size,
        module.stride,
        module.padding,
        groups=channels,
        bias=False,
        device="meta",
    )
    conv.weight = nn.Parameter(module.filter.detach().clone())
    return conv


def _blurred_max(module: Any) -> nn.Module:
    return BlurredMaxPool2d(
        pair(module.kernel_size),
        pair(module.stride),
        pair(module.padding),
        module.filter,
        pair(module._pad),
        ceil_mode=bool(module.ceil_mode),
    )


def _norm_max_pool(module: Any, group: PointGroup | None) -> nn.Module:
    if pair(module.dilation) != (1, 1) or module.ceil_mode:
        raise NoEquivalentError("norm max-pools with dilation or ceil mode are not supported")
    windows = module.kernel_size, module.stride, module.padding
    runs = _runs(module)
    if len(runs) == 1:
        return _as_declared(module, FieldMaxPool2d(runs[0][0], *windows))
    return _as_declared(module, FieldsMaxPool2d(runs, *windows))


def _runs(module: Any) -> list[tuple[int, int]]:
    """(size of a field, fields of it side by side), in order."""
    sizes = [int(each.size) for each in module.in_type.representations]
    return [(size, len(list(same))) for size, same in groupby(sizes)]


def _field_pool(module: Any, *, largest: bool) -> nn.Module:
    runs = _runs(module)
    if len(runs) > 1:
        return FieldsPool(runs, largest=largest)
    return GroupMaxPool(runs[0][0]) if largest else FieldLength(runs[0][0])


def _fourier_elu(module: Any, group: PointGroup | None) -> nn.Module:
    in_type, out_type = _types(module)
    representation = in_type.runs[0][0]
    if not isinstance(representation, Harmonics) or in_type != out_type:
        raise NoEquivalentError(f"FourierELU on {representation.name} fields is not supported")
    elu = FourierELU(representation, samples=module.A.shape[0])
    difference = float((elu.to_samples - module.A).abs().max()) if elu.to_samples.shape == module.A.shape else 1.0
    if difference > KERNEL_ROUNDING:
        raise NoEquivalentError(f"its samples are not equally spaced angles (they differ by {difference:.1e})")
    return typed(elu, in_type, out_type)


def _resized(module: Any) -> nn.Module:
    size = module._size
    return Resized(
        None if size is None else pair(size),
        module._scale_factor,
        module._mode,
        align_corners=module._align_corners,
    )


_MAKERS: dict[str, Maker] = {
    "R2Conv": _conv,
    "R2ConvTransposed": _transposed_conv,
    "Linear": _linear,
    "InnerBatchNorm": _as_they_export,
    "IIDBatchNorm2d": _as_they_export,
    "NormBatchNorm": _affine,
    "InducedNormBatchNorm": _affine,
    "GNormBatchNorm": _affine,
    "ReLU": _pointwise(lambda module: nn.ReLU()),
    "ELU": _pointwise(lambda module: nn.ELU(module.alpha)),
    "LeakyReLU": _pointwise(lambda module: nn.LeakyReLU(module._negative_slope)),
    "PointwiseNonLinearity": _pointwise(_function),
    "FourierELU": _fourier_elu,
    "PointwiseMaxPool2D": _pointwise(_max_pool),
    "PointwiseMaxPool": _pointwise(_max_pool),
    "PointwiseAvgPool2D": _pointwise(_mean_pool),
    "PointwiseAvgPool": _pointwise(_mean_pool),
    "PointwiseAvgPoolAntialiased2D": _pointwise(_blurred_mean),
    "PointwiseAvgPoolAntialiased": _pointwise(_blurred_mean),
    "PointwiseMaxPoolAntialiased2D": _pointwise(_blurred_max),
    "PointwiseMaxPoolAntialiased": _pointwise(_blurred_max),
    "PointwiseAdaptiveAvgPool2D": _pointwise(lambda module: nn.AdaptiveAvgPool2d(module.output_size)),
    "PointwiseAdaptiveAvgPool": _pointwise(lambda module: nn.AdaptiveAvgPool2d(module.output_size)),
    "PointwiseAdaptiveMaxPool2D": _pointwise(lambda module: nn.AdaptiveMaxPool2d(module.output_size)),
    "PointwiseAdaptiveMaxPool": _pointwise(lambda module: nn.AdaptiveMaxPool2d(module.output_size)),
    "NormMaxPool": _norm_max_pool,
    "GroupPooling": _pointwise(lambda module: _field_pool(module, largest=True)),
    "NormPool": _pointwise(lambda module: _field_pool(module, largest=False)),
    "MaxPoolChannels": lambda module, group: GroupMaxPool(module.kernel_size),
    "R2Upsampling": _pointwise(_resized),
    "MaskModule": _pointwise(lambda module: Masked(module.mask)),
    "ReshuffleModule": _pointwise(lambda module: Picked(module.indices)),
    "RestrictionModule": _pointwise(lambda module: Retyped()),
    "DisentangleModule": _disentangled,
    "IdentityModule": lambda module, group: nn.Identity(),
    "PointwiseDropout": lambda module, group: nn.Identity(),
    "FieldDropout": lambda module, group: nn.Identity(),
}
