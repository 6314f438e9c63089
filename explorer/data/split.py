"""Splits: labelled pictures to train or to test on, and the checksum that tells one data set from another."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Split:
    """Labelled square pictures, on the CPU.

    pictures: (N, C, S, S), uint8, 0..255, C 1 (grey) or 3 (RGB).
    labels: (N,), int64, 0 to the number of classes less one.
    """

    pictures: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        """Readers have checked what they were given; this holds them to it."""
        pictures, labels = self.pictures, self.labels
        assert pictures.dtype == torch.uint8 and pictures.ndim == 4 and pictures.shape[1] in (1, 3)
        assert pictures.shape[2] == pictures.shape[3]
        assert labels.dtype == torch.int64 and labels.shape == pictures.shape[:1]

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.labels)

    @property
    def nbytes(self) -> int:
        """Bytes of pictures and labels."""
        return self.pictures.nbytes + self.labels.nbytes

    def head(self, count: int) -> "Split":
        """The first `count` pictures, all of them where there are fewer; 0 takes all. Memory is shared."""
        return self if count == 0 else Split(self.pictures[:count], self.labels[:count])


def sha256_of(train: Split, test: Split) -> str:
    """SHA-256 of shapes, pictures and labels, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for split in (train, test):
        digest.update(repr(tuple(split.pictures.shape)).encode())
        digest.update(split.pictures.contiguous().numpy().data)
        digest.update(split.labels.numpy().astype("<i8").data)
    return digest.hexdigest()
