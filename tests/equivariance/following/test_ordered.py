"""Windows laid out, triangles, resampling, shuffled and gated channels: held against torch, and their types."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from equivariance.following.dims import UnclearError, type_of
from equivariance.groups.fields import scalars
from equivariance.groups.point_groups import C4
from equivariance.theory.program import Program
from tests.equivariance.draws.own_group import lifted
from tests.equivariance.draws.tools import Apply
from tests.equivariance.following.whole import PICTURE, Function, must_give_what_torch_gives, skeleton_of

ONE = PICTURE[:, :1]
LIFT = lifted(torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64), "C4")
GRID = torch.rand(1, 3, 5, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 2 - 1

LAID_OUT: dict[str, Function] = {
    "unfold rows": lambda x: x.unfold(2, 2, 1),
    "unfold columns by steps": lambda x: x.unfold(3, 3, 2),
    "unfold from behind": lambda x: x.unfold(-1, 2, 2),
    "upper triangle": lambda x: x.triu(),
    "lower triangle": lambda x: x.tril(-1),
    "resampled": lambda x: functional.grid_sample(x, GRID, align_corners=True),
    "resampled to the nearest": lambda x: functional.grid_sample(x, GRID, "nearest", "border", align_corners=False),
}


@pytest.mark.parametrize("name", LAID_OUT)
def test_numbers_are_those_of_torch(name: str) -> None:
    must_give_what_torch_gives(LAID_OUT[name])


def verdict_of(function: Callable[[Tensor], Any]) -> str:
    return Program(Apply(function), C4, channels=2).proof(8, 8).verdict


def lifted_maps(maps: Tensor) -> Tensor:
    """One regular field of C4."""
    return functional.conv2d(maps, LIFT.flatten(0, 1))


def test_places_must_not_depend_on_the_picture_nor_on_its_number() -> None:
    with pytest.raises(UnclearError, match="depend on the picture"):
        skeleton_of(lambda x: functional.grid_sample(x, x[:, :2].permute(0, 2, 3, 1), align_corners=True))
    twice = torch.cat([GRID, -GRID])
    with pytest.raises(UnclearError, match="for each picture"):
        skeleton_of(lambda x: functional.grid_sample(x.expand(2, 4, 4, 6), twice, align_corners=True))


def test_shuffled_scalars_stay_scalars_and_shuffled_fields_are_not_known() -> None:
    shuffled = torch.ops.aten.native_channel_shuffle
    for on_data in (True, False):
        found = skeleton_of(lambda x: shuffled(x.expand(1, 4, 4, 6), 2), ONE, on_data=on_data)
        assert type_of(found.dims[1]) == scalars(4)
        with pytest.raises(UnclearError, match="from different places"):
            skeleton_of(lambda x: shuffled(x, 2), on_data=on_data)
    turned = skeleton_of(lambda x: shuffled(x.expand(1, 4, 4, 6).roll(1, 1), 2), ONE, on_data=True)
    assert type_of(turned.dims[1]) is None
    assert verdict_of(lambda x: shuffled(lifted_maps(x), 2)) == "undecided"


def test_halves_that_gate_each_other_must_be_alike() -> None:
    assert verdict_of(lambda x: functional.glu(x, 1)) == "exact"
    assert verdict_of(lambda x: functional.glu(x[..., 1:], 1)) == "approximate"
    assert verdict_of(lambda x: functional.glu(x.transpose(1, 3)).transpose(1, 3)) == "exact"
    two_fields = torch.cat([LIFT, LIFT.flip(0)]).flatten(0, 1)
    assert verdict_of(lambda x: functional.glu(functional.conv2d(x, two_fields), 1)) == "exact"
    assert verdict_of(lambda x: functional.glu(lifted_maps(x), 1)) == "undecided"
    with pytest.raises(UnclearError, match="unlike channels"):
        skeleton_of(lambda x: functional.glu(torch.cat([x[:, :2], x[:, :1].expand(1, 2, 4, 6)], 1), 1))


def test_means_over_neighbouring_channels_leave_pixels_where_they_are() -> None:
    assert verdict_of(lambda x: functional.local_response_norm(x, 2)) == "exact"
    for kernel, stride in (((1, 2, 1), 1), ((1, 1, 2), 1), ((2, 1, 1), (1, 2, 1)), ((2, 1, 1), (1, 1, 2))):
        with pytest.raises(UnclearError, match="three dimensions"):
            skeleton_of(lambda x, kernel=kernel, stride=stride: functional.avg_pool3d(x[:, None], kernel, stride))
    wide = skeleton_of(lambda x: functional.avg_pool3d(x[:, None], (2, 1, 1), (2, 1, 1)))
    default = skeleton_of(lambda x: torch.ops.aten.avg_pool3d(x[:, None], [2, 1, 1]))
    for found in (wide, default):
        assert [sum(atom.size for atom in dim) for dim in found.dims] == [1, 1, 2, 4, 6]
