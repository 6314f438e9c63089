"""Figures: what they draw is what was measured."""

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from equivariance.groups.transforms import parse
from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.figures.layers import error_per_layer, label_of, large_map, logits_bars
from explorer.figures.style import FLOORS
from explorer.serving.engine import Engine, Inspection, Request
from explorer.settings import Settings
from models.catalog import NetworkSpec, spec

RESNET = spec("p4-resnet18", minimum_width=True)
TRANSFORMS = ("rot90", "rot180", "rot270", "rot45")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Settings(device="cpu"))


def inspected(engine: Engine, network: NetworkSpec, side_px: int) -> Inspection:
    picture = torch.rand(3, side_px, side_px, generator=torch.Generator().manual_seed(0))
    return engine.inspect(Request(network, 0, picture, (parse("rot45"),), "float64"))


@pytest.fixture(scope="module")
def broken(engine: Engine) -> Inspection:
    return inspected(engine, RESNET, 32)


def drawn(inspection: Inspection) -> go.Figure:
    return error_per_layer(inspection.measurement, inspection.prediction)


def test_every_transform_is_a_line_through_its_errors(broken: Inspection) -> None:
    lines = {line.name: line for line in drawn(broken).data}

    assert list(lines) == ["⟲ 90°", "⟲ 180°", "⟲ 270°", "⟲ 45°"]
    for line, transform in zip(lines.values(), TRANSFORMS, strict=True):
        errors = [layer.error[transform] for layer in broken.measurement.layers]
        assert list(line.x) == list(range(len(errors)))
        assert list(line.y) == [None if error is None else max(error, FLOORS["float64"]) for error in errors]
        assert [name for name, _ in line.customdata] == [layer.name for layer in broken.measurement.layers]
        assert [error for _, error in line.customdata] == errors
    assert drawn(broken).layout.yaxis.type == "log"


def test_lines_differ_in_dash_and_sign_and_not_in_colour_alone(broken: Inspection) -> None:
    lines = drawn(broken).data
    assert len({line.line.dash for line in lines}) == len({line.marker.symbol for line in lines}) == len(lines)


def test_layers_without_action_are_gaps(broken: Inspection) -> None:
    line = drawn(broken).data[-1]  # 45° acts on scalar fields only: on what the group pool gives
    scalar = {"head.group_pool", "head.spatial_mean", "head.classifier"}
    for layer, error in zip(broken.measurement.layers, line.y, strict=True):
        assert (error is not None) == (layer.name in scalar), layer.name
    assert not line.connectgaps


def test_transform_without_any_action_has_no_line(engine: Engine) -> None:
    unpooled = spec("p4-cnn", minimum_width=True, head="no-pooling")
    names = [line.name for line in drawn(inspected(engine, unpooled, 28)).data]
    assert names == ["⟲ 90°", "⟲ 180°", "⟲ 270°"]


@pytest.mark.parametrize(("dtype", "floor"), [("float64", 1e-17), ("float32", 1e-9)])
def test_error_of_zero_is_drawn_at_the_floor_and_told_as_zero(broken: Inspection, dtype: str, floor: float) -> None:
    first, *others = broken.measurement.layers
    first = replace(first, error=dict.fromkeys(first.error, 0.0))
    measurement = replace(broken.measurement, layers=(first, *others), dtype=dtype)

    line = error_per_layer(measurement, broken.prediction).data[0]

    assert line.y[0] == floor
    assert list(line.customdata[0]) == [first.name, 0.0]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_band_ends_at_the_rounding_level_and_the_axis_begins_below_it(broken: Inspection, dtype: str) -> None:
    figure = error_per_layer(replace(broken.measurement, dtype=dtype), broken.prediction)
    (band,) = [shape for shape in figure.layout.shapes if shape.type == "rect"]

    assert band.y1 == ROUNDING_LEVEL[dtype]
    assert 10 ** figure.layout.yaxis.range[0] == pytest.approx(band.y0)
    (note,) = [note for note in figure.layout.annotations if "rounding" in note.text]
    assert note.text == f"rounding of {dtype}" and 10**note.y == pytest.approx(band.y1)


def test_layers_that_break_by_themselves_are_marked(broken: Inspection) -> None:
    names = [layer.name for layer in broken.measurement.layers]
    marked = {names[shape.x0] for shape in drawn(broken).layout.shapes if shape.type == "line"}
    assert marked == {f"stage{n}.block1.{conv}" for n in (2, 3, 4) for conv in ("conv1", "shortcut.conv")}


def test_nothing_is_marked_where_no_layer_breaks_and_lines_stay_in_the_band(engine: Engine) -> None:
    figure = drawn(inspected(engine, RESNET, 33))
    assert [shape.type for shape in figure.layout.shapes] == ["rect"]
    for line in figure.data[:3]:
        assert max(line.y) < ROUNDING_LEVEL["float64"]


def test_ticks_name_blocks_at_their_first_layers(broken: Inspection) -> None:
    blocks = [layer.name.split(".")[0] for layer in broken.measurement.layers]
    axis = drawn(broken).layout.xaxis

    assert axis.ticktext[0] == "stem" and {"stage2", "stage3", "stage4"} <= set(axis.ticktext)
    assert list(axis.tickvals) == [blocks.index(label) for label in axis.ticktext]
    assert min(np.diff(axis.tickvals)) >= len(blocks) / 16  # labels do not overlap


def test_figure_survives_an_infinite_error(broken: Inspection) -> None:
    first, *others = broken.measurement.layers
    first = replace(first, error=dict.fromkeys(first.error, float("inf")))
    figure = error_per_layer(replace(broken.measurement, layers=(first, *others)), broken.prediction)
    assert "Infinity" not in figure.to_json() and "NaN" not in figure.to_json()


def test_bars_are_the_logits_of_every_transform(broken: Inspection) -> None:
    logits = broken.measurement.logits
    bars = logits_bars(logits).data

    assert [bar.name for bar in bars] == ["upright", "⟲ 90°", "⟲ 180°", "⟲ 270°", "⟲ 45°"]
    for bar, values in zip(bars, logits.values(), strict=True):
        assert list(bar.x) == [str(number) for number in range(10)]
        assert list(bar.y) == list(values)
    assert len({bar.marker.color for bar in bars}) == len(bars)


def test_bars_of_numbers_written_down_here() -> None:
    figure = logits_bars({"identity": (1.5, -2.0), "mirror": (0.25, 4.0)})
    assert [(bar.name, list(bar.y)) for bar in figure.data] == [("upright", [1.5, -2.0]), ("mirror", [0.25, 4.0])]
    assert figure.layout.barmode == "group"


def test_bars_stand_at_the_names_of_their_classes() -> None:
    (bar,) = logits_bars({"identity": (1.5, -2.0)}, ("cat", "dog")).data
    assert list(zip(bar.x, bar.y, strict=True)) == [("cat", 1.5), ("dog", -2.0)]


def test_large_map_shows_the_values_upright_on_a_symmetric_scale() -> None:
    maps = torch.tensor([[0.0, 1.0, -3.0], [0.5, 0.25, 2.0]])
    figure = large_map(maps, limit=4.0)
    (heat,) = figure.data

    np.testing.assert_array_equal(heat.z, maps.numpy())
    assert (heat.zmin, heat.zmax) == (-4.0, 4.0)
    assert figure.layout.yaxis.autorange == "reversed"  # row 0 on top
    assert figure.layout.yaxis.scaleanchor == "x"  # square pixels


def test_zero_has_the_palest_colour_in_the_middle_of_the_large_map() -> None:
    (heat,) = large_map(torch.zeros(2, 2), limit=1.0).data
    places = [place for place, _ in heat.colorscale]
    brightness = [sum(int(colour[at : at + 2], 16) for at in (1, 3, 5)) for _, colour in heat.colorscale]

    assert places == pytest.approx(np.linspace(0, 1, len(places)))
    assert places[int(np.argmax(brightness))] == 0.5
    red, blue = [int(heat.colorscale[0][1][at : at + 2], 16) for at in (1, 5)]
    assert red > blue  # negative is orange, positive blue


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("identity", "upright"),
        ("rot90", "⟲ 90°"),
        ("rot22.5", "⟲ 22.5°"),
        ("mirror", "mirror"),
        ("mirror_rot270", "mirror ⟲ 270°"),
        ("shift_2_0", "shift ↓ 2 → 0"),
        ("shift_-1_-3", "shift ↑ 1 ← 3"),
    ],
)
def test_label_of_a_transform_is_a_short_sign(name: str, label: str) -> None:
    assert label_of(name) == label
