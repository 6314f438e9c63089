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
    random_like,
    reshaped,
    size_of,
    split_atom,
    split_type,
    turned,
    type_of,
    unknown_channels,
    widths_of,
)
from equivariance.groups.acting import transform_fields
from equivariance.groups.fields import FieldType, Harmonics, Interleaved, Regular, move_pixels, regular, scalars
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
    assert reshaped(there, (1, 3, 4, 6)) == MAPS


@pytest.mark.parametrize("shape", [(1, 9, 8), (1, 3, 3, 8), (1, 71), (1, 3, 4, 6, 2), (1, 3, 4), (72, 2)])
def test_a_reshape_across_rows_is_unclear(shape: tuple[int, ...]) -> None:
    with pytest.raises(UnclearError):
        reshaped(MAPS, shape)


def test_an_axis_of_one_pixel_is_neither_lost_nor_moved_to_another_dimension() -> None:
    row = ((channels(1),), (channels(3),), (Atom(HEIGHT, 1),), (Atom(WIDTH, 6),))
    assert reshaped(row, (3, 1, 6)) == ((channels(1), channels(3)), (Atom(HEIGHT, 1),), (Atom(WIDTH, 6),))
    assert reshaped(row, (1, 3, 6)) == ((channels(1),), (channels(3),), (Atom(HEIGHT, 1), Atom(WIDTH, 6)))
    column = ((channels(1),), (channels(3),), (Atom(HEIGHT, 4),), (Atom(WIDTH, 1),))
    assert reshaped(column, (3, 4)) == ((channels(1), channels(3)), (Atom(HEIGHT, 4), Atom(WIDTH, 1)))


def test_channels_are_of_one_part_unless_parts_are_given() -> None:
    assert channels(5).parts == unknown_channels(5).parts == (5,)
    assert channels(5, parts=[2, 3]).parts == unknown_channels(5, [2, 3]).parts == (2, 3)
    assert (channels(5, parts=[2, 3]).width, unknown_channels(5, [2, 3]).width, Atom(HEIGHT, 5).width) == (2, 2, 5)
    assert channels(4).fields == scalars(4) and unknown_channels(4).fields is None
    assert channels(4, regular(C4, 1)).fields == regular(C4, 1)


def test_channels_from_several_places_are_split_where_each_place_has_whole_ones() -> None:
    outer, inner = split_atom(channels(6, parts=[2, 4]), 3)
    assert (outer.size, outer.parts, inner.size, inner.parts) == (3, (1, 2), 2, (2,))
    alike_outer, alike_inner = split_atom(channels(6), 2)
    assert (alike_outer.parts, alike_inner.parts) == ((2,), (3,))
    with pytest.raises(UnclearError, match="different places"):
        split_atom(channels(6, parts=[2, 4]), 2)


def test_an_axis_is_split_in_rows_of_rows() -> None:
    assert split_atom(Atom(WIDTH, 6), 2) == (Atom(WIDTH, 2), Atom(WIDTH, 3))


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
    assert split_type(None, 6, 2) == (None, None)
    two_runs = FieldType(((Regular(C4), 1), (scalars(1).runs[0][0], 4)))
    assert split_type(two_runs, 2, 4) == (None, None)


def test_whole_fields_stay_whole_when_channels_are_split() -> None:
    assert split_type(regular(C4, 6), 3, 8) == (scalars(3), regular(C4, 2))
    assert split_type(scalars(6), 3, 2) == (scalars(3), scalars(2))


def test_fields_that_lie_across_each_other_are_split_by_element_alone() -> None:
    assert split_type(FieldType(((Interleaved(Regular(C4), 3), 2),)), 4, 6) == (None, None)
    assert split_type(FieldType(((Interleaved(Regular(C4), 4), 1),)), 2, 8) == (None, None)


def test_channels_of_several_meanings_have_the_type_of_their_product_or_none() -> None:
    four, other = Atom(CHANNELS, 4, (4,), regular(C4, 1)), FieldType(((Harmonics(1), 1),))
    assert type_of((channels(2), four)) == regular(C4, 2)
    assert type_of((channels(1), four, unknown_channels(1))) == regular(C4, 1)
    assert type_of((four, four)) is None
    assert type_of((channels(2), unknown_channels(3))) is None
    assert type_of((channels(2), Atom(HEIGHT, 3))) is None
    assert type_of((channels(2, other), channels(3))) is None
    assert type_of((channels(5, joined_types([regular(C4, 1), scalars(1)])), channels(3))) is None


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


def test_one_channel_has_nothing_to_exchange_whatever_its_fields() -> None:
    dims = ((unknown_channels(1),), (Atom(HEIGHT, 2),), (Atom(WIDTH, 2),))
    value = torch.arange(4.0).reshape(1, 2, 2)
    found = acted(value, dims, Element(180.0))
    assert found is not None and torch.equal(found, value.flip(1, 2))


def test_unlike_numbers_of_heights_and_widths_cannot_be_turned() -> None:
    with pytest.raises(UnclearError):
        moved(torch.ones(1, 1, 4), (MAPS[0], MAPS[1], MAPS[2]), Element(90.0))
    with pytest.raises(UnclearError, match="not treated alike"):
        turned((MAPS[2], MAPS[2], MAPS[3]))


def test_sides_of_several_dimensions_are_exchanged_one_by_one() -> None:
    dims = ((Atom(HEIGHT, 2),), (Atom(HEIGHT, 5),), (channels(7),), (Atom(WIDTH, 3),), (Atom(WIDTH, 4),))
    assert [size_of(dim) for dim in turned(dims)] == [3, 4, 7, 2, 5]
    square = ((Atom(HEIGHT, 5),), (Atom(WIDTH, 5),))
    assert turned(square) == square


def test_a_dimension_of_one_is_one_scalar() -> None:
    assert type_of(()) == type_of((Atom(HEIGHT, 1),)) == scalars(1)


@pytest.mark.parametrize("widths", [(), (3,), (2, 5), (40, 40)], ids=str)
def test_numbers_depend_on_the_seed_alone(widths: tuple[int, ...]) -> None:
    expected = torch.randn(widths, generator=torch.Generator().manual_seed(41), dtype=torch.float64)
    torch.manual_seed(0)
    assert torch.equal(random_like(widths, 41), expected)
    assert torch.equal(random_like(list(widths), 41), expected)
    assert not torch.equal(random_like(widths, 42), expected)


def test_numbers_that_are_kept_are_no_tensors_of_inference() -> None:
    """Those could not be used outside it, and they are kept for whoever asks next."""
    with torch.inference_mode():
        assert not random_like((3, 2), 43).is_inference()
