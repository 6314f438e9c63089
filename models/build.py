"""Builds the networks of the catalog: for training, or as the plain torch layers that are served."""

from collections.abc import Callable
from functools import lru_cache, partial
from threading import Lock
from typing import Any

import torch
from torch import nn

from equivariance.groups.point_groups import PointGroup
from equivariance.layers.export import Finish, export
from equivariance.layers.subsampling import antialiased, symmetric, with_larger_kernels
from models.blocks import FullKit, Kit, PlainKit
from models.catalog import FAMILIES, GROUPS, LARGER_KERNELS, NAMES, Group, NetworkSpec
from models.cnn import Cnn, Knight
from models.counting import KernelCounter, SharedLayers
from models.resnet import ResNet
from models.wide_resnet import WideResNet

# What each way to sample changes, of those in the catalog; nothing for the published one.
_CHANGES: dict[str, Callable[..., nn.Module]] = {
    "symmetric": symmetric,
    "antialiased": antialiased,
    LARGER_KERNELS: with_larger_kernels,
}

# escnn shares its (float32) basis buffers between all networks of a process: build one at a time.
_BUILDING = Lock()


# By family: (kit, planes of the plain network, classes, how the head pools) → network.
_BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "cnn": Cnn,
    "knight": Knight,
    "resnet18": partial(ResNet, blocks_per_stage=2, large_stem=False),
    "resnet44": partial(ResNet, blocks_per_stage=7, large_stem=False),
    "resnet18-large": partial(ResNet, blocks_per_stage=2, large_stem=True),
    "wide-resnet-10-4": WideResNet,
}


def build(network: NetworkSpec, *, seed: int = 0) -> nn.Module:
    """The network in training mode with random weights drawn from `seed` (the global generator is left as it was)."""
    with _BUILDING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _assemble(network, _kit(GROUPS[network.group])).train()


def serve(
    network: NetworkSpec,
    *,
    seed: int = 0,
    prepare: Callable[[nn.Module], None] = lambda network: None,
    finish: Finish = lambda name, layer: None,
) -> nn.Module:
    """The same network as plain torch layers in float64, after `prepare`, which loads weights.

    `finish` is called with each layer as it is made and may cast it, see `equivariance.layers.export`. Subsampling is
    changed last: weights are those of the published network.
    """
    built = build(network, seed=seed)
    prepare(built)
    with _BUILDING:
        served = export(built, network.point_group, finish)
    return subsampled(served, network, in_place=True)


def subsampled(network: nn.Module, spec: NetworkSpec, *, in_place: bool = False) -> nn.Module:
    """The network, built or served, as `spec` samples: changed `in_place` or in a copy; itself as published."""
    if spec.subsampling == "published":
        return network
    return _CHANGES[spec.subsampling](network, only=spec.only or None, in_place=in_place)


def kernel_sizes(network: NetworkSpec) -> list[int]:
    """How many numbers each kernel of the served network has, counted without making one."""
    counter = KernelCounter(_kit(GROUPS[network.group]))
    with _BUILDING, torch.random.fork_rng(devices=[]):
        _assemble(network, counter)
    return counter.sizes


@lru_cache(maxsize=len(NAMES))
def parameters(network: NetworkSpec) -> int:
    """Number of trainable parameters, counted on a network that uses one module for all layers that are alike."""
    with _BUILDING, torch.random.fork_rng(devices=[]):
        shared = _assemble(network, SharedLayers(_kit(GROUPS[network.group])))
    return sum(parameter.numel() for _, parameter in shared.named_parameters(remove_duplicate=False))


def _assemble(network: NetworkSpec, kit: Kit) -> nn.Module:
    family = FAMILIES[network.family]
    options = {"dropout": network.dropout} if network.dropout else {}
    classes = network.classes or family.classes
    return _BUILDERS[network.family](kit, planes=network.planes, classes=classes, head=network.pooling, **options)


def _kit(group: Group) -> Kit:
    kits: dict[str, Callable[[PointGroup], Any]] = {"plain": PlainKit, "full": FullKit}
    if group.filters == "steerable":
        from models.steerable import SteerableKit  # escnn takes seconds to import: only where it is needed

        return SteerableKit(group.point_group)
    return kits[group.filters](group.point_group)
