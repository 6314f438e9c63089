"""Views: held against torch's own, number by number, and by what a mirror does to them."""

import pytest
import torch

from tests.equivariance.following.whole import Function, must_give_what_torch_gives, must_mean_what_moves

ORDERS: dict[str, Function] = {
    "view": lambda x: x.view(1, 4, 24),
    "all in one": lambda x: x.reshape(-1),
    "height in two": lambda x: x.unflatten(2, (2, 2)),
    "permute": lambda x: x.permute(0, 2, 3, 1),
    "permute from behind": lambda x: x.permute(0, -1, 1, -2),
    "transpose": lambda x: x.transpose(1, 2),
    "transpose from behind": lambda x: x.transpose(-1, 1),
    "t": lambda x: x[0, 1].t(),
    "t of one dimension": lambda x: torch.ops.aten.t.default(x.reshape(-1)),
    "transpose of one dimension": lambda x: x.reshape(-1).transpose(0, 0),
    "unsqueeze in front": lambda x: x.unsqueeze(0),
    "unsqueeze within": lambda x: x.unsqueeze(2),
    "unsqueeze behind": lambda x: x.unsqueeze(-1),
    "unsqueeze before the last": lambda x: x.unsqueeze(-2),
    "squeeze": lambda x: x.squeeze(),
    "squeeze of one": lambda x: x.squeeze(0),
    "squeeze of two": lambda x: x[:, :1].squeeze((0, 1)),
    "squeeze from behind": lambda x: x.unsqueeze(-1).squeeze(-1),
    "squeeze of none": lambda x: x.squeeze(2),
    "as many again in front": lambda x: x.expand(2, 1, 4, 4, 6),
    "a channel for several": lambda x: x[:, :1].expand(1, 5, 4, 6),
    "expand to the same": lambda x: x.expand(-1, -1, -1, -1),
}


@pytest.mark.parametrize("name", ORDERS)
def test_numbers_are_those_of_torch(name: str) -> None:
    must_give_what_torch_gives(ORDERS[name])


@pytest.mark.parametrize("name", ORDERS)
def test_dimensions_keep_their_meaning(name: str) -> None:
    must_mean_what_moves(ORDERS[name])


def test_a_column_spread_over_many_is_still_an_axis() -> None:
    must_give_what_torch_gives(lambda x: x[..., 2:3].expand(-1, -1, -1, 5))
    must_mean_what_moves(lambda x: (x[..., 2:3] + x[..., 3:4]).expand(-1, -1, -1, 5))
