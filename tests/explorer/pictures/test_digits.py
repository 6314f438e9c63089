"""The ten digits of the gallery."""

import numpy as np
import pytest

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
