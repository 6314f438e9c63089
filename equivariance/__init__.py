"""Measure, explain and mend the equivariance of convolutional networks.

>>> import torch
>>> import equivariance as eq
>>> eq.check(torch.nn.MaxPool2d(2), 7, channels=1).sentence
'Approximately equivariant to quarter turns at 7 px.'
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equivariance.api import assert_equivariant, check, exact_sizes, predict, regular, scalars
    from equivariance.report import Report

__version__ = "0.1.0"  # of the library and of the app: the one place; CHANGELOG.md and the tag follow it
__all__ = ["Report", "assert_equivariant", "check", "exact_sizes", "predict", "regular", "scalars"]


def __getattr__(name: str) -> Any:
    """The public names, imported when asked for: torch takes seconds, and not every user of a part needs it."""
    if name not in __all__:
        raise AttributeError(f"module 'equivariance' has no attribute {name!r}")
    return getattr(importlib.import_module("equivariance.report" if name == "Report" else "equivariance.api"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
