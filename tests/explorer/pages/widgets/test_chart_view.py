"""Charts that stay where they are: their element, the address of Plotly's script, and what a visitor zoomed."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import plotly
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from explorer.pages.widgets.chart_view import clicked
from tests.support.charts import charts_of
from tests.support.rest import settle

PAINT_LIMIT_MS = 60_000
RANGE = "element => [...element._fullLayout.xaxis.range]"


def draw(number: int) -> None:
    """A script: one chart of `number` points."""
    from explorer.pages.widgets.chart_view import chart_view

    figure = {"data": [{"y": list(range(number))}], "layout": {"height": 200}}
    chart_view(figure, f"{number} points", key="points", file_name="some-points")


def ids_of(app: AppTest) -> list[str]:
    return [element.proto.id for element in app.get("bidi_component")]


def test_a_chart_with_other_numbers_and_words_is_the_same_element() -> None:
    first = AppTest.from_function(draw, args=(2,)).run()
    other = AppTest.from_function(draw, args=(3,)).run()

    assert ids_of(first) == ids_of(other) and len(ids_of(first)) == 1
    assert [charts_of(app)["points"]["words"] for app in (first, other)] == ["2 points", "3 points"]
    assert charts_of(other)["points"]["figure"]["data"] == [{"y": [0, 1, 2]}]


def test_the_script_is_that_of_the_installed_plotly() -> None:
    address = charts_of(AppTest.from_function(draw, args=(2,)).run())["points"]["library"]

    address, _, version = address.partition("?version=")
    assert version == plotly.__version__
    assert (Path(plotly.__file__).parent / "package_data" / PurePosixPath(address).name).is_file()


def test_nothing_is_clicked_without_a_browser() -> None:
    assert clicked("nowhere") is None


# ------------------------------------------------------------------------------------------------------------- browser


def test_a_zoomed_chart_keeps_its_element_and_its_zoom_while_numbers_come(open_page: Callable[..., Page]) -> None:
    page = open_page("/sizes?family=resnet18&from=24&to=120")
    page.get_by_test_id("stMain").get_by_role("button", name="Stop").click(timeout=PAINT_LIMIT_MS)
    expect(page.get_by_text("Stopped: ")).to_be_visible(timeout=PAINT_LIMIT_MS)
    settle(page)
    chart = page.locator(".st-key-sizes-curve .js-plotly-plot")
    element = chart.element_handle()
    drawn = chart.evaluate(RANGE)
    box = chart.locator(".nsewdrag").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 120, steps=4)
    page.mouse.up()
    zoomed = chart.evaluate(RANGE)
    assert drawn[0] < zoomed[0] < zoomed[1] < drawn[1]
    told = page.locator(".st-key-sizes-curve .chart")
    words = str(told.get_attribute("aria-label"))

    page.get_by_role("button", name="Continue").click()

    expect(told).not_to_have_attribute("aria-label", words, timeout=PAINT_LIMIT_MS)
    assert element is not None and element.evaluate("e => e.isConnected")
    assert chart.evaluate(RANGE) == zoomed


def test_a_chart_whose_script_does_not_come_says_so(open_page: Callable[..., Page]) -> None:
    page = open_page("/about")
    page.route("**/plotly.min.js*", lambda route: route.abort())
    page.goto(page.url.replace("/about", "/break_it?learner=p4-knight&steps=20"))

    expect(page.get_by_text("This chart could not be drawn: ").first).to_be_visible(timeout=PAINT_LIMIT_MS)
