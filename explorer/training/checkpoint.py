"""Checkpoints: all that a run needs to continue as if nothing had happened. Safetensors with JSON, never a pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from explorer.errors import RunError
from explorer.serving.weights import weights_of
from explorer.training.recipe import Recipe, recipe_of
from explorer.whole_files import whole_file

_VERSION = "1"


@dataclass
class Place:
    """How far a run is: finished epochs, finished batches of the next one, and the sums of these batches.

    is_begun: whether the figures of the untrained network were told.
    loss_sum, hits, seen: over the pictures of the finished batches.
    """

    epoch: int = 0
    batch: int = 0
    is_begun: bool = False
    loss_sum: float = 0.0
    hits: int = 0
    seen: int = 0


def write_checkpoint(
    path: Path,
    recipe: Recipe,
    place: Place,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None,
) -> None:
    """Write all of it to `path`, which holds either the old checkpoint or the new one at every moment."""
    state = optimizer.state_dict()
    tensors = {f"network.{name}": value for name, value in weights_of(network).items()}
    for number, values in state["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in values.items() if value is not None}
    said = {
        "version": _VERSION,
        "recipe": json.dumps(recipe.document()),
        "place": json.dumps(asdict(place)),
        "groups": json.dumps(state["param_groups"]),
        "scheduler": json.dumps(None if scheduler is None else scheduler.state_dict()),
    }
    with whole_file(path) as part:
        save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, part, said)


def read_checkpoint(
    path: Path,
    recipe: Recipe,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None,
) -> Place:
    """Bring everything to where `path` was written, and say where that was.

    Raises RunError for a file that is damaged or of another recipe, changing nothing.
    """
    said, tensors = _read(path)
    if recipe_of(json.loads(said["recipe"])) != recipe:
        raise RunError("The checkpoint belongs to another recipe: start a new run.")
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, what = name.split(".", 2)
            state.setdefault(int(number), {})[what] = value
    with torch.no_grad():
        for name, value in weights_of(network).items():
            value.copy_(tensors[f"network.{name}"])
    optimizer.load_state_dict({"state": state, "param_groups": json.loads(said["groups"])})
    if scheduler is not None:
        scheduler.load_state_dict(json.loads(said["scheduler"]))
    return Place(**json.loads(said["place"]))


def _read(path: Path) -> tuple[Mapping[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            said = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is not a dictionary
    except (safetensors.SafetensorError, OSError) as error:
        raise RunError(f"The checkpoint cannot be read ({error}): start a new run.") from None
    if said.get("version") != _VERSION:
        raise RunError("The checkpoint was written by another version: start a new run.")
    return said, tensors
