"""What chance decides in an epoch: the order of the pictures, and how each is cut, mirrored and turned.

All of it is drawn from the recipe's seed and the number of the epoch. So a run that was interrupted needs no state of
a generator, and devices draw alike.
"""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from equivariance.groups.acting import turn_each
from explorer.training.recipe import Recipe

_BORDER = 8  # pixels of a side for each pixel of padding that is added around it before it is cut


@dataclass(frozen=True)
class Draws:
    """For each place in the order of one epoch: which picture, and what is done to it. On the CPU.

    order: (N,) int64, every picture once. angle_deg: (N,) float64, counterclockwise. mirrored: (N,) bool.
    cut_px: (N, 2) int64, how far down and right the cut starts in the padded picture.
    """

    order: Tensor
    angle_deg: Tensor
    mirrored: Tensor
    cut_px: Tensor

    def at(self, start: int, stop: int) -> "Draws":
        """Those of one batch."""
        return Draws(*(values[start:stop] for values in (self.order, self.angle_deg, self.mirrored, self.cut_px)))


def draw(recipe: Recipe, *, pictures: int, epoch: int) -> Draws:
    """The draws of an epoch, counted from 0, over `pictures` pictures."""
    generator = torch.Generator().manual_seed(seed_of(recipe.seed, epoch))
    order = torch.randperm(pictures, generator=generator)
    flips = recipe.mirrors or recipe.augmentation == "crop-flip"
    mirrored = (torch.rand(pictures, generator=generator) < 0.5) & flips
    border_px = border_of(recipe)
    cut_px = torch.randint(0, 2 * border_px + 1, (pictures, 2), generator=generator)
    return Draws(order, _angles(recipe, pictures, generator), mirrored, cut_px)


def seed_of(*numbers: int) -> int:
    """A seed of 63 bits for these numbers in this order."""
    digest = hashlib.sha256(" ".join(map(str, numbers)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def border_of(recipe: Recipe) -> int:
    """Pixels of padding on each side before a picture is cut."""
    return 0 if recipe.augmentation == "none" else max(1, recipe.size_px // _BORDER)


def _angles(recipe: Recipe, count: int, generator: torch.Generator) -> Tensor:
    rotation = recipe.rotations
    if rotation.kind == "quarter":
        return 90.0 * torch.randint(0, 4, (count,), generator=generator).double()
    if rotation.kind == "uniform":
        return 360.0 * torch.rand(count, generator=generator, dtype=torch.float64)
    if rotation.kind == "normal":
        return rotation.mean_deg + rotation.sd_deg * torch.randn(count, generator=generator, dtype=torch.float64)
    return torch.zeros(count, dtype=torch.float64)


def changed(pictures: Tensor, draws: Draws, recipe: Recipe) -> Tensor:
    """The pictures of a batch (B, C, S, S), cut, mirrored left-right, then turned, as drawn; same shape.

    Quarter turns move pixels; other angles resample (bilinear, zero outside).
    """
    if recipe.augmentation != "none":
        pictures = _cut(pictures, draws.cut_px.to(pictures.device), border_of(recipe))
    if draws.mirrored.any():
        is_mirrored = draws.mirrored.to(pictures.device)[:, None, None, None]
        pictures = torch.where(is_mirrored, pictures.flip(-1), pictures)
    if recipe.rotation == "quarter":
        return _quarter_turned(pictures, draws.angle_deg)
    return pictures if recipe.rotation == "none" else turn_each(pictures, draws.angle_deg)


def _cut(pictures: Tensor, cut_px: Tensor, border_px: int) -> Tensor:
    """Padded with black by `border_px`, then cut to the same size from where `cut_px` says."""
    side = torch.arange(pictures.shape[-1], device=pictures.device)
    rows, columns = cut_px[:, 0, None] + side, cut_px[:, 1, None] + side  # (B, S)
    padded = functional.pad(pictures, [border_px] * 4).movedim(1, -1)  # (B, S', S', C)
    which = torch.arange(len(pictures), device=pictures.device)[:, None, None]
    return padded[which, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def _quarter_turned(pictures: Tensor, angle_deg: Tensor) -> Tensor:
    turned = pictures.clone()
    for quarters in (1, 2, 3):
        those = (angle_deg == 90.0 * quarters).nonzero().flatten().to(pictures.device)
        turned[those] = torch.rot90(pictures[those], quarters, (-2, -1))
    return turned
