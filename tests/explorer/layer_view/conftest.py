"""A page of its own for the JavaScript modules: it loads them from the checkout, with no app behind it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.support import ROOT

ADDRESS = "http://modules.test"  # answered below; nothing is asked of a network
_CALL = """async ([path, name, given]) => {
  const { [name]: called } = await import(path);
  const each = (change) => (value) =>
    change(value) ??
    (Array.isArray(value) ? value.map(each(change))
    : value && typeof value === "object"
      ? Object.fromEntries(Object.entries(value).map(([key, of]) => [key, each(change)(of)]))
      : value);
  const typed = each((value) => value?.floats && Float32Array.from(value.floats));
  const plain = each((value) => (ArrayBuffer.isView(value) ? Array.from(value) : undefined));
  return plain(called(...given.map(typed)));
}"""


def serving(*folders: Path) -> Callable[[Route], None]:
    """Answers requests for files in the first of `folders` that has them, and for an empty page at the root."""

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ADDRESS).partition("?")[0].lstrip("/")
        found = [folder / path for folder in folders if path and (folder / path).is_file()]
        if not path:
            route.fulfill(content_type="text/html", body="<!doctype html><title>Modules</title><body></body>")
        elif found:
            route.fulfill(content_type="text/javascript", body=found[0].read_text(encoding="utf-8"))
        else:
            route.fulfill(status=404)

    return answer


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Iterator[Page]:
    """An empty page that can import the modules of the checkout: `import("/explorer/layer_view/browser/view.js")`."""
    page = browser.new_page()
    page.route(f"{ADDRESS}/**", serving(ROOT))
    page.goto(ADDRESS)
    yield page
    page.close()


@pytest.fixture(scope="module")
def call(blank: Page) -> Callable[..., Any]:
    """Call a pure function, `call("layout", "pixelSize", 9.2, [8, 8], 1)`; typed arrays come back as lists.

    Arguments are what Playwright passes on; {"floats": […]} is a Float32Array.
    """

    def call(module: str, name: str, *arguments: Any) -> Any:
        path = f"/explorer/layer_view/browser/pure/{module}.js"
        return blank.evaluate(_CALL, [path, name, list(arguments)])

    return call
