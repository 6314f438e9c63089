"""escnn's coefficients are stored where the disk allows it, and remembered where it does not."""

import subprocess
import sys
from pathlib import Path

import joblib
import pytest

from equivariance.layers.coefficients import CoefficientStore, stored_or_remembered
from tests.support import ROOT

READ_ONLY = """
import errno
from joblib._store_backends import FileSystemStoreBackend

def refuse(*arguments, **named):
    raise OSError(errno.EROFS, "Read-only file system")

FileSystemStoreBackend.configure = refuse
from models.build import serve
from models.catalog import spec

serve(spec("c8-knight"))
"""


@pytest.fixture(params=["writable", "cannot be made", "made and not writable"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A place for a store. Files where folders should be refuse root as well, unlike permissions."""
    if request.param == "cannot be made":
        (tmp_path / "store").touch()
    elif request.param == "made and not writable":
        (tmp_path / "store" / "joblib").mkdir(parents=True)
        (tmp_path / "store" / "joblib" / __name__).touch()
    return tmp_path / "store"


def squares(calls: list[int], folder: Path) -> object:
    @CoefficientStore(str(folder), verbose=0).cache
    def square(number: int) -> list[int]:
        calls.append(number)
        return [number**2]

    return square


def test_value_is_computed_once_for_equal_arguments(folder: Path) -> None:
    calls: list[int] = []
    square = squares(calls, folder)
    assert [square(3), square(4), square(3)] == [[9], [16], [9]]
    assert calls == [3, 4]


def test_callers_cannot_change_each_others_value(folder: Path) -> None:
    square = squares([], folder)
    square(3).append(0)
    assert square(3) == [9]


def test_ignored_argument_is_taken_by_the_decorator(folder: Path) -> None:
    @CoefficientStore(str(folder), verbose=0).cache(ignore=["unused"])
    def double(number: int, unused: str) -> int:
        return 2 * number

    assert double(2, "any") == 4


def test_value_is_stored_where_the_disk_allows_it(tmp_path: Path) -> None:
    calls: list[int] = []
    squares(calls, tmp_path)(3)
    assert squares(calls, tmp_path)(3) == [9]  # a new store, with no memory of the first
    assert calls == [3]


def test_joblib_is_itself_again_after_the_import() -> None:
    before = joblib.Memory
    with stored_or_remembered():
        assert joblib.Memory is CoefficientStore
    assert joblib.Memory is before


def test_steerable_network_is_built_where_no_folder_can_be_made() -> None:
    run = subprocess.run([sys.executable, "-c", READ_ONLY], cwd=ROOT, capture_output=True, encoding="utf-8")
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
