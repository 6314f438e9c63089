"""Imports run downwards only, by the table FLOORS, and never in a circle: the one place to change."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath

import pytest

from tests.support import ROOT

# From the ground to the top. What is in a folder imports from the same folder and from lower floors only.
FLOORS = (
    "equivariance.errors",
    "equivariance.kept",
    "equivariance.largest",
    "equivariance.relative",
    "equivariance.groups",
    "equivariance.layers",
    "equivariance.following",
    "equivariance.theory",
    "equivariance.measurement",
    "equivariance.report",
    "equivariance.versions",
    "equivariance.checking",
    "equivariance",
    "models",
    "explorer",  # its version
    "explorer.errors",
    "explorer.checkout",
    "explorer.settings",
    "explorer.whole_files",
    "explorer.pictures",
    "explorer.serving",
    "explorer.data",
    "explorer.training",
    "explorer.runs",
    "explorer.studies",
    "explorer.figures",
    "explorer.layer_view",
    "explorer.reproduction",
    "explorer.reproduction.figures",
    "explorer.commands",
    "explorer.__main__",
    "explorer.pages.session",
    "explorer.pages.widgets",
    "explorer.pages",
    "app",
)
PROJECT = {"equivariance", "models", "explorer", "app"}
# What an outside package may be imported by: the folders named here, and those in them.
OUTSIDE = {
    "streamlit": ("explorer.pages", "app"),
    "plotly": ("explorer.figures", "explorer.reproduction.figures", "explorer.pages"),
    "escnn": ("equivariance.layers.escnn",),  # imported there alone, see equivariance/layers/coefficients.py
}
ROOMS = "explorer.pages."  # each page has a folder of its own there; what pages share is on the floors below
# And Python's own; the others are extras, each imported where it is used. joblib comes with escnn.
LIBRARY_NEEDS = {"torch", "numpy", "escnn", "joblib", "pandas", "PIL"}


def imported_names(source: str, package: str) -> Iterator[tuple[str, str]]:
    """(module, name) of all that a module imports, in functions and under TYPE_CHECKING too; name "" for a module.

    package: that of the module, for relative imports.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((name.name, "") for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            stem = ".".join([*base, *filter(None, [node.module])])
            yield from ((stem, name.name) for name in node.names)


def module_of(path: str) -> str:
    """`explorer.pages` for explorer/pages/__init__.py, `explorer.errors` for explorer/errors.py."""
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def imports_of(path: str, source: str, modules: Iterable[str]) -> set[str]:
    """The modules that the file at `path` imports; of the project's own, those that are in `modules`."""
    package = ".".join(PurePosixPath(path).parts[:-1])
    known = set(modules)
    return {
        f"{stem}.{name}" if f"{stem}.{name}" in known else stem
        for stem, name in imported_names(source, package)
        if stem
    }


def floor_of(module: str) -> str:
    """The floor that a module is on: the innermost of its folders that is in the table."""
    floors = [floor for floor in FLOORS if module == floor or module.startswith(f"{floor}.")]
    assert floors, f"{module} has no floor: add its folder to FLOORS, at its height"
    return max(floors, key=len)


def faults(module: str, imported: Iterable[str]) -> list[str]:
    """One sentence for each import that may not be."""
    found = []
    for name in sorted(imported):
        top = name.split(".")[0]
        allowed = OUTSIDE.get(top)
        if allowed and not any(module == place or module.startswith(f"{place}.") for place in allowed):
            found.append(f"{module} may not import {name}")
        elif top in PROJECT and FLOORS.index(floor_of(name)) > FLOORS.index(floor_of(module)):
            found.append(f"{module} may not import {name}, which is not below it")
        elif name.startswith(ROOMS) and floor_of(name) == floor_of(module) and room_of(name) != room_of(module):
            found.append(f"{module} may not import {name}, which is another page's: move it to widgets or session")
    return found


def room_of(module: str) -> str:
    """The folder of a page: `look` for `explorer.pages.look.sheet`."""
    return module.removeprefix(ROOMS).partition(".")[0]


def circle(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """Modules that import each other in a circle; empty where there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def project_imports() -> dict[str, set[str]]:
    """What each module of the project imports."""
    paths = [
        path.relative_to(ROOT).as_posix()
        for top in sorted(PROJECT)
        for path in (ROOT.glob(f"{top}/**/*.py") if top != "app" else [ROOT / "app.py"])
    ]
    modules = [module_of(path) for path in paths]
    return {
        module: imports_of(path, (ROOT / path).read_text(encoding="utf-8"), modules) - {module}
        for path, module in zip(paths, modules, strict=True)
    }


IMPORTS = project_imports()


def test_imports_run_downwards() -> None:
    assert [fault for module, imported in IMPORTS.items() for fault in faults(module, imported)] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    ours = {module: {name for name in imported if name in IMPORTS} for module, imported in IMPORTS.items()}
    assert circle(ours) == []


def test_every_folder_is_in_the_table() -> None:
    folders = {module.rpartition(".")[0] for module in IMPORTS if "." in module} - {""}
    pages = {folder for folder in folders if folder.startswith("explorer.pages.")}
    assert folders - pages - set(FLOORS) == set()
    assert [floor for floor in FLOORS if floor not in IMPORTS and floor not in folders] == []


def test_the_library_needs_torch_and_numpy_alone() -> None:
    needed = {
        name.split(".")[0]
        for module, imported in IMPORTS.items()
        if module.startswith("equivariance")
        for name in imported
    }
    assert needed - sys.stdlib_module_names - LIBRARY_NEEDS == {"equivariance"}


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("models/cnn.py", "import streamlit as st"),
        ("models/cnn.py", "from explorer.errors import SettingError"),
        ("models/cnn.py", "import escnn"),
        ("equivariance/theory/grids.py", "from models import catalog"),
        ("equivariance/theory/grids.py", "from equivariance.measurement.measure import measure"),
        ("equivariance/theory/grids.py", "from .. import measurement"),
        ("explorer/serving/engine.py", "import streamlit"),
        ("explorer/serving/engine.py", "def late():\n    from streamlit.runtime import get_instance"),
        ("explorer/serving/engine.py", "from plotly import graph_objects"),
        ("explorer/figures/layers.py", "import streamlit as st"),
        ("explorer/figures/layers.py", "from explorer.commands.main import main"),
        ("explorer/serving/engine.py", "from explorer import errors, studies"),
        ("explorer/serving/engine.py", "import explorer.studies.sweep"),
        ("explorer/serving/engine.py", "from ..studies.sweep import sweep"),
        (
            "explorer/errors.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from explorer.serving.engine import Engine",
        ),
        ("explorer/pages/session/owner.py", "from explorer.pages.widgets import trained"),
        ("explorer/pages/widgets/trained.py", "from explorer.pages.look.page import show"),
        ("explorer/pages/look/page.py", "import app"),
        ("explorer/pages/sizes/live.py", "from explorer.pages.look.sheet import Sheet"),
        ("explorer/pages/paper/page.py", "def late():\n    from explorer.pages.train import controls"),
        ("explorer/pages/orbit/page.py", "from ..look import page"),
        ("explorer/__init__.py", "from explorer.errors import SettingError"),
    ],
)
def test_import_upwards_is_caught(path: str, source: str) -> None:
    assert len(faults(module_of(path), imports_of(path, source, IMPORTS))) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("models/cnn.py", "import torch\nfrom models.blocks import Kit\nfrom . import build"),
        ("equivariance/layers/escnn.py", "from escnn import nn"),
        (
            "explorer/pages/look/page.py",
            "import streamlit\nfrom explorer import figures\nfrom explorer.pages.widgets import charts\n"
            "from explorer.pages.look.sheet import Sheet\nfrom . import live",
        ),
        (
            "explorer/serving/engine.py",
            "from equivariance.groups.fields import regular\nfrom models import catalog",
        ),
        ("explorer/studies/sweep.py", "from explorer.serving.engine import Engine\nfrom .mends import mends"),
        ("explorer/runs/store.py", "from . import tables\nfrom ..pictures import images"),
        ("explorer/commands/main.py", "from explorer import __version__"),
    ],
)
def test_import_downwards_passes(path: str, source: str) -> None:
    assert faults(module_of(path), imports_of(path, source, IMPORTS)) == []


def test_a_circle_is_caught() -> None:
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}
