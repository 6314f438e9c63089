"""One word for one thing: no two public classes of the project have the same name."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support import ROOT

SOURCES = [path for top in ("equivariance", "models", "explorer") for path in sorted((ROOT / top).glob("**/*.py"))]


def public_classes(path: Path) -> Iterator[str]:
    """The names of the classes that a file defines, but for those that begin with an underscore."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def named_alike(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Every name that more than one class has, with the files."""
    places: dict[str, list[str]] = {}
    for path in paths:
        for name in public_classes(path):
            places.setdefault(name, []).append(path.name)
    return {name: files for name, files in places.items() if len(files) > 1}


def test_every_class_has_a_name_of_its_own() -> None:
    assert len(SOURCES) > 100
    assert named_alike(SOURCES) == {}


def test_two_classes_of_one_name_are_caught(tmp_path: Path) -> None:
    for name, source in (
        ("one.py", "class View: ...\nclass _Own: ..."),
        ("two.py", "class View: ...\nclass _Own: ..."),
    ):
        (tmp_path / name).write_text(source, encoding="utf-8")

    assert named_alike(sorted(tmp_path.iterdir())) == {"View": ["one.py", "two.py"]}
