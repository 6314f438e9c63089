"""What dimensions mean: held against torch on tensors that number their own places."""

import pytest
import torch

from equivariance.following.dims import (
    CHANNELS,
    HEIGHT,
    WIDTH,
    Atom,
    UnclearError,
    acted,
    channels,
    has_space,
    joined_types,
    moved,
    reshaped,
    size_of,
    split_type,
    turned,
    type_of,
    widths_of,
)
from equivariance.groups.acting import transform_fields
from equivariance.groups.fields import FieldType, Interleaved, Regular, move_pixels, regular, scalars
from equivariance.groups.point_groups import C4, D4, Element

MAPS = ((channels(1),), (channels(3),), (Atom(HEIGHT, 4),), (Atom(WIDTH, 6),))
ELEMENTS = D4.pixel_exact_elements


def numbered(dims: tuple[tuple[Atom, ...], ...]) -> torch.Tensor:
    widths = widths_of(dims)
    return torch.arange(float(torch.tensor(widths).prod())).reshape(widths)


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda element: element.name)
def test_maps_are_moved_as_their_pixels_are(element: Element) -> None:
    maps = numbered(MAPS)
    assert torch.equal(moved(maps, MAPS, element), move_pixels(maps, element))


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda element: element.name)
def test_a_flattened_map_is_moved_as_the_map_is_before_it_is_flattened(element: Element) -> None:
    maps, flat = numbered(MAPS), reshaped(MAPS, (1, 3, 24))
    assert torch.equal(moved(maps.reshape(1, 1, 24), flat, element), move_pixels(maps, element).reshape(1, 1, 24))


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda element: element.name)
def test_windows_of_a_pixel_unshuffle_are_moved_with_their_pixels(element: Element) -> None:
    dims = reshaped(MAPS, (1, 3, 2, 2, 3, 2))  # height 2·2, width 3·2
    maps = numbered(MAPS)
    there = move_pixels(maps, element)
    sides = there.shape[-2:]
    expected = there.reshape(1, 1, sides[0] // 2, 2, sides[1] // 2, 2)
    assert torch.equal(moved(maps.reshape(widths_of(dims)), dims, element), expected)


def test_turned_dims_exchange_their_sides() -> None:
    assert [size_of(dim) for dim in turned(MAPS)] == [1, 3, 6, 4]
    assert turned(turned(MAPS)) == MAPS


def test_height_without_width_cannot_be_turned() -> None:
    strip = (MAPS[0], MAPS[1], MAPS[2])
    with pytest.raises(UnclearError):
        turned(strip)


@pytest.mark.parametrize("shape", [(1, 72), (3, 4, 6), (1, 3, 24), (1, 3, 2, 2, 6), (1, 1, 3, 4, 6, 1)])
def test_reshaped_dims_have_the_sizes_asked_for_and_come_back(shape: tuple[int, ...]) -> None:
    there = reshaped(MAPS, shape)
    assert tuple(map(size_of, there)) == shape
    assert tuple(map(size_of, reshaped(there, (1, 3, 4, 6)))) == (1, 3, 4, 6)


@pytest.mark.parametrize("shape", [(1, 9, 8), (1, 3, 3, 8), (1, 71)])
def test_a_reshape_across_rows_is_unclear(shape: tuple[int, ...]) -> None:
    with pytest.raises(UnclearError):
        reshaped(MAPS, shape)


def test_types_of_split_channels_join_again() -> None:
    fields = regular(C4, 3)
    outer, inner = split_type(fields, 3, 4)
    assert outer == scalars(3) and inner == regular(C4, 1)
    assert type_of((Atom(CHANNELS, 3, (3,), outer), Atom(CHANNELS, 4, (4,), inner))) == fields
    by_element = FieldType(((Interleaved(Regular(C4), 3), 1),))
    outer, inner = split_type(by_element, 4, 3)
    assert outer == regular(C4, 1) and inner == scalars(3)
    assert type_of((Atom(CHANNELS, 4, (4,), outer), Atom(CHANNELS, 3, (3,), inner))) == by_element


def test_a_field_cut_in_two_has_no_type() -> None:
    assert split_type(regular(C4, 3), 6, 2) == (None, None)


def test_types_one_after_the_other_are_joined() -> None:
    assert joined_types([scalars(2), scalars(1), regular(C4, 1)]).runs == (*scalars(3).runs, *regular(C4, 1).runs)


def test_channels_alone_hold_no_space() -> None:
    assert has_space(MAPS) and not has_space(MAPS[:2])


@pytest.mark.parametrize("element", C4.pixel_exact_elements, ids=lambda element: element.name)
def test_a_tensor_of_the_network_is_acted_on_in_space_and_on_its_channels(element: Element) -> None:
    fields = regular(C4, 2)
    dims = ((channels(1),), (channels(8, fields),), (Atom(HEIGHT, 4),), (Atom(WIDTH, 6),))
    value = torch.arange(192.0).reshape(1, 8, 4, 6)

    found = acted(value, dims, element)

    assert found is not None and torch.equal(found, transform_fields(value, fields, element))


def test_nothing_acts_on_channels_whose_fields_are_not_known_or_do_not_have_the_element() -> None:
    unknown = ((channels(1),), (Atom(CHANNELS, 8, (8,), None),))
    turns_alone = ((channels(1),), (channels(8, regular(C4, 2)),))

    assert acted(torch.ones(1, 8), unknown, Element(90.0)) is None
    assert acted(torch.ones(1, 8), turns_alone, Element(mirrored=True)) is None


def test_unlike_numbers_of_heights_and_widths_cannot_be_turned() -> None:
    with pytest.raises(UnclearError):
        moved(torch.ones(1, 1, 4), (MAPS[0], MAPS[1], MAPS[2]), Element(90.0))
    with pytest.raises(UnclearError, match="not treated alike"):
        turned((MAPS[2], MAPS[2], MAPS[3]))


def test_a_dimension_of_one_is_one_scalar() -> None:
    assert type_of(()) == type_of((Atom(HEIGHT, 1),)) == scalars(1)
