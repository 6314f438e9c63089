"""A folder of class sub-folders as a data set: which pictures go where, what is skipped, what is refused."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.data import picture_folder
from explorer.data.datasets import Dataset, load
from explorer.errors import DataError
from tests.support.file_parts import noise


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """11 and 4 pictures of 12 px; each one's pixels are drawn from its number."""
    for number in range(11):
        save(tmp_path / "cells" / "round" / f"{number}.png", noise(12, 12, seed=number))
    for number in range(4):
        save(tmp_path / "cells" / "long" / f"{number}.png", noise(12, 12, seed=100 + number))
    return tmp_path / "cells"


def loaded(folder: Path, **options: int) -> Dataset:
    return load(f"folder:{folder}", folder=Path("/nowhere"), **options)


def refusal(folder: Path | str) -> str:
    with pytest.raises(DataError) as caught:
        load(f"folder:{folder}", folder=Path("/nowhere"))
    assert re.fullmatch(r"((?!\. )[^\n])+\.", str(caught.value))
    return str(caught.value)


def test_pictures_get_the_label_of_their_folder_and_each_class_is_in_both_splits(cells: Path) -> None:
    dataset = loaded(cells)
    assert dataset.classes == ("long", "round") and dataset.title == "cells" and dataset.notes == ()
    assert torch.bincount(dataset.test.labels).tolist() == [1, 2]  # a fifth, and at least one
    assert torch.bincount(dataset.train.labels).tolist() == [3, 9]
    kept = {bytes(noise(12, 12, seed=number)): 1 for number in range(11)}
    kept |= {bytes(noise(12, 12, seed=100 + number)): 0 for number in range(4)}
    for split in (dataset.train, dataset.test):
        for picture, label in zip(split.pictures, split.labels.tolist(), strict=True):
            assert kept.pop(picture.permute(1, 2, 0).numpy().tobytes()) == label, "unchanged, and in one split only"
    assert kept == {}


def test_the_split_is_the_same_wherever_the_folder_lies_and_new_pictures_move_few(cells: Path, tmp_path: Path) -> None:
    before = loaded(cells)
    moved = cells.rename(tmp_path / "elsewhere")
    assert loaded(moved).sha256 == before.sha256
    save(moved / "round" / "more.png", noise(12, 12, seed=50))
    after = loaded(moved)
    assert len(after.train) + len(after.test) == 16
    tested = {picture.numpy().tobytes() for picture in after.test.pictures}
    assert sum(picture.numpy().tobytes() in tested for picture in before.test.pictures) >= 2


def test_the_first_pictures_are_of_all_classes(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        for number in range(20):
            save(tmp_path / name / f"{number}.png", noise(8, 8, seed=number))
    assert set(loaded(tmp_path).train.labels[:15].tolist()) == {0, 1, 2}


def test_pictures_that_cannot_be_read_are_named_skipped_and_counted(cells: Path) -> None:
    whole = (cells / "long" / "0.png").read_bytes()
    (cells / "long" / "cut.png").write_bytes(whole[:150])
    (cells / "long" / "notes.txt").write_bytes(b"no picture")
    (cells / "long" / "deeper").mkdir()
    save(cells / "round" / "speck.png", noise(3, 3))
    (cells / "round" / ".DS_Store").write_bytes(b"hidden")
    (cells / "readme.txt").write_bytes(b"of no class")
    dataset = loaded(cells)
    assert len(dataset.train) + len(dataset.test) == 15
    (note,) = dataset.notes
    assert note.startswith("4 of 19 pictures were skipped: ") and note.endswith(", and 1 more.")
    assert "'long/deeper' is not a file" in note and "'long/cut.png' is damaged or cut short" in note
    assert "'long/notes.txt' is not a picture in a known format" in note


def test_links_are_followed_inside_the_folder_and_never_out_of_it(cells: Path, tmp_path: Path) -> None:
    save(tmp_path / "secret" / "0.png", noise(12, 12, seed=7))
    save(tmp_path / "secret" / "1.png", noise(12, 12, seed=8))
    try:
        (cells / "stolen").symlink_to(tmp_path / "secret", target_is_directory=True)
    except OSError:
        pytest.skip("this user may not make links")
    (cells / "long" / "stolen.png").symlink_to(tmp_path / "secret" / "0.png")
    (cells / "long" / "circle.png").symlink_to(cells / "long" / "circle.png")
    (cells / "long" / "again.png").symlink_to(cells / "long" / "0.png")
    dataset = loaded(cells)
    assert dataset.classes == ("long", "round") and len(dataset.train) + len(dataset.test) == 16
    assert dataset.notes[0].startswith("3 of 19 pictures were skipped: 'stolen' is a link that leads out")


def test_pictures_of_many_sizes_are_brought_to_one_side_by_their_centre(tmp_path: Path) -> None:
    striped = np.zeros((100, 300, 3), dtype=np.uint8)
    striped[:, 100:200] = (10, 200, 30)  # the middle third is the centre square
    for name in ("a", "b"):
        for number in range(3):
            save(tmp_path / name / f"{number}.png", striped)
        save(tmp_path / name / "small.png", np.full((20, 21, 3), (10, 200, 30), dtype=np.uint8))
    dataset = loaded(tmp_path)
    assert dataset.train.pictures.shape == (6, 3, 64, 64)
    green = torch.tensor([10, 200, 30], dtype=torch.uint8)[:, None, None]
    assert (dataset.train.pictures == green).all() and (dataset.test.pictures == green).all()
    assert dataset.notes == ("The centre square of each picture was resampled to 64 px.",)
    assert loaded(tmp_path, folder_side_px=16).train.pictures.shape[-1] == 16


def test_a_changed_picture_is_read_again(cells: Path) -> None:
    before = loaded(cells)
    assert loaded(cells) is before
    save(cells / "long" / "0.png", noise(13, 13, seed=1000))
    assert loaded(cells).sha256 != before.sha256


def test_a_folder_that_is_not_a_data_set_gives_one_sentence(cells: Path, tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nothing")
    assert "is not a folder" in refusal(cells / "long" / "0.png")
    assert "has 0 sub-folders" in refusal(cells / "long")
    assert "\\x00" in repr(refusal("/a\0b")) and "cannot be read" in refusal("/a\0b")
    assert "unknown user" in refusal("~nobody-of-that-name/x")
    (cells / "wide").mkdir()
    assert "The class 'wide'" in refusal(cells) and "is empty" in refusal(cells)
    save(cells / "wide" / "0.png", noise(12, 12))
    (cells / "wide" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    assert "has 1 that can be read ('wide/1.png' is damaged or cut short)" in refusal(cells)


def test_more_pictures_than_are_held_are_refused_before_or_while_reading(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_folder, "MAX_KEPT_BYTES", 14 * 3 * 12**2)
    assert "take more than 1 GiB" in refusal(cells)
    monkeypatch.setattr(picture_folder, "MAX_PICTURES", 14)
    assert "more than 14 pictures" in refusal(cells)


def test_progress_is_told_and_what_it_raises_stops_the_reading(cells: Path) -> None:
    told: list[float] = []
    load(f"folder:{cells}", folder=Path("/nowhere"), progress=lambda fraction, sentence: told.append(fraction))
    assert told == sorted(told) and told[0] == 0 and 0.9 < told[-1] < 1

    class Stop(Exception):  # noqa: N818 - as callers stop
        pass

    def stop(fraction: float, sentence: str) -> None:
        raise Stop(sentence)

    with pytest.raises(Stop, match="Reading pictures: 0 of 15"):
        load(f"folder:{cells}", folder=Path("/nowhere"), progress=stop, folder_side_px=9)


def test_refusals_do_not_say_where_the_data_folder_lies(cells: Path) -> None:
    (cells / "lonely").mkdir()
    for name in ("absent", "cells", "cells/long", "cells/long/0.png", "a\0b", "x" * 300):
        with pytest.raises(DataError) as caught:
            load(f"folder:{name}", folder=cells.parent)
        assert f"'{name}'" in str(caught.value) and str(cells.parent) not in str(caught.value)


def test_a_relative_path_starts_in_the_data_folder(cells: Path) -> None:
    assert load("folder:cells", folder=cells.parent).sha256 == loaded(cells).sha256
