"""Figures of many networks at once: those of explorer's evaluation, and counted by hand."""

from dataclasses import replace

import pytest
import torch

from benchmarks.gpu.networks import Networks
from benchmarks.gpu.testing import figures_of, pictures_at_once
from benchmarks.gpu.training import Training
from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.data.split import Split
from explorer.serving.weights import Weights, copy_weights, weights_of
from explorer.training.evaluation import evaluate
from models.build import build, serve
from tests.benchmarks.small import DIGITS, EVERY_CASE, TINY, Alone, data_of, recipe


@pytest.mark.parametrize(
    ("key", "is_exact"), [("exact-28", True), ("approximate-27", False), ("approximate-29", False)]
)
def test_networks_are_exact_at_the_even_side_alone(key: str, is_exact: bool) -> None:
    case = EVERY_CASE[f"upright/{key}"]
    stack = Training(case, [0, 1], TINY, data_of(case))
    stack.epoch(0)

    errors = figures_of(stack.networks, stack.data, with_angles=False, at_once=5).errors

    if is_exact:
        assert float(errors.max()) <= ROUNDING_LEVEL["float64"]
    else:
        assert float(errors.min()) > 1e-3


def test_figures_of_the_plain_network_are_those_of_explorers_evaluation() -> None:
    case = EVERY_CASE["upright/plain-28"]
    data = data_of(case, dtype=torch.float32)
    found = figures_of(Networks.of(case, [0, 1]), data, with_angles=True, at_once=4)

    for place, seed in enumerate((0, 1)):
        spec = recipe(case, TINY, seed).network_spec(10)
        weights = Weights("", weights_of(build(spec, seed=seed)))
        plain = serve(spec, prepare=lambda network, weights=weights: copy_weights(network, weights)).float()
        test = Split(DIGITS.test_pictures[:5], DIGITS.test_labels[:5])
        expected = evaluate(plain, spec, test, recipe(case, TINY, seed), with_angles=True)
        accuracy = {name: float(each[place]) for name, each in found.accuracy.items()}

        assert {name: accuracy[name] for name in expected.accuracy} == expected.accuracy
        assert tuple(accuracy[f"rot{angle}" if angle else "identity"] for angle in range(0, 360, 10)) == expected.angles
        assert float(found.loss[place]) == pytest.approx(expected.loss, rel=1e-5)
        assert float(found.agreement[place]) == expected.agreement
        assert float(found.errors[place]) == pytest.approx(expected.errors["logits"], rel=1e-3)


def test_right_answers_are_counted_for_each_network() -> None:
    """Labels are the answers of one of the networks, to digits as they are and to turned ones."""
    case = EVERY_CASE["upright/approximate-27"]
    data, alone = data_of(case), Alone(case, 1, TINY)
    alone.network.eval()
    with torch.no_grad():
        answers = [
            alone.network(torch.rot90(data.test_pictures, quarters, (2, 3)).expand(-1, 3, -1, -1)).argmax(1)
            for quarters in range(4)
        ]
    labels = answers[0].clone()
    labels[:2] = (labels[:2] + 1) % 10  # two that are wrong

    found = figures_of(
        Networks.of(case, [0, 1]).double(), replace(data, test_labels=labels), with_angles=False, at_once=4
    )

    assert float(found.accuracy["identity"][1]) == pytest.approx(3 / 5)
    for name, answer in zip(("rot90", "rot180", "rot270"), answers[1:], strict=True):
        assert float(found.accuracy[name][1]) == pytest.approx(float((answer == labels).double().mean()))
    same = (torch.stack(answers) == answers[0]).all(0)
    assert float(found.agreement[1]) == pytest.approx(float(same.double().mean()))


@pytest.mark.parametrize(("copies", "expected"), [(1, 2000), (8, 2000), (16, 1000), (100, 100), (1000, 50)])
def test_a_pass_of_many_networks_has_fewer_pictures(copies: int, expected: int) -> None:
    assert pictures_at_once(28, copies) == expected
