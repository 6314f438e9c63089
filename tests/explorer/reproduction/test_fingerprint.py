"""Lopsided mean filters: the measures, the comparison at equal seeds, and why a group convolution's cannot all lean."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from equivariance.groups.fields import move_pixels
from equivariance.groups.transforms import parse
from equivariance.layers.group_conv import GroupConv2d
from equivariance.measurement.mean_filters import lean_px, lopsidedness, mean_filters
from explorer.reproduction.fingerprint import (
    AROUND,
    CASES,
    COMPARED,
    EXACT,
    MEASURES,
    compared,
    course,
    layers_in,
    leaning_px,
    lopsided,
    mass_px,
    mean_filter,
    sentence,
)
from explorer.reproduction.results import Results, SeedRun
from explorer.reproduction.statistics import summarise
from explorer.reproduction.studies import BUDGETS, mnist_studies
from explorer.training.metrics import TESTED, Epoch
from models.build import build
from models.catalog import NetworkSpec

EPOCHS = (0, 6, 12)


def run(seed: int, filters: dict[str, np.ndarray]) -> SeedRun:
    """A run with these filters by layer, (epochs, elements, k, k)."""
    final = Epoch(12, 100, 0.1, 0.9, 0.2, dict.fromkeys(TESTED, 0.9), None, 0.7, {"logits": 0.1}, 99.0, 1.0)
    kept = {name: tuple(each.tolist()) for name, each in filters.items()}
    return SeedRun(seed, {}, None, final, tuple((epoch, 0.9, 0.5) for epoch in EPOCHS), filters=kept)


def grid(seeds: int, *, leaning: float = 0.0, cases: tuple[str, ...] = (EXACT, *COMPARED)) -> Results:
    """Filters that grow from a random start in every case; those off centre also grow to the right by `leaning`."""
    found = {}
    for case in cases:
        found[case] = {}
        for seed in range(seeds):
            generator = np.random.default_rng(seed)
            later = np.random.default_rng([seed, *case.encode()])
            start = {layer: generator.normal(size=(4, 3, 3)) for layer in ("layer1.conv", *AROUND)}
            courses = {}
            for layer, filters in start.items():
                grown = filters + 0.1 * later.normal(size=(4, 3, 3))
                if case.startswith("upright/approximate"):
                    grown[..., -1] += leaning
                courses[layer] = np.stack([filters, (filters + grown) / 2, grown])
            found[case][seed] = run(seed, courses)
    return Results("mnist", "quick", (), found)


def test_cases_are_those_of_the_grid() -> None:
    keys = {case.key for study in mnist_studies(BUDGETS["mnist"]["quick"]) for case in study.cases}

    assert set(CASES) <= keys and {EXACT, *COMPARED} <= set(CASES)


@pytest.mark.parametrize("side", [3, 4])
def test_measures_are_those_of_the_library(side: int) -> None:
    filters = np.random.default_rng(0).normal(size=(2, 5, side, side))
    given = torch.from_numpy(filters)

    np.testing.assert_allclose(lopsided(filters), lopsidedness(given).numpy())
    np.testing.assert_allclose(leaning_px(filters), lean_px(given).mean(-1).numpy())
    np.testing.assert_allclose(mass_px(filters), lean_px(given.abs()).mean(-1).numpy())


def test_the_lower_right_is_where_filters_lean_to() -> None:
    corner = np.zeros((3, 3))
    corner[2, 2] = -2.0

    assert (float(leaning_px(corner)), float(mass_px(corner)), float(lopsided(corner))) == (
        -1,
        1,
        pytest.approx(0.5**0.5),
    )
    assert [float(of(np.zeros((3, 3)))) for _, of in MEASURES.values()] == [0, 0, 0]


def test_before_training_networks_of_a_seed_are_alike() -> None:
    assert {each.start.mean for each in compared(grid(3))} == {0.0}


def test_filters_that_grow_to_the_side_that_is_dropped_are_seen() -> None:
    found = {(each.case, each.layer, each.measure): each for each in compared(grid(4, leaning=2.0))}

    assert len(found) == len(COMPARED) * 3 * len(MEASURES)
    for case in COMPARED:
        signs = {found[case, layer, "leaning"].sign for layer in AROUND}
        assert signs == ({1} if case.startswith("upright") else {0}), case
    one = found["upright/approximate-29", AROUND[0], "leaning"]
    assert one.difference.mean == pytest.approx(one.ours.mean - one.exact.mean)
    assert "have one sign at every seed; by chance about 2.2 would" in sentence(grid(4, leaning=2.0))  # 18 of 2⁻³


def test_a_sign_is_that_of_every_seed() -> None:
    one = compared(grid(3))[0]

    def sign(*values: float) -> int:
        return replace(one, difference=summarise(values)).sign

    assert (sign(0.1, 0.2, 0.3), sign(-0.1, -9, -0.1), sign(0.1, 5, -0.01), sign(0.0, 1.0, 1.0)) == (1, -1, 0, 0)


def test_filters_that_grow_at_random_are_not() -> None:
    results = grid(12)
    told = [each for each in compared(results) if each.sign]

    assert len(told) <= len(compared(results)) / 5
    assert "27 px, before it" in sentence(results) and "(12 seeds)" in sentence(results)


def test_seeds_that_only_one_of_two_has_are_not_compared() -> None:
    results = grid(3)
    del results.cases[EXACT][1]

    assert {len(each.difference.values) for each in compared(results)} == {2}
    assert sentence(results) == "2 seeds of two networks to compare: nothing is said of fewer than 3."


@pytest.mark.parametrize("results", [Results("mnist", "quick"), grid(0), grid(3, cases=(EXACT,))])
def test_nothing_to_compare_is_said(results: Results) -> None:
    assert compared(results) == ()
    assert sentence(results).startswith("0 seeds of two networks to compare")
    assert (
        mean_filter(results, "mended/29", AROUND[0]) is None and course(results, "mended/29", AROUND[0], "mass") is None
    )


def test_runs_of_before_filters_were_kept_are_left_out() -> None:
    results = grid(3)
    results.cases["mended/29"][0] = run(0, {})

    assert layers_in(results) == ("layer1.conv", *AROUND)
    found = course(results, "mended/29", AROUND[0], "lopsidedness")
    assert found is not None and found.epochs == EPOCHS and len(found.summaries[0].values) == 2
    assert found.summaries[0].values[0] == pytest.approx(
        float(np.mean(lopsided(np.array(results.cases["mended/29"][1].filters[AROUND[0]][0]))))
    )


def test_mean_filter_is_over_filters_and_seeds_each_of_length_one() -> None:
    results = grid(2)
    runs = results.cases[EXACT].values()
    means = [np.array(each.filters[AROUND[0]][-1]).mean(0) for each in runs]

    found = mean_filter(results, EXACT, AROUND[0])

    assert found is not None
    np.testing.assert_allclose(found, sum(each / np.linalg.norm(each) for each in means) / 2)


# ------------------------------------------------------------------------------------- why they cannot lean on average


HALF_TURN = parse("rot180")


def renamed(network: nn.Module, layer: str, after: str) -> nn.Module:
    """A copy in which the elements of all fields of one layer have other names: a half turn is called the first.

    Output element g of a renamed field is element g∘u of before: kernel g·w[g⁻¹h] becomes g·(u·w[u⁻¹∘r]). The next
    layer reads what it read under the new names: w[r∘u].
    """
    network = deepcopy(network)
    first, second = network.get_submodule(layer), network.get_submodule(after)
    assert isinstance(first, GroupConv2d) and isinstance(second, GroupConv2d)
    group, u = first.group, HALF_TURN
    with torch.no_grad():
        sources = [group.index(u.inverse.after(r)) for r in group.elements]  # type: ignore[union-attr]
        first.weight.copy_(move_pixels(first.weight[:, :, sources], u))  # type: ignore[arg-type]
        second.weight.copy_(second.weight[:, :, [group.index(r.after(u)) for r in group.elements]])  # type: ignore[arg-type]
    return network


def trained(network: nn.Module, steps: int = 3) -> Iterator[torch.Tensor]:
    """The network itself, trained on fixed pictures; its logits before each step."""
    generator = torch.Generator().manual_seed(1)
    pictures = torch.rand(6, 3, 13, 13, generator=generator, dtype=torch.float64)  # 13 px: the pool drops a row
    labels = torch.arange(6)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(steps):
        logits = network(pictures)
        yield logits.detach()
        optimizer.zero_grad()
        functional.cross_entropy(logits, labels).backward()
        optimizer.step()


@pytest.mark.parametrize(("layer", "after"), [("layer2.conv", "layer3.conv"), ("layer3.conv", "layer4.conv")])
@pytest.mark.parametrize("group", ["p4", "p4m"])
def test_training_goes_the_same_way_under_other_names_of_elements(group: str, layer: str, after: str) -> None:
    """At a side that is off centre: a half turn of the names reverses every mean filter, and nothing else is changed.

    So over random starts the mean filter's odd part is 0 on average, whatever training does.
    """
    network = build(NetworkSpec(group, "cnn", minimum_width=True)).double()
    other = renamed(network, layer, after)
    start = mean_filters(network)[layer]

    for ours, theirs in zip(trained(network), trained(other), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-8)
    filters, reversed_filters = mean_filters(network)[layer], mean_filters(other)[layer]

    assert (filters - start).norm() > 0.1 * start.norm()  # it has learned
    torch.testing.assert_close(filters.sum(0).flip((-2, -1)), reversed_filters.sum(0), rtol=1e-4, atol=1e-6)
