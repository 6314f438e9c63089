"""What a run starts from: the weights of another run, those that come with the app, or a file that was given."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from equivariance.errors import WeightsError
from explorer.errors import RunError, StoreError
from explorer.runs.store import Run, Store
from explorer.serving.shipped import shipped_bytes
from explorer.serving.weights import Weights, read_weights, weights_from
from explorer.serving.weights_header import json_in, read_bytes
from explorer.training.recipe import FILE, RUN, SHIPPED, Recipe, recipe_said
from explorer.whole_files import write_whole

_KEPT_S = 86_400.0  # a file that was given and is not used yet


def keep_start(data: bytes, name: str, store: Store) -> str:
    """The `start` of a recipe for the bytes of a weights file called `name`, kept with the runs.

    Raises WeightsError for anything but weights, and StoreError where they cannot be kept.
    """
    weights_from(data, name)
    sha256 = hashlib.sha256(data).hexdigest()
    path = _path(sha256, store)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_unused(path.parent, store)
        write_whole(path, data)
    except OSError as error:
        raise StoreError(
            f"The weights {name!r} cannot be kept in the folder of the runs ({error.strerror}): make room, or give "
            f"write access."
        ) from None
    return FILE + sha256


def resolve_start(start: str, store: Store) -> Weights | None:
    """The weights that a recipe's `start` means; None for random ones.

    Raises RunError for a run that is not there or has no weights yet, and WeightsError for a file that is missing or
    damaged.
    """
    if not start:
        return None
    if start.startswith(SHIPPED):
        return _shipped(start)
    if start.startswith(FILE):
        return read_weights(_path(start.removeprefix(FILE), store))
    return run_weights(start.removeprefix(RUN), store)


def start_of(run: Run, store: Store) -> Weights | None:
    """The weights that the run starts from: those kept with it, whatever has become of the run they are of."""
    kept = store.start_path(run.id)
    return read_weights(kept) if kept.exists() else resolve_start(run.recipe.start, store)


def start_named(name: str, network: str, store: Store) -> str:
    """The `start` of a recipe for what `--from` says: the id of a run, a file, or `shipped:NAME`; empty for nothing.

    Raises RunError or WeightsError where there is no such thing, and where it is of another network.
    """
    if not name:
        return ""
    check_network(weights_named(name, lambda: store), network)
    if name.startswith(SHIPPED):
        return name
    path = Path(name)
    return keep_start(read_bytes(path), path.name, store) if path.is_file() else RUN + name.removeprefix(RUN)


def weights_named(name: str, store: Callable[[], Store]) -> Weights:
    """The weights that a user names: a safetensors file, the id of a run, or `shipped:NAME`. `store`: asked for a run.

    Raises RunError or WeightsError where there is no such thing.
    """
    path = Path(name)
    if name.startswith(SHIPPED):
        return _shipped(name)
    if path.exists() or path.suffix:
        return read_weights(path)
    return run_weights(name.removeprefix(RUN), store())


def check_network(weights: Weights, network: str) -> None:
    """Raise WeightsError where the weights say that they are of another network."""
    recipe = json_in(weights.metadata.get("recipe", ""))
    said = recipe.get("network", network) if isinstance(recipe, dict) else network  # else: a file from elsewhere
    if said != network:
        raise WeightsError(f"These weights belong to {said} and do not fit {network}: give --network {said}.")


def recipe_in(weights: Weights) -> Recipe | None:
    """What the weights say that they were trained by, see `recipe_said`."""
    return recipe_said(json_in(weights.metadata.get("recipe", "")))


def run_weights(run: str, store: Store) -> Weights:
    """The weights of a run after its last epoch. Raises RunError where there are none."""
    state = store.get(run).state
    path = store.weights_path(run)
    if not path.exists():
        raise RunError(f"The run {run} is {state} and has no weights yet: wait for its first epoch.")
    return read_weights(path)


def _remove_unused(folder: Path, store: Store) -> None:
    """Remove files that nobody has given since a day and that no run starts from."""
    old = [path for path in folder.iterdir() if time.time() - path.stat().st_mtime > _KEPT_S]
    used = store.starts() if old else set()
    for path in old:
        if FILE + path.stem not in used:
            path.unlink(missing_ok=True)


def _shipped(start: str) -> Weights:
    name = start.removeprefix(SHIPPED)
    return weights_from(shipped_bytes(name), name)


def _path(sha256: str, store: Store) -> Path:
    return store.folder / "starts" / f"{sha256}.safetensors"
