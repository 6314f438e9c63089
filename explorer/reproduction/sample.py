"""The networks of `reproduce prediction`: small ones that lose much, little or nothing at turns they were not shown.

What differs between them: how far theory says their grids are displaced, how the digits are brought to size, the head,
the width, the group and the family. Each is one member of a sample, with weights of its own, and is trained once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from equivariance.layers.windows import AxisWindow
from equivariance.theory.grids import AxisSampling
from explorer.pictures.images import Fit
from explorer.reproduction.authors import AuthorsCase
from explorer.reproduction.studies import Case, GridBudget, Study
from explorer.training.recipe import Recipe
from models.catalog import MAXIMUM_FIRST, MEAN_FIRST, own_head

EXPERIMENT = "prediction"
BUDGETS = {
    "quick": GridBudget(
        "quick",
        "mnist-12k",
        epochs=5,
        batch_size=32,
        train_pictures=3000,
        test_pictures=1000,
        precision="mixed",
        with_angles=False,
    ),
    "full": GridBudget("full", "mnist-12k", epochs=12, batch_size=32, precision="mixed", with_angles=False),
}
SEEDS = 1  # for each: the networks are the sample
# The layers that subsample, by family, in order; all other layers keep the centre.
SUBSAMPLING = {
    "cnn": (AxisWindow("max", kernel=2, stride=2),),
    "resnet18": (AxisWindow("conv", kernel=3, stride=2, pad=1),) * 3,
}
# Of the cnn: sides that theory calls approximate and exact; groups and widths, without the one that costs most.
SIDES_PX, EXACT_PX = (25, 27, 29, 31), (26, 30)
_KINDS = (("p4", False), ("p4", True), ("p4m", True))  # group, minimum_width
_WAYS: tuple[Fit, ...] = ("resize", "crop")
_HEADS = (MEAN_FIRST, MAXIMUM_FIRST)
_WORDS = {"resize": "resized", "crop": "cut or padded"}
_LEARNING_RATES = {"cnn": 0.01, "resnet18": 0.005}
# How many times the budget's epochs: narrow networks learn more slowly, and an epoch takes a quarter of the time.
_TIMES = {("p4", False): 1, ("p4", True): 2, ("p4m", True): 4}
_STEP = 17  # has no divisor with the number of members in common


@dataclass(frozen=True)
class Member(Case):
    """A network of the sample. Its weights are drawn for it alone: the seed depends on its number."""

    number: int = 0

    @property
    def is_exact(self) -> bool:
        """Whether theory calls its network exactly equivariant."""
        return not any(displacements_px(self.family, self.recipe.size_px))

    @property
    def authors(self) -> AuthorsCase | None:
        """None: the authors trained on more digits and for longer."""
        return None

    @property
    def family(self) -> str:
        """Of the catalog."""
        return self.recipe.network.partition("-")[2]

    @property
    def group(self) -> str:
        """Of the catalog."""
        return self.recipe.network.partition("-")[0]

    @property
    def pooling(self) -> str:
        """How its head pools."""
        return self.recipe.network_spec(10).pooling

    @property
    def displacement_px(self) -> float:
        """How far the last map's centre lies beside the picture's along each axis, in pixels of the picture."""
        return abs(sum(displacements_px(self.family, self.recipe.size_px)))

    def seeded(self, seed: int, start: str = "") -> Recipe:
        """The recipe of one run."""
        return replace(self.recipe, seed=100 * seed + self.number, start=start)


def displacements_px(family: str, size_px: int) -> tuple[float, ...]:
    """By subsampling layer, δ of its grid times the strides before it: in pixels of the picture, along each axis.

    They add up along the network.
    """
    found, side, stride = [], size_px, 1
    for window in SUBSAMPLING[family]:
        sampling = AxisSampling(window, side, window.out_side(side), window.pad, window.pad)
        found.append(sampling.displacement_px * stride)
        side, stride = sampling.out_side, stride * window.stride
    return tuple(found)


def prediction_studies(budget: GridBudget) -> tuple[Study, ...]:
    """The sample, as one study."""
    return (Study("sample", "Networks that lose much, little or nothing", members(budget)),)


def members(budget: GridBudget) -> tuple[Member, ...]:
    """All networks, in an order that mixes their kinds: a part of the runs is a small sample, too."""
    found = tuple(_members(budget))
    return tuple(found[at * _STEP % len(found)] for at in range(len(found)))


def _members(budget: GridBudget) -> Iterator[Member]:
    for number, (network, size_px, how, head, is_narrow) in enumerate([*_cnns(), *_resnets()]):
        group, _, family = network.partition("-")
        epochs = budget.epochs * _TIMES[group, is_narrow]
        recipe = Recipe(
            network=network,
            size_px=size_px,
            how=how,
            head=own_head(network, head),
            minimum_width=is_narrow,
            data=budget.data,
            train_pictures=budget.train_pictures,
            test_pictures=budget.test_pictures,
            epochs=epochs,
            batch_size=budget.batch_size,
            learning_rate=_LEARNING_RATES[family],
            schedule="step",
            weight_decay=budget.weight_decay,
            precision=budget.precision,
            angles_every=0,
            test_every=epochs,  # before training and after it
        )
        width = "narrow" if is_narrow else "wide"
        words = f"{network}, {size_px} px, {_WORDS[how]}, {head.replace('-', ' ')}, {width}"
        yield Member(f"sample/{network}-{size_px}-{how}-{head}-{width}", words, recipe, number=number)


def _cnns() -> Iterator[tuple[str, int, Fit, str, bool]]:
    """Half of all combinations of side, way, head and kind, so that each value meets each other equally often."""
    sides = [*product(SIDES_PX, _WAYS), *zip(EXACT_PX, _WAYS, strict=True)]
    for at, (size_px, how) in enumerate(sides):
        for kind, (group, is_narrow) in enumerate(_KINDS):
            yield f"{group}-cnn", size_px, how, _HEADS[(at + at // 2 + kind) % 2], is_narrow


def _resnets() -> Iterator[tuple[str, int, Fit, str, bool]]:
    """In minimum width alone; sides of 25 and 33 px are exact, the others displaced by ½ to 3½ px."""
    yield "p4-resnet18", 25, "resize", MEAN_FIRST, True
    for side_px in range(26, 33):
        yield "p4-resnet18", side_px, "resize", _HEADS[side_px % 2], True
    for side_px in (27, 29, 31):
        yield "p4-resnet18", side_px, "crop", MEAN_FIRST, True
    yield "p4-resnet18", 33, "crop", MAXIMUM_FIRST, True
