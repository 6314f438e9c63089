"""A recording, run again from its operations, must give what the network gives: writes, views and aliases too."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from equivariance.following.blank import blank_copy
from equivariance.following.computed import scattered
from equivariance.following.record import record
from equivariance.following.recording import Constant, Recording, Ref
from tests.equivariance.draws import moves
from tests.equivariance.draws.tools import Apply

WRITES = [
    moves._border_zero,
    moves._added_twice,
    moves._through_view,
    moves._zeros_filled,
    moves._relu_there,
    moves._row_swap,
    moves._one_side,
    moves._view_of_view,
    moves._index_put,
    moves._expanded,
    moves._out,
    moves._half_scaled,
    moves._flat_view,
    moves._alias_read,
    moves._copy_back,
]


def run_again(recording: Recording, picture: Tensor) -> Any:
    """The output of the recorded operations, each without writing into what it is given."""
    values: dict[int, Tensor] = {0: picture}

    def real(entry: Any) -> Any:
        if isinstance(entry, Ref):
            return values[entry.number]
        if isinstance(entry, Constant):
            return entry.value()
        if isinstance(entry, list | tuple):
            return type(entry)(real(each) for each in entry)
        if isinstance(entry, dict):
            return {name: real(each) for name, each in entry.items() if name != "device"}
        return entry

    for operation in recording.operations:
        if operation.func is None:
            base, part = real(operation.args)
            results: Any = scattered(base, part, [(f, a, k, at) for f, a, k, at in operation.view])
        else:
            args = [each.clone() if isinstance(each, Tensor) else each for each in real(operation.args)]
            results = operation.func(*args, **real(operation.kwargs))
        results = results if isinstance(results, tuple | list) else (results,)
        for number, result in zip(operation.outputs, results, strict=False):
            if number is not None:
                values[number] = result
    return real(recording.output)


def picture_of(side: int = 6) -> Tensor:
    return torch.rand(1, 2, side, side, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
@pytest.mark.parametrize("is_blank", [True, False], ids=["shapes alone", "on data"])
def test_writes_views_and_aliases_are_recorded_as_they_happen(
    write: Callable[[Tensor], Tensor], is_blank: bool
) -> None:
    network, picture = Apply(write), picture_of()
    recording = record(network, blank_copy(network) if is_blank else None, picture)
    torch.testing.assert_close(run_again(recording, picture), write(picture.clone()))


def test_a_layer_called_twice_has_two_names() -> None:
    layer = nn.ReLU()
    network = nn.Sequential(layer, nn.Tanh(), layer)
    assert [call.name for call in record(network, blank_copy(network), picture_of()).calls] == ["0", "1", "0#2"]


def test_operations_without_the_picture_are_constants() -> None:
    network = Apply(lambda x, w: x * (w * 2).cumsum(0)[-1], w=torch.ones(3, dtype=torch.float64))
    recording = record(network, blank_copy(network), picture_of())
    (operation,) = recording.operations
    assert operation.name == "mul" and float(operation.args[1].value()) == 6.0


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x.mean().item(),
        lambda x: x if x.mean() > 0.5 else -x,
        lambda x: x + torch.from_numpy(x.numpy().copy()),
        lambda x: x + torch.rand(1, dtype=torch.float64),
    ],
    ids=["item", "if", "numpy", "random"],
)
def test_what_may_not_hold_for_other_pictures_is_doubted(function: Callable[[Tensor], Tensor]) -> None:
    network = Apply(function)
    assert record(network, blank_copy(network), picture_of()).doubts


def test_a_buffer_that_each_pass_changes_is_doubted() -> None:
    def counted(maps: Tensor, count: Tensor) -> Tensor:
        count.add_(1)
        return maps + count

    network = Apply(counted, count=torch.zeros(1, dtype=torch.float64))
    recording = record(network, blank_copy(network), picture_of())
    assert [why for _, _, why in recording.doubts] == [
        "it changes a parameter or buffer, so that each pass depends on those before"
    ]


def test_a_network_that_only_reads_is_not_doubted() -> None:
    network = nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True)).double().eval()
    assert not record(network, blank_copy(network), picture_of()).doubts
