"""Memory: how much this process may hold and does hold, what a pass of a network takes, and giving freed blocks "
"back."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

import psutil

from equivariance.groups.transforms import elements_to_measure
from equivariance.theory.tracing import Trace
from models.build import kernel_sizes
from models.catalog import NetworkSpec

USABLE = 0.9  # of the limit; the rest is for threads, answers to visitors, and what an estimate misses
_ROOT = Path("/")
_SCATTERED = 10  # glibc holds up to this many times the bytes in use: freed blocks are kept between those in use
_LARGE_BLOCK_BYTES = 2**18
_MMAP_THRESHOLD = -3  # of glibc's mallopt
_LIBRARY = ctypes.CDLL(None) if sys.platform == "linux" else None
_TRIM = getattr(_LIBRARY, "malloc_trim", None)  # only glibc has it


class Budget:
    """What this process may still take, shared by all threads; `limit_bytes` None says that it is not known."""

    def __init__(self, limit_bytes: int | None) -> None:
        self._limit_bytes = limit_bytes
        self._reserved_bytes = 0
        self._lock = Lock()

    @property
    def left_bytes(self) -> int | None:
        """Bytes neither held nor reserved; None where unknown."""
        held = held_bytes()
        if self._limit_bytes is None or held is None:
            return None
        return max(0, int(USABLE * self._limit_bytes) - held - self._reserved_bytes)

    @contextmanager
    def reserved(self, bytes_for: Callable[[int], int], *, most: int) -> Iterator[int]:
        """The largest count up to `most` whose bytes are left, reserved meanwhile; 0 where not even those for 1 are."""
        with self._lock:
            left = self.left_bytes
            fits = (count for count in range(most, 0, -1) if left is None or bytes_for(count) <= left)
            count = next(fits, 0)
            taken = bytes_for(count) if count and left is not None else 0
            self._reserved_bytes += taken
        if left is not None and taken * _SCATTERED > left:
            _spare()
        try:
            yield count
        finally:
            with self._lock:
                self._reserved_bytes -= taken


def pass_bytes(
    recorded: Trace, *, transforms: int, measured: int, own_errors: bool, maps_of: str | None, item_bytes: int
) -> int:
    """What a measurement of `measured` transforms takes at most, `transforms` in one pass.

    While a layer runs there are its input, its output and the shortcut around it, for each picture and the upright one;
    while it is compared, for each transform also what is expected, and its own input, twice, and output. One kernel is
    copied into another order.
    """
    working, largest = recorded.working_numbers, recorded.largest_numbers
    numbers = (transforms + 1) * (working + largest)
    if own_errors:
        numbers = max(numbers, (transforms + 1) * 3 * largest + transforms * (working + 2 * largest))
    if recorded.height_px != recorded.width_px:  # all upright maps are kept for a second pass
        numbers += sum(call.out_numbers for call in recorded.calls)
    kept = next((call.out_numbers for call in recorded.calls if call.name == maps_of), 0)
    return item_bytes * (numbers + recorded.kernel_numbers + (2 * measured + 1) * kept)


def gradient_bytes(recorded: Trace, *, pictures: int, kernel_numbers: int, item_bytes: int) -> int:
    """What a pass with gradients takes at most: what each layer gives and keeps for the way back, and the kernels."""
    outputs = sum(call.out_numbers for call in recorded.calls)
    numbers = pictures * (2 * outputs + recorded.working_numbers + recorded.largest_numbers)
    return item_bytes * (numbers + kernel_numbers)


def megabytes(size_bytes: int | None) -> str:
    """`120 MB`; nothing is known of None, which counts as none."""
    return f"{(size_bytes or 0) / 2**20:.0f} MB"


def limit_bytes(root: Path = _ROOT) -> int | None:
    """The memory of the machine or, where it is less, of the control groups around this process; None if unknown."""
    limits = [*_machine_bytes(), *_group_bytes(root)]
    return min(limits, default=None)


def held_bytes() -> int | None:
    """What this process holds and the system cannot read again from a file; None where the system does not say."""
    try:
        process = psutil.Process()
        if sys.platform == "darwin":  # it tells what is resident, files included, and this after counting
            return int(process.memory_full_info().uss)
        held = process.memory_info()
        return int(held.private if sys.platform == "win32" else held.rss - getattr(held, "shared", 0))
    except (psutil.Error, OSError):
        return None


def give_back() -> None:
    """Give freed maps back to the system: glibc keeps gigabytes of them (2.5 GB after a view at 128 px, 0.4 after)."""
    if _TRIM is not None:
        _TRIM(0)


def _spare() -> None:
    """Have glibc give blocks of large maps back as they are freed, at up to twice the time; its own variable wins."""
    mallopt = getattr(_LIBRARY, "mallopt", None)
    if mallopt is not None and "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        mallopt(_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)


def _machine_bytes() -> Iterator[int]:
    with suppress(psutil.Error, OSError):  # a system that does not say
        yield int(psutil.virtual_memory().total)


def _group_bytes(root: Path) -> Iterator[int]:
    """The limits of version 2 ("0::/path") and of version 1 ("4:memory:/path"), each with those of the groups above."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" or "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup" / ("" if number == "0" else "memory")
            folder = top / path.lstrip("/")
            for each in (folder, *folder.parents):
                if each == top or top in each.parents:
                    yield from _limit_in(each)


def _limit_in(folder: Path) -> Iterator[int]:
    for name in ("memory.max", "memory.limit_in_bytes"):
        try:
            said = (folder / name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if said.isdecimal():  # "max": none
            yield int(said)


def kept_bytes(network: NetworkSpec) -> int:
    """What a network takes while it is trained: float32 weights, their gradients and Adam's two means."""
    copies = 1 + len(elements_to_measure(network.point_group))  # of each weight in a kernel that is built from them
    return 4 * 4 * sum(kernel_sizes(network)) // copies
