"""The stored opening view: shown at once, the same as the live one, and for the opening view alone."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

from explorer.pages.look.opening import stored_sheet
from explorer.pages.look.sheet import Sheet, Shown
from tests.support import ROOT
from tests.support.app_process import running_app

ROUNDING = 1e-4  # of values about 1 in float32, over 60 layers and between machines
TEXTS = (
    "subject",
    "kind",
    "headline",
    "reason",
    "problems",
    "remarks",
    "mends",
    "exact_sizes",
    "sentences",
    "first_broken",
    "before",
    "reasons",
    "answers",
)


@pytest.fixture(scope="module")
def shown() -> Shown:
    """What the app's first page shows once it has measured."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    assert not app.exception
    return app.session_state["shown"]


@pytest.fixture(scope="module")
def stored(shown: Shown) -> Sheet:
    sheet = stored_sheet(shown.view, None)
    assert sheet is not None, "the opening view has changed: run `make opening`"
    return sheet


def header_and_maps(payload: bytes) -> tuple[dict[str, Any], np.ndarray]:
    """The header, and everything after it as float32 (the pictures' bytes read as numbers, too)."""
    length = int.from_bytes(payload[:4], "little")
    return json.loads(payload[4 : 4 + length]), np.frombuffer(payload[4 + length :], dtype="<f4")


def assert_close(stored: Any, live: Any) -> None:
    """Equal but for rounding, at every depth."""
    if isinstance(stored, dict):
        assert stored.keys() == live.keys()
        stored, live = list(stored.values()), list(live.values())
    if isinstance(stored, list):
        assert len(stored) == len(live)
        for one, other in zip(stored, live, strict=True):
            assert_close(one, other)
    elif isinstance(stored, float):
        assert live == pytest.approx(stored, abs=ROUNDING, rel=ROUNDING)
    else:
        assert stored == live


def test_stored_texts_are_the_live_ones(stored: Sheet, shown: Shown) -> None:
    assert {name: getattr(stored, name) for name in TEXTS} == {name: getattr(shown.sheet, name) for name in TEXTS}
    assert {field.name for field in fields(Sheet)} - set(TEXTS) == {"made", "errors", "logits", "payload"}


@pytest.mark.parametrize("chart", ["errors", "logits"])
def test_stored_charts_are_the_live_ones_but_for_rounding(stored: Sheet, shown: Shown, chart: str) -> None:
    assert_close(getattr(stored, chart).figure, getattr(shown.sheet, chart).figure)


def test_stored_maps_are_the_live_ones_but_for_rounding(stored: Sheet, shown: Shown) -> None:
    (header, maps), (live_header, live_maps) = header_and_maps(stored.payload), header_and_maps(shown.sheet.payload)

    assert {**header, "nonce": ""}.keys() == {**live_header, "nonce": ""}.keys()
    assert_close({**header, "nonce": ""}, {**live_header, "nonce": ""})
    np.testing.assert_allclose(maps, live_maps, atol=ROUNDING, rtol=ROUNDING)


def test_comparison_tells_two_views_apart(stored: Sheet) -> None:
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    other.query_params["seed"] = "1"
    live = other.run().session_state["shown"].sheet

    with pytest.raises(AssertionError):
        assert_close(stored.errors.figure, live.errors.figure)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(
            header_and_maps(stored.payload)[1], header_and_maps(live.payload)[1], atol=ROUNDING, rtol=ROUNDING
        )


@pytest.mark.parametrize("parameters", [{"size": "33"}, {"picture": "cat"}, {"seed": "1"}, {"group": "D4"}], ids=str)
def test_another_view_is_not_shown_from_the_store(parameters: dict[str, str]) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in parameters.items():
        app.query_params[name] = value
    assert stored_sheet(app.run().session_state["shown"].view, None) is None


def test_another_layer_is_not_shown_from_the_store(shown: Shown) -> None:
    assert stored_sheet(shown.view, "stem.conv") is None


def test_first_screen_needs_no_torch() -> None:
    modules = ["look.controls", "look.sheet", "look.opening", "widgets.layer_view", "widgets.charts", "session.shared"]
    code = f"""
import sys
for module in {modules}:
    __import__(f"explorer.pages.{{module}}")
print("torch" in sys.modules, "escnn" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert run.stdout.split() == ["False", "False"]


def test_the_first_visitor_sees_the_stored_result_and_then_the_live_one(browser: Browser, tmp_path: Path) -> None:
    with running_app(ROOT / "app.py", tmp_path / "app.log") as url:  # one that has measured nothing yet
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        check_that_the_live_result_follows(page)
        page.close()


def check_that_the_live_result_follows(page: Page) -> None:
    expect(page.get_by_text("Stored result, being measured live")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("heading", name="Approximately equivariant to quarter turns at 32 px")).to_be_visible()
    expect(page.get_by_text("CPU · ").or_(page.get_by_text("GPU · "))).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Stored result")).to_have_count(0)
