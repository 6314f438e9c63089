"""Where each pixel goes when a picture is brought to a network's size."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from equivariance.errors import SizeError
from explorer.errors import PictureError, SettingError
from explorer.pictures.fitting import fit, write_png
from explorer.pictures.images import Fit, Picture, thumbnail_png
from tests.support.file_parts import BLUE, GREEN, RED, WHITE, Pixels, noise, numbered

WAYS: tuple[Fit, ...] = ("resize", "crop", "pad")


def bytes_of(tensor: torch.Tensor) -> Pixels:
    """(3, H, W) in 0..1 back to (H, W, 3) in 0..255."""
    return (tensor * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(("height_px", "width_px"), [(8, 8), (9, 13), (16, 7), (1, 1), (40, 60)])
def test_fit_gives_float32_of_the_size_that_was_asked_for(how: Fit, height_px: int, width_px: int) -> None:
    tensor = fit(Picture("noise", noise(21, 30)), height_px=height_px, width_px=width_px, how=how)
    assert tensor.shape == (3, height_px, width_px)
    assert tensor.dtype == torch.float32 and tensor.is_contiguous()
    assert tensor.min() >= 0 and 0.2 < tensor.max() <= 1


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("size", [(8, 8), (9, 14), (33, 12)])
def test_fit_to_its_own_size_is_identity(how: Fit, size: tuple[int, int]) -> None:
    pixels = noise(*size)
    tensor = fit(Picture("noise", pixels), height_px=size[0], width_px=size[1], how=how)
    assert torch.equal(tensor, torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 255))


@pytest.mark.parametrize("how", WAYS)
def test_fit_is_deterministic(how: Fit) -> None:
    picture = Picture("noise", noise(50, 41))
    first, second = (fit(picture, height_px=32, width_px=32, how=how) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("how", WAYS)
def test_fit_does_not_share_memory_with_the_picture(how: Fit) -> None:
    picture = Picture("noise", noise(8, 8))
    fit(picture, height_px=8, width_px=8, how=how).zero_()
    assert np.array_equal(picture.pixels, noise(8, 8))


@pytest.mark.parametrize(("height_px", "width_px"), [(0, 8), (8, 0), (-1, 8)])
def test_fit_refuses_sizes_below_one(height_px: int, width_px: int) -> None:
    with pytest.raises(SizeError) as refusal:
        fit(Picture("noise", noise(8, 8)), height_px=height_px, width_px=width_px, how="resize")
    assert f"{height_px} px high and {width_px} px wide" in str(refusal.value)


def test_fit_refuses_an_unknown_way_and_names_the_ways() -> None:
    with pytest.raises(SettingError) as refusal:
        fit(Picture("noise", noise(8, 8)), height_px=8, width_px=8, how="stretch")  # type: ignore[arg-type]
    assert "'stretch'" in str(refusal.value) and "resize, crop, pad" in str(refusal.value)


@pytest.mark.parametrize(("old", "new"), [((40, 60), (20, 30)), ((30, 30), (17, 17)), ((20, 30), (50, 75))])
def test_resize_agrees_with_antialiased_bicubic_of_torch(old: tuple[int, int], new: tuple[int, int]) -> None:
    pixels = noise(*old) // 2 + 64  # Pillow clips between its two passes, which these values never need
    source = torch.from_numpy(pixels).permute(2, 0, 1)[None].double()  # (1, 3, H, W)
    oracle = torch.nn.functional.interpolate(source, size=new, mode="bicubic", antialias=True)[0].clamp(0, 255)
    tensor = fit(Picture("noise", pixels), height_px=new[0], width_px=new[1], how="resize")
    # Each pass rounds by up to 0.5, and the weights of the second, up to 1.25 in absolute sum, enlarge the first.
    assert (tensor * 255 - oracle).abs().max() <= 0.5 * 1.25 + 0.5 + 1e-4


@pytest.mark.parametrize("across", [True, False])
def test_resize_keeps_the_centre_third_of_a_picture_three_times_as_long(across: bool) -> None:
    pixels = np.zeros((10, 30, 3), dtype=np.uint8)
    pixels[:, :10], pixels[:, 10:20], pixels[:, 20:] = RED, GREEN, BLUE
    pixels = pixels if across else pixels.transpose(1, 0, 2)
    fitted = bytes_of(fit(Picture("flag", pixels), height_px=10, width_px=10, how="resize"))
    assert (fitted == GREEN).all()


@pytest.mark.parametrize(("height_px", "width_px"), [(20, 20), (10, 10), (16, 8), (7, 5), (40, 60)])
def test_resize_does_not_distort_and_keeps_the_centre(height_px: int, width_px: int) -> None:
    # A slope of 4 grey levels a pixel to the right and 3 downwards: resampling by s makes both slopes s times as steep
    # and leaves the value at the centre alone.
    rows, columns = np.mgrid[0:24, 0:36]
    pixels = np.stack([columns * 4, rows * 3, columns * 0 + 50], axis=2).astype(np.uint8)
    fitted = fit(Picture("slope", pixels), height_px=height_px, width_px=width_px, how="resize") * 255
    scale = min(24 / height_px, 36 / width_px)
    across = (17.5 + (torch.arange(width_px) - (width_px - 1) / 2) * scale) * 4
    down = (11.5 + (torch.arange(height_px) - (height_px - 1) / 2) * scale) * 3
    inner = slice(3, -3) if scale < 1 else slice(1, -1)  # the filter is one-sided at the edges
    assert (fitted[0] - across)[:, inner].abs().max() <= 1.5
    assert (fitted[1] - down[:, None])[inner].abs().max() <= 1.5
    assert (fitted[2] == 50).all()


def padded_or_cut(length_px: int, wanted_px: int) -> list[int]:
    """The number (from 1) of the source pixel of each pixel of the result, 0 for black; the extra one at the end."""
    source = [*range(1, length_px + 1)]
    while len(source) > wanted_px:
        source = source[:-1] if (len(source) - wanted_px) % 2 else source[1:]
    while len(source) < wanted_px:
        source = [*source, 0] if (wanted_px - len(source)) % 2 else [0, *source]
    return source


def test_the_oracle_cuts_and_pads_the_extra_pixel_at_the_end() -> None:
    assert padded_or_cut(5, 4) == [1, 2, 3, 4] and padded_or_cut(5, 2) == [2, 3]
    assert padded_or_cut(2, 5) == [0, 1, 2, 0, 0] and padded_or_cut(2, 4) == [0, 1, 2, 0]


@pytest.mark.parametrize("height_px", [1, 4, 8, 9, 10, 11, 16])
@pytest.mark.parametrize("width_px", [1, 5, 9, 12, 13, 14, 17])
@pytest.mark.parametrize("source_px", [(9, 12), (10, 13)])
def test_crop_moves_each_pixel_where_it_should(source_px: tuple[int, int], height_px: int, width_px: int) -> None:
    fitted = bytes_of(
        fit(Picture("numbered", numbered(*source_px)), height_px=height_px, width_px=width_px, how="crop")
    )
    rows, columns = np.array(padded_or_cut(source_px[0], height_px)), np.array(padded_or_cut(source_px[1], width_px))
    inside = (rows[:, None] > 0) & (columns[None, :] > 0)
    expected = np.stack([inside * rows[:, None], inside * columns[None, :], inside * 255], axis=2)
    assert np.array_equal(fitted, expected)


@pytest.mark.parametrize(
    ("source_px", "wanted_px", "rows", "columns"),
    [
        ((10, 20), (20, 20), slice(5, 15), slice(0, 20)),  # even leftover
        ((10, 20), (21, 20), slice(5, 15), slice(0, 20)),  # odd leftover: 5 above, 6 below
        ((20, 10), (20, 21), slice(0, 20), slice(5, 15)),  # odd leftover: 5 left, 6 right
        ((10, 20), (10, 10), slice(2, 7), slice(0, 10)),  # shrunk to 5 × 10: 2 above, 3 below
        ((8, 8), (16, 20), slice(0, 16), slice(2, 18)),  # enlarged to 16 × 16
        ((8, 8), (19, 16), slice(1, 17), slice(0, 16)),  # enlarged to 16 × 16: 1 above, 2 below
        ((12, 8), (9, 9), slice(0, 9), slice(1, 7)),  # shrunk to 9 × 6: 1 left, 2 right
        ((8, 2000), (9, 9), slice(4, 5), slice(0, 9)),  # shrunk to a line, which is never lost
    ],
)
def test_pad_keeps_the_whole_picture_and_puts_the_extra_row_or_column_last(
    source_px: tuple[int, int], wanted_px: tuple[int, int], rows: slice, columns: slice
) -> None:
    plain_pixels = np.full((*source_px, 3), (200, 100, 50), dtype=np.uint8)
    fitted = bytes_of(fit(Picture("plain", plain_pixels), height_px=wanted_px[0], width_px=wanted_px[1], how="pad"))
    expected = np.zeros((*wanted_px, 3), dtype=np.uint8)
    expected[rows, columns] = (200, 100, 50)
    assert np.array_equal(fitted, expected)


def test_pad_keeps_all_four_corners_of_the_picture() -> None:
    pixels = np.zeros((40, 80, 3), dtype=np.uint8)
    pixels[:20, :20], pixels[:20, -20:], pixels[-20:, :20], pixels[-20:, -20:] = RED, GREEN, BLUE, WHITE
    fitted = bytes_of(fit(Picture("corners", pixels), height_px=20, width_px=20, how="pad"))  # on rows 5 to 14
    corners = [fitted[5, 0], fitted[5, 19], fitted[14, 0], fitted[14, 19]]
    assert np.array_equal(corners, [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize("make", [lambda: noise(40, 61), lambda: noise(8, 8), lambda: noise(100, 20)])
def test_a_thumbnail_is_the_png_of_the_resized_picture(make: Callable[[], Pixels]) -> None:
    picture = Picture("noise", make())
    data = thumbnail_png(picture, side_px=24)
    with Image.open(io.BytesIO(data), formats=("PNG",)) as tile:
        assert tile.size == (24, 24) and tile.mode == "RGB"
        assert np.array_equal(np.asarray(tile), bytes_of(fit(picture, height_px=24, width_px=24, how="resize")))
    assert data == thumbnail_png(picture, side_px=24)


def test_a_thumbnail_is_one_pixel_at_least() -> None:
    with Image.open(io.BytesIO(thumbnail_png(Picture("red", np.full((3, 3, 3), RED, np.uint8)), side_px=1))) as tile:
        assert (tile.size, tile.getpixel((0, 0))) == ((1, 1), RED)
    with pytest.raises(SizeError, match="0 px a side; give at least 1 px"):
        thumbnail_png(Picture("red", np.full((3, 3, 3), RED, np.uint8)), side_px=0)


def test_resize_of_a_tall_or_a_wide_picture_takes_the_middle_of_its_long_side() -> None:
    tall = noise(41, 21)
    for pixels, axis in ((tall, 0), (tall.transpose(1, 0, 2).copy(), 1)):
        fitted = bytes_of(fit(Picture("noise", pixels), height_px=21, width_px=21, how="resize"))
        assert np.array_equal(fitted, pixels.take(range(10, 31), axis=axis))  # nothing to resample


def test_a_written_picture_is_read_again_with_its_values_rounded_and_clipped(tmp_path: Path) -> None:
    pixels = noise(5, 7)
    tensor = torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 255)
    tensor[:, 0, 0] = torch.tensor([-0.5, 1.5, 100.4 / 255])
    write_png(tensor, tmp_path / "picture.png")

    with Image.open(tmp_path / "picture.png", formats=("PNG",)) as image:
        written = np.asarray(image)
    assert written[0, 0].tolist() == [0, 255, 100]
    assert np.array_equal(written.reshape(-1, 3)[1:], pixels.reshape(-1, 3)[1:])


def test_a_picture_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"cannot be written \(.+\): give another path\.$"):
        write_png(torch.zeros(3, 2, 2), tmp_path / "nowhere" / "picture.png")
