"""Every path, module and page that the documents name is in the tree: they cannot fall behind it unseen."""

import ast
import posixpath
import re
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

import pytest

from tests.project.test_portable import project_files
from tests.support import ROOT

FILES = frozenset(project_files())
FOLDERS = frozenset(str(parent) for path in FILES for parent in PurePosixPath(path).parents) - {"."}
PLACES = FILES | FOLDERS
NAMES = frozenset(PurePosixPath(path).name for path in FILES)
TOPS = frozenset(PurePosixPath(path).parts[0] for path in FOLDERS)
DOCUMENTS = sorted(
    path for path in FILES if path.endswith(".md") and not path.startswith(("tests/", "assets/")) and "/." not in path
)
HISTORY = "CHANGELOG.md"  # says what was, too
# A path: with a slash and the name of a top folder, or a name with an ending that files of ours have.
PATH = re.compile(r"(?<![\w/.~:$-])(?:[\w.*-]+/)+[\w.*-]*|(?<=`)[\w*-]+\.(?:py|js|css|toml|md|txt|svg)(?=`)")
MODULE = re.compile(r"(?<![\w/.-])(?:equivariance|models|explorer|benchmarks|deploy|tests)(?:\.\w+)+")
CODE = (".py", ".js", ".css", ".toml", ".svg")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)\s#]+)")


def is_there(path: str) -> bool:
    """Whether a path from the root, which may have stars, is in the tree; of a bare name, whether a file has it."""
    wanted = path.rstrip("/")
    if "/" not in wanted and wanted in NAMES:
        return True
    return wanted in PLACES or ("*" in wanted and any(fnmatchcase(place, wanted) for place in PLACES))


def has_module(dotted: str) -> bool:
    """Whether `equivariance.kept.Kept` is a module of ours, or a name at the top of one."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        stem = "/".join(parts[:count])
        for path in (f"{stem}.py", f"{stem}/__init__.py"):
            if path in FILES:
                return count == len(parts) or parts[count] in names_of(path)
        if stem in FOLDERS and count == len(parts):
            return True
    return False


def names_of(path: str) -> set[str]:
    """The names that a module defines or imports at its top, those that it only tells the type checker included."""
    top = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    body = [*top, *(each for node in top if isinstance(node, ast.If) for each in node.body)]
    names = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names |= {each.asname or each.name for node in body if isinstance(node, ast.ImportFrom) for each in node.names}
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign)]
    return names | {target.id for target in targets if isinstance(target, ast.Name)}


def lost(text: str, folder: str = "") -> list[str]:
    """What a document in `folder` names and the tree has not."""
    named = [path.rstrip(".").removeprefix("./") for path in PATH.findall(text)]
    paths = [path for path in named if path.endswith(CODE) or "/" not in path or PurePosixPath(path).parts[0] in TOPS]
    links = [posixpath.normpath(posixpath.join(folder, link)) for link in LINK.findall(text)]
    modules = [name for name in MODULE.findall(text) if not name.endswith((*CODE, ".md"))]
    return sorted(
        {path for path in (*paths, *links) if not is_there(path)} | {name for name in modules if not has_module(name)}
    )


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path != HISTORY])
def test_what_a_document_names_is_in_the_tree(path: str) -> None:
    folder = str(PurePosixPath(path).parent)
    assert lost((ROOT / path).read_text(encoding="utf-8"), folder) == []


def test_the_documents_are_all_looked_at() -> None:
    assert {"README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md", "docs/releasing.md"} <= set(
        DOCUMENTS
    )
    assert sum(path.startswith("docs/decisions/") for path in DOCUMENTS) >= 19


@pytest.mark.parametrize(
    "text",
    [
        "in `explorer/engine.py`",
        "`look_live.py` says",
        "the table in training/tables.py",
        "the folder explorer/nowhere/ has",
        "python -m explorer.nowhere",
        "`equivariance.layers.exports`",
        "`equivariance.kept.Keeps`",
        "[this](docs/nothing.md)",
        "`explorer/layer_view/*.tsx`",
        "    tests/nothing.py   a line of code",
    ],
)
def test_a_name_that_is_not_there_is_caught(text: str) -> None:
    assert len(lost(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "`explorer/serving/engine.py`, `equivariance.kept.Kept`, `explorer/layer_view/browser/*.js`",
        "`equivariance.__version__`, `/proc/self/statm`, resize/crop, `.venv/bin/python`, https://a.org/docs/no.html",
        "[the picture](docs/look.png), [elsewhere](https://example.org/explorer/nowhere)",
        "python -m explorer.settings, explorer/, `equivariance.check`",
    ],
)
def test_what_is_there_passes(text: str) -> None:
    assert lost(text) == []
