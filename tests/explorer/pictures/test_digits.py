"""The ten digits of the gallery."""

from pathlib import Path

import numpy as np
import pytest

from explorer.errors import DataError
from explorer.pictures import digits
from explorer.pictures.digits import DATA, digit_pixels


@pytest.mark.parametrize("digit", range(10))
def test_each_is_the_digit_it_is_called_and_one_of_those_never_trained_on(digit: int) -> None:
    with np.load(DATA) as arrays:
        tests, labels, trained = arrays["test_images"], arrays["test_labels"], arrays["train_images"]
    greys = digit_pixels(digit)[:, :, 0]

    assert labels[(tests == greys).all((1, 2))].tolist() == [digit]
    assert not (trained == greys).all((1, 2)).any()


def test_digits_are_grey_white_on_black_and_cannot_be_changed() -> None:
    pixels = digit_pixels(3)

    assert pixels.shape == (28, 28, 3) and (pixels == pixels[:, :, :1]).all()
    assert pixels[0].max() == 0 and pixels.max() > 250
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0] = 1


def arrays(**changed: np.ndarray) -> dict[str, np.ndarray]:
    with np.load(DATA) as kept:
        return {**kept, **changed}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"test_images": np.zeros((2_000, 28, 28), np.float32)}, "test_images is float32 (2000, 28, 28)"),
        ({"train_images": np.zeros((9, 28, 28), np.uint8)}, "train_images is uint8 (9, 28, 28)"),
        ({"train_labels": np.full(10_000, 10, np.uint8)}, "a label is above 9"),
        ({"test_labels": np.full(2_000, 255, np.uint8)}, "a label is above 9"),
        (None, "File is not a zip file"),
    ],
    ids=["dtype", "shape", "train label", "test label", "no file of arrays"],
)
def test_a_file_that_is_not_what_it_should_be_is_one_sentence(
    changed: dict[str, np.ndarray] | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "digits.npz"
    if changed is None:
        path.write_bytes(b"PK\x03\x04 and nothing more")
    else:
        np.savez(path, **arrays(**changed))
    monkeypatch.setattr(digits, "DATA", path)

    with pytest.raises(DataError) as caught:
        digits.read_digits()

    assert words in str(caught.value) and str(caught.value).endswith("): take it from the project again.")


def test_a_gallery_without_its_file_is_said_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "DATA", tmp_path / "nothing.npz")
    with pytest.raises(DataError, match="is missing or damaged"):
        digits.digit_pixels.__wrapped__(3)
