"""The controls of the Look page: everything that a visitor chooses, as one `View`."""

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import Shift, Transform, elements_to_measure
from explorer.pages.session.shared import settings
from explorer.pages.widgets.controls import (
    fit_control,
    linked,
    network_controls,
    picture_controls,
    size_control,
)
from explorer.pages.widgets.trained import Trained
from explorer.pages.widgets.weights_controls import more_controls, weights_control
from explorer.pictures.images import Fit, Picture
from models.catalog import NetworkSpec

MODES = ("turns", "angle", "shift")


@dataclass(frozen=True)
class View:
    """Everything that the controls choose; `trained` is None for random weights."""

    network: NetworkSpec
    seed: int
    dtype: str
    gallery: str | None
    pictures: tuple[Picture, ...]
    picture_number: int
    height_px: int
    width_px: int
    how: Fit
    extra: tuple[Transform, ...]
    trained: Trained | None = None

    @property
    def picture(self) -> Picture:
        """The picture that is shown."""
        return self.pictures[self.picture_number]

    def key(self, picture: Picture | None = None) -> str:
        """What the numbers depend on, for the view's own picture or another one."""
        transforms = tuple(transform.name for transform in self.extra)
        pixels = (picture or self.picture).sha256
        drawn_from = self.seed if self.trained is None else self.trained.sha256
        sides = self.height_px, self.width_px
        return repr((self.network, drawn_from, self.dtype, pixels, *sides, self.how, transforms))


def controls() -> tuple[View, DeltaGenerator]:
    """The view, and the place under the size for what theory says of it."""
    with st.sidebar:
        st.markdown("#### ◐ Equivariance Explorer")
        gallery, pictures, number = picture_controls()
        network = network_controls()
        trained = weights_control()
        height_px, width_px = _size_controls()
        near_size = st.empty()
        how = fit_control()
        extra = _transform_controls(network)
        network, trained, seed, dtype = more_controls(network, trained)
    view = View(network, seed, dtype, gallery, pictures, number, height_px, width_px, how, extra, trained)
    return view, near_size


def _size_controls() -> tuple[int, int]:
    largest = settings().max_size_px
    size_px = width_px = size_control()
    if st.toggle("Not square", **linked("oblong"), help="Give the picture a width of its own."):
        width_px = st.number_input(
            "Width (px)",
            2,
            largest,
            value=min(33, largest),
            step=1,
            help="Columns of the picture; the size above is then its height.",
            **linked("width"),
        )
    return size_px, int(width_px)


def _transform_controls(network: NetworkSpec) -> tuple[Transform, ...]:
    mode = st.segmented_control(
        "Transform",
        MODES,
        default=MODES[0],
        required=True,
        help="Turns: all quarter turns and mirrors; choose one beside the maps. Turns, mirrors and shifts by whole "
        "pixels move pixels exactly. Any other angle resamples the picture (bilinear, inside a disc), which adds an "
        "error of its own.",
        **linked("transform"),
    )
    if mode == "angle":
        angle_deg = st.slider("Angle (°)", 0, 359, 45, **linked("angle"), help="Counterclockwise, about the centre.")
        if angle_deg % 90:
            st.caption("This angle resamples the picture, so maps are compared inside the disc.")
        return (Element(float(angle_deg)),) if angle_deg else ()
    if mode == "shift":
        columns = st.columns(2)
        help_text = "Shifts by whole pixels; vacated pixels are black. Layers whose stride divides it are compared."
        down = columns[0].number_input("Down (px)", -64, 64, 0, **linked("down"), help=help_text)
        right = columns[1].number_input("Right (px)", -64, 64, 4, **linked("right"), help=help_text)
        return (Shift(int(down), int(right)),) if down or right else ()
    mirror = Element(mirrored=True)
    return () if mirror in elements_to_measure(network.point_group) else (mirror,)
