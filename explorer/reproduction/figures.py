"""Plotly figures of the paper's evidence: our seeds as dots, means with deviations, the authors' as open diamonds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.figures.style import (
    BLUE,
    CLEAR,
    FLOORS,
    GREY,
    HOVER,
    LEGEND,
    MARGIN,
    ORANGE,
    PURPLE,
    TEAL,
    shade,
)
from explorer.reproduction.authors import authors_knight
from explorer.reproduction.knight import EVERY, SIZES_PX, KnightRuns
from explorer.reproduction.results import Results
from explorer.reproduction.sides import NetworkSides
from explorer.reproduction.statistics import MEASURES, summarise
from explorer.reproduction.studies import Case, Study
from explorer.reproduction.tables import NOT_RUN, Row
from explorer.training.metrics import ANGLES_DEG, TURNS

LN_2 = math.log(2)
_EXACT, _APPROXIMATE, _OTHER, _PLAIN, _MENDED = BLUE, ORANGE, PURPLE, GREY, TEAL
_LINE, _FAINT = shade(0.9), shade(0.25)
_ROUNDING = ROUNDING_LEVEL["float32"]  # networks are evaluated in it
_FLOOR = FLOORS["float32"]


@dataclass(frozen=True)
class _Style:
    colour: str
    symbol: str
    dash: str


_STYLES = {
    "exact-28": _Style(_EXACT, "circle", "solid"),
    "approximate-27": _Style(_OTHER, "triangle-up", "dash"),
    "approximate-29": _Style(_APPROXIMATE, "square", "dashdot"),
    "plain-28": _Style(_PLAIN, "x", "dot"),
}


def knight_losses(knight: KnightRuns) -> go.Figure:
    """Loss against steps: a thin line for each seed, and the authors' printed losses at 32 px."""
    figure = go.Figure()
    for size_px, colour in zip(SIZES_PX, (_APPROXIMATE, _EXACT), strict=True):
        runs = [run for run in knight.runs if run.size_px == size_px]
        for number, run in enumerate(runs):
            figure.add_scatter(
                x=[EVERY * place for place in range(len(run.losses))],
                y=run.losses,
                name=f"{size_px} px, {len(runs)} seeds",
                legendgroup=str(size_px),
                showlegend=number == 0,
                mode="lines",
                line={"color": colour, "width": 1.4},
                opacity=0.7,
                hovertemplate=f"{size_px} px, seed {run.seed}, step %{{x}}: %{{y:.4f}}<extra></extra>",
            )
    steps, losses = zip(*authors_knight(), strict=True)
    figure.add_scatter(
        x=steps,
        y=losses,
        name="authors, 32 px",
        mode="markers",
        marker={"symbol": "diamond-open", "size": 11, "color": _APPROXIMATE, "line": {"width": 2}},
        hovertemplate="authors, step %{x}: %{y:.4f}<extra></extra>",
    )
    figure.add_hline(y=LN_2, line={"width": 1, "dash": "dot", "color": _LINE})
    figure.add_annotation(
        x=1, xref="paper", y=LN_2, text="ln 2: a guess", showarrow=False, xanchor="right", yanchor="bottom"
    )
    figure.update_xaxes(title="step", rangemode="tozero")
    figure.update_yaxes(title="loss", range=[0, 0.8])
    return _framed(figure, 320)


def error_by_side(network: NetworkSides) -> go.Figure:
    """The largest error against the side, log axis; exact sides are blue dots, others orange crosses."""
    figure = go.Figure()
    sides = network.sides
    figure.add_hrect(y0=_FLOOR, y1=_ROUNDING, fillcolor=shade(0.16), line_width=0, layer="below")
    figure.add_scatter(
        x=[side.size_px for side in sides],
        y=[max(side.error, _FLOOR) for side in sides],
        mode="lines",
        line={"color": _LINE, "width": 1.2},
        hoverinfo="skip",
        showlegend=False,
    )
    for is_exact, name, symbol, colour in (
        (True, "theory: exact", "circle", _EXACT),
        (False, "theory: not exact", "x", _APPROXIMATE),
    ):
        shown = [side for side in sides if side.is_exact == is_exact]
        figure.add_scatter(
            x=[side.size_px for side in shown],
            y=[max(side.error, _FLOOR) for side in shown],
            name=name,
            mode="markers",
            marker={"symbol": symbol, "size": 9, "color": colour},
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
    return _framed(figure, 320)


def turns(results: Results, study: Study) -> go.Figure:
    """Accuracy of each network at the quarter turns: dots of the seeds, mean ± deviation, the authors'."""
    measures = TURNS
    figure = go.Figure()
    width = 0.8 / max(len(study.cases), 1)
    for place, case in enumerate(study.cases):
        middle = (place - (len(study.cases) - 1) / 2) * width
        _add_dots(figure, results, case, measures, middle - 0.12 * width, 0.45 * width)
        _add_means(figure, results, case, measures, middle - 0.12 * width)
        _add_authors(figure, case, measures, middle + 0.36 * width)
    _add_key_of_authors(figure)
    figure.update_xaxes(
        tickvals=list(range(len(measures))), ticktext=[MEASURES[name] for name in measures], showgrid=False
    )
    figure.update_xaxes(range=[-0.5, len(measures) - 0.5], zeroline=False)
    figure.update_yaxes(title="accuracy (%)", range=[0, 103])
    for between in range(1, len(measures)):
        figure.add_vline(x=between - 0.5, line={"width": 1, "color": _FAINT}, layer="below")
    return _framed(figure, 400)


def by_angle(results: Results, study: Study, *, mean_deg: float | None = None, sd_deg: float = 0.0) -> go.Figure:
    """Accuracy at 36 angles on a circle, counterclockwise from the right; the authors' means as small diamonds.

    mean_deg, sd_deg: of the angles that training showed, drawn as a sector of two deviations to each side.
    """
    figure = go.Figure()
    if mean_deg is not None:
        figure.add_barpolar(
            r=[100],
            theta=[mean_deg],
            width=[4 * sd_deg],
            marker={"color": _FAINT, "line": {"width": 0}},
            name="trained",
            hoverinfo="skip",
        )
    degrees = [*ANGLES_DEG, 360]
    for case in study.cases:
        style = _style(case)
        seeds = results.angles(case.key)
        if seeds:
            means = [sum(values) / len(values) for values in zip(*seeds, strict=True)]
            figure.add_scatterpolar(
                r=[*means, means[0]],
                theta=degrees,
                name=case.title,
                mode="lines",
                line={"color": style.colour, "width": 2.2, "dash": style.dash},
                hovertemplate="%{theta}°: %{r:.1f} %<extra>%{fullData.name}</extra>",
            )
        if case.authors is not None:
            figure.add_scatterpolar(
                r=[*case.authors.angles, case.authors.angles[0]],
                theta=degrees,
                name=f"authors: {case.title.lower()}",
                mode="markers",
                marker={"symbol": "diamond-open", "size": 4, "color": style.colour, "line": {"width": 1}},
                showlegend=False,
                hovertemplate="%{theta}°: %{r:.1f} %<extra>%{fullData.name}</extra>",
            )
    _add_key_of_authors(figure, polar=True)
    figure.update_polars(
        bgcolor=CLEAR,
        radialaxis={"range": [0, 100], "tickvals": [25, 50, 75], "angle": 22.5, "gridcolor": _FAINT},
        angularaxis={"dtick": 45, "gridcolor": _FAINT, "ticksuffix": "°"},
    )
    return _framed(figure, 440).update_layout(margin={"l": 40, "r": 40, "t": 64, "b": 24}, legend_y=1.1)


def rows_on_a_line(rows: Sequence[Row], measure: str, *, is_close: bool = False) -> go.Figure:
    """One row for each case: the seeds, the mean and the authors' mean of one measure; "not run" where so.

    is_close: the axis begins at the lowest figure and not at 0.
    """
    figure = go.Figure()
    names, shown = [row.title for row in rows], list[float]()
    for row in rows:
        cell = next(cell for cell in row.cells if cell.measure == measure)
        said = NOT_RUN if cell.ours is None else f"{cell.ours.mean:.1f}"
        figure.add_annotation(x=1.01, xref="paper", y=row.title, text=said, showarrow=False, xanchor="left")
        colour = _colour_of_row(row)
        if cell.ours is not None:
            _add_marks(figure, row.title, "%{x:.2f} %", cell.ours.values, color=colour, size=7, opacity=0.55)
            line = {"symbol": "line-ns", "size": 18, "line": {"width": 3, "color": colour}}
            _add_marks(figure, row.title, "mean %{x:.2f} %", [cell.ours.mean], color=colour, **line)
            shown += cell.ours.values
        if cell.authors is not None:
            diamond = {"symbol": "diamond-open", "size": 9, "line": {"width": 1.6}}
            _add_marks(figure, row.title, "authors %{x:.2f} %", [cell.authors.mean], color=colour, **diamond)
            shown.append(cell.authors.mean)
    if any(row.has_authors for row in rows):
        _add_key_of_authors(figure)
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], range=[-0.6, len(names) - 0.4])
    figure.update_yaxes(showgrid=True, gridcolor=_FAINT, automargin=True)
    if is_close and shown:
        room = max(0.5, 0.05 * (max(shown) - min(shown)))
        figure.update_xaxes(range=[min(shown) - room, max(shown) + room])
    else:
        figure.update_xaxes(range=[0, 102])
    figure.update_xaxes(title=f"accuracy at {MEASURES[measure]} (%)", gridcolor=_FAINT)
    return _framed(figure, 60 + 30 * max(len(names), 3)).update_layout(margin_r=56)


# --------------------------------------------------------------------------------------------------------------- parts


def _add_marks(figure: go.Figure, row: str, said: str, values: Sequence[float], **marker: Any) -> None:
    """Marks at `values` on the line of a row; `said` is what pointing at one says after the row's title."""
    figure.add_scatter(
        x=list(values),
        y=[row] * len(values),
        mode="markers",
        marker=marker,
        showlegend=False,
        hovertemplate=f"%{{y}}: {said}<extra></extra>",
    )


def _style(case: Case) -> _Style:
    known = case.key.partition("/")[2]
    if known in _STYLES:
        return _STYLES[known]
    group, _, side = known.partition("-")
    colour = {"p4": _EXACT, "p4m": _MENDED, "z2": _PLAIN}.get(group, _LINE)
    return _Style(colour, "circle" if side == "33" else "square", "solid")


def _colour_of_row(row: Row) -> str:
    recipe = row.case.recipe
    if recipe.network.startswith("z2"):
        return _PLAIN
    if recipe.subsampling == "symmetric":
        return _MENDED
    return _EXACT if row.case.is_exact else _APPROXIMATE


def _add_dots(
    figure: go.Figure, results: Results, case: Case, measures: Sequence[str], middle: float, spread: float
) -> None:
    style = _style(case)
    x, y, seeds = list[float | None](), list[float | None](), list[str]()
    for place, measure in enumerate(measures):
        values = results.percents(case.key, measure)
        step = spread / max(len(values) - 1, 1)
        x += [place + middle + step * (number - (len(values) - 1) / 2) for number in range(len(values))]
        y += values
        seeds += [f"{MEASURES[measure]}, seed {seed}" for seed in results.cases.get(case.key, {})]
    figure.add_scatter(
        x=x or [None],  # so that the key names it
        y=y or [None],
        name=case.title if y else f"{case.title}: {NOT_RUN}",
        mode="markers",
        marker={"color": style.colour, "symbol": style.symbol, "size": 7, "opacity": 0.6},
        text=seeds,
        hovertemplate="%{text}: %{y:.2f} %<extra>%{fullData.name}</extra>",
    )


def _add_means(figure: go.Figure, results: Results, case: Case, measures: Sequence[str], middle: float) -> None:
    style = _style(case)
    found = [(place, results.percents(case.key, measure)) for place, measure in enumerate(measures)]
    drawn = [(place, summarise(values)) for place, values in found if values]
    figure.add_scatter(
        x=[place + middle for place, _ in drawn],
        y=[summary.mean for _, summary in drawn],
        error_y={"array": [summary.sd or 0.0 for _, summary in drawn], "color": style.colour, "thickness": 1.6},
        mode="markers",
        marker={
            "symbol": "line-ew",
            "size": 16,
            "color": style.colour,
            "line": {"width": 2.4, "color": style.colour},
        },
        showlegend=False,
        name=f"{case.title}, mean",
        hovertemplate="mean %{y:.2f} %<extra>%{fullData.name}</extra>",
    )


def _add_authors(figure: go.Figure, case: Case, measures: Sequence[str], middle: float) -> None:
    if case.authors is None:
        return
    style, figures = _style(case), [case.authors.figures[measure] for measure in measures]
    figure.add_scatter(
        x=[place + middle for place in range(len(measures))],
        y=[each.mean for each in figures],
        error_y={"array": [each.sd for each in figures], "color": style.colour, "thickness": 1, "width": 3},
        mode="markers",
        marker={"symbol": "diamond-open", "size": 9, "color": style.colour, "line": {"width": 1.6}},
        showlegend=False,
        name=f"authors, {case.title.lower()}",
        hovertemplate="%{y:.2f} %<extra>%{fullData.name}</extra>",
    )


def _add_key_of_authors(figure: go.Figure, *, polar: bool = False) -> None:
    """One entry of the legend for all the authors' marks."""
    add = figure.add_scatterpolar if polar else figure.add_scatter
    nothing = {"r": [None], "theta": [None]} if polar else {"x": [None], "y": [None]}
    add(
        **nothing,
        name="authors",
        mode="markers",
        marker={"symbol": "diamond-open", "size": 9, "color": _LINE, "line": {"width": 1.6}},
    )


def _framed(figure: go.Figure, height: int) -> go.Figure:
    return figure.update_layout(margin=MARGIN, height=height, legend=LEGEND, hoverlabel=HOVER)
