"""The digits that stacked runs are trained on: those of explorer, resized as it resizes them."""

import gzip
from pathlib import Path

import pytest
import torch

from benchmarks import on_gpu
from benchmarks.gpu.digits import PUBLISHED, brought, read_mnist
from explorer.data import datasets
from explorer.data.published import PUBLISHED as SOURCES
from explorer.data.split import Split, sha256_of
from tests.benchmarks.small import DIGITS


@pytest.mark.parametrize("size_px", [27, 28, 29])
def test_digits_are_resized_as_explorer_resizes_them(size_px: int) -> None:
    pictures = DIGITS.train_pictures[:50]

    expected = datasets.brought(pictures, size_px=size_px, how="resize")

    assert torch.equal(brought(pictures, size_px).expand(-1, 3, -1, -1), expected)


@pytest.mark.parametrize(("place", "is_packed"), [("", False), ("mnist", True), ("MNIST/raw", False)])
def test_the_files_of_mnist_are_read_and_exchanged(place: str, is_packed: bool, tmp_path: Path) -> None:
    train, test = torch.arange(3 * 784).reshape(3, 28, 28).byte(), torch.arange(2 * 784).reshape(2, 28, 28).byte()
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in {
        "train-images-idx3-ubyte": train,
        "train-labels-idx1-ubyte": torch.tensor([1, 2, 3]).byte(),
        "t10k-images-idx3-ubyte": test,
        "t10k-labels-idx1-ubyte": torch.tensor([4, 5]).byte(),
    }.items():
        head = bytes([0, 0, 8, values.dim()]) + b"".join(side.to_bytes(4, "big") for side in values.shape)
        data = head + values.numpy().tobytes()
        if is_packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data))
        else:
            (folder / name).write_bytes(data)

    digits = read_mnist(tmp_path)

    assert digits is not None
    assert digits.sha256 == sha256_of(
        Split(train[:, None], torch.tensor([1, 2, 3])), Split(test[:, None], torch.tensor([4, 5]))
    )
    assert torch.equal(digits.swapped.train_pictures[:, 0], test) and digits.swapped.test_labels.tolist() == [1, 2, 3]
    with pytest.raises(SystemExit, match="are not those published as MNIST"):
        on_gpu._digits(on_gpu._options(["--data", str(tmp_path)]))


def test_the_published_digits_are_those_that_explorer_knows() -> None:
    assert SOURCES["mnist"].content == PUBLISHED
