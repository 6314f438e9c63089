"""The palette: one place for every colour, and colours that are told apart."""

import re

import pytest

from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.figures import style
from tests.support import ROOT

COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl)a?\(\s*\d")
FIGURES = [
    path
    for path in [*(ROOT / "explorer/figures").glob("*.py"), *(ROOT / "explorer/reproduction/figures").glob("*.py")]
    if path.name != "style.py"
]
PALETTE = ("BLUE", "ORANGE", "TEAL", "PURPLE", "GREY", "OCHRE", "VIOLET", "GREEN", "BROWN", "RED")


def colours_in(source: str) -> list[str]:
    """What is written as a colour in a module."""
    return COLOUR.findall(source)


def contrast(one: str, other: str) -> float:
    """From 1 to 21, as the Web Content Accessibility Guidelines define it."""
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """From 0 (black) to 1 (white), of `#rrggbb`."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_figures_take_their_colours_from_the_palette() -> None:
    assert len(FIGURES) > 8
    assert {path.name: found for path in FIGURES if (found := colours_in(path.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize("source", ['line={"color": "#3b72d5"}', 'fillcolor="rgba(128,140,160,0.16)"', '"#fff"'])
def test_a_colour_of_its_own_is_caught(source: str) -> None:
    assert len(colours_in(source)) == 1


@pytest.mark.parametrize("name", PALETTE)
@pytest.mark.parametrize("page", [style.WHITE, style.INK])
def test_colours_are_seen_on_white_and_on_near_black(name: str, page: str) -> None:
    assert contrast(getattr(style, name), page) > 2.5


def test_contrast_is_that_of_the_accessibility_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", style.PALE_AREAS[0]) < 2.5


def test_shades_keep_the_colour_and_give_way_to_what_lies_below() -> None:
    assert style.shade(0.16) == "rgba(128,140,160,0.16)"
    assert style.faint("#2a9d8f", 0.2) == "rgba(42,157,143,0.2)"


@pytest.mark.parametrize("floors", [style.FLOORS, style.INNERMOST])
def test_floors_lie_below_rounding(floors: dict[str, float]) -> None:
    assert floors.keys() == ROUNDING_LEVEL.keys()
    assert all(floors[dtype] < level for dtype, level in ROUNDING_LEVEL.items())
