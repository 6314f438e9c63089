"""What the plots of an orbit share: curves, the sign of each network, and how errors are said. No Streamlit.

Each network has a colour, a symbol and a dash of its own. Filled symbols are exact transforms, open ones resampled.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explorer.figures.style import BLUE, INNERMOST, ORANGE, PURPLE, TEAL, shade
from explorer.studies.orbit import Spread

COLOURS = (BLUE, ORANGE, TEAL, PURPLE)
SYMBOLS = ("circle", "square", "diamond", "triangle-up")
PALE = shade(0.18)


@dataclass(frozen=True)
class OrbitCurve:
    """The errors of one network by name of transform; None where the group has no action. `number` is its style."""

    title: str
    number: int
    errors: Mapping[str, Spread | None]


def cross(number: int) -> dict[str, object]:
    """Properties of a trace that says where there is no action."""
    return {
        "mode": "markers",
        "marker": {"symbol": "x-thin-open", "size": 7, "color": COLOURS[number], "line": {"width": 1.5}},
        "hovertemplate": "the group has no action here<extra></extra>",
    }


def beyond(errors: Sequence[Mapping[str, Spread | None]], baseline: Mapping[float, float], *, at_least: float) -> float:
    """A radius beyond all finite errors."""
    largest = [spread.largest for each in errors for spread in each.values() if spread is not None]
    finite = [error for error in (*largest, *baseline.values()) if math.isfinite(error)]
    return 1.1 * (max([at_least, *finite]) or 1.0)


def within(error: float, lowest: float, top: float) -> float:
    """The error, or the nearer end of the axis."""
    return min(max(error, lowest), top)


def in_words(spread: Spread) -> str:
    """The mean, and the range where there is one: what pointing at a mark says."""
    if spread.smallest == spread.largest:
        return f"{spread.mean:.2e}"
    return f"mean {spread.mean:.2e}, from {spread.smallest:.1e} to {spread.largest:.1e}"


def named_exponents(dtype: str) -> list[int]:
    """The powers of ten that an axis names, 1 the last."""
    return list(range(0, math.floor(math.log10(INNERMOST[dtype])) - 1, -2 if dtype == "float32" else -4))[::-1]


def power(exponent: int) -> str:
    """A power of ten as a label."""
    return f"10<sup>{exponent}</sup>".replace("-", "−") if exponent else "1"
