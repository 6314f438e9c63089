"""How many channels a network's pictures have: read from its layers, tried, asked for."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from equivariance.checking.channels import channels_asked, channels_in, with_channels
from equivariance.errors import NetworkError, SizeError
from equivariance.groups.fields import regular
from equivariance.groups.point_groups import C4
from equivariance.layers.plain import typed
from equivariance.theory.program import Program

SIZE = (4, 6)


class OwnKernel(nn.Module):
    """A convolution with a kernel of its own, beside a vector."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.kernel, self.scale = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.zeros(9))


class Nested(nn.Module):
    """A kernel that no layer has."""

    def __init__(self) -> None:
        super().__init__()
        self.relu, self.kernel = nn.ReLU(), nn.Parameter(torch.zeros(2, 7, 3, 3))


@pytest.mark.parametrize(
    ("network", "channels"),
    [
        (nn.Conv2d(5, 2, 3), [5]),
        (nn.ConvTranspose2d(5, 2, 3), [5]),
        (nn.BatchNorm2d(6), [6]),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1)), [3, 4]),
        (nn.Sequential(nn.Flatten(), nn.Linear(2 * 24, 5)), [2]),
        (nn.Sequential(nn.Flatten(), nn.Linear(25, 5)), []),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4 * 24, 5)), [3]),
        (OwnKernel(8, 3, 5, 5), [3]),
        (OwnKernel(8, 3, 4, 5, 5), [12]),
        (OwnKernel(8, 3), []),
        (Nested(), [7]),
        (nn.ReLU(), []),
        (typed(nn.Conv2d(8, 4, 1), regular(C4, 2), regular(C4, 1)), [8]),
    ],
)
def test_channels_are_read_from_what_layers_take(network: nn.Module, channels: list[int]) -> None:
    assert channels_in(network, SIZE) == channels


@pytest.mark.parametrize("wanted", [0, -1, 2.0, "3", True, None])
def test_what_is_no_number_of_channels_is_refused(wanted: Any) -> None:
    with pytest.raises(NetworkError, match="has 1 channel or more"):
        channels_asked(wanted)


def test_one_channel_is_enough() -> None:
    assert (channels_asked(1), channels_asked(7)) == (1, 7)


class Takes(nn.Module):
    """Pictures of some numbers of channels alone, of one side or more; its first layer says 6."""

    def __init__(self, *counts: int, smallest: int = 1) -> None:
        super().__init__()
        self.counts, self.smallest, self.conv = counts, smallest, nn.Conv2d(6, 2, 1)
        self.after = nn.Conv2d(2, 5, 1)

    def forward(self, maps: Tensor) -> Tensor:
        if maps.shape[1] not in self.counts or maps.shape[-1] < self.smallest:
            raise ValueError("not these")
        return maps.mean((2, 3))


def chosen(network: nn.Module, *sizes: tuple[int, int]) -> int:
    return with_channels(network, lambda count: Program(network, C4, channels=count), sizes or (SIZE,)).channels


@pytest.mark.parametrize(("counts", "channels"), [((6,), 6), ((6, 3), 6), ((2,), 2), ((4,), 4), ((1,), 1)])
def test_channels_that_are_read_are_tried_and_then_the_usual_ones(counts: tuple[int, ...], channels: int) -> None:
    assert chosen(Takes(*counts)) == channels


def test_two_numbers_that_fit_are_asked_about() -> None:
    with pytest.raises(NetworkError, match=r"takes pictures of 3, 1 channels: pass channels="):
        chosen(Takes(1, 3))


def test_no_number_that_fits_is_the_network_s_own_error_for_the_first() -> None:
    with pytest.raises(SizeError, match="cannot take 6×4×6: not these"):
        chosen(Takes(17))


def test_nothing_to_read_is_asked_for() -> None:
    with pytest.raises(NetworkError, match="cannot be read from the network"):
        chosen(nn.ReLU())


def test_one_of_several_sizes_is_enough() -> None:
    assert chosen(Takes(6, smallest=8), (4, 4), (9, 9)) == 6
    assert chosen(Takes(6, smallest=8), (9, 9), (4, 4)) == 6
    with pytest.raises(SizeError):
        chosen(Takes(6, smallest=8), (4, 4), (5, 5))
