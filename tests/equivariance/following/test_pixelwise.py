"""Functions of numbers at one place: what is exact is held against torch, and types of channels."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from equivariance.following.dims import HEIGHT, WIDTH, Atom, channels, type_of
from equivariance.following.kinds import Kinds
from equivariance.following.recording import Constant
from equivariance.following.skeleton import HANDLERS, Context, Skeleton
from equivariance.groups.fields import FieldType, Harmonics, scalars
from equivariance.groups.point_groups import C4, Element
from equivariance.theory.program import Program
from tests.equivariance.draws.own_group import lifted
from tests.equivariance.draws.tools import Apply
from tests.equivariance.following.whole import PICTURE, Function, must_give_what_torch_gives, skeleton_of

LIFT = lifted(torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64), "C4")
RAMP = torch.arange(1.0, 7.0, dtype=torch.float64)


def filled_with(maps: Tensor, number: float) -> Tensor:
    copy = maps.clone()
    copy[..., 1:3].fill_(number)
    return copy


ARITHMETIC: dict[str, Function] = {
    "sum": lambda x: x + x.flip(-1),
    "sum with a factor": lambda x: torch.add(x, x.flip(-1), alpha=4),
    "difference": lambda x: x - x.flip(-1),
    "difference with a factor": lambda x: torch.sub(x, x.flip(-1), alpha=2),
    "from a number": lambda x: 2.5 - x,
    "rsub with a factor": lambda x: torch.rsub(x, x.flip(-1), alpha=2),
    "and a number": lambda x: x + 3,
    "product": lambda x: x * x.flip(-1),
    "times a number": lambda x: x * -2,
    "times numbers of places": lambda x: x * RAMP,
    "divided by a number": lambda x: x / 4,
    "divided by numbers of places": lambda x: x / RAMP,
    "negative": lambda x: -x,
    "a copy": lambda x: x.clone().detach().contiguous(),
    "other precision and back": lambda x: x.to(torch.float32).double() * 0 + x,
    "zeros written": lambda x: filled_with(x, 0),
    "a number written": lambda x: filled_with(x, 2.5),
    "copied over": lambda x: torch.zeros_like(x).copy_(x),
    "one channel copied over all": lambda x: torch.zeros_like(x).copy_(x) + x.clone().copy_(x[:, 1:2]),
    "channels broadcast": lambda x: x + x[:, 2:3],
    "columns broadcast": lambda x: x - x[..., 1:2],
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_is_that_of_torch(name: str) -> None:
    must_give_what_torch_gives(ARITHMETIC[name])


FUNCTIONS: dict[str, Function] = {
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "clamped": lambda x: x.clamp(-0.5, 0.5),
    "to whole numbers": lambda x: x.to(torch.int64),
    "divided and rounded": lambda x: torch.div(x, 0.5, rounding_mode="floor"),
    "compared": lambda x: x > 0.2,
    "of two": lambda x: torch.maximum(x, x.roll(1, -1)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_any_function_is_one_of_each_place_by_itself(name: str) -> None:
    """Changing a pixel changes it, and no other, but where a roll brings it."""
    before, changed = skeleton_of(FUNCTIONS[name]), PICTURE.clone()
    flipped = skeleton_of(FUNCTIONS[name], changed.flip(-2))
    torch.testing.assert_close(flipped.tensor, before.tensor.flip(-2))
    assert before.tensor.unique().numel() == before.tensor.numel()


@pytest.mark.parametrize("name", ["relu", "sigmoid", "clamped"])
def test_the_same_function_twice_is_the_same_and_another_is_not(name: str) -> None:
    function = FUNCTIONS[name]
    assert not bool(skeleton_of(lambda x: function(x) - function(x)).tensor.any())
    assert bool(skeleton_of(lambda x: function(x) - torch.tanh(x)).tensor.any())


@pytest.mark.parametrize(
    ("function", "stays"), [(torch.relu, True), (torch.sin, True), (torch.sigmoid, False), (torch.cos, False)]
)
def test_zero_stays_zero_where_the_function_keeps_it(function: Function, stays: bool) -> None:
    padded = skeleton_of(lambda x: function(functional.pad(x, (1, 1, 1, 1)))).tensor
    assert bool((padded[..., 0] == 0).all()) == stays and bool((padded[..., 1:-1, 1:-1] != 0).all())


def test_a_quotient_of_pictures_is_a_generic_one() -> None:
    assert skeleton_of(lambda x: x / (x + 3)).tensor.isfinite().all()
    assert type_of(skeleton_of(lambda x: x / (x + 3)).dims[1]) == scalars(4)
    once, twice = skeleton_of(lambda x: x / (x + 3)), skeleton_of(lambda x: 2 * x / (x + 3))
    torch.testing.assert_close(twice.tensor, 2 * once.tensor)


HARMONICS = FieldType(((Harmonics(1), 2),))
MIXED = Skeleton(
    ((channels(1),), (channels(6, HARMONICS),), (Atom(HEIGHT, 4),), (Atom(WIDTH, 6),)), PICTURE[:, :1].contiguous()
)


def constant(*shape: int) -> Constant:
    return Constant(shape, lambda: torch.rand(shape, dtype=torch.float64))


@pytest.mark.parametrize(
    ("factor", "keeps"),
    [
        (2.0, True),
        (constant(), True),
        (constant(6), True),
        (constant(4, 6), True),
        (constant(1, 4, 6), True),
        (constant(1, 1, 4, 6), True),
        (constant(6, 1, 1), False),
        (constant(1, 6, 4, 6), False),
        (MIXED, False),
    ],
    ids=lambda value: str(getattr(value, "shape", value))[:16],
)
@pytest.mark.parametrize("name", ["mul", "div"])
def test_channels_that_elements_mix_keep_their_type_times_one_number_for_all_of_them(
    name: str, factor: Any, keeps: bool
) -> None:
    context = Context(Kinds(C4, ()), [(1, 1, 4, 6)], 0)
    context.world, context.operation = Element(), SimpleNamespace(name=name)  # type: ignore[assignment]
    found = HANDLERS[name](context, (MIXED, factor), {})
    assert found.dims[1][0].fields == (HARMONICS if keeps else None)


# ------------------------------------------------------------------------------------------------------------ the types


def verdict_of(function: Callable[[Tensor], Any]) -> str:
    return Program(Apply(function), C4, channels=2).proof(8, 8).verdict


def field(maps: Tensor) -> Tensor:
    """One regular field of C4."""
    return functional.conv2d(maps, LIFT.flatten(0, 1))


EACH = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64).reshape(4, 1, 1)


@pytest.mark.parametrize(
    ("function", "verdict"),
    [
        (lambda x: field(x) * 2 + 1, "exact"),
        (lambda x: field(x) * x[:, :1, 1:-1, 1:-1], "exact"),
        (lambda x: field(x) * field(x).sigmoid(), "exact"),
        (lambda x: field(x) + field(x).roll(1, 1), "undecided"),
        (lambda x: field(x) * EACH, "not equivariant"),
        (lambda x: field(x) + EACH, "not equivariant"),
        (lambda x: x * EACH[:2], "exact"),
        (lambda x: field(x).relu().amax(1), "exact"),
    ],
)
def test_fields_are_kept_by_what_does_the_same_to_all_their_channels(function: Function, verdict: str) -> None:
    assert verdict_of(function) == verdict
