"""Accuracy of the networks: at the quarter turns, at 36 angles on a circle, and one measure for many cases."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from explorer.figures.style import CLEAR
from explorer.reproduction.figures.looks import AUTHORS, look_of
from explorer.reproduction.figures.parts import FAINT, add_key_of_authors, framed, line_of, marker_of
from explorer.reproduction.results import Results
from explorer.reproduction.statistics import MEASURES, summarise
from explorer.reproduction.studies import Case, Study
from explorer.reproduction.tables import NOT_RUN, Row
from explorer.training.metrics import ANGLES_DEG, TURNS


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
    add_key_of_authors(figure)
    figure.update_xaxes(
        tickvals=list(range(len(measures))), ticktext=[MEASURES[name] for name in measures], showgrid=False
    )
    figure.update_xaxes(range=[-0.5, len(measures) - 0.5], zeroline=False)
    figure.update_yaxes(title="accuracy (%)", range=[0, 103])
    for between in range(1, len(measures)):
        figure.add_vline(x=between - 0.5, line={"width": 1, "color": FAINT}, layer="below")
    return framed(figure, 400)


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
            marker={"color": FAINT, "line": {"width": 0}},
            name="trained",
            hoverinfo="skip",
        )
    degrees = [*ANGLES_DEG, 360]
    for case in study.cases:
        look = look_of(case)
        seeds = results.angles(case.key)
        if seeds:
            means = [sum(values) / len(values) for values in zip(*seeds, strict=True)]
            figure.add_scatterpolar(
                r=[*means, means[0]],
                theta=degrees,
                name=case.title,
                mode="lines",
                line=line_of(look),
                hovertemplate="%{theta}°: %{r:.1f} %<extra>%{fullData.name}</extra>",
            )
        if case.authors is not None:
            figure.add_scatterpolar(
                r=[*case.authors.angles, case.authors.angles[0]],
                theta=degrees,
                name=f"authors: {case.title.lower()}",
                mode="markers",
                marker={"symbol": AUTHORS, "size": 4, "color": look.colour, "line": {"width": 1}},
                showlegend=False,
                hovertemplate="%{theta}°: %{r:.1f} %<extra>%{fullData.name}</extra>",
            )
    add_key_of_authors(figure, polar=True)
    figure.update_polars(
        bgcolor=CLEAR,
        radialaxis={"range": [0, 100], "tickvals": [25, 50, 75], "angle": 22.5, "gridcolor": FAINT},
        angularaxis={"dtick": 45, "gridcolor": FAINT, "ticksuffix": "°"},
    )
    return framed(figure, 440).update_layout(margin={"l": 40, "r": 40, "t": 64, "b": 24}, legend_y=1.1)


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
        look = look_of(row.case)
        colour = look.colour
        if cell.ours is not None:
            _add_marks(
                figure,
                row.title,
                "%{x:.2f} %",
                cell.ours.values,
                color=colour,
                symbol=look.symbol,
                size=7,
                opacity=0.55,
            )
            line = {"symbol": "line-ns", "size": 18, "line": {"width": 3, "color": colour}}
            _add_marks(figure, row.title, "mean %{x:.2f} %", [cell.ours.mean], color=colour, **line)
            shown += cell.ours.values
        if cell.authors is not None:
            diamond = {"symbol": AUTHORS, "size": 9, "line": {"width": 1.6}}
            _add_marks(figure, row.title, "authors %{x:.2f} %", [cell.authors.mean], color=colour, **diamond)
            shown.append(cell.authors.mean)
    if any(row.has_authors for row in rows):
        add_key_of_authors(figure)
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], range=[-0.6, len(names) - 0.4])
    figure.update_yaxes(showgrid=True, gridcolor=FAINT, automargin=True)
    if is_close and shown:
        room = max(0.5, 0.05 * (max(shown) - min(shown)))
        figure.update_xaxes(range=[min(shown) - room, max(shown) + room])
    else:
        figure.update_xaxes(range=[0, 102])
    figure.update_xaxes(title=f"accuracy at {MEASURES[measure]} (%)", gridcolor=FAINT)
    return framed(figure, 60 + 30 * max(len(names), 3)).update_layout(margin_r=56)


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


def _add_dots(
    figure: go.Figure, results: Results, case: Case, measures: Sequence[str], middle: float, spread: float
) -> None:
    look = look_of(case)
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
        marker=marker_of(look, 7, 0.6),
        text=seeds,
        hovertemplate="%{text}: %{y:.2f} %<extra>%{fullData.name}</extra>",
    )


def _add_means(figure: go.Figure, results: Results, case: Case, measures: Sequence[str], middle: float) -> None:
    look = look_of(case)
    found = [(place, results.percents(case.key, measure)) for place, measure in enumerate(measures)]
    drawn = [(place, summarise(values)) for place, values in found if values]
    figure.add_scatter(
        x=[place + middle for place, _ in drawn],
        y=[summary.mean for _, summary in drawn],
        error_y={"array": [summary.sd or 0.0 for _, summary in drawn], "color": look.colour, "thickness": 1.6},
        mode="markers",
        marker={
            "symbol": "line-ew",
            "size": 16,
            "color": look.colour,
            "line": {"width": 2.4, "color": look.colour},
        },
        showlegend=False,
        name=f"{case.title}, mean",
        hovertemplate="mean %{y:.2f} %<extra>%{fullData.name}</extra>",
    )


def _add_authors(figure: go.Figure, case: Case, measures: Sequence[str], middle: float) -> None:
    if case.authors is None:
        return
    look, figures = look_of(case), [case.authors.figures[measure] for measure in measures]
    figure.add_scatter(
        x=[place + middle for place in range(len(measures))],
        y=[each.mean for each in figures],
        error_y={"array": [each.sd for each in figures], "color": look.colour, "thickness": 1, "width": 3},
        mode="markers",
        marker={"symbol": AUTHORS, "size": 9, "color": look.colour, "line": {"width": 1.6}},
        showlegend=False,
        name=f"authors, {case.title.lower()}",
        hovertemplate="%{y:.2f} %<extra>%{fullData.name}</extra>",
    )
