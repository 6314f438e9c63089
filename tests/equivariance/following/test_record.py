"""A recording, run again from its operations, must give what the network gives: writes, views and aliases too."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from equivariance.following.blank import blank_copy
from equivariance.following.computed import scattered
from equivariance.following.record import record
from equivariance.following.recorder import Keys
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
    assert operation.args[1].owner == "w" and recording.doubts == [] and not recording.on_data
    assert (operation.place.file, operation.call, operation.block) == (__file__, "network", "")


READS = "the code reads numbers that depend on the picture"
DOUBTED: dict[str, tuple[Callable[[Tensor], Tensor], tuple[str, str]]] = {
    "item": (lambda x: x * x.mean().item(), ("item", READS)),
    "if": (lambda x: x if x.mean() > 0.5 else -x, ("item", READS)),
    "equal": (lambda x: x if torch.equal(x, x.flip(1)) else -x, ("equal", READS)),
    "numpy": (
        lambda x: x + torch.from_numpy(x.numpy().copy()),
        ("tensor", "its numbers come from the picture by a way outside torch"),
    ),
    "list": (
        lambda x: x * float(x.numpy().mean()),
        ("mul", "it takes numbers that come from the picture by a way outside torch"),
    ),
    "branch by numpy": (
        lambda x: x.sin() if x.numpy().max() > 0.85 else x.sin().cos(),
        ("if", "which operations run depends on the picture"),
    ),
    "random": (lambda x: x + torch.rand(1, dtype=torch.float64), ("rand", "it draws random numbers")),
}


@pytest.mark.parametrize("name", DOUBTED)
def test_what_may_not_hold_for_other_pictures_is_doubted(name: str) -> None:
    function, expected = DOUBTED[name]
    network = Apply(function)
    recording = record(network, blank_copy(network), picture_of())
    assert expected in [(what, why) for what, _, why in recording.doubts]
    assert recording.on_data == (name != "random")
    assert all(place is None or place.file == __file__ for _, place, _ in recording.doubts)


FIXED = torch.arange(6.0, dtype=torch.float64).numpy()


def test_numbers_from_elsewhere_that_are_always_the_same_are_not_doubted() -> None:
    def function(maps: Tensor) -> Tensor:
        return maps * torch.from_numpy(FIXED) + float(FIXED.mean()) if maps.shape[0] == 1 else maps

    recording = record(Apply(function), None, picture_of())
    assert recording.doubts == [] and recording.on_data
    ((constant, place),) = recording.foreign
    assert constant.value().tolist() == FIXED.tolist() and place is not None and place.file == __file__


def test_numbers_from_elsewhere_are_those_of_when_they_were_used() -> None:
    def function(maps: Tensor) -> Tensor:
        numbers = torch.ones(1, dtype=torch.float64).numpy()
        result = maps * torch.from_numpy(numbers)
        numbers += 1
        return result

    picture = picture_of()
    torch.testing.assert_close(run_again(record(Apply(function), None, picture), picture), picture)


def only_on_data(error: Exception) -> Callable[[Tensor], Tensor]:
    def function(maps: Tensor) -> Tensor:
        if maps.is_meta:
            raise error
        return maps.sin()

    return function


@pytest.mark.parametrize(
    "error",
    [TypeError("no number"), NotImplementedError("not on Meta tensors"), RuntimeError("no meta kernel")],
    ids=repr,
)
def test_what_cannot_be_done_without_numbers_is_done_on_them(error: Exception) -> None:
    network = Apply(only_on_data(error))
    recording = record(network, blank_copy(network), picture_of())
    assert recording.on_data and [operation.name for operation in recording.operations] == ["sin"]


@pytest.mark.parametrize("error", [RuntimeError("sizes do not match"), ValueError("meta")], ids=repr)
def test_errors_of_the_network_itself_pass_through(error: Exception) -> None:
    network = Apply(only_on_data(error))
    with pytest.raises(type(error), match=str(error)):
        record(network, blank_copy(network), picture_of())


def test_constants_have_one_key_in_all_recordings_of_a_network() -> None:
    network = Apply(lambda x, w: x * (w * 2) + w.sin(), w=torch.ones(1, dtype=torch.float64))
    keys, blank = Keys(), blank_copy(network)
    first, second = (
        [operation.args[1].key for operation in record(network, blank, picture_of(side), keys).operations]
        for side in (6, 7)
    )
    assert first == second and None not in first and len(set(first)) == 2


def test_random_and_foreign_numbers_have_no_key() -> None:
    network = Apply(lambda x: x * (torch.rand(1, dtype=torch.float64) + 1) * torch.from_numpy(FIXED).sin())
    first, second = record(network, None, picture_of()).operations
    assert first.args[1].key is None and second.args[1].key is None


def test_numbers_of_memory_that_nobody_wrote_are_zero() -> None:
    network = Apply(lambda x: x + torch.empty(3, 1, 6, dtype=torch.float64)[:1] * 0 + torch.empty_like(x[:, :1]))
    recording = record(network, blank_copy(network), picture_of())
    constants = [entry for operation in recording.operations for entry in operation.args if isinstance(entry, Constant)]
    assert constants and all(not bool(each.value().any()) for each in constants)


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


def test_numbers_that_only_have_the_picture_s_shape_have_no_key() -> None:
    network = Apply(lambda x: x * torch.ones_like(x[:, :1]))
    (*_, operation) = record(network, blank_copy(network), picture_of()).operations
    assert operation.args[1].key is None and float(operation.args[1].value().sum()) == 36
