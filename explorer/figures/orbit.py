"""Plotly figures of an orbit beside the polar plot: errors of the mirrors, and by shift. No Streamlit."""

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from equivariance.groups.transforms import label_of
from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.figures.orbit_marks import (
    COLOURS,
    PALE,
    SYMBOLS,
    OrbitCurve,
    beyond,
    cross,
    in_words,
    named_exponents,
    power,
    within,
)
from explorer.figures.style import FLOORS, GREY, INNERMOST, MARGIN
from explorer.studies.orbit import Spread


def mirrors(transforms: Sequence[str], curves: Sequence[OrbitCurve], *, dtype: str) -> go.Figure:
    """Errors of transforms side by side, one symbol for each network; the smallest and largest as a bar."""
    figure = go.Figure()
    floor = FLOORS[dtype]
    top = beyond([curve.errors for curve in curves], {}, at_least=1.0)
    figure.add_hrect(y0=floor / 3, y1=ROUNDING_LEVEL[dtype], fillcolor=PALE, line_width=0, layer="below")
    for curve in curves:
        places = [number + 0.16 * (curve.number - 1.5) for number in range(len(transforms))]
        known = [(x, s) for x, name in zip(places, transforms, strict=True) if (s := curve.errors.get(name))]
        none = [x for x, name in zip(places, transforms, strict=True) if curve.errors.get(name, 0) is None]
        means = [within(spread.mean, floor, top) for _, spread in known]
        figure.add_scatter(
            x=[x for x, _ in known],
            y=means,
            name=curve.title,
            mode="markers",
            marker={"symbol": SYMBOLS[curve.number], "size": 9, "color": COLOURS[curve.number]},
            error_y={
                "array": [
                    within(spread.largest, floor, top) - mean for (_, spread), mean in zip(known, means, strict=True)
                ],
                "arrayminus": [
                    mean - within(spread.smallest, floor, top) for (_, spread), mean in zip(known, means, strict=True)
                ],
            },
            customdata=[in_words(spread) for _, spread in known],
            hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
        )
        figure.add_scatter(x=none, y=[top * 2] * len(none), name=f"{curve.title}: no action", **cross(curve.number))
    figure.update_traces(showlegend=False)
    labels = [label_of(name).replace("mirror ", "mirror<br>") for name in transforms]
    figure.update_xaxes(tickvals=list(range(len(transforms))), ticktext=labels, showgrid=False, tickangle=0)
    figure.update_yaxes(type="log", range=[math.log10(floor / 3), math.log10(top * 4)], exponentformat="power", dtick=3)
    figure.update_yaxes(title="relative error")
    figure.update_layout(height=230, margin=MARGIN)
    return figure


def shift_map(errors: Mapping[tuple[int, int], Spread | None], *, dtype: str, limit_px: int) -> go.Figure:
    """Errors by (down, right) in pixels as colours, logarithmic; crosses where there is no action."""
    span = list(range(-limit_px, limit_px + 1))
    lowest = INNERMOST[dtype]
    cells = [[errors.get((down, right)) for right in span] for down in span]
    figure = go.Figure(
        go.Heatmap(
            x=span,
            y=span,
            z=[[None if s is None else math.log10(within(s.mean, lowest, 1.0)) for s in row] for row in cells],
            zmin=math.log10(lowest),
            zmax=0,
            xgap=1,
            ygap=1,
            colorscale="Cividis",
            customdata=[["" if spread is None else in_words(spread) for spread in row] for row in cells],
            hovertemplate="down %{y}, right %{x}: %{customdata}<extra></extra>",
            hoverongaps=False,
            colorbar=_colour_bar(dtype),
        )
    )
    none = [place for place, spread in errors.items() if spread is None]
    figure.add_scatter(
        x=[right for _, right in none],
        y=[down for down, _ in none],
        mode="markers",
        marker={"symbol": "x-thin", "size": 5, "line": {"width": 1, "color": GREY}},
        hovertemplate="down %{y}, right %{x}: no action<extra></extra>",
        showlegend=False,
    )
    figure.add_annotation(x=0, y=0, text="0", showarrow=False, font={"size": 11})
    figure.update_xaxes(title="right (px)", constrain="domain", dtick=4, showgrid=False, zeroline=False)
    figure.update_yaxes(title="down (px)", scaleanchor="x", constrain="domain", autorange="reversed", dtick=4)
    figure.update_yaxes(showgrid=False, zeroline=False)
    figure.update_layout(height=340, margin={"l": 48, "r": 8, "t": 8, "b": 40})
    return figure


# --------------------------------------------------------------------------------------------------------------- parts


def _colour_bar(dtype: str) -> dict[str, object]:
    exponents = named_exponents(dtype)
    return {
        "orientation": "h",
        "y": -0.22,
        "yanchor": "top",
        "thickness": 10,
        "tickvals": exponents,
        "ticktext": [power(exponent) for exponent in exponents],
    }
