"""What stacked runs claim to be."""

import pytest

from benchmarks import on_gpu
from benchmarks.gpu.cases import Budget, recipe_of
from explorer.reproduction.results import comparable
from tests.benchmarks.small import EVERY_CASE, FULL


@pytest.mark.parametrize("key", EVERY_CASE)
def test_recipes_are_those_of_the_full_grid(key: str) -> None:
    assert recipe_of(EVERY_CASE[key], Budget(), 7) == comparable(FULL[key].seeded(7).document())


def test_the_digits_that_stand_in_are_another_budget_and_another_recipe() -> None:
    options = on_gpu._options(["--data", "nowhere"])

    _, budget = on_gpu._digits(options)

    assert (budget.name, budget.data) == ("12k", "mnist-12k")
    assert recipe_of(EVERY_CASE["upright/exact-28"], budget, 0)["data"] == "mnist-12k"


@pytest.mark.parametrize("options", ["--epochs 3", "--train-pictures 9", "--test-pictures 9", "--batch-size 8"])
def test_options_that_change_a_recipe_change_the_budget(options: str) -> None:
    _, budget = on_gpu._digits(on_gpu._options(["--data", "nowhere", *options.split()]))

    assert budget.name == "try"
