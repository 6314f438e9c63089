"""Many pictures to a network's size: as one is fitted, and where `pad` and `crop` leave the pixels alone."""

from pathlib import Path

import numpy as np
import pytest
import torch

from equivariance.errors import SizeError
from explorer.data.bring import brought
from explorer.data.datasets import load
from explorer.errors import SettingError
from explorer.pictures.fitting import fit
from explorer.pictures.images import Fit, Picture
from tests.support.file_parts import noise, numbered


def batch(pixels: np.ndarray) -> torch.Tensor:
    """(H, W, 3) or (H, W) to (1, C, H, W)."""
    return torch.from_numpy(np.atleast_3d(pixels).transpose(2, 0, 1).copy())[None]


def source_of(side_px: int, size_px: int) -> list[int]:
    """Number from 1 of the source pixel of each pixel along an axis, 0 for black; the odd one goes at the end."""
    source = [*range(1, side_px + 1)]
    while len(source) > size_px:
        source = source[:-1] if (len(source) - size_px) % 2 else source[1:]
    while len(source) < size_px:
        source = [*source, 0] if (size_px - len(source)) % 2 else [0, *source]
    return source


@pytest.mark.parametrize("size_px", [8, 14, 27, 28, 29, 33, 56])
def test_resize_is_what_fitting_does_to_a_real_digit_to_one_grey_level(size_px: int, tmp_path: Path) -> None:
    digits = load("mnist-12k", folder=tmp_path).test.pictures[:200]
    found = brought(digits, size_px=size_px, how="resize")
    for digit, pixels in zip(found[:50], digits[:50, 0].numpy(), strict=True):
        expected = fit(
            Picture("digit", np.stack([pixels] * 3, axis=2)), height_px=size_px, width_px=size_px, how="resize"
        )
        difference = (digit - expected).abs() * 255
        assert difference.max() <= 1.001 and (difference > 0.5).float().mean() < 0.005
    assert found.shape == (200, 3, size_px, size_px) and found.dtype == torch.float32 and found.is_contiguous()


@pytest.mark.parametrize("size_px", [9, 33, 64])
def test_resize_of_colours_is_what_fitting_does_to_one_grey_level(size_px: int) -> None:
    pixels = noise(32, 32)
    found = brought(batch(pixels), size_px=size_px, how="resize")[0]
    expected = fit(Picture("noise", pixels), height_px=size_px, width_px=size_px, how="resize")
    assert (found - expected).abs().max() * 255 <= 1.001
    assert torch.equal(found, (found * 255).round() / 255)


def test_resampling_without_rounding_between_its_passes_would_be_told_apart(tmp_path: Path) -> None:
    digits = load("mnist-12k", folder=tmp_path).test.pictures[:50]
    torchs = torch.nn.functional.interpolate(digits.float(), size=(29, 29), mode="bicubic", antialias=True)
    found = brought(digits, size_px=29, how="resize")[:, :1] * 255
    assert (torchs.round().clamp(0, 255) - found).abs().max() > 5, "Pillow clips between its passes: digits overshoot"


@pytest.mark.parametrize("how", ["crop", "pad"])
@pytest.mark.parametrize("size_px", [28, 29, 30, 33])
def test_crop_and_pad_put_black_around_smaller_pictures_and_move_each_pixel_where_it_should(
    how: Fit, size_px: int
) -> None:
    found = (brought(batch(numbered(28, 28)), size_px=size_px, how=how)[0] * 255).round()
    source = torch.tensor(source_of(28, size_px))
    inside = (source[:, None] > 0) & (source[None, :] > 0)
    assert torch.equal(found[0], (inside * source[:, None]).float())
    assert torch.equal(found[1], (inside * source[None, :]).float())
    assert torch.equal(found[2], inside * 255.0)


@pytest.mark.parametrize("size_px", [1, 8, 26, 27])
def test_crop_cuts_the_centre_out_and_pad_shrinks_as_resize_does(size_px: int) -> None:
    pictures = batch(numbered(28, 28))
    found = (brought(pictures, size_px=size_px, how="crop")[0] * 255).round()
    source = torch.tensor(source_of(28, size_px))
    assert torch.equal(found[0], source[:, None].expand(-1, size_px).float())
    assert torch.equal(found[1], source[None, :].expand(size_px, -1).float())
    assert torch.equal(brought(pictures, size_px=size_px, how="pad"), brought(pictures, size_px=size_px, how="resize"))


@pytest.mark.parametrize("how", ["resize", "crop", "pad"])
def test_bringing_to_its_own_size_is_identity_and_grey_gets_three_channels(how: Fit) -> None:
    pictures = torch.from_numpy(noise(16, 16)).permute(2, 0, 1)[:, None].contiguous()  # three grey pictures
    found = brought(pictures, size_px=16, how=how)
    assert torch.equal(found, (pictures.float() / 255).repeat(1, 3, 1, 1))
    found.zero_()
    assert pictures.any()


def test_a_size_below_one_and_an_unknown_way_are_refused() -> None:
    with pytest.raises(SizeError, match="0 px wide"):
        brought(batch(noise(8, 8)), size_px=0, how="resize")
    with pytest.raises(SettingError, match="'stretch' is not a way"):
        brought(batch(noise(8, 8)), size_px=8, how="stretch")  # type: ignore[arg-type]
