"""The tables of the runs, and transactions on them: a SQLite file, or PostgreSQL by its address."""

import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    select,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError

from explorer.errors import StoreError
from explorer.settings import masked

SCHEMA = 1  # counted up with every change of the tables
_LOCK = 5_281_734_019  # of PostgreSQL's advisory locks: any number of ours
_WAIT_S = 10  # for another process's transaction, or for a server to answer
_WAL_TRIES = 100
_WAL_PAGES = 100  # of SQLite's log; its room is used again, so that on a full disk a state can still be written

_DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}

_METADATA = MetaData()

SCHEMAS = Table("explorer_schema", _METADATA, Column("version", Integer, primary_key=True, autoincrement=False))

# Times are seconds since 1970. Documents are texts and not of the type JSON: PostgreSQL's has no NaN, losses may be.
RUNS = Table(
    "explorer_runs",
    _METADATA,
    Column("id", String(40), primary_key=True),
    Column("name", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("recipe", Text, nullable=False),
    Column("owner", String(64)),  # SHA-256 of the visitor's key; null: the command line
    Column("created_s", Float(53), nullable=False),
    Column("queued_s", Float(53), nullable=False),  # the queue's order
    Column("started_s", Float(53)),
    Column("ended_s", Float(53)),
    Column("deleted_s", Float(53)),
    Column("cancel_s", Float(53)),  # when a running one was asked to stop
    Column("beat_s", Float(53)),  # the last sign of life
    Column("worker", String(40), nullable=False),  # who trains it, or did last
    Column("progress", Text),
    Column("device", Text, nullable=False),
    Column("facts", Text),
    Column("error", Text, nullable=False),
    Index("explorer_runs_by_state", "state", "queued_s"),
    Index("explorer_runs_by_owner", "owner", "created_s"),
)

EPOCHS = Table(
    "explorer_epochs",
    _METADATA,
    Column("run", String(40), ForeignKey(RUNS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
)

# One row for each worker process, from before it is started until it has ended.
WORKERS = Table(
    "explorer_workers",
    _METADATA,
    Column("id", String(40), primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer),  # null until the process is there
    Column("mark", Text, nullable=False),  # tells the process from a later one with its pid; empty where unknown
    Column("beat_s", Float(53), nullable=False),
)


class Database:
    """Transactions on the database at `address`, or in the SQLite `file` without one. Thread-safe.

    The tables are made on first use.

    A database that cannot be reached, read or written gives a StoreError at each use, and is tried again at the next.
    """

    def __init__(self, address: str, *, file: Path) -> None:
        self._url = _driver(address) if address else URL.create("sqlite", database=str(file))
        if self._url.get_backend_name() == "sqlite":  # workers run in another folder
            self._url = self._url.set(database=str(Path(self._url.database or "").absolute()))
        self.address = self._url.render_as_string(hide_password=False)
        self.name = masked(address) if address else str(file)
        self._engine: Engine | None = None
        self._lock = Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that changes nothing."""
        with self._said(), self._ready().begin() as connection:
            yield connection

    @contextmanager
    def writing(self, *, alone: bool = False) -> Iterator[Connection]:
        """A transaction that is done as a whole or not at all.

        On SQLite one at a time, over all processes; on PostgreSQL so among those that ask to be `alone`.
        """
        with self._said(), self._ready().connect() as connection:
            connection.execution_options(explorer_writes=True)
            with connection.begin():
                if alone:
                    _lock(connection)
                yield connection

    def close(self) -> None:
        """Give the connections back; the next use makes new ones."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    def _ready(self) -> Engine:
        with self._lock:
            if self._engine is None:
                if self._url.get_backend_name() == "sqlite":
                    make_folder(Path(self._url.database or "").parent)
                engine = _engine(self._url)
                try:
                    self._make_tables(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
                weakref.finalize(self, engine.dispose)  # drivers complain of connections that are left open
            return self._engine

    def _make_tables(self, engine: Engine) -> None:
        with engine.connect() as connection:
            connection.execution_options(explorer_writes=True)
            with connection.begin():
                _lock(connection)  # two first uses at once would both make them
                _METADATA.create_all(connection)
                found = connection.scalar(select(SCHEMAS.c.version))
                if found is None:
                    connection.execute(insert(SCHEMAS).values(version=SCHEMA))
                elif found > SCHEMA:
                    raise StoreError(
                        f"The database {self.name} was made by a later version of the app (its tables have version "
                        f"{found}, this app knows {SCHEMA}): update the app, or name another database in "
                        f"EXPLORER_DATABASE."
                    )

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Errors of the database as one sentence; those that only a bug can cause pass."""
        try:
            yield
        except (IntegrityError, DataError):
            raise
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise StoreError(self._sentence(error)) from error

    def _sentence(self, error: Exception) -> str:
        said = str(error.orig if isinstance(error, DBAPIError) else error)
        reason = (said.strip().splitlines() or [type(error).__name__])[0]
        if "is full" in reason or "No space left" in reason:
            return f"The disk with the database of the runs {self.name} is full: make room on it, or delete runs."
        return (
            f"The database of the runs {self.name} cannot be used ({reason}): make sure that it can be reached and "
            f"written, or name another in EXPLORER_DATABASE."
        )


def make_folder(folder: Path) -> None:
    """Make a folder for runs if it is not there; raises StoreError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The folder {str(folder)!r} of the runs cannot be made ({error.strerror}): make room or give write "
            f"access, or name another in EXPLORER_RUNS_FOLDER."
        ) from None


def _driver(address: str) -> URL:
    """The address with the driver that is installed; raises StoreError without naming it: it may hold a password."""
    try:
        url = make_url(address)
        return url.set(drivername=_DRIVERS[url.drivername])
    except (ArgumentError, ValueError, KeyError):
        raise StoreError(
            "The address of the runs' database cannot be read: give sqlite:///PATH or postgresql://USER@HOST/NAME."
        ) from None


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": _WAIT_S})
    engine = create_engine(url, connect_args={"timeout": _WAIT_S})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    """Let readers read while another process writes; hold foreign keys; leave BEGIN to `_begin`."""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    for attempt in range(_WAL_TRIES):  # SQLite does not wait here by itself
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == _WAL_TRIES - 1:
                raise
            time.sleep(_WAIT_S / _WAL_TRIES)


def _lock(connection: Connection) -> None:
    """Wait for others that lock, until the end of the transaction. SQLite's writers are alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _begin(connection: Connection) -> None:
    """A transaction that will write says so first: one that reads and then writes may find itself refused."""
    writes = connection.get_execution_options().get("explorer_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
