"""Plotly figures of an orbit: errors by angle, of the mirrors, and by shift. No Streamlit.

Each network has a colour, a symbol and a dash of its own. Filled symbols are exact transforms, open ones resampled.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import plotly.graph_objects as go

from explorer.figures import FLOORS
from explorer.orbit import Spread
from explorer.transforms import label_of
from explorer.verdict import ROUNDING_LEVEL

COLOURS = ("#3b72d5", "#d9782b", "#2a9d8f", "#b0448f")  # readable on white and on near-black
SYMBOLS = ("circle", "square", "diamond", "triangle-up")
_DASHES = ("solid", "dash", "dot", "dashdot")
_GREY, _PALE = "#8b929c", "rgba(128,140,160,0.18)"
_LOWEST = {"float64": 1e-17, "float32": 1e-8}  # of the logarithmic radius
_FULL_CIRCLE = tuple(range(0, 361, 5))


@dataclass(frozen=True)
class Curve:
    """The errors of one network by name of transform; None where the group has no action. `number` is its style."""

    title: str
    number: int
    errors: Mapping[str, Spread | None]


@dataclass(frozen=True)
class Point:
    """One transform of a polar plot: its name, where it is drawn, and whether it moves pixels to pixels."""

    transform: str
    angle_deg: float
    is_exact: bool


def polar(
    points: Sequence[Point],
    curves: Sequence[Curve],
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
    lowest = _LOWEST[dtype] if logarithmic else 0.0
    top = _top([curve.errors for curve in curves], baseline, at_least=1.0 if logarithmic else 0.0)
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
        exponents = [exponent for exponent in _exponents(dtype) if 10.0**exponent > lowest]
        texts = [_power(exponent) for exponent in exponents]
        radial |= {"tickvals": [10.0**exponent for exponent in exponents], "ticktext": texts}
    angular = {"rotation": 90, "direction": "counterclockwise", "dtick": 45, "ticksuffix": "°", "gridcolor": _PALE}
    figure.update_polars(radialaxis={**radial, "gridcolor": _PALE}, angularaxis=angular, bgcolor="rgba(0,0,0,0)")
    figure.update_polars(domain_y=[0.24, 1])  # the same circle whatever the length of the legend
    figure.update_layout(
        height=500,
        margin={"l": 40, "r": 40, "t": 28, "b": 28},
        legend={"orientation": "h", "y": 0.16, "yanchor": "top", "x": 0},
        uirevision="orbit",
    )
    return figure


def mirrors(transforms: Sequence[str], curves: Sequence[Curve], *, dtype: str) -> go.Figure:
    """Errors of transforms side by side, one symbol for each network; the smallest and largest as a bar."""
    figure = go.Figure()
    floor = FLOORS[dtype]
    top = _top([curve.errors for curve in curves], {}, at_least=1.0)
    figure.add_hrect(y0=floor / 3, y1=ROUNDING_LEVEL[dtype], fillcolor=_PALE, line_width=0, layer="below")
    for curve in curves:
        places = [number + 0.16 * (curve.number - 1.5) for number in range(len(transforms))]
        known = [(x, s) for x, name in zip(places, transforms, strict=True) if (s := curve.errors.get(name))]
        none = [x for x, name in zip(places, transforms, strict=True) if curve.errors.get(name, 0) is None]
        means = [_within(spread.mean, floor, top) for _, spread in known]
        figure.add_scatter(
            x=[x for x, _ in known],
            y=means,
            name=curve.title,
            mode="markers",
            marker={"symbol": SYMBOLS[curve.number], "size": 9, "color": COLOURS[curve.number]},
            error_y={
                "array": [
                    _within(spread.largest, floor, top) - mean for (_, spread), mean in zip(known, means, strict=True)
                ],
                "arrayminus": [
                    mean - _within(spread.smallest, floor, top) for (_, spread), mean in zip(known, means, strict=True)
                ],
            },
            customdata=[_said(spread) for _, spread in known],
            hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
        )
        figure.add_scatter(x=none, y=[top * 2] * len(none), name=f"{curve.title}: no action", **_cross(curve.number))
    figure.update_traces(showlegend=False)
    labels = [label_of(name).replace("mirror ", "mirror<br>") for name in transforms]
    figure.update_xaxes(tickvals=list(range(len(transforms))), ticktext=labels, showgrid=False, tickangle=0)
    figure.update_yaxes(type="log", range=[math.log10(floor / 3), math.log10(top * 4)], exponentformat="power", dtick=3)
    figure.update_yaxes(title="relative error")
    figure.update_layout(height=230, margin={"l": 56, "r": 12, "t": 8, "b": 44})
    return figure


def shift_map(errors: Mapping[tuple[int, int], Spread | None], *, dtype: str, limit_px: int) -> go.Figure:
    """Errors by (down, right) in pixels as colours, logarithmic; crosses where there is no action."""
    span = list(range(-limit_px, limit_px + 1))
    lowest = _LOWEST[dtype]
    cells = [[errors.get((down, right)) for right in span] for down in span]
    figure = go.Figure(
        go.Heatmap(
            x=span,
            y=span,
            z=[[None if s is None else math.log10(_within(s.mean, lowest, 1.0)) for s in row] for row in cells],
            zmin=math.log10(lowest),
            zmax=0,
            xgap=1,
            ygap=1,
            colorscale="Cividis",
            customdata=[["" if spread is None else _said(spread) for spread in row] for row in cells],
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
        marker={"symbol": "x-thin", "size": 5, "line": {"width": 1, "color": _GREY}},
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


def _add_rounding(figure: go.Figure, level: float) -> None:
    figure.add_scatterpolar(
        r=[level] * len(_FULL_CIRCLE),
        theta=_FULL_CIRCLE,
        mode="lines",
        line={"color": _GREY, "width": 1, "dash": "dot"},
        fill="toself",
        fillcolor=_PALE,
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
        line={"color": _GREY, "width": 1.5},
        name="resampling there and back",
        hovertemplate="%{theta:g}: %{r:.1e}<extra>resampling there and back</extra>",
    )


def _add_band(figure: go.Figure, points: Sequence[Point], curve: Curve, lowest: float, top: float) -> None:
    """From the smallest error to the largest, over each stretch of resampled angles; nothing for one picture."""
    radii: list[float | None] = []
    angles: list[float | None] = []
    for stretch in _stretches(points, curve):
        if len(stretch) < 2 or all(spread.smallest == spread.largest for _, spread in stretch):
            continue
        outline = [(angle, spread.largest) for angle, spread in stretch]
        outline += [(angle, spread.smallest) for angle, spread in reversed(stretch)]
        radii += [*(_within(radius, lowest, top) for _, radius in [*outline, outline[0]]), None]
        angles += [*(angle for angle, _ in [*outline, outline[0]]), None]
    if radii:
        figure.add_scatterpolar(
            r=radii,
            theta=angles,
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=_faint(COLOURS[curve.number]),
            name=f"{curve.title}: smallest to largest",
            legendgroup=curve.title,
            showlegend=False,
            hoverinfo="skip",
        )


def _add_line(figure: go.Figure, points: Sequence[Point], curve: Curve, lowest: float, top: float) -> None:
    """The resampled angles: open symbols, joined up to the next quarter turn."""
    radii: list[float | None] = []
    angles: list[float | None] = []
    said: list[str] = []
    for stretch in _stretches(points, curve):
        radii += [*(_within(spread.mean, lowest, top) for _, spread in stretch), None]
        angles += [*(angle for angle, _ in stretch), None]
        said += [*(_said(spread) for _, spread in stretch), ""]
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


def _add_exact(figure: go.Figure, points: Sequence[Point], curve: Curve, lowest: float, top: float) -> None:
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
            r=[None if radius is None else _within(radius, lowest, top) for _, radius in rays],
            theta=[angle for angle, _ in rays],
            mode="lines",
            line={"color": colour, "width": 3},
            opacity=0.5,
            legendgroup=curve.title,
            showlegend=False,
            hoverinfo="skip",
        )
    figure.add_scatterpolar(
        r=[_within(spread.mean, lowest, top) for _, spread in exact],
        theta=[angle for angle, _ in exact],
        mode="markers",
        marker={"symbol": SYMBOLS[curve.number], "size": 11, "color": colour},
        name=f"{curve.title}: exact transforms",
        legendgroup=curve.title,
        showlegend=False,
        customdata=[_said(spread) for _, spread in exact],
        hovertemplate="%{theta:g}, pixels moved: %{customdata}<extra>%{fullData.name}</extra>",
    )


def _add_no_action(figure: go.Figure, points: Sequence[Point], curves: Sequence[Curve], rings: Sequence[float]) -> None:
    is_first = True
    for curve in curves:
        angles = [point.angle_deg for point in points if curve.errors.get(point.transform, 0) is None]
        if angles:
            figure.add_scatterpolar(
                r=[rings[curve.number]] * len(angles),
                theta=angles,
                name="no action",
                legendgroup="no action",
                **{**_cross(curve.number), "showlegend": is_first},
            )
            is_first = False


def _cross(number: int) -> dict[str, object]:
    return {
        "mode": "markers",
        "marker": {"symbol": "x-thin-open", "size": 7, "color": COLOURS[number], "line": {"width": 1.5}},
        "hovertemplate": "the group has no action here<extra></extra>",
    }


def _stretches(points: Sequence[Point], curve: Curve) -> Iterator[list[tuple[float, Spread]]]:
    """Neighbouring resampled angles with an error, between angles that have none or are exact."""
    marked = [(point, None if point.is_exact else curve.errors.get(point.transform)) for point in points]
    for is_known, group in groupby(marked, key=lambda pair: pair[1] is not None):
        if is_known:
            yield [(point.angle_deg, spread) for point, spread in group if spread is not None]


def _top(errors: Sequence[Mapping[str, Spread | None]], baseline: Mapping[float, float], *, at_least: float) -> float:
    """A radius beyond all finite errors."""
    largest = [spread.largest for each in errors for spread in each.values() if spread is not None]
    finite = [error for error in (*largest, *baseline.values()) if math.isfinite(error)]
    return 1.1 * (max([at_least, *finite]) or 1.0)


def _within(error: float, lowest: float, top: float) -> float:
    return min(max(error, lowest), top)


def _said(spread: Spread) -> str:
    if spread.smallest == spread.largest:
        return f"{spread.mean:.2e}"
    return f"mean {spread.mean:.2e}, from {spread.smallest:.1e} to {spread.largest:.1e}"


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.2)"


def _colour_bar(dtype: str) -> dict[str, object]:
    exponents = _exponents(dtype)
    return {
        "orientation": "h",
        "y": -0.22,
        "yanchor": "top",
        "thickness": 10,
        "tickvals": exponents,
        "ticktext": [_power(exponent) for exponent in exponents],
    }


def _exponents(dtype: str) -> list[int]:
    """The powers of ten that an axis names, 1 the last."""
    return list(range(0, math.floor(math.log10(_LOWEST[dtype])) - 1, -2 if dtype == "float32" else -4))[::-1]


def _power(exponent: int) -> str:
    return f"10<sup>{exponent}</sup>".replace("-", "−") if exponent else "1"
