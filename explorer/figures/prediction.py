"""The figure of what is lost against what might have predicted it: a mark for each network. No Streamlit."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from explorer.figures.style import BLUE, GREY, HOVER, LEGEND, MARGIN, ORANGE, PURPLE, TEAL, shade

_COLOURS = (ORANGE, PURPLE, TEAL, GREY)
_SYMBOLS = ("square", "triangle-up", "diamond", "x")
_HEIGHT_PX = 380


@dataclass(frozen=True)
class Marks:
    """Networks of one kind: names, predictors, and percentage points lost. Exact ones are drawn apart, as rings.

    place: of its colour and sign, which a kind keeps whatever else is drawn.
    """

    kind: str
    names: Sequence[str]
    predictors: Sequence[float]
    lost: Sequence[float]
    is_exact: bool = False
    place: int = 0


def loss_by_predictor(kinds: Sequence[Marks], title: str) -> go.Figure:
    """What is lost over one predictor, called `title`; a colour and a sign for each kind."""
    figure = go.Figure()
    for marks in kinds:
        if marks.is_exact:
            marker = {"symbol": "circle-open", "color": BLUE, "size": 10, "line": {"width": 2}}
        else:
            place = marks.place % len(_COLOURS)
            marker = {"symbol": _SYMBOLS[place], "color": _COLOURS[place], "size": 9, "opacity": 0.85}
        figure.add_scatter(
            x=list(marks.predictors),
            y=list(marks.lost),
            name=marks.kind,
            mode="markers",
            marker=marker,
            text=list(marks.names),
            hovertemplate="%{text}<br>%{x:.3g}; %{y:.1f} points lost<extra></extra>",
        )
    figure.update_xaxes(title=title, rangemode="tozero", gridcolor=shade(0.25), zerolinecolor=shade(0.5))
    figure.update_yaxes(title="lost at unseen turns (points)", gridcolor=shade(0.25), zerolinecolor=shade(0.5))
    figure.update_layout(height=_HEIGHT_PX, margin=MARGIN, legend=LEGEND, hoverlabel=HOVER)
    return figure
