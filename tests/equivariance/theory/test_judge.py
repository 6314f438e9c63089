"""What theory proves of a network as a whole: statuses of outputs, what was not followed, what outputs must be."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from equivariance.groups.fields import FieldType, Interleaved, Regular, regular, scalars
from equivariance.groups.point_groups import C4, D4
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED
from equivariance.theory.judge import is_of_type
from equivariance.theory.program import Program
from equivariance.theory.proof import Proof
from equivariance.theory.reasons import LISTED
from tests.equivariance.draws.own_group import lifted, symmetric
from tests.equivariance.draws.tools import Apply

NUMBERS = torch.randn(2, 2, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
LIFT = lifted(NUMBERS, "C4").flatten(0, 1)
TURNS = {"rot90", "rot180", "rot270"}


def proof_of(function: Callable[[Tensor], Any], side: int = 8, **options: Any) -> Proof:
    return Program(Apply(function), C4, channels=2, **options).proof(side, side)


def statuses_of(function: Callable[[Tensor], Any], **options: Any) -> set[str]:
    return set(proof_of(function, **options).elements.values())


def field(maps: Tensor) -> Tensor:
    """Two regular fields."""
    return functional.conv2d(maps, LIFT)


def test_each_output_has_a_word_of_its_own_and_the_worst_counts() -> None:
    proof = proof_of(lambda x: {"one": x, "rest": (x[..., 1:], x.mean((2, 3)))})
    assert {path: set(each.values()) for path, each in proof.outputs.items()} == {
        "one": {EXACT},
        "rest.0": {BROKEN},
        "rest.1": {EXACT},
    }
    assert set(proof.elements.values()) == {BROKEN} and set(proof.elements) == TURNS
    assert (proof.verdict, proof.by_weights, proof.unpooled) == ("approximate", False, "")
    assert set(proof.output_values) == {"one", "rest.0", "rest.1"}


def test_a_network_without_outputs_is_undecided() -> None:
    assert statuses_of(lambda x: []) == {UNDECIDED}
    assert not Program(Apply(lambda x: []), C4, channels=2).is_exact(8, 8)


def test_weights_break_at_every_size() -> None:
    proof = proof_of(lambda x: functional.conv2d(x, NUMBERS))
    assert proof.verdict == "not equivariant" and proof.by_weights


def test_numbers_of_the_place_break_at_every_size_where_they_break() -> None:
    ramp = torch.arange(8.0, dtype=torch.float64)
    assert proof_of(lambda x: x + ramp).by_weights
    assert not proof_of(lambda x: (x + ramp) - ramp).by_weights
    assert proof_of(lambda x: (x + ramp) - ramp).verdict == "exact"


def test_weights_that_no_output_depends_on_do_not_matter() -> None:
    def function(maps: Tensor) -> Tensor:
        functional.conv2d(maps, NUMBERS)
        return maps

    assert statuses_of(function) == {EXACT}


def test_what_is_behind_an_unknown_operation_is_undecided_unless_weights_broke_it_before() -> None:
    def unknown(maps: Tensor) -> Tensor:
        return torch.linalg.matrix_exp(maps)

    proof = proof_of(unknown)
    (missing,) = proof.not_followed
    assert set(proof.elements.values()) == {UNDECIDED}
    assert (missing.operation, missing.layer, missing.why) == (
        "linalg_matrix_exp",
        "network",
        "theory does not know this operation",
    )
    assert missing.place is not None and missing.place.file == __file__
    assert statuses_of(lambda x: unknown(functional.conv2d(x, NUMBERS, padding=1))) == {BROKEN}


def test_unknown_operations_beside_the_output_are_not_named() -> None:
    def function(maps: Tensor) -> Tensor:
        torch.linalg.matrix_exp(maps)
        return maps.sin()

    assert proof_of(function).not_followed == () and proof_of(function).verdict == "exact"


def test_doubts_are_named_and_leave_nothing_proven() -> None:
    proof = proof_of(lambda x: x * x.mean().item())
    assert set(proof.elements.values()) == {UNDECIDED}
    assert [(each.operation, each.layer) for each in proof.not_followed] == [("item", ""), ("mul", "")]


def test_an_output_that_does_not_depend_on_the_picture_is_named() -> None:
    proof = proof_of(lambda x: {"a": x, "b": torch.ones(3)})
    (missing,) = proof.not_followed
    assert (missing.operation, missing.place) == ("b", None) and "does not depend on the picture" in missing.why


def test_fields_that_are_not_known_are_named() -> None:
    proof = proof_of(lambda x: x.flip(1))
    (missing,) = proof.not_followed
    assert (missing.operation, missing.why) == ("output", "the fields of its channels are not known")


# ------------------------------------------------------------------------------------------- what is asked of an output


@pytest.mark.parametrize(
    ("function", "output", "status", "unpooled"),
    [
        (lambda x: x, None, EXACT, ""),
        (lambda x: x, "maps", EXACT, ""),
        (lambda x: x, "invariant", BROKEN, "The output has height and width, and turns with the picture"),
        (lambda x: x * 0 + x.mean((2, 3), keepdim=True), "invariant", EXACT, ""),
        (lambda x: x.mean((2, 3)), "invariant", EXACT, ""),
        (field, None, EXACT, ""),
        (field, "regular", EXACT, ""),
        (field, regular(C4, 2), EXACT, ""),
        (field, regular(C4, 1), BROKEN, "The output's channels are 2 regular fields, and not 1 regular ones."),
        (lambda x: x, "regular", BROKEN, "The output's channels are 2 scalar fields, and not regular ones."),
        (lambda x: x.flip(1), "regular", UNDECIDED, ""),
        (lambda x: field(x).mean((2, 3)), None, BROKEN, "the group is not pooled"),
        (lambda x: field(x).mean((2, 3)), "invariant", BROKEN, "the group is not pooled"),
        (lambda x: field(x).mean((2, 3)), "regular", EXACT, ""),
        (lambda x: field(x).mean((2, 3), keepdim=True) + field(x) * 0, "invariant", BROKEN, "the group is not pooled"),
        (lambda x: x.flatten(1), None, BROKEN, LISTED),
        (lambda x: x.flatten(2).sum(1), "maps", BROKEN, LISTED),
        (lambda x: x.flatten(2).softmax(-1).amax(-1), None, EXACT, ""),
    ],
)
def test_an_output_must_be_what_is_asked(
    function: Callable[[Tensor], Tensor], output: Any, status: str, unpooled: str
) -> None:
    proof = proof_of(function, output=output)
    assert set(proof.elements.values()) == {status}
    assert (unpooled in proof.unpooled) and bool(unpooled) == bool(proof.unpooled)
    assert proof.by_weights == bool(unpooled)
    assert Program(Apply(function), C4, channels=2, output=output).is_exact(8, 8) == (status == EXACT)


def test_types_are_compared_in_any_layout_of_regular_fields_or_as_they_are() -> None:
    by_element = FieldType(((Interleaved(Regular(C4), 2), 1),))
    assert is_of_type(regular(C4, 2), "regular", C4) and is_of_type(by_element, "regular", C4)
    assert not is_of_type(regular(C4, 2), "regular", D4) and not is_of_type(scalars(4), "regular", C4)
    assert not is_of_type(FieldType((*regular(C4, 1).runs, *scalars(1).runs)), "regular", C4)
    assert is_of_type(by_element, by_element, C4) and not is_of_type(regular(C4, 2), by_element, C4)


# ------------------------------------------------------------------------------------------------------------ the sizes


def halves(maps: Tensor) -> Tensor:
    """Exact where the side is even."""
    return functional.max_pool2d(maps, 2)


def test_exact_sides_are_the_nearest_below_and_above() -> None:
    program = Program(Apply(halves), C4, channels=2)
    assert [side for side in range(8, 14) if program.is_exact(side, side)] == [8, 10, 12]
    assert program.exact_sides(11, 11, 0) == (10, 12) and program.exact_sides(12, 12, 1) == (10, 14)
    assert program.exact_sides(9, 9, 0) == (8, 10) and program.exact_sides(8, 8, 0) == (None, 10)


def test_sides_of_a_picture_that_is_not_square_are_each_by_itself() -> None:
    program = Program(Apply(lambda x: functional.max_pool2d(x, (2, 3))), C4, channels=2)
    assert program.exact_sides(11, 16, 0) == (10, 12)
    assert program.exact_sides(11, 16, 1) == (15, 18)
    assert not program.is_exact(10, 15)  # a quarter turn exchanges the windows' sides
    mirrors = Program(Apply(lambda x: functional.max_pool2d(x, (2, 3))), D4, channels=2)
    assert mirrors.exact_sides(11, 16, 0) == (10, 12) and mirrors.exact_sides(11, 16, 1) == (15, 18)


def test_sizes_that_a_network_cannot_take_are_not_exact() -> None:
    program = Program(Apply(lambda x: functional.conv2d(x, symmetric(NUMBERS, "C4"))), C4, channels=2)
    assert not program.is_exact(2, 2) and program.is_exact(3, 3)


def test_sizes_are_sought_no_further_than_work_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    from equivariance.theory import program as module

    pads = Program(Apply(lambda x: x[..., : x.shape[-1] - (x.shape[-1] % 16 != 0)]), C4, channels=2)
    assert pads.exact_sides(24, 24, 0) == (16, 32)
    monkeypatch.setattr(module, "SEARCH_WORK", 1)  # four sides at least
    assert pads.exact_sides(24, 24, 0) == (None, None) and pads.exact_sides(20, 20, 0) == (16, None)
    monkeypatch.setattr(module, "SEARCH_WORK", 40_000_000)
    monkeypatch.setattr(module, "SEARCH_PX", 7)
    assert pads.exact_sides(24, 24, 0) == (None, None) and pads.exact_sides(23, 23, 0) == (16, None)


def test_the_turn_of_a_picture_must_fit_too() -> None:
    from equivariance.errors import SizeError

    class Wide(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            if maps.shape[-1] < 8:
                raise ValueError("too narrow")
            return maps

    with pytest.raises(SizeError, match=r"too narrow That is the quarter turn of a picture of 6×9"):
        Program(Wide(), C4, channels=2).proof(6, 9)
    assert not Program(Wide(), C4, channels=2).is_exact(6, 9)
    assert Program(Wide(), C4, channels=2).proof(9, 8).verdict == "exact"
