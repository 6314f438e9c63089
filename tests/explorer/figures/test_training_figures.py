"""The figures of runs against the numbers that they are drawn from."""

import math
import re
from dataclasses import replace

import plotly.graph_objects as go
import pytest

from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.figures import training as figures
from explorer.figures.training import MOST_RUNS, UNSEEN, Lane
from explorer.training.metrics import ANGLES_DEG, TESTED
from explorer.training.recipe import Recipe
from tests.explorer.runs.test_training_report import a_run
from tests.support.stores import an_epoch

ANGLES = tuple((36 - number) / 36 for number in range(36))
TURNED = {"identity": 0.9, "rot90": 0.6, "rot180": 0.5, "rot270": 0.1, "mirror": 0.2}


def lane(number: int = 0, *, trained: int = 2) -> Lane:
    epochs = [an_epoch(epoch) for epoch in range(trained)]
    return Lane(f"run {number}", number, Recipe(epochs=4), (*epochs, replace(an_epoch(trained), accuracy=TURNED)))


def named(figure: go.Figure, name: str) -> go.Figure:
    return next(trace for trace in figure.data if trace.name == name)


def test_every_run_has_a_style_of_its_own() -> None:
    for styles in (figures.COLOURS, figures.SYMBOLS, figures.DASHES):
        assert len(set(styles)) == MOST_RUNS


@pytest.mark.parametrize(("name", "last"), [*TURNED.items(), (UNSEEN, 0.4)])
def test_accuracy_is_drawn_epoch_by_epoch_over_all_that_are_planned(name: str, last: float) -> None:
    figure = figures.accuracy([lane(0), lane(1, trained=1)], name)

    first = named(figure, "run 0")
    assert list(first.x) == [0, 1, 2]
    assert first.y[-1] == pytest.approx(last)
    assert list(named(figure, "run 1").x) == [0, 1]
    assert figure.layout.xaxis.range[0] <= 0 and figure.layout.xaxis.range[1] >= 4


def test_the_name_of_a_run_is_no_markup() -> None:
    named_so = replace(lane(), title="<a href='x'>mine</a> & more")

    assert figures.accuracy([named_so], UNSEEN).data[0].name == "&lt;a href='x'&gt;mine&lt;/a&gt; &amp; more"


def test_a_figure_without_a_run_has_the_same_frame() -> None:
    empty, full = figures.accuracy([], UNSEEN), figures.accuracy([lane()], UNSEEN)

    assert empty.layout.height == full.layout.height
    assert empty.layout.yaxis.range == full.layout.yaxis.range


def test_transforms_stand_side_by_side_with_the_numbers_of_the_last_epoch() -> None:
    figure = figures.by_transform([lane(0), lane(1)])

    marks = named(figure, "run 1")
    assert list(marks.y) == [*(TURNED[name] for name in TESTED), None]  # angles were not tested
    assert [round(place) for place in marks.x] == list(range(len(TESTED) + 1))
    assert set(marks.x).isdisjoint(named(figure, "run 0").x)
    assert list(figure.layout.xaxis.ticktext) == ["upright", "⟲ 90°", "⟲ 180°", "⟲ 270°", "mirror", "36 angles"]


def test_angles_are_those_of_the_last_epoch_that_has_them_and_the_curve_is_closed() -> None:
    tested = lane()
    tested = replace(tested, epochs=(replace(tested.epochs[0], angles=ANGLES), *tested.epochs[1:]))

    curve = named(figures.by_angle([tested, lane(1)]), "run 0")

    assert list(curve.r) == [*ANGLES, ANGLES[0]]
    assert list(curve.theta) == [*ANGLES_DEG, 0]
    bars = figures.by_transform([tested])
    assert bars.data[-1].y[-1] == pytest.approx(sum(ANGLES) / 36)
    assert bars.data[-1].customdata[-1].startswith("36 angles, of epoch 0: ")
    assert bars.layout.xaxis.ticktext[-1] == "36 angles<br>of epoch 0"
    now = replace(tested, epochs=(*tested.epochs, replace(an_epoch(3), angles=ANGLES)))
    assert figures.by_transform([now]).layout.xaxis.ticktext[-1] == "36 angles"


def test_errors_have_the_rounding_level_of_the_verdict() -> None:
    figure = figures.error_by_epoch([lane()], "conv")

    assert figure.layout.shapes[0].y1 == ROUNDING_LEVEL["float32"]
    assert list(named(figure, "run 0").y) == [1e-7] * 3


def test_an_error_of_zero_is_drawn_and_said_as_such() -> None:
    exact = replace(lane(), epochs=(replace(an_epoch(0), errors={"conv": 0.0}),))

    line = named(figures.error_by_epoch([exact], "conv"), "run 0")

    assert line.y[0] > 0 and line.customdata[0] == 0.0


def test_the_map_has_a_row_for_each_layer_and_changes_its_colour_where_rounding_ends() -> None:
    broken = replace(lane(), epochs=(an_epoch(0), replace(an_epoch(1), errors={"conv": 1e-7, "logits": 0.1})))

    heatmap = figures.error_map(broken).data[0]

    assert [list(row) for row in heatmap.z] == [
        pytest.approx([-7, -7]),
        pytest.approx([math.log10(2e-7), -1]),
    ]
    assert heatmap.customdata[1][1] == "logits, epoch 1: 1.0e-01"
    (step, _), (same, _) = heatmap.colorscale[1:3]
    assert step == same
    assert 10 ** (heatmap.zmin * (1 - step)) == pytest.approx(ROUNDING_LEVEL["float32"])


def test_layers_of_several_runs_are_listed_once_and_the_logits_last() -> None:
    other = Lane("other", 1, Recipe(), (replace(an_epoch(0), errors={"logits": 0.0, "pool": 0.0}),))

    assert figures.layers_of([lane(), other]) == ["conv", "pool", "logits"]


def test_losses_and_agreement_carry_the_numbers() -> None:
    losses = figures.losses([lane()])

    assert list(named(losses, "run 0, training").y) == [1.5, 1.5]  # none before the first epoch
    assert list(named(losses, "run 0, test").y) == [1.25] * 3
    assert list(named(figures.agreement([lane()]), "run 0").y) == [0.5] * 3


def test_the_report_needs_no_other_file() -> None:
    text = figures.report(a_run(), "mine", lane().epochs, command="python -m explorer train")

    outside = re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=", text.partition("<main>")[2])
    assert outside == []
    assert text.count("Plotly.newPlot(") >= 6
    assert len(text.encode()) < 6_000_000
