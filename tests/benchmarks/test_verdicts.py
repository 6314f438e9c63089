"""Whether a device with other verdicts than the CPU's is told."""

from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from benchmarks.gpu import verdicts
from tests.benchmarks.small import CPU


@pytest.mark.parametrize(
    ("name", "side_px", "verdict"),
    [
        ("p4 cnn", 28, "exact"),
        ("p4m cnn", 29, "approximate"),
        ("p4 resnet", 33, "exact"),
        ("p4 resnet", 35, "approximate"),
        ("symmetric resnet", 33, "exact"),
        ("symmetric resnet", 32, "approximate"),
        ("plain cnn", 28, "not equivariant"),
    ],
)
def test_networks_that_are_compared_have_the_verdicts_of_theory(name: str, side_px: int, verdict: str) -> None:
    seen = verdicts.measured(verdicts.network_of(name), verdicts.CHECKED[name][1], side_px, "float64", CPU)

    assert seen.verdict == verdict
    assert (seen.broken == ()) == (seen.broken_as_measured == ()) == (verdict == "exact")


def test_a_device_with_other_verdicts_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verdicts.compare(CPU, ["p4 cnn"]) == 0 and "DIFFERS" not in capsys.readouterr().out
    original, calls = verdicts.measured, []

    def rounded(network: nn.Module, *rest: Any) -> verdicts.Seen:
        """Every second time, as a card whose products keep ten bits would see it."""
        calls.append(rest)
        seen = original(network, *rest)
        if len(calls) % 2:
            return seen
        return replace(seen, errors={name: error + 5e-4 for name, error in seen.errors.items()})

    monkeypatch.setattr(verdicts, "measured", rounded)

    assert verdicts.compare(CPU, ["p4 cnn"]) == 4
    assert "error of output rot90" in capsys.readouterr().out


@pytest.mark.parametrize(
    "changes", [{"verdict": "exact"}, {"elements": {}}, {"broken": ()}, {"broken_as_measured": ()}, {"errors": {}}]
)
def test_any_difference_is_named(changes: dict[str, Any]) -> None:
    seen = verdicts.Seen("approximate", {"rot90": "broken"}, ("pool",), ("pool",), {"output rot90": 0.03})

    assert verdicts.differences(seen, seen, "float64") == []
    assert len(verdicts.differences(seen, replace(seen, **changes), "float64")) == 1


def test_a_device_that_fails_on_one_network_is_told_and_the_others_are_compared(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(name: str, side_px: int, *rest: Any) -> tuple[list[str], str]:
        if side_px == 27:
            raise RuntimeError("no algorithm for this")
        return [], "exact"

    monkeypatch.setattr(verdicts, "_compared", fails)

    assert verdicts.compare(CPU, ["p4 cnn"]) == 2
    said = capsys.readouterr().out
    assert said.count("RuntimeError: no algorithm for this") == 2 and said.count("same") == 2
