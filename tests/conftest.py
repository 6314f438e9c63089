"""A running app and a Chromium for the tests that need a browser."""

import os

# Small tensors: one thread each is faster than two that wait for each other, also in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
START_LIMIT_S = 60
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGS = (
    "--no-sandbox",  # a container's root cannot use it; the only pages opened are our own
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
APP_LOG = pytest.StashKey[Path]()


def find_chromium() -> str | None:
    """Path of a Chromium: EXPLORER_CHROMIUM, else one on the PATH, else Playwright's own; None without any."""
    if named := os.environ.get("EXPLORER_CHROMIUM"):
        return shutil.which(named)
    if found := next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None):
        return found
    with sync_playwright() as playwright:
        return shutil.which(playwright.chromium.executable_path)


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
        report.sections.append(("log of the app", log.read_text(errors="replace")))
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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    options = ["--server.headless=true", "--server.address=127.0.0.1", f"--server.port={port}"]
    log = tmp_path_factory.mktemp("app") / "app.log"
    pytestconfig.stash[APP_LOG] = log
    with log.open("wb") as sink:
        app = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *options], cwd=ROOT, stdout=sink, stderr=sink
        )
    try:
        _wait_until_healthy(app, url)
        yield url
    finally:
        app.terminate()
        try:
            app.wait(timeout=10)
        except subprocess.TimeoutExpired:
            app.kill()
            app.wait()


def _wait_until_healthy(app: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if app.poll() is not None:
            pytest.fail(f"the app ended at its start with exit status {app.returncode}")
        try:
            with urlopen(f"{url}/_stcore/health", timeout=5):
                return
        except (URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    pytest.fail(f"the app did not answer within {START_LIMIT_S} s")


@pytest.fixture(scope="module")  # not for the session: Playwright keeps an event loop in this thread while it runs
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS)
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Browser, app_url: str) -> Iterator[Callable[..., Page]]:
    """Open the app as `open_page("/?size=33", width_px=390, dark=True)`, each call as a visitor of its own."""
    contexts = []

    def open_page(path: str = "/", *, width_px: int = 1280, height_px: int = 900, dark: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width_px, "height": height_px}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(app_url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """The app's first page, wide and light."""
    return open_page()
