"""What is run for which claim, and the authors' figures that it is compared with."""

import itertools
from dataclasses import replace
from functools import cache

import pytest

from equivariance.theory.exactness import Structure, predict
from explorer.data.known import KNOWN
from explorer.reproduction.authors import authors_case, authors_knight
from explorer.reproduction.figures.looks import Look, look_of
from explorer.reproduction.statistics import MEASURES
from explorer.reproduction.studies import BUDGETS, Case, cifar10_studies, mnist_studies
from models.build import serve
from models.catalog import NetworkSpec

FULL = mnist_studies(BUDGETS["mnist"]["full"])
CASES = {case.key: case for study in FULL for case in study.cases}
PHOTOGRAPHS = [case for study in cifar10_studies(BUDGETS["cifar10"]["full"]) for case in study.cases]

# The paper's table as it is quoted everywhere: mean at the four turns, and over 36 angles.
QUOTED = {
    ("p4-cnn", 28, "none"): (97.69, 97.69, 97.69, 97.69, 87.22),
    ("p4-cnn", 27, "none"): (98.52, 78.65, 50.23, 82.81, 66.17),
    ("p4-cnn", 29, "none"): (98.42, 80.13, 51.11, 81.59, 66.29),
    ("z2-cnn", 28, "none"): (98.47, 17.90, 44.74, 17.25, 42.79),
}
QUOTED_MEANS = {
    "normal:45,20": (96.46, 78.44, 78.25, 61.54),
    "normal:45,40": (96.59, 90.15, 88.89, 72.41),
    "uniform": (96.68, 96.55, 96.51, 89.39),
}


@pytest.mark.parametrize(("case", "quoted"), QUOTED.items())
def test_authors_figures_are_the_quoted_ones(case: tuple[str, int, str], quoted: tuple[float, ...]) -> None:
    found = authors_case(*case)

    assert found is not None and found.runs == 100
    means = [found.figures[name].mean for name in ("identity", "rot90", "rot180", "rot270", "angles")]
    assert means == list(quoted)
    assert [found.angles[number] for number in (0, 9, 18, 27)] == means[:4]
    assert sum(found.angles) / 36 == pytest.approx(means[4], abs=0.01)
    assert found.figures["unseen"].mean == pytest.approx(sum(means[1:4]) / 3, abs=0.01)


def test_authors_figures_under_other_rotations_are_the_quoted_ones() -> None:
    networks = (("p4-cnn", 28), ("p4-cnn", 27), ("p4-cnn", 29), ("z2-cnn", 28))
    for rotation, quoted in QUOTED_MEANS.items():
        cases = [authors_case(*network, rotation) for network in networks]
        assert [case.figures["angles"].mean for case in cases if case is not None] == list(quoted)


def test_authors_loss_of_the_knight_falls() -> None:
    assert authors_knight()[0] == (0, 0.7004) and authors_knight()[-1] == (400, 0.0923)


def test_keys_are_unique_and_name_their_study() -> None:
    keys = [case.key for study in FULL for case in study.cases]

    assert len(set(keys)) == len(keys) == 33
    assert all(case.key.startswith(f"{study.name}/") for study in FULL for case in study.cases)


def test_every_recipe_is_accepted() -> None:
    for experiment, studies_of in (("mnist", mnist_studies), ("cifar10", cifar10_studies)):
        for budget in BUDGETS[experiment].values():
            for study in studies_of(budget):
                for case in study.cases:
                    assert case.seeded(4).checked().seed == 4


def test_full_budget_is_the_authors() -> None:
    recipe = CASES["upright/exact-28"].recipe

    assert (recipe.data, recipe.train_pictures, recipe.test_pictures) == ("mnist-swapped", 8000, 0)
    assert (recipe.epochs, recipe.batch_size, recipe.optimizer, recipe.learning_rate) == (50, 256, "adam", 0.01)
    assert (recipe.weight_decay, recipe.schedule, recipe.angles_every) == (1e-5, "step", 50)


@cache
def structure(network: NetworkSpec) -> Structure:
    return Structure(serve(network), network.point_group)


@pytest.mark.parametrize("case", [*CASES.values(), *PHOTOGRAPHS], ids=lambda case: case.key)
def test_a_case_is_exact_where_theory_says_so(case: Case) -> None:
    network, size_px = replace(case.recipe, minimum_width=True).network_spec(10), case.recipe.size_px

    assert case.is_exact == (predict(structure(network), height_px=size_px, width_px=size_px).verdict == "exact")


def test_photographs_have_the_authors_recipe() -> None:
    (resnet18, resnet44) = cifar10_studies(BUDGETS["cifar10"]["full"])
    recipe = resnet18.cases[0].recipe

    assert len(resnet18.cases) == len(resnet44.cases) == 6
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.schedule) == (200, 256, 0.001, "onecycle")
    assert recipe.augmentation == "crop-flip" and resnet18.cases[0].authors is None


@pytest.mark.parametrize("key", ["upright/exact-28", "turned-20/approximate-29", "uniform/plain-28"])
def test_cases_of_the_paper_have_the_authors_figures(key: str) -> None:
    authors = CASES[key].authors

    assert authors is not None and set(authors.figures) == set(MEASURES)


@pytest.mark.parametrize("key", ["mended/29", "parity/padded-29", "heads/maximum-first-29", "tuned/as-it-was-29-50"])
def test_cases_beyond_the_paper_have_none(key: str) -> None:
    assert CASES[key].authors is None


def test_parity_study_changes_one_thing_at_a_time() -> None:
    """Sides odd and even, each with the digits resampled and with their pixels as they are."""
    base = CASES["upright/exact-28"].recipe
    for key in ("resized-30", "padded-29", "padded-32"):
        recipe = CASES[f"parity/{key}"].recipe
        assert replace(recipe, size_px=28, how="resize") == base
        assert recipe.how == ("resize" if key.startswith("resized") else "crop")


def test_heads_change_the_head_alone() -> None:
    for head, side_px in itertools.product(("maximum-first", "no-pooling"), (28, 29)):
        recipe = CASES[f"heads/{head}-{side_px}"].recipe
        base = CASES["upright/exact-28" if side_px == 28 else "upright/approximate-29"].recipe
        assert recipe.head == head and replace(recipe, head="") == base


@pytest.mark.parametrize("budget", ["quick", "full"])
@pytest.mark.parametrize("steps", [50, 157, 500])
def test_fine_tunings_differ_in_their_subsampling_alone(budget: str, steps: int) -> None:
    cases = {case.key: case for study in mnist_studies(BUDGETS["mnist"][budget]) for case in study.cases}
    mended, control, blurred = (cases[f"tuned/{name}-{steps}"] for name in ("mended-29", "as-it-was-29", "blurred-28"))

    assert mended.base == control.base == "upright/approximate-29" and blurred.base == "upright/exact-28"
    assert replace(mended.recipe, subsampling="published") == control.recipe
    assert (mended.recipe.subsampling, blurred.recipe.subsampling) == ("symmetric", "antialiased")
    assert all(cases[case.base].recipe.size_px == case.recipe.size_px for case in (mended, control, blurred))
    assert cases[mended.base].recipe.data == mended.recipe.data and mended.recipe.batch_size == 64


@pytest.mark.parametrize("steps", [50, 157, 500])
def test_fine_tuning_takes_as_many_steps_as_its_name_says(steps: int) -> None:
    recipe = next(
        case.recipe for case in mnist_studies(BUDGETS["mnist"]["quick"])[-1].cases if case.key.endswith(f"29-{steps}")
    )
    pictures = recipe.train_pictures or KNOWN[recipe.data].train_pictures

    assert recipe.epochs * -(-pictures // recipe.batch_size) == steps


def test_a_network_looks_the_same_in_every_study() -> None:
    by_network: dict[tuple[object, ...], set[Look]] = {}
    for case in CASES.values():
        recipe = case.recipe
        kind = (recipe.network, recipe.subsampling, recipe.head, case.is_exact or recipe.size_px)
        by_network.setdefault(kind, set()).add(look_of(case))

    assert all(len(looks) == 1 for looks in by_network.values())
    compared = [
        look_of(CASES[f"upright/{name}"]) for name in ("exact-28", "approximate-27", "approximate-29", "plain-28")
    ]
    looks = [*compared, look_of(CASES["mended/29"])]
    assert len({each.colour for each in looks}) == len({each.symbol for each in looks}) == 5
