"""A wheel holds the library alone, and the library works where no other package is, but for torch and numpy."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest

import equivariance
from tests.project.test_portable import project_files
from tests.support import ROOT

NEEDED = ("torch", "numpy")  # and what they need
ABSENT = ("escnn", "lie_learn", "explorer", "models", "tests", "joblib", "scipy", "streamlit", "PIL", "safetensors")

# A network of somebody's own: its kernels are means over quarter turns, its windows fit at 9 px and not at 8.
SCRIPT = f"""
import importlib.util, json, os, sys
import equivariance
heavy = sorted({{"torch", "numpy"}} & set(sys.modules))
import torch
from torch import nn

torch.manual_seed(0)
conv = nn.Conv2d(3, 4, 3, stride=2)
with torch.no_grad():
    conv.weight.copy_(sum(torch.rot90(conv.weight, turns, (2, 3)) for turns in range(4)) / 4)
network = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
reports = {{side_px: equivariance.check(network, side_px) for side_px in (8, 9)}}
seen = {{
    side_px: [report.verdict, report.sentence, report.evidence, report.exact_sizes_px["height"]]
    for side_px, report in reports.items()
}}
print(json.dumps({{
    "version": equivariance.__version__,
    "file": equivariance.__file__,
    "heavy": heavy,
    "folder": os.listdir(),
    "strangers": [name for name in {ABSENT!r} if importlib.util.find_spec(name)],
    "seen": seen,
}}))
"""


def copy_of_checkout(folder: Path) -> Path:
    """The files of the project alone, without what a checkout has made by itself: an old build/ above all."""
    for path in project_files():
        if path.endswith((".py", ".toml", "py.typed", "README.md", "LICENSE")):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, folder / path)
    return folder


def pip(*words: str | Path) -> None:
    """Run pip, which may fetch nothing."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", *map(str, words)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env={**os.environ, "PIP_NO_INDEX": "1"})
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the checkout as `pip wheel .` builds it, with the setuptools that is installed here."""
    source, folder = copy_of_checkout(tmp_path_factory.mktemp("source")), tmp_path_factory.mktemp("wheel")
    pip("wheel", source, "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    (built,) = folder.iterdir()
    return built


def needs_of(name: str, found: dict[str, list[str]] | None = None) -> dict[str, list[str]]:
    """What a distribution has beside others in the folder of packages, and what all that it needs has there."""
    found = {} if found is None else found
    try:
        there = distribution(name)
    except PackageNotFoundError:  # of another system
        return found
    if name not in found:
        found[name] = sorted(
            {path.parts[0] for path in there.files or () if path.parts[0] not in ("..", "__pycache__")}
        )
        for need in there.requires or ():
            if "extra ==" not in need:
                needs_of(re.split(r"[^\w.-]", need, maxsplit=1)[0], found)
    return found


def packages_alone(folder: Path, *names: str) -> Path:
    """A folder with links to some installed distributions and what they need, and to nothing else."""
    for name, entries in {key: value for each in names for key, value in needs_of(each).items()}.items():
        for entry in entries:
            there = Path(str(distribution(name).locate_file(entry)))
            try:
                (folder / entry).symlink_to(there, target_is_directory=there.is_dir())
            except OSError as error:
                pytest.skip(f"links cannot be made here: {error}")
    return folder


@pytest.fixture(scope="module")
def seen(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What SCRIPT prints with the wheel, torch and numpy, in an empty folder."""
    packages = packages_alone(tmp_path_factory.mktemp("packages"), *NEEDED)
    pip("install", wheel, "--no-deps", "--no-compile", "--target", packages)
    # -S: neither the packages of this environment nor those of the Python below it.
    done = subprocess.run(
        [sys.executable, "-S", "-c", SCRIPT],
        cwd=tmp_path_factory.mktemp("empty"),
        env={**os.environ, "PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert Path(said["file"]).is_relative_to(packages)
    return said


def test_a_wheel_has_the_library_and_its_licence_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    about = f"equivariance_explorer-{equivariance.__version__}.dist-info"
    ours = {path for path in project_files() if path.startswith("equivariance/")}

    assert {name for name in names if not name.startswith(f"{about}/")} == ours
    assert f"{about}/licenses/LICENSE" in names
    assert "equivariance/py.typed" in names


def test_a_wheel_says_its_version_and_that_it_needs_torch_and_numpy(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        (metadata,) = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        lines = opened.read(metadata).decode("utf-8").splitlines()
    needed = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]

    assert f"Version: {equivariance.__version__}" in lines
    assert "License-Expression: Apache-2.0" in lines
    assert {re.split(r"\W", need)[0] for need in needed if "extra ==" not in need} == {"torch", "numpy"}


def test_the_wheel_measures_a_network_where_nothing_else_is_installed(seen: dict[str, Any]) -> None:
    assert seen["strangers"] == []
    assert seen["folder"] == []
    assert seen["version"] == equivariance.__version__
    assert seen["seen"] == {
        "8": [
            "approximate",
            "Approximately equivariant to quarter turns at 8 px.",
            "theory and measurement",
            [None, 9],
        ],
        "9": ["exact", "Exactly equivariant to quarter turns at 9 px.", "theory and measurement", [None, 11]],
    }


def test_the_library_is_imported_without_torch_until_something_of_it_is_used(seen: dict[str, Any]) -> None:
    """The app reads the version and the errors from it, and shows its first screen before torch is there."""
    assert seen["heavy"] == []


def test_pinned_versions_satisfy_the_bounds_of_the_library() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = dict(
        line.split("==")
        for name in ("requirements.txt", "requirements-dev.txt")
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith("#")
    )
    for need in (*project["dependencies"], *project["optional-dependencies"]["escnn"]):
        name, _, bound = need.partition(">=")
        assert release(pins[name]) >= release(bound), f"{name} {pins[name]} is older than {bound}"


def release(version: str) -> tuple[int, ...]:
    """2.13.0 as (2, 13, 0)."""
    return tuple(int(part) for part in version.split("."))
