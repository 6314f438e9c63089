"""The plot of mends: one group of bars for each, log axis. No Streamlit."""

from collections.abc import Mapping

import plotly.graph_objects as go

from explorer.figures.style import BLUE, FLOORS, LEGEND, ORANGE, TEAL, WHITE, faint

_FLOOR = FLOORS["float32"]  # what no change is drawn as
_KINDS = {"quarter turns": (BLUE, ""), "other angles": (ORANGE, "/"), "shifts": (TEAL, ".")}
_ON_BARS = faint(WHITE, 0.6)


def mends_chart(changes: Mapping[str, Mapping[str, float]]) -> go.Figure:
    """Changes of the logits by mend and by kind of transform; each kind has its colour and its pattern."""
    figure = go.Figure()
    for kind, (colour, pattern) in _KINDS.items():
        figure.add_bar(
            y=list(changes),
            x=[max(of_mend[kind], _FLOOR) for of_mend in changes.values()],
            name=kind,
            orientation="h",
            marker={
                "color": colour,
                "pattern": {"shape": pattern, "fillmode": "overlay", "fgcolor": _ON_BARS},
            },
            hovertemplate="%{y}: %{x:.1e}<extra>" + kind + "</extra>",
        )
    figure.update_xaxes(type="log", range=[-9, 0.6], title="change of the logits", exponentformat="power", dtick=2)
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_layout(
        barmode="group",
        height=90 + 62 * len(changes),
        margin={"l": 8, "r": 12, "t": 8, "b": 44},
        legend=LEGEND,
    )
    return figure
