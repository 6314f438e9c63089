"""The layer view outside Streamlit: a document, the package's script and style, and a payload."""

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from explorer.layer_view import BROWSER_FOLDER, THEME_VARIABLES, script, style
from explorer.layer_view.packing import pack_view
from tests.support.views import view_of

THEME = {
    "--st-background-color": "#ffffff",
    "--st-secondary-background-color": "#f5f7fa",
    "--st-text-color": "rgb(1, 2, 3)",
    "--st-border-color": "#d5dae2",
    "--st-primary-color": "#2561c8",
    "--st-font": "sans-serif",
    "--st-code-font": "monospace",
    "--st-chart-sequential-colors": ",".join(f"#0000{step}0" for step in range(10)),
    "--st-chart-diverging-colors": ",".join(f"#{step}0{step}000" for step in range(10)),
}
# Puts the view into the page: `window.view`, and in `window.calls` what it asks for.
SET_UP = """async ([script, style, theme]) => {
  const { createView } = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  const sheet = document.createElement("style");
  sheet.textContent = style;
  const element = document.createElement("div");
  for (const [name, value] of Object.entries(theme)) element.style.setProperty(name, value);
  document.body.replaceChildren(sheet, element);
  window.calls = [];
  const noting = (name) => (...given) => window.calls.push([name, ...given]);
  const names = ["onPage", "onLayer", "onEnlarge", "onShow"];
  window.view = createView(element, Object.fromEntries(names.map((name) => [name, noting(name)])));
}"""
SHOW = "(text) => window.view.show(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)))"


@pytest.fixture
def show(blank: Page) -> Callable[..., None]:
    """Shows the payload of a layer."""
    blank.evaluate(SET_UP, [script(), style(), THEME])

    def show(layer: str, *, first_field: int = 0, **packing: Any) -> None:
        view = view_of("p4-cnn", layer=layer, height_px=16, width_px=16, first_field=first_field)
        blank.evaluate(SHOW, base64.b64encode(pack_view(view, **packing)).decode())

    return show


def tile(page: Page, layer: str) -> Any:
    return page.locator(f'.tile[aria-label^="{layer},"]')


def test_a_document_shows_the_layers_and_is_asked_for_another_one(blank: Page, show: Callable[..., None]) -> None:
    show("layer1.conv")
    title = blank.locator(".viewer h3")
    expect(title).to_contain_text("layer1.conv")
    assert blank.evaluate("window.calls") == [["onShow", "layer1.conv", False]]

    tile(blank, "layer2.conv").click()
    blank.wait_for_function("window.calls.length === 3")
    assert blank.evaluate("window.calls.slice(1)") == [["onShow", "layer2.conv", True], ["onLayer", "layer2.conv"]]
    expect(blank.locator(".viewer")).to_have_class(re.compile("waiting"))

    show("layer2.conv")
    expect(title).to_contain_text("layer2.conv")
    expect(blank.locator(".viewer")).not_to_have_class(re.compile("waiting"))
    assert blank.url.endswith("modules.test/")  # the address is the host's

    blank.get_by_role("button", name="Open large").click()
    assert blank.evaluate("window.calls.at(-1)[0]") == "onEnlarge"


def test_further_fields_are_asked_for_before_their_layer(blank: Page, show: Callable[..., None]) -> None:
    show("layer1.conv", values_per_payload=6_000)
    expect(blank.locator(".paging")).to_be_visible()

    blank.get_by_role("button", name="next fields").click()

    blank.wait_for_function("window.calls.at(-1)[0] === 'onLayer'")
    page, layer = blank.evaluate("window.calls.slice(-2)")
    assert page[0] == "onPage" and page[1]["layer"] == "layer1.conv" and page[1]["first"] > 0
    assert layer == ["onLayer", "layer1.conv"]


def test_colours_are_those_of_the_host_and_change_with_it(blank: Page, show: Callable[..., None]) -> None:
    show("layer1.conv")
    assert blank.locator(".layer-view").evaluate("e => getComputedStyle(e).color") == "rgb(1, 2, 3)"
    swatch = blank.locator(".swatch").first
    before = swatch.get_attribute("style")

    blank.locator(".layer-view").evaluate(
        "e => e.style.setProperty('--st-chart-diverging-colors', Array(10).fill('#123456').join(','))"
    )
    blank.evaluate("window.view.restyle()")

    assert "#123456" in str(swatch.get_attribute("style")) != before
    blank.evaluate("window.view.close()")


def test_the_theme_s_variables_are_all_named() -> None:
    styles = set(re.findall(r"var\((--st-[\w-]+)", style()))
    read = re.findall(r'"([a-z-]+-colors?)"', (BROWSER_FOLDER / "theme.js").read_text(encoding="utf-8"))
    assert styles | {f"--st-{name}" for name in read} == set(THEME_VARIABLES)
    needed = set(re.findall(r"var\((--st-[\w-]+)\)", re.sub(r"var\(--st-[\w-]+, [^;]*;", "", style())))
    assert needed | {f"--st-{name}" for name in read} <= set(THEME)


def test_no_colour_is_defined_beside_the_theme() -> None:
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", style()) == []
