"""Runs that are trained at once are what explorer's own loop trains, one by one."""

import pytest
import torch
from torch import Tensor

from benchmarks.gpu.cases import CASES, Case
from benchmarks.gpu.networks import WAYS, Networks
from benchmarks.gpu.training import Training, drawn
from explorer.serving.weights import weights_of
from explorer.training.draws import draw
from models.build import build
from tests.benchmarks.small import EVERY_CASE, TINY, Alone, data_of, recipe


@pytest.mark.parametrize("network", ["p4-cnn", "z2-cnn"])
def test_networks_begin_with_the_weights_of_explorers(network: str) -> None:
    case = Case("", network, 28, "none")

    stacked = Networks.of(case, [3, 5])

    for place, seed in enumerate((3, 5)):
        theirs = list(build(recipe(case, TINY, seed).network_spec(10), seed=seed).parameters())
        ours = [each.chunk(2)[place] for each in stacked.parameters()]
        assert len(ours) == len(theirs)
        assert sorted(map(_numbers, ours)) == sorted(map(_numbers, theirs))


def _numbers(weights: Tensor) -> list[float]:
    return weights.detach().flatten().tolist()


@pytest.mark.parametrize("study", CASES)
def test_order_and_angles_are_those_of_explorer(study: str) -> None:
    case = CASES[study][0]
    for seed, epoch in ((0, 0), (4, 7)):
        expected = draw(recipe(case, TINY, seed), pictures=11, epoch=epoch)

        order, angle_deg = drawn(case, seed, epoch, 11)

        assert torch.equal(order, expected.order)
        assert torch.equal(torch.zeros(11).double() if angle_deg is None else angle_deg, expected.angle_deg)


@pytest.mark.parametrize(
    ("key", "way"),
    [("upright/plain-28", "grouped"), ("uniform/approximate-27", "looped"), ("upright/exact-28", "unfolded")],
)
def test_runs_that_are_trained_at_once_are_trained_as_each_alone(key: str, way: str) -> None:
    case, seeds = EVERY_CASE[key], (0, 3)
    stack = Training(case, seeds, TINY, data_of(case), way)

    losses = torch.stack([stack.epoch(number)[0] for number in range(TINY.epochs)])  # (epochs, runs)

    for place, seed in enumerate(seeds):
        alone = Alone(case, seed, TINY)
        assert losses[:, place].tolist() == pytest.approx(alone.train(), rel=1e-8)
        theirs = weights_of(alone.network)
        ours = {name: value.chunk(2)[place] for name, value in stack.networks.state_dict().items() if value.dim()}
        for number in range(7):
            for part in ("weight", "bias"):
                assert_same(ours[f"convs.{number}.{part}"], theirs[f"layer{number + 1}.conv.{part}"])
            for part in ("weight", "bias", "running_mean", "running_var"):
                assert_same(ours[f"norms.{number}.{part}"], theirs[f"layer{number + 1}.norm.{part}"])
        for part in ("weight", "bias"):
            assert_same(ours[f"classifier.{part}"], theirs[f"head.classifier.{part}"])


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    """Beside a learning rate of 0.01: a bias before batch norm has the rounding of zero as its gradient."""
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_a_run_moves_the_weights_by_more_than_they_may_differ() -> None:
    case = EVERY_CASE["upright/exact-28"]
    stack = Training(case, [0], TINY, data_of(case))
    before = stack.networks.convs[2].weight.detach().clone()

    stack.epoch(0)

    assert float((stack.networks.convs[2].weight.detach() - before).abs().max()) > 1e-3


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_and_the_folded_network_give_the_same_logits(way: str) -> None:
    case = EVERY_CASE["upright/approximate-29"]
    stack = Training(case, [0, 1, 2], TINY, data_of(case))
    stack.epoch(0)
    pictures = stack.data.test_pictures

    with torch.no_grad():
        expected = stack.networks.eval()(pictures)
        found = stack.networks.folded(way)(pictures)
        apart = stack.networks(pictures.expand(-1, 3, -1, -1), way)

    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(apart, expected, rtol=1e-9, atol=1e-9)
