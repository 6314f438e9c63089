"""What is trained: the part of the grid `reproduce mnist --budget full` that has counterparts in the authors' logs."""

from dataclasses import dataclass
from typing import Any

from equivariance.groups.point_groups import C4, Z2, PointGroup

CLASSES = 10
TURNS = ("identity", "rot90", "rot180", "rot270")
TESTED = (*TURNS, "mirror")
ANGLES_DEG = tuple(range(0, 360, 10))
ROTATIONS = {"upright": "none", "turned-20": "normal:45,20", "turned-40": "normal:45,40", "uniform": "uniform"}
AUTHORS_RUNS = {"upright": 100, "turned-20": 10, "turned-40": 10, "uniform": 100}  # no more are trained of each case


@dataclass(frozen=True)
class Budget:
    """How long and on what each run trains; the first pictures of each split, 0 takes all."""

    name: str = "full"
    data: str = "mnist-swapped"
    epochs: int = 50
    batch_size: int = 256
    train_pictures: int = 8000
    test_pictures: int = 0
    learning_rate: float = 0.01
    weight_decay: float = 1e-5

    @property
    def test_every(self) -> int:
        """Epochs between the tests of a curve."""
        return max(1, self.epochs // 5)


@dataclass(frozen=True)
class Case:
    """A network, a side and a training rotation. `key` names it in results."""

    key: str
    network: str
    size_px: int
    rotation: str

    @property
    def group(self) -> PointGroup:
        """That of the network."""
        return C4 if self.network == "p4-cnn" else Z2


NETWORKS = {
    "exact-28": ("p4-cnn", 28),
    "approximate-27": ("p4-cnn", 27),
    "approximate-29": ("p4-cnn", 29),
    "plain-28": ("z2-cnn", 28),
}
CASES = {
    study: tuple(Case(f"{study}/{key}", *network, rotation) for key, network in NETWORKS.items())
    for study, rotation in ROTATIONS.items()
}


def recipe_of(case: Case, budget: Budget, seed: int) -> dict[str, Any]:
    """The recipe of a run, as results files have it: all fields of explorer's recipes but `start`."""
    return {
        "network": case.network,
        "size_px": case.size_px,
        "how": "resize",
        "subsampling": "published",
        "head": "",
        "dropout": 0.0,
        "minimum_width": False,
        "data": budget.data,
        "train_pictures": budget.train_pictures,
        "test_pictures": budget.test_pictures,
        "epochs": budget.epochs,
        "batch_size": budget.batch_size,
        "optimizer": "adam",
        "learning_rate": budget.learning_rate,
        "weight_decay": budget.weight_decay,
        "schedule": "step",
        "rotation": case.rotation,
        "mirrors": False,
        "augmentation": "none",
        "precision": "float32",
        "deterministic": True,
        "test_every": budget.test_every,
        "angles_every": budget.epochs,
        "seed": seed,
    }
