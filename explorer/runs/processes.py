"""Processes of this host: told apart from later ones with the same number, and ended.

When it was started makes a process certain: on Linux by /proc, which counts from a start of the machine that has a
name, elsewhere by psutil. (Linux's psutil counts from 1970, so a clock that is set changes what it says.) Where nothing
tells, only the number is known: nobody is taken for gone by it unless it is free, and nobody is ended by it.
"""

import os
import platform
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

_ROOT = Path("/")
_STATE, _START = 0, 19  # places after the name in /proc/PID/stat
_ENDED = {"Z", "X"}


@dataclass(frozen=True)
class Process:
    """A process; `mark`, of its start, differs from that of any other with its number, and is empty where unknown."""

    pid: int
    mark: str


def this_host() -> str:
    """The machine, or the container on it that counts its processes for itself."""
    try:
        space = os.readlink(_ROOT / "proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{platform.node()} {space}".strip()


def process_of(pid: int) -> Process:
    """The process that has this number now."""
    return Process(pid, _mark(pid) or "")


def is_gone(process: Process) -> bool:
    """Whether the process has certainly ended; one that only waits for its parent to notice has."""
    if not process.mark:
        return not psutil.pid_exists(process.pid)
    mark = _mark(process.pid)
    return mark is None or mark not in ("", process.mark)


def end(process: Process, *, by_force: bool) -> None:
    """Ask the process to end, or end it; nothing where it is not certain that it is the one."""
    if not process.mark or _mark(process.pid) != process.mark:
        return
    forced = signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM
    try:
        os.kill(process.pid, forced if by_force else signal.SIGTERM)
    except OSError:  # gone since, or another user's
        return


def _mark(pid: int) -> str | None:
    """When the process was started; None where it has ended, empty where nothing tells."""
    return _mark_on_linux(pid) if sys.platform == "linux" else _mark_elsewhere(pid)


def _mark_elsewhere(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) else repr(process.create_time())
    except psutil.NoSuchProcess:
        return None
    except (psutil.Error, OSError):  # another user's, perhaps
        return ""


def _mark_on_linux(pid: int) -> str | None:
    """Since which start of the machine; None, too, where /proc does not show the process."""
    try:
        fields = (_ROOT / f"proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = (_ROOT / "proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if fields[_STATE] in _ENDED else f"{boot} {fields[_START]}"
