"""The registry of networks, `GROUP-FAMILY`: which there are and what they are called. `models.build` builds them."""

from dataclasses import dataclass, replace
from typing import Any

from equivariance.groups.point_groups import C4, C8, D4, D8, SO2, Z2, PointGroup

# How layers sample, and the word for it beside the name of a network; `models.build` has what each changes.
SUBSAMPLING_WORDS = {"published": "", "symmetric": "mended", "antialiased": "antialiased"}
SUBSAMPLINGS = tuple(SUBSAMPLING_WORDS)
LARGER_KERNELS = "larger kernels"  # one more, to be compared with these
# How the head pools space and the group before the classifier, and the words for it beside the name of a network.
MEAN_FIRST, MAXIMUM_FIRST, NO_POOLING = "mean-first", "maximum-first", "no-pooling"
HEADS = {
    MEAN_FIRST: "mean over space, then maximum over the group",
    MAXIMUM_FIRST: "maximum over the group, then mean over space",
    NO_POOLING: "no pooling of the group",
}
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
    """An architecture; `planes` are the widths of its stages in the plain network, `head` one of HEADS."""

    name: str
    title: str
    planes: tuple[int, ...]
    classes: int
    head: str = MAXIMUM_FIRST


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


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("cnn", "CNN (paper, MNIST)", (20,), 10, MEAN_FIRST),
        Family("knight", "Knight (one layer)", (2,), 2, MEAN_FIRST),
        Family("resnet18", "ResNet-18", (32, 64, 128, 256), 10),
        Family("resnet44", "ResNet-44", (16, 32, 64), 10),
        Family("resnet18-large", "ResNet-18, 7×7 stem", (32, 64, 128, 256), 10),
        Family("wide-resnet-10-4", "Wide-ResNet-10-4", (16, 64, 128, 256), 10),
    )
}


@dataclass(frozen=True)
class NetworkSpec:
    """What to build: a group, a family, and their options; `spec` makes one from names.

    head: one of HEADS; empty for that of the family (`own_head`), and only so.
    dropout: the rate after four layers of the `cnn`; others have none.
    `subsampling` is one of SUBSAMPLINGS, or LARGER_KERNELS, for the layers called `only` (empty: all); see
    `equivariance.layers.subsampling`.
    """

    group: str
    family: str
    head: str = ""
    dropout: float = 0.0
    minimum_width: bool = False
    classes: int | None = None
    subsampling: str = "published"
    only: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`GROUP-FAMILY`."""
        return f"{self.group}-{self.family}"

    @property
    def point_group(self) -> PointGroup:
        """The group that the network is built to commute with."""
        return GROUPS[self.group].point_group

    @property
    def pooling(self) -> str:
        """How its head pools, one of HEADS."""
        return self.head or FAMILIES[self.family].head

    @property
    def pools_group(self) -> bool:
        """Whether the group is pooled before the classifier, so that logits can be invariant."""
        return self.pooling != NO_POOLING

    @property
    def as_published(self) -> "NetworkSpec":
        """The same network without any change of its subsampling."""
        return replace(self, subsampling="published", only=())

    @property
    def planes(self) -> tuple[int, ...]:
        """The widths of the stages of the plain network with as many parameters."""
        planes = FAMILIES[self.family].planes
        return tuple(min(MINIMUM_PLANES, width) for width in planes) if self.minimum_width else planes


NAMES: tuple[str, ...] = tuple(f"{group}-{family}" for family in FAMILIES for group in GROUPS)


def spec(name: str, **options: Any) -> NetworkSpec:
    """The network called `name`, options as of NetworkSpec; raises KeyError for a name that is not in `NAMES`."""
    if name not in NAMES:
        raise KeyError(name)
    group, _, family = name.partition("-")
    return NetworkSpec(group, family, **{**options, "head": own_head(name, options.get("head", ""))})


def own_head(name: str, head: str) -> str:
    """`head`, or empty where the network called `name` has it anyway; a plain network has no group to pool."""
    group, _, family = name.partition("-")
    return "" if group == "z2" or head == FAMILIES[family].head else head
