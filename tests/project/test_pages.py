"""The pages: what they call has types, and torch comes after all that can be shown without it."""

import ast
from collections.abc import Iterable, Iterator, Mapping

import pytest

from tests.project.test_floors import module_of
from tests.support import ROOT

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "explorer/pages").glob("**/*.py"))
# Variables that may be Any: (file, name), each with what has no types.
UNTYPED = {
    ("explorer/pages/look/opening.py", "values"): "a document of JSON, checked by its fields",
}
SLOW = {"torch", "escnn"}  # seconds to import
MODULES = {
    module_of(path.relative_to(ROOT).as_posix()): path
    for top in ("app.py", "equivariance/**/*.py", "models/**/*.py", "explorer/**/*.py")
    for path in ROOT.glob(top)
}
SHOWN_FIRST = ["app", *(module for module in MODULES if module.endswith(".page")), "explorer.pages.look.opening"]


# --------------------------------------------------------------------------------------------------------------- types


def names_in(annotation: ast.expr) -> Iterator[str]:
    """All names in an annotation, also in one that is written as a string."""
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                yield from names_in(ast.parse(node.value, mode="eval").body)
            except SyntaxError:  # the text of a Literal
                continue


def untyped(source: str) -> list[str]:
    """What hides types from the checker: the names of variables and functions, or of what is called."""
    found = []
    tree = ast.parse(source)
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation and "Any" in names_in(node.annotation):
            found.append(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
            found += [node.name] if "Any" in names_in(node.returns) else []
        elif isinstance(node, ast.AnnAssign) and "Any" in names_in(node.annotation):
            found.append(ast.unparse(node.target))
        elif isinstance(node, ast.Assign) and "Any" in names_in(node.value):  # a name for a type
            found.append(ast.unparse(node.targets[0]))
        elif isinstance(node, ast.Name | ast.Attribute | ast.alias) and _name_of(node) == "ModuleType":
            found.append("ModuleType")
        elif isinstance(node, ast.Call) and id(node) not in bare:
            called = ast.unparse(node.func).rpartition(".")[2]
            found += [called] if called in ("import_module", "__import__") else []
    return found


def _name_of(node: ast.Name | ast.Attribute | ast.alias) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else node.name


def test_what_pages_call_and_pass_on_has_types() -> None:
    found = [(path, name) for path in PAGES for name in untyped((ROOT / path).read_text(encoding="utf-8"))]
    assert len(PAGES) > 50
    assert sorted(set(found) - set(UNTYPED)) == []
    assert sorted(set(UNTYPED) - set(found)) == [], "these have types now: take them out of UNTYPED"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from types import ModuleType", "ModuleType"),
        ("import types\ndef computing() -> types.ModuleType: ...", "ModuleType"),
        ("live = importlib.import_module('explorer.pages.look.live')", "import_module"),
        ("def computing():\n    return __import__('torch')", "__import__"),
        ("def draw(work: Any) -> None: ...", "work"),
        ("def draw(work: 'Any') -> None: ...", "work"),
        ("def draw(rows: list[dict[str, typing.Any]]) -> None: ...", "rows"),
        ("def draw(*arguments: Any, **options: object) -> None: ...", "arguments"),
        ("def computing() -> Any: ...", "computing"),
        ("rows: list[Any] = []", "rows"),
        ("Figure = Mapping[str, Any]", "Figure"),
    ],
)
def test_what_hides_types_is_caught(source: str, name: str) -> None:
    assert untyped(source) == [name]


@pytest.mark.parametrize(
    "source",
    [
        "def measure() -> None:\n    from explorer.pages.look import live\n    live.sheet_of()",
        "importlib.import_module('pandas')",
        "def draw(work: 'OrbitWork', said: str = 'Any change stops it.') -> object: ...",
        "HELP = 'Any change stops it.'\nhow: Literal['Any other']",
    ],
)
def test_what_has_types_passes(source: str) -> None:
    assert untyped(source) == []


# ---------------------------------------------------------------------------------------------------------------- torch


def imported_at_once(body: Iterable[ast.stmt]) -> Iterator[str]:
    """What a module imports while it is imported: not in functions, and not for the type checker alone."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, "import by the full name"
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from imported_at_once(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in ("body", "orelse", "finalbody"):
                yield from imported_at_once(getattr(node, part, ()))


def way_to(slow: set[str], module: str, imports: Mapping[str, Iterable[str]]) -> list[str]:
    """Modules from `module` to a slow package, each of which imports the next at once; empty where there is no way."""
    ways, seen = [[module]], {module}
    for way in ways:
        for name in imports.get(way[-1], ()):
            if name.split(".")[0] in slow:
                return [*way, name]
            parents = [name.rsplit(".", depth)[0] for depth in range(name.count("."), -1, -1)]
            for part in parents:
                if part in imports and part not in seen:
                    seen.add(part)
                    ways.append([*way, part])
    return []


AT_ONCE = {
    module: list(imported_at_once(ast.parse(path.read_text(encoding="utf-8")).body)) for module, path in MODULES.items()
}


@pytest.mark.parametrize("module", SHOWN_FIRST)
def test_a_page_appears_before_torch_is_imported(module: str) -> None:
    assert way_to(SLOW, module, AT_ONCE) == []


@pytest.mark.parametrize("page", ["look", "sizes", "orbit", "mends", "break_it", "train"])
def test_what_computes_imports_torch_at_once(page: str) -> None:
    """So that the search above is known to find a way where there is one."""
    assert way_to(SLOW, f"explorer.pages.{page}.live", AT_ONCE)


def test_a_way_leads_through_packages_and_past_what_is_late() -> None:
    source = """
from typing import TYPE_CHECKING
import json
if TYPE_CHECKING:
    import torch
else:
    import one
try:
    import two
finally:
    import three
def late():
    import torch
class Kept:
    import four
"""
    assert list(imported_at_once(ast.parse(source).body)) == [
        "typing.TYPE_CHECKING",
        "json",
        "one",
        "two",
        "three",
        "four",
    ]

    imports = {"page": ["house.room.thing"], "house": ["torch.nn"], "house.room": [], "alone": ["house2"]}
    assert way_to({"torch"}, "page", imports) == ["page", "house", "torch.nn"]
    assert way_to({"torch"}, "alone", imports) == []
