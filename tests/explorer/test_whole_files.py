"""Files that are whole at every moment: old or new, whatever fails, and nothing left beside them."""

import ast
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from stat import S_ISDIR
from typing import Any

import pytest
import torch

from explorer.reproduction.results import write_document
from explorer.runs.starts import keep_start
from explorer.runs.store import Store
from explorer.serving.shipped import shipped, write_manifest
from explorer.serving.weights import save_weights
from explorer.training.checkpoint import Place, write_checkpoint
from explorer.training.recipe import Recipe
from explorer.whole_files import check_writable, whole_file, write_whole
from models.build import build
from models.catalog import spec
from tests.support import ROOT

OLD, NEW = b"old", b"new and longer"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with something in it, alone in its folder."""
    path = tmp_path / "file.bin"
    path.write_bytes(OLD)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_file_is_written_anew_or_for_the_first_time(path: Path) -> None:
    write_whole(path, NEW)
    write_whole(path.with_name("other"), b"")
    assert contents(path.parent) == {"file.bin": NEW, "other": b""}


def fail(error: BaseException) -> Callable[..., Any]:
    def raise_it(*arguments: Any, **options: Any) -> None:
        raise error

    return raise_it


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()], ids=["full", "interrupted"])
def test_what_fails_while_it_is_written_leaves_the_old(path: Path, error: BaseException) -> None:
    def write() -> None:
        with whole_file(path) as part:
            part.write_bytes(NEW[:3])
            assert contents(path.parent) == {"file.bin": OLD, part.name: NEW[:3]}
            raise error

    with pytest.raises(type(error)):
        write()
    assert contents(path.parent) == {"file.bin": OLD}


def test_nothing_written_at_all_leaves_the_old(path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(path):
        pass
    assert contents(path.parent) == {"file.bin": OLD}


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_disk_that_refuses_leaves_the_old(path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, name, fail(OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match="broken"):
        write_whole(path, NEW)
    assert contents(path.parent) == {"file.bin": OLD}


def test_bytes_are_on_the_disk_before_the_name_and_the_name_afterwards(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, bytes]] = []
    sync, replace = os.fsync, os.replace

    def watched_sync(descriptor: int) -> None:
        kind = "folder" if S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        done.append((kind, path.read_bytes()))
        sync(descriptor)

    def watched_replace(source: Path, target: Path) -> None:
        done.append(("name", path.read_bytes()))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "replace", watched_replace)
    write_whole(path, NEW)

    steps = [("file", OLD), ("name", OLD), ("folder", NEW)]
    assert done == (steps if sys.platform != "win32" else steps[:2])


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_file_systems_that_flush_nothing_on_demand_are_written_too(
    path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", fail(OSError(number, "not supported")))
    write_whole(path, NEW)
    assert contents(path.parent) == {"file.bin": NEW}


def test_system_that_opens_no_folders_writes_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.whole_files.os.open", fail(PermissionError(errno.EACCES, "a folder")))
    write_whole(path, NEW)
    assert contents(path.parent) == {"file.bin": NEW}


def test_process_that_is_killed_in_the_middle_leaves_the_old(path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from explorer.whole_files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as part:\n    part.write_bytes(b'half'); os._exit(9)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, check=False)

    assert ended.returncode == 9
    assert path.read_bytes() == OLD
    (left,) = (name for name in contents(path.parent) if name != "file.bin")
    assert left.endswith(".part")


def test_what_could_not_be_written_is_known_beforehand(path: Path) -> None:
    check_writable(path)
    check_writable(path.with_name("new"))
    assert contents(path.parent) == {"file.bin": OLD}
    for unwritable in (path.parent, path / "inside", path.parent / "nowhere" / "file"):
        with pytest.raises(OSError):  # noqa: PT011 - a folder, a file for a folder, no folder: each says another
            check_writable(unwritable)


# ------------------------------------------------------------------------------------------------- all that write files


def _checkpoint(path: Path) -> None:
    network = build(spec("z2-knight"))
    write_checkpoint(path, Recipe(), Place(), network, torch.optim.SGD(network.parameters()), None)


WRITERS: dict[str, Callable[[Path], object]] = {
    "weights": lambda path: save_weights(build(spec("z2-knight")), path),
    "checkpoint": _checkpoint,
    "results": lambda path: write_document(path, "sizes", (), {}),
    "manifest.json": lambda path: write_manifest(shipped(), path.parent),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_file_of_ours_is_written_whole(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / name
    path.write_bytes(OLD)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail(OSError(errno.EIO, "broken")))
        with pytest.raises(Exception, match="broken"):
            WRITERS[name](path)
    assert contents(tmp_path) == {name: OLD}
    WRITERS[name](path)
    assert path.read_bytes() != OLD and len(contents(tmp_path)) == 1


def test_weights_that_a_run_starts_from_are_kept_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_weights(build(spec("z2-knight")), tmp_path / "given")
    store = Store("", tmp_path / "runs")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail(OSError(errno.EIO, "broken")))
        with pytest.raises(Exception, match="cannot be kept"):
            keep_start((tmp_path / "given").read_bytes(), "given", store)
    assert contents(store.folder / "starts") == {}


def test_nothing_else_puts_files_in_place() -> None:
    def replaces(path: Path) -> bool:
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        return any(
            isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.replace", "os.rename") for node in nodes
        )

    found = [path for top in ("equivariance", "models", "explorer") for path in (ROOT / top).rglob("*.py")]
    assert [path.name for path in found if replaces(path)] == ["whole_files.py"]
