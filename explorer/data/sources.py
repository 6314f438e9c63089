"""Published data sets: looked for in the data folder, else fetched into it, then read."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from explorer.data.cifar import find_cifar, read_cifar
from explorer.data.downloads import fetch
from explorer.data.idx import find_idx, read_idx_labels, read_idx_pictures
from explorer.data.published import PUBLISHED, Published
from explorer.data.split import Split
from explorer.errors import DataError

Report = Callable[[float, str], None]


def read_published(published: Published, *, folder: Path, report: Report) -> tuple[Split, Split]:
    """The training and the test split; `report` is told the share, 0..1, of what is being done, and what that is.

    Raises DataError for files that cannot be fetched, read or kept, or do not fit each other.
    """
    try:
        paths = _fetched(published, find(published, folder), folder, report)
        report(0.0, f"Reading {published.title}")
        classes = len(published.classes)
        if len(paths) == 1:
            return read_cifar(paths[0], classes=classes)
        return _read_idx(paths[:2], classes), _read_idx(paths[2:], classes)
    except OSError as error:
        raise DataError(
            f"{published.title} in '{folder}' cannot be read ({error}): give read access, or name another folder in "
            "EXPLORER_DATA_FOLDER."
        ) from error


def find(published: Published, folder: Path) -> list[Path | None]:
    """Where each of the published files lies, in any of its usual forms; None for one that is missing."""
    places = [folder / place for place in published.places]
    if len(published.files) == 1:
        return [find_cifar(places)]
    return [find_idx(file.name, places) for file in published.files]


def title_of_content(sha256: str) -> str | None:
    """The title of the published data set with that content; None for any other."""
    return next((each.title for each in PUBLISHED.values() if each.content == sha256), None)


def _fetched(published: Published, found: list[Path | None], folder: Path, report: Report) -> list[Path]:
    """All paths; the missing files are fetched first."""
    total = sum(file.length for file, path in zip(published.files, found, strict=True) if path is None)
    paths, done = list[Path](), 0
    for file, path in zip(published.files, found, strict=True):
        if path is None:
            tell = partial(_tell, report, published.title, done, total)
            path = fetch(published, file, folder / published.places[0], tell)
            done += file.length
        paths.append(path)
    return paths


def _tell(report: Report, title: str, done: int, total: int, count: int) -> None:
    report((done + count) / total, f"Fetching {title}: {(done + count) / 1e6:.0f} of {total / 1e6:.0f} MB")


def _read_idx(paths: list[Path], classes: int) -> Split:
    pictures, labels = read_idx_pictures(paths[0]), read_idx_labels(paths[1], classes=classes)
    if len(pictures) != len(labels):
        raise DataError(
            f"'{paths[0]}' has {len(pictures):,} pictures and '{paths[1].name}' {len(labels):,} labels: put two files "
            "that belong together there."
        )
    return Split(pictures, labels)
