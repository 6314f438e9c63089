"""Tensors of the skeleton: what their dimensions make them, and when two agree."""

import math

import pytest
import torch
from torch import Tensor

from equivariance.following.dims import CHANNELS, HEIGHT, WIDTH, Atom, Dims, channels, unknown_channels, widths_of
from equivariance.following.skeleton import Skeleton
from equivariance.following.values import Value, moved_or_none, same
from equivariance.groups.fields import FieldType, regular, scalars
from equivariance.groups.point_groups import C4, IDENTITY, Element

H, W, ONE = (Atom(HEIGHT, 4),), (Atom(WIDTH, 6),), (channels(1),)
THIN: tuple[Atom, ...] = (Atom(HEIGHT, 1),)
MIRROR = Element(mirrored=True)


def value(*dims: tuple[Atom, ...], lost: str = "") -> Value:
    return Value(dims, {}, lost)


@pytest.mark.parametrize(
    ("dims", "has_maps"),
    [
        ((ONE, (channels(3),), H, W), True),
        ((ONE, (channels(3),), W, H), True),
        ((ONE, (channels(3),), (channels(4),), H, W), True),
        ((ONE, (channels(3),), THIN, W), True),
        (((channels(3),), H, W), True),
        (((channels(3),), THIN, W), False),
        (((channels(3),), THIN, ONE), False),
        ((H, W), False),
        ((ONE, (channels(3),), H, H), False),
        ((ONE, (channels(3),), THIN, ONE), False),
        ((ONE, (channels(3),), (channels(2),), W), False),
        ((ONE, (channels(3),), (*H, *W), ONE), False),
        ((ONE, H, H, W), False),
        ((ONE, THIN, H, W), True),
    ],
)
def test_maps_have_height_and_width_last_and_no_places_before(dims: Dims, has_maps: bool) -> None:
    assert value(*dims).has_maps == has_maps


def test_places_are_pixels_and_not_channels_or_sides_of_one() -> None:
    assert value(ONE, H).has_places and value(ONE, (channels(2), *W)).has_places
    assert not value(ONE, THIN).has_places and not value(ONE, (channels(6),)).has_places


def test_why_a_transform_is_not_known() -> None:
    why = "the fields of its channels are not known"
    assert value(ONE, (channels(3),), H, W).unknown == ""
    assert value(ONE, (unknown_channels(3),), H, W).unknown == why
    assert value(ONE, (unknown_channels(3), *H), W).unknown == why
    assert value(ONE, (channels(3), *H), W).unknown == ""
    assert value(ONE, (channels(3),), lost="it was cut").unknown == "it was cut"


def test_the_type_is_that_of_the_most_channels() -> None:
    fields = regular(C4, 2)
    both = value(ONE, (channels(2),), (channels(8, fields),), H, W)
    assert both.fields == fields
    assert value(ONE, (channels(8, fields),), (channels(2),)).fields == fields
    assert value(H, W).fields is None
    assert value(ONE, (channels(8, fields),), lost="it was cut").fields is None
    assert value(ONE, (channels(8, fields),), lost="it was cut").type_of_channels is None


def test_the_type_of_all_channels_is_that_of_their_product_without_the_batch() -> None:
    four = Atom(CHANNELS, 4, (4,), regular(C4, 1))
    assert value((channels(5),), (channels(3),), (four,), H, W).type_of_channels == regular(C4, 3)
    assert value((channels(5),), (channels(3), *H), W).type_of_channels == scalars(3)
    assert value(ONE, (unknown_channels(3),)).type_of_channels is None


def test_dims_of_maps_are_height_and_width_in_this_order() -> None:
    found = value(ONE, (channels(3), *THIN), W, H).dims_of_maps
    assert found == (ONE, (channels(3),), (Atom(HEIGHT, 6),), (Atom(WIDTH, 4),))


def test_channels_that_no_element_changes_are_scalar() -> None:
    assert value(ONE, (channels(3),), H, W).is_scalar
    assert value(ONE, (unknown_channels(1),), H).is_scalar
    assert not value(ONE, (channels(4, regular(C4, 1)),)).is_scalar
    assert not value(ONE, (unknown_channels(3),)).is_scalar


def test_an_output_answers_by_moving_or_by_staying() -> None:
    maps: Dims = (ONE, (channels(3),), H, W)
    numbers = torch.randn(widths_of(maps), generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def answers(dims: Dims, here: Tensor, there: Tensor) -> bool:
        return Value(dims, {IDENTITY: Skeleton(dims, here), MIRROR: Skeleton(dims, there)}).answers(MIRROR)

    assert answers(maps, numbers, numbers.flip(-1)) and not answers(maps, numbers, numbers)
    flat: Dims = (ONE, (*H, *W))
    row = numbers.reshape(1, 24)
    assert answers(flat, row, row) and not answers(flat, row, numbers.flip(-1).reshape(1, 24))


def test_what_cannot_be_moved_is_none() -> None:
    strip = Skeleton((H,), torch.arange(4.0))
    assert moved_or_none(strip, Element(90.0)) is None
    turned = moved_or_none(strip, Element(180.0))
    assert turned is not None and turned.tolist() == [3.0, 2.0, 1.0, 0.0]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_tensors_agree_but_for_rounding(scale: float) -> None:
    one = torch.tensor([1.0, -0.5, 0.25], dtype=torch.float64) * scale
    assert same(one, one) and same(one * (1 + 1e-10), one)
    assert not same(one * (1 + 1e-7), one)
    assert not same(one + torch.tensor([0, 0, 1e-4 * scale]), one)


def test_tensors_of_other_shapes_or_infinities_do_not_agree() -> None:
    one = torch.tensor([1.0, math.inf, 2.0], dtype=torch.float64)
    assert same(one, one) and same(torch.full((2,), math.inf), torch.full((2,), math.inf))
    assert not same(one, one[:2]) and not same(one, None)
    assert not same(torch.tensor([1.0, 5.0, 2.0]), one) and not same(one, torch.tensor([1.0, 5.0, 2.0]))
    assert same(torch.zeros(0), torch.zeros(0)) and same(torch.zeros(2), torch.zeros(2))
    assert not same(torch.full((2,), 1e-6), torch.zeros(2))


def test_small_numbers_are_compared_beside_large_ones() -> None:
    one = torch.tensor([-1e9, 0.5], dtype=torch.float64)
    assert not same(one + torch.tensor([0.0, 1e-3]), one)
    assert same(one + torch.tensor([0.0, 1e-8]), one)


def test_mixed_fields_are_not_scalar() -> None:
    mixed = FieldType((*scalars(1).runs, *regular(C4, 1).runs))
    assert not value(ONE, (channels(5, mixed),), H, W).is_scalar
