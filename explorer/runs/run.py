"""A run as a visitor sees it, read from its row; whose it is, and what its name may be."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Row

from explorer.errors import RunError
from explorer.runs.states import ACTIVE, MOVES
from explorer.training.metrics import Progress
from explorer.training.recipe import Recipe, recipe_of

MAX_NAME = 80


@dataclass(frozen=True)
class Facts:
    """What a run found when it started: the data with its SHA-256 and sentences to show, and who computed."""

    data_sha256: str
    classes: tuple[str, ...]
    train_pictures: int
    test_pictures: int
    notes: tuple[str, ...]
    software: str  # versions: "Python 3.12.1, torch 2.13.0"
    hardware: str = ""  # device, processor, cores; empty of runs of earlier versions, like the next
    precision: str = ""  # in which the network was trained: float32 or bfloat16


@dataclass(frozen=True)
class Run:
    """A run as somebody sees it. Times are seconds since 1970; None: not yet.

    progress, device, facts: None and empty until training begins.
    error: why it failed or was interrupted, one sentence; else empty.
    position: in the queue, 1 is next; None where it does not wait.
    is_mine: may be renamed, cancelled, resumed and deleted by who asked.
    is_stopping: running, and asked to stop.
    """

    id: str
    name: str
    state: str
    recipe: Recipe
    created_s: float
    started_s: float | None
    ended_s: float | None
    progress: Progress | None
    device: str
    facts: Facts | None
    error: str
    position: int | None
    is_mine: bool
    is_stopping: bool
    is_deleted: bool

    @property
    def is_active(self) -> bool:
        """Waiting or training."""
        return self.state in ACTIVE

    @property
    def is_resumable(self) -> bool:
        """`Store.resume` would take it."""
        return self.state in MOVES["resumed"]

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**asdict(self), "recipe": self.recipe.document()}


def run_of(row: Row[Any], owner_sha256: str | None, queue: Mapping[str, int]) -> Run:
    """The run of a row, as `owner_sha256` sees it (None: the command line); queue: positions by id."""
    facts = None if row.facts is None else json.loads(row.facts)
    return Run(
        id=row.id,
        name=row.name,
        state=row.state,
        recipe=recipe_of(json.loads(row.recipe)),
        created_s=row.created_s,
        started_s=row.started_s,
        ended_s=row.ended_s,
        progress=None if row.progress is None else Progress(**json.loads(row.progress)),
        device=row.device,
        facts=facts and Facts(**{**facts, "classes": tuple(facts["classes"]), "notes": tuple(facts["notes"])}),
        error=row.error,
        position=queue.get(row.id),
        is_mine=is_mine(row, owner_sha256),
        is_stopping=row.state == "running" and row.cancel_s is not None,
        is_deleted=row.deleted_s is not None,
    )


def is_mine(row: Row[Any], owner_sha256: str | None) -> bool:
    """Whether the owner controls the run of this row."""
    return owner_sha256 is None or (row.owner is not None and secrets.compare_digest(row.owner, owner_sha256))


def hashed(owner: str | None) -> str | None:
    """What is kept of a visitor's key; None for the command line. Raises RunError for an empty key."""
    if owner is None:
        return None
    if not owner:
        raise RunError("A visitor without a key has no runs: allow the page to keep one in the browser.")
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()


def cleaned(name: str) -> str:
    """The name on one line, without signs that cannot be shown or stored, cut to MAX_NAME."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())[:MAX_NAME]
