"""Drawings of sampling grids, side by side, in the colours of the page's theme."""

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
    """Draws SVG elements of our own making, with the legend below; never pass text of a visitor."""
    legend = (
        '<p class="legend"><span><i class="dot"></i> centre of a window on the picture</span>'
        '<span><i class="ring"></i> the same on the transform, turned back</span>'
        '<span><i class="left"></i> pixels that no window reaches</span></p>'
    )
    _component(data="".join(f"<figure>{drawing}</figure>" for drawing in drawings) + legend, key=key)
