"""Plotly figures of a sweep over sizes: what theory says beside what was measured. No Streamlit.

Every mark that stands for a size carries (height, width) in its `customdata`, for a click on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import plotly.graph_objects as go

from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED
from explorer.figures.layers import block_ticks
from explorer.figures.style import (
    BEYOND_ROUNDING,
    BLUE,
    FLOORS,
    GREY,
    HOVER,
    INK,
    LEGEND,
    MARGIN,
    ORANGE,
    PAPER,
    PURPLE,
    RED,
    TEAL,
    WITHIN_ROUNDING,
    shade,
)
from explorer.studies.sweep import SizeResult

MAX_LABELS = 24  # on the axis of sizes, also on a phone
_WORDS = {EXACT: "theory: exact", BROKEN: "theory: breaks", UNDECIDED: "theory: undecided"}
# Of the second curve larger and open, so that both are seen where they meet.
_SYMBOLS = (
    {EXACT: "circle", BROKEN: "x", UNDECIDED: "triangle-up"},
    {EXACT: "circle-open", BROKEN: "x-open", UNDECIDED: "triangle-up-open"},
)
_POINT_PX = (9, 14)
# A second curve has colours and a dash of its own.
_COLOURS = (
    {EXACT: BLUE, BROKEN: ORANGE, UNDECIDED: GREY},
    {EXACT: TEAL, BROKEN: PURPLE, UNDECIDED: GREY},
)
_DASHES = ("solid", "dash")


@dataclass(frozen=True)
class SizeCurve:
    """One network over a range: its layers, theory's word for every size, and the results so far, by size in pixels."""

    name: str
    dtype: str
    layers: tuple[str, ...]
    theory: Mapping[int, str]
    results: Mapping[int, SizeResult] = field(repr=False)

    @property
    def measured(self) -> list[SizeResult]:
        """The results in order of size."""
        return [self.results[size_px] for size_px in self.theory if size_px in self.results]


def error_by_size(curves: Sequence[SizeCurve]) -> go.Figure:
    """The largest error against the size, log axis; exact and broken sizes by theory have different symbols."""
    figure = go.Figure()
    dtype = curves[0].dtype
    floor, level = FLOORS[dtype], ROUNDING_LEVEL[dtype]
    figure.add_hrect(y0=floor / 3, y1=level, fillcolor=shade(0.16), line_width=0, layer="below")
    for number, curve in enumerate(curves):
        prefix = f"{curve.name}, " if len(curves) > 1 else ""
        _add_line(figure, curve, floor, _DASHES[number])
        for status, word in _WORDS.items():
            _add_points(figure, curve, status, floor, name=prefix + word, number=number)
    _add_alarms(figure, curves, floor)
    figure.update_yaxes(type="log", range=[np.log10(floor / 3), 1], exponentformat="power", dtick=2)
    figure.update_yaxes(title="largest relative error")
    figure.add_annotation(
        x=0,
        xref="paper",
        y=np.log10(floor / 3),
        text=f"rounding of {dtype}",
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        font={"size": 11},
    )
    figure.update_layout(**clickable(), height=420, legend=LEGEND, uirevision=_subject(curves))
    _size_axis(figure, curves[0].theory)
    return figure


def error_by_size_and_layer(curve: SizeCurve) -> go.Figure:
    """Error of every layer (rows, the picture above) at every size (columns); ✕ marks what theory says breaks."""
    figure = go.Figure()
    floor, level = FLOORS[curve.dtype], ROUNDING_LEVEL[curve.dtype]
    measured = curve.measured
    names = list(curve.layers)
    errors = [[result.layer_errors[name] for result in measured] for name in names]
    figure.add_heatmap(
        x=[result.size_px for result in measured],
        y=list(range(len(names))),
        z=[[None if error is None else np.log10(max(error, floor)) for error in row] for row in errors],
        zmin=np.log10(floor),
        zmax=0,
        colorscale=_two_part_scale(np.log10(floor), np.log10(level)),
        colorbar={"title": {"text": "error"}, **_powers(np.log10(floor)), "thickness": 12},
        xgap=1,
        hoverinfo="skip",
    )
    _add_cells(figure, measured, names)
    _add_broken(figure, measured, names)
    positions, labels = block_ticks(names) if names else ([], [])
    figure.update_yaxes(range=[max(len(names), 1) - 0.5, -0.5], tickvals=positions, ticktext=labels)
    figure.update_yaxes(showgrid=False, zeroline=False)
    figure.update_layout(**clickable(), height=min(max(11 * len(names), 330), 900), legend=LEGEND)
    figure.update_layout(uirevision=_subject([curve]))
    _size_axis(figure, curve.theory)
    return figure


def clickable() -> dict[str, object]:
    """Layout of a figure whose marks are chosen by a click."""
    margin = {**MARGIN, "t": 64}  # room for the camera above the legend
    return {"margin": margin, "hoverlabel": HOVER, "hovermode": "closest", "hoverdistance": 30}


# --------------------------------------------------------------------------------------------------------------- parts


def _subject(curves: Sequence[SizeCurve]) -> str:
    """What a zoom belongs to: another range or another network is seen whole."""
    return repr([(curve.name, curve.layers, *list(curve.theory)[:1], *list(curve.theory)[-1:]) for curve in curves])


def _add_line(figure: go.Figure, curve: SizeCurve, floor: float, dash: str) -> None:
    drawn = [result for result in curve.measured if result.error is not None]
    figure.add_scatter(
        x=[result.size_px for result in drawn],
        y=[max(result.error or 0.0, floor) for result in drawn],
        mode="lines",
        line={"color": GREY, "width": 1.2, "dash": dash},
        hoverinfo="skip",
        showlegend=False,
    )


def _add_points(figure: go.Figure, curve: SizeCurve, status: str, floor: float, *, name: str, number: int) -> None:
    drawn = [result for result in curve.measured if curve.theory[result.size_px] == status and result.error is not None]
    if not drawn and status == UNDECIDED:
        return
    figure.add_scatter(
        x=[result.size_px for result in drawn],
        y=[max(result.error or 0.0, floor) for result in drawn],
        name=name,
        mode="markers",
        marker={
            "symbol": _SYMBOLS[number][status],
            "size": _POINT_PX[number],
            "color": _COLOURS[number][status],
            "line": {"width": 2 * number, "color": _COLOURS[number][status]},
        },
        customdata=[(result.size_px, result.size_px) for result in drawn],
        text=[_said(result) for result in drawn],
        hovertemplate="%{x} px: %{text}<extra>%{fullData.name}</extra>",
    )


def _said(result: SizeResult) -> str:
    first = f"<br>first broken at {result.first_broken_layer}" if result.first_broken_layer else ""
    return f"error {result.error:.1e}{first}"


def _add_alarms(figure: go.Figure, curves: Sequence[SizeCurve], floor: float) -> None:
    """A ring and words around every size at which theory and measurement disagree."""
    wrong = [result for curve in curves for result in curve.measured if result.disagreements]
    if wrong:
        figure.add_scatter(
            x=[result.size_px for result in wrong],
            y=[max(result.error or 0.0, floor) for result in wrong],
            name="theory and measurement disagree",
            mode="markers+text",
            marker={"symbol": "circle-open", "size": 22, "color": RED, "line": {"width": 4}},
            text=[f"<b>! {result.size_px} px disagrees</b>" for result in wrong],
            textposition="top center",
            textfont={"color": RED, "size": 14},
            hoverinfo="skip",
        )


def _add_cells(figure: go.Figure, measured: Sequence[SizeResult], names: Sequence[str]) -> None:
    """Invisible marks over the heatmap: they say the numbers and can be clicked, which its cells cannot."""
    cells = [(result, row, name) for result in measured for row, name in enumerate(names)]
    figure.add_scatter(
        x=[result.size_px for result, _, _ in cells],
        y=[row for _, row, _ in cells],
        mode="markers",
        marker={"symbol": "square", "size": 10, "opacity": 0},
        customdata=[(result.size_px, result.size_px) for result, _, _ in cells],
        text=[_cell_text(result, name) for result, _, name in cells],
        hovertemplate="%{x} px, %{text}<extra></extra>",
        showlegend=False,
    )


def _cell_text(result: SizeResult, name: str) -> str:
    error = result.layer_errors[name]
    breaks = ", theory: breaks here" if name in result.broken_layers else ""
    return f"{name}: {'no action' if error is None else f'{error:.1e}'}{breaks}"


def _add_broken(figure: go.Figure, measured: Sequence[SizeResult], names: Sequence[str]) -> None:
    rows = {name: row for row, name in enumerate(names)}
    for label, symbol, size, colour, found in (
        ("theory: the layer breaks by itself", "x", 8, INK, [result.broken_layers for result in measured]),
        ("disagreement", "diamond-open", 14, RED, [tuple(result.disagreements) for result in measured]),
    ):
        marks = [
            (result.size_px, rows[name])
            for result, layers in zip(measured, found, strict=True)
            for name in layers
            if name in rows
        ]
        if marks or symbol == "x":
            figure.add_scatter(
                x=[size_px for size_px, _ in marks],
                y=[row for _, row in marks],
                name=label,
                mode="markers",
                marker={"symbol": symbol, "size": size, "color": colour, "line": {"width": 1, "color": PAPER}},
                hoverinfo="skip",
            )


def _size_axis(figure: go.Figure, theory: Mapping[int, str]) -> None:
    """Exact sizes are labelled "● 33 exact"; others by their number alone, where there is room."""
    sizes = list(theory)
    exact = [size_px for size_px in sizes if theory[size_px] == EXACT]
    shown = exact[:: -(-len(exact) // MAX_LABELS) or 1]
    step = max(4, len(sizes) // 8)
    others = [
        size_px
        for size_px in sizes
        if theory[size_px] != EXACT and size_px % step == 0 and all(abs(size_px - near) > 1 for near in shown)
    ]
    figure.update_xaxes(
        range=[sizes[0] - 0.7, sizes[-1] + 0.7],
        tickvals=[*shown, *others],
        ticktext=[*[f"<b>● {size_px} exact</b>" for size_px in shown], *map(str, others)],
        tickangle=-90,
        title="size (px)",
        showgrid=False,
        zeroline=False,
    )
    figure.update_layout(margin_b=92)
    for size_px in shown:
        figure.add_vline(x=size_px, line={"width": 1, "dash": "dot", "color": shade(0.5)}, layer="below")


def _two_part_scale(floor: float, level: float) -> list[tuple[float, str]]:
    """Colours from `floor` to 0 (decades) with a step at `level`."""
    step = (level - floor) / -floor
    return [
        (0.0, WITHIN_ROUNDING[0]),
        (step, WITHIN_ROUNDING[1]),
        (step, BEYOND_ROUNDING[0]),
        (1.0, BEYOND_ROUNDING[1]),
    ]


def _powers(floor: float) -> dict[str, list[object]]:
    decades = list(range(0, int(floor) - 1, -2 if floor > -12 else -4))
    return {"tickvals": list(decades), "ticktext": [f"10<sup>{decade}</sup>" if decade else "1" for decade in decades]}
