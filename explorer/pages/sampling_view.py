"""Drawings of sampling grids, side by side where there is room, in the colours of the page's theme."""

from pathlib import Path

import streamlit as st

_STYLE = Path(__file__).parent / "sampling_view.css"
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
        '<span><i class="ring"></i> the same on the transform, turned back</span>'
    )
    if any("fill:url" in drawing for drawing in drawings):
        legend += '<span><i class="left"></i> reached by no window</span>'
    if any('class="padding"' in drawing for drawing in drawings):
        legend += '<span><i class="outside"></i> outside the picture: padding</span>'
    _component(data="".join(f"<figure>{drawing}</figure>" for drawing in drawings) + f"{legend}</p>", key=key)
