"""The linter of the JavaScript: it passes our modules, and finds what it is there for."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.support import ROOT

LINTER = shutil.which("oxlint", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")]))
FOLDER = Path("explorer", "layer_view", "browser")
FAULTS = {
    "no-undef": ("view.js", "export const found = () => drawe();"),
    "no-unused-vars": ("view.js", "const found = 1;"),
    "eqeqeq": ("view.js", "export const found = (x) => x == 1;"),
    "no-unreachable": ("view.js", "export function found() {\n  return 1;\n  found();\n}"),
    "named": ("view.js", 'import { nothing } from "./other.js";\nexport const found = nothing;'),
    "no-cycle": ("other.js", 'import { given } from "./view.js";\nexport const back = given;'),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    assert LINTER, "oxlint is in requirements-dev.txt"
    return subprocess.run(
        [LINTER, "--format", "unix", "explorer"], cwd=folder, capture_output=True, text=True, encoding="utf-8"
    )


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """Two modules without a fault, under our rules."""
    (tmp_path / FOLDER / "pure").mkdir(parents=True)
    (tmp_path / ".oxlintrc.json").write_bytes((ROOT / ".oxlintrc.json").read_bytes())
    (tmp_path / FOLDER / "view.js").write_text(
        'import { other } from "./other.js";\n\nexport const given = () => document.title + other;\n', encoding="utf-8"
    )
    (tmp_path / FOLDER / "other.js").write_text("export const other = 1;\n", encoding="utf-8")
    return tmp_path


def test_our_modules_pass() -> None:
    found = lint(ROOT)
    assert (found.returncode, found.stdout.strip()) == (0, "")


def test_modules_without_a_fault_pass(modules: Path) -> None:
    assert lint(modules).returncode == 0


@pytest.mark.parametrize("rule", FAULTS)
def test_a_fault_is_found(modules: Path, rule: str) -> None:
    name, fault = FAULTS[rule]
    faulty = modules / FOLDER / name
    faulty.write_text(f"{faulty.read_text(encoding='utf-8')}{fault}\n", encoding="utf-8")

    found = lint(modules)

    assert found.returncode != 0 and f"({rule})" in found.stdout


def test_what_only_computes_has_no_document(modules: Path) -> None:
    (modules / FOLDER / "pure" / "words.js").write_text("export const found = document.title;\n", encoding="utf-8")

    found = lint(modules)

    assert found.returncode != 0 and "'document' is not defined" in found.stdout
