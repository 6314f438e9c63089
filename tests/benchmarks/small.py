"""Tiny settings, a network that is trained alone by explorer's own means, and runs without their training."""

from typing import Any

import torch
from torch.nn import functional

from benchmarks.gpu.cases import CASES, Budget, Case, recipe_of
from benchmarks.gpu.digits import Data, read_digits
from explorer.data import datasets
from explorer.reproduction.studies import BUDGETS, mnist_studies
from explorer.training.draws import changed, draw
from explorer.training.fit import _batches, _optimizer, _scheduler
from explorer.training.recipe import Recipe
from models.build import build

CPU = torch.device("cpu")
TINY = Budget("try", "mnist-12k", epochs=3, batch_size=2, train_pictures=7, test_pictures=5)  # a last batch of one
EVERY_CASE = {case.key: case for cases in CASES.values() for case in cases}
FULL = {case.key: case for study in mnist_studies(BUDGETS["mnist"]["full"]) for case in study.cases}
DIGITS = read_digits()


def data_of(case: Case, budget: Budget = TINY, dtype: torch.dtype = torch.float64) -> Data:
    return Data.of(DIGITS, case.size_px, budget, CPU, dtype)


def recipe(case: Case, budget: Budget, seed: int) -> Recipe:
    return Recipe(**recipe_of(case, budget, seed))


class Alone:
    """One network of the catalog in float64, trained batch by batch with explorer's own draws, in its own layers.

    Only the head is written out, since it is the order of the authors' that counts: the mean over space comes first.
    """

    def __init__(self, case: Case, seed: int, budget: Budget) -> None:
        self.recipe = recipe(case, budget, seed)
        self.network = build(self.recipe.network_spec(10), seed=seed).double()

    def train(self) -> list[float]:
        """The mean loss of each epoch."""
        this = self.recipe
        pictures = datasets.brought(DIGITS.train_pictures[: this.train_pictures], size_px=this.size_px, how=this.how)
        labels = DIGITS.train_labels[: this.train_pictures]
        batches = _batches(this, len(labels))
        optimizer = _optimizer(this, self.network, CPU)
        scheduler = _scheduler(this, optimizer, this.epochs * len(batches))
        assert scheduler is not None
        found = []
        for epoch in range(this.epochs):
            draws, total = draw(this, pictures=len(labels), epoch=epoch), 0.0
            for start, stop in batches:
                each = draws.at(start, stop)
                batch = changed(pictures[each.order].double(), each, this)
                loss = functional.cross_entropy(self.network(batch), labels[each.order])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                scheduler.step()
                total += float(loss.detach()) * (stop - start)
            found.append(total / sum(stop - start for start, stop in batches))
        return found


def run_of(case: Case, budget: Budget, seed: int, share: float = 0.5) -> dict[str, Any]:
    """A run as `train` gives it, without the training."""
    final = {
        "epoch": budget.epochs,
        "step": 1600,
        "train_loss": 0.1,
        "train_accuracy": 0.9,
        "test_loss": 0.2,
        "accuracy": dict.fromkeys(("identity", "rot90", "rot180", "rot270", "mirror"), share),
        "angles": [share] * 36,
        "agreement": 0.5,
        "errors": {"logits": 0.1},
        "pictures_per_s": 10.0,
        "elapsed_s": 1.0,
        "filters": {},
        "right": "",
    }
    curve = [(budget.epochs, share, share)]
    return {"seed": seed, "recipe": recipe_of(case, budget, seed), "first": None, "final": final, "curve": curve}
