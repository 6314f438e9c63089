"""A worker's duty to one run: signs of life, and stopping when told. A thread beside the one that trains."""

import time
from collections.abc import Callable
from threading import Event, Thread

from explorer.errors import RunError, StoreError
from explorer.runs.crew import Crew
from explorer.runs.store import Store
from explorer.training.fit import Stopped
from explorer.training.metrics import Progress

BEAT_S = 0.5
CANCEL_GRACE_S = 1.0  # with BEAT_S less than two seconds
END_GRACE_S = 5.0  # after the system asked the process to end: time for a checkpoint
_TELL_S = 10.0  # between signs of life of the worker itself
_PATIENCE_S = 60.0  # with a database that is away

CANCELLED, INTERRUPTED, LOST = "cancelled", "interrupted", "lost"


class Duty:
    """Keeps `run` alive in the store while it is trained. Use as a context manager.

    leave: ends the process at once; called where the thread that trains does not stop in time.
    progress: set by who trains, told with the next sign of life.
    stop: why to stop: CANCELLED, INTERRUPTED (the process is asked to end), LOST (the run was given to another worker,
        or deleted); empty: not.
    """

    def __init__(self, store: Store, run: str, worker: str, asked_to_end: Event, *, leave: Callable[[], None]) -> None:
        self.progress: Progress | None = None
        self.stop = ""
        self._store, self._run, self._worker = store, run, worker
        self._asked_to_end = asked_to_end
        self._leave = leave
        self._stopped_s = self._told_s = 0.0
        self._done = Event()
        self._thread = Thread(target=self._keep, name=f"duty {run}", daemon=True)

    def __enter__(self) -> "Duty":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def check(self, progress: Progress | None = None) -> None:
        """Take note of `progress`; raises Stopped where the run is to stop."""
        if progress is not None:
            self.progress = progress
        if self.stop:
            raise Stopped

    def _keep(self) -> None:
        while not self._done.wait(BEAT_S):
            self._beat()
            if self.stop == LOST:  # nothing may be written now: another worker may have the run
                self._leave()
            if self.stop and time.monotonic() - self._stopped_s > self._grace_s:
                self._end()

    @property
    def _grace_s(self) -> float:
        return CANCEL_GRACE_S if self.stop == CANCELLED else END_GRACE_S

    def _beat(self) -> None:
        try:
            is_cancelled = self._store.beat(self._run, self.progress, worker=self._worker)
            if time.monotonic() - self._told_s > _TELL_S:
                Crew(self._store.database).beat(self._worker)
                self._told_s = time.monotonic()
        except StoreError:  # it may come back; training continues meanwhile
            is_cancelled = False
        except RunError:
            self._stop(LOST)
            return
        if is_cancelled:
            self._stop(CANCELLED)
        elif self._asked_to_end.is_set():
            self._stop(INTERRUPTED)

    def _stop(self, why: str) -> None:
        if not self.stop or why == LOST:
            self.stop, self._stopped_s = why, time.monotonic()

    def _end(self) -> None:
        """The thread that trains is in something that takes long: end without it."""
        self._store.say(self._run, f"{self.stop.capitalize()} in the middle of a long step.")
        try:
            self._store.finish(self._run, self.stop, worker=self._worker)
        finally:
            self._leave()


def persistently(action: Callable[[], None]) -> None:
    """Do `action`, again and again for a minute where the store cannot be used; then raises its StoreError."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return action()
        except StoreError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(BEAT_S)
