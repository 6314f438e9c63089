"""Trained weights that come with the app: the list, the figures, and the files, checked by their SHA-256.

`explorer.reproduction.make_shipped` makes them. Reading the list and the bytes needs no torch.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from equivariance.errors import WeightsError
from explorer.checkout import ASSETS
from explorer.whole_files import write_whole

FOLDER = ASSETS / "weights"
MANIFEST = "manifest.json"
MAX_BYTES = 200_000


@dataclass(frozen=True)
class Shipped:
    """One file of weights and what is known of it.

    title: what the app calls it. picture: of the gallery, to show it with.
    recipe: as `training.recipe.Recipe.document` writes it. figures: of the last epoch, as `training.metrics.Epoch`.
    command: what trained it. made: the device and the versions that did.
    """

    name: str
    title: str
    picture: str
    file: str
    sha256: str
    recipe: Mapping[str, Any]
    figures: Mapping[str, Any]
    command: str
    made: str


@cache
def shipped(folder: Path = FOLDER) -> tuple[Shipped, ...]:
    """All that the manifest lists, in its order; nothing where there is none."""
    path = folder / MANIFEST
    if not path.exists():
        return ()
    return tuple(Shipped(**entry) for entry in json.loads(path.read_text(encoding="utf-8")))


def find_shipped(name: str, folder: Path = FOLDER) -> Shipped:
    """The weights called `name`; raises WeightsError with the names there are."""
    known = {each.name: each for each in shipped(folder)}
    if name not in known:
        raise WeightsError(f"The app has no weights {name!r}: use one of {', '.join(known)}.")
    return known[name]


def shipped_bytes(name: str, folder: Path = FOLDER) -> bytes:
    """The bytes of a file; raises WeightsError for a name that is unknown and a file that is missing or damaged."""
    entry = find_shipped(name, folder)
    path = folder / entry.file
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        fault = "not what the manifest says" if data else "missing"
        raise WeightsError(
            f"The weights {name} that come with the app are {fault}: restore assets/weights/{path.name}."
        )
    return data


def write_manifest(entries: tuple[Shipped, ...], folder: Path) -> None:
    """Write the manifest that `shipped` reads."""
    text = json.dumps([asdict(entry) for entry in entries], ensure_ascii=False, indent=1)
    write_whole(folder / MANIFEST, f"{text}\n".encode())
