"""Charts as plain values, the signs of the verdicts, and what a button sets: what several pages show alike."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from explorer.pages.widgets.chart_view import chart_view

if TYPE_CHECKING:  # Plotly's figures take long to import, and the first screen needs none
    import plotly.graph_objects as go

SIGNS = {"exact": ":green[●]", "approximate": ":orange[◐]", "not equivariant": ":red[○]", "undecided": ":gray[◌]"}
Figure = Mapping[str, object]


@dataclass(frozen=True)
class Chart:
    """A Plotly figure as a dictionary, and what it says in words."""

    figure: Figure = field(repr=False)
    alt: str


def chart_of(figure: "go.Figure", words: str) -> Chart:
    """A figure as it is kept and drawn."""
    return Chart(json.loads(figure.to_json()), words)


def draw_chart(chart: Chart, *, key: str, about: str = "") -> None:
    """The chart with its words; redrawn in place as long as `key` and the place are the same.

    `about`: what a visitor's zoom belongs to; a chart about something else is seen whole.
    """
    chart_view(chart.figure, chart.alt, key=key, about=about)


def set_control(key: str, value: object) -> None:
    """Give a control another value, from a button."""
    st.session_state[key] = value
