"""The picture of the floors shows the folders that there are, in the order of their imports."""

import importlib.util
from types import ModuleType
from xml.etree import ElementTree

import pytest

from explorer.pages.session.addresses import PAGES
from tests.project.test_floors import FLOORS
from tests.support import ROOT

PICTURE = ROOT / "docs" / "floors.svg"


@pytest.fixture(scope="module")
def floors() -> ModuleType:
    """The script that draws it."""
    spec = importlib.util.spec_from_file_location("floors", ROOT / "assets" / "drawings" / "floors.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_stored_picture_is_what_the_script_draws(floors: ModuleType) -> None:
    assert PICTURE.read_text(encoding="utf-8") == floors.drawing()


def test_floors_and_rooms_stand_in_the_order_of_their_imports(floors: ModuleType) -> None:
    rooms = [f"{floor}/{room}".replace("/", ".") for floor, _, rooms in reversed(floors.FLOORS) for room in rooms]
    in_table = [room for room in rooms if room in FLOORS]
    tops = [floor.removesuffix(".py").replace("/", ".") for floor, _, _ in reversed(floors.FLOORS)]

    assert in_table == sorted(in_table, key=FLOORS.index)
    assert tops == sorted(tops, key=FLOORS.index)
    assert [room for room in rooms if room not in FLOORS] == [f"explorer.pages.{page}" for page in PAGES]


def test_every_folder_of_the_code_is_in_the_picture(floors: ModuleType) -> None:
    there = {
        path.parent.relative_to(ROOT).as_posix()
        for top in ("equivariance", "explorer")
        for pattern in ("*/__init__.py", "pages/*/__init__.py")
        for path in (ROOT / top).glob(pattern)
    }
    drawn = {f"{floor}/{room}" for floor, _, rooms in floors.FLOORS for room in rooms} | {"explorer/pages"}
    assert there == drawn


def test_the_picture_is_sound_and_named_for_those_who_do_not_see_it() -> None:
    root = ElementTree.parse(PICTURE).getroot()
    assert root.get("role") == "img"
    assert "imports run downwards only" in (root.get("aria-label") or "")
