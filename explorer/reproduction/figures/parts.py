"""What the figures share: frames, the key of the authors' marks, thin lines of seeds."""

from typing import Any

import plotly.graph_objects as go

from explorer.figures.style import HOVER, LEGEND, MARGIN, shade
from explorer.reproduction.figures.looks import AUTHORS, Look

LINE, FAINT = shade(0.9), shade(0.25)


def line_of(look: Look, width: float = 2.2) -> dict[str, Any]:
    """As Plotly takes it."""
    return {"color": look.colour, "dash": look.dash, "width": width}


def marker_of(look: Look, size: int = 8, opacity: float = 1.0) -> dict[str, Any]:
    """As Plotly takes it."""
    return {"color": look.colour, "symbol": look.symbol, "size": size, "opacity": opacity}


def add_key_of_authors(figure: go.Figure, *, polar: bool = False) -> None:
    """One entry of the legend for all the authors' marks."""
    add = figure.add_scatterpolar if polar else figure.add_scatter
    nothing = {"r": [None], "theta": [None]} if polar else {"x": [None], "y": [None]}
    add(
        **nothing,
        name="authors",
        mode="markers",
        marker={"symbol": AUTHORS, "size": 9, "color": LINE, "line": {"width": 1.6}},
    )


def framed(figure: go.Figure, height: int) -> go.Figure:
    """With the page's margins and legend."""
    return figure.update_layout(margin=MARGIN, height=height, legend=LEGEND, hoverlabel=HOVER)
