"""The registry of networks: `GROUP-FAMILY` → a network. It feeds the app, the command line and the tests."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from threading import Lock
from typing import Any

import torch
from torch import nn

from models.blocks import FullKit, Kit, PlainKit
from models.cnn import Cnn, Knight
from models.export import export
from models.groups import C4, C8, D4, D8, SO2, Z2, PointGroup
from models.resnet import ResNet
from models.wide_resnet import WideResNet

MINIMUM_PLANES = 6  # of the networks that tests use: two to four fields; a single one is often zero everywhere


@dataclass(frozen=True)
class Group:
    """A choice of symmetry: its point group and its kind of filter ("plain", "full" or "steerable")."""

    name: str
    title: str
    point_group: PointGroup
    filters: str


@dataclass(frozen=True)
class Family:
    """An architecture, built by `build(kit, planes, classes, group_pooling)`; `planes` are the plain network's."""

    name: str
    title: str
    build: Callable[[Kit, tuple[int, ...], int, bool], nn.Module]
    planes: tuple[int, ...]
    classes: int


GROUPS: dict[str, Group] = {
    group.name: group
    for group in (
        Group("z2", "Z2", Z2, "plain"),
        Group("p4", "C4", C4, "full"),
        Group("p4m", "D4", D4, "full"),
        Group("c4", "C4", C4, "steerable"),
        Group("d4", "D4", D4, "steerable"),
        Group("c8", "C8", C8, "steerable"),
        Group("d8", "D8", D8, "steerable"),
        Group("so2", "SO(2)", SO2, "steerable"),
    )
}


def _cnn(kit: Kit, planes: tuple[int, ...], classes: int, group_pooling: bool) -> nn.Module:
    return Cnn(kit, planes=planes[0], classes=classes, group_pooling=group_pooling)


def _knight(kit: Kit, planes: tuple[int, ...], classes: int, group_pooling: bool) -> nn.Module:
    return Knight(kit, planes=planes[0], classes=classes, group_pooling=group_pooling)


def _resnet(blocks_per_stage: int, *, large_stem: bool) -> Callable[[Kit, tuple[int, ...], int, bool], nn.Module]:
    def build(kit: Kit, planes: tuple[int, ...], classes: int, group_pooling: bool) -> nn.Module:
        return ResNet(
            kit,
            planes=planes,
            blocks_per_stage=blocks_per_stage,
            large_stem=large_stem,
            classes=classes,
            group_pooling=group_pooling,
        )

    return build


def _wide_resnet(kit: Kit, planes: tuple[int, ...], classes: int, group_pooling: bool) -> nn.Module:
    return WideResNet(kit, planes=planes, classes=classes, group_pooling=group_pooling)


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("cnn", "CNN (paper, MNIST)", _cnn, (20,), 10),
        Family("knight", "Knight (one layer)", _knight, (2,), 2),
        Family("resnet18", "ResNet-18", _resnet(2, large_stem=False), (32, 64, 128, 256), 10),
        Family("resnet44", "ResNet-44", _resnet(7, large_stem=False), (16, 32, 64), 10),
        Family("resnet18-large", "ResNet-18, 7×7 stem", _resnet(2, large_stem=True), (32, 64, 128, 256), 10),
        Family("wide-resnet-10-4", "Wide-ResNet-10-4", _wide_resnet, (16, 64, 128, 256), 10),
    )
}


@dataclass(frozen=True)
class NetworkSpec:
    """What to build: a group, a family, and their options."""

    group: str
    family: str
    group_pooling: bool = True
    minimum_width: bool = False
    classes: int | None = None

    @property
    def name(self) -> str:
        """`GROUP-FAMILY`."""
        return f"{self.group}-{self.family}"

    @property
    def point_group(self) -> PointGroup:
        """The group that the network is built to commute with."""
        return GROUPS[self.group].point_group


NAMES: tuple[str, ...] = tuple(f"{group}-{family}" for family in FAMILIES for group in GROUPS)

# escnn shares its (float32) basis buffers between all networks of a process: build one at a time.
_BUILDING = Lock()


def spec(name: str, *, group_pooling: bool = True, minimum_width: bool = False) -> NetworkSpec:
    """The network called `name`; raises KeyError for a name that is not in `NAMES`."""
    if name not in NAMES:
        raise KeyError(name)
    group, _, family = name.partition("-")
    return NetworkSpec(group, family, group_pooling, minimum_width)


def build(network: NetworkSpec, *, seed: int = 0) -> nn.Module:
    """The network in training mode with random weights drawn from `seed` (the global generator is left as it was)."""
    group, family = GROUPS[network.group], FAMILIES[network.family]
    with _BUILDING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        kit = _kit(group)
        return family.build(kit, _planes(network), network.classes or family.classes, network.group_pooling).train()


def serve(
    network: NetworkSpec, *, seed: int = 0, prepare: Callable[[nn.Module], None] = lambda network: None
) -> nn.Module:
    """The same network as plain torch layers in float64 (see `models.export`), after `prepare`, which loads weights."""
    built = build(network, seed=seed)
    prepare(built)
    with _BUILDING:
        return export(built, network.point_group)


@lru_cache(maxsize=len(NAMES))
def parameters(network: NetworkSpec) -> int:
    """Number of trainable parameters, counted on a network that uses one module for all layers that are alike."""
    group, family = GROUPS[network.group], FAMILIES[network.family]
    kit = _kit(group)
    for method in ("conv", "norm", "activation", "max_pool", "group_pool"):
        setattr(kit, method, cache(getattr(kit, method)))
    with _BUILDING, torch.random.fork_rng(devices=[]):
        shared = family.build(kit, _planes(network), network.classes or family.classes, network.group_pooling)
    return sum(parameter.numel() for _, parameter in shared.named_parameters(remove_duplicate=False))


def _planes(network: NetworkSpec) -> tuple[int, ...]:
    planes = FAMILIES[network.family].planes
    return tuple(min(MINIMUM_PLANES, width) for width in planes) if network.minimum_width else planes


def _kit(group: Group) -> Kit:
    kits: dict[str, Callable[[PointGroup], Any]] = {"plain": PlainKit, "full": FullKit}
    if group.filters == "steerable":
        from models.steerable import SteerableKit  # escnn takes seconds to import: only where it is needed

        return SteerableKit(group.point_group)
    return kits[group.filters](group.point_group)
