"""The controls of the Train page, as one `Plan`: which runs a press would start. Imports no torch."""

from dataclasses import dataclass, replace
from typing import TypedDict

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from explorer.data.known import KNOWN
from explorer.pages.session.addresses import COMPARE, ONE
from explorer.pages.train.fields import data_controls, further_controls, training_controls
from explorer.pages.widgets.controls import fit_control, head_control, linked, network_controls, size_control
from explorer.pictures.images import Fit
from explorer.serving.shipped import shipped
from explorer.training.recipe import SHIPPED, Recipe

# (exact, approximate) sides by family, one pixel apart; a test asks theory.
SIDES_PX = {
    "cnn": (28, 29),
    "resnet18": (33, 32),
    "resnet44": (29, 28),
    "resnet18-large": (33, 32),
    "wide-resnet-10-4": (29, 28),
}
RANDOM, UPLOAD = "random", "a file of mine …"


@dataclass(frozen=True)
class Plan:
    """What a press of the button starts: runs one after the other, all of the same data and training.

    upload: the file that the runs start from, if one was given; its place in the recipes is empty.
    start: what they start from, in words; empty for random weights.
    needs_file: they are to start from a file, whether it was given or not.
    """

    recipes: tuple[Recipe, ...]
    is_comparison: bool
    upload: UploadedFile | None = None
    start: str = ""
    needs_file: bool = False

    @property
    def lacks_file(self) -> bool:
        """Cannot be started: the file is still to be given."""
        return self.needs_file and self.upload is None

    @property
    def pictures(self) -> tuple[int, int] | None:
        """How many pictures are trained and tested on; None for a folder, whose pictures have not been counted yet."""
        recipe = self.recipes[0]
        known = KNOWN.get(recipe.data)
        if known is None:
            return None
        train, test = known.train_pictures, known.test_pictures
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
            help="Three networks side by side (an exact, an approximate and a plain one), or one network of your "
            "choice.",
            **linked("train"),
        )
        is_comparison = mode == COMPARE
        networks = _compared() if is_comparison else _chosen()
        data, training = data_controls(), training_controls()
        with st.expander("More"):
            further = further_controls()
            start = _Start() if is_comparison else _start_controls(startable)
    recipes = tuple(Recipe(**network, **data, **training, **further, start=start.key) for network in networks)
    return Plan(recipes, is_comparison, start.upload, start.title, start.needs_file)


# ------------------------------------------------------------------------------------------------------------ networks


class _NetworkFields(TypedDict, total=False):
    network: str
    size_px: int
    how: Fit
    subsampling: str
    head: str


def _compared() -> list[_NetworkFields]:
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
        help="A fourth network: the approximate one with symmetric subsampling, which makes it exact at its size.",
        **linked("mended"),
    )
    how = _fit_control()
    p4: _NetworkFields = {"network": f"p4-{family}", "how": how}
    networks: list[_NetworkFields] = [
        {**p4, "size_px": exact_px},
        {**p4, "size_px": approximate_px},
        {"network": f"z2-{family}", "size_px": exact_px, "how": how},
    ]
    return [*networks, {**p4, "size_px": approximate_px, "subsampling": "symmetric"}] if is_mended else networks


def _chosen() -> list[_NetworkFields]:
    network = head_control(network_controls())
    size_px = size_control()
    how = _fit_control()
    return [
        {
            "network": network.name,
            "subsampling": network.subsampling,
            "size_px": size_px,
            "how": how,
            "head": network.head,
        }
    ]


def _fit_control() -> Fit:
    how = fit_control(
        "How the pictures are brought to size. Resize resamples them. Crop never does: it cuts the centre out of "
        "larger pictures and puts black around smaller ones. Pad also puts black around smaller pictures, but "
        "resamples larger ones."
    )
    if how == "resize":
        st.caption(
            "Resize resamples the pictures, and a difference between sizes may come from that. Crop does not resample."
        )
    elif how == "pad":
        st.caption("Only pictures larger than the size are resampled; smaller ones get black around them.")
    return how


@dataclass(frozen=True)
class _Start:
    """What one network starts from: `Recipe.start`, and the rest as in `Plan`."""

    key: str = ""
    title: str = ""
    upload: UploadedFile | None = None
    needs_file: bool = False


def _start_controls(startable: dict[str, str]) -> _Start:
    """Random weights, those of a run, of the app, or of a file."""
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
        return _Start() if chosen == RANDOM else _Start(str(chosen), offered[chosen])
    file = st.file_uploader(
        "Weights",
        type=["safetensors"],
        key="start_file",
        help="A safetensors file of the same network, as this page and the command line write it.",
    )
    return _Start("", "" if file is None else file.name, file, needs_file=True)


def without_files(plan: Plan, start: str) -> Plan:
    """The plan whose recipes start from what the uploaded file was kept as."""
    return replace(plan, recipes=tuple(replace(recipe, start=start) for recipe in plan.recipes), upload=None)
