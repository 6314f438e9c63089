"""Odd files: each gives the picture or the one sentence that it must, in bounded memory."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explorer.errors import PictureError
from explorer.pictures.images import decode
from tests.support.odd_answers import STATUS, OddPicture, fault
from tests.support.odd_pictures import measured, variants, write_odd_pictures

MAX_GROWTH_MB = 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("odd")


@pytest.fixture(scope="module")
def pictures(folder: Path) -> list[OddPicture]:
    return write_odd_pictures(folder)


@pytest.mark.skipif(not STATUS.exists(), reason="reads the memory of a process as Linux shows it")
def test_odd_files_give_what_they_must_in_bounded_memory(folder: Path, pictures: list[OddPicture]) -> None:
    printed = measured(folder)
    print(printed)
    found = re.search(r"(\d+) files, (\d+) wrong answers, memory grew by (\d+) MB", printed)
    assert found, printed
    files, wrong, growth_mb = map(int, found.groups())
    assert files == len(pictures) >= 60
    assert wrong == 0, printed
    assert growth_mb < MAX_GROWTH_MB


def test_no_two_odd_files_have_the_same_name(pictures: list[OddPicture]) -> None:
    assert Counter(odd.file.casefold() for odd in pictures).most_common(1)[0][1] == 1


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # of damaged tags, which the app ignores
def test_changed_and_inserted_bytes_give_a_picture_or_a_refusal(pictures: list[OddPicture]) -> None:
    seeds = [odd.data for odd in pictures if odd.shows and 100 < len(odd.data) < 5000]
    random = np.random.default_rng(3)
    for _ in range(600):
        data = bytearray(seeds[random.integers(len(seeds))])
        for _ in range(random.integers(1, 6)):
            place = random.integers(len(data))
            data[place : place + random.integers(2)] = random.bytes(random.integers(1, 4))
        assert re.fullmatch(r"a picture|'changed\.png' [^\n]{,180}\.", answer(bytes(data)))


def answer(data: bytes) -> str:
    """The sentence with which the bytes are refused, or "a picture"."""
    try:
        decode(data, name="changed.png")
    except PictureError as error:
        return str(error)
    return "a picture"


@pytest.mark.parametrize(
    "wrong",
    [
        {"shows": (((0, 0), (0, 0, 0)),)},
        {"size_px": (1, 1)},
        {"notes": ("Something was done.",)},
        {"refused": "damaged"},
        {"shown_name": "other.png"},
    ],
)
def test_a_wrong_picture_is_found(wrong: dict[str, object]) -> None:
    odd = next(odd for odd in variants() if odd.file == "interlaced.png")
    assert fault(odd) is None
    assert fault(replace(odd, **wrong)) is not None


@pytest.mark.parametrize(
    "wrong", [{"refused": "a BMP picture"}, {"shows": (((0, 0), (0, 0, 0)),)}, {"shown_name": "other.gif"}]
)
def test_a_wrong_refusal_is_found(wrong: dict[str, object]) -> None:
    odd = next(odd for odd in variants() if odd.file == "animation.gif")
    assert fault(odd) is None
    assert fault(replace(odd, **wrong)) is not None
