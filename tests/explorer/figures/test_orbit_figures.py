"""Figures of mirrors and shifts: where each error is drawn, and what its sign says."""

import json
from typing import Any

import plotly.graph_objects as go
import pytest

from explorer.figures.orbit import mirrors, shift_map
from explorer.figures.orbit_marks import OrbitCurve
from explorer.studies.orbit import Spread


def traces(figure: go.Figure) -> dict[str, dict[str, Any]]:
    """The traces with a name, by it."""
    return {trace["name"]: trace for trace in json.loads(figure.to_json())["data"] if "name" in trace}


def test_mirrors_have_a_sign_for_each_network_and_a_bar_over_the_pictures() -> None:
    figure = mirrors(
        ("mirror", "mirror_rot90"),
        [OrbitCurve("network 1", 1, {"mirror": Spread(0.2, 0.1, 0.5), "mirror_rot90": None})],
        dtype="float32",
    )

    signs = traces(figure)["network 1"]
    assert signs["y"] == [0.2]
    assert signs["error_y"]["array"] == [pytest.approx(0.3)]
    assert signs["error_y"]["arrayminus"] == [pytest.approx(0.1)]
    assert round(traces(figure)["network 1: no action"]["x"][0]) == 1


def test_a_shift_lies_at_its_place_and_one_without_an_action_is_a_cross() -> None:
    figure = shift_map({(1, -1): Spread(1e-3, 1e-3, 1e-3), (0, 1): None}, dtype="float32", limit_px=1)

    heat, crosses = json.loads(figure.to_json())["data"]
    assert heat["z"] == [[None, None, None], [None, None, None], [pytest.approx(-3), None, None]]
    assert (crosses["x"], crosses["y"]) == ([1], [0])
    assert figure.layout.yaxis.autorange == "reversed"  # down is down
