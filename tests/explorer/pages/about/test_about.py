"""The About page: its drawings against NumPy, its words against the README, and what a visitor's browser shows."""

import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from equivariance.theory.exactness import Structure, predict
from explorer.pages.about.glossary import SOURCES, TERMS
from models.build import serve
from models.catalog import spec
from tests.support import ROOT

PAINT_LIMIT_MS = 60_000
PAGES = f"""
from pathlib import Path
import streamlit as st

pages = Path({str(ROOT)!r}) / "explorer" / "pages"
about = st.Page(pages / "about" / "page.py", title="About", default=True)
st.navigation([about, st.Page(pages / "look" / "page.py", url_path="look")]).run()
"""


@pytest.fixture(scope="module")
def about() -> AppTest:
    return AppTest.from_string(PAGES, default_timeout=60).run()


def section(name: str) -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8").split(f"\n## {name}\n")[1].split("\n## ")[0]


def test_the_example_leaves_a_pixel_over_at_8_px_and_fits_at_9_px(about: AppTest) -> None:
    shown = "\n".join(text.value for text in about.markdown)

    assert (
        "**8 px**: 3 windows a side, kernel 3, stride 2, remainder 1, displacement −½ px. "
        "The transform (⟲ 90°) is sampled at places shifted by 1 px along the width." in shown
    )
    assert (
        "**9 px**: 4 windows a side, kernel 3, stride 2, remainder 0, displacement 0 px. "
        "The picture and its transform (⟲ 90°) are sampled at the same places." in shown
    )


def test_a_chosen_transform_is_drawn(about: AppTest) -> None:
    half_turn = about.segmented_control(key="about-turn").set_value("rot180").run()

    assert any("1 px along the height and 1 px along the width" in text.value for text in half_turn.markdown)


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


def test_headlines_of_the_drawings_can_be_read_on_a_phone(open_page: Callable[..., Page]) -> None:
    page = open_page("/about", width_px=390, height_px=844)
    expect(page.locator(".drawings svg")).to_have_count(2, timeout=PAINT_LIMIT_MS)

    assert page.locator(".drawings .headline").first.evaluate("e => e.getBoundingClientRect().height") >= 12
