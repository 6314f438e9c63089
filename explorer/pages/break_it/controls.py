"""The controls of the Break it page, as one `BreakItView`. Imports no torch."""

from dataclasses import dataclass

import streamlit as st

from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import elements_to_measure
from explorer.pages.session.shared import settings
from explorer.pages.widgets.controls import DEFAULT_SIZE_PX, linked
from explorer.pages.widgets.trained import Trained, default
from explorer.pages.widgets.weights_controls import fitted, seed_control, weights_control
from explorer.pictures.images import GALLERY, Picture, load_gallery
from models.catalog import NAMES, SUBSAMPLINGS, NetworkSpec, spec

TRAIN, CHANGE = "Train the network", "Change the picture"
_KNIGHT_FIRST = ("knight", *(picture.name for picture in GALLERY if picture.name != "knight"))
_DEFAULTS = {"knight": ("steps", 600, "rate", 0.03)}  # of the one-layer network, and below of deep ones
_DEEP_DEFAULTS = ("deep_steps", 100, "deep_rate", 0.001)


@dataclass(frozen=True)
class BreakItView:
    """Everything that the controls choose; `gallery` is None for an upload, `trained` for random weights."""

    network: NetworkSpec
    gallery: str | None
    picture: Picture
    sizes_px: tuple[int, int]
    element: Element
    seed: int
    steps: int
    learning_rate: float
    trained: Trained | None = None

    @property
    def key(self) -> str:
        """What the results depend on."""
        pixels = self.picture.sha256
        drawn_from = self.seed if self.trained is None else self.trained.sha256
        return repr((self.network, pixels, self.sizes_px, self.element, drawn_from, self.steps, self.learning_rate))

    @property
    def is_quick(self) -> bool:
        """Whether training takes seconds only, so that it starts by itself."""
        return self.network.family == "knight" and max(self.sizes_px) <= 64 and self.steps <= 1000


def controls() -> BreakItView:
    """Everything in the sidebar."""
    with st.sidebar:
        st.markdown("#### ◐ Equivariance Explorer")
        gallery, picture = _picture_control()
        network = _network_controls()
        trained = weights_control()
        sizes_px = _size_control()
        element = st.selectbox(
            "Transform",
            [element.name for element in elements_to_measure(network.point_group)],
            help="The network learns to tell the picture from this transform of it. rot90 turns counterclockwise.",
            **linked("told"),
        )
        steps, learning_rate = _training_controls(network)
        seed = seed_control(trained)
    network, trained = fitted(network, trained)
    return BreakItView(network, gallery, picture, sizes_px, Element.parse(element), seed, steps, learning_rate, trained)


def _picture_control() -> tuple[str | None, Picture]:
    """(name in the gallery or None, the picture); uploads of other pages can be chosen as well."""
    uploaded = {
        f"upload: {entry.name}": entry
        for entry in st.session_state.get("uploaded", {}).values()
        if isinstance(entry, Picture)
    }
    names = [*_KNIGHT_FIRST, *uploaded]
    name = st.selectbox(
        "Picture",
        names,
        index=names.index(default("subject", names[0])),
        help="The chess knight is the paper's example, redrawn. Pictures uploaded on Look are listed last.",
        **linked("subject"),
    )
    return (None, uploaded[name]) if name in uploaded else (name, load_gallery(name))


def _network_controls() -> NetworkSpec:
    name = st.selectbox(
        "Network",
        NAMES,
        index=NAMES.index(default("learner", "p4-knight")),
        help="GROUP-FAMILY, as on the command line. p4-knight is the paper's: one layer, 14 parameters. z2 is plain; "
        "p4 and p4m have full filters; c4, d4, c8, d8 and so2 are steerable.",
        **linked("learner"),
    )
    subsampling = st.selectbox(
        "Subsampling",
        SUBSAMPLINGS,
        index=SUBSAMPLINGS.index(default("sampling", SUBSAMPLINGS[0])),
        help="Symmetric: sampled about the centre, so that every size is exact; for z2, p4 and p4m networks.",
        **linked("sampling"),
    )
    return spec(name, subsampling=subsampling)


def _size_control() -> tuple[int, int]:
    """The size, and one pixel more (one less at the largest)."""
    largest = settings().max_size_px
    size_px = st.number_input(
        "Size (px)",
        2,
        largest,
        value=default("size", min(DEFAULT_SIZE_PX, largest)),
        step=1,
        help="The network is trained at this size and at one pixel more, side by side.",
        **linked("size"),
    )
    return int(size_px), int(size_px) + (1 if size_px < largest else -1)


def _training_controls(network: NetworkSpec) -> tuple[int, float]:
    steps_key, steps, rate_key, rate = _DEFAULTS.get(network.family, _DEEP_DEFAULTS)
    chosen = st.number_input(
        "Steps",
        1,
        20_000,
        value=steps,
        step=100,
        help="How many times training updates the weights.",
        **linked(steps_key),
    )
    learning_rate = st.number_input(
        "Learning rate",
        0.0001,
        1.0,
        value=rate,
        step=0.001,
        format="%.4f",
        help="How far Adam moves the weights in each step. Too large a rate makes the loss jump, too small a rate "
        "needs more steps.",
        **linked(rate_key),
    )
    return int(chosen), float(learning_rate)
