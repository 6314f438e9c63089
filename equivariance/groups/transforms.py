"""Transforms by name: elements of O(2) about the centre of the picture, and shifts by whole pixels."""

import re
from dataclasses import dataclass

from equivariance.errors import TransformError
from equivariance.groups.point_groups import D4, Element, PointGroup

_SHIFT = re.compile(r"shift_(-?\d+)_(-?\d+)")
ACCEPTED = "rot90, rot180, rot270, mirror, mirror_rot90, …, rotANGLE in degrees, or shift_DOWN_RIGHT in pixels"


@dataclass(frozen=True)
class Shift:
    """Every pixel moves down and right by whole pixels; vacated pixels are zero, others leave the picture."""

    down_px: int
    right_px: int

    @property
    def name(self) -> str:
        """`shift_DOWN_RIGHT`, as `parse` reads it."""
        return f"shift_{self.down_px}_{self.right_px}"

    @property
    def moves_pixels(self) -> bool:
        """Always: nothing is resampled."""
        return True

    @property
    def swaps_axes(self) -> bool:
        """Never."""
        return False


Transform = Element | Shift


def parse(name: str) -> Transform:
    """The transform called `name`; raises TransformError for a name that cannot be read."""
    shift = _SHIFT.fullmatch(name)
    if shift is not None:
        return Shift(int(shift[1]), int(shift[2]))
    try:
        return Element.parse(name)
    except ValueError:
        raise TransformError(f"The transform {name!r} is not known: use {ACCEPTED}.") from None


def transform_label(transform: Transform) -> str:
    """Short name of a transform for a button: ⟲ 90°, mirror, mirror ⟲ 90°, shift ↓ 2 → 0."""
    if isinstance(transform, Shift):
        down, right = transform.down_px, transform.right_px
        return f"shift {'↑' if down < 0 else '↓'} {abs(down)} {'←' if right < 0 else '→'} {abs(right)}"
    turn = f"⟲ {transform.angle_deg:g}°" if transform.angle_deg or not transform.mirrored else ""
    return " ".join(filter(None, ["mirror" if transform.mirrored else "", turn]))


def label_of(name: str) -> str:
    """A short sign for a transform by its name; the picture itself is "upright"."""
    return "upright" if name == "identity" else transform_label(parse(name))


def elements_to_measure(group: PointGroup) -> tuple[Element, ...]:
    """The pixel-exact elements of `group` but the identity; those of D4 for a group of translations alone.

    None for a group like C3, whose turns all fall between pixels: it promises nothing for quarter turns.
    """
    return (D4 if group.is_trivial else group).pixel_exact_elements[1:]
