"""Recipes: everything a run depends on, as one value that is checked, written to JSON and read back."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, get_args

from explorer.data.known import DATA, FOLDER
from explorer.errors import RecipeError
from explorer.pictures.images import Fit
from models.catalog import HEADS, MAXIMUM_FIRST, NAMES, NO_POOLING, SUBSAMPLINGS, NetworkSpec, own_head, spec

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("onecycle", "step", "constant")
PRECISIONS = ("float32", "mixed")
AUGMENTATIONS = ("none", "crop", "crop-flip")
FILE, RUN, SHIPPED = "file:", "run:", "shipped:"
_NORMAL = re.compile(r"normal:(?P<mean>-?\d{1,3}(?:\.\d{1,6})?),(?P<sd>\d{1,3}(?:\.\d{1,6})?)", re.ASCII)
_SHOWN_DIGITS = 20
_START = re.compile(r"(?:run|shipped):[\w.-]{1,80}|file:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class Rotation:
    """How training pictures are turned: not at all, by quarter turns, by any angle, or by normally drawn angles.

    Angles are counterclockwise. `text` is as the command line writes it: none, quarter, uniform, normal:MEAN,SD.
    """

    kind: str
    mean_deg: float = 0.0
    sd_deg: float = 0.0

    @property
    def text(self) -> str:
        """As `parse` reads it."""
        return f"normal:{_fixed(self.mean_deg)},{_fixed(self.sd_deg)}" if self.kind == "normal" else self.kind

    @staticmethod
    def parse(text: str) -> "Rotation":
        """The rotation called `text`; raises RecipeError."""
        if text in ("none", "quarter", "uniform"):
            return Rotation(text)
        normal = _NORMAL.fullmatch(text)
        if normal is None:
            raise RecipeError(f"The rotation {text!r} is not known: use none, quarter, uniform or normal:MEAN,SD.")
        return Rotation("normal", float(normal["mean"]), float(normal["sd"]))


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and how. Two runs of the same recipe on the same device are meant to be the same.

    data: one of DATA, or `folder:PATH` with a folder of pictures for each class.
    size_px, how: the pictures are brought to this side by `how`, see `bring.brought`; resizing resamples them.
    head, dropout: as of NetworkSpec.
    train_pictures, test_pictures: the first so many; 0 takes all.
    rotation, mirrors: drawn for each training picture anew, after it was brought to size.
    augmentation: of training pictures; `crop`: padded by an eighth of the side, then cut at random; `crop-flip`: also
        mirrored left-right at random.
    schedule: `onecycle` (Smith 2018), `learning_rate` its peak; `step`, halved after each fifth of the run; `constant`.
    precision: `mixed` computes in bfloat16 where the device has units for it (newer GPUs and CPUs); weights stay
        float32, and so does everything that is evaluated.
    deterministic: the same weights, bit for bit, at every run and after every interruption.
    test_every: epochs between tests; the untrained network and the last epoch are always tested.
    angles_every: epochs between tests at 36 angles as well; the last epoch always; 0 never.
    start: empty for random weights, else run:ID, shipped:NAME or file:SHA256.
    """

    network: str = "p4-cnn"
    size_px: int = 28
    how: Fit = "resize"
    subsampling: str = "published"
    head: str = ""
    dropout: float = 0.0
    minimum_width: bool = False
    data: str = "mnist-12k"
    train_pictures: int = 0
    test_pictures: int = 0
    epochs: int = 5
    batch_size: int = 64
    optimizer: str = "adam"
    learning_rate: float = 0.01
    weight_decay: float = 0.0
    schedule: str = "onecycle"
    rotation: str = "none"
    mirrors: bool = False
    augmentation: str = "none"
    precision: str = "float32"
    deterministic: bool = True
    test_every: int = 1
    angles_every: int = 5
    seed: int = 0
    start: str = ""

    def network_spec(self, classes: int) -> NetworkSpec:
        """The network with one logit for each class."""
        network = spec(
            self.network,
            head=self.head,
            dropout=self.dropout,
            minimum_width=self.minimum_width,
            subsampling=self.subsampling,
        )
        return replace(network, classes=classes)

    @property
    def rotations(self) -> Rotation:
        """`rotation`, read."""
        return Rotation.parse(self.rotation)

    def checked(self) -> "Recipe":
        """The same recipe; raises RecipeError in one sentence for a field that is not accepted.

        What depends on the data or on the network's smallest side is checked when they are there.
        """
        for name, accepted in _CHOICES.items():
            value = getattr(self, name)
            if value not in accepted:
                raise RecipeError(f"{_words(name)} is {value!r}: use one of {', '.join(accepted)}.")
        for name, (smallest, largest) in _RANGES.items():
            value = getattr(self, name)
            whole = name not in _FRACTIONS
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                raise RecipeError(f"{_words(name)} is {value!r}: give a {'whole ' if whole else ''}number.")
            if not smallest <= value <= largest:
                shown = f"{value:g}" if isinstance(value, float) else str(value)[:_SHOWN_DIGITS]  # :g fails above 1e308
                raise RecipeError(f"{_words(name)} is {shown}: give {smallest:g} to {largest:g}.")
        if self.data not in DATA and not (self.data.startswith(FOLDER) and len(self.data) > len(FOLDER)):
            raise RecipeError(f"There is no data set {self.data!r}: use one of {', '.join(DATA)}, or folder:PATH.")
        if self.start and not _START.fullmatch(self.start):
            raise RecipeError(f"A run cannot start from {self.start!r}: use run:ID, shipped:NAME or a weights file.")
        if self.dropout and not self.network.endswith("-cnn"):
            raise RecipeError(f"{self.network} has no place for dropout: leave it at 0, or choose a cnn.")
        Rotation.parse(self.rotation)
        return replace(self, head=own_head(self.network, self.head))

    def document(self) -> dict[str, Any]:
        """The recipe as JSON takes it."""
        return asdict(self)


def recipe_of(document: Mapping[str, Any]) -> Recipe:
    """The recipe written as `document`; raises RecipeError for fields that are unknown or not accepted.

    One of version 0.1 says `group_pooling`, and took the maximum over the group first.
    """
    if "group_pooling" in document:
        document = _with_head(document)
    known = {each.name: each for each in fields(Recipe)}
    for name, value in document.items():
        if name not in known:
            raise RecipeError(f"A recipe has no field {name!r}: its fields are {', '.join(known)}.")
        if isinstance(known[name].default, bool) and not isinstance(value, bool):
            raise RecipeError(f"{_words(name)} is {value!r}: give true or false.")
        if isinstance(known[name].default, str) and not isinstance(value, str):
            raise RecipeError(f"{_words(name)} is {value!r}: give a text.")
    return Recipe(**document).checked()


def recipe_said(document: Any) -> Recipe | None:
    """The recipe that a file of weights says it was made by; None where it says nothing, or not in our words."""
    try:
        return recipe_of(document) if isinstance(document, dict) else None
    except (TypeError, RecipeError):
        return None


def _with_head(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document of version 0.1 as it is written now; what is not accepted stays, and is told."""
    others = {name: value for name, value in document.items() if name != "group_pooling"}
    if not isinstance(pooled := document["group_pooling"], bool):
        return {**others, "head": pooled}
    head = MAXIMUM_FIRST if pooled else NO_POOLING
    return {**others, "head": own_head(str(document.get("network", Recipe.network)), head)}


def _fixed(angle_deg: float) -> str:
    """To six decimals, without an exponent."""
    return f"{angle_deg:.6f}".rstrip("0").rstrip(".")


def _words(name: str) -> str:
    return name.replace("_px", "").replace("_", " ").capitalize()


_CHOICES: dict[str, tuple[str, ...]] = {
    "network": NAMES,
    "how": get_args(Fit),
    "subsampling": SUBSAMPLINGS,
    "head": ("", *HEADS),
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "augmentation": AUGMENTATIONS,
    "precision": PRECISIONS,
}
_RANGES: dict[str, tuple[float, float]] = {
    "size_px": (2, 1024),
    "train_pictures": (0, 10_000_000),
    "test_pictures": (0, 10_000_000),
    "epochs": (1, 10_000),
    "batch_size": (2, 65_536),  # batch norm needs two
    "dropout": (0.0, 0.9),
    "learning_rate": (1e-9, 100.0),
    "weight_decay": (0.0, 10.0),
    "test_every": (1, 10_000),
    "angles_every": (0, 10_000),
    "seed": (0, 2**31 - 1),
}
_FRACTIONS = {"dropout", "learning_rate", "weight_decay"}
