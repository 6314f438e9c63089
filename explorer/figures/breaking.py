"""Plotly figures of training to break and of the worst picture. No Streamlit."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots
from torch import Tensor

from explorer.figures.style import BLUE, DIVERGING, FLOORS, LEGEND, MARGIN, ORANGE, shade
from explorer.studies.breaking import LN_2, SHOWN_FILTERS, Insight, TrainedStep

_COLOURS = (ORANGE, BLUE)
_DASHES = ("solid", "dash")
_FLOOR = FLOORS["float64"]  # searches are in it
_MOST_POINTS = 400  # of one line
_HEIGHT_PX = 280
_PANELS = 4  # above the filters; SHOWN_FILTERS is a multiple of it

Runs = Mapping[str, Sequence[TrainedStep]]  # by what is trained: "32 px"


def losses(runs: Runs) -> go.Figure:
    """The loss of every run against ln 2, below which an exact network cannot fall."""
    figure = go.Figure()
    for number, (label, steps) in enumerate(runs.items()):
        figure.add_scatter(**_line(label, number, steps), y=[step.loss for step in _thinned(steps)])
    figure.add_hline(y=LN_2, line={"width": 1, "dash": "dot", "color": shade(0.9)})
    figure.add_annotation(
        x=1, xref="paper", y=LN_2, text="ln 2", showarrow=False, xanchor="right", yanchor="bottom", font={"size": 11}
    )
    figure.update_yaxes(title="loss", range=[0, max(0.8, *(step.loss for run in runs.values() for step in run))])
    return _framed(figure)


def accuracies(runs: Runs) -> go.Figure:
    """The accuracy of every run: half is a guess."""
    figure = go.Figure()
    for number, (label, steps) in enumerate(runs.items()):
        figure.add_scatter(**_line(label, number, steps), y=[step.accuracy for step in _thinned(steps)])
    figure.update_yaxes(title="accuracy", range=[-0.04, 1.04], tickformat=".0%", dtick=0.5)
    return _framed(figure)


def answers(runs: Runs) -> go.Figure:
    """The two outputs of every run: the probability of "transformed" for the picture (thin) and its transform."""
    figure = go.Figure()
    for number, (label, steps) in enumerate(runs.items()):
        for position, (name, width) in enumerate((("x", 1.2), ("g·x", 2.6))):
            line = _line(f"{label}, {name}", number, steps)
            line["line"] = {**line["line"], "width": width}
            figure.add_scatter(**line, y=[step.answers[position] for step in _thinned(steps)])
    figure.update_yaxes(title="says “transformed”", range=[-0.04, 1.04], tickformat=".0%", dtick=0.5)
    return _framed(figure)


def errors(searches: Mapping[str, Sequence[float]]) -> go.Figure:
    """The largest error up to each step of every search, log axis; zero is drawn at the floor."""
    figure = go.Figure()
    for number, (label, values) in enumerate(searches.items()):
        figure.add_scatter(
            **_style(label, number), x=list(range(len(values))), y=[max(value, _FLOOR) for value in values]
        )
    figure.update_yaxes(type="log", title="relative error", exponentformat="power", range=[-17.5, 1], dtick=4)
    return _framed(figure)


def insight(seen: Insight) -> go.Figure:
    """The picture and its transform, what each place of both says, on one scale, and the filters below."""
    columns = _PANELS if len(seen.filters) <= _PANELS else SHOWN_FILTERS
    wide = columns // _PANELS
    figure = make_subplots(
        rows=2,
        cols=columns,
        specs=[[{"colspan": wide}, *[None] * (wide - 1)] * _PANELS, [{}] * columns],
        row_heights=[0.65, 0.35],
        vertical_spacing=0.16,
        horizontal_spacing=0.02,
        subplot_titles=("x", "g·x", "evidence, x", "evidence, g·x", "filters"),
    )
    maps_limit, filters_limit = limits(seen)
    panels = [_photograph(picture) for picture in seen.pair] + [_heatmap(maps, maps_limit) for maps in seen.evidence]
    for number, panel in enumerate(panels):
        figure.add_trace(panel, row=1, col=1 + number * wide)
    for column, kernel in enumerate(seen.filters, start=1):
        figure.add_trace(_heatmap(kernel, filters_limit), row=2, col=column)
    return _bare(figure, 250)


def limits(seen: Insight) -> tuple[float, float]:
    """The largest absolute values, where the colours end: of both evidence maps together, and of the filters."""
    evidence, filters = (float(values.abs().max()) or 1.0 for values in (seen.evidence, seen.filters))
    return evidence, filters


def pictures(start: Tensor, found: Tensor) -> go.Figure:
    """Two pictures (3, S, S), 0..1, side by side."""
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.03, subplot_titles=("start", "worst found"))
    for column, picture in enumerate((start, found), start=1):
        figure.add_trace(_photograph(picture), row=1, col=column)
    return _bare(figure, 280)


def _line(label: str, number: int, steps: Sequence[TrainedStep]) -> dict[str, Any]:
    return {**_style(label, number), "x": [step.step for step in _thinned(steps)]}


def _style(label: str, number: int) -> dict[str, Any]:
    line = {"color": _COLOURS[number], "dash": _DASHES[number], "width": 2}
    return {"name": label, "mode": "lines", "line": line, "hovertemplate": "step %{x}: %{y:.4g}"}


def _thinned(steps: Sequence[TrainedStep]) -> list[TrainedStep]:
    """At most about _MOST_POINTS of the steps; the first and the last among them."""
    stride = max(1, len(steps) // _MOST_POINTS)
    return [*steps[:-1:stride], *steps[-1:]]


def _photograph(picture: Tensor) -> go.Image:
    return go.Image(z=(picture * 255).round().byte().permute(1, 2, 0).numpy(), hoverinfo="skip")


def _heatmap(maps: Tensor, scale: float) -> go.Heatmap:
    return go.Heatmap(
        z=maps.flip(0).numpy(),  # Plotly's rows begin below
        zmin=-scale,
        zmax=scale,
        colorscale=DIVERGING,
        showscale=False,
        hovertemplate="%{z:.4g}<extra></extra>",
    )


def _framed(figure: go.Figure) -> go.Figure:
    figure.update_xaxes(title="step", rangemode="tozero")
    return figure.update_layout(margin=MARGIN, height=_HEIGHT_PX, legend=LEGEND, showlegend=True)


def _bare(figure: go.Figure, height_px: int) -> go.Figure:
    """Squares without axes."""
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, constrain="domain")
    for number, axis in enumerate(figure.select_yaxes(), start=1):
        axis.update(scaleanchor=f"x{number if number > 1 else ''}")
    figure.update_annotations(font_size=12)
    return figure.update_layout(margin={"l": 4, "r": 4, "t": 24, "b": 4}, height=height_px)
