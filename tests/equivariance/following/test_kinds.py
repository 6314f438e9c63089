"""Types of channels found from kernels, and weights held against them."""

from collections.abc import Hashable

import pytest
import torch

from equivariance.following.kinds import Kinds, Looked, closed, permutes
from equivariance.groups.fields import FieldType, Harmonics, Interleaved, Regular, regular, scalars
from equivariance.groups.point_groups import C4, D4, SO2, Z2, Element, group_called
from tests.equivariance.draws.own_group import expanded, lifted, symmetric


def kernel(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def kinds() -> Kinds:
    return Kinds(C4, C4.pixel_exact_elements[1:])


def test_a_symmetric_kernel_keeps_scalar_fields() -> None:
    found = kinds()
    assert found.of_kernel(0, symmetric(kernel(3, 2, 3, 3), "C4"), scalars(2)) == scalars(3)
    assert not found.errors.get(0)


def test_a_lifting_kernel_gives_regular_fields_in_both_layouts() -> None:
    whole = lifted(kernel(2, 3, 3, 3), "C4")
    assert kinds().of_kernel(0, whole.flatten(0, 1), scalars(3)) == regular(C4, 2)
    by_element = FieldType(((Interleaved(Regular(C4), 2), 1),))
    assert kinds().of_kernel(0, whole.transpose(0, 1).flatten(0, 1), scalars(3)) == by_element


def test_a_group_kernel_takes_regular_fields_to_regular_fields() -> None:
    whole = expanded(kernel(2, 3, 4, 3, 3), "C4").flatten(0, 1).flatten(1, 2)
    assert kinds().of_kernel(0, whole, regular(C4, 3)) == regular(C4, 2)


def test_any_other_kernel_is_noted_with_its_difference() -> None:
    found = kinds()
    found.of_kernel(7, kernel(3, 2, 3, 3), scalars(2))
    assert set(found.errors[7]) == {"rot90", "rot180", "rot270"} and min(found.errors[7].values()) > 0.1


def test_a_kernel_that_is_not_square_cannot_be_turned() -> None:
    even = symmetric(kernel(2, 2, 1, 3), "C4")
    assert set(kinds().kernel_errors(even, scalars(2), scalars(2))) == {"rot90", "rot270"}


def test_a_kernel_on_unknown_fields_has_no_type() -> None:
    assert kinds().of_kernel(0, kernel(3, 2, 3, 3), None) is None


def test_one_number_for_each_channel_must_be_the_same_within_a_field() -> None:
    assert not kinds().vector_errors(kernel(2).repeat_interleave(4), regular(C4, 2))
    assert set(kinds().vector_errors(kernel(8), regular(C4, 2))) == {"rot90", "rot180", "rot270"}
    assert not kinds().vector_errors(kernel(8), scalars(8))


@pytest.mark.parametrize(("fields", "expected"), [(scalars(2), True), (regular(C4, 1), True), (None, False)])
def test_which_types_only_exchange_channels(fields: FieldType | None, expected: bool) -> None:
    assert permutes(fields) == expected
    assert not permutes(FieldType(((Harmonics(1), 1),)))


def test_a_turn_and_a_mirror_close_to_all_of_d4() -> None:
    assert set(closed((Element(90.0), Element(mirrored=True)))) == set(D4.elements)
    assert closed(()) == (Element(),)


def test_errors_of_an_operation_are_the_largest_that_were_noted() -> None:
    found = kinds()
    found.note(3, {})
    assert found.errors == {} and found.of_places == set()
    found.note(3, {"rot90": 0.2, "rot180": 0.1})
    found.note(3, {"rot90": 0.1, "rot180": 0.3}, of_places=True)
    assert found.errors == {3: {"rot90": 0.2, "rot180": 0.3}} and found.of_places == {3}


def test_the_same_weights_are_looked_at_once() -> None:
    kept: dict[Hashable, Looked] = {}
    found, other = (Kinds(C4, C4.pixel_exact_elements[1:], kept) for _ in range(2))
    looks = []

    def look(into: Kinds, operation: int) -> FieldType:
        looks.append(operation)
        into.note(operation, {"rot90": 0.5}, of_places=True)
        into.loosest = 1e-10
        return scalars(2)

    found.note(4, {"rot180": 0.25})
    for operation in (4, 6):
        assert found.looked_at(operation, "weights", lambda at=operation: look(found, at)) == scalars(2)
    assert other.looked_at(5, "weights", lambda: look(other, 5)) == scalars(2)
    assert looks == [4]
    assert found.errors == {4: {"rot90": 0.5, "rot180": 0.25}, 6: {"rot90": 0.5}} and other.errors == {
        5: {"rot90": 0.5}
    }
    assert (found.of_places, other.of_places, found.loosest, other.loosest) == ({4, 6}, {5}, 1e-10, 1e-10)
    found.looked_at(7, None, lambda: look(found, 7))
    found.looked_at(8, None, lambda: look(found, 8))
    assert looks == [4, 7, 8]


def test_weights_that_are_alike_everywhere_are_not_of_places_because_others_were() -> None:
    found = kinds()
    found.note(1, {"rot90": 0.5}, of_places=True)
    found.looked_at(1, "a", lambda: found.note(1, {"rot180": 0.5}))
    assert found.of_places == {1}
    found.looked_at(2, "a", lambda: None)
    assert found.of_places == {1} and found.errors[2] == {"rot180": 0.5}
    found.looked_at(3, "b", lambda: found.loosest and None)
    assert 3 not in found.errors


def test_the_loosest_difference_of_all_weights_is_kept() -> None:
    found = kinds()
    found.loosest = 1e-9

    def look() -> None:
        found.loosest = 1e-12

    found.looked_at(1, "a", look)
    assert found.loosest == 1e-9


@pytest.mark.parametrize(("side", "of_places"), [(3, {0}), (1, set())])
def test_kernels_of_one_tap_do_not_differ_from_place_to_place(side: int, of_places: set[int]) -> None:
    found = kinds()
    found.of_kernel(0, kernel(3, 4, side, side), regular(C4, 1))
    assert found.errors[0] and found.of_places == of_places


def test_a_kernel_of_another_number_of_channels_has_no_type() -> None:
    assert kinds().of_kernel(0, kernel(3, 2, 3, 3), scalars(3)) is None


def test_the_type_that_a_layer_declares_is_the_only_one_that_is_tried() -> None:
    whole = lifted(kernel(2, 3, 3, 3), "C4").flatten(0, 1)
    found = kinds()
    assert found.of_kernel(0, whole, scalars(3), scalars(8)) == scalars(8) and found.errors[0]
    assert kinds().of_kernel(0, whole, scalars(3), scalars(3)) == regular(C4, 2)  # of another size: not its output's


def test_what_is_noted_of_a_kernel_is_its_least_difference() -> None:
    almost = lifted(kernel(2, 3, 3, 3), "C4").flatten(0, 1)
    almost[0, 0, 0, 0] += 0.01
    found = kinds()
    assert found.of_kernel(0, almost, scalars(3)) == scalars(8)
    assert max(found.errors[0].values()) < 0.1


def test_the_layouts_of_channels_come_likeliest_first() -> None:
    by_element = FieldType(((Interleaved(Regular(C4), 2), 1),))
    assert kinds().layouts(8) == [regular(C4, 2), by_element, scalars(8)]
    assert kinds().layouts(8, by_element) == [by_element, regular(C4, 2), scalars(8)]
    assert kinds().layouts(8, regular(C4, 2)) == kinds().layouts(8, scalars(8)) == kinds().layouts(8, regular(C4, 3))
    assert kinds().layouts(4) == [regular(C4, 1), scalars(4)]
    assert kinds().layouts(6) == [scalars(6)]
    half = group_called("C2")
    assert Kinds(half, ()).layouts(2) == [regular(half, 1), scalars(2)]
    assert Kinds(Z2, ()).layouts(4) == Kinds(SO2, ()).layouts(4) == [scalars(4)]


def test_a_difference_in_the_last_rows_of_a_large_kernel_is_found() -> None:
    whole = lifted(kernel(12, 3, 3, 3), "C4").flatten(0, 1)
    assert not kinds().kernel_errors(whole, scalars(3), regular(C4, 12))
    whole[-1, 0, 0, 0] += 1
    assert set(kinds().kernel_errors(whole, scalars(3), regular(C4, 12))) == {"rot90", "rot180", "rot270"}


def test_the_difference_is_that_of_the_definition() -> None:
    weights = kernel(2, 2, 3, 3)
    errors = kinds().kernel_errors(weights, scalars(2), scalars(2))
    for turns, name in ((1, "rot90"), (2, "rot180"), (3, "rot270")):
        expected = (weights.rot90(turns, (2, 3)) - weights).norm() / weights.norm()
        assert errors[name] == pytest.approx(float(expected))


def test_a_kernel_of_zeros_commutes_with_all() -> None:
    assert kinds().kernel_errors(torch.zeros(3, 2, 3, 3), scalars(2), scalars(3)) == {}


def test_elements_that_fields_do_not_have_break_a_kernel() -> None:
    found = Kinds(D4, (Element(90.0), Element(mirrored=True)))
    turns_alone = expanded(kernel(1, 1, 4, 3, 3), "C4").flatten(0, 1).flatten(1, 2)
    assert found.kernel_errors(turns_alone, regular(C4, 1), regular(C4, 1)) == {"mirror": 1.0}
    assert found.vector_errors(torch.ones(4), regular(C4, 1)) == {"mirror": 1.0}


@pytest.mark.parametrize(
    ("dtype", "stored", "tolerance"),
    [
        (torch.float64, None, 1e-9),
        (torch.float32, None, 2e-6),
        (torch.float64, torch.float32, 2e-6),
        (torch.float32, torch.float64, 2e-6),
        (torch.float64, torch.bfloat16, 2e-2),
        (torch.complex64, None, 1e-9),
    ],
    ids=str,
)
def test_what_is_rounding_depends_on_the_precision_of_the_weights(
    dtype: torch.dtype, stored: torch.dtype | None, tolerance: float
) -> None:
    even = torch.ones(1, 1, 3, 3, dtype=dtype)
    for size, is_rounding in ((0.3, True), (3.0, False)):
        uneven = torch.ones(1, 1, 3, 3, dtype=torch.float64)
        uneven[0, 0, 0, 0] += 3 * size * tolerance / 2**0.5  # relative: √2 of it over the norm, which is 3
        found = Kinds(C4, (Element(90.0),), stored=stored)
        assert (found.kernel_errors(uneven, scalars(1), scalars(1), found._tolerance(even)) == {}) == is_rounding


def test_the_loosest_difference_that_was_rounding_is_told() -> None:
    even = symmetric(kernel(1, 1, 3, 3), "C4")
    even[0, 0, 0, 0] += 1e-11
    found = kinds()
    assert found.of_kernel(0, even, scalars(1)) == scalars(1)
    assert 1e-13 < found.loosest < 1e-10


def test_one_number_for_each_channel_differs_by_the_definition() -> None:
    vector = torch.tensor([1.0, 2.0, 3.0, 4.0])
    turned = regular(C4, 1).act(vector, Element(90.0), dim=0)
    errors = kinds().vector_errors(vector, regular(C4, 1))
    assert errors["rot90"] == pytest.approx(float((turned - vector).norm() / vector.norm()))
    assert kinds().vector_errors(torch.zeros(4), regular(C4, 1)) == {}
    assert kinds().vector_errors(torch.ones(3), regular(C4, 1)) == {}


def test_fields_of_which_one_does_not_exchange_channels_do_not() -> None:
    assert not permutes(FieldType((*regular(C4, 1).runs, (Harmonics(1), 1))))
    assert permutes(FieldType(((Interleaved(Regular(C4), 2), 1), *scalars(1).runs)))
