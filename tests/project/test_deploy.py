"""The entry point for small hosts: started as they start it, from the project's folder, and its dependency file."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, expect

from tests.support.app_process import ROOT, running_app

FOLDER = ROOT / "deploy" / "community_cloud"
ENTRY = FOLDER / "streamlit_app.py"
# As `streamlit run` in a shell: without the project's folder on the path.
AS_A_COMMAND = {"PYTHONPATH": "", "PYTHONSAFEPATH": "1"}
PLAIN_SCRIPT = """
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file(sys.argv[1], default_timeout=120).run()
assert not app.exception, app.exception
sys.stdout.reconfigure(encoding="utf-8")
print(*(text.value for text in app.markdown))
from explorer.settings import settings_from
print(settings_from())
"""


@pytest.fixture(scope="module")
def entry_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("entry") / "app.log"
    with running_app(ENTRY, log, environment=AS_A_COMMAND) as url:
        yield url


def fonts() -> list[str]:
    settings = (ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    return re.findall(r'^url = "(app/static/[^"]+)"', settings, re.MULTILINE)


def pinned(file: Path) -> list[str]:
    """The lines of a requirements file that are no comments."""
    lines = (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize("font", fonts())
def test_entry_serves_the_fonts(entry_url: str, font: str) -> None:
    with urlopen(f"{entry_url}/{font}", timeout=10) as answer:
        assert answer.read() == (ROOT / font.removeprefix("app/")).read_bytes()


def test_entry_serves_no_file_outside_the_static_folder(entry_url: str) -> None:
    with pytest.raises(HTTPError) as caught:
        urlopen(f"{entry_url}/app/static/..%2Fapp.py", timeout=10)

    assert caught.value.code in (400, 404)
    caught.value.close()


def test_entry_shows_the_opening_view(entry_url: str, browser: Browser) -> None:
    page = browser.new_page()
    refused: list[str] = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    page.goto(entry_url)

    expect(page.get_by_role("heading", name="Approximately equivariant to quarter turns at 32 px")).to_be_visible(
        timeout=60_000
    )
    assert refused == []
    page.close()


def test_entry_run_as_a_plain_script_shows_the_same_with_its_own_settings() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EXPLORER_")}
    ended = subprocess.run(  # in a process of its own: the entry changes how this one takes memory
        [sys.executable, "-P", "-c", PLAIN_SCRIPT, str(ENTRY)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )

    assert ended.returncode == 0, ended.stderr
    assert "Approximately equivariant to quarter turns at 32 px" in ended.stdout
    assert "concurrent_measurements=1, network_cache_mb=64" in ended.stdout


def test_dependencies_are_the_apps_with_the_cpu_build_of_torch() -> None:
    torch = next(line for line in pinned(ROOT / "requirements.txt") if line.startswith("torch=="))

    assert pinned(FOLDER / "requirements.txt") == [
        "-r ../../requirements.txt",
        "--find-links https://download.pytorch.org/whl/cpu/torch/",
        f"{torch}+cpu",
    ]
    assert (FOLDER / "../../requirements.txt").resolve() == ROOT / "requirements.txt"
