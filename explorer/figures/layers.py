"""Plotly figures from results. No Streamlit: the page decides on size, theme and place."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from torch import Tensor

from equivariance.groups.transforms import label_of
from equivariance.measurement.measure import Measurement
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.theory.exactness import Prediction
from explorer.figures.style import (
    BLUE,
    BROWN,
    DIVERGING,
    FLOORS,
    GREEN,
    GREY,
    LEGEND,
    MARGIN,
    OCHRE,
    ORANGE,
    PURPLE,
    TEAL,
    VIOLET,
    shade,
)

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "5px,2px", "2px,5px")
# The first is the upright picture's.
_COLOURS = (GREY, BLUE, ORANGE, TEAL, PURPLE, OCHRE, VIOLET, GREEN, BROWN)
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "hexagon", "star")


def error_per_layer(measurement: Measurement, prediction: Prediction) -> go.Figure:
    """Error of every layer, log axis, one line per transform, the rounding level as a band, breaking layers marked."""
    figure = go.Figure()
    floor, level = FLOORS[measurement.dtype], ROUNDING_LEVEL[measurement.dtype]
    names = [layer.name for layer in measurement.layers]
    figure.add_hrect(y0=floor / 3, y1=level, fillcolor=shade(0.16), line_width=0, layer="below")
    for number, transform in enumerate(measurement.output_error):
        errors = [layer.error[transform] for layer in measurement.layers]
        if all(error is None for error in errors):
            continue
        figure.add_scatter(
            x=list(range(len(names))),
            y=[None if error is None else max(error, floor) for error in errors],
            name=label_of(transform),
            mode="lines+markers",
            line={
                "dash": _DASHES[number % len(_DASHES)],
                "width": 1.6,
                "color": _COLOURS[(number + 1) % len(_COLOURS)],
            },
            marker={"symbol": _SYMBOLS[number % len(_SYMBOLS)], "size": 5},
            customdata=list(zip(names, errors, strict=True)),
            hovertemplate="%{customdata[0]}: %{customdata[1]:.1e}<extra>%{fullData.name}</extra>",
        )
    broken = {layer.name for layer in prediction.broken_layers}
    for position, name in enumerate(names):
        if name in broken:
            figure.add_vline(x=position, line={"width": 1, "dash": "dot", "color": shade(0.9)})
    positions, labels = block_ticks(names)
    figure.update_xaxes(
        tickvals=positions, ticktext=labels, title="layer, from picture to logits", showgrid=False, tickangle=0
    )
    figure.update_yaxes(type="log", range=[np.log10(floor / 3), 1], exponentformat="power", dtick=2)
    figure.update_yaxes(title="relative error")
    figure.add_annotation(
        x=0,
        xref="paper",
        y=np.log10(level),
        text=f"rounding of {measurement.dtype}",
        showarrow=False,
        xanchor="left",
        yanchor="top",
        font={"size": 11},
    )
    figure.update_layout(margin=MARGIN, height=330, legend=LEGEND)
    return figure


def logits_bars(logits: Mapping[str, Sequence[float]], classes: Sequence[str] = ()) -> go.Figure:
    """The logits of the upright picture and of every transformed one, side by side for each class.

    `classes` are named in the order of the logits; without names they are numbered.
    """
    figure = go.Figure()
    for number, (transform, values) in enumerate(logits.items()):
        figure.add_bar(
            x=list(classes or map(str, range(len(values)))),
            y=list(values),
            name=label_of(transform),
            marker_color=_COLOURS[number % len(_COLOURS)],
            hovertemplate="class %{x}: %{y:.4g}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="class", type="category")
    figure.update_yaxes(title="logit", zeroline=True)
    figure.update_layout(margin=MARGIN, height=330, barmode="group", legend=LEGEND)
    return figure


def large_map(maps: Tensor, *, limit: float) -> go.Figure:
    """One map (H, W) as a heatmap whose colours run from −limit to limit, zero in the middle, pixels square."""
    values = maps.numpy()
    figure = go.Figure(
        go.Heatmap(
            z=values,
            zmin=-limit,
            zmax=limit,
            colorscale=DIVERGING,
            hovertemplate="row %{y}, column %{x}: %{z:.6g}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain", title="row")
    figure.update_xaxes(constrain="domain", title="column")
    figure.update_layout(margin={"l": 48, "r": 8, "t": 36, "b": 40}, height=440)
    return figure


def block_ticks(names: Sequence[str]) -> tuple[list[int], list[str]]:
    """Where each block of the network starts, and its name; a block too short for a label of its own has none."""
    closest = len(names) / 16
    positions: list[int] = []
    labels: list[str] = []
    for position, name in enumerate(names):
        block = name.split(".")[0]
        is_new = position == 0 or names[position - 1].split(".")[0] != block
        if is_new and (not positions or position - positions[-1] >= closest):
            positions.append(position)
            labels.append(block)
    return positions, labels
