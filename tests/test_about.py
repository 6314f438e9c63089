"""The About page: its drawings against NumPy, its words against the README, and what a visitor's browser shows."""

import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from explorer.drawing import TURNS, describe, draw_grid, headline, sampled_grid
from explorer.exactness import Structure, predict
from explorer.glossary import SOURCES, TERMS
from models.build import serve
from models.catalog import spec

ROOT = Path(__file__).parents[1]
PAINT_LIMIT_MS = 60_000
PAGES = f"""
from pathlib import Path
import streamlit as st

pages = Path({str(ROOT)!r}) / "explorer" / "pages"
st.navigation([st.Page(pages / "about.py", title="About", default=True), st.Page(pages / "look.py")]).run()
"""


@pytest.fixture(scope="module")
def about() -> AppTest:
    return AppTest.from_string(PAGES, default_timeout=60).run()


def section(name: str) -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8").split(f"\n## {name}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("side_px", range(3, 17))
def test_places_on_the_transform_are_those_that_numpy_moves_there(side_px: int, turn: str) -> None:
    quarter_turns, mirrored = TURNS[turn]
    rows_and_columns = np.stack(np.mgrid[:side_px, :side_px], axis=-1)
    moved = np.rot90(rows_and_columns[:, ::-1] if mirrored else rows_and_columns, quarter_turns)
    starts = range(0, side_px - 2, 2)

    grid = sampled_grid(side_px, turn)

    assert grid.upright == tuple((row + 1, column + 1) for row in starts for column in starts)
    assert grid.returned == tuple(tuple(moved[row + 1, column + 1]) for row in starts for column in starts)
    assert grid.agrees == (side_px % 2 == 1)


def test_a_drawing_says_what_it_shows() -> None:
    grid = sampled_grid(8, "⟲ 90°")

    drawing = ElementTree.fromstring(draw_grid(grid))

    assert drawing.get("role") == "img"
    assert [part.text for part in drawing[:2]] == [headline(grid), describe(grid)]
    assert [part.get("id") for part in drawing[:2]] == drawing.get("aria-labelledby").split()
    shapes = [part.get("class") for part in drawing]
    assert (shapes.count("dot"), shapes.count("ring"), shapes.count("window"), shapes.count("pixel")) == (9, 9, 3, 64)
    assert sum("hatch" in (part.get("style") or "") for part in drawing) == 15  # one row and one column of 8 × 8


def test_one_pixel_more_lets_the_windows_fit() -> None:
    assert headline(sampled_grid(8, "mirror")) == "8 px: one row and one column left over"
    assert describe(sampled_grid(8, "mirror")).endswith("sampled 1 px beside the places of the picture.")
    assert headline(sampled_grid(9, "mirror")) == "9 px: the windows fit"
    assert describe(sampled_grid(9, "mirror")).endswith("sampled at the same places.")


def test_the_readme_has_the_same_words() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", section("Words"), flags=re.MULTILINE)

    assert rows == [("word", "meaning"), *((term.word, term.meaning) for term in TERMS)]


def test_the_readme_has_the_same_sources() -> None:
    text = re.sub(r"\s+", " ", section("Sources and licence"))

    assert [source.title for source in SOURCES if source.markdown not in text] == []
    assert text.count("arxiv.org/abs/") == len(SOURCES)


def test_the_page_shows_every_word_source_and_credit(about: AppTest) -> None:
    shown = "\n".join(text.value for text in about.markdown)

    assert not about.exception
    assert [term.word for term in TERMS if f"**{term.word}** | {term.meaning}" not in shown] == []
    assert [source.title for source in SOURCES if source.markdown not in shown] == []
    assert "Stéfan van der Walt" in shown and "SIL Open Font License" in shown
    assert "Apache License 2.0" in shown


def test_every_control_has_an_explanation(about: AppTest) -> None:
    assert [control.label for control in about.segmented_control if not control.help] == []


def test_the_page_opens_without_torch() -> None:
    program = f"""
import sys
from streamlit.testing.v1 import AppTest
assert not AppTest.from_string({PAGES!r}, default_timeout=60).run().exception
sys.exit("torch" in sys.modules)
"""

    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


@cache
def structure(name: str) -> Structure:
    chosen = spec(name, minimum_width=True)
    return Structure(serve(chosen), chosen.point_group)


@pytest.mark.parametrize(
    ("network", "size_px", "verdict", "broken"),
    [
        ("p4-resnet18", 32, "approximate", 6),
        ("p4-resnet18", 33, "exact", 0),
        ("p4-cnn", 29, "approximate", 1),
    ],
)
def test_what_the_links_promise_is_so(network: str, size_px: int, verdict: str, broken: int) -> None:
    prediction = predict(structure(network), height_px=size_px, width_px=size_px)

    assert (prediction.verdict, len(prediction.broken_layers)) == (verdict, broken)


def test_a_link_opens_its_view_on_the_look_page(open_page: Callable[..., Page]) -> None:
    page = open_page("/about")

    page.get_by_role("link", name="ResNet-18 at 33 px").click()

    heading = page.get_by_role("heading", name="Exactly equivariant to quarter turns at 33 px")
    expect(heading).to_be_visible(timeout=PAINT_LIMIT_MS)


def test_the_drawing_follows_the_chosen_transform(open_page: Callable[..., Page]) -> None:
    page = open_page("/about")
    first_ring = page.locator(".drawings .ring").first
    expect(first_ring).to_be_visible(timeout=PAINT_LIMIT_MS)
    upright = first_ring.get_attribute("cy")

    page.get_by_text("⟲ 180°", exact=True).click()

    expect(first_ring).not_to_have_attribute("cy", str(upright))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_wider_than_a_phone(open_page: Callable[..., Page], dark: bool) -> None:
    page = open_page("/about", width_px=390, height_px=844, dark=dark)
    expect(page.locator(".drawings svg")).to_have_count(2, timeout=PAINT_LIMIT_MS)

    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    assert page.locator(".drawings .headline").first.evaluate("e => e.getBoundingClientRect().height") >= 12
