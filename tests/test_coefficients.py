"""escnn's coefficients are stored where the disk allows it, and remembered where it does not."""

import subprocess
import sys
from pathlib import Path

import joblib
import pytest

from models.coefficients import CoefficientStore, stored_or_remembered

ROOT = Path(__file__).parents[1]
READ_ONLY = """
import errno, sys
import joblib._store_backends as backends

def refuse(folder):
    raise OSError(errno.EROFS, "Read-only file system", folder)

backends.mkdirp = refuse
from models.build import serve
from models.catalog import spec
print(type(serve(spec("c8-knight"))).__name__)
"""


@pytest.fixture(params=["writable", "refused"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A place for a store: an empty folder, or one below a file, which nobody can make."""
    (tmp_path / "file").touch()
    return tmp_path / ("store" if request.param == "writable" else "file/store")


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


def test_value_outlives_the_process_only_where_it_can_be_written(tmp_path: Path) -> None:
    store = tmp_path / "store"
    squares([], store)(3)
    assert list(store.glob("**/output.pkl"))


def test_joblib_is_itself_again_after_the_import() -> None:
    before = joblib.Memory
    with pytest.raises(RuntimeError), stored_or_remembered():
        assert joblib.Memory is CoefficientStore
        raise RuntimeError
    assert joblib.Memory is before


def test_steerable_network_is_built_where_no_folder_can_be_made() -> None:
    run = subprocess.run([sys.executable, "-c", READ_ONLY], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
