"""How transforms act on a picture and on feature fields.

Quarter turns, mirrors and shifts by whole pixels move pixels exactly. Every other angle resamples (bilinear, zero
outside) and is only compared inside the disc that fits the grid.
"""

import torch
from torch import Tensor
from torch.nn import functional

from equivariance.errors import TransformError
from equivariance.groups.fields import FieldType, move_pixels
from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import Shift, Transform


def transform_picture(picture: Tensor, transform: Transform) -> Tensor:
    """The transformed picture: (..., C, H, W), or (..., C, W, H) after a quarter turn; about the centre of the grid.

    Raises TransformError for a shift that leaves nothing of the picture.
    """
    if isinstance(transform, Shift):
        return _shift(picture, transform)
    return _move(picture, transform)


def transform_fields(features: Tensor, field_type: FieldType, element: Element) -> Tensor:
    """ρ(g) on space and channels: (B, C, H, W) → (B, C, H', W'), or (B, C) → (B, C) where space is pooled.

    Raises ValueError where `element` has no action on the fields (see `FieldType.has_action`).
    """
    mixed = field_type.act(features, element)
    return _move(mixed, element) if features.dim() == 4 else mixed


def disc_mask(height_px: int, width_px: int, *, device: torch.device | None = None) -> Tensor:
    """(H, W) bool: the pixels whose centres lie in the largest disc about the centre of the grid."""
    rows = torch.arange(height_px, device=device) - (height_px - 1) / 2
    columns = torch.arange(width_px, device=device) - (width_px - 1) / 2
    return rows[:, None] ** 2 + columns[None, :] ** 2 <= (min(height_px, width_px) / 2) ** 2


def _shift(picture: Tensor, shift: Shift) -> Tensor:
    height_px, width_px = picture.shape[-2:]
    down, right = shift.down_px, shift.right_px
    if abs(down) >= height_px or abs(right) >= width_px:
        raise TransformError(
            f"A shift by {down} down and {right} right leaves nothing of a picture of {height_px}×{width_px} px: "
            f"shift by less than its height and width."
        )
    return functional.pad(picture, (right, -right, down, -down))


def turn_each(pictures: Tensor, angles_deg: Tensor) -> Tensor:
    """(B, C, H, W): each picture turned counterclockwise about the centre by its own angle (B,), in degrees.

    Always resampled (bilinear, zero outside), so quarter turns are exact to rounding only.
    """
    return _resampled(pictures, angles_deg, 1.0)


def _move(maps: Tensor, element: Element) -> Tensor:
    if element.moves_pixels:
        return move_pixels(maps, element)
    batch = maps.reshape(-1, *maps.shape[-3:])
    angles = torch.full((len(batch),), element.angle_deg, dtype=torch.float64)
    return _resampled(batch, angles, -1.0 if element.mirrored else 1.0).reshape(maps.shape)


def _resampled(batch: Tensor, angles_deg: Tensor, side: float) -> Tensor:
    """(B, C, H, W), each mirrored left-right where `side` is −1, then turned by its angle."""
    height_px, width_px = batch.shape[-2:]
    angles = torch.deg2rad(angles_deg.double())
    cosine, sine, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    theta = torch.stack(  # where each target pixel (x right, y down, both -1..1) comes from
        [
            torch.stack([side * cosine, -side * sine * height_px / width_px, zero], dim=-1),
            torch.stack([sine * width_px / height_px, cosine, zero], dim=-1),
        ],
        dim=-2,
    )  # (B, 2, 3)
    grid = functional.affine_grid(theta.to(batch.device, batch.dtype), list(batch.shape), align_corners=False)
    return functional.grid_sample(batch, grid, mode="bilinear", align_corners=False)
