"""Operations of one's own: named while theory does not know them, decided once it has been taught."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import equivariance as eq
from equivariance.following.handling import TAUGHT
from equivariance.theory import handle
from tests.equivariance.networks import ready, truth


@torch.library.custom_op("equivariance_tests::sharpened", mutates_args=())
def sharpened(maps: Tensor, reach_px: int) -> Tensor:
    """Maps minus what lies `reach_px` to all sides of each pixel."""
    return _sharpened(maps, reach_px)


@sharpened.register_fake
def _(maps: Tensor, reach_px: int) -> Tensor:
    return torch.empty_like(maps)


@torch.library.custom_op("equivariance_tests::shaded", mutates_args=())
def shaded(maps: Tensor) -> Tensor:
    """Maps minus what lies to their left."""
    return maps - 2 * maps.roll(1, -1)


@shaded.register_fake
def _(maps: Tensor) -> Tensor:
    return torch.empty_like(maps)


def _sharpened(maps: Tensor, reach_px: int) -> Tensor:
    side = 2 * reach_px + 1
    return 2 * maps - functional.avg_pool2d(maps, side, 1, reach_px)


class Net(nn.Module):
    """A symmetric convolution, the operation, a mean."""

    def __init__(self, operation: Any) -> None:
        super().__init__()
        self.conv, self.operation = nn.Conv2d(1, 3, 3, padding=1), operation

    def forward(self, x: Tensor) -> Tensor:
        return self.operation(self.conv(x)).relu().mean((2, 3))


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test teaches is forgotten after it."""
    before = dict(TAUGHT)
    yield
    TAUGHT.clear()
    TAUGHT.update(before)


def test_an_operation_that_theory_does_not_know_is_named() -> None:
    network = ready(Net(lambda maps: sharpened(maps, 1)), symmetric=True)
    report = eq.check(network, 9)

    assert truth(network, 9, 9, channels=1) == "exact"
    assert (report.verdict, report.evidence) == ("exact", "measurement alone")
    assert eq.predict(network, 9).verdict == "undecided"
    (entry,) = report.not_followed
    assert (entry["operation"], entry["why"]) == ("sharpened", "theory does not know this operation")
    assert entry["file"].endswith("test_handle.py")
    assert "equivariance.theory.handle" in eq.predict(network, 9).advice


def test_an_operation_that_theory_was_taught_is_decided() -> None:
    handle(torch.ops.equivariance_tests.sharpened.default)(_sharpened)
    network = ready(Net(lambda maps: sharpened(maps, 1)), symmetric=True)
    report = eq.check(network, 9)

    assert (report.verdict, report.evidence, report.not_followed) == ("exact", "theory and measurement", ())


def test_an_operation_that_breaks_is_named_once_theory_was_taught() -> None:
    network = ready(Net(lambda maps: shaded(maps)), symmetric=True)
    before = eq.check(network, 9)

    @handle(torch.ops.equivariance_tests.shaded.default)
    def taught(maps: Tensor) -> Tensor:
        return maps - 2 * maps.roll(1, -1)

    after = eq.check(network, 9)

    assert truth(network, 9, 9, channels=1) == "broken"
    assert (before.evidence, before.first_broken_layer) == ("measurement alone", None)
    assert (after.evidence, after.first_broken_layer) == ("theory and measurement", "functional.shaded")
    assert after.verdict == "approximate"
