"""Who looks after the runs: lost workers are noticed, those that do not stop are ended, new ones are started.

Workers are stand-ins here, processes that only wait; tests/explorer/runs/test_worker.py has real ones.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import update

from explorer.runs import launch, processes
from explorer.runs import store as runs
from explorer.runs.crew import Crew
from explorer.runs.launch import pump
from explorer.runs.processes import Process, end, is_gone, process_of, this_host
from explorer.runs.store import Store
from explorer.runs.tables import RUNS, WORKERS
from explorer.settings import Settings, settings_from
from tests.support.stores import TINY

DEADLINE_S = 60  # no more than a limit: a test that waits longer has hung
WAITS = "import time; print('here', flush=True); time.sleep(600)"
STAYS = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + WAITS
needs_marks = pytest.mark.skipif(
    not process_of(os.getpid()).mark, reason="this system does not tell when a process was started"
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store("", tmp_path)


@pytest.fixture
def start() -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """A process that runs a line of Python, and has begun."""
    started = []

    def start(source: str = WAITS) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def settings_of(store: Store, **changed: Any) -> Settings:
    return Settings(runs_folder=str(store.folder), device="cpu", **changed)


@pytest.fixture
def off(store: Store) -> Settings:
    """With these `pump` looks after runs and starts nothing."""
    return settings_of(store, training="off")


def running(store: Store, process: Process, *, host: str | None = None) -> str:
    """A run that `process` trains."""
    run = store.create(TINY, owner=None).id
    crew = Crew(store.database)
    worker = crew.join(host or this_host(), limit=64)
    assert worker is not None and crew.arrive(worker, process)
    assert store.claim(worker) == run
    return run


def age(store: Store, seconds: float) -> None:
    """Make all signs of life, and all orders to stop, so much older."""
    with store.database.writing() as connection:
        connection.execute(update(RUNS).values(beat_s=RUNS.c.beat_s - seconds, cancel_s=RUNS.c.cancel_s - seconds))
        connection.execute(update(WORKERS).values(beat_s=WORKERS.c.beat_s - seconds))


def eventually(holds: Callable[[], Any]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.05)


# ----------------------------------------------------------------------------------------------------------- processes


@pytest.mark.parametrize("told_by", [pytest.param("_mark", marks=needs_marks), "_mark_elsewhere"])
def test_process_is_told_from_one_that_has_ended_and_from_another_with_its_number(
    told_by: str, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_mark", getattr(processes, told_by))
    child = start()
    process = process_of(child.pid)
    later = replace(process, mark=process.mark + "1")
    assert (is_gone(process), is_gone(later), process_of(child.pid) == process) == (False, True, True)

    end(later, by_force=True)
    assert child.poll() is None, "another process was hit"
    end(Process(child.pid, ""), by_force=True)
    assert child.poll() is None, "a process that is not certain was hit"

    end(process, by_force=False)
    eventually(lambda: is_gone(process))  # nobody has asked for its exit status yet
    child.wait()
    assert is_gone(process)
    end(process, by_force=True)


def test_process_of_another_user_that_tells_nothing_is_neither_gone_nor_ended(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = start()
    known = Process(child.pid, "1.0")

    def refuse(pid: int) -> None:
        raise psutil.AccessDenied(pid)

    monkeypatch.setattr(psutil, "Process", refuse)
    monkeypatch.setattr(processes, "_mark", processes._mark_elsewhere)
    assert process_of(child.pid) == Process(child.pid, "") and not is_gone(known)
    end(known, by_force=True)
    assert child.poll() is None


def test_process_without_a_mark_is_gone_when_its_number_is_free(start: Any) -> None:
    child = start()
    assert not is_gone(Process(child.pid, ""))
    child.kill()
    child.wait()
    assert is_gone(Process(child.pid, ""))


# ------------------------------------------------------------------------------------------------------------ upkeep


@needs_marks
def test_killed_worker_is_noticed_at_once_and_its_run_can_be_resumed(store: Store, off: Settings, start: Any) -> None:
    child = start()
    run = running(store, process_of(child.pid))
    pump(store, off)
    assert store.get(run).state == "running"

    child.kill()
    eventually(lambda: pump(store, off) or store.get(run).state == "interrupted")
    assert store.get(run).error == "Its process ended unexpectedly: resume continues from the last checkpoint."
    assert store.log(run).endswith(f"{store.get(run).error}\n")
    assert Crew(store.database).members() == ()
    store.resume(run, None)
    assert store.get(run).position == 1


@needs_marks
def test_number_that_another_process_has_now_is_not_a_worker(store: Store, off: Settings, start: Any) -> None:
    child = start()
    run = running(store, replace(process_of(child.pid), mark="of an earlier process"))
    pump(store, off)
    assert (store.get(run).state, child.poll()) == ("interrupted", None)


def test_worker_of_another_host_is_lost_when_it_is_silent(store: Store, off: Settings) -> None:
    run = running(store, Process(os.getpid(), "of there"), host="another")
    age(store, launch.STALE_S / 2)
    pump(store, off)
    assert store.get(run).state == "running"

    age(store, launch.STALE_S)
    pump(store, off)
    assert (store.get(run).state, store.get(run).error) == (
        "interrupted",
        "Its process gave no sign of life: resume continues from the last checkpoint.",
    )


@needs_marks
def test_living_worker_is_lost_only_when_it_was_seen_to_be_silent(
    store: Store, off: Settings, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a machine has slept all signs of life are old, and all workers well."""
    child = start()
    run = running(store, process_of(child.pid))
    age(store, 3600)
    pump(store, off)
    pump(store, off)
    assert store.get(run).state == "running"

    monkeypatch.setattr(launch, "STALE_S", 0.0)
    pump(store, off)
    assert store.get(run).state == "interrupted"
    eventually(lambda: child.poll() is not None)


@needs_marks
@pytest.mark.parametrize("source", [WAITS, STAYS], ids=["that stops when asked", "that does not"])
def test_worker_that_does_not_stop_is_asked_and_then_ended(
    source: str, store: Store, off: Settings, start: Any
) -> None:
    child = start(source)
    run = running(store, process_of(child.pid))
    store.cancel(run, None)
    pump(store, off)
    assert child.poll() is None, "it has two seconds to stop by itself"

    age(store, launch.ASK_AFTER_S)
    pump(store, off)
    if source == STAYS:
        age(store, launch.FORCE_AFTER_S - launch.ASK_AFTER_S)
        pump(store, off)
    eventually(lambda: child.poll() is not None)
    pump(store, off)
    assert (store.get(run).state, store.get(run).error) == ("cancelled", "")


def test_run_of_a_worker_that_left_is_given_up_and_a_new_one_is_not(store: Store, off: Settings) -> None:
    run = running(store, process_of(os.getpid()))
    (worker,) = Crew(store.database).members()
    pump(store, off)
    assert store.get(run).state == "running"
    Crew(store.database).leave(worker.id)
    pump(store, off)
    assert store.get(run).state == "interrupted"


def test_deleted_runs_are_removed_in_time(store: Store, off: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.create(TINY, owner=None).id
    store.delete(run, None)
    pump(store, off)
    assert store.folder_of(run).is_dir()
    monkeypatch.setattr(runs, "UNDO_S", -1)
    pump(store, off)
    assert not store.folder_of(run).exists()


# ------------------------------------------------------------------------------------------------------------ starting


@pytest.fixture
def standing_in(store: Store, start: Any, monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Processes that `pump` started instead of workers; each has its place, and no run yet."""
    started = []

    def stand_in(worker: str, *_: object) -> subprocess.Popen[bytes]:
        child = start()
        started.append(child)
        assert Crew(store.database).arrive(worker, process_of(child.pid))
        return child

    monkeypatch.setattr(launch, "_start", stand_in)
    return started


def test_as_many_workers_are_started_as_there_are_runs_and_places(store: Store, standing_in: list[Any]) -> None:
    settings = settings_of(store, workers=2)
    pump(store, settings)
    assert len(standing_in) == 0

    first, *_ = (store.create(TINY, owner=None).id for _ in range(3))
    pump(store, settings)
    assert len(standing_in) == 2
    pump(store, settings)
    assert len(standing_in) == 2, "those that have no run yet will take one"

    worker = Crew(store.database).members()[0].id
    assert store.claim(worker) == first
    pump(store, settings)
    assert len(standing_in) == 2
    store.finish(first, "finished", worker=worker)
    standing_in[0].kill()
    eventually(lambda: pump(store, settings) or len(standing_in) == 3)


def test_other_hosts_and_other_stores_do_not_count(store: Store, standing_in: list[Any], tmp_path: Path) -> None:
    Crew(store.database).join("another", limit=1)
    store.create(TINY, owner=None)
    pump(store, settings_of(store))
    assert len(standing_in) == 1


def test_nothing_is_started_where_training_is_off(store: Store, off: Settings, standing_in: list[Any]) -> None:
    store.create(TINY, owner=None)
    pump(store, off)
    assert (len(standing_in), store.list(None)[0].state) == (0, "queued")


def test_worker_that_cannot_start_is_said_and_not_tried_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(store)
    started: list[Any] = []

    def broken(*_: object) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]))
        return started[-1]

    monkeypatch.setattr(launch, "_start", broken)
    store.create(TINY, owner=None)
    assert pump(store, settings) == ""
    started[0].wait()
    said = pump(store, settings)
    assert said.startswith("Training cannot start: a worker process ended at once with status 3;")
    assert (pump(store, settings), len(started)) == (said, 1)
    assert Crew(store.database).members() == ()


def test_worker_gets_the_settings_in_force_and_its_share_of_the_cores(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPLORER_MAX_EPOCHS", "7")
    monkeypatch.setenv("EXPLORER_MISTYPED", "7")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(launch, "_cores", lambda: 8)
    settings = replace(Settings(device="cpu"), workers=3, max_steps=55)
    environment = launch._environment(store, settings)
    assert settings_from(environment) == replace(
        settings, runs_folder=str(store.folder), database=store.database.address
    )
    assert (environment["OMP_NUM_THREADS"], environment.get("EXPLORER_MISTYPED")) == ("2", None)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert launch._environment(store, settings)["OMP_NUM_THREADS"] == "5"
