"""Data sets: digits that come with the project, published sets taken from a folder or fetched, folders of pictures."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from equivariance.kept import Kept
from explorer.data.bring import brought
from explorer.data.known import DATA, FOLDER
from explorer.data.picture_folder import Listing, list_pictures, read_pictures
from explorer.data.published import PUBLISHED
from explorer.data.sources import find, read_published, title_of_content
from explorer.data.split import Split, sha256_of
from explorer.errors import DataError
from explorer.pictures.digits import read_digits

__all__ = ["Dataset", "Split", "brought", "bytes_to_fetch", "head", "load", "title_of"]

DIGITS, SWAPPED = "mnist-12k", "mnist-swapped"
FOLDER_SIDE_PX = 64
KEPT_BYTES = 2**28
_TITLES = {DIGITS: "MNIST, 12,000 digits", SWAPPED: "MNIST, files exchanged"}
Report = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Pictures to train and to test on. Shared by everything that loads it: do not write into it.

    name: as a recipe has it. title: to be shown.
    classes: what each label means, from 0 on.
    notes: a sentence for each thing that whoever uses the data should know.
    sha256: of pictures and labels, as they were loaded.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    notes: tuple[str, ...]
    sha256: str


def load(
    name: str,
    *,
    folder: Path,
    progress: Report = lambda fraction, sentence: None,
    folder_side_px: int = FOLDER_SIDE_PX,
) -> Dataset:
    """The data set of that name, one of `recipe.DATA` or `folder:PATH`; kept for the process, so that asking is quick.

    folder: where published data sets are looked for, and kept once fetched; a relative PATH starts there too.
    progress: told which share is done, 0..1, and what is being done; what it raises stops the work, and nothing is left
        half-written.
    folder_side_px: pictures of a folder are kept no larger.

    Threads that ask for the same data set wait for one of them. Raises DataError, in one sentence, for data that are
    missing, cannot be fetched or kept, or are not what they should be.
    """
    if name.startswith(FOLDER):
        listing = list_pictures(_path_of(name, folder), name.removeprefix(FOLDER))
        key = (name, listing.fingerprint, folder_side_px)
        return _KEPT.get_once(key, lambda: _of_listing(name, listing, folder_side_px, progress))
    if name == DIGITS:
        return _KEPT.get_once(name, _digits)
    if name == SWAPPED:
        mnist = load("mnist", folder=folder, progress=progress)
        return _KEPT.get_once((name, mnist.sha256), lambda: _swapped(mnist))
    if name not in PUBLISHED:
        raise DataError(f"There is no data set {name!r}: use one of {', '.join(DATA)}, or folder:PATH.")
    return _KEPT.get_once((name, folder), lambda: _published(name, folder, progress))


def head(dataset: Dataset, train_pictures: int, test_pictures: int) -> Dataset:
    """The first pictures to train and to test on, as many as asked for; 0, or more than there are, takes all.

    Name and sha256 stay those of the whole.
    """
    return replace(dataset, train=dataset.train.head(train_pictures), test=dataset.test.head(test_pictures))


def title_of(name: str) -> str:
    """What to call the data set, without loading it."""
    published = PUBLISHED.get(name)
    if name.startswith(FOLDER):
        return Path(name.removeprefix(FOLDER)).name or name
    return published.title if published else _TITLES.get(name, name)


def bytes_to_fetch(name: str, *, folder: Path) -> int:
    """How much `load` would have to fetch first; 0 where nothing is missing."""
    published = PUBLISHED.get("mnist" if name == SWAPPED else name)
    if published is None:
        return 0
    found = find(published, folder)
    return sum(file.length for file, path in zip(published.files, found, strict=True) if path is None)


def _path_of(name: str, folder: Path) -> Path:
    try:
        return folder / Path(name.removeprefix(FOLDER)).expanduser()
    except RuntimeError as error:  # ~ of a user who is not there
        raise DataError(f"{name!r} names the home of an unknown user: give the whole path.") from error


def _digits() -> Dataset:
    values = read_digits()
    train, test = (
        Split(torch.from_numpy(values[f"{part}_images"])[:, None], torch.from_numpy(values[f"{part}_labels"]).long())
        for part in ("train", "test")
    )
    return _dataset(DIGITS, PUBLISHED["mnist"].classes, train, test)


def _swapped(mnist: Dataset) -> Dataset:
    note = f"The files of MNIST are exchanged: {len(mnist.test):,} digits to train on, {len(mnist.train):,} to test on."
    return _dataset(SWAPPED, mnist.classes, mnist.test, mnist.train, (*mnist.notes, note))


def _of_listing(name: str, listing: Listing, side_px: int, progress: Report) -> Dataset:
    train, test, notes = read_pictures(listing, side_px=side_px, report=progress)
    return _dataset(name, listing.classes, train, test, notes)


def _dataset(name: str, classes: tuple[str, ...], train: Split, test: Split, notes: tuple[str, ...] = ()) -> Dataset:
    return Dataset(name, title_of(name), classes, train, test, notes, sha256_of(train, test))


def _published(name: str, folder: Path, progress: Report) -> Dataset:
    published = PUBLISHED[name]
    train, test = read_published(published, folder=folder, report=progress)
    dataset = _dataset(name, published.classes, train, test)
    if not published.content or dataset.sha256 == published.content:
        return dataset
    if other := title_of_content(dataset.sha256):
        raise DataError(f"The files of {published.title} in '{folder}' are those of {other}: replace them.")
    counts = f"{len(train):,} to train on, {len(test):,} to test on"
    note = f"These are not the pictures published as {published.title}: {counts}."
    return replace(dataset, notes=(note,))


def _kept(most_bytes: int) -> Kept[Dataset]:
    """A store of data sets, up to this many bytes and never less than one."""
    return Kept(most_bytes=most_bytes, bytes_of=lambda dataset: dataset.train.nbytes + dataset.test.nbytes)


_KEPT = _kept(KEPT_BYTES)
