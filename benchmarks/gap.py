"""Why our approximate networks fall less far than the authors': `python -m benchmarks.gap [--seeds 3] [--only NAMES]`.

Trains the approximate network at 29 px on upright digits as `reproduce mnist --budget quick` does and with one
thing changed to what the authors did or may have done: digits that are standardised, dropout, no padding, or their
whole budget (`longer`). Printed is the accuracy upright and at unseen turns (%), seed by seed; the Paper page shows the
file. A seed takes some five minutes on one core, `longer` a quarter of an hour.
"""

import argparse
import contextlib
import datetime
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from torch import Tensor, nn

from explorer.data.datasets import brought, head, load
from explorer.reproduction.gap import CASE, WAYS, Gap, GapRun, read_gap, write_gap
from explorer.reproduction.results import Session, check_writable, results_path, session_of
from explorer.reproduction.studies import BUDGETS, mnist_studies
from explorer.runs.machine import hardware
from explorer.serving.engine import choose_device
from explorer.settings import settings_from
from explorer.training import evaluation, fit
from explorer.training.metrics import Epoch
from explorer.training.recipe import Recipe
from models import cnn

MEAN_GREY = 0.1308  # that the authors subtract from their digits, so that zero padding is no longer black
DROPPED = 0.3
DROP_AFTER = range(2, 6)  # four of the seven layers


@dataclass(frozen=True)
class Way:
    """One thing changed: in the recipe, or for as long as `changed` lasts."""

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


_WAYS = {
    "unpadded": Way(changed=lambda: layers(unpadded)),
    "standardised": Way(changed=standardised),
    "dropout": Way(changed=lambda: layers(dropping)),
    "longer": Way(lambda recipe: replace(_recipe("full", recipe.seed), test_pictures=2000)),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train each way, and print and write each seed; those that the file has are not trained again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default=",".join(WAYS), metavar="NAMES", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--to", type=Path, default=results_path("gap"), metavar="FILE", help="default: %(default)s")
    options = parser.parse_args(arguments)
    names = options.only.split(",")
    if unknown := set(names) - set(WAYS):
        parser.error(f"there is no {', '.join(sorted(unknown))}: give some of {', '.join(WAYS)}")
    check_writable(options.to)
    gap = read_gap(options.to) or Gap((), ())
    for name, seed in itertools.product(names, range(options.seeds)):
        found = next((run for run in gap.runs if (run.way, run.seed) == (name, seed)), None)
        if found is None:
            found = _trained(name, seed)
            gap = gap.with_run(found, _session(options))
            write_gap(gap, options.to)
        print(f"{name:13} seed {seed}: {found.upright:5.1f} {found.unseen:5.1f}   {WAYS[name]}", flush=True)


def _trained(name: str, seed: int) -> GapRun:
    way = _WAYS[name]
    recipe = replace(way.recipe(_recipe("quick", seed)), test_every=100, angles_every=0)
    dataset = head(load(recipe.data, folder=settings_from().data_path), recipe.train_pictures, recipe.test_pictures)
    epochs: list[Epoch] = []
    with way.changed():
        fit.fit(recipe, dataset, device=choose_device("auto"), on_epoch=lambda epoch, network: epochs.append(epoch))
    last = epochs[-1]
    return GapRun(name, seed, *(round(100 * share, 6) for share in (last.accuracy["identity"], last.unseen_accuracy)))


def _session(options: argparse.Namespace) -> Session:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    command = f"python -m benchmarks.gap --seeds {options.seeds} --only {options.only}"
    return session_of(command, date=today, hardware=hardware(str(choose_device("auto"))))


def _recipe(budget: str, seed: int) -> Recipe:
    """Of the case, in a budget of `reproduce mnist`."""
    cases = (case for study in mnist_studies(BUDGETS["mnist"][budget]) for case in study.cases)
    return next(case.seeded(seed) for case in cases if case.key == CASE)


if __name__ == "__main__":
    main()
