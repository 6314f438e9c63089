"""A bounded store of results by key, the least recently used dropped first: for everything that can be made again."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
_ABSENT: Any = object()


@dataclass
class _Making:
    """The lock of one key while some threads make its result or wait for it; `users` counts them."""

    lock: Lock = field(default_factory=Lock)
    users: int = 0


class Kept(Generic[Result]):
    """The most recently used results by key: at most `entries`, and `most_bytes` in all; None is no limit.

    Thread-safe. The least recently used go first; the latest stays, however large it is. bytes_of: of one result.
    """

    def __init__(
        self,
        entries: int | None = None,
        *,
        most_bytes: int | None = None,
        bytes_of: Callable[[Result], int] = lambda result: 0,
    ) -> None:
        self._entries, self._most_bytes, self._bytes_of = entries, most_bytes, bytes_of
        self._results: OrderedDict[Hashable, Result] = OrderedDict()  # used longest ago first
        self._making: dict[Hashable, _Making] = {}
        self._lock = Lock()

    def __contains__(self, key: object) -> bool:
        """Whether a result is kept under `key`; asking does not count as a use."""
        return key in self._results

    def __len__(self) -> int:
        return len(self._results)

    def find(self, key: Hashable) -> Result | None:
        """The result kept under `key`; None where there is none."""
        found = self._used(key)
        return None if found is _ABSENT else found

    def get(self, key: Hashable, make: Callable[[], Result]) -> Result:
        """The result kept under `key`, or a new one; two threads may make the same one at the same time."""
        found = self._used(key)
        return self.put(key, make()) if found is _ABSENT else found

    def get_once(self, key: Hashable, make: Callable[[], Result]) -> Result:
        """The same, made by one thread at a time: the others wait for it, and one of them tries again if it fails."""
        with self._lock:
            making = self._making.setdefault(key, _Making())
            making.users += 1
        try:
            with making.lock:
                return self.get(key, make)
        finally:
            with self._lock:
                making.users -= 1
                if making.users == 0:  # not sooner: who comes now must wait for the same lock as those who do already
                    del self._making[key]

    def put(self, key: Hashable, result: Result) -> Result:
        """Keep `result` under `key` as the most recently used."""
        with self._lock:
            self._results[key] = result
            self._results.move_to_end(key)
            while len(self._results) > 1 and self._is_too_much():
                self._results.popitem(last=False)
        return result

    def shrink(self, most_bytes: int) -> None:
        """Drop the least recently used until the rest takes at most `most_bytes`; all of them, if need be."""
        with self._lock:
            while self._results and self._bytes() > most_bytes:
                self._results.popitem(last=False)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._results.clear()

    def _used(self, key: Hashable) -> Any:
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key, _ABSENT)

    def _is_too_much(self) -> bool:
        too_many = self._entries is not None and len(self._results) > self._entries
        return too_many or (self._most_bytes is not None and self._bytes() > self._most_bytes)

    def _bytes(self) -> int:
        return sum(map(self._bytes_of, self._results.values()))
