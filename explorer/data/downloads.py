"""Fetching a published file: checked by its SHA-256, put in place whole or not at all, failures in one sentence."""

import errno
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pooch  # type: ignore[import-untyped]

from explorer.data.published import Published, PublishedFile
from explorer.errors import DataError

_CHUNK_BYTES = 2**16
_TIMEOUT_S = (10, 30)  # to connect, and between two pieces
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FOLDER_SETTING = "EXPLORER_DATA_FOLDER"

pooch.get_logger().setLevel("WARNING")  # it would tell of each download on stderr, where a command writes one line


class _Refused(Exception):  # noqa: N818 - not an error yet: the next address may have it
    """An address that did not give the file, and why."""


def fetch(published: Published, file: PublishedFile, folder: Path, report: Callable[[int], None]) -> Path:
    """The path of the file in `folder`, fetched from the first address that has it; `report` is told bytes.

    Pooch writes to a temporary file beside it and renames that once its checksum is right. What `report` raises stops
    it, and the temporary file is gone. Raises DataError for addresses that cannot be reached or give something else,
    and for a folder that is full or cannot be written.
    """
    reasons = []
    for address in published.addresses:
        try:
            return _retrieve(address + file.name, file, folder, report)
        except _Refused as refusal:
            reasons.append(str(refusal))
        except OSError as error:
            raise DataError(_of_disk(error, published, folder)) from error
    names = ", ".join(each.name for each in published.files)
    raise DataError(
        f"{published.title} is not in '{folder}' and could not be fetched ({'; '.join(reasons)}): "
        f"put {names} there, or try again."
    )


def _retrieve(url: str, file: PublishedFile, folder: Path, report: Callable[[int], None]) -> Path:
    downloader = pooch.HTTPDownloader(_Bar(file, report), _CHUNK_BYTES, timeout=_TIMEOUT_S)
    host = urlsplit(url).hostname
    try:
        path = pooch.retrieve(url, f"sha256:{file.sha256}", file.name, folder, downloader=downloader)
    except ValueError as error:  # what pooch raises for a checksum
        raise _Refused(f"{file.name} from {host} does not have the published SHA-256") from error
    except OSError as error:
        if error.errno is not None:
            raise
        # The errors of requests are OSErrors without a number; those of the disk have one.
        response = getattr(error, "response", None)
        what = "did not answer" if response is None else f"answered {response.status_code}"
        raise _Refused(f"{host} {what}") from error
    return Path(path)


def _of_disk(error: OSError, published: Published, folder: Path) -> str:
    advice = f"or name another folder in {_FOLDER_SETTING}"
    if error.errno in _FULL:
        needed_mb = sum(file.length for file in published.files) / 1e6
        return f"The disk of '{folder}' is full: {published.title} takes {needed_mb:.0f} MB; make room, {advice}."
    return f"'{folder}' cannot be written ({error.strerror}), so nothing was fetched: give rights to it, {advice}."


class _Bar:
    """What pooch takes for a progress bar: told the number of bytes of each piece."""

    total = 0  # set by pooch

    def __init__(self, file: PublishedFile, report: Callable[[int], None]) -> None:
        self._file, self._report = file, report
        self._done = 0

    def update(self, count: int) -> None:
        """Count further bytes; the last piece is counted as if it were full."""
        self._done += count
        if self._done > self._file.length + _CHUNK_BYTES:
            raise ValueError("longer than the published file")
        self._report(min(self._done, self._file.length))

    def reset(self) -> None:
        """From the start again: pooch does so at the end, to set the bar to its total."""
        self._done = 0

    def close(self) -> None:
        """The file is there."""
