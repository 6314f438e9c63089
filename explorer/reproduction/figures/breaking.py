"""Networks that learn to break their symmetry, and the error at each size: claims 1 and 2."""

import math

import plotly.graph_objects as go

from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.figures.style import FLOORS, shade
from explorer.reproduction.authors import authors_knight
from explorer.reproduction.figures.looks import APPROXIMATE, AUTHORS, EXACT
from explorer.reproduction.figures.parts import LINE, framed, marker_of
from explorer.reproduction.knight import EVERY, SIZES_PX, KnightRuns
from explorer.reproduction.sides import NetworkSides

LN_2 = math.log(2)
_ROUNDING = ROUNDING_LEVEL["float32"]  # networks are evaluated in it
_FLOOR = FLOORS["float32"]


def knight_losses(knight: KnightRuns) -> go.Figure:
    """Loss against steps: a thin line for each seed, and the authors' printed losses at 32 px."""
    figure = go.Figure()
    for size_px, look in zip(SIZES_PX, (APPROXIMATE, EXACT), strict=True):
        runs = [run for run in knight.runs if run.size_px == size_px]
        for number, run in enumerate(runs):
            figure.add_scatter(
                x=[EVERY * place for place in range(len(run.losses))],
                y=run.losses,
                name=f"{size_px} px, {len(runs)} seeds",
                legendgroup=str(size_px),
                showlegend=number == 0,
                mode="lines",
                line={"color": look.colour, "width": 1.4},
                opacity=0.7,
                hovertemplate=f"{size_px} px, seed {run.seed}, step %{{x}}: %{{y:.4f}}<extra></extra>",
            )
    steps, losses = zip(*authors_knight(), strict=True)
    figure.add_scatter(
        x=steps,
        y=losses,
        name="authors, 32 px",
        mode="markers",
        marker={"symbol": AUTHORS, "size": 11, "color": APPROXIMATE.colour, "line": {"width": 2}},
        hovertemplate="authors, step %{x}: %{y:.4f}<extra></extra>",
    )
    figure.add_hline(y=LN_2, line={"width": 1, "dash": "dot", "color": LINE})
    figure.add_annotation(
        x=1, xref="paper", y=LN_2, text="ln 2: a guess", showarrow=False, xanchor="right", yanchor="bottom"
    )
    figure.update_xaxes(title="step", rangemode="tozero")
    figure.update_yaxes(title="loss", range=[0, 0.8])
    return framed(figure, 320)


def error_by_side(network: NetworkSides) -> go.Figure:
    """The largest error against the side, log axis; sides look as exact or as approximate networks do."""
    figure = go.Figure()
    sides = network.sides
    figure.add_hrect(y0=_FLOOR, y1=_ROUNDING, fillcolor=shade(0.16), line_width=0, layer="below")
    figure.add_scatter(
        x=[side.size_px for side in sides],
        y=[max(side.error, _FLOOR) for side in sides],
        mode="lines",
        line={"color": LINE, "width": 1.2},
        hoverinfo="skip",
        showlegend=False,
    )
    for is_exact, name, look in ((True, "theory: exact", EXACT), (False, "theory: not exact", APPROXIMATE)):
        shown = [side for side in sides if side.is_exact == is_exact]
        figure.add_scatter(
            x=[side.size_px for side in shown],
            y=[max(side.error, _FLOOR) for side in shown],
            name=name,
            mode="markers",
            marker=marker_of(look),
            hovertemplate="%{x} px: %{y:.1e}<extra>%{fullData.name}</extra>",
        )
    figure.update_yaxes(type="log", range=[-8, 1], exponentformat="power", dtick=2, title="largest relative error")
    figure.update_xaxes(title="side of the picture (px)", dtick=2 if len(sides) > 12 else 1, showgrid=False)
    figure.add_annotation(
        x=0,
        xref="paper",
        y=math.log10(_ROUNDING),
        text="rounding of float32",
        showarrow=False,
        xanchor="left",
        yanchor="top",
    )
    return framed(figure, 320)
