"""The pictures that a network is measured on."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from equivariance.checking.sizes import is_number
from equivariance.checking.subject import Subject
from equivariance.errors import EquivarianceError, SizeError, first_line, kind_of

RANDOM_PICTURES = 3
_SEED = 20230816
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")


def read_picture(picture: Any) -> tuple[Any, str]:
    """(tensor (B, C, H, W), PIL image or, for a size, None; in words what it is)."""
    if is_number(picture) or isinstance(picture, tuple | list):
        return None, ""
    if isinstance(picture, Tensor):
        if picture.dim() not in (3, 4) or min(picture.shape) < 1:
            raise SizeError(
                f"A picture is a tensor (C, H, W) or (B, C, H, W), and this is of shape {tuple(picture.shape)}."
            )
        batch = picture.detach().cpu() if picture.dim() == 4 else picture.detach().cpu()[None]
        if not batch.is_floating_point():
            batch = batch.double() / 255 if batch.dtype == torch.uint8 else batch.double()
        if not bool(torch.isfinite(batch).all()):
            raise SizeError("The picture holds NaN or infinity: pass one of finite numbers.")
        return batch, "your picture" if len(batch) == 1 else f"your {len(batch)} pictures"
    if isinstance(picture, str | Path):
        return _opened(Path(picture)), Path(picture).name
    if hasattr(picture, "convert") and hasattr(picture, "mode"):
        return picture, "your picture"
    raise SizeError(
        f"A picture is a side, (height, width), a tensor, a PIL image or a path, and this is {kind_of(picture)}."
    )


def _opened(path: Path) -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise EquivarianceError("Pictures from files need Pillow: pip install pillow") from None
    try:
        image = Image.open(path, formats=_FORMATS)
        image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SizeError(f"{path.name} cannot be read as a picture: {first_line(error)}") from None
    return image


def sides_of(given: Any) -> tuple[int, int]:
    """(height, width) of a tensor or an image."""
    if isinstance(given, Tensor):
        return int(given.shape[-2]), int(given.shape[-1])
    return int(given.height), int(given.width)


def channels_of(given: Any) -> int | None:
    """Of a tensor; None of an image, which is brought to those of the network."""
    return int(given.shape[-3]) if isinstance(given, Tensor) else None


def pictures_of(given: Any, source: str, sides: tuple[int, int], subject: Subject) -> tuple[list[Tensor], str]:
    """(pictures (C, H, W) to measure on, in words what they are): the given ones, and random ones beside them."""
    dtype = torch.float64 if subject.dtype == "float64" else torch.float32
    if given is None:
        return _random(RANDOM_PICTURES, sides, subject, dtype), f"{RANDOM_PICTURES} random pictures"
    batch = given if isinstance(given, Tensor) else _tensor_of_image(given, subject.channels)
    if batch.shape[1] != subject.channels:
        raise SizeError(
            f"The picture is of shape {tuple(batch.shape)}, and channels={subject.channels}: pass one that fits."
        )
    return [*batch.to(dtype), *_random(2, sides, subject, dtype)], f"{source} and 2 random pictures"


def _tensor_of_image(image: Any, channels: int) -> Tensor:
    """(1, C, H, W), 0..1, in grey, colour, or colour with transparency, as the network takes it."""
    modes = {1: "L", 3: "RGB", 4: "RGBA"}
    if channels not in modes:
        raise SizeError(
            f"The network takes {channels} channels, and an image has 1, 3 or 4: pass a tensor ({channels}, H, W)."
        )
    pixels = np.asarray(image.convert(modes[channels]), dtype=np.float64) / 255
    return torch.from_numpy(pixels.reshape(image.height, image.width, channels)).permute(2, 0, 1)[None]


def _random(count: int, sides: tuple[int, int], subject: Subject, dtype: torch.dtype) -> list[Tensor]:
    """Pictures 0..1; for turns that resample, of a few large patches, which resampling changes little."""
    generator = torch.Generator().manual_seed(_SEED)
    there = sides if subject.elements else (max(2, sides[0] // 6), max(2, sides[1] // 6))
    drawn = torch.rand((count, subject.channels, *there), generator=generator, dtype=torch.float64)
    if not subject.elements:
        drawn = functional.interpolate(drawn, size=sides, mode="bicubic", align_corners=False)
    return list(drawn.to(dtype))


def odd_pictures(sides: tuple[int, int], subject: Subject, dtype: torch.dtype) -> list[Tensor]:
    """Pictures of other kinds, for networks that theory cannot decide: large or negative numbers, few pixels, waves."""
    generator = torch.Generator().manual_seed(_SEED + 1)
    shape = (subject.channels, *sides)
    noise = [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(8)]
    few = (torch.rand(shape, generator=generator, dtype=torch.float64) < 3 / math.prod(sides)).double()
    summed = torch.cumsum(torch.cumsum(noise[3], -1), -2)
    pictures = [
        noise[0],
        5 * noise[1],
        noise[2] - 2,
        noise[4] + 2,
        few,
        -few,
        summed / summed.abs().max(),
        noise[5] / 9,
        *torch.rand((5, *shape), generator=generator, dtype=torch.float64),
    ]
    return [each.to(dtype) for each in pictures]
