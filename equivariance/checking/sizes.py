"""Sides in pixels, as they are passed."""

from typing import Any

import numpy as np
import torch

from equivariance.errors import SizeError


def is_number(value: Any) -> bool:
    """Whether it is a whole number, and not True or False."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def size_of(size: Any) -> tuple[int, int]:
    """(height, width) of a side or a pair; raises SizeError for anything else."""
    sides = tuple(size) if isinstance(size, tuple | list | torch.Size) else (size, size)
    if len(sides) != 2 or not all(is_number(side) and side > 0 for side in sides):
        raise SizeError(f"A size is a side or (height, width) in pixels, and this is {size!r}: pass 33 or (30, 33).")
    return int(sides[0]), int(sides[1])
