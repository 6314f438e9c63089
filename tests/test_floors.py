"""Imports run downwards only, by the table FLOORS: the one place to change."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the top floor to the ground. A module imports from lower floors only; files of one folder may import each other.
FLOORS = (
    "__main__",
    "pages",
    "cli",
    "options",
    "training_cli",
    "reproduction",
    "terminal",
    "training_figures",
    "answers",
    "training",
    "survivor_figures",
    "polar_figure",
    "orbit_figures",
    "orbit_marks",
    "size_figures",
    "figures",
    "mends_figures",
    "packing",
    "report",
    "sweep",
    "orbit",
    "mends",
    "breaking_figures",
    "breaking",
    "worst_picture",
    "engine",
    "networks",
    "memory",
    "verdict",
    "measure",
    "survivors",
    "reasons",
    "exactness",
    "tracing",
    "shapes",
    "drawing",
    "places",
    "grids",
    "fitting",
    "images",
    "colour",
    "digits",
    "filetypes",
    "symmetry",
    "transforms",
    "shipped",
    "weights",
    "weights_header",
    "settings",
    "glossary",
    "rounding",
    "errors",
)
# Upwards, and why.
EXCEPTIONS = {
    ("sweep", "measure"),  # a sweep is a measurement repeated over sizes
}
STREAMLIT_FLOORS = {"pages"}  # and app.py, above all floors
ABOVE_MODELS = {"app", "explorer", "streamlit", "plotly"}


def imported_modules(source: str, package: str) -> Iterator[str]:
    """Full dotted names of all that a module imports, in functions and under TYPE_CHECKING too.

    `from a import b` gives "a.b", as b may be a module. package: that of the module, for relative imports.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            stem = [*base, *filter(None, [node.module])]
            yield from (".".join([*stem, name.name]) for name in node.names)


def violations(path: str, source: str) -> list[str]:
    """One sentence for each forbidden import of the file at `path`, which is relative to the project's folder."""
    parts = Path(path).with_suffix("").parts
    imported = sorted(set(imported_modules(source, ".".join(parts[:-1]))))
    if parts[0] == "models":
        return [f"{path}: models may not import {name}" for name in imported if name.split(".")[0] in ABOVE_MODELS]
    return [f"{path}: {fault}" for name in imported if (fault := _fault(parts[1], name))]


def _fault(importer: str, imported: str) -> str | None:
    """What is wrong when a module of the explorer floor `importer` imports `imported`; None if nothing is."""
    package, _, rest = imported.partition(".")
    if package == "streamlit" and importer not in STREAMLIT_FLOORS:
        return f"{importer} may not import streamlit"
    if package == "app":
        return f"{importer} may not import app, the top"
    floor = rest.split(".")[0]
    if package != "explorer" or floor not in FLOORS or floor == importer or (importer, floor) in EXCEPTIONS:
        return None
    if importer not in FLOORS or FLOORS.index(floor) < FLOORS.index(importer):
        return f"{importer} may not import {floor}, which is not below it"
    return None


def python_files() -> list[str]:
    found = (
        path.relative_to(ROOT).as_posix()
        for folder in ("explorer", "models")
        for path in ROOT.glob(f"{folder}/**/*.py")
    )
    return sorted(found)


@pytest.mark.parametrize("path", python_files())
def test_imports_run_downwards(path: str) -> None:
    assert violations(path, (ROOT / path).read_text(encoding="utf-8")) == []


def test_every_module_of_explorer_has_a_floor() -> None:
    modules = {Path(path).with_suffix("").parts[1] for path in python_files() if path.startswith("explorer/")}
    assert modules - set(FLOORS) - {"__init__"} == set(), "add the module to FLOORS, at its height"


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("models/cnn.py", "import streamlit as st"),
        ("models/cnn.py", "from explorer.errors import SizeError"),
        ("models/blocks/residual.py", "from plotly import graph_objects"),
        ("explorer/measure.py", "import streamlit"),
        ("explorer/measure.py", "def late():\n    from streamlit.runtime import get_instance"),
        ("explorer/figures.py", "import streamlit as st"),
        ("explorer/figures.py", "from explorer.cli import main"),
        ("explorer/measure.py", "from explorer import errors, engine"),
        ("explorer/measure.py", "import explorer.engine"),
        ("explorer/measure.py", "from . import engine"),
        ("explorer/measure.py", "from .engine import Engine"),
        ("explorer/training/fit.py", "from ..cli import main"),
        ("explorer/training/fit.py", "import streamlit"),
        (
            "explorer/errors.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from explorer.engine import Engine",
        ),
        ("explorer/breaking.py", "from explorer.sweep import sweep"),
        ("explorer/pages/look.py", "import app"),
        ("explorer/__init__.py", "from explorer.errors import SizeError"),
    ],
)
def test_import_upwards_is_caught(path: str, source: str) -> None:
    assert len(violations(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("models/cnn.py", "import torch\nfrom models.blocks import Block\nfrom . import export"),
        ("explorer/pages/look.py", "import streamlit\nfrom explorer import figures\nfrom explorer.pages import _parts"),
        ("explorer/engine.py", "from explorer.measure import measure\nfrom models import catalog"),
        ("explorer/sweep.py", "from explorer.measure import measure\nfrom .exactness import exact_sizes"),
        ("explorer/training/fit.py", "from . import runs\nfrom ..images import read"),
        ("explorer/cli.py", "from explorer import __version__"),
    ],
)
def test_import_downwards_passes(path: str, source: str) -> None:
    assert violations(path, source) == []
