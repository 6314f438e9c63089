"""The Plotly figure of what theory says for every height and width. No Streamlit.

Every mark carries (height, width) in its `customdata`, for a click on it.
"""

from collections.abc import Sequence

import plotly.graph_objects as go

from equivariance.groups.transforms import label_of
from equivariance.theory.grids import EXACT, UNDECIDED
from equivariance.theory.survivors import Statuses, Survivors
from explorer.figures.sizes import clickable
from explorer.figures.style import BLUE, INK, LEGEND, NO_AREA, PALE_AREAS, PAPER

Kind = tuple[tuple[str, ...], tuple[str, ...]]  # names of surviving elements, and of undecided ones

# Filled, with a pale edge: seen on the colours, and in the legend on white and on near-black.
_SYMBOLS = ("circle", "triangle-left", "triangle-up", "diamond", "square", "cross", "star")
_SOME, _ALL, _NONE = PALE_AREAS, BLUE, NO_AREA


def surviving_elements(survivors: Survivors) -> go.Figure:
    """Which elements survive at each height (rows) and width (columns): one colour and one sign for each set."""
    figure = go.Figure()
    rows = [[_surviving(statuses) for statuses in row] for row in survivors.statuses]
    kinds = sorted({kind for row in rows for kind in row}, key=lambda kind: (-len(kind[0]), kind))
    elements = len(survivors.statuses[0][0])
    figure.add_heatmap(
        x=survivors.widths_px,
        y=survivors.heights_px,
        z=[[kinds.index(kind) for kind in row] for row in rows],
        zmin=-0.5,
        zmax=max(len(kinds), 1) - 0.5,
        colorscale=_steps([_colour(kind, number, elements) for number, kind in enumerate(kinds)]),
        showscale=False,
        hoverinfo="skip",
    )
    for number, kind in enumerate(kinds):
        _add_kind(figure, survivors, rows, kind, number)
    figure.update_xaxes(title="width (px)", range=_range(survivors.widths_px), constrain="domain")
    figure.update_yaxes(title="height (px)", range=_range(survivors.heights_px)[::-1], constrain="domain")
    figure.update_yaxes(scaleanchor="x", showgrid=False, zeroline=False)
    figure.update_xaxes(showgrid=False, zeroline=False)
    figure.update_layout(**clickable(), height=600, legend={**LEGEND, "orientation": "v"})
    figure.update_layout(margin_t=48 + 20 * len(kinds))
    return figure


def _range(sides_px: Sequence[int]) -> list[float]:
    return [sides_px[0] - 0.5, sides_px[-1] + 0.5]


def _surviving(statuses: Statuses) -> Kind:
    return (
        tuple(name for name, status in statuses.items() if status == EXACT),
        tuple(name for name, status in statuses.items() if status == UNDECIDED),
    )


def _add_kind(figure: go.Figure, survivors: Survivors, rows: Sequence[Sequence[Kind]], kind: Kind, number: int) -> None:
    """A sign on every pair of sides of one kind; an invisible one where nothing survives, for clicks alone."""
    pairs = [
        (height, width)
        for height, row in zip(survivors.heights_px, rows, strict=True)
        for width, found in zip(survivors.widths_px, row, strict=True)
        if found == kind
    ]
    opacity = 0 if kind == ((), ()) else 1
    figure.add_scatter(
        x=[width for _, width in pairs],
        y=[height for height, _ in pairs],
        name=_words(kind, len(survivors.statuses[0][0])),
        mode="markers",
        marker={
            "symbol": _SYMBOLS[number % len(_SYMBOLS)],
            "size": 7,
            "color": INK,
            "opacity": opacity,
            "line": {"width": 1, "color": PAPER},
        },
        customdata=pairs,
        hovertemplate="%{y}×%{x} px (height × width): %{fullData.name}<extra></extra>",
    )


def _words(kind: Kind, count: int) -> str:
    exact, undecided = kind
    doubt = f", undecided: {', '.join(map(label_of, undecided))}" if undecided else ""
    if len(exact) == count:
        return f"all {count} survive: exact"
    return (
        f"survive: {', '.join(map(label_of, exact))}"
        if exact
        else "no sign: none survives"
        if not undecided
        else "none survives"
    ) + doubt


def _colour(kind: Kind, number: int, elements: int) -> str:
    exact, undecided = kind
    return _ALL if len(exact) == elements else _SOME[number % len(_SOME)] if exact or undecided else _NONE


def _steps(colours: Sequence[str]) -> list[tuple[float, str]]:
    """A scale of flat colours of equal width."""
    count = len(colours)
    return [(edge / count, colour) for number, colour in enumerate(colours) for edge in (number, number + 1)]
