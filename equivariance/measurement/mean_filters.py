"""Mean filters: what the kernels of a convolution have in common, and how lopsided that is.

Trained at sides where subsampling drops a border, the mean 3×3 filter of ImageNet's ResNets becomes lopsided around the
layers that subsample, and stays symmetric where nothing is dropped (Alsallakh et al. 2021, *Mind the Pad*, arXiv
2010.02178, section 4). In a group convolution the kernels of all output elements are one kernel, moved by the group, so
that their mean over everything is symmetric whatever was learned: here the mean is that of one output element.
"""

import torch
from torch import Tensor, nn

from equivariance.groups.fields import FieldType, Regular
from equivariance.layers.export import layers_of, types_of


def mean_filters(network: nn.Module) -> dict[str, Tensor]:
    """By the name of each convolution whose kernel has more than one pixel: (elements, k, k), its mean filters.

    The mean is over all pairs of fields, for the first output element and each of the input's; there is one element
    where channels are scalars or their type is not known. Takes plain torch convolutions, as served networks have them.

    >>> from torch import nn
    >>> {name: tuple(filters.shape) for name, filters in mean_filters(nn.Sequential(nn.Conv2d(3, 8, 5))).items()}
    {'0': (1, 5, 5)}
    """
    return {
        name: _mean_filter(layer, *types_of(layer))
        for name, layer in layers_of(network)
        if isinstance(layer, nn.Conv2d) and max(layer.kernel_size) > 1
    }


def lopsidedness(filters: Tensor) -> Tensor:
    """How much of filters (…, k, k) a half turn about their centre reverses: ‖odd part‖ / ‖filter‖, 0..1; (…).

    0 for a filter that is its own half turn, 1 for one that is the opposite of it. Zero filters are not lopsided.

    >>> import torch
    >>> lopsidedness(torch.tensor([[[1.0, 2.0], [2.0, 1.0]], [[-1.0, 0.0], [0.0, 1.0]]]))
    tensor([0., 1.])
    """
    odd = (filters - filters.flip((-2, -1))) / 2
    return odd.flatten(-2).norm(dim=-1) / filters.flatten(-2).norm(dim=-1).clamp_min(torch.finfo(filters.dtype).tiny)


def _mean_filter(conv: nn.Conv2d, in_type: FieldType | None, out_type: FieldType | None) -> Tensor:
    kernel = conv.weight.detach()
    fields = kernel.unflatten(0, (-1, _elements(out_type))).unflatten(2, (-1, _elements(in_type, conv.groups)))
    return fields[:, 0].mean((0, 1))  # from (out, |G|, in, |G|, k, k)


def _elements(field_type: FieldType | None, groups: int = 1) -> int:
    """How many channels each field has, if all are regular ones of one group and see all fields; else 1."""
    runs = field_type.runs if field_type is not None and groups == 1 else ()
    if len(runs) == 1 and isinstance(runs[0][0], Regular):
        return runs[0][0].size
    return 1
