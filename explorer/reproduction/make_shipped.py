"""Makes the weights in assets/weights, with a model card each: `python -m explorer.reproduction.make_shipped`.

Their recipes are those of the quick MNIST grid with seed 0. With `--from-runs FOLDER` a finished run of the same recipe
in the store there is taken; else the network is trained here, some minutes each on two cores. With `--only NAME` the
manifest keeps what it says of the others.
"""

import argparse
import hashlib
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from explorer.data.datasets import load
from explorer.reproduction.model_cards import write_model_card
from explorer.reproduction.studies import BUDGETS, mnist_studies
from explorer.runs.store import Store
from explorer.serving.engine import Engine
from explorer.serving.shipped import FOLDER, Shipped, shipped, write_manifest
from explorer.serving.weights import Weights, copy_weights, read_weights, save_weights
from explorer.settings import Settings, settings_from
from explorer.training.fit import fit
from explorer.training.metrics import Epoch
from explorer.training.recipe import Recipe
from models.build import build

DIGITS = tuple("0123456789")
_FIGURES = ("accuracy", "angles", "agreement", "errors", "test_loss", "train_accuracy", "train_loss")


@dataclass(frozen=True)
class ShippedPlan:
    """Weights to make: what they are called, the picture of the gallery to show them with, and how to train them."""

    name: str
    title: str
    picture: str
    recipe: Recipe


@dataclass(frozen=True)
class Made:
    """A trained network as built, its last epoch, and on what it was trained with which versions."""

    network: nn.Module
    epoch: Epoch
    by: str


def _recipe(case: str) -> Recipe:
    """That of a case of the quick grid."""
    cases = (each for study in mnist_studies(BUDGETS["mnist"]["quick"]) for each in study.cases)
    return next(each.recipe for each in cases if each.key == case)


PLANS: tuple[ShippedPlan, ...] = (
    ShippedPlan("p4-cnn-28", "p4-cnn 28 px: exact", "digit-6", _recipe("upright/exact-28")),
    ShippedPlan("p4-cnn-27", "p4-cnn 27 px: approximate", "digit-6", _recipe("upright/approximate-27")),
    ShippedPlan("p4-cnn-29", "p4-cnn 29 px: approximate", "digit-6", _recipe("upright/approximate-29")),
    ShippedPlan("p4-cnn-29-mended", "p4-cnn 29 px: mended", "digit-6", _recipe("mended/29")),
    ShippedPlan("z2-cnn-28", "z2-cnn 28 px: plain", "digit-6", _recipe("upright/plain-28")),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is asked for, and write files and manifest; the exit status."""
    options = _parser().parse_args(arguments)
    settings = settings_from()
    options.folder.mkdir(parents=True, exist_ok=True)
    store = None if options.from_runs is None else Store("", options.from_runs)
    for plan in PLANS:
        if options.only is None or plan.name in options.only:
            made = (store and from_runs(plan, store)) or train(plan, settings)
            entry = write(plan, made, options.folder)
            write_model_card(entry, options.folder)
            known = {each.name: each for each in shipped(options.folder)} | {plan.name: entry}
            write_manifest(tuple(known[each.name] for each in PLANS if each.name in known), options.folder)
            shipped.cache_clear()
            print(f"{plan.name}: {_accuracy(made.epoch)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m explorer.reproduction.make_shipped", description=__doc__)
    parser.add_argument("--only", choices=[plan.name for plan in PLANS], action="append", help="these alone")
    parser.add_argument("--from-runs", type=Path, metavar="FOLDER", help="take finished runs of the store there")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write (default: assets/weights)")
    return parser


def from_runs(plan: ShippedPlan, store: Store) -> Made | None:
    """What a finished run of the plan's recipe in the store has trained; None without one."""
    for run in store.list(None):
        if run.state == "finished" and run.recipe == plan.recipe and run.facts is not None:
            weights = read_weights(store.weights_path(run.id))
            return Made(_network(plan, weights), store.epochs(run.id)[-1], f"{run.device}, {run.facts.software}")
    return None


def _network(plan: ShippedPlan, weights: Weights) -> nn.Module:
    network = build(plan.recipe.network_spec(len(DIGITS)))
    copy_weights(network, weights)
    return network


def train(plan: ShippedPlan, settings: Settings) -> Made:
    """The network of the plan, trained here; each epoch is told on stderr."""
    epochs: list[Epoch] = []

    def tell(epoch: Epoch, network: nn.Module) -> None:
        epochs.append(epoch)
        print(f"{plan.name}, epoch {epoch.epoch} of {plan.recipe.epochs}: {_accuracy(epoch)}", file=sys.stderr)

    engine = Engine(settings)
    dataset = load(plan.recipe.data, folder=settings.data_path)
    network = fit(plan.recipe, dataset, device=engine.device, on_epoch=tell)
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return Made(network, epochs[-1], f"{engine.device_name()}, {versions}")


def _accuracy(epoch: Epoch) -> str:
    return ", ".join(f"{name} {share:.1%}" for name, share in epoch.accuracy.items())


def write(plan: ShippedPlan, made: Made, folder: Path) -> Shipped:
    """Write the file of the weights; what the manifest says of it."""
    path = folder / f"{plan.name}.safetensors"
    texts = {"recipe": json.dumps(plan.recipe.document()), "classes": json.dumps(DIGITS)}
    save_weights(made.network, path, texts)
    figures: dict[str, Any] = {name: made.epoch.document()[name] for name in _FIGURES}
    return Shipped(
        name=plan.name,
        title=plan.title,
        picture=plan.picture,
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        recipe=plan.recipe.document(),
        figures=figures,
        command=f"python -m explorer.reproduction.make_shipped --only {plan.name}",
        made=made.by,
    )


if __name__ == "__main__":
    sys.exit(main())
