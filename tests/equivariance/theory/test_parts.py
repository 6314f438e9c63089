"""Layers as theory sees them at a size: their statuses, their windows, why they break."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from equivariance.groups.fields import regular, scalars
from equivariance.groups.point_groups import C4
from equivariance.layers.windows import AxisWindow
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED, AxisSampling
from equivariance.theory.program import Program
from equivariance.theory.proof import NO_ACTION, NotFollowed, Part, Proof
from equivariance.theory.reasons import ALONG_ONE_SIDE, reason_of
from equivariance.theory.sampling import prominence, sides_of
from tests.equivariance.draws.own_group import expanded, lifted, symmetric
from tests.equivariance.draws.tools import Apply

NUMBERS = torch.randn(2, 2, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
GROUP_KERNEL = expanded(
    torch.randn(2, 2, 4, 3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64), "C4"
)


def conv(kernel: Tensor, **options: Any) -> nn.Conv2d:
    layer = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[-1], bias=False, **options).double()
    layer.weight = nn.Parameter(kernel)
    return layer


def proof_of(*layers: nn.Module, side: int = 8, **options: Any) -> Proof:
    return Program(nn.Sequential(*layers), C4, channels=2, **options).proof(side, side)


def statuses_of(part: Part) -> set[str]:
    return set(part.elements.values())


def test_every_call_is_a_part_with_its_sides() -> None:
    pool = nn.MaxPool2d(2)
    parts = proof_of(conv(symmetric(NUMBERS, "C4"), padding=1), pool, pool).parts
    assert [(part.name, part.kind, part.module_name) for part in parts] == [
        ("0", "Conv2d", "0"),
        ("1", "MaxPool2d", "1"),
        ("1#2", "MaxPool2d", "1"),
    ]
    assert [(part.in_hw, part.out_hw) for part in parts] == [((8, 8), (8, 8)), ((8, 8), (4, 4)), ((4, 4), (2, 2))]
    assert all(statuses_of(part) == {EXACT} and not part.is_broken for part in parts)
    assert all((part.why, part.cause, part.place, part.weight_error) == ("", "", None, 0.0) for part in parts)


def test_weights_that_break_say_by_how_much() -> None:
    (part,) = proof_of(conv(NUMBERS)).parts
    worst = max(float((NUMBERS.rot90(k, (2, 3)) - NUMBERS).norm() / NUMBERS.norm()) for k in (1, 2, 3))
    assert statuses_of(part) == {BROKEN} and part.is_broken
    assert (part.cause, part.why) == ("weights", "") and part.weight_error == pytest.approx(worst)
    assert proof_of(conv(NUMBERS)).broken_parts == (part,)


def test_a_grid_that_breaks_says_its_windows() -> None:
    (part,) = proof_of(nn.MaxPool2d(2), side=9).parts
    assert (statuses_of(part), part.cause, part.why) == ({BROKEN}, "grid", "")
    axis = AxisSampling(AxisWindow("max", 2, 2, 1, 0, False), 9, 4, 0, 0)
    assert part.sampling == (axis, axis)


def test_numbers_of_the_place_and_linear_layers_on_pixels_say_so() -> None:
    ramp = torch.arange(8.0, dtype=torch.float64)
    (part,) = proof_of(Apply(lambda x: x + ramp)).parts
    assert (part.cause, part.why) == ("places", "it works with numbers that depend on the place")
    assert part.weight_error > 0.5
    *_, flat = proof_of(nn.Flatten(), nn.Linear(128, 3).double()).parts
    assert flat.cause == "flattened" and flat.why.startswith("it is a linear layer on flattened maps")


def test_layers_behind_what_breaks_are_judged_by_themselves() -> None:
    first, second, third = proof_of(nn.MaxPool2d(2), nn.ReLU(), nn.MaxPool2d(2), side=9).parts
    assert [statuses_of(each) for each in (first, second, third)] == [{BROKEN}, {EXACT}, {EXACT}]
    assert first.dims is None and second.dims is None


def test_layers_that_undo_each_other_are_named_together() -> None:
    there, back = Apply(lambda x: x.roll(1, -1)), Apply(lambda x: x.roll(-1, -1))
    proof = proof_of(there, nn.ReLU(), back)
    assert proof.verdict == "exact" and proof.together == ("0", "2")
    assert [statuses_of(part) for part in proof.parts] == [{UNDECIDED}, {EXACT}, {UNDECIDED}]


def test_a_layer_that_mends_itself_is_exact() -> None:
    proof = proof_of(Apply(lambda x: x.roll(1, -1).roll(-1, -1)))
    assert statuses_of(proof.parts[0]) == {EXACT} and proof.together == ()


def test_what_cannot_be_followed_is_undecided_and_has_no_fields_behind() -> None:
    unknown, after = proof_of(Apply(torch.linalg.matrix_exp), nn.ReLU()).parts
    assert statuses_of(unknown) == {UNDECIDED} and statuses_of(after) == {NO_ACTION}
    assert (after.fields, after.fields_from, after.dims) == (None, "unknown", None)


def test_operations_outside_all_layers_are_parts_of_their_own() -> None:
    class Pools(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, maps: Tensor) -> Tensor:
            maps = functional.max_pool2d(maps, 2)
            maps = self.relu(maps)[:, :, 1:, 1:]
            return functional.max_pool2d(maps[..., 1:], 2)

    parts = Program(nn.Sequential(Pools()), C4, channels=2).proof(16, 16).parts
    pool = "functional.max_pool2d_with_indices"
    assert [part.name for part in parts] == [pool, "0.relu", "functional.slice", "functional.slice#2"]
    first, _, slices, more = parts
    assert (first.kind, first.module_name, first.in_hw, first.out_hw) == (
        "max_pool2d_with_indices",
        "",
        (16, 16),
        (8, 8),
    )
    assert statuses_of(first) == {EXACT} and first.place is None
    assert slices.why == "it keeps pixels that do not lie about the centre" and slices.block == more.block == "0"
    assert slices.place is not None and more.place is not None and slices.place.line + 1 == more.place.line


def test_fields_come_from_where_they_are_known() -> None:
    lift = lifted(NUMBERS, "C4").flatten(0, 1)
    network = (conv(lift), nn.ReLU(), nn.Unflatten(1, (2, 4)))
    found = proof_of(*network).parts
    assert [(part.fields, part.fields_from) for part in found] == [
        (regular(C4, 2), "inferred"),
        (regular(C4, 2), "inferred"),
        (regular(C4, 2), "fifth dimension"),
    ]
    declared = proof_of(*network, fields={"0": regular(C4, 2)}).parts[0]
    assert (declared.fields, declared.fields_from) == (regular(C4, 2), "declared")
    typed = proof_of(*network, types={"0": (scalars(2), regular(C4, 2))}).parts[0]
    assert (typed.fields, typed.fields_from) == (regular(C4, 2), "typed")
    plain = proof_of(nn.ReLU()).parts[0]
    assert (plain.fields, plain.fields_from) == (scalars(2), "scalar")
    assert found[1].dims is not None and len(found[2].dims or ()) == 5


def test_a_group_convolution_of_plain_torch_is_exact() -> None:
    first = conv(lifted(NUMBERS, "C4").flatten(0, 1))
    assert proof_of(first, conv(GROUP_KERNEL.flatten(0, 1).flatten(1, 2))).verdict == "exact"


@pytest.mark.parametrize(
    ("layer", "windows"),
    [
        (
            nn.Conv2d(2, 2, (3, 5), (1, 2), (0, 2), (2, 1)).double(),
            [("conv", 3, 1, 2, 0, False), ("conv", 5, 2, 1, 2, False)],
        ),
        (nn.MaxPool2d(3, (1, 2), 1, ceil_mode=True), [("max", 3, 1, 1, 1, True), ("max", 3, 2, 1, 1, True)]),
        (nn.MaxPool2d((2, 3), dilation=(2, 1)), [("max", 2, 2, 2, 0, False), ("max", 3, 3, 1, 0, False)]),
        (nn.AvgPool2d(3, 2, 1), [("padded mean", 3, 2, 1, 1, False)] * 2),
        (nn.AvgPool2d((2, 4), ceil_mode=True), [("padded mean", 2, 2, 1, 0, True), ("padded mean", 4, 4, 1, 0, True)]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_windows_are_those_of_the_layer(layer: nn.Module, windows: list[Any]) -> None:
    (part,) = proof_of(layer, side=11).parts
    sides = layer(torch.zeros(1, 2, 11, 11, dtype=torch.float64)).shape[-2:]
    assert part.sampling is not None
    for axis, window, side in zip(part.sampling, windows, sides, strict=True):
        assert axis == AxisSampling(AxisWindow(*window), 11, side, window[4], window[4])


def test_transposed_convolutions_have_no_windows_of_this_kind() -> None:
    (part,) = proof_of(nn.ConvTranspose2d(2, 2, 2, 2).double()).parts
    assert part.sampling is None


def test_of_several_windows_the_one_that_strides_most_is_shown() -> None:
    (part,) = proof_of(Apply(lambda x: functional.avg_pool2d(functional.max_pool2d(x, 2, 2), 3, 1, 1))).parts
    assert part.sampling is not None and part.sampling[0].window.kind == "max"
    (part,) = proof_of(Apply(lambda x: functional.avg_pool2d(functional.max_pool2d(x, 3, 1, 1), 2, 2))).parts
    assert part.sampling is not None and part.sampling[0].window.kind == "padded mean"
    wide, padded = (
        AxisSampling(AxisWindow("max", kernel, 1, 1, pad, False), 9, 9, 0, 0) for kernel, pad in ((5, 0), (3, 1))
    )
    assert prominence((wide, wide)) > prominence((padded, padded)) == (1, 3, 1)


@pytest.mark.parametrize(
    ("shape", "sides"), [((1, 2, 3, 4), (3, 4)), ((1, 2, 5, 3, 4), (3, 4)), ((1, 3, 4), (1, 1)), ((), (1, 1))]
)
def test_sides_are_those_of_maps(shape: tuple[int, ...], sides: tuple[int, int]) -> None:
    assert sides_of(shape) == sides


def test_reasons_have_words_for_every_operation() -> None:
    assert reason_of("roll") == "it moves the maps to one side" and reason_of("cumsum") == ALONG_ONE_SIDE
    assert reason_of("sort") == "sort treats height and width, or their ends, differently"


def test_what_was_not_followed_says_where_as_far_as_it_knows() -> None:
    assert str(NotFollowed("sort", "", None, "")) == "sort"
    assert str(NotFollowed("sort", "head", None, "")) == "sort in head"


@pytest.mark.parametrize(
    ("statuses", "by_weights", "verdict"),
    [
        ({"a": EXACT}, False, "exact"),
        ({"a": EXACT, "b": BROKEN}, False, "approximate"),
        ({"a": UNDECIDED, "b": BROKEN}, True, "not equivariant"),
        ({"a": EXACT, "b": UNDECIDED}, False, "undecided"),
        ({}, False, "undecided"),
    ],
)
def test_the_verdict_of_a_proof_is_that_of_its_elements(
    statuses: dict[str, str], by_weights: bool, verdict: str
) -> None:
    assert Proof(9, 9, statuses, {}, (), (), (), by_weights, "", {}).verdict == verdict
