"""Writes into a part of a tensor: held against torch's own, number by number."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from equivariance.following.dims import UnclearError
from equivariance.groups.point_groups import C4
from equivariance.theory.program import Program
from tests.equivariance.draws.own_group import lifted
from tests.equivariance.draws.tools import Apply
from tests.equivariance.following.whole import must_give_what_torch_gives, must_mean_what_moves, skeleton_of


def writes(into: Callable[[Tensor], Tensor], *, onto: str = "copy") -> Callable[[Tensor], Tensor]:
    """Negated pixels of the last columns written into a view of a copy, or of zeros."""

    def function(maps: Tensor) -> Tensor:
        base = maps.clone() if onto == "copy" else torch.zeros(maps.shape, dtype=maps.dtype)
        there = into(base)
        there.copy_(-into(maps.clone()))
        return base

    return function


VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "columns": lambda x: x[..., 1:3],
    "every second column": lambda x: x[..., ::2],
    "the last row": lambda x: x[:, :, -1],
    "channels": lambda x: x[:, 1:3],
    "every second channel": lambda x: x[:, ::2],
    "the last channel": lambda x: x[:, -1],
    "the first channel": lambda x: x[:, 0],
    "rows of channels": lambda x: x[:, 1:, 2:],
    "a row of one channel": lambda x: x[:, 2, 1],
    "a column of some channels": lambda x: x.select(3, 4)[:, 1:3],
    "narrow": lambda x: x.narrow(3, 2, 3),
    "narrow channels": lambda x: x.narrow(1, 1, 2),
    "halves": lambda x: x.chunk(2, 3)[1],
    "through a transpose": lambda x: x.transpose(2, 3)[:, :, 1:4],
    "through a permute": lambda x: x.permute(0, 2, 3, 1)[..., 0:2],
    "through unsqueeze": lambda x: x.unsqueeze(0)[..., 5],
    "all of it": lambda x: x[:],
}


NO_MEANING = {
    "the last row",
    "the last channel",
    "the first channel",
    "a row of one channel",
    "a column of some channels",
}
NO_MEANING |= {"through unsqueeze"}


@pytest.mark.parametrize("onto", ["copy", "zeros"])
@pytest.mark.parametrize("name", VIEWS)
def test_numbers_are_those_of_torch(name: str, onto: str) -> None:
    if onto == "zeros" and name in NO_MEANING:
        with pytest.raises(UnclearError, match="a write into a constant"):
            skeleton_of(writes(VIEWS[name], onto=onto))
    else:
        must_give_what_torch_gives(writes(VIEWS[name], onto=onto))


def test_a_frame_keeps_its_meaning() -> None:
    def framed(maps: Tensor) -> Tensor:
        base = maps.clone()
        base[:, :, 0] = 0
        base[:, :, -1] = 0
        base[..., 0] = 0
        base[..., -1] = 0
        return base

    must_give_what_torch_gives(framed)
    must_mean_what_moves(framed)


def test_a_write_into_a_diagonal_is_not_followed() -> None:
    def function(maps: Tensor) -> Tensor:
        base = maps.clone()
        base.diagonal(0, 2, 3).zero_()
        return base

    with pytest.raises(UnclearError, match="does not know"):
        skeleton_of(function)


LIFTED = lifted(torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64), "C4")


def lifted_maps(maps: Tensor) -> Tensor:
    """A regular field of C4, (1, 4, H - 2, W - 2)."""
    return functional.conv2d(maps, LIFTED.flatten(0, 1))


def verdict_of(function: Callable[[Tensor], Tensor]) -> str:
    return Program(Apply(function), C4, channels=2).proof(8, 8).verdict


@pytest.mark.parametrize("first", [0, 1])
def test_channels_written_from_two_places_are_told_apart(first: int) -> None:
    """The second is a running sum, and is not hidden by the first."""

    def function(maps: Tensor) -> Tensor:
        base = torch.zeros(1, 3, *maps.shape[-2:], dtype=maps.dtype)
        base[:, first : first + 2] = torch.cat([maps[:, :1], maps[:, :1].cumsum(-1)], 1)
        return base

    assert verdict_of(function) == "approximate"


@pytest.mark.parametrize("base_of", [lambda x: torch.zeros_like(x), lambda x: x.clone()], ids=["zeros", "scalars"])
def test_a_field_written_beside_scalars_is_still_a_field(base_of: Callable[[Tensor], Tensor]) -> None:
    def function(maps: Tensor) -> Tensor:
        field = lifted_maps(maps)
        base = base_of(maps[:, :1, 1:-1, 1:-1].repeat(1, 6, 1, 1))
        base[:, 1:5] = field
        return base

    assert verdict_of(lambda x: function(x).mean((2, 3))) == "not equivariant"
    assert verdict_of(lambda x: function(x)[:, 1:5].amax(1).mean((1, 2))) == "exact"
    assert verdict_of(lambda x: function(x)[:, 2:6].amax(1).mean((1, 2))) == "undecided"


def test_scalars_written_into_a_whole_field_leave_none() -> None:
    def function(maps: Tensor) -> Tensor:
        base = torch.cat([lifted_maps(maps)] * 2, 1)
        base[:, 4:] = maps[:, :1, 1:-1, 1:-1].repeat(1, 4, 1, 1)
        return base

    assert verdict_of(lambda x: function(x)[:, 4:].mean((2, 3))) == "exact"
    assert verdict_of(lambda x: function(x)[:, :4].mean((2, 3))) == "not equivariant"


@pytest.mark.parametrize(
    "part",
    [lambda x: x[:, 1:3], lambda x: x[:, :4, 1:-1, 1:-1], lambda x: x[:, 1:, 1:-1, 1:-1], lambda x: x[..., 2]],
    ids=["channels", "the centre", "the centre of some", "a column"],
)
def test_scalars_written_into_a_part_of_a_field_leave_no_known_type(part: Callable[[Tensor], Tensor]) -> None:
    def function(maps: Tensor) -> Tensor:
        base = lifted_maps(maps).clone()
        part(base).copy_(part(maps[:, :1, 1:-1, 1:-1].repeat(1, 4, 1, 1)))
        return base

    assert verdict_of(lambda x: function(x).mean((2, 3))) != "exact"
    assert verdict_of(lambda x: function(x).amax(1).mean((1, 2))) != "exact"


def test_zeros_about_a_field_leave_it_a_field() -> None:
    def function(maps: Tensor) -> Tensor:
        base = torch.zeros(1, 4, *maps.shape[-2:], dtype=maps.dtype)
        base[..., 1:-1, 1:-1] = lifted_maps(maps)
        return base

    assert verdict_of(lambda x: function(x).amax(1)) == "exact"
    assert verdict_of(lambda x: function(x).mean((2, 3))) == "not equivariant"


def test_places_are_not_written_into_channels() -> None:
    def function(maps: Tensor) -> Tensor:
        base = maps.clone()
        base[:, :, 0, 0] = maps[:, 0, :, 0]
        return base

    with pytest.raises(UnclearError, match="places are written into channels"):
        skeleton_of(function)


def test_one_channel_is_written_into_several() -> None:
    def function(maps: Tensor) -> Tensor:
        base = maps.clone()
        base[:, 1:3] = -maps[:, :1]
        return base

    must_give_what_torch_gives(function)
