"""Picture to a tensor of the height and width that a network takes."""

from pathlib import Path
from typing import get_args

import numpy as np
import torch
from PIL import Image

from equivariance.errors import SizeError
from explorer.errors import PictureError, SettingError
from explorer.pictures.images import Fit, Picture, resample_centre, size_inside


def _on_black(image: Image.Image, height_px: int, width_px: int) -> Image.Image:
    """The centre of the picture, each axis cut or padded with black; an odd pixel is cut or added right and below."""
    left, top = int((image.width - width_px) / 2), int((image.height - height_px) / 2)  # int() rounds towards zero
    return image.crop((left, top, left + width_px, top + height_px))


def fit(picture: Picture, *, height_px: int, width_px: int, how: Fit) -> torch.Tensor:
    """The picture at a network's input size: (3, height_px, width_px), float32, 0..1, contiguous.

    resize: the largest centred part with the aspect ratio of the new size, resampled, so that nothing is distorted;
        what is cut off is the same on both sides, to fractions of a pixel.
    crop: the centre, without resampling; a side that is too short is padded with black.
    pad: the whole picture scaled up or down until it just fits in, then padded with black, 0 in each channel.

    Resampling is Pillow's BICUBIC, antialiased where it shrinks; values are rounded to 8 bits and clipped to 0..255.
    When `crop` or `pad` has an odd number of pixels to cut or to add, the extra one is right or below: the picture's
    centre then lies half a pixel left of or above the tensor's after padding, right of or below it after cutting.

    Raises SizeError for a height or width below 1, SettingError for another `how`.
    """
    if height_px < 1 or width_px < 1:
        raise SizeError(
            f"A picture cannot be made {height_px} px high and {width_px} px wide; give at least 1 px each."
        )
    image = Image.fromarray(picture.pixels)
    if how == "resize":
        fitted = resample_centre(image, height_px, width_px)
    elif how == "crop":
        fitted = _on_black(image, height_px, width_px)
    elif how == "pad":
        inside = size_inside(image.size, (width_px, height_px))
        fitted = _on_black(image.resize(inside, Image.Resampling.BICUBIC), height_px, width_px)
    else:
        raise SettingError(f"'{how}' is not a way to fit a picture; choose one of {', '.join(get_args(Fit))}.")
    pixels = torch.from_numpy(np.array(fitted))  # (H, W, 3), uint8
    return pixels.permute(2, 0, 1).contiguous().to(torch.float32) / 255  # (3, H, W)


def write_png(pixels: torch.Tensor, path: Path) -> None:
    """Write (3, H, W), 0..1, as a PNG; raises PictureError where the file cannot be written."""
    rounded = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    try:
        Image.fromarray(rounded).save(path, "PNG")
    except OSError as error:
        raise PictureError(f"{path} cannot be written ({error.strerror or error}): give another path.") from error
