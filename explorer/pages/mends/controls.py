"""The controls of the Mends page: everything that a visitor chooses, as one `MendsView`."""

from dataclasses import dataclass

import streamlit as st

from explorer.pages.widgets.controls import fit_control, network_controls, picture_controls, size_control
from explorer.pages.widgets.trained import Trained
from explorer.pages.widgets.weights_controls import more_controls, weights_control
from explorer.pictures.images import Fit, Picture
from models.catalog import NetworkSpec


@dataclass(frozen=True)
class MendsView:
    """Everything that the controls choose; always a square picture, and the network as published."""

    network: NetworkSpec
    seed: int
    dtype: str
    picture: Picture
    side_px: int
    how: Fit
    trained: Trained | None

    @property
    def key(self) -> str:
        """What the figures depend on."""
        drawn_from = self.seed if self.trained is None else self.trained.sha256
        return repr((self.network, drawn_from, self.dtype, self.picture.sha256, self.side_px, self.how))


def controls() -> MendsView:
    """Everything in the sidebar."""
    with st.sidebar:
        st.markdown("#### ◐ Equivariance Explorer")
        _, pictures, number = picture_controls()
        network = network_controls(subsampling=False)
        trained = weights_control()
        side_px = size_control()
        how = fit_control()
        network, trained, seed, dtype = more_controls(network, trained)
    return MendsView(network, seed, dtype, pictures[number], side_px, how, trained)
