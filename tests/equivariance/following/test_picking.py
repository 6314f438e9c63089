"""Picked entries: held against torch's own, and the types of what is picked from fields."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from equivariance.following.dims import CHANNELS, HEIGHT, WIDTH, Atom, Dim, UnclearError, channels, type_of
from equivariance.following.picking import as_one, picked_of
from equivariance.following.skeleton import Skeleton
from equivariance.groups.fields import FieldType, Interleaved, Regular, regular, scalars
from equivariance.groups.point_groups import C4
from equivariance.theory.program import Program
from tests.equivariance.draws.tools import Apply
from tests.equivariance.following.whole import Function, must_give_what_torch_gives, must_mean_what_moves

PLACES = torch.tensor([3, 0, 0])
PICKED: dict[str, Function] = {
    "first rows": lambda x: x[:, :, :2],
    "last columns": lambda x: x[..., -2:],
    "every second column": lambda x: x[..., 1::2],
    "every third of some": lambda x: x[..., 1:5:3],
    "channels": lambda x: x[:, 1:3],
    "every second channel": lambda x: x[:, ::2],
    "all of it": lambda x: x[:, :, 0:],
    "a slice over the end": lambda x: x[..., 2:100],
    "narrow": lambda x: x.narrow(3, 1, 4),
    "narrow channels": lambda x: x.narrow(1, 2, 2),
    "narrow from behind": lambda x: x.narrow(-1, -3, 2),
    "a column": lambda x: x.select(3, 2),
    "the last row": lambda x: x.select(-2, -1),
    "a channel": lambda x: x[:, 3],
    "the picture alone": lambda x: x[0],
    "pieces of two": lambda x: torch.stack(x.split(2, 3)[1:], 0)[0],
    "the rest of pieces": lambda x: x.split(4, 3)[1],
    "pieces of given sizes": lambda x: x.split([1, 2, 3], -1)[2],
    "channels in pieces": lambda x: x.split([1, 3], 1)[1],
    "halves": lambda x: x.chunk(2, 1)[1],
    "rows apart": lambda x: x.unbind(2)[3],
    "channels apart": lambda x: x[0].unbind()[2],
    "columns by a list": lambda x: x[..., PLACES],
    "channels by a list": lambda x: x[:, PLACES],
    "channels by a list from behind": lambda x: x[:, torch.tensor([-1, -4])],
    "index_select": lambda x: x.index_select(2, PLACES),
    "channels by index_select": lambda x: x.index_select(-3, PLACES),
    "rows by a mask": lambda x: x[:, :, torch.tensor([True, False, True, True])],
}
CENTRED: dict[str, Function] = {
    "centred rows": lambda x: x[:, :, 1:3],
    "centred columns": lambda x: x[..., 2:-2],
    "outer columns": lambda x: x[..., ::5],
    "a list that is its own mirror image": lambda x: x[..., torch.tensor([1, 4])],
    "channels": lambda x: x[:, 1:3],
    "a channel": lambda x: x[:, 2],
}


@pytest.mark.parametrize("name", PICKED)
def test_numbers_are_those_of_torch(name: str) -> None:
    must_give_what_torch_gives(PICKED[name])


@pytest.mark.parametrize("name", CENTRED)
def test_what_is_picked_about_the_centre_keeps_its_meaning(name: str) -> None:
    must_mean_what_moves(CENTRED[name])


def picked_type(fields: FieldType | None, picked: range) -> FieldType | None:
    size = 12 if fields is None else fields.channels
    value = Skeleton(((Atom(CHANNELS, size, (size,), fields),),), torch.ones(1, dtype=torch.float64))
    return type_of(picked_of(value, 0, picked).dims[0])


def test_whole_fields_that_are_picked_keep_their_type() -> None:
    three = regular(C4, 3)
    assert picked_type(three, range(4)) == regular(C4, 1)
    assert picked_type(three, range(4, 12)) == regular(C4, 2)
    assert picked_type(scalars(5), range(1, 4)) == scalars(3)
    assert picked_type(scalars(5), range(0, 5, 2)) == scalars(3)
    mixed = FieldType((*scalars(2).runs, *regular(C4, 2).runs, *scalars(1).runs))
    assert picked_type(mixed, range(1, 6)) == FieldType((*scalars(1).runs, *regular(C4, 1).runs))
    assert picked_type(mixed, range(6, 11)) == FieldType((*regular(C4, 1).runs, *scalars(1).runs))


@pytest.mark.parametrize("picked", [range(3), range(1, 5), range(0, 12, 2), range(2, 12), range(0)], ids=str)
def test_a_field_of_which_a_part_is_picked_has_no_type(picked: range) -> None:
    assert picked_type(regular(C4, 3), picked) is None


def test_what_is_picked_from_unknown_fields_is_unknown() -> None:
    assert picked_type(None, range(4)) is None
    assert picked_type(None, range(12)) is None


def test_a_channel_is_known_by_the_place_that_it_came_from() -> None:
    value = Skeleton(((channels(6, parts=[1, 2, 3]),),), torch.tensor([10.0, 20.0, 30.0]))
    found = picked_of(value, 0, range(2, 5))
    assert found.dims[0][0].parts == (1, 2) and found.tensor.tolist() == [20.0, 30.0]
    assert picked_of(value, 0, range(6)) is value


def test_channels_of_several_meanings_are_one_where_they_are_alike() -> None:
    dim: Dim = (channels(3), Atom(CHANNELS, 4, (4,), regular(C4, 1)))
    (atom,) = as_one(dim)
    assert (atom.size, atom.parts, atom.fields) == (12, (12,), regular(C4, 3))
    lone: Dim = (channels(1), channels(3))
    assert as_one(lone) == lone
    with pytest.raises(UnclearError, match="several meanings"):
        as_one((channels(3, parts=[1, 2]), channels(4)))


def test_places_of_several_meanings_cannot_be_cut() -> None:
    flat = Skeleton(((Atom(HEIGHT, 2), Atom(WIDTH, 3)),), torch.arange(6.0))
    with pytest.raises(UnclearError, match="several meanings"):
        picked_of(flat, 0, range(4))


def test_fields_that_lie_element_after_element_are_cut_to_nothing_known() -> None:
    fields = FieldType(((Interleaved(Regular(C4), 3), 1),))
    assert picked_type(fields, range(3)) is None
    assert picked_type(fields, range(12)) == fields


def looked_up(maps: Tensor) -> Tensor:
    """The largest of each window, looked up where it was found."""
    largest, places = functional.max_pool2d(maps, 2, return_indices=True)
    return maps.flatten(2).gather(2, places.flatten(2)).unflatten(2, largest.shape[-2:])


UNKNOWN_FIELDS = "the fields of its channels are not known"
BY_PICTURE = "entries picked by what depends on the picture"


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (looked_up, UNKNOWN_FIELDS),
        (lambda x: x.gather(1, x.argmax(1, keepdim=True)), BY_PICTURE),
        (lambda x: x.gather(3, x.round().long() % 2), BY_PICTURE),
        (lambda x: x.gather(1, functional.max_pool2d(x, 1, return_indices=True)[1] % 2), "the indices of a max-pool"),
        (lambda x: x.gather(1, functional.max_pool2d(x, 1, return_indices=True)[1]), BY_PICTURE),
    ],
)
def test_only_what_the_largest_of_a_window_was_picked_from_is_looked_up(function: Function, why: str) -> None:
    (missing,) = Program(Apply(function), C4, channels=2).proof(8, 8).not_followed
    assert why in missing.why


def test_what_is_looked_up_breaks_where_its_windows_do() -> None:
    assert Program(Apply(looked_up), C4, channels=2).proof(9, 9).verdict == "approximate"
