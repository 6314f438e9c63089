"""The IDX files of MNIST and its kin: pictures and labels as bytes, plain or gzipped."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from explorer.errors import DataError

SIDE_PX = 28
MAX_ITEMS = 1_000_000
_PICTURES, _LABELS = b"\x00\x00\x08\x03", b"\x00\x00\x08\x01"  # bytes in three axes, in one axis
_AGAIN = "replace it by the published file, or delete it so that the app fetches that file"


def read_idx_pictures(path: Path) -> Tensor:
    """(N, 1, 28, 28), uint8; raises DataError for a file that is damaged or holds something else."""
    values = _read(path, _PICTURES, (SIDE_PX, SIDE_PX), "pictures of 28 × 28 px")
    return torch.from_numpy(values).reshape(-1, 1, SIDE_PX, SIDE_PX)


def read_idx_labels(path: Path, *, classes: int) -> Tensor:
    """(N,), int64; raises DataError for a file that is damaged, or with a label of no class."""
    labels = torch.from_numpy(_read(path, _LABELS, (), "labels")).long()
    if len(labels) and int(labels.max()) >= classes:
        raise DataError(f"'{path}' has the label {int(labels.max())}, but there are {classes} classes: {_AGAIN}.")
    return labels


def find_idx(name: str, places: list[Path]) -> Path | None:
    """The first file in `places` called `name`, which ends in .gz, in any of its usual forms; None without one."""
    plain = name.removesuffix(".gz")
    dotted = plain.replace("-idx", ".idx")
    forms = (plain, dotted, name, f"{dotted}.gz")
    return next((place / form for place in places for form in forms if (place / form).is_file()), None)


def _read(path: Path, magic: bytes, item: tuple[int, ...], kind: str) -> npt.NDArray[np.uint8]:
    """All values of a file whose header says `magic` and items of that shape."""
    length = 4 * (2 + len(item))
    try:
        with gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(length)
            sides = np.frombuffer(header, ">u4", offset=4) if len(header) == length else np.zeros(0, ">u4")
            if header[:4] != magic or tuple(sides[1:]) != item or not 0 < sides[0] <= MAX_ITEMS:
                raise DataError(
                    f"'{path}' is not an IDX file of {kind}; it begins with the bytes {header.hex(' ')}: {_AGAIN}."
                )
            expected = int(sides.astype(np.int64).prod())
            values = file.read(expected + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"'{path}' is damaged or cut short ({error}): {_AGAIN}.") from error
    if len(values) != expected:
        found = f"{len(values):,}" if len(values) < expected else "more"
        raise DataError(f"'{path}' holds {found} bytes, but its header says {expected:,}: {_AGAIN}.")
    return np.frombuffer(values, np.uint8).copy()
