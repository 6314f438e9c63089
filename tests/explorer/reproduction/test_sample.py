"""The networks of `reproduce prediction`: what is different between them, and what theory says of each."""

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from equivariance.theory.exactness import Structure, predict
from explorer.reproduction.sample import BUDGETS, Member, displacements_px, members, prediction_studies
from models.build import serve
from models.catalog import NetworkSpec

QUICK = members(BUDGETS["quick"])


@cache
def structure(network: NetworkSpec) -> Structure:
    return Structure(serve(network), network.point_group)


def structure_of(member: Member) -> Structure:
    return structure(replace(member.recipe, minimum_width=True).network_spec(10))


def test_every_recipe_is_accepted_and_keys_and_seeds_are_unique() -> None:
    for budget in BUDGETS.values():
        found = members(budget)
        recipes = [member.seeded(seed).checked() for member in found for seed in (0, 1)]

        assert len({member.key for member in found}) == len({member.title for member in found}) == len(found) == 42
        assert len({recipe.seed for recipe in recipes}) == len(recipes)  # weights of its own for each
        (study,) = prediction_studies(budget)
        assert study.cases == found and all(member.key.startswith(f"{study.name}/") for member in found)


@pytest.mark.parametrize("member", QUICK, ids=lambda member: member.key)
def test_a_member_is_exact_where_theory_says_so(member: Member) -> None:
    side_px = member.recipe.size_px

    assert member.is_exact == (predict(structure_of(member), height_px=side_px, width_px=side_px).verdict == "exact")


@pytest.mark.parametrize("member", QUICK, ids=lambda member: member.key)
def test_displacement_is_that_of_the_recorded_network(member: Member) -> None:
    """Theory records the network's calls; here the layers that subsample are listed."""
    side_px = member.recipe.size_px
    found = structure_of(member).grids(height_px=side_px, width_px=side_px)
    last = [rows for name, (rows, _) in found.items() if not name.startswith("head.")][-1]
    layers = predict(structure_of(member), height_px=side_px, width_px=side_px).layers
    by_layer = [layer.displacement_px[0] for layer in layers if layer.stride == (2, 2) and layer.displacement_px]
    listed = displacements_px(member.family, side_px)

    assert member.displacement_px == abs(last.displacement_px)
    assert [bool(px) for px in listed] == [bool(px) for px in by_layer[:: len(by_layer) // len(listed)]]


def test_displacements_add_up_each_times_the_strides_before_it() -> None:
    """32 px: a column is dropped of 32, of 16 and of 8, where a pixel is 1, 2 and 4 pixels of the picture."""
    assert displacements_px("resnet18", 32) == (-0.5, -1.0, -2.0)
    assert displacements_px("resnet18", 29) == (0.0, 0.0, -2.0)
    assert displacements_px("resnet18", 33) == (0.0, 0.0, 0.0)
    assert (displacements_px("cnn", 29), displacements_px("cnn", 28)) == ((-0.5,), (0.0,))


def test_heads_meet_all_else_equally_often() -> None:
    cnns = [member for member in QUICK if member.family == "cnn" and not member.is_exact]
    for kind in (
        lambda member: member.recipe.size_px,
        lambda member: member.recipe.how,
        lambda member: (member.group, member.recipe.minimum_width),
    ):
        assert len(set(Counter((kind(member), member.pooling) for member in cnns).values())) == 1


def test_a_part_of_the_runs_has_all_kinds() -> None:
    first = QUICK[:10]

    assert {member.family for member in first} == {"cnn", "resnet18"}
    assert {member.is_exact for member in first} == {True, False}
    assert {member.recipe.minimum_width for member in first} == {True, False}
    assert len({member.recipe.size_px for member in first}) > 4


def test_members_are_not_held_against_the_authors() -> None:
    """Theirs were trained on more digits, for longer."""
    assert {member.authors for member in QUICK} == {None}
