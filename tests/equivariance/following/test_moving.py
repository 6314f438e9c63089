"""Turns, mirrors, rolls and pixel shuffles: held against torch's own, number by number."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from equivariance.following.dims import UnclearError, type_of
from tests.equivariance.following.whole import (
    PICTURE,
    Function,
    must_give_what_torch_gives,
    must_mean_what_moves,
    skeleton_of,
)

MOVED: dict[str, Function] = {
    "mirrored": lambda x: x.flip(-1),
    "half turn": lambda x: x.flip(2, 3),
    "channels in reverse": lambda x: x.flip(1),
    "one picture in reverse": lambda x: x.flip(0),
    "quarter turn": lambda x: x.rot90(1, (2, 3)),
    "quarter turn of the first two": lambda x: x[0, 0].rot90(),
    "half turn by rot90": lambda x: x.rot90(2, (-2, -1)),
    "backwards": lambda x: x.rot90(-1, (2, 3)),
    "five quarter turns": lambda x: x.rot90(5, (3, 2)),
    "no turn": lambda x: x.rot90(0, (2, 3)),
    "rolled": lambda x: x.roll(2, -1),
    "rolled both ways": lambda x: x.roll((1, -2), (2, 3)),
    "unshuffled": lambda x: functional.pixel_unshuffle(x, 2),
    "unshuffled and back": lambda x: functional.pixel_shuffle(functional.pixel_unshuffle(x, 2), 2),
}
BOTH_WAYS: dict[str, Function] = {
    "half turn": lambda x: x.flip(2, 3),
    "half turn by rot90": lambda x: x.rot90(2, (-2, -1)),
    "half a roll": lambda x: x.roll(3, 3).roll(2, 2),
    "unshuffled and back": lambda x: functional.pixel_shuffle(functional.pixel_unshuffle(x, 2), 2),
}


@pytest.mark.parametrize("name", MOVED)
def test_numbers_are_those_of_torch(name: str) -> None:
    must_give_what_torch_gives(MOVED[name])


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_dimensions_keep_their_meaning(name: str) -> None:
    must_mean_what_moves(BOTH_WAYS[name])


def test_windows_of_three_are_laid_out_as_torch_does() -> None:
    wide = torch.randn(1, 2, 6, 9, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    must_give_what_torch_gives(lambda x: functional.pixel_unshuffle(x, 3), wide)
    must_give_what_torch_gives(lambda x: functional.pixel_shuffle(functional.pixel_unshuffle(x, 3), 3), wide)


def test_channels_in_another_order_have_no_known_type() -> None:
    assert type_of(skeleton_of(lambda x: x.flip(1)).dims[1]) is None
    one_place = PICTURE[:, :1]
    assert type_of(skeleton_of(lambda x: x.expand(1, 3, 4, 6).roll(1, 1), one_place).dims[1]) is None


def test_channels_from_different_places_are_not_rolled() -> None:
    with pytest.raises(UnclearError, match="rolled"):
        skeleton_of(lambda x: x.roll(1, 1))


def test_a_roll_over_all_places_at_once_is_not_followed() -> None:
    with pytest.raises(UnclearError, match="all dimensions at once"):
        skeleton_of(lambda x: x.roll(1))


def test_pixels_made_of_channels_differ_from_each_other() -> None:
    """Each has weights of its own, and none is like its mirror image."""
    found = skeleton_of(lambda x: functional.pixel_shuffle(x.expand(1, 4, 4, 6), 2), PICTURE[:, :1])
    upper_left, upper_right = found.tensor[0, 0, 0::2, 0::2], found.tensor[0, 0, 0::2, 1::2]
    lower_left = found.tensor[0, 0, 1::2, 0::2]
    assert found.tensor.shape[-2:] == (8, 12)
    for one, other in ((upper_left, upper_right), (upper_left, lower_left), (upper_right, lower_left)):
        assert not torch.allclose(one, other)
    torch.testing.assert_close(upper_right / upper_left, (upper_right / upper_left)[:1, :1].expand(4, 6))
    alone = skeleton_of(lambda x: functional.pixel_shuffle(x[0].expand(4, 4, 6), 2), PICTURE[:, :1])
    assert alone.tensor.shape == (1, 8, 12)
    with pytest.raises(UnclearError, match="become pixels"):
        skeleton_of(
            lambda x: functional.pixel_shuffle(torch.cat([x.expand(1, 4, 4, 6), -x.expand(1, 4, 4, 6)], 1), 2),
            PICTURE[:, :1],
        )


def test_pixels_are_not_put_back_in_other_places() -> None:
    def exchanged(maps: Tensor) -> Tensor:
        windows = functional.pixel_unshuffle(maps, 2).unflatten(1, (4, 2, 2)).transpose(2, 3)
        return functional.pixel_shuffle(windows.flatten(1, 3), 2)

    with pytest.raises(UnclearError, match="other places"):
        skeleton_of(exchanged)
