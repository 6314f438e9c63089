"""How long a visitor waits for the first screen: python -m benchmarks.cold_start [--runs 5]

Each run starts the app anew, opens the opening view in headless Chromium and prints the seconds from the start of
`streamlit run` until (1) the server answers, (2) the verdict is on the screen, from the store, (3) the live result has
replaced it; then the seconds of a second visitor, whose server is warm, until (2). The last line has the medians.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.support.app_process import CHROMIUM_ARGS, ROOT, find_chromium, running_app

LIMIT_MS = 120_000
COLUMNS = ("server answers", "verdict (stored)", "verdict (live)", "second visitor")


def one_run(browser: Browser, log: Path) -> tuple[float, ...]:
    """The seconds of one start, in the order of COLUMNS."""
    started_s = time.perf_counter()
    with running_app(ROOT / "app.py", log) as url:
        answered_s = time.perf_counter() - started_s
        stored_s, live_s = _visit(browser, url, started_s)
        second_s, _ = _visit(browser, url, time.perf_counter())
    return answered_s, stored_s, live_s, second_s


def _visit(browser: Browser, url: str, started_s: float) -> tuple[float, float]:
    """Seconds since `started_s` until the verdict is on the screen, and until it is the live one."""
    page = browser.new_page()
    page.goto(url)
    page.get_by_role("heading", name="quivariant to quarter turns").wait_for(timeout=LIMIT_MS)
    stored_s = time.perf_counter() - started_s
    page.get_by_text("PU · ").wait_for(timeout=LIMIT_MS)  # CPU or GPU: the device that measured
    live_s = time.perf_counter() - started_s
    page.close()
    return stored_s, live_s


def main() -> None:
    """Print one line for each run and one with the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs: list[tuple[float, ...]] = []
    print("  ".join(f"{column:>16}" for column in ("", *COLUMNS)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGS)
        for number in range(parser.parse_args().runs):
            runs.append(one_run(browser, Path(folder) / "app.log"))
            _print_row(f"run {number + 1}", runs[-1])
        browser.close()
    _print_row("median", tuple(statistics.median(column) for column in zip(*runs, strict=True)))


def _print_row(name: str, seconds: tuple[float, ...]) -> None:
    print("  ".join([f"{name:>16}", *(f"{value:>14.2f} s" for value in seconds)]), flush=True)


if __name__ == "__main__":
    main()
