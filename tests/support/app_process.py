"""A Streamlit app in a process of its own, and a Chromium to open it with: for browser tests and benchmarks."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

from tests.support import ROOT

START_LIMIT_S = 60
CHROMIUM_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")  # the lightest first
CHROMIUM_ARGS = (
    "--no-sandbox",  # a container's root cannot use it; the only pages opened are our own
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def find_chromium() -> str | None:
    """Path of a Chromium: EXPLORER_CHROMIUM, else one on the PATH, else Playwright's own; None without any."""
    if named := os.environ.get("EXPLORER_CHROMIUM"):
        return shutil.which(named)
    if found := next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None):
        return found
    with sync_playwright() as playwright:
        return shutil.which(playwright.chromium.executable_path)


@contextmanager
def running_app(script: Path, log: Path, *, environment: dict[str, str] | None = None) -> Iterator[str]:
    """The address of `script`, run by Streamlit from the project's folder on a free port; without a slash at the end.

    What it prints goes to `log`. Raises RuntimeError with that text where the app does not start.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.headless=true", "--server.address=127.0.0.1", f"--server.port={port}"]
    with log.open("wb") as sink:
        app = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(script), *options],
            cwd=ROOT,  # for .streamlit/config.toml
            env=os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {}),
            stdout=sink,
            stderr=sink,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(app, url, log)
        yield url
    finally:
        app.terminate()
        try:
            app.wait(timeout=10)
        except subprocess.TimeoutExpired:
            app.kill()
            app.wait()


def _wait_until_healthy(app: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline_s and app.poll() is None:
        try:
            with urlopen(f"{url}/_stcore/health", timeout=5):
                return
        except (URLError, TimeoutError, ConnectionError):
            time.sleep(0.05)
    printed = log.read_text(encoding="utf-8", errors="replace")
    raise RuntimeError(f"the app did not start within {START_LIMIT_S} s (exit status {app.returncode}): {printed}")
