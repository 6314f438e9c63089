"""The graph that tracing records: which operations keep every pixel in its place, and which do not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from equivariance.following.blank import blank_copy
from equivariance.theory.tracing import Trace, trace

SIDE_PX = 16  # and as many channels, so that sides alone do not give away what was reduced


class Function(nn.Module):
    """A network that is one function of its picture."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, picture: Tensor) -> Tensor:
        return self.function(picture)


def traced(function: Callable[[Tensor], Tensor]) -> Trace:
    return trace(blank_copy(Function(function)), height_px=SIDE_PX, width_px=SIDE_PX, channels=SIDE_PX)


def kinds(function: Callable[[Tensor], Tensor]) -> list[str]:
    return [step.kind for step in traced(function).steps[1:]]


@pytest.mark.parametrize(
    "reduce",
    [
        lambda maps, dim: maps.amax(dim),
        lambda maps, dim: maps.max(dim).values,
        lambda maps, dim: maps.sum(dim),
        lambda maps, dim: maps.mean(dim),
        lambda maps, dim: torch.linalg.vector_norm(maps, dim=dim),
    ],
    ids=["largest", "largest and its place", "sum", "mean", "length"],
)
def test_only_reductions_over_channels_keep_pixels_in_their_places(reduce: Callable[[Tensor, int], Tensor]) -> None:
    assert kinds(lambda maps: reduce(maps, 1)) == kinds(lambda maps: reduce(maps, -3)) == ["together"]
    for dim in (2, 3, -1, -2):
        assert kinds(lambda maps, dim=dim: reduce(maps, dim)) == ["unknown"]


@pytest.mark.parametrize(
    ("shape", "placed"),
    [
        ((), False),
        ((1,), False),
        ((SIDE_PX, 1, 1), False),
        ((SIDE_PX,), True),
        ((SIDE_PX, 1), True),
        ((1, 1, 1, SIDE_PX), True),
        ((SIDE_PX, SIDE_PX), True),
    ],
)
def test_numbers_that_are_not_of_the_picture_are_placed_where_they_differ_from_pixel_to_pixel(
    shape: tuple[int, ...], placed: bool
) -> None:
    for function in (lambda maps: maps + torch.zeros(shape), lambda maps: torch.zeros(shape) * maps):
        (step,) = traced(function).steps[1:]
        assert (step.kind, step.placed, step.linear) == ("together", placed, False)


def test_weights_of_what_follows_the_last_pixel_are_not_placed() -> None:
    *_, step = traced(
        lambda maps: nn.functional.linear(maps.mean((2, 3)), torch.zeros(5, SIDE_PX), torch.zeros(5))
    ).steps
    assert (step.kind, step.placed) == ("together", False)


def test_a_channel_of_positions_is_placed_and_its_border_is_not_zero() -> None:
    *_, step = traced(lambda maps: torch.cat([maps, torch.zeros(1, 1, SIDE_PX, SIDE_PX)], 1)).steps
    assert (step.kind, step.placed, step.linear) == ("together", True, False)


@pytest.mark.parametrize(("value", "fills"), [(0.0, False), (2.0, True)])
def test_padding_says_whether_it_is_of_zeros(value: float, fills: bool) -> None:
    (pad,) = traced(lambda maps: nn.functional.pad(maps, (1, 1, 2, 2), value=value)).steps[1:]
    assert (pad.kind, pad.pads, pad.fills) == ("pad", ((2, 2), (1, 1)), fills)
