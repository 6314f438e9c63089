"""Figures of mean filters: all maps on one scale about zero, and lines with bands where there are enough seeds."""

import numpy as np

from explorer.figures.fingerprint import Line, filter_maps, over_epochs


def test_maps_have_one_scale_about_zero_and_a_place_for_each() -> None:
    small, large = np.full((3, 3), 0.1), np.eye(3) * -0.5
    figure = filter_maps({"before": {"exact": small, "approximate": large}, "after": {"exact": small}})

    assert len(figure.data) == 3
    assert {(trace.zmin, trace.zmax) for trace in figure.data} == {(-0.5, 0.5)}
    assert np.array_equal(figure.data[1].z, large) and "approximate, before" in figure.data[1].hovertemplate
    assert [note.text for note in figure.layout.annotations] == ["exact", "approximate", "before", "after"]
    assert {axis.autorange for axis in (figure.layout.yaxis, figure.layout.yaxis4)} == {"reversed"}


def test_nothing_to_draw_is_an_empty_figure() -> None:
    assert len(filter_maps({}).data) == len(over_epochs([], "lopsidedness").data) == 0


def test_a_band_needs_an_interval_at_every_epoch() -> None:
    known = Line("exact", [0, 2], [0.6, 0.4], [0.5, 0.3], [0.7, 0.5])
    few = Line("mended", [0, 2], [0.6, 0.4], [0.5, None], [0.7, None], place=3)
    figure = over_epochs([known, few], "lopsidedness")

    names = [trace.name for trace in figure.data]
    assert names == [None, "exact", "mended"]
    assert (figure.data[0].x, figure.data[0].y) == ((0, 2, 2, 0), (0.7, 0.5, 0.3, 0.5))
    assert figure.data[1].line.color != figure.data[2].line.color
    assert over_epochs([few], "lopsidedness").data[0].line.color == figure.data[2].line.color
