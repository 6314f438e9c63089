"""The authors' network, many times side by side: channels of all of them in one tensor, and each computes alone."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.gpu.cases import CLASSES, Case
from equivariance.groups.fields import FieldType, regular, scalars
from equivariance.groups.point_groups import PointGroup
from equivariance.layers.group_conv import FieldNorm2d, GroupConv2d
from equivariance.layers.plain import typed


def grouped(maps: Tensor, kernel: Tensor, bias: Tensor, padding: int, copies: int) -> Tensor:
    """One convolution with as many groups as there are networks: (B, copies · in, H, W) → (B, copies · out, h, w)."""
    return functional.conv2d(maps, kernel, bias, padding=padding, groups=copies)


def looped(maps: Tensor, kernel: Tensor, bias: Tensor, padding: int, copies: int) -> Tensor:
    """The same with a convolution for each network."""
    parts = zip(maps.chunk(copies, 1), kernel.chunk(copies), bias.chunk(copies), strict=True)
    return torch.cat([functional.conv2d(part, *weights, padding=padding) for part, *weights in parts], 1)


def unfolded(maps: Tensor, kernel: Tensor, bias: Tensor, padding: int, copies: int) -> Tensor:
    """The same as a product of matrices for each network and picture."""
    side = kernel.shape[-1]
    columns = functional.unfold(maps, side, padding=padding).unflatten(1, (copies, -1))  # (B, copies, in · k², h · w)
    weights = kernel.flatten(1).unflatten(0, (copies, -1))  # (copies, out, in · k²)
    products = (weights @ columns).flatten(1, 2) + bias[:, None]  # (B, copies · out, h · w)
    return products.unflatten(2, (maps.shape[2] + 2 * padding - side + 1, -1))


WAYS = {"grouped": grouped, "looped": looped, "unfolded": unfolded}
PLANES = 20  # of the plain network; half as many fields of C4
KERNELS, PADDINGS, POOL_AFTER = (3, 3, 3, 3, 3, 3, 4), (1, 1, 1, 1, 1, 1, 0), 1


class Networks(nn.Module):
    """The authors' network as their logs print it without its dropout, `copies` times: one for each seed.

    Seven convolutions with full filters, each with batch norm by field and ReLU, one 2×2 max-pool after the second, the
    mean over space, then the maximum over the group, a linear layer. Channels of the first network come first.
    """

    def __init__(self, group: PointGroup, copies: int = 1) -> None:
        super().__init__()
        self.group, self.copies = group, copies
        fields = PLANES if group.is_trivial else PLANES // 2
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        in_type = scalars(3)
        for side in KERNELS:
            self.convs.append(conv_of(group, in_type, fields_of(group, copies * fields), side))
            self.norms.append(norm_of(fields_of(group, copies * fields)))
            in_type = fields_of(group, fields)
        self.classifier = nn.Linear(fields, copies * CLASSES)

    @staticmethod
    def of(case: Case, seeds: Sequence[int]) -> "Networks":
        """One network for each seed, each with the weights that explorer's network of the seed begins with."""
        singles = []
        with torch.random.fork_rng(devices=[]):
            for seed in seeds:
                torch.manual_seed(seed)
                singles.append(Networks(case.group))
        return Networks.stacked(singles)

    @staticmethod
    def stacked(singles: Sequence["Networks"]) -> "Networks":
        """Networks of one case side by side."""
        found = Networks(singles[0].group, len(singles))
        states = [single.state_dict() for single in singles]
        several = [name for name, value in states[0].items() if value.dim()]  # all but the counts of batches
        found.load_state_dict(states[0] | {name: torch.cat([state[name] for state in states]) for name in several})
        return found.to(states[0]["classifier.weight"].dtype)

    def forward(self, pictures: Tensor, way: str = "grouped") -> Tensor:
        """(B, 1, H, W) for all networks or (B, copies, H, W), one grey picture for each → logits (B, copies, 10)."""
        layers = [(*weights_of(conv), norm) for conv, norm in zip(self.convs, self.norms, strict=True)]
        return self._through(pictures, layers, way)

    @torch.no_grad()
    def folded(self, way: str = "grouped") -> Callable[[Tensor], Tensor]:
        """The network of eval mode, batch norm folded into the kernels: pictures → logits, as `forward`."""
        layers = []
        for conv, norm in zip(self.convs, self.norms, strict=True):
            kernel, bias = weights_of(conv)
            scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
            shift = norm.bias.double() - norm.running_mean.double() * scale
            scale, shift = (each.repeat_interleave(len(kernel) // len(each)) for each in (scale, shift))
            folded = kernel.double() * scale[:, None, None, None], bias.double() * scale + shift
            layers.append((*(each.to(kernel.dtype) for each in folded), None))
        return lambda pictures: self._through(pictures, layers, way)

    def _through(self, maps: Tensor, layers: Sequence[tuple[Tensor, Tensor, nn.Module | None]], way: str) -> Tensor:
        for number, (kernel, bias, norm) in enumerate(layers):
            if number == 0:
                kernel = kernel.sum(1, keepdim=True)  # the three channels of a grey picture are equal
            copies = 1 if maps.shape[1] == 1 else self.copies
            maps = WAYS[way](maps, kernel, bias, PADDINGS[number], copies)
            maps = functional.relu(maps if norm is None else norm(maps))
            if number == POOL_AFTER:
                maps = functional.max_pool2d(maps, 2)
        means = maps.mean((-2, -1)).unflatten(1, (self.copies, -1, self.group.order))  # (B, copies, fields, |G|)
        weight, bias = self.classifier.weight, self.classifier.bias
        logits = torch.einsum("bmf,mcf->bmc", means.amax(-1), weight.unflatten(0, (self.copies, -1)))
        return logits + bias.unflatten(0, (self.copies, -1))


def weights_of(conv: nn.Module) -> tuple[Tensor, Tensor]:
    """Planar kernel (out, in, k, k) and bias (out,) of a convolution."""
    return (conv.kernel(), conv.planar_bias()) if isinstance(conv, GroupConv2d) else (conv.weight, conv.bias)


def fields_of(group: PointGroup, count: int) -> FieldType:
    """So many regular fields; scalars for a network without a group."""
    return scalars(count) if group.is_trivial else regular(group, count)


def conv_of(group: PointGroup, in_type: FieldType, out_type: FieldType, side: int, stride: int = 1) -> nn.Module:
    """A convolution with full filters, padded by half its side; its weights drawn as models/blocks.py draws them."""
    if not group.is_trivial:
        return GroupConv2d(in_type, out_type, side, stride=stride, padding=side // 2)
    conv = nn.Conv2d(in_type.channels, out_type.channels, side, stride, side // 2)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    nn.init.zeros_(conv.bias)
    return typed(conv, in_type, out_type)


def norm_of(field_type: FieldType) -> nn.Module:
    """Batch norm, shared within each field."""
    return (
        typed(nn.BatchNorm2d(field_type.channels), field_type, field_type)
        if field_type.is_scalar
        else FieldNorm2d(field_type)
    )
