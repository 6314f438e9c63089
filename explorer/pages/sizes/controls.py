"""The controls of the Sizes page: everything that a visitor chooses, as one `Range`."""

from dataclasses import dataclass, replace

import streamlit as st

from explorer.pages.session.shared import settings
from explorer.pages.widgets.commands import options
from explorer.pages.widgets.controls import fit_control, linked, network_controls, picture_controls
from explorer.pages.widgets.trained import Trained
from explorer.pages.widgets.weights_controls import more_controls, weights_control
from explorer.pictures.images import Fit, Picture
from models.catalog import SUBSAMPLINGS, NetworkSpec

FIRST_PX, LAST_PX = 24, 64
NOTHING = "nothing"


@dataclass(frozen=True)
class Range:
    """Everything that the controls choose; `compared` is the second network, if any."""

    network: NetworkSpec
    compared: NetworkSpec | None
    seed: int
    dtype: str
    gallery: str | None
    picture: Picture
    first_px: int
    last_px: int
    how: Fit
    trained: Trained | None = None

    @property
    def networks(self) -> tuple[NetworkSpec, ...]:
        """One or two: the chosen one first."""
        return (self.network,) if self.compared is None else (self.network, self.compared)

    def key(self, network: NetworkSpec) -> str:
        """What the numbers of a size depend on, for one of the networks."""
        drawn_from = self.seed if self.trained is None else self.trained.sha256
        return repr((network, drawn_from, self.dtype, self.picture.sha256, self.how))

    @property
    def identity(self) -> str:
        """Equal for equal ranges of equal networks and pictures."""
        return repr(([self.key(network) for network in self.networks], self.first_px, self.last_px))

    @property
    def command(self) -> str:
        """The command line that gives the same numbers, for the chosen network."""
        picture = self.gallery or "PICTURE"
        parts = [f"python -m explorer sizes --network {self.network.name} --from {self.first_px} --to {self.last_px}"]
        network, trained = self.network, self.trained
        shared = options(network, picture=picture, how=self.how, seed=self.seed, dtype=self.dtype, trained=trained)
        return " ".join([*parts, "--measure", *shared])


def controls() -> Range:
    """The range that the sidebar's controls choose."""
    with st.sidebar:
        st.markdown("#### ◐ Equivariance Explorer")
        gallery, pictures, number = picture_controls()
        network = network_controls()
        trained = weights_control()
        compared = _compared(network)
        first_px, last_px = _sides()
        how = fit_control()
        network, trained, seed, dtype = more_controls(network, trained)
    compared = compared and replace(network, subsampling=compared.subsampling, only=())
    return Range(network, compared, seed, dtype, gallery, pictures[number], first_px, last_px, how, trained)


def _compared(network: NetworkSpec) -> NetworkSpec | None:
    subsampling = st.selectbox(
        "Compare with",
        [NOTHING, *SUBSAMPLINGS],
        help="A second curve: the same network with the same weights, but its strided layers pick their pixels "
        "differently. Symmetric is the mended network.",
        **linked("compare"),
    )
    compared = replace(network, subsampling=str(subsampling), only=())
    return None if subsampling == NOTHING or compared == network else compared


def _sides() -> tuple[int, int]:
    largest = settings().max_size_px
    columns = st.columns(2)
    first_px = columns[0].number_input(
        "From (px)",
        2,
        largest,
        value=min(FIRST_PX, largest),
        help="First side of the square pictures that are measured.",
        **linked("from"),
    )
    last_px = columns[1].number_input(
        "To (px)",
        2,
        largest,
        value=min(LAST_PX, largest),
        help="Last side, included. Large pictures take a long time: the work grows with the number of pixels.",
        **linked("to"),
    )
    return int(first_px), int(last_px)
