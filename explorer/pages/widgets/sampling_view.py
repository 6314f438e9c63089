"""Drawings of sampling grids, side by side where there is room, in the colours of the page's theme."""

from pathlib import Path

import streamlit as st

from explorer.pages.session.addresses import address_of

_STYLE = Path(__file__).parent / "sampling_view.css"
_WIDTHS_PX = {1: 308, 2: 640}  # drawings side by side, with the gap between; a phone has less
_component = st.components.v2.component(
    "sampling_view",
    html='<div class="drawings"></div>',
    css=_STYLE.read_text(encoding="utf-8"),
    js="export default ({ parentElement, data }) => { parentElement.querySelector('.drawings').innerHTML = data; }",
)


def sampling_view(drawings: tuple[str, ...], *, key: str) -> None:
    """Draws SVG elements or insides of figures of our own making, with a legend; never pass text of a visitor."""
    legend = (
        '<p class="legend"><span><i class="dot"></i> centre of a window on the picture</span>'
        '<span><i class="ring"></i> the same on the transformed picture, turned back</span>'
    )
    if any("fill:url" in drawing for drawing in drawings):
        legend += '<span><i class="left"></i> reached by no window</span>'
    if any('class="padding"' in drawing for drawing in drawings):
        legend += '<span><i class="outside"></i> outside the picture: padding</span>'
    _component(data="".join(f"<figure>{drawing}</figure>" for drawing in drawings) + f"{legend}</p>", key=key)


def reasons_popover(drawings: tuple[str, ...], *, key: str) -> None:
    """What `reasons.draw_reasons` drew, behind a button; no button where it drew nothing."""
    if not drawings:
        return
    with (
        st.popover(
            "See why",
            icon=":material/grid_on:",
            help="Where the deciding layer samples the picture, and where it samples the transformed picture.",
        ),
        st.container(width=_WIDTHS_PX[len(drawings)]),
    ):
        sampling_view(drawings, key=key)
        about = "Explains the same on grids of 8 and 9 pixels."
        st.page_link(address_of("about"), label="The idea in one minute", help=about)
