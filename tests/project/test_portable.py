"""No path, shell or file-name assumption that would break on another machine: rules over all files of the project.

Python files are read as syntax trees. What only one system has is allowed behind a test of the system, see GUARDS, and
in the files of EXCUSED.
"""

import ast
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import PurePosixPath

import pytest

from tests.support import ROOT

SKIPPED_FOLDERS = {".git", ".venv", "__pycache__", "build"}  # where there is no git to ask
# Faults, by their last words, that a file may have.
EXCUSED = {
    "benchmarks/limited.py": ("not there on Windows", "of one system"),  # needs Linux's control groups, and says so
    "tests/support/odd_answers.py": ("of one system",),  # reads the memory of a process where Linux tells it
    # Pipes into `head` on purpose, where there is a shell.
    "tests/explorer/commands/test_cli.py": ("a list of arguments",),
    "tests/support/odd_names.py": ("of one system",),  # names that a visitor's file may have
}

LONGEST_PATH = 120  # Windows takes 260 with the folder of the checkout
REFUSED_SIGNS = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ]$')
RESERVED_NAMES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}

GUARDS = {"platform", "name", "hasattr"}  # sys.platform, os.name, hasattr(os, …)
POSIX_MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty"}
POSIX_NAMES = {
    "os": {"fork", "getuid", "geteuid", "killpg", "setsid", "getpgid", "sched_setaffinity", "sched_getaffinity"},
    "signal": {"SIGKILL", "SIGSTOP", "SIGCONT", "SIGHUP", "SIGALRM", "alarm"},
}
NOT_FILES = {"os", "Image", "webbrowser"}  # their open() takes no encoding
SYSTEM_PATH = re.compile(r"(?:/(?:tmp|usr|home|etc|var|opt|proc|sys|dev|bin)(?:/|$)|[A-Za-z]:[\\/]|~[\\/])")
PATH_WORD = re.compile(r"(?:^|_)(?:path|folder|directory|dir|root|file|filename)s?$", re.IGNORECASE)


# --------------------------------------------------------------------------------------------------------------- files


def project_files() -> list[str]:
    """Paths of all files of the project, from its folder, with forward slashes."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file() or path.is_symlink())
        return sorted(path.as_posix() for path in found if not SKIPPED_FOLDERS & set(path.parts))
    return sorted(path for path in listed.decode("utf-8").split("\0") if path and (ROOT / path).exists())


def name_faults(path: str) -> list[str]:
    """Why another system would refuse a file of this name."""
    parts = PurePosixPath(path).parts
    faults = [f"{part!r} has a sign that Windows refuses" for part in parts if REFUSED_SIGNS.search(part)]
    faults += [f"{part!r} is a device on Windows" for part in parts if _stem(part) in RESERVED_NAMES]
    faults += [f"longer than {LONGEST_PATH} signs"] if len(path) > LONGEST_PATH else []
    return faults


def _stem(part: str) -> str:
    return part.split(".")[0].strip().lower()


def case_clashes(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of files or folders that are one where case is not told apart."""
    first: dict[str, str] = {}
    entries = {str(entry) for path in paths for entry in (PurePosixPath(path), *PurePosixPath(path).parents)}
    return [
        (first[key], entry) for entry in sorted(entries) if first.setdefault(key := entry.casefold(), entry) != entry
    ]


def text_faults(data: bytes) -> list[str]:
    """What is wrong with a text file's bytes; nothing with those of a binary file, which has a zero byte."""
    if b"\0" in data:
        return []
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return ["not UTF-8"]
    faults = ["begins with a byte order mark"] if data.startswith(b"\xef\xbb\xbf") else []
    return faults + (["has carriage returns"] if b"\r" in data else [])


# ---------------------------------------------------------------------------------------------------------------- code


def code_faults(source: str) -> list[str]:
    """One sentence for each line of a Python file that would break elsewhere."""
    return [f"line {node.lineno}: {fault}" for node, fault in _faults(ast.parse(source), is_guarded=False)]


def _faults(node: ast.AST, *, is_guarded: bool) -> Iterator[tuple[ast.expr | ast.stmt | ast.keyword, str]]:
    if isinstance(node, ast.expr | ast.stmt | ast.keyword):
        rules = ALWAYS if is_guarded else (*ALWAYS, *UNLESS_GUARDED)
        yield from ((node, fault) for rule in rules if (fault := rule(node)))
    is_guarded = is_guarded or (isinstance(node, ast.If | ast.IfExp) and _names(node.test) & GUARDS != set())
    for child in ast.iter_child_nodes(node):
        yield from _faults(child, is_guarded=is_guarded)


def _names(node: ast.AST) -> set[str]:
    attributes = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    return attributes | {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _name(node: ast.AST) -> str:
    """The last name of an expression: `b` of a.b, of a.b() and of b[0]."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return _name(inner)
    return ""


def _call(node: ast.AST) -> tuple[str, str, dict[str | None, ast.expr], list[ast.expr]]:
    """(name of the object, "?" without one; of the function; keywords; arguments) of a call, else empty."""
    if not isinstance(node, ast.Call):
        return "", "", {}, []
    owner = (_name(node.func.value) or "?") if isinstance(node.func, ast.Attribute) else ""
    return owner, _name(node.func), {keyword.arg: keyword.value for keyword in node.keywords}, node.args


def _is_true(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


def _no_encoding(node: ast.AST) -> str | None:
    owner, function, keywords, arguments = _call(node)
    if "encoding" in keywords or (function == "open" and owner in NOT_FILES):
        return None
    if function in ("read_text", "write_text") and owner:
        return f"{function} without encoding"
    if function in ("open", "NamedTemporaryFile", "TemporaryFile", "fdopen"):
        at = 0 if (function == "open" and owner) or "Temporary" in function else 1
        mode = keywords.get("mode", arguments[at] if len(arguments) > at else None)
        text = mode.value if isinstance(mode, ast.Constant) else "w+b" if "Temporary" in function else "r"
        return f"{function} of a text without encoding" if "b" not in str(text) else None
    if any(_is_true(keywords.get(name)) for name in ("text", "universal_newlines")):
        return f"{function} with text and without encoding"
    return None


def _shell(node: ast.AST) -> str | None:
    owner, function, keywords, _ = _call(node)
    if _is_true(keywords.get("shell")):
        return "a shell: pass a list of arguments"
    return f"os.{function}: use subprocess with a list" if owner == "os" and function in ("system", "popen") else None


def _rename(node: ast.AST) -> str | None:
    owner, function, _, _ = _call(node)
    is_path = owner == "os" or PATH_WORD.search(owner)
    return "rename fails on Windows where the target exists: use replace" if function == "rename" and is_path else None


def _local_time(node: ast.AST) -> str | None:
    owner, function, keywords, arguments = _call(node)
    needed = {"now": 1, "fromtimestamp": 2, "utcnow": 9, "today": 9}.get(function, 0)
    has_zone = "tz" in keywords or len(arguments) >= needed
    return f"{function} without a time zone" if owner in ("datetime", "date") and not has_zone else None


def _joined_path(node: ast.AST) -> str | None:
    parts: list[ast.expr] = []
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [node.left, node.right]
    for before, after in pairwise(parts):
        text = str(after.value) if isinstance(after, ast.Constant) else ""
        if PATH_WORD.search(_name(before)) and text[:1] in ("/", "\\") and "*" not in text:  # a pattern is no path
            return "a path joined as text: use pathlib's /"
    return None


def _split_path(node: ast.AST) -> str | None:
    owner, function, _, arguments = _call(node)
    splits = function in ("split", "rsplit", "partition", "rpartition") and PATH_WORD.search(owner)
    is_slash = bool(arguments) and isinstance(arguments[0], ast.Constant) and arguments[0].value in ("/", "\\")
    return "a path taken apart at slashes: use pathlib" if splits and is_slash else None


def _system_path(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and SYSTEM_PATH.match(node.value):
        return f"the path {node.value.split()[0]!r} of one system"
    return None


def _posix(node: ast.AST) -> str | None:
    match node:
        case ast.Import(names=names) if found := POSIX_MODULES & {name.name for name in names}:
            return f"{sorted(found)[0]} is not there on Windows"
        case ast.ImportFrom(module=str(module)) if module in POSIX_MODULES:
            return f"{module} is not there on Windows"
        case ast.Attribute(value=ast.Name(id=owner), attr=name) if name in POSIX_NAMES.get(owner, ()):
            return f"{owner}.{name} is not there on Windows"
        case ast.keyword(arg="preexec_fn"):
            return "preexec_fn is not there on Windows"
        case ast.Call(func=function, args=[ast.Constant(value=None)]) if _name(function) == "CDLL":
            return "CDLL(None) fails on Windows"
        case ast.Call(func=function, args=[ast.Constant(value="fork")]) if _name(function) != "append":
            return "fork is not there on Windows"
    return None


Rule = Callable[[ast.AST], str | None]
ALWAYS: tuple[Rule, ...] = (_no_encoding, _shell, _rename, _local_time, _joined_path, _split_path)
UNLESS_GUARDED: tuple[Rule, ...] = (_posix, _system_path)

# --------------------------------------------------------------------------------------------------------------- tests

FILES = project_files()
PYTHON_FILES = [path for path in FILES if path.endswith(".py")]


def test_no_file_is_a_symbolic_link() -> None:
    assert [path for path in FILES if (ROOT / path).is_symlink()] == []


def test_every_system_takes_the_names() -> None:
    assert {path: faults for path in FILES if (faults := name_faults(path))} == {}


def test_no_two_names_differ_by_case_alone() -> None:
    assert case_clashes(FILES) == []


def test_texts_are_utf_8_with_plain_line_ends() -> None:
    assert {path: faults for path in FILES if (faults := text_faults((ROOT / path).read_bytes()))} == {}


@pytest.mark.parametrize("path", PYTHON_FILES)
def test_code_runs_on_every_system(path: str) -> None:
    faults = code_faults((ROOT / path).read_text(encoding="utf-8"))
    assert [fault for fault in faults if not fault.endswith(EXCUSED.get(path, ()))] == []


@pytest.mark.parametrize(
    "path", ["docs/12:30.md", "a?.py", "b/con.py", "AUX", "docs/end.", "docs/end /x", "a\\b", f"{'x' * 119}.py"]
)
def test_bad_name_is_caught(path: str) -> None:
    assert len(name_faults(path)) == 1


@pytest.mark.parametrize("path", [".ci/run", "explorer/__init__.py", "docs/console.md", "a b.txt", ".gitignore"])
def test_good_name_passes(path: str) -> None:
    assert name_faults(path) == []


def test_names_that_differ_by_case_are_caught() -> None:
    assert case_clashes(["docs/a.md", "docs/A.md", "Docs/b.md", "c.md"]) == [
        ("Docs", "docs"),
        ("docs/A.md", "docs/a.md"),
    ]


@pytest.mark.parametrize("data", [b"\xff\xfea\n", b"\xe9t\xe9\n", b"\xef\xbb\xbfa\n", b"a\r\nb\r\n"])
def test_bad_text_is_caught(data: bytes) -> None:
    assert len(text_faults(data)) == 1


@pytest.mark.parametrize("data", ["½ → ⟲\n".encode(), b"\x89PNG\r\n\x1a\n\0\xff", b""])
def test_good_text_and_binary_pass(data: bytes) -> None:
    assert text_faults(data) == []


BAD = """
open("a.txt")
open(name, "w")
path.open()
path.open("a")
path.read_text()
path.write_text(text)
os.fdopen(number, "w")
tempfile.NamedTemporaryFile("w")
subprocess.run(command, text=True)
subprocess.Popen(command, universal_newlines=True)
subprocess.run("ls *", shell=True)
os.system("ls")
os.rename(old, new)
path.rename(new)
datetime.now()
datetime.utcnow()
datetime.fromtimestamp(0)
name = f"{folder}/a.txt"
name = str_path + "/a.txt"
parts = path.split("/")
parts = str_path.rpartition("/")
home = "/home/me"
folder = Path("/tmp")
drive = "C:\\\\data"
settings = Path("~/settings")
import fcntl
from resource import getrusage
os.fork()
os.kill(1, signal.SIGKILL)
subprocess.run(command, preexec_fn=join)
library = ctypes.CDLL(None)
context = multiprocessing.get_context("fork")
""".strip().splitlines()


@pytest.mark.parametrize("source", BAD)
def test_bad_code_is_caught(source: str) -> None:
    assert len(code_faults(source)) == 1


GOOD = """
open("a.txt", encoding="utf-8")
open("a.txt", "rb")
open("a.txt", mode="wb")
path.open("rb")
(folder / "log").open("wb")
folder.glob(f"{folder}/**/*.py")
path.open(encoding="utf-8")
path.read_text(encoding="utf-8")
Image.open(buffer)
os.open(os.devnull, os.O_WRONLY)
tempfile.TemporaryFile()
subprocess.run(command, capture_output=True, check=True)
subprocess.run(command, text=True, encoding="utf-8")
os.replace(old, new)
table.rename(columns)
datetime.now(UTC)
datetime.now(tz=UTC)
link = f"{url}/app"
address = app_url + "/?size=33"
name = f"{path}: a fault"
parts = name.split("/")
route = "/app/static"
trim = ctypes.CDLL(None).malloc_trim if sys.platform == "linux" else None
if sys.platform != "win32": import fcntl
if hasattr(os, "fork"): os.fork()
os.kill(1, signal.SIGTERM)
names.append("fork")
""".strip().splitlines()


@pytest.mark.parametrize("source", GOOD)
def test_good_code_passes(source: str) -> None:
    assert code_faults(source) == []
