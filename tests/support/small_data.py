"""A data set of drawn strokes that a small network learns in seconds: for the tests of training."""

import torch

from explorer.data.datasets import Dataset, Split

CLASSES = ("upper left", "upper right", "cross")


def small_dataset(*, train: int = 48, test: int = 24, side_px: int = 28, channels: int = 1) -> Dataset:
    """Noisy strokes: two classes are turns of each other, so that only a network that breaks tells them apart."""
    return Dataset(
        name="strokes",
        title="Strokes",
        classes=CLASSES,
        train=_split(train, side_px, channels, seed=1),
        test=_split(test, side_px, channels, seed=2),
        notes=(),
        sha256="",
    )


def _split(count: int, side_px: int, channels: int, *, seed: int) -> Split:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % len(CLASSES)
    pictures = torch.randint(0, 60, (count, channels, side_px, side_px), generator=generator, dtype=torch.uint8)
    quarter, middle = side_px // 4, side_px // 2
    for picture, label in zip(pictures, labels.tolist(), strict=True):
        if label == 2:
            picture[:, middle - 1 : middle + 1, quarter:-quarter] = 255
            picture[:, quarter:-quarter, middle - 1 : middle + 1] = 255
        else:
            columns = slice(quarter, middle) if label == 0 else slice(middle, side_px - quarter)
            picture[:, quarter:middle, columns] = 255
    return Split(pictures, labels)
