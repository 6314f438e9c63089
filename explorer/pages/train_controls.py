"""The controls of the Train page, as one `Plan`: which runs a press would start. Imports no torch."""

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from explorer.pages.controls import fit_control, linked, network_controls, size_control
from explorer.pages.shared import settings
from explorer.shipped import shipped
from explorer.training.recipe import (
    AUGMENTATIONS,
    DATA,
    FOLDER,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    SHIPPED,
    Recipe,
    Rotation,
)

COMPARE, ONE = "compare three", "one"
# (exact, approximate) sides by family, one pixel apart; a test asks theory.
SIDES_PX = {
    "cnn": (28, 29),
    "resnet18": (33, 32),
    "resnet44": (29, 28),
    "resnet18-large": (33, 32),
    "wide-resnet-10-4": (29, 28),
}
# (what it is called, pictures to train on, to test on).
DATA_SETS = {
    "mnist-12k": ("digits of MNIST", 10_000, 2_000),
    "mnist": ("digits of MNIST", 60_000, 10_000),
    "mnist-swapped": ("digits of MNIST", 10_000, 60_000),
    "fashion-mnist": ("pictures of Fashion-MNIST", 60_000, 10_000),
    "cifar10": ("pictures of CIFAR-10", 50_000, 10_000),
}
ROTATIONS = ("none", "quarter", "uniform", "normal")
RANDOM, UPLOAD = "random", "a file of mine …"
_FOLDER = "a folder"
_DEFAULT = Recipe()
_EPOCHS, _TRAIN_PICTURES, _TEST_PICTURES = 10, 4_000, 500  # some minutes for three networks on two cores


@dataclass(frozen=True)
class Plan:
    """What a press of the button starts: runs one after the other, all of the same data and training.

    upload: the file that the runs start from, if one was given; its place in the recipes is empty.
    """

    recipes: tuple[Recipe, ...]
    is_comparison: bool
    upload: UploadedFile | None = None

    @property
    def pictures(self) -> tuple[int, int] | None:
        """How many pictures are trained and tested on; None for a folder, whose pictures nobody has counted yet."""
        recipe = self.recipes[0]
        if recipe.data not in DATA_SETS:
            return None
        _, train, test = DATA_SETS[recipe.data]
        return min(recipe.train_pictures or train, train), min(recipe.test_pictures or test, test)


def controls(startable: dict[str, str]) -> Plan:
    """Everything in the sidebar. startable: titles of weights that one network may start from, by `Recipe.start`."""
    with st.sidebar:
        st.markdown("#### ◐ Equivariance Explorer")
        mode = st.segmented_control(
            "Train",
            (COMPARE, ONE),
            default=COMPARE,
            required=True,
            help="Three networks side by side: an exact, an approximate and a plain one. Or one of your choice.",
            **linked("train"),
        )
        is_comparison = mode == COMPARE
        networks = _compared() if is_comparison else _chosen()
        shared = {**_data_controls(), **_training_controls()}
        with st.expander("More"):
            shared |= _further_controls()
            start, upload = ("", None) if is_comparison else _start_controls(startable)
    recipes = tuple(Recipe(**network, **shared, start=start) for network in networks)
    return Plan(recipes, is_comparison, upload)


# ------------------------------------------------------------------------------------------------------------ networks


def _compared() -> list[dict[str, Any]]:
    family = st.selectbox(
        "Network",
        list(SIDES_PX),
        help="The architecture. An exact and an approximate p4 network (quarter turns), one pixel of input apart, and "
        "a plain one with about as many parameters.",
        **linked("compared"),
    )
    exact_px, approximate_px = SIDES_PX[family]
    is_mended = st.toggle(
        "Also a mended one",
        help="A fourth: the approximate one with symmetric subsampling, which makes it exact at its size.",
        **linked("mended"),
    )
    how = _fit_control()
    p4 = {"network": f"p4-{family}", "how": how}
    networks = [
        {**p4, "size_px": exact_px},
        {**p4, "size_px": approximate_px},
        {"network": f"z2-{family}", "size_px": exact_px, "how": how},
    ]
    return [*networks, {**p4, "size_px": approximate_px, "subsampling": "symmetric"}] if is_mended else networks


def _chosen() -> list[dict[str, Any]]:
    network = network_controls()
    size_px = size_control()
    how = _fit_control()
    values = {"network": network.name, "subsampling": network.subsampling, "size_px": size_px, "how": how}
    return [{**values, "group_pooling": _pooling_control()}]


def _fit_control() -> str:
    how = fit_control()
    if how != "crop":
        st.caption("Resized pictures are resampled: a difference between sizes may come from that. Crop does not.")
    return how


def _pooling_control() -> bool:
    return st.toggle(
        "Pool the group",
        value=True,
        help="Take the largest value over the group before the classifier. Without it the answers are not the same "
        "under all turns, even of an exactly equivariant network.",
        **linked("pool"),
    )


# ------------------------------------------------------------------------------------------------- data and training


def _data_controls() -> dict[str, Any]:
    data = st.selectbox(
        "Data",
        (*DATA, _FOLDER),
        help="mnist-12k comes with the app. mnist, fashion-mnist and cifar10 are fetched when they are first used, or "
        "taken from the data folder. A folder has a sub-folder of pictures for each class.",
        **linked("data"),
    )
    if data == _FOLDER:
        path = st.text_input(
            "Folder",
            help="Inside the data folder of this installation (EXPLORER_DATA_FOLDER): a folder with a sub-folder of "
            "pictures for each class. One picture of five is tested on.",
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
        help="The first so many pictures; 0 takes all there are.",
        **linked("pictures"),
    )
    test_pictures = columns[1].number_input(
        "To test on",
        0,
        10_000_000,
        value=_TEST_PICTURES,
        step=500,
        help="The first so many test pictures, each upright, turned and mirrored; 0 takes all there are.",
        **linked("tested"),
    )
    return {"data": data, "train_pictures": int(train_pictures), "test_pictures": int(test_pictures)}


def _training_controls() -> dict[str, Any]:
    kind = st.selectbox(
        "Turn the training pictures",
        ROTATIONS,
        help="None: upright, as they are. Quarter: by 0°, 90°, 180° or 270°. Uniform: by any angle. Normal: by angles "
        "drawn about a mean. Each picture is turned anew in each epoch; other than quarter turns resample it.",
        **linked("turned"),
    )
    rotation = Rotation(str(kind))
    if kind == "normal":
        columns = st.columns(2)
        of_what = "Of the normal distribution of the angles, in degrees counterclockwise."
        mean_deg = columns[0].number_input(
            "Mean (°)", -360.0, 360.0, value=45.0, step=5.0, help=of_what, **linked("mean")
        )
        sd_deg = columns[1].number_input(
            "Deviation (°)", 0.0, 360.0, value=20.0, step=5.0, help=of_what, **linked("sd")
        )
        rotation = Rotation("normal", float(mean_deg), float(sd_deg))
    mirrors = st.toggle(
        "Mirror them too", help="Half of the training pictures, at random, left for right.", **linked("mirrors")
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


def _further_controls() -> dict[str, Any]:
    batch_size = st.number_input(
        "Batch",
        2,
        65_536,
        value=_DEFAULT.batch_size,
        help="Pictures for each update of the weights.",
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
        help="Of the schedule's peak. Too large a rate makes the loss jump, too small a one needs more epochs.",
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
        help="The learning rate over the run. Onecycle: up to its peak, then down to almost 0. Step: halved after each "
        "fifth. Constant: as it is.",
        **linked("schedule"),
    )
    augmentation = st.selectbox(
        "Vary the training pictures",
        AUGMENTATIONS,
        help="Crop: padded by an eighth of the side, then cut at random. Crop-flip: also mirrored left for right.",
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


def _running_controls() -> dict[str, Any]:
    precision = st.segmented_control(
        "Precision of training",
        PRECISIONS,
        default=_DEFAULT.precision,
        required=True,
        help="Mixed: bfloat16 on a GPU that does it well, quicker; else the same as float32. Tests are in float32.",
        **linked("precision"),
    )
    deterministic = st.toggle(
        "Repeatable",
        value=_DEFAULT.deterministic,
        help="The same weights, bit for bit, at every run on this machine and after every interruption.",
        **linked("repeatable"),
    )
    angles_every = st.number_input(
        "Test 36 angles every … epochs",
        0,
        10_000,
        value=_DEFAULT.angles_every,
        help="Beside the quarter turns, and after the last epoch. It takes as long as six other tests. 0: never.",
        **linked("angles"),
    )
    seed = st.number_input(
        "Seed of weights and order",
        0,
        9999,
        help="What chance decides follows from it: first weights, order, turns.",
        **linked("seed"),
    )
    return {
        "precision": str(precision),
        "deterministic": bool(deterministic),
        "angles_every": int(angles_every),
        "seed": int(seed),
    }


def _start_controls(startable: dict[str, str]) -> tuple[str, UploadedFile | None]:
    """(`Recipe.start`, the uploaded file): random weights, those of a run, of the app, or of a file."""
    offered = {RANDOM: RANDOM, **startable, **{f"{SHIPPED}{each.name}": each.title for each in shipped()}}
    offered[UPLOAD] = UPLOAD
    if st.session_state.get("start") not in (None, *offered):  # a run that was deleted
        del st.session_state["start"]
    chosen = st.selectbox(
        "Start from",
        list(offered),
        format_func=lambda start: offered.get(start, start),
        key="start",
        persist_state="session",
        help="Random weights, or those of a trained network of the same kind: fine-tuning.",
    )
    if chosen != UPLOAD:
        return ("" if chosen == RANDOM else str(chosen)), None
    file = st.file_uploader(
        "Weights",
        type=["safetensors"],
        key="start_file",
        help="A safetensors file of the same network, as this page and the command line write it.",
    )
    return "", file


def without_files(plan: Plan, start: str) -> Plan:
    """The plan whose recipes start from what the uploaded file was kept as."""
    return replace(plan, recipes=tuple(replace(recipe, start=start) for recipe in plan.recipes), upload=None)
