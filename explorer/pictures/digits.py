"""Ten handwritten digits that come with the app, one of each class: test digits of mnist-12k, never trained on."""

from functools import cache

import numpy as np
import numpy.typing as npt

from explorer.checkout import ASSETS

DATA = ASSETS / "data" / "mnist-12k.npz"
# Of the test digits, by class: one that all networks in assets/weights read rightly upright, and for 3, 4, 5, 6, 7 and
# 9 the first that those which are not exact read otherwise when it is turned. Of 0, 1, 2 and 8 hardly any is.
NUMBERS = (3, 2, 1, 87, 67, 211, 11, 26, 61, 7)


@cache
def digit_pixels(digit: int) -> npt.NDArray[np.uint8]:
    """The digit of that class, 0..9: (28, 28, 3), uint8, white on black, read-only."""
    with np.load(DATA) as arrays:
        greys = arrays["test_images"][NUMBERS[digit]]
    pixels = np.repeat(greys[:, :, None], 3, axis=2)
    pixels.setflags(write=False)
    return pixels
