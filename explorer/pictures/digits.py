"""The digits of MNIST that come with the app (mnist-12k): the arrays of the file, and ten of them as pictures."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

from explorer.checkout import ASSETS
from explorer.errors import DataError

DATA = ASSETS / "data" / "mnist-12k.npz"
# One of each class, of the test digits, which nothing was trained on: one that all networks in assets/weights read
# rightly upright, and for 4, 5, 6, 7 and 9 one that those which are not exact read otherwise when it is turned. Of the
# others hardly any is.
NUMBERS = (3, 2, 1, 87, 67, 59, 11, 26, 61, 7)
_SHAPES = {
    "train_images": (10_000, 28, 28),
    "train_labels": (10_000,),
    "test_images": (2_000, 28, 28),
    "test_labels": (2_000,),
}


def read_digits(*names: str) -> Mapping[str, npt.NDArray[np.uint8]]:
    """Arrays of the file, all where none is named: images (N, 28, 28), 0..255, and labels (N,), 0..9; uint8.

    Raises DataError for a file that is missing or not what it should be.
    """
    try:
        with DATA.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            values = {name: arrays[name] for name in names or _SHAPES}
        for name, array in values.items():
            if array.shape != _SHAPES[name] or array.dtype != np.uint8:
                raise ValueError(f"{name} is {array.dtype} {array.shape}")
            if name.endswith("labels") and array.max() > 9:
                raise ValueError("a label is above 9")
    except Exception as error:  # numpy and zipfile raise whatever their first bad byte leads to
        raise DataError(f"'{DATA}' is missing or damaged ({error}): take it from the project again.") from error
    return values


@cache
def digit_pixels(digit: int) -> npt.NDArray[np.uint8]:
    """The digit of that class, 0..9: (28, 28, 3), uint8, white on black, read-only; raises as `read_digits`."""
    greys = read_digits("test_images")["test_images"][NUMBERS[digit]]
    pixels = np.repeat(greys[:, :, None], 3, axis=2)
    pixels.setflags(write=False)
    return pixels
