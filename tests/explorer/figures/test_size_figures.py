"""Figures of sizes: what they draw is what theory says and what was measured, and a disagreement is drawn loudly."""

import plotly.graph_objects as go
import pytest

from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.figures.sizes import MAX_LABELS, SizeCurve, error_by_size, error_by_size_and_layer
from explorer.figures.style import FLOORS
from explorer.pictures.images import GALLERY, load_gallery
from explorer.serving.engine import Engine
from explorer.settings import Settings
from explorer.studies.sweep import SizeResult, Sweep, sweep_sizes
from models.catalog import spec

BROKEN = ("pool",)
EXACT = SizeResult(24, True, (), 1e-6, {"conv": 1e-7, "pool": 1e-6})
BREAKS = SizeResult(25, False, BROKEN, 0.5, {"conv": 1e-7, "pool": 0.5})
NO_ACTION = SizeResult(26, True, (), 2e-6, {"conv": None, "pool": 2e-6})
LIES = SizeResult(26, True, (), 0.2, {"conv": 1e-7, "pool": 0.2}, disagreements={"⟲ 90°": 0.2, "pool": 0.2})


def curve(*results: SizeResult, name: str = "published", last_px: int = 28) -> SizeCurve:
    theory = {size_px: "exact" if size_px % 2 == 0 else "broken" for size_px in range(24, last_px + 1)}
    return SizeCurve(name, "float32", ("conv", "pool"), theory, {result.size_px: result for result in results})


def named(figure: go.Figure) -> dict[str, go.Scatter]:
    return {trace.name: trace for trace in figure.data if trace.name}


def test_points_lie_at_their_errors_with_a_sign_for_each_word_of_theory() -> None:
    traces = named(error_by_size([curve(EXACT, BREAKS, NO_ACTION)]))

    exact, breaks = traces["theory: exact"], traces["theory: breaks"]
    assert list(zip(exact.x, exact.y, strict=True)) == [(24, 1e-6), (26, 2e-6)]
    assert list(zip(breaks.x, breaks.y, strict=True)) == [(25, 0.5)]
    assert exact.marker.symbol != breaks.marker.symbol
    assert breaks.text == ("error 5.0e-01<br>first broken at pool",)
    assert [tuple(size) for size in exact.customdata] == [(24, 24), (26, 26)]


def test_an_error_of_zero_is_drawn_at_the_floor() -> None:
    zero = SizeResult(24, True, (), 0.0, {"conv": 0.0})
    assert list(named(error_by_size([curve(zero)]))["theory: exact"].y) == [FLOORS["float32"]]


def test_the_band_ends_at_the_rounding_level() -> None:
    (band,) = [shape for shape in error_by_size([curve(EXACT)]).layout.shapes if shape.type == "rect"]
    assert band.y1 == ROUNDING_LEVEL["float32"]


def test_exact_sizes_are_labelled_on_the_axis_before_anything_is_measured() -> None:
    axis = error_by_size([curve()]).layout.xaxis
    assert dict(zip(axis.tickvals, axis.ticktext, strict=True)) == {
        size_px: f"<b>● {size_px} exact</b>" for size_px in (24, 26, 28)
    }


def test_many_exact_sizes_are_labelled_in_part() -> None:
    axis = error_by_size([curve(last_px=150)]).layout.xaxis
    assert MAX_LABELS // 2 < sum("exact" in label for label in axis.ticktext) <= MAX_LABELS


def test_a_second_curve_has_names_signs_and_a_dash_of_its_own() -> None:
    figure = error_by_size([curve(EXACT, BREAKS), curve(EXACT, BREAKS, name="symmetric")])

    traces = named(figure)
    assert list(traces) == [
        f"{name}, theory: {word}" for name in ("published", "symmetric") for word in ("exact", "breaks")
    ]
    assert len({trace.marker.symbol for trace in traces.values()}) == 4
    assert len({trace.line.dash for trace in figure.data if trace.mode == "lines"}) == 2


def test_a_disagreement_gets_a_ring_and_words_in_the_curve_and_a_mark_at_the_layer() -> None:
    ring = named(error_by_size([curve(EXACT, LIES)]))["theory and measurement disagree"]
    assert (list(ring.x), list(ring.y), list(ring.text)) == ([26], [0.2], ["<b>! 26 px disagrees</b>"])

    mark = named(error_by_size_and_layer(curve(EXACT, LIES)))["disagreement"]
    assert list(zip(mark.x, mark.y, strict=True)) == [(26, 1)]


def test_without_a_disagreement_there_is_no_alarm() -> None:
    assert "theory and measurement disagree" not in named(error_by_size([curve(EXACT, BREAKS)]))
    assert "disagreement" not in named(error_by_size_and_layer(curve(EXACT, BREAKS)))


def test_the_heatmap_has_a_column_for_each_size_and_a_row_for_each_layer() -> None:
    figure = error_by_size_and_layer(curve(EXACT, BREAKS, NO_ACTION))

    heatmap = figure.data[0]
    assert list(heatmap.x) == [24, 25, 26]
    assert [[None if value is None else round(10**value, 9) for value in row] for row in heatmap.z] == [
        [1e-7, 1e-7, None],
        [1e-6, 0.5, 2e-6],
    ]
    broken = named(figure)["theory: the layer breaks by itself"]
    assert list(zip(broken.x, broken.y, strict=True)) == [(25, 1)]


def test_every_cell_says_its_numbers_and_can_be_clicked() -> None:
    cells = error_by_size_and_layer(curve(BREAKS, NO_ACTION)).data[1]

    assert list(cells.text) == [
        "conv: 1.0e-07",
        "pool: 5.0e-01, theory: breaks here",
        "conv: no action",
        "pool: 2.0e-06",
    ]
    assert [tuple(size) for size in cells.customdata] == [(25, 25), (25, 25), (26, 26), (26, 26)]


def test_colours_of_the_heatmap_step_at_the_rounding_level() -> None:
    scale = error_by_size_and_layer(curve(EXACT)).data[0].colorscale
    places = [place for place, _ in scale]
    # from 1e-9 to 1: nine decades, of which the first 4.48 are rounding
    assert places == pytest.approx([0, 4.477 / 9, 4.477 / 9, 1], abs=1e-3)
    assert scale[1][1] != scale[2][1]


def test_an_empty_heatmap_keeps_the_axis_of_sizes() -> None:
    figure = error_by_size_and_layer(curve())
    assert list(figure.layout.xaxis.tickvals) == [24, 26, 28]


def test_a_measured_sweep_puts_exact_points_into_the_band_and_broken_ones_above() -> None:
    network = spec("p4-cnn", minimum_width=True)
    sweep = Sweep(network, 24, 27, load_gallery(GALLERY[0].name))
    results = list(sweep_sizes(Engine(Settings(device="cpu")), sweep))
    traces = named(error_by_size([curve(*results, last_px=27)]))

    level = ROUNDING_LEVEL["float32"]
    assert len(traces["theory: exact"].y) == len(traces["theory: breaks"].y) == 2
    assert max(traces["theory: exact"].y) < level < min(traces["theory: breaks"].y)


def test_layers_have_their_rows_before_anything_is_measured() -> None:
    empty, filled = error_by_size_and_layer(curve()), error_by_size_and_layer(curve(EXACT, BREAKS))

    assert empty.layout.height == filled.layout.height
    assert empty.layout.yaxis == filled.layout.yaxis and empty.layout.xaxis == filled.layout.xaxis


def test_a_zoom_stays_while_sizes_are_measured_and_not_for_another_range() -> None:
    for draw in (error_by_size_and_layer, lambda curve: error_by_size([curve])):
        kept, same, other = (draw(each).layout.uirevision for each in (curve(), curve(EXACT), curve(last_px=30)))
        assert kept == same != other
