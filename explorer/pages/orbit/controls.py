"""The controls of the Orbit page: everything that a visitor chooses, but for the layer, as one `OrbitView`."""

from dataclasses import dataclass

import streamlit as st

from explorer.pages.widgets.commands import options
from explorer.pages.widgets.controls import (
    fit_control,
    linked,
    network_controls,
    picture_controls,
    size_control,
)
from explorer.pages.widgets.trained import Trained, plain_beside
from explorer.pages.widgets.weights_controls import more_controls, weights_control
from explorer.pictures.images import DIGITS, PHOTOGRAPHS, Fit, Picture, load_gallery
from models.catalog import NetworkSpec

ROLES = {  # of explorer.studies.orbit.variants; with the sign in the plots, and what it means
    "as chosen": ("● as chosen", "The network chosen in the sidebar."),
    "size near": (
        "■ nearby size",
        "The same weights at the nearest exact size, or one pixel more where this size is exact.",
    ),
    "plain": ("◆ plain", "The same family without a group (Z2)."),
    "mended": ("▲ mended", "The same weights with symmetric subsampling, exact at every size."),
}
STEPS = ("45°", "15°", "5°")
KINDS = ("turns", "mirrored turns")
RADII = ("log", "linear")
OVER = ("this picture", "all pictures")


@dataclass(frozen=True)
class OrbitView:
    """Everything that the controls choose; always a square picture."""

    network: NetworkSpec
    seed: int
    dtype: str
    gallery: str | None
    picture: Picture
    pictures: tuple[Picture, ...]
    size_px: int
    how: Fit
    roles: tuple[str, ...]
    step_deg: int
    with_mirror: bool
    logarithmic: bool
    trained: Trained | None = None

    def trained_for(self, network: NetworkSpec) -> Trained | None:
        """The weights of one of the networks that are compared."""
        return self.trained if network.group == self.network.group else plain_beside(self.trained)

    def command(self, network: NetworkSpec, size_px: int, transforms: list[str]) -> str:
        """The command line that gives the same numbers for one network and the shown picture."""
        picture = self.gallery or "PICTURE"
        trained = self.trained_for(network)
        shared = options(network, picture=picture, how=self.how, seed=self.seed, dtype=self.dtype, trained=trained)
        start = f"python -m explorer measure --network {network.name} --size {size_px}"
        return " ".join([start, *shared, f"--group-elements all,{','.join(transforms)}", "--json"])


def controls() -> OrbitView:
    """The view that the controls in the sidebar and above the plots choose."""
    with st.sidebar:
        st.markdown("#### ◐ Equivariance Explorer")
        gallery, uploaded, number = picture_controls()
        network = network_controls()
        trained = weights_control()
        size_px = size_control()
        how = fit_control()
        network, trained, seed, dtype = more_controls(network, trained)
    roles = _roles()
    with st.container(horizontal=True, gap="medium"):
        over = _choice(
            "Over",
            OVER,
            "over",
            "One picture, or all pictures of its kind that come with the app (or all your uploads): their mean error, "
            "and a band from the smallest to the largest.",
        )
        step = _choice(
            "Angle step", STEPS, "step", "Quarter turns come first, then 45°, then the rest.", default=STEPS[1]
        )
        kind = _choice(
            "Polar plot of", KINDS, "kind", "Mirrored turns: the picture is mirrored left-right first, then turned."
        )
        radius = _choice(
            "Radius",
            RADII,
            "radius",
            "Logarithmic shows rounding as well; linear is better for comparing large errors.",
        )
    picture = uploaded[number]
    pictures = _all(gallery, uploaded) if over == OVER[1] else (picture,)
    return OrbitView(
        network,
        seed,
        dtype,
        gallery,
        picture,
        (picture, *(other for other in pictures if other.sha256 != picture.sha256)),
        size_px,
        how,
        roles,
        int(step.removesuffix("°")),
        kind == KINDS[1],
        radius == RADII[0],
        trained,
    )


def _roles() -> tuple[str, ...]:
    """The networks that are switched on, each behind the sign that it has in the plots."""
    with st.container(horizontal=True):
        st.markdown("Networks:", width="content")
        switched_on = [
            st.checkbox(label, value=True, help=help_text, **linked(role.replace(" ", "_")))
            for role, (label, help_text) in ROLES.items()
        ]
    return tuple(role for role, is_on in zip(ROLES, switched_on, strict=True) if is_on)


def _choice(label: str, choices: tuple[str, ...], key: str, help_text: str, default: str | None = None) -> str:
    chosen = st.segmented_control(
        label, choices, default=default or choices[0], required=True, help=help_text, **linked(key)
    )
    return str(chosen)


def _all(gallery: str | None, uploaded: tuple[Picture, ...]) -> tuple[Picture, ...]:
    return uploaded if gallery is None else _gallery(of_digits=gallery in {entry.name for entry in DIGITS})


@st.cache_resource(show_spinner=False)
def _gallery(*, of_digits: bool) -> tuple[Picture, ...]:
    """All photographs, or all digits."""
    return tuple(load_gallery(entry.name) for entry in (DIGITS if of_digits else PHOTOGRAPHS))
