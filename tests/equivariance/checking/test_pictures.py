"""Pictures as they are passed, and those that are drawn beside them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from equivariance.checking.pictures import channels_of, odd_pictures, pictures_of, read_picture, sides_of
from equivariance.errors import SizeError

DRAWN = torch.randint(0, 256, (4, 5, 7), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
COLOUR = Image.fromarray(DRAWN.permute(1, 2, 0).numpy(), "RGBA")


def subject(channels: int = 3, *, dtype: str = "float64", resamples: bool = False) -> Any:
    return SimpleNamespace(channels=channels, dtype=dtype, elements=() if resamples else (1,))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (torch.rand(3, 5, 7), "your picture"),
        (torch.rand(1, 3, 5, 7), "your picture"),
        (torch.rand(2, 3, 5, 7), "your 2 pictures"),
    ],
)
def test_a_tensor_is_a_batch_of_its_own_numbers(given: torch.Tensor, words: str) -> None:
    batch, said = read_picture(given)
    assert said == words and torch.equal(batch, given.reshape(-1, 3, 5, 7))
    assert (sides_of(batch), channels_of(batch)) == ((5, 7), 3)


def test_bytes_are_brought_between_zero_and_one_and_other_whole_numbers_are_not() -> None:
    batch, _ = read_picture(DRAWN)
    assert torch.equal(batch[0], DRAWN.double() / 255)
    assert torch.equal(read_picture(DRAWN.int())[0][0], DRAWN.double())


@pytest.mark.parametrize("shape", [(5, 7), (1, 1, 3, 5, 7), (0, 5, 7), (3, 0, 7), (3, 5, 0)])
def test_a_tensor_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SizeError, match="is a tensor"):
        read_picture(torch.zeros(shape))


@pytest.mark.parametrize("number", [torch.nan, torch.inf])
def test_one_number_that_is_not_finite_is_refused(number: float) -> None:
    picture = torch.zeros(3, 5, 7)
    picture[1, 2, 3] = number
    with pytest.raises(SizeError, match="NaN or infinity"):
        read_picture(picture)


@pytest.mark.parametrize("size", [9, (5, 7), [5, 7], np.int64(9)])
def test_a_size_is_no_picture(size: Any) -> None:
    assert read_picture(size) == (None, "")


def test_images_have_width_before_height(tmp_path: Path) -> None:
    given, words = read_picture(COLOUR)
    assert given is COLOUR and words == "your picture"
    assert (sides_of(COLOUR), channels_of(COLOUR)) == ((5, 7), None)
    COLOUR.save(tmp_path / "a.png")
    opened, name = read_picture(str(tmp_path / "a.png"))
    assert name == "a.png" and sides_of(opened) == (5, 7)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_an_image_is_measured_with_its_own_pixels(channels: int, mode: str) -> None:
    pictures, words = pictures_of(COLOUR, "your picture", (5, 7), subject(channels))
    pixels = np.asarray(COLOUR.convert(mode), dtype=np.float64).reshape(5, 7, channels) / 255
    assert np.array_equal(pictures[0].permute(1, 2, 0).numpy(), pixels)
    assert len(pictures) == 3 and words == "your picture and 2 random pictures"


def test_an_image_for_other_numbers_of_channels_is_refused() -> None:
    with pytest.raises(SizeError, match="takes 2 channels, and an image has 1, 3 or 4"):
        pictures_of(COLOUR, "", (5, 7), subject(2))


def test_a_picture_of_other_channels_is_refused() -> None:
    with pytest.raises(SizeError, match="and channels=3"):
        pictures_of(torch.zeros(1, 2, 5, 7), "", (5, 7), subject(3))


@pytest.mark.parametrize(("dtype", "expected"), [("float64", torch.float64), ("float32", torch.float32)])
def test_random_pictures_are_the_same_each_time_and_between_zero_and_one(dtype: str, expected: torch.dtype) -> None:
    first, words = pictures_of(None, "", (5, 7), subject(2, dtype=dtype))
    second, _ = pictures_of(None, "", (5, 7), subject(2, dtype=dtype))
    assert words == "3 random pictures" and len(first) == 3
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other) and one.shape == (2, 5, 7) and one.dtype == expected
        assert 0 <= float(one.min()) < 0.2 and 0.8 < float(one.max()) <= 1
    assert not torch.equal(first[0], first[1])
    given = torch.rand(2, 2, 5, 7, dtype=torch.float32)
    mixed, words = pictures_of(given, "your 2 pictures", (5, 7), subject(2, dtype=dtype))
    assert words == "your 2 pictures and 2 random pictures" and {each.dtype for each in mixed} == {expected}
    assert torch.equal(torch.stack(mixed[:2]), given.to(expected)) and torch.equal(mixed[2], first[0])


@pytest.mark.parametrize("sides", [(60, 48), (7, 5)])
def test_pictures_for_turns_that_resample_are_smooth(sides: tuple[int, int]) -> None:
    """Patches of six pixels: neighbours differ by much less than those of noise."""
    (smooth, *_), _ = pictures_of(None, "", sides, subject(resamples=True))
    (noise, *_), _ = pictures_of(None, "", sides, subject())
    assert smooth.shape == noise.shape == (3, *sides)
    assert float(smooth.diff(dim=-1).abs().mean()) < 0.7 * float(noise.diff(dim=-1).abs().mean())
    if sides[0] == 60:
        blocks = torch.nn.functional.avg_pool2d(smooth[None], 6)
        assert float(blocks.diff(dim=-1).abs().mean()) > 3 * float(smooth.diff(dim=-1).abs().mean())


def test_odd_pictures_are_of_many_kinds() -> None:
    pictures = odd_pictures((16, 20), subject(2), torch.float32)
    assert len(pictures) == 13 and all(each.shape == (2, 16, 20) and each.dtype == torch.float32 for each in pictures)
    assert all(torch.isfinite(each).all() for each in pictures)
    means, deviations = [float(each.mean()) for each in pictures], [float(each.std()) for each in pictures]
    assert means[2] == pytest.approx(-2, abs=0.3) and means[3] == pytest.approx(2, abs=0.3)
    assert deviations[0] == pytest.approx(1, abs=0.2) and deviations[1] == pytest.approx(5, abs=1)
    assert deviations[7] == pytest.approx(1 / 9, abs=0.03)
    assert all(0 <= float(each.min()) < float(each.max()) <= 1 for each in pictures[8:])
    few = pictures[4]
    assert set(few.unique().tolist()) == {0.0, 1.0} and 0 < int(few.sum()) < 20 and torch.equal(pictures[5], -few)
    assert float(pictures[6].abs().max()) == pytest.approx(1)
    steps = pictures[6].diff(dim=-1).abs().mean()
    assert float(steps) < 0.5 * float(pictures[6].std())
    again = odd_pictures((16, 20), subject(2), torch.float32)
    assert all(map(torch.equal, pictures, again))
