"""The authors' figures, recomputed from their public logs; the file says from which and how."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from explorer.checkout import ASSETS

AUTHORS_FILE = ASSETS / "results" / "authors.json"


@dataclass(frozen=True)
class AuthorsFigure:
    """Percent, over the runs: mean and standard deviation (n − 1)."""

    mean: float
    sd: float


@dataclass(frozen=True)
class AuthorsCase:
    """One network under one training rotation: number of runs, figures by measure, mean accuracy at 36 angles."""

    runs: int
    figures: dict[str, AuthorsFigure]
    angles: tuple[float, ...]


def authors_case(network: str, size_px: int, rotation: str) -> AuthorsCase | None:
    """What the authors measured for this network and training rotation, if they did."""
    document = _document()["mnist"].get(f"{network} {size_px} {rotation}")
    if document is None:
        return None
    figures = {name: AuthorsFigure(*figure) for name, figure in document["figures"].items()}
    return AuthorsCase(document["runs"], figures, tuple(document["angles"]))


def authors_knight() -> tuple[tuple[int, float], ...]:
    """(step, loss) of the one-layer network at 32 px, as their notebook printed it."""
    return tuple((int(step), float(loss)) for step, loss in _document()["knight"]["32"])


def authors_source() -> str:
    """Where the figures come from, in one line."""
    return str(_document()["source"])


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(AUTHORS_FILE.read_text(encoding="utf-8"))
    return document
