"""Mean filters: what the kernels of a convolution have in common, and how lopsided that is.

Trained at sides where subsampling drops a border, the mean 3×3 filter of ImageNet's ResNets becomes lopsided around the
layers that subsample, and stays symmetric where nothing is dropped (Alsallakh et al. 2021, *Mind the Pad*, arXiv
2010.02178, section 4). In a group convolution the kernels of all output elements are one kernel, moved by the group, so
that their mean over everything is symmetric whatever was learned: here the mean is that of one output element.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from equivariance.groups.fields import FieldType, Regular
from equivariance.layers.export import layers_of, plain_layer, types_of
from equivariance.layers.group_conv import GroupConv2d
from equivariance.layers.planar import has_filter

Types = tuple[FieldType | None, FieldType | None]  # of a layer's input and output

_CONVS = (nn.Conv2d, nn.ConvTranspose2d)


def mean_filters(network: nn.Module) -> dict[str, Tensor]:
    """By the name of each planar convolution whose kernel has more than one pixel: (elements, h, w), its mean filters.

    The mean is over all pairs of fields, for the first output element and each of the input's. There is one element
    where channels are scalars, where their type is not known or has no regular fields of one group, and where a grouped
    convolution shows each output only a part of a field. Filters lie as the layer reads its input: those of transposed
    convolutions, which write, are turned around. Takes networks as built and as served, of torch's layers, escnn's,
    e2cnn's and our own. Raises ExportError for a convolution of escnn's or e2cnn's without a plain equivalent.

    >>> from torch import nn
    >>> {name: tuple(filters.shape) for name, filters in mean_filters(nn.Sequential(nn.Conv2d(3, 8, 5))).items()}
    {'0': (1, 5, 5)}
    """
    return {name: _mean_filter(kernels, *types) for name, kernels, types in _kernels(network)}


def kernel_lopsidedness(network: nn.Module) -> dict[str, float]:
    """By the name of each convolution as in `mean_filters`: the `lopsidedness` of its single kernels, 0..1.

    Root mean square over all pairs of channels, each weighed by its length. Single kernels that lean to different sides
    cancel in their mean and are seen here alone; in a group convolution all elements of a field have the same.

    >>> from torch import nn
    >>> kernel_lopsidedness(nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU()))
    {}
    """
    found = {}
    for name, kernels, _ in _kernels(network):
        odd = (kernels - kernels.flip((-2, -1))) / 2
        found[name] = float(odd.norm() / kernels.norm().clamp_min(torch.finfo(kernels.dtype).tiny))
    return found


def lopsidedness(filters: Tensor) -> Tensor:
    """How much of filters (…, h, w) a half turn about their centre reverses: ‖odd part‖ / ‖filter‖, 0..1; (…).

    0 for a filter that is its own half turn, 1 for one that is the opposite of it. Zero filters are not lopsided, but
    random ones are, about ⅔ for 3×3 independent weights: trained filters are compared with others, and not with 0.

    >>> import torch
    >>> lopsidedness(torch.tensor([[[1.0, 2.0], [2.0, 1.0]], [[-1.0, 0.0], [0.0, 1.0]]]))
    tensor([0., 1.])
    """
    odd = (filters - filters.flip((-2, -1))) / 2
    return odd.flatten(-2).norm(dim=-1) / filters.flatten(-2).norm(dim=-1).clamp_min(torch.finfo(filters.dtype).tiny)


def lean_px(filters: Tensor) -> Tensor:
    """To which side filters (…, h, w) lean: Σ w·p / Σ |w|, p the place from the centre in pixels; (…, 2), down, right.

    Weights count with their sign: a negative one on the left leans to the right. Unlike `lopsidedness` it has a
    direction, so that leanings of many filters can add up or cancel. Zero filters do not lean.

    >>> import torch
    >>> lean_px(torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]))
    tensor([0.0000, 0.5000])
    """
    height, width = filters.shape[-2:]
    total = filters.abs().sum((-2, -1)).clamp_min(torch.finfo(filters.dtype).tiny)
    down = (filters.sum(-1) * _places(height, filters)).sum(-1)
    right = (filters.sum(-2) * _places(width, filters)).sum(-1)
    return torch.stack([down, right], -1) / total.unsqueeze(-1)


def _places(count: int, like: Tensor) -> Tensor:
    return torch.arange(count, dtype=like.dtype, device=like.device) - (count - 1) / 2


@torch.no_grad()
def _plain(layer: nn.Module, name: str) -> nn.Conv2d | nn.ConvTranspose2d | None:
    """A convolution of torch that does what `layer` does; None of layers that are no planar convolutions."""
    plain = plain_layer(layer, name, None) if has_filter(layer) or isinstance(layer, GroupConv2d) else layer
    return plain if isinstance(plain, _CONVS) else None


def _kernels(network: nn.Module) -> Iterator[tuple[str, Tensor, Types]]:
    """(name, kernels (out, in, h, w) as it reads, types) of each convolution whose kernel has more than one pixel."""
    for name, layer in layers_of(network):
        conv = _plain(layer, name)
        if conv is not None and max(conv.kernel_size) > 1:
            kernels = conv.weight.detach()
            transposed = isinstance(conv, nn.ConvTranspose2d)
            yield name, _as_it_reads(kernels, conv.groups) if transposed else kernels, types_of(layer)


def _mean_filter(kernel: Tensor, in_type: FieldType | None, out_type: FieldType | None) -> Tensor:
    out_elements, in_elements = _elements(out_type), _elements(in_type)
    if kernel.shape[1] % in_elements:
        in_elements = 1  # each output sees a part of a field
    fields = kernel.unflatten(0, (-1, out_elements)).unflatten(2, (-1, in_elements))  # (out, |G|, in, |G|, h, w)
    return fields[:, 0].mean((0, 1))


def _as_it_reads(kernel: Tensor, groups: int) -> Tensor:
    """Of a transposed convolution, (in, out / groups, h, w), as of one that is not: (out, in / groups, h, w)."""
    by_group = kernel.unflatten(0, (groups, -1)).transpose(1, 2)  # (groups, out / groups, in / groups, h, w)
    return by_group.flatten(0, 1).flip((-2, -1))


def _elements(field_type: FieldType | None) -> int:
    """How many channels each field has, if all are regular ones of one group; else 1."""
    runs = () if field_type is None else field_type.runs
    representations = {representation for representation, _ in runs}
    if len(representations) != 1:
        return 1
    (representation,) = representations
    return representation.size if isinstance(representation, Regular) else 1
