"""Networks as they are served: plain torch layers in float64, with the field types carried along.

`export` copies a network and puts the plain equivalent in the place of each layer of escnn, e2cnn or our own. Kernels
are averaged over the pixel-exact elements of the group in float64, because escnn's bases are float32; that average may
not move a kernel by more than rounding, so a wrong layer is caught and never repaired. Each plain layer is compared
with its original on random pictures before it is used.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from equivariance.groups.fields import FieldType
from equivariance.groups.point_groups import PointGroup
from equivariance.layers.group_conv import FieldNorm2d, GroupConv2d
from equivariance.layers.plain import typed
from equivariance.layers.planar import (
    as_in_eval,
    copied,
    has_equivalent,
    has_filter,
    is_branched,
    is_sequence,
    is_theirs,
    make_plain_container,
    plain_of,
    with_filter,
)
from equivariance.layers.reading import geometric, is_their_type, is_typed_layer, read_or_none
from equivariance.relative import relative_error

SAME = 1e-5  # relative difference of a plain layer and its original in float32, up to which it is rounding
_PROBE_PX = 3  # the height of the pictures that they are compared on; more where a window is larger
_ROWS = 64  # channels of our own convolutions that are compared; all are the same numbers

Finish = Callable[[str, nn.Module], None]


class ExportError(ValueError):
    """A layer that has no plain equivalent here, or whose kernel is not what its types promise."""


def export(network: nn.Module, group: PointGroup | None, finish: Finish = lambda name, layer: None) -> nn.Module:
    """A copy of `network` made of plain torch layers: float64, eval mode, no gradients, on the CPU.

    group: whose elements kernels are averaged over; None: that of each layer's own types. Kernels are expanded anew
    from the weights, so filters that escnn keeps cannot be stale. `finish(name, layer)` is called with each layer as
    soon as it is made and may cast it, so that the whole network is never float64 at once. Raises ExportError, naming
    the layer.
    """
    with torch.no_grad():
        replaced = {id(module): _finished(plain, name, finish) for name, module, plain in _plain_layers(network, group)}
        return with_replaced(network, replaced)


def layers_of(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """(name, module) of every layer of a network, in order of definition: modules without parts of their own.

    A module of escnn or e2cnn is one layer, whatever it is made of.
    """
    inside: set[int] = set()
    for name, module in network.named_modules():
        if id(module) in inside:
            continue
        is_layer = getattr(module, "is_layer", not any(module.children()))
        if is_typed_layer(module):
            is_layer = True
            inside.update(map(id, module.modules()))
        if is_layer and not isinstance(module, nn.Sequential | nn.Identity):
            yield name, module


def types_of(layer: nn.Module) -> tuple[FieldType | None, FieldType | None]:
    """The field types of a layer's input and output; None where unknown or where no element acts.

    Those that escnn and e2cnn declare are read in our words.
    """
    return read_or_none(getattr(layer, "in_type", None)), read_or_none(getattr(layer, "out_type", None))


def outermost(network: nn.Module) -> Iterator[tuple[str, nn.Module, bool]]:
    """(name, module, whether it is a layer) of all modules that are not inside a layer, in order of definition."""
    inside: set[int] = set()
    for name, module in network.named_modules():
        if id(module) in inside:
            continue
        is_layer = has_equivalent(module) or type(module) in _OURS or is_typed_layer(module)
        is_layer = is_layer or _kind_of(module) in _PASSING or not any(module.children())
        if is_layer:
            inside.update(map(id, module.modules()))
        elif is_branched(module):
            branched: Any = module
            inside |= {*map(id, branched.branching.modules()), id(branched.merging)}
        yield name, module, is_layer


def plain_layer(module: nn.Module, name: str, group: PointGroup | None) -> nn.Module:
    """The plain equivalent of a layer of escnn, e2cnn or our own, compared with it; raises ExportError."""
    try:
        if type(module) in _OURS:
            plain = _OURS[type(module)](module)
        else:
            plain = nn.Identity() if _kind_of(module) in _PASSING else plain_of(module, group)
    except (ValueError, NotImplementedError) as error:  # also of types that we do not have
        raise ExportError(f"{_named(name, module)}: {str(error).strip()}") from None
    difference = _difference(module, frozen(plain))
    if not difference <= SAME:
        raise ExportError(f"{_named(name, module)}: its plain layer differs from it by {difference:.1e}")
    return plain


def with_replaced(network: nn.Module, replaced: dict[int, nn.Module], *, containers: bool = True) -> Any:
    """A copy of `network` in eval mode and float64 with other modules in the place of some, wherever it holds them.

    containers: whether those of escnn and e2cnn become plain ones, which take plain tensors too.
    """
    try:
        network = copied(network, replaced)
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise ExportError(f"the network cannot be copied: {str(error).strip().splitlines()[0]}") from None
    done = {id(part) for plain in replaced.values() for part in plain.modules()}
    for module in list(network.modules()):
        if id(module) not in done:
            by_itself(module, frozen)
            if containers:
                make_plain_container(module)
    return network


def by_itself(module: nn.Module, change: Callable[[nn.Module], Any]) -> None:
    """`change` done to a module without its parts."""
    parts, module._modules = module._modules, {}
    change(module)
    module._modules = parts


def frozen(module: nn.Module) -> nn.Module:
    """`module` itself in float64 and eval mode, without gradients."""
    return module.double().eval().requires_grad_(requires_grad=False)


def _plain_layers(network: nn.Module, group: PointGroup | None) -> Iterator[tuple[str, nn.Module, nn.Module]]:
    for name, module, is_layer in outermost(network):
        if not is_layer and is_theirs(module) and not (is_sequence(module) or is_branched(module)):
            raise ExportError(f"{_named(name, module)}: {type(module).__name__} has no plain equivalent here")
        if is_layer and (is_theirs(module) or has_equivalent(module) or type(module) in _OURS):
            yield name, module, plain_layer(module, name, group)
        elif is_layer and _kind_of(module) in _PASSING:
            yield name, module, nn.Identity()
        elif is_layer and is_typed_layer(module):
            raise ExportError(f"{_named(name, module)}: {type(module).__name__} has no plain equivalent here")
        elif is_layer:
            yield name, module, copied(module)


def _named(name: str, module: nn.Module) -> str:
    return name or type(module).__name__


def _kind_of(module: nn.Module) -> tuple[str, str]:
    return type(module).__module__, type(module).__name__


def _finished(layer: nn.Module, name: str, finish: Finish) -> nn.Module:
    finish(name, frozen(layer))
    return layer


# --------------------------------------------------------------------------------------------------------- comparing


def _difference(module: nn.Module, plain: nn.Module) -> float:
    """The largest relative difference of a layer and its plain equivalent (float64) on random pictures."""
    if _kind_of(module) in _PASSING or _is_untyped(module):
        return 0.0
    if isinstance(module, GroupConv2d):
        plain = _first_rows(plain)
    twin = _with_kernel_of(plain, module) if isinstance(plain, _CONVS) else as_in_eval(module)
    picture = _picture_for(module)
    given = geometric(picture.clone(), module.in_type) if is_their_type(module.in_type) else picture.clone()
    output = twin.forward(given)
    expected = getattr(output, "tensor", output).double()
    return float(relative_error(plain.forward(picture.double()), expected))


def _first_rows(conv: Any) -> nn.Module:
    """A convolution that gives its first channels only, which tell its strides and paddings as well as all do."""
    few: nn.Module = copy.copy(conv)
    few._parameters = {
        name: None if each is None else nn.Parameter(each.detach()[:_ROWS], requires_grad=False)
        for name, each in conv._parameters.items()
    }
    return few


def _with_kernel_of(plain: Any, module: nn.Module) -> Any:
    """`module` in eval mode with the kernel of `plain`, held against its own before, instead of making it twice."""
    kernel, bias = plain.weight.float(), None if plain.bias is None else plain.bias.float()
    if isinstance(module, GroupConv2d):
        twin: Any = copy.copy(module)
        twin.kernel, twin.planar_bias = lambda: kernel, lambda: bias
        return twin
    return with_filter(module, kernel, bias) if has_filter(module) else as_in_eval(module)


def _is_untyped(module: nn.Module) -> bool:
    return getattr(module, "in_type", None) is None


def _picture_for(module: Any) -> Tensor:
    """(1, C, H, W), float32, of sides that no window fits by chance: one even, one odd."""
    generator = torch.Generator().manual_seed(0)
    in_type = module.in_type
    channels = in_type.size if is_their_type(in_type) else in_type.channels
    if is_their_type(in_type) and in_type.gspace.dimensionality == 0:
        return torch.randn(2, channels, generator=generator)
    if hasattr(module, "mask"):
        height, width = module.mask.shape[-2:]
    else:
        names = ("kernel_size", "dilation", "padding")
        window, dilation, padding = (_largest(getattr(module, name, 1)) for name in names)
        height = max(_PROBE_PX, (window - 1) * dilation + 1, padding + 1)
        width = height + 1
    return torch.randn(1, channels, height, width, generator=generator)


def _largest(value: Any) -> int:
    return int(max(value)) if isinstance(value, list | tuple) else int(value)


# -------------------------------------------------------------------------------------------------------- our layers


def _group_conv(module: GroupConv2d) -> nn.Module:
    in_type, out_type, bias = module.in_type, module.out_type, module.planar_bias()
    conv = nn.Conv2d(
        in_type.channels,
        out_type.channels,
        module.kernel_size,
        module.stride,
        module.padding,
        module.dilation,
        bias=bias is not None,
        dtype=torch.float64,
        device="meta",
    )
    conv.weight = nn.Parameter(module.kernel().double().contiguous())
    conv.bias = None if bias is None else nn.Parameter(bias.double())
    return typed(conv, in_type, out_type)


def _field_norm(module: FieldNorm2d) -> nn.Module:
    field_size = module.in_type.channels // module.num_features
    norm = nn.BatchNorm2d(module.in_type.channels, module.eps)
    for ours, shared in zip(norm.state_dict(keep_vars=True).items(), module.state_dict().values(), strict=True):
        name, target = ours
        target.copy_(shared if name == "num_batches_tracked" else shared.repeat_interleave(field_size))
    return typed(norm, module.in_type, module.in_type)


_CONVS = (nn.Conv2d, nn.ConvTranspose2d)
_OURS: dict[type, Callable[[Any], nn.Module]] = {GroupConv2d: _group_conv, FieldNorm2d: _field_norm}
_PASSING = {("equivariance.layers.escnn", "Enter"), ("equivariance.layers.escnn", "Leave")}
