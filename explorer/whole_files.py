"""Files that are whole at every moment: written beside their place, flushed to the disk, then put there in one step."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NOT_SYNCED = (errno.EINVAL, errno.ENOTSUP)  # what file systems say that flush nothing on demand


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write to the path that this gives, and at the end that file takes the place of `path`.

    Until then, and where anything fails, `path` holds what it held before, and nothing is left beside it; a process
    that is killed leaves a file whose name ends in `.part`. Raises OSError where the file cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        _flush(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    _flush_folder(path.parent)


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`, as `whole_file` does."""
    with whole_file(path) as part:
        part.write_bytes(data)


def check_writable(path: Path) -> None:
    """Raise OSError where `whole_file` could not write `path`: before the work, and not after it."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.touch()
    finally:
        part.unlink(missing_ok=True)


def _flush(file: Path) -> None:
    """Have the disk hold the file; else a machine that stops may keep the new name and not what is in it."""
    with file.open("r+b") as opened:
        try:
            os.fsync(opened.fileno())
        except OSError as error:
            if error.errno not in _NOT_SYNCED:
                raise


def _flush_folder(folder: Path) -> None:
    """The same of the name, where the system can: Windows opens no folders, and what is there is whole either way."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
