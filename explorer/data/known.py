"""What is known of data sets before they are read. Imports no torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """Of a data set: what its pictures are, in words; how many there are to train and to test on; their side."""

    words: str
    train_pictures: int
    test_pictures: int
    side_px: int


KNOWN = {
    "mnist-12k": Known("digits of MNIST", 10_000, 2_000, 28),
    "mnist": Known("digits of MNIST", 60_000, 10_000, 28),
    "mnist-swapped": Known("digits of MNIST", 10_000, 60_000, 28),
    "fashion-mnist": Known("pictures of Fashion-MNIST", 60_000, 10_000, 28),
    "cifar10": Known("pictures of CIFAR-10", 50_000, 10_000, 32),
}
DATA = tuple(KNOWN)
FOLDER = "folder:"  # and a path: the name of a data set of one's own
