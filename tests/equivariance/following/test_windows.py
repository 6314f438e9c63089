"""Windows, borders and resizes that only add pixels up: held against torch."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from equivariance.following.dims import UnclearError
from tests.equivariance.following.whole import PICTURE, Function, in_full, must_mean_what_moves, skeleton_of

EXACT: dict[str, Function] = {
    "mean of windows": lambda x: functional.avg_pool2d(x, (2, 3), (1, 2), (1, 0)),
    "mean of what there is": lambda x: functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
    "adaptive mean": lambda x: functional.adaptive_avg_pool2d(x, (3, 4)),
    "zeros about it": lambda x: functional.pad(x, (1, 2, 3, 0)),
    "cropped by a pad": lambda x: functional.pad(x, (-1, 0, -2, 1)),
    "a number about it": lambda x: functional.pad(x, (1, 2), value=2.5),
    "reflected": lambda x: functional.pad(x, (1, 2, 3, 0), mode="reflect"),
    "repeated": lambda x: functional.pad(x, (1, 2, 3, 0), mode="replicate"),
    "circular": lambda x: functional.pad(x, (1, 2, 3, 0), mode="circular"),
    "bilinear": lambda x: functional.interpolate(x, size=(7, 5), mode="bilinear"),
    "bilinear with corners": lambda x: functional.interpolate(x, size=(7, 5), mode="bilinear", align_corners=True),
    "bicubic": lambda x: functional.interpolate(x, scale_factor=(2.0, 1.5), mode="bicubic"),
    "nearest": lambda x: functional.interpolate(x, size=(7, 5)),
    "of one plane": lambda x: functional.avg_pool2d(x[0], 2),
}


@pytest.mark.parametrize("name", EXACT)
def test_what_only_adds_pixels_up_is_what_torch_gives(name: str) -> None:
    torch.testing.assert_close(in_full(skeleton_of(EXACT[name])), EXACT[name](PICTURE))


def test_borders_alike_on_both_sides_keep_their_meaning() -> None:
    must_mean_what_moves(lambda x: functional.pad(x, (2, 2, 1, 1)))
    must_mean_what_moves(lambda x: functional.pad(x, (2, 2, 1, 1), mode="reflect"))


def test_channels_about_channels_are_new_ones_of_their_own_part() -> None:
    found = skeleton_of(lambda x: functional.pad(x, (0, 0, 0, 0, 1, 2)))
    assert in_full(found).shape == (1, 7, 4, 6)
    assert torch.equal(in_full(found)[:, 1:5], PICTURE) and not bool(in_full(found)[:, :1].any())


@pytest.mark.parametrize(
    "function", [lambda x: functional.max_pool2d(x, 3, 1, 1), lambda x: functional.adaptive_max_pool2d(x, (4, 6))]
)
def test_the_largest_of_windows_depends_on_its_window_alone(function: Function) -> None:
    changed: Tensor = PICTURE.clone()
    changed[0, 0, 0, 0] += 0.5
    difference = skeleton_of(function, changed).tensor - skeleton_of(function).tensor
    expected = function((changed - PICTURE).abs()) > 0
    assert torch.equal(difference[:1, :1].abs() > 1e-12, expected[:1, :1])


def test_maps_are_needed_where_windows_are() -> None:
    with pytest.raises(UnclearError):
        skeleton_of(lambda x: functional.avg_pool2d(x.permute(0, 2, 1, 3), 2))
    with pytest.raises(UnclearError):
        skeleton_of(lambda x: functional.avg_pool2d(x.transpose(2, 3).reshape(1, 4, 2, 12), 2))
