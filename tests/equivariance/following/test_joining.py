"""What is put side by side: held against torch's own, and the types of channels one after the other."""

import pytest
import torch

from equivariance.following.dims import HEIGHT, WIDTH, Atom, Dim, UnclearError, channels, type_of, unknown_channels
from equivariance.following.joining import joined
from equivariance.following.kinds import Kinds
from equivariance.following.recording import Constant
from equivariance.following.skeleton import Context, Skeleton
from equivariance.groups.fields import FieldType, regular, scalars
from equivariance.groups.point_groups import C4, Element
from tests.equivariance.following.whole import Function, must_give_what_torch_gives, must_mean_what_moves

ZEROS = torch.zeros(1, 4, 4, 2, dtype=torch.float64)
ROWS = torch.randn(1, 1, 2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
JOINED: dict[str, Function] = {
    "channels": lambda x: torch.cat([x, x[:, 1:3]], 1),
    "columns": lambda x: torch.cat([x[..., :2], x], -1),
    "rows": lambda x: torch.cat([x, x, x[:, :, 3:]], 2),
    "columns of zeros": lambda x: torch.cat([ZEROS, x], 3),
    "rows of numbers": lambda x: torch.cat([x[:, :1], ROWS], 2),
    "an empty tensor of old": lambda x: torch.cat([torch.empty(0, dtype=x.dtype), x], 1),
    "no channels": lambda x: torch.cat([x[:, :0], x], 1),
    "channels alike, then apart": lambda x: torch.cat([x[:, :1].expand(1, 4, 4, 6), x], 3),
    "channels apart, then alike": lambda x: torch.cat([x, x[:, :1].expand(1, 4, 4, 6)], 3),
    "stack": lambda x: torch.stack([x, -x], 1),
    "stack behind": lambda x: torch.stack([x, -x], -1),
    "stack in front": lambda x: torch.stack([x, -x]),
    "repeat": lambda x: x.repeat(1, 2, 1, 1),
    "repeat columns": lambda x: x.repeat(1, 1, 1, 3),
    "repeat in front": lambda x: x.repeat(2, 1, 1, 1, 1),
    "repeat rows and columns": lambda x: x.repeat(1, 1, 2, 2),
    "repeat once": lambda x: x.repeat(1, 1, 1, 1),
}
CENTRED: dict[str, Function] = {
    "channels": lambda x: torch.cat([x, x[:, 1:3]], 1),
    "columns on both sides": lambda x: torch.cat([x[..., :1], x, x[..., -1:]], -1),
    "stack": lambda x: torch.stack([x, -x], 2),
    "repeat": lambda x: x.repeat(1, 2, 1, 1),
}


@pytest.mark.parametrize("name", JOINED)
def test_numbers_are_those_of_torch(name: str) -> None:
    must_give_what_torch_gives(JOINED[name])


@pytest.mark.parametrize("name", CENTRED)
def test_dimensions_keep_their_meaning(name: str) -> None:
    must_mean_what_moves(CENTRED[name])


def context() -> Context:
    made = Context(Kinds(C4, ()), [(1, 1)], 0)
    made.world = Element()
    return made


def of_channels(dim: Dim) -> Skeleton:
    return Skeleton((dim,), torch.ones([atom.width for atom in dim] or [1], dtype=torch.float64))


def test_types_and_parts_come_one_after_the_other() -> None:
    both = joined(context(), [of_channels((channels(4, regular(C4, 1)),)), of_channels((channels(2),))], 0)
    assert type_of(both.dims[0]) == FieldType((*regular(C4, 1).runs, *scalars(2).runs))
    assert both.dims[0][0].parts == (4, 2)


def test_one_unknown_type_makes_all_unknown() -> None:
    both = joined(context(), [of_channels((channels(4),)), of_channels((unknown_channels(2),))], 0)
    assert type_of(both.dims[0]) is None and both.dims[0][0].size == 6


def test_constant_channels_are_scalar_ones_of_their_own_part() -> None:
    constant = Constant((3,), lambda: torch.zeros(3))
    both = joined(context(), [of_channels((channels(2),)), constant], 0)
    assert both.dims[0][0].parts == (2, 3) and type_of(both.dims[0]) == scalars(5)
    assert both.tensor.tolist() == [1.0, 0.0]


def test_unlike_dimensions_are_not_joined() -> None:
    rows = Skeleton(((Atom(HEIGHT, 2),),), torch.ones(2))
    columns = Skeleton(((Atom(WIDTH, 2),),), torch.ones(2))
    several = of_channels((channels(2), channels(3)))
    for values in ([rows, columns], [several, several]):
        with pytest.raises(UnclearError, match="unlike"):
            joined(context(), values, 0)


def test_what_is_stacked_is_of_no_known_type_along_the_new_dimension() -> None:
    """Copies in an order of their own: no element exchanges them, and none may be taken for a field."""
    from tests.equivariance.following.whole import skeleton_of

    found = skeleton_of(lambda x: torch.stack([x, -x], 1))
    assert type_of(found.dims[1]) is None
    assert type_of(found.dims[2]) == scalars(4)
