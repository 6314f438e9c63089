"""What of a picture limits what it can show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equivariance.groups.acting import transform_picture
from equivariance.groups.point_groups import Element


@dataclass(frozen=True)
class PictureFacts:
    """What of a picture limits what it can show.

    contrast: the root of the mean square of its pixels without the mean of each channel, 0..1. changes: by element,
    ‖g·x − x‖₂ / ‖x − mean(x)‖₂, infinite where the sides change places.
    """

    is_black: bool
    contrast: float
    changes: dict[str, float]

    @property
    def is_constant(self) -> bool:
        """Whether each channel has one value alone."""
        return self.contrast == 0.0


def facts_of(picture: Tensor, elements: Sequence[Element]) -> PictureFacts:
    """The facts of a picture (C, H, W) under those of `elements` that move pixels to pixels."""
    pixels = picture.double()
    is_constant = bool((pixels == pixels[:, :1, :1]).all())
    centred = pixels - pixels.mean((-2, -1), keepdim=True)
    length = 0.0 if is_constant else float(torch.linalg.vector_norm(centred))
    changes = {}
    for element in elements:
        if element.moves_pixels:
            moved = transform_picture(pixels, element)
            same_sides = moved.shape == pixels.shape
            change = float(torch.linalg.vector_norm(moved - pixels)) if same_sides else math.inf
            changes[element.name] = change / length if length and change else change
    return PictureFacts(bool((pixels == 0).all()), length / max(pixels.numel(), 1) ** 0.5, changes)
