"""The report: what it holds, as JSON, as a table, in few lines."""

import copy
import json
import math
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import equivariance as eq
from tests.equivariance.networks import Basic, Fpn, ResNet, ready

KEYS = {
    "verdict",
    "evidence",
    "sentence",
    "reason",
    "advice",
    "elements",
    "output_error",
    "first_broken_layer",
    "broken_layers",
    "exact_sizes_px",
    "layers",
    "not_followed",
    "input",
    "dtype",
    "device",
    "seconds",
    "versions",
}
LAYER_KEYS = {
    "name",
    "kind",
    "in_hw",
    "out_hw",
    "kernel",
    "stride",
    "padding",
    "remainder",
    "displacement_px",
    "elements",
    "weight_error",
    "error",
    "fields_from",
    "not_followed",
}


def refused(constant: str) -> Any:
    """What json calls for NaN and Infinity, which are no JSON."""
    raise AssertionError(constant)


def strided() -> nn.Module:
    """Exact at odd sides."""
    return ready(nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1)), symmetric=True)


def test_json_has_all_of_it() -> None:
    report = eq.check(strided(), 10)
    read = json.loads(report.to_json(), parse_constant=refused)

    assert read.keys() >= KEYS
    assert read["verdict"] == "approximate"
    assert read["exact_sizes_px"] == {"height": [9, 11], "width": [9, 11]}
    assert read["advice"] == "Exact sizes near: 9, 11 px. Or switch on symmetric subsampling."
    assert all(layer.keys() >= LAYER_KEYS for layer in read["layers"])
    assert [layer["name"] for layer in read["layers"]] == ["0", "1", "2"]
    first = read["layers"][0]
    assert (first["kernel"], first["stride"], first["remainder"], first["displacement_px"]) == (
        [3, 3],
        [2, 2],
        [1, 1],
        [-0.5, -0.5],
    )
    assert set(read["versions"]) >= {"python", "torch", "numpy"}


def test_json_is_valid_where_errors_are_no_numbers() -> None:
    class Root(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x.mean((2, 3)) - 2).sqrt()

    class Line(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.zeros(x.shape[0], int(x[0, 0, 0, 0] * 1000) + 1)

    nan = eq.check(Root(), 8, channels=1)
    infinite = eq.check(Line(), 8, channels=1)

    assert all(math.isnan(error) for error in nan.output_error.values() if error is not None)
    assert (nan.verdict, nan.reason) == ("undecided", "The output holds NaN, so nothing can be compared.")
    assert infinite.verdict != "exact"
    assert json.loads(nan.to_json(), parse_constant=refused)["output_error"]["rot90"] == "NaN"
    assert json.loads(infinite.to_json(), parse_constant=refused)["output_error"]["rot90"] == "Infinity"


def test_a_table_has_a_row_for_each_layer() -> None:
    pandas = pytest.importorskip("pandas")
    frame = eq.check(ready(Fpn(), symmetric=True), 17).to_frame()

    assert isinstance(frame, pandas.DataFrame)
    assert set(frame.columns) >= LAYER_KEYS
    assert "smooth#3" in set(frame["name"])


def test_its_text_is_short_and_says_what_to_do() -> None:
    exact, other = eq.check(strided(), 9), eq.check(ready(ResNet(Basic, (1, 1)), symmetric=False), 33)

    assert repr(exact).splitlines()[0] == "Exactly equivariant to quarter turns at 9 px."
    assert len(repr(exact).splitlines()) <= 4
    assert len(repr(other)) < 600
    assert "<p" in exact._repr_html_()


def test_a_report_can_be_kept_without_the_network() -> None:
    report = eq.check(strided(), 10)
    kept = pickle.loads(pickle.dumps(report))

    assert repr(kept) == repr(report)
    assert kept.exact_sizes_px == {"height": (9, 11), "width": (9, 11)}
    assert copy.deepcopy(report).to_json() == report.to_json()
    assert len(pickle.dumps(report)) < 20_000


def test_each_verdict_has_a_reason() -> None:
    reports = [
        eq.check(strided(), 9),
        eq.check(strided(), 10),
        eq.check(ready(Fpn(), symmetric=False), 16),
        eq.check(strided(), 9, group="C3"),
        eq.predict(strided(), 9),
        eq.check(nn.Identity(), 9, channels=1),
        eq.check(nn.Identity(), 9, channels=1, output="invariant"),
        eq.check(nn.Identity(), 9, channels=1, output="regular"),
    ]
    for report in reports:
        assert report.sentence.endswith(".")
        assert report.reason.endswith(".")
        assert not report.reason.startswith("Theory finds no layer")


def test_theory_alone_says_so() -> None:
    report = eq.predict(strided(), 9)

    assert (report.verdict, report.evidence, report.input) == ("exact", "theory alone", "no picture")
    assert report.output_error == {}
    assert report.exact_sizes_px["height"] == (None, 11)


def test_theory_and_measurement_that_disagree_are_both_shown() -> None:
    """Its weights do not commute, and yet what it gives does: it turns the picture, and adds all turns up."""

    class Orbit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 3, 3)

        def forward(self, x: Tensor) -> Tensor:
            answers = [self.conv(torch.rot90(x, turns, (2, 3))).relu().mean((2, 3)) for turns in range(4)]
            return torch.stack(sorted(answers, key=lambda answer: float(answer[0, 0])), 1).amax(1)

    report = eq.check(ready(Orbit(), symmetric=False), 9)

    assert report.verdict in ("exact", "undecided")
    assert report.evidence == "measurement alone"
    assert max(error for error in report.output_error.values() if error is not None) < 1e-12
