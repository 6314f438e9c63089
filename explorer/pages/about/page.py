"""About: the idea in one minute, how to read Look, words, sources and licence. Imports no torch, to open at once."""

import streamlit as st

from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import label_of
from equivariance.layers.windows import AxisWindow
from equivariance.theory.grids import AxisSampling
from equivariance.theory.places import SampledGrid, sampled_grid
from explorer import __version__
from explorer.checkout import ASSETS
from explorer.figures.drawing import describe, draw_grid
from explorer.pages.about.glossary import SOURCES, TERMS
from explorer.pages.session.addresses import address_of
from explorer.pages.widgets.sampling_view import sampling_view

_READABLE_PX = 720  # about 90 characters
_SIDES_PX = (8, 9)
_TRANSFORMS = ("rot90", "rot180", "rot270", "mirror")

_STEPS = (
    "**Read the verdict.** A sign, a word and a sentence say whether the network is equivariant at this size and, if "
    "not, which layer breaks first, with its numbers.",
    "**Follow the strip.** Every layer is a column. The row “own” shows which layers break by themselves (✕); the row "
    "“inherited” shows how the error spreads from there to the logits.",
    "**Compare the maps.** Φ(x) comes from the picture, g⁻¹Φ(g·x) from its transform, turned back. They should be the "
    "same; the last panel shows by how much they differ.",
    "**Change one pixel.** The sizes marked “exact” are one click away: the error falls to rounding.",
)
_VIEWS = (
    ("ResNet-18 at 32 px: six layers break", {"family": "resnet18", "size": "32"}),
    ("ResNet-18 at 33 px: exact", {"family": "resnet18", "size": "33"}),
    ("A small network at 29 px: its pool breaks", {"family": "cnn", "size": "29"}),
    ("A plain network: no size helps", {"family": "cnn", "group": "Z2"}),
)


def page() -> None:
    """The whole page, top to bottom."""
    with st.container(horizontal_alignment="center"), st.container(width=_READABLE_PX):
        st.title("About Equivariance Explorer", anchor=False)
        _idea()
        _reading()
        _words()
        _sources()
        _licence()


def _idea() -> None:
    st.header("The idea in one minute", anchor="idea")
    st.markdown(
        "A network that is **equivariant** to quarter turns makes a promise: turn the picture, and every feature map "
        "turns along. Convolutions with turned copies of their filters keep it. A layer that skips pixels may break it."
    )
    st.markdown("Here a convolution reads windows of 3×3 pixels, 2 pixels apart.")
    transform = st.segmented_control(
        "Transform of the picture",
        _TRANSFORMS,
        default=_TRANSFORMS[0],
        required=True,
        format_func=label_of,
        key="about-turn",
        help="What is done to the picture before the layer sees it; ⟲ means counterclockwise.",
    )
    grids = {side_px: example_grid(side_px, str(transform)) for side_px in _SIDES_PX}
    sampling_view(tuple(draw_grid(grid, name=f"grid-{side_px}") for side_px, grid in grids.items()), key="sampling")
    st.markdown("\n".join(f"- **{side_px} px**: {describe(grid)}" for side_px, grid in grids.items()))
    st.markdown(
        "The windows fit where *side + padding − kernel* is a multiple of the stride. At other sizes the last pixels "
        "are left over, always on the right and at the bottom. After a turn these are different pixels: the layer "
        "looks at different places."
    )
    st.markdown(
        "Training finds this slip and uses it. A network that was built to treat a picture and its turn alike learns "
        "to tell them apart, and then does much worse on turns that it has not seen. One pixel of input decides."
    )


def example_grid(side_px: int, transform: str) -> SampledGrid:
    """The grid of a 3×3 convolution with stride 2 and no padding on `side_px`×`side_px` pixels."""
    window = AxisWindow("conv", kernel=3, stride=2)
    sampling = AxisSampling(window, side_px, window.out_side(side_px), 0, 0)
    return sampled_grid((sampling, sampling), (side_px, side_px), Element.parse(transform))


def _reading() -> None:
    st.header("How to read the Look page", anchor="reading")
    st.markdown("\n".join(f"{number}. {step}" for number, step in enumerate(_STEPS, start=1)))
    for label, parameters in _VIEWS:
        st.page_link(
            address_of("look"),
            label=label,
            query_params=parameters,
            icon=":material/visibility:",
            help="Opens this view on the Look page.",
        )


def _words() -> None:
    st.header("Words", anchor="words")
    rows = "\n".join(f"| **{term.word}** | {term.meaning} |" for term in TERMS)
    st.markdown(f"| word | meaning |\n|---|---|\n{rows}")


def _sources() -> None:
    st.header("Sources", anchor="sources")
    st.markdown("\n".join(f"- {source.markdown}" for source in SOURCES))


def _licence() -> None:
    st.header("Licence", anchor="licence")
    st.markdown(
        f"Equivariance Explorer {__version__}. The code is licensed under the Apache License 2.0; the pictures and "
        "fonts that come with it have their own terms."
    )
    credits_text = (ASSETS / "CREDITS.md").read_text(encoding="utf-8")
    with st.expander("Credits for pictures and fonts"):
        st.markdown(credits_text.partition("\n")[2].replace("\n## ", "\n#### "))


page()
