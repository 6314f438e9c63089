"""The calls of layers: which values they take and give, and which layer an operation belongs to."""

import torch
from torch import Tensor, nn

from equivariance.following.blank import blank_copy
from equivariance.following.calls import CallNames
from equivariance.following.record import record
from equivariance.following.recording import Recording, Ref
from tests.equivariance.following.test_record import picture_of


def recorded(network: nn.Module) -> Recording:
    return record(network.double().eval(), blank_copy(network), picture_of())


def test_a_name_is_numbered_from_the_second_call_on() -> None:
    names = CallNames()
    assert [names.next(name) for name in ("a", "b", "a", "a", "b")] == ["a", "b", "a#2", "a#3", "b#2"]


def test_a_call_has_its_sides_its_operations_and_its_values() -> None:
    found = recorded(nn.Sequential(nn.Conv2d(2, 3, 3), nn.MaxPool2d(2), nn.Flatten()))
    conv, pool, flatten = found.calls

    assert (conv.name, conv.kind, conv.module_name) == ("0", "Conv2d", "0")
    assert (conv.in_hw, conv.out_hw, conv.out_numbers) == ((6, 6), (4, 4), 48)
    assert (pool.in_hw, pool.out_hw, pool.out_numbers) == ((4, 4), (2, 2), 12)
    assert (flatten.in_hw, flatten.out_hw, flatten.out_numbers) == ((2, 2), (1, 1), 12)
    assert (conv.first, conv.last, pool.first, pool.last, flatten.first) == (0, 1, 1, 2, 2)
    assert conv.input == 0 and conv.output == pool.input and pool.output == flatten.input
    assert found.output == Ref(flatten.output)
    assert [operation.call for operation in found.operations] == ["0", "1", "2"]


def test_maps_with_elements_have_sides_too() -> None:
    found = recorded(nn.Sequential(nn.Unflatten(1, (1, 2)), nn.ReLU()))
    assert found.calls[1].in_hw == found.calls[1].out_hw == (6, 6)


class Fails(nn.Module):
    """A layer that fails after an operation."""

    def forward(self, maps: Tensor) -> Tensor:
        raise ValueError(f"not for {maps.sin().shape}")


class Block(nn.Module):
    """A block whose layer fails."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = Fails()

    def forward(self, maps: Tensor) -> Tensor:
        failed: Tensor = self.fails(maps)
        return failed


class Catches(nn.Module):
    """A network that goes on when its block fails."""

    def __init__(self) -> None:
        super().__init__()
        self.block, self.relu = Block(), nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        try:
            maps = self.block(maps)
        except ValueError:
            maps = maps.cos()
        relued: Tensor = self.relu(maps)
        return relued


def test_a_layer_that_fails_is_not_at_work_any_more() -> None:
    found = recorded(Catches())
    where = {operation.name: (operation.call, operation.block) for operation in found.operations}
    assert where == {"sin": ("block.fails", "block"), "cos": ("", ""), "relu": ("relu", "")}


class Outer(nn.Module):
    """A block in a block, with an operation of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cos(self.inner(maps))


class Inner(nn.Module):
    """A block with an operation of its own, and a chain of layers, which is none."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = nn.Sequential(nn.ReLU())

    def forward(self, maps: Tensor) -> Tensor:
        return torch.sin(self.chain(maps))


def test_a_block_is_the_innermost_module_with_parts_that_is_no_chain() -> None:
    found = recorded(nn.Sequential(Outer()))
    assert {operation.name: operation.block for operation in found.operations} == {
        "relu": "0.inner",
        "sin": "0.inner",
        "cos": "0",
    }


def test_blocks_are_not_looked_at_where_places_are_not() -> None:
    network = nn.Sequential(Outer()).double().eval()
    found = record(network, blank_copy(network), picture_of(), places=False)
    assert {(operation.block, operation.place) for operation in found.operations} == {("", None)}
