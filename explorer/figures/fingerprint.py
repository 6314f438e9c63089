"""Figures of mean filters: each as a small map, and how lopsided they are over the epochs of training. No Streamlit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from explorer.figures.style import BLUE, DIVERGING, GREY, HOVER, LEGEND, MARGIN, ORANGE, PURPLE, TEAL, faint, shade

_COLOURS = (BLUE, PURPLE, ORANGE, TEAL, GREY)
_SYMBOLS = ("circle", "triangle-up", "square", "diamond", "x")
_MAP_PX = 118  # the height of a row of maps
_HEIGHT_PX = 320


@dataclass(frozen=True)
class Line:
    """A figure over epochs: means, and the ends of their intervals; None where there are too few seeds.

    place: of its colour and sign, which a network keeps whatever else is drawn.
    """

    name: str
    epochs: Sequence[int]
    means: Sequence[float]
    low: Sequence[float | None]
    high: Sequence[float | None]
    place: int = 0


def filter_maps(filters: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> go.Figure:
    """Mean filters (h, w) by layer, a row each, and by network, a column each: zero is pale, all on one scale."""
    layers = list(filters)
    networks = list(dict.fromkeys(name for of_layer in filters.values() for name in of_layer))
    limit = max((float(np.abs(each).max()) for of_layer in filters.values() for each in of_layer.values()), default=1.0)
    figure = make_subplots(
        rows=max(len(layers), 1),
        cols=max(len(networks), 1),
        column_titles=networks,
        row_titles=layers,
        horizontal_spacing=0.03,
        vertical_spacing=0.08,
    )
    for row, layer in enumerate(layers, 1):
        for column, name in enumerate(networks, 1):
            if name in filters[layer]:
                figure.add_trace(_map(filters[layer][name], limit, f"{name}, {layer}"), row=row, col=column)
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, autorange="reversed", constrain="domain")
    for number in range(1, len(layers) * len(networks) + 1):
        axis = "" if number == 1 else str(number)
        figure.update_layout({f"yaxis{axis}": {"scaleanchor": f"x{axis}"}})
    figure.update_layout(
        height=40 + _MAP_PX * max(len(layers), 1), margin={"l": 8, "r": 32, "t": 32, "b": 8}, hoverlabel=HOVER
    )
    return figure


def over_epochs(lines: Sequence[Line], title: str) -> go.Figure:
    """A line for each network with the band of its interval; `title` of the axis of values."""
    figure = go.Figure()
    for line in lines:
        colour = _COLOURS[line.place % len(_COLOURS)]
        if None not in (*line.low, *line.high):
            figure.add_scatter(
                x=[*line.epochs, *line.epochs[::-1]],
                y=[*line.high, *line.low[::-1]],
                fill="toself",
                fillcolor=faint(colour, 0.14),
                line={"width": 0},
                hoverinfo="skip",
                legendgroup=line.name,
                showlegend=False,
            )
        figure.add_scatter(
            x=list(line.epochs),
            y=list(line.means),
            name=line.name,
            legendgroup=line.name,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"symbol": _SYMBOLS[line.place % len(_SYMBOLS)], "size": 8},
            hovertemplate=f"{line.name}, epoch %{{x}}: %{{y:.2f}}<extra></extra>",
        )
    figure.update_xaxes(title="epoch", gridcolor=shade(0.25))
    figure.update_yaxes(title=title, rangemode="tozero", gridcolor=shade(0.25))
    figure.update_layout(height=_HEIGHT_PX, margin=MARGIN, legend=LEGEND, hoverlabel=HOVER)
    return figure


def _map(values: NDArray[np.float64], limit: float, name: str) -> go.Heatmap:
    return go.Heatmap(
        z=values.tolist(),
        zmin=-limit,
        zmax=limit,
        colorscale=list(DIVERGING),
        showscale=False,
        hovertemplate=f"{name}, row %{{y}}, column %{{x}}: %{{z:.2f}}<extra></extra>",
    )
