"""The polar plot: where each error is drawn, and what its sign says."""

import json
import math
from typing import Any

import plotly.graph_objects as go
import pytest

from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.figures.orbit_marks import OrbitCurve
from explorer.figures.polar import Point, polar
from explorer.studies.orbit import Spread

POINTS = [Point(f"rot{angle}", float(angle), angle % 90 == 0) for angle in range(30, 360, 30)]
BASELINE = {point.angle_deg: 0.2 for point in POINTS if not point.is_exact}


def one(error: float) -> Spread:
    return Spread(error, error, error)


def curve(errors: dict[str, Spread | None], number: int = 0) -> OrbitCurve:
    return OrbitCurve(f"network {number}", number, errors)


def drawn(figure: go.Figure, name: str) -> dict[str, Any]:
    """The one trace called `name`."""
    (trace,) = [trace for trace in json.loads(figure.to_json())["data"] if trace.get("name") == name]
    return trace


def plot(*curves: OrbitCurve, logarithmic: bool = True, dtype: str = "float32") -> go.Figure:
    return polar(POINTS, curves, baseline=BASELINE, dtype=dtype, logarithmic=logarithmic)


def test_quarter_turns_are_filled_and_other_angles_open() -> None:
    figure = plot(curve({"rot90": one(1e-7), "rot30": one(0.1), "rot60": one(0.2)}))

    exact, resampled = drawn(figure, "network 0: exact transforms"), drawn(figure, "network 0")
    assert (exact["theta"], exact["r"]) == ([90.0], [1e-7])
    assert not exact["marker"]["symbol"].endswith("open")
    assert (resampled["theta"][:2], resampled["r"][:2]) == ([30.0, 60.0], [0.1, 0.2])
    assert resampled["marker"]["symbol"].endswith("open")


def test_the_line_is_cut_at_quarter_turns_and_where_there_is_no_action() -> None:
    errors: dict[str, Spread | None] = {point.transform: one(0.1) for point in POINTS}
    errors["rot210"] = None

    line = drawn(plot(curve(errors)), "network 0")["theta"]

    assert line == [30, 60, None, 120, 150, None, 240, None, 300, 330, None]


def test_angles_without_an_action_are_crosses_outside_all_errors() -> None:
    figure = plot(curve({"rot30": None, "rot60": one(1.5)}))

    cross = drawn(figure, "no action")
    assert cross["theta"] == [30.0]
    assert cross["marker"]["symbol"].startswith("x")
    assert 1.5 < cross["r"][0] < 10 ** figure.layout.polar.radialaxis.range[1]


def test_crosses_of_two_networks_do_not_hide_each_other() -> None:
    figure = plot(curve({"rot30": None}), curve({"rot30": None}, 1))

    crosses = [trace for trace in figure.data if trace.name == "no action"]
    assert len({trace.r[0] for trace in crosses}) == 2
    assert [trace.showlegend for trace in crosses] == [True, False]


def test_an_angle_that_is_not_measured_is_not_drawn() -> None:
    figure = plot(curve({}))

    assert [trace.name for trace in figure.data if trace.name == "no action"] == []
    assert drawn(figure, "network 0")["theta"] == [None]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding_is_a_disc_in_the_logarithmic_plot(dtype: str) -> None:
    assert set(drawn(plot(dtype=dtype), "rounding")["r"]) == {ROUNDING_LEVEL[dtype]}
    assert "rounding" not in [trace.name for trace in plot(dtype=dtype, logarithmic=False).data]


def test_angles_run_counterclockwise_from_the_top_as_the_picture_turns() -> None:
    axis = plot().layout.polar.angularaxis

    assert (axis.rotation, axis.direction) == (90, "counterclockwise")


def test_the_band_goes_from_the_smallest_error_to_the_largest() -> None:
    band = drawn(
        plot(curve({"rot30": Spread(0.2, 0.1, 0.3), "rot60": Spread(0.3, 0.2, 0.5)})),
        "network 0: smallest to largest",
    )

    outline = list(zip(band["theta"], band["r"], strict=True))
    assert outline == [(30, 0.3), (60, 0.5), (60, 0.2), (30, 0.1), (30, 0.3), (None, None)]


def test_one_picture_has_no_band() -> None:
    names = [trace.name for trace in plot(curve({"rot30": one(0.1), "rot60": one(0.2)})).data]

    assert "network 0: smallest to largest" not in names


def test_errors_of_zero_and_without_end_stay_in_the_plot() -> None:
    figure = plot(curve({"rot90": one(0.0), "rot180": one(math.inf)}))

    low, high = (10**exponent for exponent in figure.layout.polar.radialaxis.range)
    smallest, largest = drawn(figure, "network 0: exact transforms")["r"]
    assert smallest == pytest.approx(low)
    assert 1.0 < largest < high


def test_resampling_has_a_line_of_its_own() -> None:
    line = drawn(plot(), "resampling there and back")

    assert [radius for radius in line["r"] if radius is not None] == [0.2] * 8
    assert line["r"][2] is None  # 90°
