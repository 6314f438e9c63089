"""MNIST with its files exchanged, as the authors had it, read and resized as explorer reads and resizes it."""

import gzip
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.gpu.cases import Budget

PUBLISHED = "e0130f111822ed58de3ba94ad450971c80ee446d2ff4d08e2b4c8e8be16eae50"  # SHA-256 of MNIST
DIGITS = Path(__file__).resolve().parents[2] / "assets" / "data" / "mnist-12k.npz"
_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@dataclass(frozen=True)
class Digits:
    """Pictures (N, 1, 28, 28), uint8, and labels (N,), int64, to train and to test on."""

    train_pictures: Tensor
    train_labels: Tensor
    test_pictures: Tensor
    test_labels: Tensor

    @property
    def swapped(self) -> "Digits":
        """What is trained on is tested on, and the other way around."""
        return Digits(self.test_pictures, self.test_labels, self.train_pictures, self.train_labels)

    @property
    def sha256(self) -> str:
        """Of shapes, pictures and labels."""
        digest = sha256()
        for pictures, labels in ((self.train_pictures, self.train_labels), (self.test_pictures, self.test_labels)):
            digest.update(repr(tuple(pictures.shape)).encode())
            digest.update(pictures.contiguous().numpy().data)
            digest.update(labels.numpy().astype("<i8").data)
        return digest.hexdigest()


def read_mnist(folder: Path) -> Digits | None:
    """The published files, plain or gzipped, in the folder or where explorer and torchvision keep them; else None."""
    found = []
    for name in _FILES:
        places = [folder / place / each for place in ("", "mnist", "MNIST/raw") for each in (name, f"{name}.gz")]
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            return None
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        shape = np.frombuffer(data, ">u4", count=data[3], offset=4).astype(int)
        values = np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape).copy()
        found.append(torch.from_numpy(values))
    return Digits(found[0][:, None], found[1].long(), found[2][:, None], found[3].long())


def read_digits() -> Digits:
    """Those that come with the project: 10,000 to train and 2,000 to test on."""
    with np.load(DIGITS, allow_pickle=False) as arrays:
        train, test = (
            (torch.from_numpy(arrays[f"{part}_images"])[:, None], torch.from_numpy(arrays[f"{part}_labels"]).long())
            for part in ("train", "test")
        )
    return Digits(*train, *test)


def brought(pictures: Tensor, size_px: int) -> Tensor:
    """Resized as explorer does: (N, 1, size, size), float32, 0..1.

    Bicubic, antialiased where it shrinks, along rows and then along columns, each rounded to 8 bits and clipped.
    """
    values = pictures.float()
    if (side_px := pictures.shape[-1]) != size_px:
        lit = torch.eye(side_px, dtype=torch.float64)[None, None]
        weights = functional.interpolate(lit, size=(size_px, side_px), mode="bicubic", antialias=True)[0, 0].float()
        values = _eight_bits(weights @ _eight_bits(values @ weights.T))
    return values / 255


def _eight_bits(values: Tensor) -> Tensor:
    return (values + 0.5).floor_().clamp_(0, 255)


@dataclass(frozen=True)
class Data:
    """Digits at one side, on the device: pictures (N, 1, S, S), 0..1, and labels (N,)."""

    train_pictures: Tensor
    train_labels: Tensor
    test_pictures: Tensor
    test_labels: Tensor

    @staticmethod
    def of(
        digits: Digits, size_px: int, budget: Budget, device: torch.device, dtype: torch.dtype = torch.float32
    ) -> "Data":
        """Resized on the CPU, so that all devices see the same."""
        train, test = slice(budget.train_pictures or None), slice(budget.test_pictures or None)
        return Data(
            brought(digits.train_pictures[train], size_px).to(device, dtype),
            digits.train_labels[train].to(device),
            brought(digits.test_pictures[test], size_px).to(device, dtype),
            digits.test_labels[test].to(device),
        )
