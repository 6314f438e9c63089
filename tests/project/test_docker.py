"""What the Dockerfile and its scripts promise, where it shows without an engine (deploy/docker/replay.sh builds)."""

import ast
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
HEALTH = "/_stcore/health"


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Instructions as (keyword, the rest in one line), without comments."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (keyword.upper(), rest.strip()) for keyword, _, rest in (x.partition(" ") for x in joined.splitlines() if x)
    ]


def last_stage(keyword: str) -> list[str]:
    """What the image itself, not a stage before it, says under `keyword`."""
    listed = instructions(DOCKERFILE)
    start = max(index for index, (word, _) in enumerate(listed) if word == "FROM")
    return [rest for word, rest in listed[start:] if word == keyword]


def copied() -> list[str]:
    """Sources of every COPY from the checkout."""
    copies = [shlex.split(rest) for word, rest in instructions(DOCKERFILE) if word == "COPY"]
    return [source for words in copies if not words[0].startswith("--from") for source in words[:-1]]


def exec_form(instruction: str) -> list[str]:
    """The command of an instruction that ends in a JSON list; its Python is the one that runs the tests."""
    command = json.loads(instruction[instruction.index("[") :])
    return [sys.executable if word == "python" else word for word in command]


@contextmanager
def answering(status: int, path: str = HEALTH) -> Iterator[int]:
    """Port of a server that answers `status` on `path`, and 404 elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == path else 404)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def health_status(port: int, **environment: str) -> int:
    """Exit status of the Dockerfile's own health check."""
    (check,) = last_stage("HEALTHCHECK")
    settings = os.environ | {"PORT": str(port)} | environment
    return subprocess.run(exec_form(check), cwd=ROOT, env=settings, stdout=subprocess.DEVNULL).returncode


def test_user_is_a_number_other_than_root() -> None:
    (user,) = last_stage("USER")
    assert all(int(part) > 0 for part in user.split(":"))


def test_app_runs_in_a_folder_of_its_own() -> None:
    (folder,) = last_stage("WORKDIR")
    assert folder != "/" and folder.startswith("/")


def test_python_of_the_image_is_supported() -> None:
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    first, end = (tuple(map(int, version.split("."))) for version in re.findall(r"[\d.]+", supported))
    (python,) = re.findall(r"^ARG PYTHON=(\d+\.\d+)$", DOCKERFILE, re.MULTILINE)
    assert first <= tuple(map(int, python.split("."))) < end


def test_image_installs_the_pins_of_the_checkout_and_nothing_else() -> None:
    installs = [rest for word, rest in instructions(DOCKERFILE) if word == "RUN" and "pip install" in rest]
    assert installs == ['pip install --no-compile --extra-index-url "$TORCH_INDEX" --requirement requirements.txt']
    assert "pip install" not in "".join(
        script.read_text(encoding="utf-8") for script in ROOT.glob("deploy/docker/*.sh")
    )


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_exists_and_is_sent_to_the_builder(source: str) -> None:
    ignored = [
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
        if line and line[0] not in "#!"
    ]
    assert (ROOT / source).exists()
    assert not [pattern for pattern in ignored if fnmatch(source.rstrip("/"), pattern)]


def test_every_package_of_the_app_is_copied() -> None:
    sources = [ROOT / "app.py", *ROOT.glob("explorer/**/*.py"), *ROOT.glob("models/**/*.py")]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))]
    imported = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    ours = {top for name in imported if (ROOT / (top := name.split(".")[0])).is_dir() and top}
    assert {"explorer", "models"} <= ours
    assert ours <= {source.rstrip("/") for source in copied()}


def test_health_check_passes_while_the_app_answers() -> None:
    with answering(200) as port:
        assert health_status(port) == 0


def test_health_check_asks_below_the_base_path() -> None:
    with answering(200, f"/explorer{HEALTH}") as port:
        assert health_status(port, STREAMLIT_SERVER_BASE_URL_PATH="/explorer/") == 0
        assert health_status(port) == 1


def test_health_check_fails_when_the_app_is_unwell() -> None:
    with answering(503) as port:
        assert health_status(port) == 1


def test_health_check_fails_when_nothing_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: refused, and taken by nobody else
        assert health_status(unused.getsockname()[1]) == 1


def test_health_check_asks_no_proxy() -> None:
    with answering(200) as port:
        assert health_status(port, http_proxy="http://127.0.0.1:1", no_proxy="") == 0


def started(folder: Path, settings_status: int, **environment: str) -> tuple[int, int, list[str]]:
    """Run the image's command with a stand-in for python. Its process id and exit status, and the stand-in's calls.

    Each call is "PROCESS ID, arguments".
    """
    log = folder / "calls"
    stand_in = folder / "python"
    stand_in.write_text(
        f'#!/bin/sh\necho "$$, $*" >>{log}\ncase $* in *settings) exit {settings_status};; *) exit 7;; esac\n',
        encoding="utf-8",
    )
    stand_in.chmod(0o755)
    (command,) = last_stage("CMD")
    path = f"{folder}:{os.environ['PATH']}"
    process = subprocess.Popen(exec_form(command), cwd=ROOT, env=os.environ | {"PATH": path} | environment)
    return process.pid, process.wait(), log.read_text(encoding="utf-8").splitlines()


def test_wrong_settings_stop_the_container_before_the_app(tmp_path: Path) -> None:
    _, status, calls = started(tmp_path, 2)
    assert status == 2
    assert [call.split(", ")[1] for call in calls] == ["-m explorer.settings"]


@pytest.mark.parametrize(("environment", "port"), [({}, 8501), ({"PORT": "7860"}, 7860)])
def test_app_takes_the_place_of_the_first_process(tmp_path: Path, environment: dict[str, str], port: int) -> None:
    process, status, calls = started(tmp_path, 0, **environment)
    assert calls[1:] == [f"{process}, -m streamlit run app.py --server.port={port}"]
    assert status == 7
