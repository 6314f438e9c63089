"""The worker processes that there are, by host: places are taken before a process starts, so that no host has more."""

import secrets
import time
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select, update

from explorer.runs.processes import Process
from explorer.runs.tables import WORKERS, Database

LOST_S = 60  # without a sign of life a worker's place is free again


@dataclass(frozen=True)
class Worker:
    """A place on `host`, and the process that has it; None while it starts. beat_s: seconds since 1970."""

    id: str
    host: str
    process: Process | None
    beat_s: float


class Crew:
    """The workers in a database. Methods raise StoreError where it cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def join(self, host: str, *, limit: int) -> str | None:
        """A place among at most `limit` on the host: the id of a worker; None where all are taken."""
        worker = secrets.token_hex(8)
        with self._database.writing(alone=True) as connection:
            taken = connection.scalar(select(func.count()).where(WORKERS.c.host == host)) or 0
            if taken >= limit:
                return None
            connection.execute(insert(WORKERS).values(id=worker, host=host, mark="", beat_s=time.time()))
        return worker

    def arrive(self, worker: str, process: Process) -> bool:
        """The worker's process is there; False where it took so long that its place was given up."""
        return self._set(worker, pid=process.pid, mark=process.mark, beat_s=time.time())

    def beat(self, worker: str) -> None:
        """A sign of life."""
        self._set(worker, beat_s=time.time())

    def leave(self, worker: str) -> None:
        """Give the place back."""
        with self._database.writing() as connection:
            connection.execute(delete(WORKERS).where(WORKERS.c.id == worker))

    def members(self) -> tuple[Worker, ...]:
        """All workers of all hosts."""
        with self._database.reading() as connection:
            return tuple(
                Worker(row.id, row.host, None if row.pid is None else Process(row.pid, row.mark), row.beat_s)
                for row in connection.execute(select(WORKERS))
            )

    def _set(self, worker: str, **values: object) -> bool:
        with self._database.writing() as connection:
            return connection.execute(update(WORKERS).where(WORKERS.c.id == worker).values(**values)).rowcount == 1
