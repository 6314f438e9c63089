"""Why our approximate networks fall less far than the authors': what `benchmarks.gap` found, one thing changed each."""

from dataclasses import asdict, dataclass
from pathlib import Path

from explorer.reproduction.results import Session, damaged, read_document, sessions_of, write_document

CASE = "upright/approximate-29"
WAYS = {  # and what is said of them
    "unpadded": "without padding in any convolution",
    "standardised": "with digits less their mean grey, so that padding by zeros shows",
    "dropout": "with dropout after four layers",
    "longer": "with the authors' budget",
}


@dataclass(frozen=True)
class GapRun:
    """One training with one thing changed: accuracy upright and at unseen turns, in percent."""

    way: str
    seed: int
    upright: float
    unseen: float


@dataclass(frozen=True)
class Gap:
    """All of them."""

    runs: tuple[GapRun, ...]
    sessions: tuple[Session, ...]

    def with_run(self, run: GapRun, session: Session) -> "Gap":
        """The same with one run more."""
        sessions = self.sessions if session in self.sessions else (*self.sessions, session)
        return Gap((*self.runs, run), sessions)


def read_gap(path: Path) -> Gap | None:
    """What the file holds; None where there is no file. Raises ResultsError for any other file."""
    document = read_document(path, "gap")
    if document is None:
        return None
    try:
        return Gap(tuple(GapRun(**run) for run in document["runs"]), sessions_of(document))
    except (KeyError, TypeError):
        raise damaged(path, "gap") from None


def write_gap(gap: Gap, path: Path) -> None:
    """Write the file, whole or not at all."""
    write_document(path, "gap", gap.sessions, {"case": CASE, "runs": [asdict(run) for run in gap.runs]})
