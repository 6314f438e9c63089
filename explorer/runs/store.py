"""Runs and their store: a row for each in a database, a folder for each with weights, checkpoint and log.

The page, the command line and the worker processes share one store, each through a `Store` of its own.
"""

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from explorer.errors import RunError, StoreError
from explorer.runs.run import Facts, Run, cleaned, hashed, is_mine, run_of
from explorer.runs.states import ACTIVE, STATES, moved
from explorer.runs.tables import EPOCHS, RUNS, Database, make_folder
from explorer.settings import Settings
from explorer.training.metrics import Epoch, Progress, epoch_of
from explorer.training.recipe import RUN, Recipe

__all__ = ["STATES", "Facts", "Run", "Store", "Work", "open_store"]

UNDO_S = 600  # a deleted run can be restored for so long; then its files go
_REMOVED = 0.0  # in place of when a run was deleted: its files are being removed
_LOG_BYTES = 2**16  # of the end of a log that is shown
_ID_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"  # no look-alikes, one case: also the name of a folder
_ID_LENGTH = 16  # 79 bits
_ID = re.compile(f"[{_ID_SIGNS}]{{{_ID_LENGTH}}}")


@dataclass(frozen=True)
class Work:
    """A running run: its worker, its last sign of life, and when it was asked to stop; seconds since 1970."""

    run: str
    worker: str
    beat_s: float
    cancel_s: float | None


class Store:
    """The runs in the database at `address`, their files in `folder`. Thread-safe; several processes may share it.

    owner: the key of a visitor, who sees and controls their own runs; None, the command line, all. Only its SHA-256 is
    kept. Methods raise RunError for a run that is not there, not the owner's or in the wrong state, and StoreError
    where the database or the folder cannot be used: one sentence each.
    """

    def __init__(self, address: str, folder: Path) -> None:
        self.folder = folder
        self.database = Database(address, file=folder / "runs.sqlite")

    # ------------------------------------------------------------------------------------------------ for visitors

    def create(self, recipe: Recipe, *, owner: str | None, name: str = "") -> Run:
        """A new run at the end of the queue. `launch.pump` starts it.

        One that starts from another run starts from its weights of now: they are kept with it.
        """
        now_s, run = time.time(), "".join(secrets.choice(_ID_SIGNS) for _ in range(_ID_LENGTH))
        values = {
            "id": run,
            "name": cleaned(name),
            "state": "queued",
            "recipe": json.dumps(recipe.checked().document()),
            "owner": hashed(owner),
            "created_s": now_s,
            "queued_s": now_s,
            "worker": "",
            "device": "",
            "error": "",
        }
        folder = self.folder_of(run)
        make_folder(folder)
        try:
            self._keep_start(recipe.start, run)
            with self.database.writing() as connection:
                connection.execute(insert(RUNS).values(values))
        except (RunError, StoreError):
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return self.get(run, owner)

    def get(self, run: str, owner: str | None = None) -> Run:
        """The run, which anybody may see who knows its id; `is_mine` says whether `owner` controls it."""
        _check(run)
        with self.database.reading() as connection:
            row = connection.execute(select(RUNS).where(RUNS.c.id == run, RUNS.c.deleted_s.is_(None))).one_or_none()
            if row is None:
                raise _missing(run)
            return run_of(row, hashed(owner), _queue(connection))

    def list(self, owner: str | None, *, deleted: bool = False, ownerless: bool = False) -> tuple[Run, ...]:
        """The owner's runs, the latest first; or those that can still be restored, the latest deleted first.

        ownerless: those alone that the command line made.
        """
        latest = RUNS.c.deleted_s if deleted else RUNS.c.created_s
        chosen = select(RUNS).order_by(latest.desc(), RUNS.c.id)
        chosen = chosen.where(RUNS.c.deleted_s > time.time() - UNDO_S if deleted else RUNS.c.deleted_s.is_(None))
        if owner is not None:
            chosen = chosen.where(RUNS.c.owner == hashed(owner))
        if ownerless:
            chosen = chosen.where(RUNS.c.owner.is_(None))
        with self.database.reading() as connection:
            queue = _queue(connection)
            return tuple(run_of(row, hashed(owner), queue) for row in connection.execute(chosen))

    def epochs(self, run: str) -> tuple[Epoch, ...]:
        """The run's epochs in their order, 0 (before training) first."""
        return self.epochs_of((run,))[run]

    def epochs_of(self, runs: Iterable[str]) -> dict[str, tuple[Epoch, ...]]:
        """The epochs of several runs, asked for at once."""
        found: dict[str, list[Epoch]] = {run: [] for run in runs}
        chosen = select(EPOCHS).where(EPOCHS.c.run.in_(found)).order_by(EPOCHS.c.run, EPOCHS.c.epoch)
        with self.database.reading() as connection:
            for row in connection.execute(chosen):
                found[row.run].append(epoch_of(json.loads(row.document)))
        return {run: tuple(epochs) for run, epochs in found.items()}

    def log(self, run: str) -> str:
        """The last lines of the run's log; empty before it starts."""
        try:
            with self.log_path(run).open("rb") as log:
                size = log.seek(0, 2)
                log.seek(max(0, size - _LOG_BYTES))
                lines = log.read().decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise StoreError(f"The log of the run {run} cannot be read ({error.strerror}).") from None
        return lines if size <= _LOG_BYTES else lines.partition("\n")[2]

    def rename(self, run: str, name: str, owner: str | None) -> None:
        """Give the run another name; an empty one takes it away."""
        with self._mine(run, owner) as (connection, _):
            _set(connection, run, name=cleaned(name))

    def cancel(self, run: str, owner: str | None) -> None:
        """Take the run out of the queue, or ask its worker to stop: `launch.pump` makes sure that it does."""
        with self._mine(run, owner) as (connection, row):
            _cancel(connection, row)

    def resume(self, run: str, owner: str | None) -> None:
        """Put the run at the end of the queue again; it continues from its last checkpoint."""
        with self._mine(run, owner) as (connection, row):
            state = moved(run, row.state, "resumed")
            queued = {"state": state, "queued_s": time.time(), "ended_s": None, "cancel_s": None, "beat_s": None}
            _set(connection, run, **queued, worker="", error="")

    def delete(self, run: str, owner: str | None) -> None:
        """Put the run out of sight, cancelled where it waits or trains; `restore` undoes it for UNDO_S seconds."""
        with self._mine(run, owner) as (connection, row):
            if row.state in ACTIVE:
                _cancel(connection, row)
            _set(connection, run, deleted_s=time.time())

    def restore(self, run: str, owner: str | None) -> None:
        """Undo `delete`, within UNDO_S seconds. What was cancelled by it stays so."""
        with self._mine(run, owner, deleted=True) as (connection, _):
            in_time = (RUNS.c.id == run, RUNS.c.deleted_s > time.time() - UNDO_S)
            restored = connection.execute(update(RUNS).where(*in_time).values(deleted_s=None))
            if restored.rowcount != 1:
                raise RunError(
                    f"The run {run} was deleted more than {UNDO_S // 60} minutes ago: it can no longer be restored."
                )

    # ------------------------------------------------------------------------------------------------------- files

    def folder_of(self, run: str) -> Path:
        """The folder of the run's files."""
        _check(run)
        return self.folder / run

    def weights_path(self, run: str) -> Path:
        """Safetensors, as of the last epoch that ended; not there before the first."""
        return self.folder_of(run) / "weights.safetensors"

    def checkpoint_path(self, run: str) -> Path:
        """Everything that an interrupted run needs to continue."""
        return self.folder_of(run) / "checkpoint.safetensors"

    def start_path(self, run: str) -> Path:
        """What the run starts from, where that is another run: its weights when this one was made."""
        return self.folder_of(run) / "start.safetensors"

    def log_path(self, run: str) -> Path:
        """Lines of a time and a sentence."""
        return self.folder_of(run) / "log.txt"

    def _keep_start(self, start: str, run: str) -> None:
        """A second name for the weights, which are never written over, or a copy; nothing where there are none yet."""
        if not start.startswith(RUN):
            return
        base, kept = self.weights_path(start.removeprefix(RUN)), self.start_path(run)
        try:
            try:
                os.link(base, kept)
            except FileNotFoundError:  # the worker says so
                return
            except OSError:  # a file system without links
                shutil.copyfile(base, kept)
        except OSError as error:
            raise StoreError(
                f"The weights of the run {start.removeprefix(RUN)} cannot be kept for the run that starts from them "
                f"({error.strerror}): make room, or give write access to the folder of the runs."
            ) from None

    def say(self, run: str, sentence: str) -> None:
        """Add a line to the run's log; a log that cannot be written does not stop any work."""
        time_utc = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        with suppress(OSError), self.log_path(run).open("a", encoding="utf-8", errors="replace") as log:
            log.write(f"{time_utc} {sentence}\n")

    def used_bytes(self) -> int:
        """What all files of the store take on the disk."""
        total = 0
        for path in self.folder.rglob("*"):
            try:
                total += path.stat().st_size if path.is_file() else 0
            except OSError:  # gone meanwhile
                continue
        return total

    # ------------------------------------------------------------------------------------------------- for workers
    # A worker changes a run only while it is the one that trains it: one that was given up and comes back does not.

    def claim(self, worker: str = "") -> str | None:
        """The id of the run that `worker` is to train, the longest in the queue; None where none waits.

        No two workers get the same, whatever their processes and hosts.
        """
        waiting = (
            select(RUNS.c.id, RUNS.c.started_s)
            .where(RUNS.c.state == "queued", RUNS.c.deleted_s.is_(None))
            .order_by(RUNS.c.queued_s, RUNS.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)  # PostgreSQL; SQLite has one writer at a time
        )
        with self.database.writing() as connection:
            row = connection.execute(waiting).one_or_none()
            if row is None:
                return None
            now_s = time.time()
            state = moved(row.id, "queued", "started")
            _set(connection, row.id, state=state, worker=worker, beat_s=now_s, started_s=row.started_s or now_s)
            return row.id

    def describe(self, run: str, *, device: str, facts: Facts, worker: str = "") -> None:
        """Record what the run found when it started."""
        with self._at_work(run, worker) as connection:
            _set(connection, run, device=device, facts=json.dumps(asdict(facts)))

    def beat(self, run: str, progress: Progress | None = None, *, worker: str = "") -> bool:
        """A sign of life; whether the run is asked to stop. Raises RunError where it is no longer the worker's."""
        with self._at_work(run, worker) as connection:
            values = {} if progress is None else {"progress": json.dumps(asdict(progress))}
            _set(connection, run, beat_s=time.time(), **values)
            return connection.scalar(select(RUNS.c.cancel_s).where(RUNS.c.id == run)) is not None

    def add_epoch(self, run: str, epoch: Epoch, *, worker: str = "") -> None:
        """Record the epoch, in place of an earlier record of it."""
        document = json.dumps(epoch.document())
        with self._at_work(run, worker) as connection:
            connection.execute(delete(EPOCHS).where(EPOCHS.c.run == run, EPOCHS.c.epoch == epoch.epoch))
            connection.execute(insert(EPOCHS).values(run=run, epoch=epoch.epoch, document=document))

    def finish(self, run: str, state: str, error: str = "", *, worker: str = "") -> None:
        """End the run as finished, cancelled, failed or interrupted."""
        with self._at_work(run, worker) as connection:
            _set(connection, run, state=moved(run, "running", state), ended_s=time.time(), error=error)

    @contextmanager
    def _at_work(self, run: str, worker: str) -> Iterator[Connection]:
        with self.database.writing() as connection:
            chosen = select(RUNS.c.id).where(RUNS.c.id == run, RUNS.c.state == "running", RUNS.c.worker == worker)
            if connection.execute(chosen.with_for_update()).one_or_none() is None:
                raise RunError(f"The run {run} is no longer trained by this worker.")
            yield connection

    @contextmanager
    def _mine(self, run: str, owner: str | None, *, deleted: bool = False) -> Iterator[tuple[Connection, Row[Any]]]:
        """The row of a run that `owner` controls, locked."""
        _check(run)
        with self.database.writing() as connection:
            row = connection.execute(select(RUNS).where(RUNS.c.id == run).with_for_update()).one_or_none()
            if row is None or (row.deleted_s is not None) != deleted:
                raise _missing(run)
            if not is_mine(row, hashed(owner)):
                raise RunError(f"The run {run} is another visitor's: it can be looked at, but not changed.")
            yield connection, row

    # ------------------------------------------------------------------------------------------------------- upkeep

    def at_work(self) -> tuple[Work, ...]:
        """All running runs, for whoever looks after them."""
        columns = (RUNS.c.id, RUNS.c.worker, RUNS.c.beat_s, RUNS.c.cancel_s)
        with self.database.reading() as connection:
            rows = connection.execute(select(*columns).where(RUNS.c.state == "running"))
            return tuple(Work(row.id, row.worker, row.beat_s, row.cancel_s) for row in rows)

    def starts(self) -> set[str]:
        """What the recipes of all runs start from, those deleted included."""
        with self.database.reading() as connection:
            return {json.loads(recipe)["start"] for recipe in connection.scalars(select(RUNS.c.recipe))}

    def waiting(self) -> int:
        """How many runs are in the queue."""
        with self.database.reading() as connection:
            return len(_queue(connection))

    def give_up(self, work: Work, error: str) -> bool:
        """End a run whose worker is lost; False where it has given a sign of life since `at_work` or has ended it."""
        event = "interrupted" if work.cancel_s is None else "cancelled"
        still = (RUNS.c.id == work.run, RUNS.c.state == "running", RUNS.c.worker == work.worker)
        values = {"state": moved(work.run, "running", event), "ended_s": time.time(), "error": error}
        with self.database.writing() as connection:
            given_up = connection.execute(update(RUNS).where(*still, RUNS.c.beat_s == work.beat_s).values(**values))
            return given_up.rowcount == 1

    def purge(self) -> None:
        """Remove for good what was deleted more than UNDO_S seconds ago, files first.

        Nobody can restore what is marked for it, and what a process that ended has marked is removed by the next.
        """
        expired = (RUNS.c.deleted_s < time.time() - UNDO_S, RUNS.c.state != "running")
        with self.database.reading() as connection:
            if connection.scalar(select(RUNS.c.id).where(*expired).limit(1)) is None:
                return
        with self.database.writing() as connection:
            connection.execute(update(RUNS).where(*expired).values(deleted_s=_REMOVED))
            runs = tuple(connection.scalars(select(RUNS.c.id).where(RUNS.c.deleted_s == _REMOVED)))
        for run in runs:
            shutil.rmtree(self.folder_of(run), ignore_errors=True)
        with self.database.writing() as connection:
            connection.execute(delete(RUNS).where(RUNS.c.id.in_(runs), RUNS.c.deleted_s == _REMOVED))


def open_store(settings: Settings) -> Store:
    """The store that the settings name."""
    return Store(settings.database, settings.runs_path)


def _cancel(connection: Connection, row: Row[Any]) -> None:
    state = moved(row.id, row.state, "cancelled")
    now_s = time.time()
    if row.state == "running":  # its worker ends it
        _set(connection, row.id, cancel_s=row.cancel_s or now_s)
    else:
        _set(connection, row.id, state=state, ended_s=now_s)


def _set(connection: Connection, run: str, **values: Any) -> None:
    connection.execute(update(RUNS).where(RUNS.c.id == run).values(**values))


def _queue(connection: Connection) -> Mapping[str, int]:
    """Positions of the waiting runs, 1 is next."""
    waiting = select(RUNS.c.id).where(RUNS.c.state == "queued", RUNS.c.deleted_s.is_(None))
    ordered = connection.scalars(waiting.order_by(RUNS.c.queued_s, RUNS.c.id))
    return {run: position for position, run in enumerate(ordered, 1)}


def _check(run: str) -> None:
    """Raise RunError for an id that none can be: it may come from an address, and becomes part of a path."""
    if not _ID.fullmatch(run):
        raise _missing(run)


def _missing(run: str) -> RunError:
    return RunError(f"There is no run {run!r}: it may have been deleted, or its id is mistyped.")
