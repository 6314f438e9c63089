"""Claim 1, the knight: one layer learns to tell a picture from its quarter turn at 32 px, and cannot at 33."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from explorer.reproduction.results import Session, damaged, read_document, sessions_of, write_document

NETWORK = "p4-knight"
SIZES_PX = (32, 33)
STEPS = 600
EVERY = 10  # steps between the losses that are kept


@dataclass(frozen=True)
class KnightRun:
    """Losses of one training at steps 0, EVERY, 2 · EVERY, …; verdict and prediction as of `breaking.Outcome`."""

    size_px: int
    seed: int
    losses: tuple[float, ...]
    lowest: float
    verdict: str
    predicted: str


@dataclass(frozen=True)
class KnightRuns:
    """All runs, by size and then by seed."""

    runs: tuple[KnightRun, ...]
    sessions: tuple[Session, ...]


def read_knight(path: Path) -> KnightRuns | None:
    """The runs in the file; None where there is no file. Raises ResultsError for any other file."""
    document = read_document(path, "knight")
    if document is None:
        return None
    try:
        runs = tuple(KnightRun(**{**run, "losses": tuple(run["losses"])}) for run in document["runs"])
        return KnightRuns(runs, sessions_of(document))
    except (KeyError, TypeError):
        raise damaged(path, "knight") from None


def write_knight(knight: KnightRuns, path: Path) -> None:
    """Write the file, whole or not at all."""
    write_document(path, "knight", knight.sessions, {"every": EVERY, "runs": [asdict(run) for run in knight.runs]})


def run_knight(settings: Any, seeds: Sequence[int], progress: Callable[[int], None]) -> tuple[KnightRun, ...]:
    """Train all; `progress` is told each step."""
    from explorer.pictures.fitting import fit
    from explorer.pictures.images import load_gallery
    from explorer.serving.engine import Engine
    from explorer.studies.breaking import Attempt, Outcome, Training, predicted_by_theory
    from models.catalog import spec

    engine, knight, runs = Engine(settings), load_gallery("knight"), []
    for size_px in SIZES_PX:
        picture = fit(knight, height_px=size_px, width_px=size_px, how="resize")
        for seed in seeds:
            attempt = Attempt(spec(NETWORK), picture, seed=seed, steps=STEPS)
            predicted, _ = predicted_by_theory(engine, attempt)
            losses = []
            for step in Training(attempt):
                losses.append(step.loss)
                progress(1)
            outcome = Outcome(predicted, tuple(losses))
            kept = tuple(round(loss, 5) for loss in losses[::EVERY])
            runs.append(KnightRun(size_px, seed, kept, min(losses), outcome.verdict, predicted))
    return tuple(runs)
