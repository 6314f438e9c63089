"""Processes of this host: told apart from later ones with the same number, and ended.

What Linux tells in /proc makes a process certain. Elsewhere only its number is known: nobody is taken for gone by it
unless the number is free, and nobody is ended by it.
"""

import os
import platform
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

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
    if process.mark:
        return _mark(process.pid) != process.mark
    if sys.platform == "win32":  # asking there would end it
        return False
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def end(process: Process, *, by_force: bool) -> None:
    """Ask the process to end, or end it; nothing where it is not certain that it is the one."""
    if not process.mark or is_gone(process):
        return
    forced = signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM
    try:
        os.kill(process.pid, forced if by_force else signal.SIGTERM)
    except OSError:  # gone since, or another user's
        return


def _mark(pid: int) -> str | None:
    """When the process was started, since which start of the machine; None where it has ended or nothing tells."""
    try:
        fields = (_ROOT / f"proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = (_ROOT / "proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if fields[_STATE] in _ENDED else f"{boot} {fields[_START]}"
