"""Types of channels found from kernels, and weights held against them."""

import pytest
import torch

from equivariance.following.kinds import Kinds, closed, permutes
from equivariance.groups.fields import FieldType, Harmonics, Interleaved, Regular, regular, scalars
from equivariance.groups.point_groups import C4, D4, Element
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
