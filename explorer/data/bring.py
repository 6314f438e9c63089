"""Pictures of a data set to the size that a network takes: many at once, on any device."""

from functools import lru_cache
from typing import get_args

import torch
from torch import Tensor
from torch.nn import functional

from equivariance.errors import SizeError
from explorer.errors import SettingError
from explorer.pictures.images import Fit


def brought(pictures: Tensor, *, size_px: int, how: Fit) -> Tensor:
    """The pictures at `size_px`: (N, 3, size_px, size_px), float32, 0..1, contiguous, on the pictures' device.

    pictures: (N, C, S, S), uint8, square, C 1 or 3; grey ones get three equal channels.

    resize: resampled to the new side, whether that is larger or smaller.
    crop: never resampled: the centre of larger pictures, black around smaller ones.
    pad: never enlarged, nothing cut off: black around smaller pictures; larger ones are resampled as `resize` does.

    `fitting.fit` does the same but for `pad` of a smaller picture, which it scales up until it fits: on square pictures
    that would be `resize` again. Here crop and pad differ from resize, so that what resampling does to a network can be
    told from what the size does.

    Resampling is bicubic (a = −½), antialiased where it shrinks, along rows and then along columns, and rounded to 8
    bits and clipped after each, as Pillow's is: the values are the same to one grey level. An odd pixel to cut or to
    add is right or below. Raises SizeError for a side below 1, SettingError for another `how`.
    """
    if size_px < 1:
        raise SizeError(f"A picture cannot be made {size_px} px wide and high; give at least 1 px.")
    if how not in get_args(Fit):
        raise SettingError(f"'{how}' is not a way to fit a picture; choose one of {', '.join(get_args(Fit))}.")
    side_px = pictures.shape[-1]
    if how == "resize" or (how == "pad" and side_px > size_px):
        values = pictures.float() if side_px == size_px else _resampled(pictures.float(), size_px)
    else:
        values = _on_black(pictures, size_px).float()
    return (values / 255).expand(-1, 3, -1, -1).contiguous()


def _on_black(pictures: Tensor, size_px: int) -> Tensor:
    """The centre of square pictures, cut or padded with black."""
    before = int((size_px - pictures.shape[-1]) / 2)  # int() rounds towards zero; negative where pixels are cut
    after = size_px - pictures.shape[-1] - before
    return functional.pad(pictures, (before, after, before, after))


def _resampled(values: Tensor, size_px: int) -> Tensor:
    """(N, C, S, S) in 0..255 to the new side, in whole numbers of 0..255."""
    weights = _weights(values.shape[-1], size_px).to(values.device)
    return _eight_bits(weights @ _eight_bits(values @ weights.T))


def _eight_bits(values: Tensor) -> Tensor:
    return (values + 0.5).floor_().clamp_(0, 255)  # a half goes up, as in Pillow


@lru_cache(maxsize=64)
def _weights(side_px: int, size_px: int) -> Tensor:
    """(size_px, side_px): what each new pixel takes of each old one. Products run on every device, alike each time.

    Column j is the answer of torch's own resampling to a lit pixel j.
    """
    lit = torch.eye(side_px, dtype=torch.float64)[None, None]
    resized = functional.interpolate(lit, size=(size_px, side_px), mode="bicubic", antialias=True)
    return resized[0, 0].float()
