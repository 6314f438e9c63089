"""Trains the weights in assets/weights: `python -m explorer.training.make_shipped [--only NAME] [--folder FOLDER]`.

One network after the other, a minute or five each on two cores. Each recipe is deterministic: on a CPU with as many
threads the same files come out. The manifest keeps, of networks that are left out, what it says of them.
"""

import argparse
import hashlib
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from explorer.engine import choose_device
from explorer.settings import settings_from
from explorer.shipped import FOLDER, Shipped, shipped, write_manifest
from explorer.training.datasets import Dataset, load
from explorer.training.fit import fit
from explorer.training.metrics import Epoch
from explorer.training.recipe import Recipe
from explorer.weights import save_weights

EPOCHS = 12
_FIGURES = ("accuracy", "angles", "agreement", "errors", "test_loss", "train_accuracy", "train_loss")


@dataclass(frozen=True)
class Plan:
    """Weights to make: what they are called, the picture of the gallery to show them with, and how to train them."""

    name: str
    title: str
    picture: str
    recipe: Recipe


def _recipe(network: str, size_px: int, subsampling: str = "published") -> Recipe:
    return Recipe(network=network, size_px=size_px, subsampling=subsampling, epochs=EPOCHS, angles_every=EPOCHS)


PLANS: tuple[Plan, ...] = (
    Plan("p4-cnn-28", "p4-cnn at 28 px: exact", "digit-6", _recipe("p4-cnn", 28)),
    Plan("p4-cnn-27", "p4-cnn at 27 px: approximate", "digit-6", _recipe("p4-cnn", 27)),
    Plan("p4-cnn-29", "p4-cnn at 29 px: approximate", "digit-6", _recipe("p4-cnn", 29)),
    Plan("p4-cnn-29-mended", "p4-cnn at 29 px: mended", "digit-6", _recipe("p4-cnn", 29, "symmetric")),
    Plan("z2-cnn-28", "z2-cnn at 28 px: plain", "digit-6", _recipe("z2-cnn", 28)),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is asked for, and write files and manifest; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m explorer.training.make_shipped", description=__doc__)
    parser.add_argument("--only", choices=[plan.name for plan in PLANS], action="append", help="these alone")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write (default: assets/weights)")
    options = parser.parse_args(arguments)
    settings = settings_from()
    device = choose_device(settings.device)
    dataset = load("mnist-12k", folder=settings.data_path)
    options.folder.mkdir(parents=True, exist_ok=True)
    for plan in PLANS:
        if options.only is None or plan.name in options.only:
            entry = make(plan, dataset, device, options.folder)
            known = {each.name: each for each in shipped(options.folder)} | {plan.name: entry}
            write_manifest(tuple(known[each.name] for each in PLANS if each.name in known), options.folder)
            shipped.cache_clear()
    return 0


def make(plan: Plan, dataset: Dataset, device: torch.device, folder: Path) -> Shipped:
    """Train one network and write its file; what the manifest says of it."""
    epochs: list[Epoch] = []

    def tell(epoch: Epoch, network: nn.Module) -> None:
        epochs.append(epoch)
        said = ", ".join(f"{name} {share:.1%}" for name, share in epoch.accuracy.items())
        print(f"{plan.name}, epoch {epoch.epoch} of {plan.recipe.epochs}: {said}", file=sys.stderr, flush=True)

    network = fit(plan.recipe, dataset, device=device, on_epoch=tell)
    path = folder / f"{plan.name}.safetensors"
    texts = {"recipe": json.dumps(plan.recipe.document()), "classes": json.dumps(dataset.classes)}
    save_weights(network, path, texts)
    figures = {name: value for name, value in epochs[-1].document().items() if name in _FIGURES}
    return Shipped(
        plan.name,
        plan.title,
        plan.picture,
        path.name,
        hashlib.sha256(path.read_bytes()).hexdigest(),
        plan.recipe.document(),
        figures,
        f"python -m explorer.training.make_shipped --only {plan.name}",
        f"{_device(device)}, torch {torch.__version__}, Python {platform.python_version()}",
    )


def _device(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type.upper()}, {torch.get_num_threads()} threads"


if __name__ == "__main__":
    sys.exit(main())
