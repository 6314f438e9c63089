"""Sums, means, largest values and norms: exact ones held against torch, the others by what they must not depend on."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from equivariance.following.dims import HEIGHT, WIDTH, Atom, size_of
from equivariance.groups.fields import regular, scalars
from equivariance.groups.point_groups import C4
from equivariance.theory.program import Program
from tests.equivariance.draws.own_group import lifted
from tests.equivariance.draws.tools import Apply
from tests.equivariance.following.whole import PICTURE, Function, in_full, skeleton_of

LIFT = lifted(torch.randn(2, 2, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64), "C4")
ONE = PICTURE[:, :1]

OVER_SPACE: dict[str, Function] = {
    "mean": lambda x: x.mean((2, 3)),
    "mean that keeps its dimensions": lambda x: x.mean((2, 3), keepdim=True),
    "mean of rows": lambda x: x.mean(-1),
    "mean of columns": lambda x: x.mean(2, keepdim=True),
    "length": lambda x: torch.linalg.vector_norm(x, dim=(2, 3)),
    "length that keeps its dimensions": lambda x: torch.linalg.vector_norm(x, dim=3, keepdim=True),
    "length by default": lambda x: torch.ops.aten.linalg_vector_norm(x[:, :1]),
    "softmax": lambda x: x.softmax(-1),
    "log softmax": lambda x: x.log_softmax(2),
    "log of the sum of exponents": lambda x: x.logsumexp((2, 3)),
}


@pytest.mark.parametrize("name", OVER_SPACE)
def test_reductions_over_places_are_those_of_torch(name: str) -> None:
    torch.testing.assert_close(in_full(skeleton_of(OVER_SPACE[name])), OVER_SPACE[name](PICTURE))


def test_sums_are_those_of_torch_but_for_one_factor() -> None:
    for function, factor in ((lambda x: x.sum((2, 3)), 24.0), (lambda x: x.sum(3, keepdim=True), 24.0**0.5)):
        torch.testing.assert_close(skeleton_of(function).tensor * factor, function(PICTURE))


ANY_ORDER: dict[str, Function] = {
    "amax": lambda x: x.amax((2, 3)),
    "amin": lambda x: x.amin((2, 3)),
    "prod": lambda x: x.prod(3).prod(2),
    "var": lambda x: x.var((2, 3)),
    "std": lambda x: x.std((2, 3), keepdim=True),
    "length of order 3": lambda x: torch.linalg.vector_norm(x, 3, dim=(2, 3)),
}


@pytest.mark.parametrize("name", ANY_ORDER)
def test_any_other_reduction_tells_pixels_apart_whatever_their_order(name: str) -> None:
    function = ANY_ORDER[name]
    before = skeleton_of(function)
    shuffled = PICTURE.flatten(2)[..., torch.randperm(24, generator=torch.Generator().manual_seed(0))].unflatten(
        2, (4, 6)
    )
    if name != "prod":
        torch.testing.assert_close(skeleton_of(function, shuffled).tensor, before.tensor)
    other = PICTURE.clone()
    other[0, 0, 1, 1] += 0.5
    assert not torch.allclose(skeleton_of(function, other).tensor, before.tensor)


def test_the_largest_of_the_largest_is_the_largest_of_all() -> None:
    at_once, in_turn = skeleton_of(lambda x: x.amax((2, 3))), skeleton_of(lambda x: x.amax(3).amax(2))
    torch.testing.assert_close(at_once.tensor, in_turn.tensor)
    least, negative = skeleton_of(lambda x: x.amin((2, 3))), skeleton_of(lambda x: -((-x).amax((2, 3))))
    torch.testing.assert_close(least.tensor, negative.tensor)


@pytest.mark.parametrize(
    ("function", "kinds"),
    [
        (lambda x: x.mean((2, 3)), [[], []]),
        (lambda x: x.mean(3), [[], [], [HEIGHT]]),
        (lambda x: x.amax(2, keepdim=True), [[], [], [HEIGHT], [WIDTH]]),
        (lambda x: x.amax(1, keepdim=True), [[], [], [HEIGHT], [WIDTH]]),
        (lambda x: x.amax(1), [[], [HEIGHT], [WIDTH]]),
        (lambda x: x.mean(), []),
        (lambda x: x.max(1).values, [[], [HEIGHT], [WIDTH]]),
        (lambda x: x.max(1, True).values, [[], [], [HEIGHT], [WIDTH]]),
        (lambda x: torch.var_mean(x, 2)[1], [[], [], [WIDTH]]),
    ],
)
def test_dimensions_that_are_left_keep_their_meaning(function: Callable[[Tensor], Any], kinds: list[list[str]]) -> None:
    found = skeleton_of(function)
    assert [[atom.kind for atom in dim if atom.kind != "channels"] for dim in found.dims] == kinds


def test_a_sum_of_channels_from_different_places_tells_them_apart() -> None:
    assert bool((skeleton_of(lambda x: torch.cat([x, -x], 1).sum(1)).tensor.abs() > 1e-6).all())


# ------------------------------------------------------------------------------------------------------------ the types


def field(maps: Tensor) -> Tensor:
    """Two regular fields of C4."""
    return functional.conv2d(maps, LIFT.flatten(0, 1))


def normed(layer: nn.Module, function: Callable[[Tensor], Tensor] = field) -> str:
    network = nn.Sequential(Apply(function), layer.double().eval())
    return Program(network, C4, channels=2).proof(8, 8).verdict


def with_weights(layer: Any, *numbers: float) -> nn.Module:
    layer.weight = nn.Parameter(torch.tensor(numbers, dtype=torch.float64))
    made: nn.Module = layer
    return made


@pytest.mark.parametrize(
    ("layer", "verdict"),
    [
        (nn.GroupNorm(2, 8), "exact"),
        (nn.GroupNorm(1, 8), "exact"),
        (nn.GroupNorm(4, 8), "not equivariant"),
        (nn.GroupNorm(8, 8), "exact"),
        (with_weights(nn.GroupNorm(2, 8), 1, 1, 1, 1, 2, 2, 2, 2), "exact"),
        (with_weights(nn.GroupNorm(2, 8), 1, 2, 1, 1, 1, 1, 1, 1), "not equivariant"),
        (nn.BatchNorm2d(8), "exact"),
        (with_weights(nn.BatchNorm2d(8), 1, 2, 1, 1, 1, 1, 1, 1), "not equivariant"),
        (nn.InstanceNorm2d(8, affine=True), "exact"),
        (with_weights(nn.InstanceNorm2d(8, affine=True), 1, 2, 1, 1, 1, 1, 1, 1), "not equivariant"),
        (nn.BatchNorm2d(8, track_running_stats=False), "exact"),
        (with_weights(nn.BatchNorm2d(8, track_running_stats=False), 1, 2, 1, 1, 1, 1, 1, 1), "not equivariant"),
        (nn.Softmax(1), "exact"),
    ],
)
def test_norms_must_treat_the_channels_of_a_field_alike(layer: nn.Module, verdict: str) -> None:
    assert normed(layer) == verdict


@pytest.mark.parametrize(
    ("function", "verdict"),
    [
        (lambda x: field(x).unflatten(1, (2, 4)).sum(2).mean((2, 3)), "exact"),
        (lambda x: field(x).sum(1).mean((1, 2)), "exact"),
        (lambda x: field(x).roll(1, 1).sum(1).mean((1, 2)), "undecided"),
        (lambda x: functional.layer_norm(field(x).movedim(1, -1), (8,)).movedim(-1, 1), "exact"),
        (lambda x: functional.layer_norm(field(x).roll(1, 1).movedim(1, -1), (8,)).mean((1, 2, 3)), "undecided"),
    ],
)
def test_sums_over_fields_must_know_them(function: Function, verdict: str) -> None:
    assert Program(Apply(function), C4, channels=2).proof(8, 8).verdict == verdict


def test_types_are_left_by_reductions_over_places() -> None:
    found = Program(Apply(lambda x: field(x).mean((2, 3))), C4, channels=2).proof(8, 8).output_values["output"]
    assert found is not None and found.fields == regular(C4, 2)
    kept = skeleton_of(lambda x: x.amax((2, 3), keepdim=True))
    assert kept.dims[2:] == ((Atom(HEIGHT, 1),), (Atom(WIDTH, 1),)) and size_of(kept.dims[1]) == 4
    assert kept.dims[1][0].fields == scalars(4) and ONE.shape[1] == 1
