"""A folder of class sub-folders of pictures as a data set: read safely, split by the names of the files."""

import hashlib
import os
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from explorer.data.split import Split
from explorer.errors import DataError, PictureError
from explorer.pictures.images import MAX_BYTES, decode

MAX_PICTURES = 50_000
MAX_KEPT_BYTES = 2**30
TEST_SHARE = 5  # one of five pictures is tested on
_NAMED = 3  # skipped pictures that a note names
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Entry:
    """A file in the sub-folder of a class. name: relative to the data set's folder, with `/` on every system."""

    path: Path
    name: str
    label: int
    length: int
    modified_ns: int

    @property
    def rank(self) -> bytes:
        """Decides where the picture goes: a hash of its name, the same on every machine."""
        return hashlib.sha256(os.fsencode(self.name)).digest()


@dataclass(frozen=True)
class Listing:
    """What a folder holds, before any picture is read.

    fingerprint: changes when a file is added, removed or written.
    skipped: what is in the sub-folders but not used, each with the reason.
    """

    called: str
    classes: tuple[str, ...]
    entries: tuple[Entry, ...]
    skipped: tuple[str, ...]
    fingerprint: str


@dataclass
class _Kept:
    """The pictures read so far, and what was skipped."""

    squares: list[tuple[Entry, Pixels]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    nbytes: int = 0
    resampled: int = 0


def list_pictures(folder: Path, called: str) -> Listing:
    """The classes and files of a folder; raises DataError for one that is no data set.

    called: as whoever asks for it names it, to be shown: visitors need not know where it lies.

    Each sub-folder is a class, and the files in it are its pictures; hidden ones, which begin with a dot, are left
    out. Links are followed only to places inside the folder.
    """
    try:
        root = folder.resolve()
        if not root.is_dir():
            what = "is not a folder" if root.exists() else "does not exist"
            raise DataError(f"'{called}' {what}: give a folder with a sub-folder of pictures for each class.")
        return _listing(called, root)
    except (OSError, ValueError, RuntimeError) as error:  # a null character; a link to itself
        why = error.strerror if isinstance(error, OSError) else "it leads nowhere"
        raise DataError(f"'{called}' cannot be read ({why}): give read access, or choose another folder.") from error


def read_pictures(
    listing: Listing, *, side_px: int, report: Callable[[float, str], None]
) -> tuple[Split, Split, tuple[str, ...]]:
    """The training split, the test split and the notes of a folder.

    Each picture's largest centred square is kept, brought to one side by bicubic resampling where it has another:
    `side_px`, or less where half of the pictures are smaller. In each class every fifth picture, and at least one, is
    tested on; which ones, and the order, is decided by hashes of the names. Pictures that cannot be read are skipped
    and named. Raises DataError for a class with fewer than two that can, and for more than fit into memory.
    """
    kept = _Kept(skipped=list(listing.skipped))
    total = len(listing.entries)
    for number, entry in enumerate(listing.entries):
        if number % max(1, total // 100) == 0:
            report(number / total, f"Reading pictures: {number:,} of {total:,}")
        _keep(kept, entry, side_px, listing.called)
    counts = _check_classes(listing, kept)
    common_px = statistics.median_low(len(pixels) for _, pixels in kept.squares)
    train, test = _divided(kept, counts, common_px)
    return train, test, _notes(kept, total + len(listing.skipped), common_px)


def _listing(called: str, root: Path) -> Listing:
    skipped = list[str]()
    found = [each for each in _shown(root) if each.is_dir()]
    classes = [each for each in found if _lies_in(root, each, each.name, skipped)]
    if len(classes) < 2:
        raise DataError(f"'{called}' has {len(classes)} sub-folders: it needs one for each of at least 2 classes.")
    entries = list[Entry]()
    for label, each in enumerate(classes):
        before = len(entries)
        entries += _entries(root, each, label, skipped)
        if len(entries) == before:
            name = _printable(each.name)
            raise DataError(f"The class '{name}' in '{called}' is empty: put pictures into it, or remove it.")
        if len(entries) > MAX_PICTURES:
            raise DataError(f"'{called}' has more than {MAX_PICTURES:,} pictures: choose a smaller part of it.")
    names = tuple(_printable(each.name) for each in classes)
    return Listing(called, names, tuple(entries), tuple(skipped), _fingerprint(entries))


def _entries(root: Path, of_class: "os.DirEntry[str]", label: int, skipped: list[str]) -> Iterator[Entry]:
    """The files of a class; a few more than are accepted, at most."""
    for file in _shown(Path(of_class.path))[: MAX_PICTURES + 1]:
        name = f"{of_class.name}/{file.name}"
        if not _lies_in(root, file, name, skipped):
            continue
        if file.is_file():
            about = file.stat()
            yield Entry(Path(file.path), name, label, about.st_size, about.st_mtime_ns)
        else:
            skipped.append(f"'{_printable(name)}' is not a file")


def _shown(folder: Path) -> "list[os.DirEntry[str]]":
    """What lies in a folder and is not hidden, by name."""
    with os.scandir(folder) as found:
        return sorted((each for each in found if not each.name.startswith(".")), key=lambda each: each.name)


def _lies_in(root: Path, entry: "os.DirEntry[str]", name: str, skipped: list[str]) -> bool:
    """False for a link that leads out of `root`, or nowhere, which is then noted in `skipped`; else True."""
    if not entry.is_symlink() and not entry.is_dir():  # Windows has folders elsewhere that are not links
        return True
    try:
        inside = Path(entry.path).resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):  # RuntimeError: a link to itself
        inside = False
    if not inside:
        skipped.append(f"'{_printable(name)}' is a link that leads out of the folder or nowhere")
    return inside


def _fingerprint(entries: list[Entry]) -> str:
    digest = hashlib.sha256()
    for each in entries:
        digest.update(b"%s %d %d\n" % (os.fsencode(each.name), each.length, each.modified_ns))
    return digest.hexdigest()


def _keep(kept: _Kept, entry: Entry, side_px: int, called: str) -> None:
    try:
        with entry.path.open("rb") as file:
            picture = decode(file.read(MAX_BYTES + 1), name=entry.name)
    except PictureError as error:
        kept.skipped.append(str(error).partition(";")[0])  # without the advice, which is for somebody who uploads
        return
    except OSError as error:
        kept.skipped.append(f"'{_printable(entry.name)}' cannot be read ({error.strerror})")
        return
    square = _centre(picture.pixels)
    kept_px = min(side_px, len(square))
    kept.resampled += kept_px != len(square)
    kept.squares.append((entry, _resized(square, kept_px)))
    kept.nbytes += 3 * kept_px**2
    if kept.nbytes > MAX_KEPT_BYTES:
        raise DataError(
            f"The pictures of '{called}' take more than 1 GiB at {side_px} px: choose a smaller part of it."
        )


def _check_classes(listing: Listing, kept: _Kept) -> list[int]:
    """How many pictures each class has; raises DataError for one that cannot be both trained and tested on."""
    of_label = Counter(entry.label for entry, _ in kept.squares)
    counts = [of_label[label] for label in range(len(listing.classes))]
    for name, count in zip(listing.classes, counts, strict=True):
        if count < 2:
            why = f" ({kept.skipped[0]})" if kept.skipped else ""
            raise DataError(
                f"Of the pictures of the class '{name}' '{listing.called}' has {count} that can be read{why}: "
                "give at least 2, one to train on and one to test on."
            )
    return counts


def _divided(kept: _Kept, counts: list[int], side_px: int) -> tuple[Split, Split]:
    """(train, test), each in the order of the names' hashes, so that any first part of it is a fair draw."""
    kept.resampled += sum(len(pixels) != side_px for _, pixels in kept.squares)
    kept.squares.sort(key=lambda each: each[0].rank, reverse=True)
    to_test = [max(1, count // TEST_SHARE) for count in counts]
    train, test = _Filling(sum(counts) - sum(to_test), side_px), _Filling(sum(to_test), side_px)
    while kept.squares:  # each is let go of as it is copied, so that the pictures are not held twice
        entry, pixels = kept.squares.pop()
        is_test = to_test[entry.label] > 0
        to_test[entry.label] -= is_test
        (test if is_test else train).add(pixels, entry.label)
    return train.split, test.split


class _Filling:
    """A split that is being filled."""

    def __init__(self, count: int, side_px: int) -> None:
        self._pictures = torch.empty(count, 3, side_px, side_px, dtype=torch.uint8)
        self._labels: list[int] = []

    def add(self, square: Pixels, label: int) -> None:
        """One picture more, brought to the side of all."""
        pixels = _resized(square, self._pictures.shape[-1])
        self._pictures[len(self._labels)] = torch.from_numpy(pixels).permute(2, 0, 1)
        self._labels.append(label)

    @property
    def split(self) -> Split:
        """The split, once it is full."""
        return Split(self._pictures, torch.tensor(self._labels))


def _centre(pixels: Pixels) -> Pixels:
    """The largest centred square (S, S, 3), by whole pixels; an odd one is cut right or below."""
    height_px, width_px = pixels.shape[:2]
    side_px = min(height_px, width_px)
    top, left = (height_px - side_px) // 2, (width_px - side_px) // 2
    return pixels[top : top + side_px, left : left + side_px]


def _resized(square: Pixels, side_px: int) -> Pixels:
    """The square at another side, antialiased bicubic; a copy, so that the whole picture is let go of."""
    if len(square) == side_px:
        return square.copy()
    return np.array(Image.fromarray(square).resize((side_px, side_px), Image.Resampling.BICUBIC))


def _notes(kept: _Kept, total: int, side_px: int) -> tuple[str, ...]:
    notes = []
    if kept.skipped:
        named = ", ".join(kept.skipped[:_NAMED])
        rest = len(kept.skipped) - _NAMED
        more = f", and {rest} more" if rest > 0 else ""
        verb = "was" if len(kept.skipped) == 1 else "were"
        notes.append(f"{len(kept.skipped)} of {total:,} pictures {verb} skipped: {named}{more}.")
    if kept.resampled:
        notes.append(f"The centre square of each picture was resampled to {side_px} px.")
    return tuple(notes)


def _printable(name: str) -> str:
    """A name from the disk without control characters and half characters, at most 60 characters long."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)[:60]
