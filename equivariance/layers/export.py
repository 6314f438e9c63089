"""Networks as they are served: plain torch layers in float64, with the field types carried along.

`export` copies the containers of a network and replaces each layer by its plain equivalent. Kernels are averaged over
the pixel-exact elements of the group in float64, because escnn's bases are float32; that average may not move a kernel
by more than rounding, so a wrong layer is caught and never repaired.
"""

import copy
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from equivariance.groups.fields import FieldType, Harmonics, average_kernel, kernel_parts
from equivariance.groups.point_groups import PointGroup
from equivariance.layers.group_conv import FieldNorm2d, GroupConv2d
from equivariance.layers.plain import FieldLength, FieldMaxPool2d, FourierELU, GroupMaxPool, typed
from equivariance.relative import relative_error_in_parts

ROUNDING = 1e-6  # largest relative change that averaging a float32 kernel over its group may make


Finish = Callable[[str, nn.Module], None]


class ExportError(ValueError):
    """A layer that has no plain equivalent here, or whose kernel is not what its types promise."""


def export(network: nn.Module, group: PointGroup, finish: Finish = lambda name, layer: None) -> nn.Module:
    """A copy of `network` made of plain torch layers: float64, eval mode, no gradients, on the CPU.

    Kernels are expanded anew from the weights, so filters that escnn keeps cannot be stale. `finish(name, layer)` is
    called with each layer as soon as it is made and may cast it, so that the whole network is never float64 at once.
    Raises ExportError, naming the layer.
    """
    with torch.no_grad():
        return _export_module(network, group, "", finish)


def layers_of(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """(name, module) of every layer of a network, in order of definition: modules without parts of their own."""
    for name, module in network.named_modules():
        is_layer = getattr(module, "is_layer", not any(module.children()))
        if is_layer and not isinstance(module, nn.Sequential | nn.Identity):
            yield name, module


def types_of(layer: nn.Module) -> tuple[FieldType | None, FieldType | None]:
    """The field types of a layer's input and output; None where unknown or where no element acts."""
    return getattr(layer, "in_type", None), getattr(layer, "out_type", None)


def _export_module(module: nn.Module, group: PointGroup, name: str, finish: Finish) -> nn.Module:
    for kind in type(module).__mro__:
        exporter = _exporters().get(kind)
        if exporter is not None:
            try:
                return _finished(exporter(module, group), name, finish)
            except ValueError as error:  # also of types that we do not have
                raise ExportError(f"{name}: {error}") from None
    if type(module).__module__.startswith("escnn."):
        raise ExportError(f"{name}: {type(module).__name__} has no plain equivalent here")
    if not any(module.children()):
        return _finished(copy.deepcopy(module), name, finish)
    container = copy.copy(module)
    container._parameters = copy.deepcopy(module._parameters)  # else casting the copy would cast the original
    container._buffers = copy.deepcopy(module._buffers)
    container._modules = {}
    _frozen(container)
    for child_name, child in module.named_children():
        container._modules[child_name] = _export_module(child, group, f"{name}.{child_name}".lstrip("."), finish)
    return container


def _finished(layer: nn.Module, name: str, finish: Finish) -> nn.Module:
    finish(name, _frozen(layer))
    return layer


def _frozen(module: nn.Module) -> nn.Module:
    return module.double().eval().requires_grad_(requires_grad=False)


def _exporters() -> dict[type, Callable[[Any, PointGroup], nn.Module]]:
    return {GroupConv2d: _group_conv, FieldNorm2d: _field_norm, **_steerable_exporters()}


def _steerable_exporters() -> dict[type, Callable[[Any, PointGroup], nn.Module]]:
    if "escnn.nn" not in sys.modules:  # no steerable network exists, and escnn takes seconds to import
        return {}
    from equivariance.layers.escnn import Enter, Leave, escnn_nn

    return {
        Enter: lambda module, group: nn.Identity(),
        Leave: lambda module, group: nn.Identity(),
        escnn_nn.R2Conv: _steerable_conv,
        escnn_nn.InnerBatchNorm: _as_escnn_exports,
        escnn_nn.IIDBatchNorm2d: _as_escnn_exports,
        escnn_nn.ReLU: _as_escnn_exports,
        escnn_nn.PointwiseMaxPool2D: _as_escnn_exports,
        escnn_nn.GroupPooling: lambda module, group: _retyped(
            module, GroupMaxPool(module.in_type.representations[0].size)
        ),
        escnn_nn.NormPool: lambda module, group: _retyped(module, FieldLength(module.in_type.representations[0].size)),
        escnn_nn.NormMaxPool: _steerable_max_pool,
        escnn_nn.FourierELU: _fourier_elu,
    }


def _group_conv(module: GroupConv2d, group: PointGroup) -> nn.Module:
    in_type, out_type = module.in_type, module.out_type
    bias = module.planar_bias()
    return _conv(module, module.kernel().double(), bias, in_type, out_type)


def _field_norm(module: FieldNorm2d, group: PointGroup) -> nn.Module:
    field_size = module.in_type.channels // module.num_features
    norm = nn.BatchNorm2d(module.in_type.channels, module.eps)
    for ours, shared in zip(norm.state_dict(keep_vars=True).items(), module.state_dict().values(), strict=True):
        name, target = ours
        target.copy_(shared if name == "num_batches_tracked" else shared.repeat_interleave(field_size))
    return typed(norm, module.in_type, module.in_type)


def _steerable_conv(module: Any, group: PointGroup) -> nn.Module:
    in_type, out_type = _our_types(module)
    kernel, bias = module.expand_parameters()
    averaged = average_kernel(kernel, group, in_type=in_type, out_type=out_type)
    moved = float(relative_error_in_parts((averaged[rows], kernel[rows]) for rows, _ in kernel_parts(out_type)))
    if moved > ROUNDING:
        raise ExportError(f"the kernel differs from its group average by {moved:.1e}, more than rounding")
    return _conv(module, averaged, bias, in_type, out_type)


def _conv(module: Any, kernel: Tensor, bias: Tensor | None, in_type: FieldType, out_type: FieldType) -> nn.Module:
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
    conv.weight = nn.Parameter(kernel.contiguous())
    conv.bias = None if bias is None else nn.Parameter(bias.double())
    return typed(conv, in_type, out_type)


def _steerable_max_pool(module: Any, group: PointGroup) -> nn.Module:
    if module.dilation not in (1, (1, 1)) or module.ceil_mode:
        raise ExportError("norm max-pools with dilation or ceil mode are not supported")
    field_size = module.in_type.representations[0].size
    pool = FieldMaxPool2d(field_size, module.kernel_size, module.stride, module.padding)
    return _retyped(module, pool)


def _fourier_elu(module: Any, group: PointGroup) -> nn.Module:
    in_type, _ = _our_types(module)
    representation = in_type.runs[0][0]
    if not isinstance(representation, Harmonics):
        raise ExportError(f"FourierELU on {representation.name} fields is not supported")
    elu = FourierELU(representation, samples=module.A.shape[0])
    difference = float((elu.to_samples - module.A).abs().max())
    if elu.to_samples.shape != module.A.shape or difference > ROUNDING:
        raise ExportError(f"its samples are not equally spaced angles (they differ by {difference:.1e})")
    return _retyped(module, elu)


def _as_escnn_exports(module: Any, group: PointGroup) -> nn.Module:
    training = module.training
    plain = module.export()  # which puts the module itself into eval mode
    module.train(training)
    return _retyped(module, plain)


def _retyped(module: Any, plain: nn.Module) -> nn.Module:
    return typed(plain, *_our_types(module))


def _our_types(module: Any) -> tuple[FieldType, FieldType]:
    from equivariance.layers.escnn import field_type_of

    return field_type_of(module.in_type), field_type_of(module.out_type)
