"""Every page for those who use a keyboard or a screen reader, or see colours poorly: axe-core, and a walk by Tab."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from explorer.pages.session.addresses import PAGES
from tests.support.rest import settle

PAINT_LIMIT_MS = 60_000
GRAVE = ("serious", "critical")
WIDE, NARROW = (1440, 900), (390, 844)
THEMES = pytest.mark.parametrize("dark", [pytest.param(False, marks=pytest.mark.full), True], ids=["light", "dark"])

DOCUMENT = "<html lang='en'><title>a page</title><main>{}</main></html>"

# What Tab must reach, in the order of the document, shadow trees included; a radio group is one stop, as a whole.
TAB_STOPS = """() => {
  window.stopOf = (element) => element.closest("[role=radiogroup]") ?? element;
  const found = new Map();
  const collect = (root) => {
    for (const element of root.querySelectorAll("*")) {
      const hidden = !element.checkVisibility({ visibilityProperty: true }) || element.closest("[inert]");
      const stop = window.stopOf(element);
      const reached = element.tabIndex >= 0 && !element.disabled && !hidden && !element.shadowRoot;
      if (reached && !found.has(stop)) found.set(stop, element);
      if (element.shadowRoot) collect(element.shadowRoot);
    }
  };
  collect(document);
  window.tabStops = [...found.keys()];
  window.controls = [...found.values()];
  return window.tabStops.map((e) => e.getAttribute("aria-label") || e.textContent.trim() || e.tagName);
}"""
# The number of the stop with the focus, null for a part of the page that Chromium lets Tab reach to scroll it, else -1.
FOCUSED = """() => {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  const number = window.tabStops.indexOf(window.stopOf(element));
  const isScroller = element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight;
  return number === -1 && isScroller && element !== document.body ? null : number;
}"""
FITS = "(width) => document.querySelector('[data-testid=stMain]').scrollWidth <= width"
UNEXPLAINED = """() => {
  const { shadowRoot } = [...document.querySelectorAll("*")].find((e) => e.shadowRoot?.querySelector(".layer-view"));
  const controls = [...shadowRoot.querySelectorAll("button:not(.tile), input, [tabindex='0']:not(.tile):not(.scroll)")];
  return [controls.length, controls.filter((e) => !e.ariaDescription).map((e) => e.outerHTML)];
}"""
UNNAMED_PICTURES = """() => {
  const found = [];
  const collect = (root) => {
    for (const element of root.querySelectorAll("*")) {
      const picture = element.matches("canvas, img, svg[role=img], [role=img], .js-plotly-plot");
      const named = element.closest("[aria-label]") || element.querySelector(":scope > title");
      if (picture && !named && !element.closest("[aria-hidden=true]")) found.push(element.outerHTML.slice(0, 200));
      if (element.shadowRoot) collect(element.shadowRoot);
    }
  };
  collect(document);
  return found;
}"""


@dataclass(frozen=True)
class Exemption:
    """A finding in Streamlit's own markup that no page can cure: the rule, the elements, and why it is harmless."""

    rule: str
    selector: str
    reason: str


DISABLED_LABEL = Exemption(
    "color-contrast",
    "label:has(+ * [role=radio][disabled]) *",
    "Streamlit fades the label of a disabled control; WCAG 1.4.3 leaves inactive controls out",
)

WIDE_TABLE = Exemption(
    "scrollable-region-focusable",
    "[data-testid=stTable] div",
    "Streamlit's table scrolls sideways without a tab stop; the chart's words and the CSV have the same numbers",
)


def findings(page: Page, exempted: tuple[Exemption, ...] = ()) -> list[str]:
    """Grave findings of axe, one line each; an exemption that matches none of them is a finding as well."""
    violations = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    grave = [(rule["id"], node) for rule in violations if rule["impact"] in GRAVE for node in rule["nodes"]]
    used = {exemption for rule, node in grave for exemption in exempted if _covers(page, exemption, rule, node)}
    left = [
        f"{rule}: {node['target']} {node['html'][:200]} {node['failureSummary']}"
        for rule, node in grave
        if not any(_covers(page, exemption, rule, node) for exemption in exempted)
    ]
    return left + [f"not needed any more: {exemption}" for exemption in exempted if exemption not in used]


def _covers(page: Page, exemption: Exemption, rule: str, node: dict) -> bool:  # type: ignore[type-arg]
    (target, *inner) = node["target"]
    if rule != exemption.rule or inner or not isinstance(target, str):  # in a shadow tree: our own
        return False
    return bool(page.locator(target).first.evaluate("(e, selector) => e.matches(selector)", exemption.selector))


# What tells that a page is drawn; a page that is added has to be added here, and so to the tests that follow.
READY = {
    "/": ".viewer[aria-busy=false]",
    "/sizes": "body:has(.st-key-all-measured) .st-key-sizes-layers .modebar-btn",
    "/orbit": "body:has(.st-key-orbit-done) .st-key-orbit-shifts-0 .modebar-btn",
    "/mends": ".st-key-mends-chart .main-svg",
    "/break_it": ".st-key-all-done",
    "/train": ".st-key-train-estimated",
    "/paper": ".st-key-paper-knight .js-plotly-plot",
    "/about": ".drawings svg",
}
# Short work, with all that a page draws.
SHORT = {
    "/sizes": "from=24&to=29",
    "/orbit": "size_near=false&plain=false",
    "/break_it": "steps=60",
}
PATHS = tuple(f"{page}?family=cnn&size=33&{SHORT.get(page, '')}" for page in READY)


def painted(page: Page, path: str) -> Page:
    """The page when all of `path` is drawn and at rest: axe would measure half-faded colours."""
    page.locator(READY[path.partition("?")[0]]).first.wait_for(timeout=PAINT_LIMIT_MS)
    settle(page)
    return page


@pytest.fixture
def open_painted(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """`open_page`, and wait until all is drawn and at rest."""

    def open_painted(path: str, size: tuple[int, int] = WIDE, *, dark: bool = False) -> Page:
        return painted(open_page(path, width_px=size[0], height_px=size[1], dark=dark), path)

    return open_painted


@pytest.fixture(scope="module")
def look(visitor: BrowserContext, app_url: str) -> Iterator[Page]:
    """The Look page, opened once for tests that leave it as it was but for the focus."""
    page = visitor.new_page()
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    page.goto(f"{app_url}/?family=cnn")
    yield painted(page, "/")
    page.close()


def make_narrow_and_dark(page: Page) -> None:
    """As on a phone at night, without opening the page and measuring once more."""
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    expect(page.locator("[data-testid=stSidebar][aria-expanded=true]")).to_have_count(0)
    settle(page)


def popover(page: Page, name: str) -> Locator:
    page.get_by_role("button", name=name).click()
    return page.get_by_test_id("stPopoverBody")


# ------------------------------------------------------------------------------------------------------------ axe-core


def test_every_page_is_tested_here() -> None:
    assert tuple(page.strip("/") or "look" for page in READY) == PAGES


@pytest.mark.parametrize("path", PATHS)
def test_a_page_can_be_used_without_sight_and_without_a_mouse(open_painted: Callable[..., Page], path: str) -> None:
    page = open_painted(path)
    assert page.evaluate(UNNAMED_PICTURES) == []
    assert findings(page) == []
    check_tab_walk(page)

    make_narrow_and_dark(page)
    page.wait_for_function(FITS, arg=NARROW[0], timeout=PAINT_LIMIT_MS)  # Plotly makes its charts narrower in its time
    settle(page)
    assert findings(page, (WIDE_TABLE,) if path.startswith("/mends") else ()) == []
    if path.startswith("/?"):
        page.get_by_test_id("stExpandSidebarButton").click()
        settle(page)
        assert findings(page) == []


@THEMES
def test_what_comes_up_has_no_grave_finding_and_escape_closes_it(open_painted: Callable[..., Page], dark: bool) -> None:
    page = open_painted("/?family=cnn", dark=dark)
    for name in ("What am I looking at?", "See why"):
        opened = popover(page, name)
        expect(opened).to_be_visible()
        settle(page)
        assert findings(page) == []
        page.keyboard.press("Escape")
        expect(opened).to_be_hidden()

    page.get_by_role("button", name="Open large").click()
    expect(page.get_by_role("dialog").locator(".main-svg").first).to_be_visible(timeout=PAINT_LIMIT_MS)
    settle(page)
    assert findings(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


@pytest.mark.full
@THEMES
def test_an_error_has_no_grave_finding(open_painted: Callable[..., Page], dark: bool) -> None:
    page = open_painted("/?family=cnn", dark=dark)
    size_px = page.get_by_role("spinbutton", name="Size (px)")
    size_px.fill("5")
    size_px.press("Enter")
    expect(page.get_by_text("The network cannot take 5×5 px")).to_be_visible(timeout=PAINT_LIMIT_MS)
    settle(page)

    assert findings(page) == []


@pytest.mark.full
@THEMES
def test_layers_of_other_kinds_have_no_grave_finding(open_painted: Callable[..., Page], dark: bool) -> None:
    page = open_painted("/?family=cnn&group=D8&layer=layer1.conv", dark=dark)
    assert findings(page, (DISABLED_LABEL,)) == []

    page.locator(".tile").last.click()
    expect(page.get_by_role("group", name="Channels without pixels")).to_be_visible(timeout=PAINT_LIMIT_MS)
    settle(page)
    assert findings(page, (DISABLED_LABEL,)) == []


def test_a_bad_page_is_found_out(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(DOCUMENT.format("<p style='color: #999; background: #fff'>pale</p><button></button>"))

    assert sorted(line.split(":")[0] for line in findings(page)) == ["button-name", "color-contrast"]
    page.close()


def test_an_exemption_that_is_not_needed_is_found_out(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(DOCUMENT.format("<p>dark</p>"))

    assert findings(page, (DISABLED_LABEL,)) == [f"not needed any more: {DISABLED_LABEL}"]
    page.close()


# ------------------------------------------------------------------------------------------------------------ keyboard


def check_tab_walk(page: Page) -> None:
    """Tab reaches every control, in order, and then leaves the page."""
    names = page.evaluate(TAB_STOPS)

    visited: list[int | None] = []
    while -1 not in visited and len(visited) < 2 * len(names) + 1:
        page.keyboard.press("Tab")
        visited.append(page.evaluate(FOCUSED))

    stops = [number for number in visited[:-1] if number is not None]
    assert [name for number, name in enumerate(names) if number not in visited] == []
    assert visited[-1] == -1  # the browser's own controls come next
    assert stops == sorted(stops)


def test_a_page_with_a_control_that_tab_misses_is_found_out(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(DOCUMENT.format("<button>first</button><button>caught</button><button>never</button>"))
    page.evaluate("() => { document.querySelectorAll('button')[1].onkeydown = (event) => event.preventDefault(); }")

    with pytest.raises(AssertionError, match="never"):
        check_tab_walk(page)
    page.close()


@pytest.mark.full  # two pictures of every control
@pytest.mark.parametrize("path", [path for path in PATHS if path.startswith(("/?", "/about"))])  # all kinds of control
def test_the_focus_is_seen(open_painted: Callable[..., Page], path: str) -> None:
    page = open_painted(path)
    names = page.evaluate(TAB_STOPS)
    page.keyboard.press("Tab")  # from now on the browser shows the focus

    unseen = [name for number, name in enumerate(names) if _looks(page, number) == _looks(page, number, focused=True)]

    assert unseen == []


def _looks(page: Page, number: int, *, focused: bool = False) -> bytes:
    """A picture of a control and its surroundings, with or without the focus."""
    page.evaluate("document.activeElement?.blur()")
    box = page.evaluate(
        """([number, focused]) => {
          const element = window.controls[number];
          element.scrollIntoView({ block: "center" });
          if (focused) element.focus({ preventScroll: true });
          const { x, y, width, height } = element.getBoundingClientRect();
          const tall = Math.min(height, 500);
          return { x: Math.max(x - 8, 0), y: Math.max(y - 8, 0), width: width + 16, height: tall + 16 };
        }""",
        [number, focused],
    )
    settle(page)
    return page.screenshot(clip=box, animations="disabled")


def test_help_comes_by_keyboard_and_by_tap_and_goes_by_escape(look: Page) -> None:
    tip = look.get_by_role("tooltip")

    look.get_by_role("button", name="turn the picture").focus()
    look.keyboard.press("Tab")
    expect(tip).to_contain_text("Orange is below zero, blue is above")
    look.keyboard.press("Escape")
    expect(tip).to_be_hidden()

    look.get_by_role("button", name="Help: the strip").click()
    expect(tip).to_contain_text("Each column is a layer")
    look.get_by_role("button", name="Help: the strip").click()
    expect(tip).to_be_hidden()


def test_arrow_keys_go_through_the_pixels_of_a_channel(look: Page) -> None:
    look.get_by_role("group", name="Pixels of the chosen channel").focus()
    where = look.locator(".readout span").first

    look.keyboard.press("ArrowRight")
    expect(where).to_have_text("field 1, e, row 8, column 8")  # the middle of 16 × 16
    look.keyboard.press("ArrowRight")
    look.keyboard.press("ArrowUp")
    expect(where).to_have_text("field 1, e, row 7, column 9")
    expect(look.locator(".readout")).to_have_attribute("aria-live", "polite")


# --------------------------------------------------------------------------------------------------- words for pictures


def test_maps_are_described_by_their_numbers(look: Page) -> None:
    labels = [canvas.get_attribute("aria-label") for canvas in look.locator(".panel canvas").all()]

    maps = r"40 maps of 16×16 px in 10 fields, values from [−\d.e-]+ to [\d.e-]+"
    for label, title in zip(labels, (r"Φ\(x\)", r"Φ\(g·x\)", r"g⁻¹Φ\(g·x\)", "difference"), strict=True):
        assert re.fullmatch(rf"{title}, [^:]+: {maps}", str(label))


def test_every_control_of_the_layer_view_is_explained(look: Page) -> None:
    count, unexplained = look.evaluate(UNEXPLAINED)

    assert count > 10
    assert unexplained == []


def test_a_layer_without_pixels_has_words_explained_controls_and_keys(open_painted: Callable[..., Page]) -> None:
    page = open_painted("/?family=cnn&layer=head.classifier")
    assert page.evaluate(UNNAMED_PICTURES) == []
    count, unexplained = page.evaluate(UNEXPLAINED)
    assert count > 10 and unexplained == []

    page.get_by_role("group", name="Channels without pixels").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".readout span").first).to_have_text("⟲ 90°, field 3")
