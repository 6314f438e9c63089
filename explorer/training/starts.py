"""What a run starts from: the weights of another run, those that come with the app, or a file that was given."""

import hashlib
import os
import secrets
from pathlib import Path

from explorer.errors import RunError, StoreError
from explorer.shipped import shipped_bytes
from explorer.training.recipe import FILE, RUN, SHIPPED
from explorer.training.runs import Store
from explorer.weights import Weights, read_weights, weights_from


def keep_start(data: bytes, name: str, store: Store) -> str:
    """The `start` of a recipe for the bytes of a weights file called `name`, kept with the runs.

    Raises WeightsError for anything but weights, and StoreError where they cannot be kept.
    """
    weights_from(data, name)
    sha256 = hashlib.sha256(data).hexdigest()
    path = _path(sha256, store)
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        raise StoreError(
            f"The weights {name!r} cannot be kept in the folder of the runs ({error.strerror}): make room or give "
            f"rights there."
        ) from None
    finally:
        part.unlink(missing_ok=True)
    return FILE + sha256


def resolve_start(start: str, store: Store) -> Weights | None:
    """The weights that a recipe's `start` means; None for random ones.

    Raises RunError for a run that is not there or has no weights yet, and WeightsError for a file that is missing or
    damaged.
    """
    if not start:
        return None
    if start.startswith(SHIPPED):
        name = start.removeprefix(SHIPPED)
        return weights_from(shipped_bytes(name), name)
    if start.startswith(FILE):
        return read_weights(_path(start.removeprefix(FILE), store))
    return run_weights(start.removeprefix(RUN), store)


def run_weights(run: str, store: Store) -> Weights:
    """The weights of a run after its last epoch. Raises RunError where there are none."""
    state = store.get(run).state
    path = store.weights_path(run)
    if not path.exists():
        raise RunError(f"The run {run} is {state} and has no weights yet: they come with its first epoch.")
    return read_weights(path)


def _path(sha256: str, store: Store) -> Path:
    return store.folder / "starts" / f"{sha256}.safetensors"
