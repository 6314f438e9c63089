"""Claim 2, one pixel: error against the side of the picture for common networks, and theory's word on each."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from explorer.reproduction.results import Session, damaged, read_document, sessions_of, write_document

PICTURE = "cat"
# Network, first and last side that is measured, and what the paper's condition says of it.
NETWORKS: tuple[tuple[str, int, int, str], ...] = (
    ("p4-cnn", 20, 45, "even"),
    ("p4-resnet44", 20, 45, "1 mod 4"),
    ("p4-resnet18", 20, 45, "1 mod 8"),
    ("p4-wide-resnet-10-4", 20, 45, "1 mod 4"),
    ("p4-resnet18-large", 220, 230, "1 mod 32"),
)


@dataclass(frozen=True)
class Side:
    """One side of the picture: the largest relative error over layers and quarter turns, random weights, float32."""

    size_px: int
    is_exact: bool
    error: float


@dataclass(frozen=True)
class NetworkSides:
    """A network at all its sides."""

    network: str
    condition: str
    sides: tuple[Side, ...]

    def exact_px_near(self, size_px: int) -> int:
        """The exact side that is nearest."""
        return min((side.size_px for side in self.sides if side.is_exact), key=lambda exact: abs(exact - size_px))


@dataclass(frozen=True)
class Sides:
    """All networks."""

    networks: tuple[NetworkSides, ...]
    sessions: tuple[Session, ...]


def read_sides(path: Path) -> Sides | None:
    """What the file holds; None where there is no file. Raises ResultsError for any other file."""
    document = read_document(path, "sizes")
    if document is None:
        return None
    try:
        networks = tuple(
            NetworkSides(each["network"], each["condition"], tuple(Side(**side) for side in each["sides"]))
            for each in document["networks"]
        )
        return Sides(networks, sessions_of(document))
    except (KeyError, TypeError):
        raise damaged(path, "sizes") from None


def write_sides(sides: Sides, path: Path) -> None:
    """Write the file, whole or not at all."""
    networks = [asdict(network) for network in sides.networks]
    write_document(path, "sizes", sides.sessions, {"picture": PICTURE, "networks": networks})


def run_sides(settings: Any, progress: Callable[[int], None]) -> tuple[NetworkSides, ...]:
    """Measure all; `progress` is told each side."""
    from explorer.pictures.images import load_gallery
    from explorer.serving.engine import Engine
    from explorer.studies.sweep import Sweep, sweep_sizes
    from models.catalog import spec

    engine, picture, networks = Engine(settings), load_gallery(PICTURE), []
    for name, first_px, last_px, condition in NETWORKS:
        sides = []
        for result in sweep_sizes(engine, Sweep(spec(name), first_px, last_px, picture=picture)):
            assert result.error is not None  # quarter turns act on all fields of these networks
            sides.append(Side(result.size_px, result.predicted, float(f"{result.error:.3g}")))
            progress(1)
        networks.append(NetworkSides(name, condition, tuple(sides)))
    return tuple(networks)


def count_sides() -> int:
    """How many sides `run_sides` measures."""
    return sum(last_px - first_px + 1 for _, first_px, last_px, _ in NETWORKS)
