"""What is run for the paper's claims: studies of cases, each case one recipe that is repeated over seeds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from explorer.pictures.images import Fit
from explorer.reproduction.authors import AuthorsCase, authors_case
from explorer.training.recipe import Recipe
from models.catalog import MAXIMUM_FIRST, NO_POOLING

TESTS = 5  # of a run on its test pictures, the last epoch among them: there are more of them than for training


@dataclass(frozen=True)
class GridBudget:
    """How long and on what each case trains. `swapped` is the authors' own split: see docs/decisions."""

    name: str
    data: str
    epochs: int
    batch_size: int
    train_pictures: int = 0
    test_pictures: int = 0
    weight_decay: float = 0.0
    precision: str = "float32"
    with_angles: bool = True  # tested at 36 of them after the last epoch


@dataclass(frozen=True)
class Case:
    """One recipe, with seed 0. `key` names it in results; `title` is short.

    base: the key of the case whose runs, seed by seed, this one starts from; empty for random weights.
    """

    key: str
    title: str
    recipe: Recipe
    base: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether theory calls its network exactly equivariant; a plain one is not equivariant at any size."""
        recipe = self.recipe
        sides_are_odd = recipe.data == "cifar10"  # strided convolutions there, a 2×2 pool for digits
        fits = recipe.subsampling == "symmetric" or recipe.size_px % 2 == sides_are_odd
        return fits and not recipe.network.startswith("z2")

    @property
    def authors(self) -> AuthorsCase | None:
        """What the authors measured for it, if they did."""
        recipe = self.recipe
        is_theirs = recipe.how == "resize" and recipe.subsampling == "published" and not recipe.head
        if not is_theirs or self.base or recipe.data == "cifar10":
            return None
        return authors_case(recipe.network, recipe.size_px, recipe.rotation)

    def seeded(self, seed: int, start: str = "") -> Recipe:
        """The recipe of one run."""
        return replace(self.recipe, seed=seed, start=start)


@dataclass(frozen=True)
class Study:
    """Cases that are compared with each other."""

    name: str
    title: str
    cases: tuple[Case, ...]


BUDGETS = {
    "mnist": {
        "quick": GridBudget("quick", "mnist-12k", epochs=12, batch_size=64, precision="mixed"),
        "full": GridBudget("full", "mnist-swapped", epochs=50, batch_size=256, train_pictures=8000, weight_decay=1e-5),
    },
    "cifar10": {
        "quick": GridBudget(
            "quick",
            "cifar10",
            epochs=4,
            batch_size=64,
            train_pictures=10_000,
            test_pictures=1_000,
            weight_decay=1e-5,
            precision="mixed",
            with_angles=False,
        ),
        "full": GridBudget("full", "cifar10", epochs=200, batch_size=256, weight_decay=1e-5),
    },
}
ROTATIONS = {
    "turned-20": ("normal:45,20", "Trained at 45° ± 20°"),
    "turned-40": ("normal:45,40", "Trained at 45° ± 40°"),
    "uniform": ("uniform", "Trained at all angles"),
}
_NETWORKS = (
    ("exact-28", "p4-cnn", 28, "Exact, 28 px"),
    ("approximate-27", "p4-cnn", 27, "Approximate, 27 px"),
    ("approximate-29", "p4-cnn", 29, "Approximate, 29 px"),
    ("plain-28", "z2-cnn", 28, "Plain, 28 px"),
)
_PARITY: tuple[tuple[str, Fit, int, str], ...] = (
    ("resized-30", "resize", 30, "Resized to 30 px: exact"),
    ("padded-29", "crop", 29, "Padded to 29 px: approximate"),
    ("padded-32", "crop", 32, "Padded to 32 px: exact"),
)
SIDES_PX = (27, 29)  # of the approximate networks
MENDED_PX = 29
_HEADS = ((MAXIMUM_FIRST, "maximum first"), (NO_POOLING, "no pooling"))
# Of fine-tuning: updates of the weights, and the digits and epochs that make as many at a batch of 64.
TUNING_STEPS = {50: (3200, 1), 157: (0, 1), 500: (8000, 4)}
_TUNINGS: tuple[tuple[str, str, str, str], ...] = (  # key, title, case to start from, subsampling
    ("mended-29", "Mended, 29 px", "upright/approximate-29", "symmetric"),
    ("as-it-was-29", "As it was, 29 px", "upright/approximate-29", "published"),
    ("blurred-28", "Blurred, 28 px", "upright/exact-28", "antialiased"),
)


def mnist_studies(budget: GridBudget) -> tuple[Study, ...]:
    """Claims 3 and 4, and what goes beyond the paper."""
    compared = [
        Study(
            name,
            title,
            tuple(
                _digits(budget, f"{name}/{key}", text, network, size_px, rotation=rotation)
                for key, network, size_px, text in _NETWORKS
            ),
        )
        for name, (rotation, title) in {"upright": ("none", "Trained upright"), **ROTATIONS}.items()
    ]
    return (*compared, _mended(budget), _parity(budget), _heads(budget), _tuned(budget))


def _mended(budget: GridBudget) -> Study:
    return Study(
        "mended",
        "Trained upright with symmetric subsampling",
        tuple(
            _digits(budget, f"mended/{side}", f"Mended, {side} px", "p4-cnn", side, subsampling="symmetric")
            for side in (MENDED_PX,)
        ),
    )


def _heads(budget: GridBudget) -> Study:
    """The other two heads; those of `upright` have the authors'."""
    return Study(
        "heads",
        "Which pooling comes first?",
        tuple(
            _digits(budget, f"heads/{head}-{side}", f"{text.capitalize()}, {side} px", "p4-cnn", side, head=head)
            for head, text in _HEADS
            for side in (28, 29)
        ),
    )


def _parity(budget: GridBudget) -> Study:
    return Study(
        "parity",
        "Resampling or parity?",
        tuple(_digits(budget, f"parity/{key}", text, "p4-cnn", side, how=how) for key, how, side, text in _PARITY),
    )


def _tuned(budget: GridBudget) -> Study:
    return Study(
        "tuned",
        "Mended after training, then fine-tuned",
        tuple(
            _digits(
                replace(budget, epochs=epochs, train_pictures=pictures, batch_size=64, with_angles=False),
                f"tuned/{key}-{steps}",
                f"{title}, {steps} steps",
                "p4-cnn",
                int(key[-2:]),
                base=base,
                subsampling=subsampling,
                learning_rate=0.001,
                schedule="constant",
            )
            for key, title, base, subsampling in _TUNINGS
            for steps, (pictures, epochs) in TUNING_STEPS.items()
        ),
    )


def cifar10_studies(budget: GridBudget) -> tuple[Study, ...]:
    """Two ResNets, plain and with C4 and D4 symmetry, at 32 px (approximate) and at 33 (exact)."""
    return tuple(
        Study(
            family,
            title,
            tuple(
                Case(f"{family}/{group}-{side}", f"{group}, {side} px", _photographs(budget, f"{group}-{family}", side))
                for group in ("p4", "p4m", "z2")
                for side in (32, 33)
            ),
        )
        for family, title in (("resnet18", "ResNet-18"), ("resnet44", "ResNet-44"))
    )


def _digits(
    budget: GridBudget, key: str, title: str, network: str, size_px: int, *, base: str = "", **options: Any
) -> Case:
    given: dict[str, Any] = {"learning_rate": 0.01, "schedule": "step", **options}
    return Case(key, title, Recipe(network=network, size_px=size_px, **_shared(budget), **given), base)


def _photographs(budget: GridBudget, network: str, size_px: int) -> Recipe:
    return Recipe(network=network, size_px=size_px, learning_rate=0.001, augmentation="crop-flip", **_shared(budget))


def _shared(budget: GridBudget) -> dict[str, Any]:
    """The fields that all recipes of a budget share; all angles are tested after the last epoch, if at all."""
    return {
        "data": budget.data,
        "epochs": budget.epochs,
        "batch_size": budget.batch_size,
        "train_pictures": budget.train_pictures,
        "test_pictures": budget.test_pictures,
        "weight_decay": budget.weight_decay,
        "precision": budget.precision,
        "angles_every": budget.epochs if budget.with_angles else 0,
        "test_every": max(1, budget.epochs // TESTS),
    }


STUDIES: dict[str, Callable[[GridBudget], tuple[Study, ...]]] = {"mnist": mnist_studies, "cifar10": cifar10_studies}
