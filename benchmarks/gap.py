"""Why our approximate networks fall less far than the authors': `python -m benchmarks.gap [--seeds 1] [--only NAMES]`.

Trains the approximate network at 29 px on upright digits as `reproduce mnist --budget quick` does (`as here`), and with
one thing changed to what the authors did or may have done: digits that are standardised, dropout, no padding, or their
whole budget (`longer`). Printed is the accuracy upright and at unseen turns, seed by seed. A seed takes some five
minutes on one core, `longer` a quarter of an hour.
"""

import argparse
import contextlib
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from torch import Tensor, nn

from explorer.engine import choose_device
from explorer.reproduction.authors import authors_case
from explorer.reproduction.studies import BUDGETS, mnist_studies
from explorer.settings import settings_from
from explorer.training import evaluation, fit
from explorer.training.datasets import brought, head, load
from explorer.training.metrics import Epoch
from explorer.training.recipe import Recipe
from models import cnn

CASE = "upright/approximate-29"
MEAN_GREY = 0.1308  # that the authors take off their digits, so that zero padding is no longer black
DROPPED = 0.3
DROP_AFTER = range(2, 6)  # four of the seven layers


@dataclass(frozen=True)
class Way:
    """One thing changed: in the recipe, or for as long as `changed` lasts."""

    words: str
    recipe: Callable[[Recipe], Recipe] = lambda recipe: recipe
    changed: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext


@contextmanager
def standardised() -> Iterator[None]:
    """Digits less their mean grey. Batch norm undoes the rest, but padding by zeros is now a frame that is seen."""

    def darker(*pictures: Any, **options: Any) -> Tensor:
        return brought(*pictures, **options) - MEAN_GREY

    with patch.object(fit, "brought", darker), patch.object(evaluation, "brought", darker):
        yield


@contextmanager
def layers(change: Callable[..., nn.Sequential]) -> Iterator[None]:
    """Layers of the network made by `change(number, *arguments, padding=…)`."""
    made, original = 0, cnn._layer

    def layer(*arguments: Any, padding: int) -> nn.Sequential:
        nonlocal made
        made += 1
        return change(original, (made - 1) % 7, *arguments, padding=padding)

    with patch.object(cnn, "_layer", layer):
        yield


def dropping(layer: Callable[..., nn.Sequential], number: int, *arguments: Any, padding: int) -> nn.Sequential:
    """A layer with dropout after it, if it is one of the four."""
    made = layer(*arguments, padding=padding)
    if number in DROP_AFTER:
        made.add_module("dropout", nn.Dropout(DROPPED))
    return made


def unpadded(layer: Callable[..., nn.Sequential], _number: int, *arguments: Any, padding: int) -> nn.Sequential:
    """A layer without padding, as Cohen and Welling (2016) have it: 27 px would not fit."""
    return layer(*arguments, padding=0)


WAYS = {
    "as here": Way("12 epochs of the quick budget"),
    "standardised": Way("digits less their mean grey", changed=standardised),
    "dropout": Way(f"dropout of {DROPPED} after four layers", changed=lambda: layers(dropping)),
    "unpadded": Way("no convolution is padded", changed=lambda: layers(unpadded)),
    "longer": Way(
        "the authors' budget, tested on 2,000", lambda recipe: replace(_recipe("full", recipe.seed), test_pictures=2000)
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train each way and print a line for each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default=",".join(WAYS), metavar="NAMES", help=f"of {', '.join(WAYS)}")
    options = parser.parse_args(arguments)
    authors = authors_case("p4-cnn", 29, "none")
    assert authors is not None
    print(
        f"{CASE}, accuracy (%) upright and at unseen turns; the authors: {authors.figures['unseen'].mean}", flush=True
    )
    for name in options.only.split(","):
        way = WAYS[name]
        unseen = []
        for seed in range(options.seeds):
            with way.changed():
                last = trained(replace(way.recipe(_recipe("quick", seed)), test_every=100, angles_every=0))
            unseen.append(100 * last.unseen_accuracy)
            print(f"{name:13} seed {seed}: {100 * last.accuracy['identity']:.1f} {unseen[-1]:.1f}", flush=True)
        print(f"{name:13} mean: {statistics.mean(unseen):.1f}   ({way.words})", flush=True)


def _recipe(budget: str, seed: int) -> Recipe:
    """Of the case, in a budget of `reproduce mnist`."""
    cases = (case for study in mnist_studies(BUDGETS["mnist"][budget]) for case in study.cases)
    return next(case.seeded(seed) for case in cases if case.key == CASE)


def trained(recipe: Recipe) -> Epoch:
    """The figures after the last epoch."""
    dataset = head(load(recipe.data, folder=settings_from().data_path), recipe.train_pictures, recipe.test_pictures)
    epochs: list[Epoch] = []
    fit.fit(recipe, dataset, device=choose_device("auto"), on_epoch=lambda epoch, network: epochs.append(epoch))
    return epochs[-1]


if __name__ == "__main__":
    main()
