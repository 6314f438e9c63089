"""The binary version of CIFAR-10: records of one label and 3 × 32 × 32 bytes, in six files or in their archive."""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from explorer.data.split import Split
from explorer.errors import DataError

SIDE_PX = 32
ARCHIVE = "cifar-10-binary.tar.gz"
BATCHES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
_RECORD = 1 + 3 * SIDE_PX**2
_MAX_BYTES = 100_000 * _RECORD  # of one file; published ones have 10,000 records
_AGAIN = "replace it by the published file, or delete it so that the app fetches that file"


def find_cifar(places: list[Path]) -> Path | None:
    """The first folder in `places` with all six files, else the first archive; None without either."""
    for place in places:
        if all((place / name).is_file() for name in BATCHES):
            return place
    return next((place / ARCHIVE for place in places if (place / ARCHIVE).is_file()), None)


def read_cifar(path: Path, *, classes: int) -> tuple[Split, Split]:
    """The training and the test split in a folder or an archive.

    Raises DataError for a file that is missing, damaged, or has a label of no class. Nothing is unpacked to the disk.
    """
    batches: dict[str, Split] = {}
    for name, data in _from_archive(path) if path.is_file() else _from_folder(path):
        batches[name] = _split(data, path / name, classes)
    missing = [name for name in BATCHES if name not in batches]
    if missing:
        raise DataError(f"'{path}' lacks {', '.join(missing)}: {_AGAIN}.")
    train = [batches[name] for name in BATCHES[:-1]]
    pictures, labels = (torch.cat([each.pictures for each in train]), torch.cat([each.labels for each in train]))
    return Split(pictures, labels), batches[BATCHES[-1]]


def _from_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for name in BATCHES:
        with (folder / name).open("rb") as file:
            yield name, file.read(_MAX_BYTES + 1)


def _from_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """In the order of the archive, which is read once from end to end."""
    try:
        with gzip.GzipFile(path) as unzipped, tarfile.TarFile(fileobj=unzipped) as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                file = archive.extractfile(member) if name in BATCHES and member.isfile() else None
                if file is not None:
                    yield name, file.read(_MAX_BYTES + 1)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"'{path}' is damaged or cut short ({error}): {_AGAIN}.") from error


def _split(data: bytes, path: Path, classes: int) -> Split:
    if not 0 < len(data) <= _MAX_BYTES or len(data) % _RECORD:
        raise DataError(f"'{path}' has {len(data):,} bytes, not records of {_RECORD:,} each: {_AGAIN}.")
    records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
    labels = torch.from_numpy(records[:, 0].astype(np.int64))
    if int(labels.max()) >= classes:
        raise DataError(f"'{path}' has the label {int(labels.max())}, but there are {classes} classes: {_AGAIN}.")
    return Split(torch.from_numpy(records[:, 1:].reshape(-1, 3, SIDE_PX, SIDE_PX).copy()), labels)
