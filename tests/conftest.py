"""A running app and a Chromium for the tests that need a browser."""

import os

# Small tensors: one thread each is faster than two that wait for each other, also in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.app_process import CHROMIUM_ARGS, ROOT, find_chromium, running_app

APP_LOG = pytest.StashKey[Path]()
expect.set_options(timeout=30_000)  # Playwright's 5 seconds are too few on a busy machine
# Runs and data sets of tests are kept apart from the user's own; each worker of xdist has a folder of its own.
_USER_FOLDER = tempfile.TemporaryDirectory(prefix="explorer-tests-", ignore_cleanup_errors=True)
os.environ["XDG_DATA_HOME"] = os.environ["LOCALAPPDATA"] = _USER_FOLDER.name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add the app's log to the report of a failed test that used the app."""
    report = yield
    log = item.config.stash.get(APP_LOG, None)
    if report.failed and log and "app_url" in getattr(item, "fixturenames", ()):
        report.sections.append(("log of the app", log.read_text(encoding="utf-8", errors="replace")))
    return report


@pytest.fixture(scope="session")
def chromium() -> str:
    found = find_chromium()
    if found is None:
        reason = "no Chromium was found: install one, or name it in EXPLORER_CHROMIUM"
        if os.environ.get("EXPLORER_BROWSER_TESTS") == "required":
            pytest.fail(f"{reason} (EXPLORER_BROWSER_TESTS=required)")
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[str]:
    """Address of the app, started once for all tests on a free port, without a slash at the end."""
    log = tmp_path_factory.mktemp("app") / "app.log"
    pytestconfig.stash[APP_LOG] = log
    with running_app(ROOT / "app.py", log) as url:
        yield url


@pytest.fixture(scope="module")  # not for the session: Playwright keeps an event loop in this thread while it runs
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor whose browser keeps the app's scripts, which saves loading and reading them for each page."""
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def open_page(browser: Browser, visitor: BrowserContext, app_url: str) -> Iterator[Callable[..., Page]]:
    """Open the app as `open_page("/?size=33", width_px=390, dark=True)`; with `apart`, as another visitor each time."""
    pages: list[Page] = []
    contexts: list[BrowserContext] = []

    def open_page(
        path: str = "/", *, width_px: int = 1280, height_px: int = 900, dark: bool = False, apart: bool = False
    ) -> Page:
        if apart:
            contexts.append(browser.new_context())
        page = (contexts[-1] if apart else visitor).new_page()
        pages.append(page)
        page.set_viewport_size({"width": width_px, "height": height_px})
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.goto(app_url + path)
        return page

    yield open_page
    for opened in (*pages, *contexts):
        opened.close()


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """The app's first page, wide and light."""
    return open_page()
