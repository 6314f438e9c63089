"""Controls of the Train page for the fields of a recipe but its network; each returns values by field."""

from typing import TypedDict

import streamlit as st

from explorer.data.known import DATA, FOLDER
from explorer.pages.session.shared import settings
from explorer.pages.widgets.controls import linked
from explorer.training.recipe import AUGMENTATIONS, OPTIMIZERS, PRECISIONS, SCHEDULES, Recipe, Rotation

ROTATIONS = ("none", "quarter", "uniform", "normal")
_FOLDER = "a folder"
_DEFAULT = Recipe()
# Three networks in some minutes on two cores, and long enough for the approximate one to lose ten per cent at 180°.
_EPOCHS, _TRAIN_PICTURES, _TEST_PICTURES, _ANGLES_EVERY, _BATCH = 6, 4_000, 500, 10, 32


class DataFields(TypedDict):
    """What to train and to test on."""

    data: str
    train_pictures: int
    test_pictures: int


class TrainingFields(TypedDict):
    """How the pictures are turned, and how often they are shown."""

    rotation: str
    mirrors: bool
    epochs: int


class _RunningFields(TypedDict):
    precision: str
    deterministic: bool
    angles_every: int
    seed: int


class FurtherFields(_RunningFields):
    """What most visitors leave as it is."""

    batch_size: int
    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str
    augmentation: str


def data_controls() -> DataFields:
    """What to train and to test on."""
    data = st.selectbox(
        "Data",
        (*DATA, _FOLDER),
        help="mnist-12k comes with the app. mnist, fashion-mnist and cifar10 are taken from the data folder, or "
        "downloaded when they are first used. A folder of your own needs a sub-folder of pictures for each class.",
        **linked("data"),
    )
    if data == _FOLDER:
        path = st.text_input(
            "Folder",
            help="The path of a folder inside the data folder of this installation (EXPLORER_DATA_FOLDER), with a "
            "sub-folder of pictures for each class. One picture in five is used for testing.",
            max_chars=1000,
            **linked("folder"),
        )
        data = f"{FOLDER}{path.strip()}"
    columns = st.columns(2)
    train_pictures = columns[0].number_input(
        "To train on",
        0,
        10_000_000,
        value=_TRAIN_PICTURES,
        step=1000,
        help="How many pictures to train on, from the first; 0 takes all.",
        **linked("pictures"),
    )
    test_pictures = columns[1].number_input(
        "To test on",
        0,
        10_000_000,
        value=_TEST_PICTURES,
        step=500,
        help="How many pictures to test on, from the first, each upright, turned and mirrored; 0 takes all.",
        **linked("tested"),
    )
    return {"data": data, "train_pictures": int(train_pictures), "test_pictures": int(test_pictures)}


def training_controls() -> TrainingFields:
    """How the pictures are turned, and how often they are shown."""
    kind = st.selectbox(
        "Turn the training pictures",
        ROTATIONS,
        help="None: left upright. Quarter: by 0°, 90°, 180° or 270°. Uniform: by any angle. Normal: by angles drawn "
        "around a mean. A new angle is drawn for each picture in each epoch; angles other than quarter turns resample "
        "it.",
        **linked("turned"),
    )
    rotation = Rotation(str(kind))
    if kind == "normal":
        columns = st.columns(2)
        of_what = "Mean and standard deviation of the angles, in degrees counterclockwise."
        mean_deg = columns[0].number_input(
            "Mean (°)", -360.0, 360.0, value=45.0, step=5.0, help=of_what, **linked("mean")
        )
        sd_deg = columns[1].number_input(
            "Deviation (°)", 0.0, 360.0, value=20.0, step=5.0, help=of_what, **linked("sd")
        )
        rotation = Rotation("normal", float(mean_deg), float(sd_deg))
    mirrors = st.toggle(
        "Mirror them too", help="Mirrors a random half of the training pictures left to right.", **linked("mirrors")
    )
    most = settings().max_epochs
    epochs = st.number_input(
        "Epochs",
        1,
        most,
        value=min(_EPOCHS, most),
        help=f"How often each training picture is shown. Up to {most} here.",
        **linked("epochs"),
    )
    return {"rotation": rotation.text, "mirrors": bool(mirrors), "epochs": int(epochs)}


def further_controls() -> FurtherFields:
    """What most visitors leave as it is."""
    batch_size = st.number_input(
        "Batch",
        2,
        65_536,
        value=_BATCH,
        help="How many pictures go into each update of the weights.",
        **linked("batch"),
    )
    optimizer = st.selectbox(
        "Optimizer",
        OPTIMIZERS,
        index=OPTIMIZERS.index(_DEFAULT.optimizer),
        help="How the weights are updated. AdamW decays weights apart from the gradient; SGD has a momentum of 0.9.",
        **linked("optimizer"),
    )
    learning_rate = st.number_input(
        "Learning rate",
        1e-6,
        10.0,
        value=_DEFAULT.learning_rate,
        step=0.001,
        format="%.6f",
        help="The learning rate at the schedule's peak. Too large a rate makes the loss jump, too small a rate needs "
        "more epochs.",
        **linked("peak"),
    )
    weight_decay = st.number_input(
        "Weight decay",
        0.0,
        10.0,
        value=_DEFAULT.weight_decay,
        step=0.0001,
        format="%.5f",
        help="How strongly weights are pulled to 0.",
        **linked("decay"),
    )
    schedule = st.selectbox(
        "Schedule",
        SCHEDULES,
        index=SCHEDULES.index(_DEFAULT.schedule),
        help="The learning rate over the run. Onecycle: up to its peak, then down to almost 0. Step: halved after "
        "each fifth of the run. Constant: never changed.",
        **linked("schedule"),
    )
    augmentation = st.selectbox(
        "Vary the training pictures",
        AUGMENTATIONS,
        help="Crop: padded by an eighth of the side, then cut at a random place. Crop-flip: also mirrored left to "
        "right at random.",
        **linked("augmentation"),
    )
    return {
        "batch_size": int(batch_size),
        "optimizer": optimizer,
        "learning_rate": float(learning_rate),
        "weight_decay": float(weight_decay),
        "schedule": schedule,
        "augmentation": augmentation,
        **_running_controls(),
    }


def _running_controls() -> _RunningFields:
    precision = st.segmented_control(
        "Precision of training",
        PRECISIONS,
        default=_DEFAULT.precision,
        required=True,
        help="Mixed: bfloat16 where the device supports it well, which is faster; otherwise the same as float32. "
        "Tests are always in float32.",
        **linked("precision"),
    )
    deterministic = st.toggle(
        "Repeatable",
        value=_DEFAULT.deterministic,
        help="The same weights, bit for bit, for every run on this machine and after every interruption.",
        **linked("repeatable"),
    )
    angles_every = st.number_input(
        "Test 36 angles every … epochs",
        0,
        10_000,
        value=_ANGLES_EVERY,
        help="In addition to the quarter turns; always after the last epoch. It takes as long as six other tests. 0: "
        "never.",
        **linked("angles"),
    )
    seed = st.number_input(
        "Seed",
        0,
        9999,
        help="Everything random follows from it: initial weights, order, turns.",
        **linked("seed"),
    )
    return {
        "precision": str(precision),
        "deterministic": bool(deterministic),
        "angles_every": int(angles_every),
        "seed": int(seed),
    }
