"""Who looks after the runs: notices lost workers, ends those that do not stop, and starts new ones up to the limit.

Every process that shows runs calls `pump` again and again; so does a worker that ends. None of them is needed while a
run trains.
"""

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from explorer.checkout import ROOT
from explorer.runs.crew import LOST_S, Crew, Worker
from explorer.runs.processes import Process, end, is_gone, this_host
from explorer.runs.store import Store, Work
from explorer.settings import PREFIX, Settings, key_of

STALE_S = 8.0  # without a sign of life a worker is lost; a living one gives two a second
ASK_AFTER_S = 2.0  # a worker that was told to stop and has not is asked by the system, …
FORCE_AFTER_S = 4.0  # … then ended
_RETRY_S = 30.0  # after a worker that could not start
_MAX_LOG_BYTES = 2**20
_LOST = "Its process ended unexpectedly: resume continues from the last checkpoint."
_SILENT = "Its process gave no sign of life: resume continues from the last checkpoint."


@dataclass
class _Watcher:
    """What this process knows beyond the store: its children, and since when it sees signs of life unchanged."""

    lock: Lock = field(default_factory=Lock)
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    seen: dict[str, tuple[float, float]] = field(default_factory=dict)  # run: (its beat, when first seen, monotonic)
    not_before_s: float = 0.0
    fault: str = ""


_watchers: dict[str, _Watcher] = {}  # by the address of the database


def pump(store: Store, settings: Settings) -> str:
    """Look after all runs of the store once; quick, and one at a time in a process.

    Returns an empty text, or one sentence on why no worker can be started. Raises StoreError where the store cannot be
    used.
    """
    watcher = _watchers.setdefault(store.database.address, _Watcher())
    if not watcher.lock.acquire(blocking=False):  # another thread is doing it
        return watcher.fault
    try:
        crew = Crew(store.database)
        work = store.at_work()  # before the workers: those who come meanwhile are not taken for lost
        workers = {worker.id: worker for worker in crew.members()}
        _reap(watcher, crew, workers)
        for each in work:
            _look_after(watcher, store, each, workers.get(each.worker))
        watcher.seen = {each.run: watcher.seen[each.run] for each in work if each.run in watcher.seen}
        _dismiss(crew, workers)
        store.purge()
        if settings.training == "on" and time.monotonic() >= watcher.not_before_s:
            _start_needed(watcher, store, crew, settings)
        return watcher.fault
    finally:
        watcher.lock.release()


def _reap(watcher: _Watcher, crew: Crew, workers: dict[str, Worker]) -> None:
    """Notice children that have ended; without asking, the system keeps them as dead. One that never arrived failed."""
    for worker, child in list(watcher.children.items()):
        if child.poll() is None:
            continue
        del watcher.children[worker]
        left = workers.pop(worker, None)
        if left is not None and left.process is None:
            watcher.not_before_s = time.monotonic() + _RETRY_S
            watcher.fault = (
                f"Training cannot start: a worker process ended at once with status {child.returncode}; "
                f"its last messages are in workers.log in the folder of the runs."
            )
        elif child.returncode == 0:
            watcher.fault = ""
        crew.leave(worker)


def _look_after(watcher: _Watcher, store: Store, work: Work, worker: Worker | None) -> None:
    """Give up the run if its worker is lost; end the worker if it does not stop when told."""
    process = worker.process if worker is not None and worker.host == this_host() else None
    has_left = worker is None and work.worker != ""
    if has_left or (process is not None and is_gone(process)):
        _give_up(store, work, _LOST)
    elif _is_silent(watcher, work, is_alive=process is not None):
        if _give_up(store, work, _SILENT) and process is not None:
            end(process, by_force=True)
    elif work.cancel_s is not None and process is not None and time.time() - work.cancel_s > ASK_AFTER_S:
        _end(watcher, work.worker, process, by_force=time.time() - work.cancel_s > FORCE_AFTER_S)


def _give_up(store: Store, work: Work, sentence: str) -> bool:
    error = sentence if work.cancel_s is None else ""
    given_up = store.give_up(work, error)
    if given_up:
        store.say(work.run, error or "Cancelled; its process had to be ended.")
    return given_up


def _is_silent(watcher: _Watcher, work: Work, *, is_alive: bool) -> bool:
    """Whether the last sign of life is too old.

    Of a process that is alive on this host only what was seen here counts: after a machine has slept, all are old.
    """
    if not is_alive:
        return time.time() - work.beat_s > STALE_S
    beat_s, since_s = watcher.seen.get(work.run, (None, 0.0))
    if beat_s != work.beat_s:
        watcher.seen[work.run] = (work.beat_s, time.monotonic())
        return False
    return time.monotonic() - since_s > STALE_S


def _end(watcher: _Watcher, worker: str, process: Process, *, by_force: bool) -> None:
    child = watcher.children.get(worker)
    if child is None:
        end(process, by_force=by_force)
    elif by_force:  # a child's number is its own until it is reaped, on every system
        child.kill()
    else:
        child.terminate()


def _dismiss(crew: Crew, workers: dict[str, Worker]) -> None:
    """Free the places of processes that have ended, or may have and have not been heard of for long."""
    for worker in workers.values():
        process = worker.process if worker.host == this_host() else None
        is_certain = process is not None and process.mark != ""
        has_ended = process is not None and is_gone(process)
        if has_ended or (not is_certain and time.time() - worker.beat_s > LOST_S):
            crew.leave(worker.id)


def _start_needed(watcher: _Watcher, store: Store, crew: Crew, settings: Settings) -> None:
    """Start workers for the runs that wait, less those workers that are free or still starting."""
    waiting = store.waiting()
    if waiting == 0:
        return
    busy = {each.worker for each in store.at_work()}
    free = [worker for worker in crew.members() if worker.host == this_host() and worker.id not in busy]
    for _ in range(waiting - len(free)):
        worker = crew.join(this_host(), limit=settings.workers)
        if worker is None:
            return
        try:
            child = _start(worker, store, settings)
        except OSError as error:
            crew.leave(worker)
            watcher.not_before_s = time.monotonic() + _RETRY_S
            watcher.fault = f"Training cannot start: the system refuses a new process ({error.strerror})."
            return
        watcher.children[worker] = child


def _start(worker: str, store: Store, settings: Settings) -> subprocess.Popen[bytes]:
    """A worker with a clean interpreter, of no terminal; what it prints goes to a file."""
    with _log(store.folder) as log:
        return subprocess.Popen(
            [sys.executable, "-m", "explorer.runs.worker", worker],
            cwd=ROOT,
            env=_environment(store, settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the terminal's Ctrl-C is not for it
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # of Windows
        )


def _environment(store: Store, settings: Settings) -> dict[str, str]:
    """This process's, with the settings in force, and so many threads that all workers together take the cores."""
    in_force = replace(settings, database=store.database.address, runs_folder=str(store.folder.absolute()))
    kept = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    paths = (str(ROOT), kept.get("PYTHONPATH", ""))  # by name, for an interpreter that leaves its folder out
    return {
        "OMP_NUM_THREADS": str(max(1, _cores() // settings.workers)),
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait leave the cores to others: ten times as quick on a busy host
        **kept,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        **{key_of(each.name): str(getattr(in_force, each.name)) for each in fields(Settings)},
    }


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _log(folder: Path) -> BinaryIO:
    path = folder / "workers.log"
    with suppress(OSError):  # not there yet, or open elsewhere on a system that minds
        if path.stat().st_size > _MAX_LOG_BYTES:
            path.unlink()
    return path.open("ab")
