"""The polar plot of an orbit: errors by angle, on a logarithmic or linear radius. No Streamlit."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import plotly.graph_objects as go

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
from explorer.figures.style import CLEAR, GREY, INNERMOST, faint
from explorer.studies.orbit import Spread

_DASHES = ("solid", "dash", "dot", "dashdot")
_FULL_CIRCLE = tuple(range(0, 361, 5))


@dataclass(frozen=True)
class Point:
    """One transform of a polar plot: its name, where it is drawn, and whether it moves pixels to pixels."""

    transform: str
    angle_deg: float
    is_exact: bool


def _add_rounding(figure: go.Figure, level: float) -> None:
    figure.add_scatterpolar(
        r=[level] * len(_FULL_CIRCLE),
        theta=_FULL_CIRCLE,
        mode="lines",
        line={"color": GREY, "width": 1, "dash": "dot"},
        fill="toself",
        fillcolor=PALE,
        name="rounding",
        hoverinfo="skip",
    )


def _add_baseline(figure: go.Figure, points: Sequence[Point], baseline: Mapping[float, float], lowest: float) -> None:
    """A thin line, which the quarter turns cut."""
    radii = [None if point.is_exact else max(baseline[point.angle_deg], lowest) for point in points]
    figure.add_scatterpolar(
        r=radii,
        theta=[point.angle_deg for point in points],
        mode="lines",
        line={"color": GREY, "width": 1.5},
        name="resampling there and back",
        hovertemplate="%{theta:g}: %{r:.1e}<extra>resampling there and back</extra>",
    )


def _add_band(figure: go.Figure, points: Sequence[Point], curve: OrbitCurve, lowest: float, top: float) -> None:
    """From the smallest error to the largest, over each stretch of resampled angles; nothing for one picture."""
    radii: list[float | None] = []
    angles: list[float | None] = []
    for stretch in _stretches(points, curve):
        if len(stretch) < 2 or all(spread.smallest == spread.largest for _, spread in stretch):
            continue
        outline = [(angle, spread.largest) for angle, spread in stretch]
        outline += [(angle, spread.smallest) for angle, spread in reversed(stretch)]
        radii += [*(within(radius, lowest, top) for _, radius in [*outline, outline[0]]), None]
        angles += [*(angle for angle, _ in [*outline, outline[0]]), None]
    if radii:
        figure.add_scatterpolar(
            r=radii,
            theta=angles,
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=faint(COLOURS[curve.number], 0.2),
            name=f"{curve.title}: smallest to largest",
            legendgroup=curve.title,
            showlegend=False,
            hoverinfo="skip",
        )


def _add_line(figure: go.Figure, points: Sequence[Point], curve: OrbitCurve, lowest: float, top: float) -> None:
    """The resampled angles: open symbols, joined up to the next quarter turn."""
    radii: list[float | None] = []
    angles: list[float | None] = []
    said: list[str] = []
    for stretch in _stretches(points, curve):
        radii += [*(within(spread.mean, lowest, top) for _, spread in stretch), None]
        angles += [*(angle for angle, _ in stretch), None]
        said += [*(in_words(spread) for _, spread in stretch), ""]
    figure.add_scatterpolar(
        r=radii or [None],
        theta=angles or [None],
        mode="lines+markers",
        line={"color": COLOURS[curve.number], "width": 1.6, "dash": _DASHES[curve.number]},
        marker={"symbol": f"{SYMBOLS[curve.number]}-open", "size": 7, "color": COLOURS[curve.number]},
        name=curve.title,
        legendgroup=curve.title,
        customdata=said,
        hovertemplate="%{theta:g}, resampled: %{customdata}<extra>%{fullData.name}</extra>",
    )


def _add_exact(figure: go.Figure, points: Sequence[Point], curve: OrbitCurve, lowest: float, top: float) -> None:
    """The transforms that move pixels to pixels: filled symbols, with the smallest and largest as a ray."""
    exact = [
        (point.angle_deg, spread)
        for point in points
        if point.is_exact and (spread := curve.errors.get(point.transform))
    ]
    rays = [(angle, radius) for angle, s in exact for radius in (s.smallest, s.largest, None) if s.smallest < s.largest]
    colour = COLOURS[curve.number]
    if rays:
        figure.add_scatterpolar(
            r=[None if radius is None else within(radius, lowest, top) for _, radius in rays],
            theta=[angle for angle, _ in rays],
            mode="lines",
            line={"color": colour, "width": 3},
            opacity=0.5,
            legendgroup=curve.title,
            showlegend=False,
            hoverinfo="skip",
        )
    figure.add_scatterpolar(
        r=[within(spread.mean, lowest, top) for _, spread in exact],
        theta=[angle for angle, _ in exact],
        mode="markers",
        marker={"symbol": SYMBOLS[curve.number], "size": 11, "color": colour},
        name=f"{curve.title}: exact transforms",
        legendgroup=curve.title,
        showlegend=False,
        customdata=[in_words(spread) for _, spread in exact],
        hovertemplate="%{theta:g}, pixels moved: %{customdata}<extra>%{fullData.name}</extra>",
    )


def _add_no_action(
    figure: go.Figure, points: Sequence[Point], curves: Sequence[OrbitCurve], rings: Sequence[float]
) -> None:
    is_first = True
    for curve in curves:
        angles = [point.angle_deg for point in points if curve.errors.get(point.transform, 0) is None]
        if angles:
            figure.add_scatterpolar(
                r=[rings[curve.number]] * len(angles),
                theta=angles,
                name="no action",
                legendgroup="no action",
                **{**cross(curve.number), "showlegend": is_first},
            )
            is_first = False


def _stretches(points: Sequence[Point], curve: OrbitCurve) -> Iterator[list[tuple[float, Spread]]]:
    """Neighbouring resampled angles with an error, between angles that have none or are exact."""
    marked = [(point, None if point.is_exact else curve.errors.get(point.transform)) for point in points]
    for is_known, group in groupby(marked, key=lambda pair: pair[1] is not None):
        if is_known:
            yield [(point.angle_deg, spread) for point, spread in group if spread is not None]


def polar(
    points: Sequence[Point],
    curves: Sequence[OrbitCurve],
    *,
    baseline: Mapping[float, float],
    dtype: str,
    logarithmic: bool = True,
) -> go.Figure:
    """Errors by angle, 0° on top, counterclockwise as the picture turns; crosses near the rim where there is no action.

    `baseline`: what resampling alone costs, by angle. The line is the mean over the pictures, the band goes from the
    smallest error to the largest. The logarithmic radius has the rounding of `dtype` as a disc.
    """
    figure = go.Figure()
    lowest = INNERMOST[dtype] if logarithmic else 0.0
    top = beyond([curve.errors for curve in curves], baseline, at_least=1.0 if logarithmic else 0.0)
    if logarithmic:
        _add_rounding(figure, ROUNDING_LEVEL[dtype])
    _add_baseline(figure, points, baseline, lowest)
    for curve in curves:
        _add_band(figure, points, curve, lowest, top)
        _add_line(figure, points, curve, lowest, top)
        _add_exact(figure, points, curve, lowest, top)
    rings = [top * (1.5 * 1.5**number if logarithmic else 1.06 + 0.06 * number) for number in range(len(COLOURS))]
    _add_no_action(figure, points, curves, rings)
    rim = rings[-1] * (1.5 if logarithmic else 1.05)
    span = [math.log10(lowest), math.log10(rim)] if logarithmic else [0, rim]
    radial: dict[str, Any] = {
        "type": "log" if logarithmic else "linear",
        "range": span,
        "angle": 67.5,
        "tickangle": 67.5,
        "nticks": 5,
    }
    if logarithmic:
        exponents = [exponent for exponent in named_exponents(dtype) if 10.0**exponent > lowest]
        texts = [power(exponent) for exponent in exponents]
        radial |= {"tickvals": [10.0**exponent for exponent in exponents], "ticktext": texts}
    angular = {"rotation": 90, "direction": "counterclockwise", "dtick": 45, "ticksuffix": "°", "gridcolor": PALE}
    figure.update_polars(radialaxis={**radial, "gridcolor": PALE}, angularaxis=angular, bgcolor=CLEAR)
    figure.update_polars(domain_y=[0.24, 1])  # the same circle whatever the length of the legend
    figure.update_layout(
        height=500,
        margin={"l": 40, "r": 40, "t": 28, "b": 28},
        legend={"orientation": "h", "y": 0.16, "yanchor": "top", "x": 0},
        uirevision="orbit",
    )
    return figure
