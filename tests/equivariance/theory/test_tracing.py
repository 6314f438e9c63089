"""The graph that tracing records: which operations keep every pixel in its place, and which do not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from equivariance.following.blank import blank_copy
from equivariance.layers.plain import FieldMaxPool2d
from equivariance.layers.subsampling import antialiased, declared_windows, symmetric
from equivariance.layers.windows import AxisWindow
from equivariance.theory.tracing import Trace, trace

SIDE_PX = 16  # and as many channels, so that sides alone do not give away what was reduced


class Function(nn.Module):
    """A network that is one function of its picture."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, picture: Tensor) -> Tensor:
        return self.function(picture)


def traced(function: Callable[[Tensor], Tensor]) -> Trace:
    return trace(blank_copy(Function(function)), height_px=SIDE_PX, width_px=SIDE_PX, channels=SIDE_PX)


def kinds(function: Callable[[Tensor], Tensor]) -> list[str]:
    return [step.kind for step in traced(function).steps[1:]]


@pytest.mark.parametrize(
    "reduce",
    [
        lambda maps, dim: maps.amax(dim),
        lambda maps, dim: maps.max(dim).values,
        lambda maps, dim: maps.sum(dim),
        lambda maps, dim: maps.mean(dim),
        lambda maps, dim: torch.linalg.vector_norm(maps, dim=dim),
    ],
    ids=["largest", "largest and its place", "sum", "mean", "length"],
)
def test_only_reductions_over_channels_keep_pixels_in_their_places(reduce: Callable[[Tensor, int], Tensor]) -> None:
    assert kinds(lambda maps: reduce(maps, 1)) == kinds(lambda maps: reduce(maps, -3)) == ["together"]
    for dim in (2, 3, -1, -2):
        assert kinds(lambda maps, dim=dim: reduce(maps, dim)) == ["unknown"]


@pytest.mark.parametrize(
    ("shape", "placed"),
    [
        ((), False),
        ((1,), False),
        ((SIDE_PX, 1, 1), False),
        ((SIDE_PX,), True),
        ((SIDE_PX, 1), True),
        ((1, 1, 1, SIDE_PX), True),
        ((SIDE_PX, SIDE_PX), True),
    ],
)
def test_numbers_that_are_not_of_the_picture_are_placed_where_they_differ_from_pixel_to_pixel(
    shape: tuple[int, ...], placed: bool
) -> None:
    for function in (lambda maps: maps + torch.zeros(shape), lambda maps: torch.zeros(shape) * maps):
        (step,) = traced(function).steps[1:]
        assert (step.kind, step.placed, step.linear) == ("together", placed, False)


def test_weights_of_what_follows_the_last_pixel_are_not_placed() -> None:
    *_, step = traced(
        lambda maps: nn.functional.linear(maps.mean((2, 3)), torch.zeros(5, SIDE_PX), torch.zeros(5))
    ).steps
    assert (step.kind, step.placed) == ("together", False)


def test_a_channel_of_positions_is_placed_and_its_border_is_not_zero() -> None:
    *_, step = traced(lambda maps: torch.cat([maps, torch.zeros(1, 1, SIDE_PX, SIDE_PX)], 1)).steps
    assert (step.kind, step.placed, step.linear) == ("together", True, False)


@pytest.mark.parametrize(("value", "fills"), [(0.0, False), (2.0, True)])
def test_padding_says_whether_it_is_of_zeros(value: float, fills: bool) -> None:
    (pad,) = traced(lambda maps: nn.functional.pad(maps, (1, 1, 2, 2), value=value)).steps[1:]
    assert (pad.kind, pad.pads, pad.fills) == ("pad", ((2, 2), (1, 1)), fills)


def test_padding_of_the_width_alone_leaves_the_height() -> None:
    (pad,) = traced(lambda maps: nn.functional.pad(maps, (1, 2))).steps[1:]
    assert (pad.kind, pad.pads, pad.fills) == ("pad", ((0, 0), (1, 2)), False)


@pytest.mark.parametrize("pads", [(1, 0), (1, 1, 0, 1)])
def test_a_border_on_one_side_that_is_not_zero_is_not_known(pads: tuple[int, ...]) -> None:
    assert kinds(lambda maps: nn.functional.pad(maps, pads, value=1.0)) == ["unknown"]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_resizes_have_a_factor_for_each_side(mode: str) -> None:
    (resize,) = traced(lambda maps: nn.functional.interpolate(maps, size=(24, 8), mode=mode)).steps[1:]
    assert (resize.kind, resize.factors, resize.sides) == ("resize", (1.5, 0.5), None)


@pytest.mark.parametrize("shape", [(1, SIDE_PX, 256), (1, SIDE_PX, 8, 32), (SIDE_PX, 256), (-1,)])
def test_a_view_that_lays_pixels_out_otherwise_is_not_known(shape: tuple[int, ...]) -> None:
    assert kinds(lambda maps: maps.reshape(shape)) == ["unknown"]


def test_adaptive_pools_have_sides() -> None:
    (resize,) = traced(lambda maps: nn.functional.adaptive_avg_pool2d(maps, (5, 3))).steps[1:]
    assert (resize.kind, resize.sides, resize.factors) == ("resize", (5, 3), None)


def test_a_mean_over_all_pixels_is_no_other_mean() -> None:
    assert kinds(lambda maps: maps.mean((2, 3))) == kinds(lambda maps: maps.mean((-1, -2), keepdim=True)) == ["mean"]
    assert kinds(lambda maps: maps.mean((1, 2))) == kinds(lambda maps: maps.mean((0, 2, 3))) == ["unknown"]


WINDOWS: dict[str, tuple[Callable[[Tensor], Tensor], AxisWindow, AxisWindow]] = {
    "largest, by default": (
        lambda x: torch.ops.aten.max_pool2d_with_indices(x, [2, 3])[0],
        AxisWindow("max", 2, 2, 1, 0, False),
        AxisWindow("max", 3, 3, 1, 0, False),
    ),
    "largest": (
        lambda x: nn.functional.max_pool2d(x, 3, (1, 2), 1, (2, 1), ceil_mode=True),
        AxisWindow("max", 3, 1, 2, 1, True),
        AxisWindow("max", 3, 2, 1, 1, True),
    ),
    "mean, by default": (
        lambda x: torch.ops.aten.avg_pool2d(x, [2, 3]),
        AxisWindow("padded mean", 2, 2, 1, 0, False),
        AxisWindow("padded mean", 3, 3, 1, 0, False),
    ),
    "mean of what there is": (
        lambda x: nn.functional.avg_pool2d(x, 3, 2, (1, 0), ceil_mode=True, count_include_pad=False),
        AxisWindow("mean", 3, 2, 1, 1, True),
        AxisWindow("mean", 3, 2, 1, 0, True),
    ),
    "sum": (
        lambda x: nn.functional.avg_pool2d(x, 2, divisor_override=1),
        AxisWindow("mean", 2, 2, 1, 0, False),
        AxisWindow("mean", 2, 2, 1, 0, False),
    ),
    "convolution": (
        lambda x: nn.functional.conv2d(x, torch.zeros(1, SIDE_PX, 3, 5), None, (1, 2), (0, 3), (2, 1)),
        AxisWindow("conv", 3, 1, 2, 0, False),
        AxisWindow("conv", 5, 2, 1, 3, False),
    ),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_are_those_that_torch_was_given(name: str) -> None:
    function, height, width = WINDOWS[name]
    step = traced(function).steps[1]
    assert (step.kind, step.inputs, step.windows) == ("window", (0,), (height, width))


class Pools(nn.Module):
    """Two pools outside its only layer."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        for _ in range(2):
            maps = self.relu(nn.functional.max_pool2d(maps, 2))
        return maps


def test_a_window_outside_all_layers_is_a_call_of_its_own() -> None:
    found = trace(blank_copy(Pools()), height_px=8, width_px=12, channels=3)
    pool = "functional.max_pool2d_with_indices"
    assert [call.name for call in found.calls] == [pool, "relu", f"{pool}#2", "relu#2"]
    first = found.calls[0]
    assert (first.kind, first.module_name) == ("max_pool2d_with_indices", "")
    assert (first.in_hw, first.out_hw, first.windows, first.out_step, first.out_numbers) == (
        (8, 12),
        (4, 6),
        (1,),
        1,
        72,
    )
    assert (found.out_step, found.steps[found.out_step or 0].call) == (4, "relu#2")


def test_a_transposed_convolution_is_not_known() -> None:
    assert kinds(lambda x: nn.functional.conv_transpose2d(x, torch.zeros(SIDE_PX, 1, 2, 2), stride=2)) == ["unknown"]


def memory_of(layer: nn.Module) -> tuple[int, int, int]:
    found = trace(blank_copy(layer), height_px=8, width_px=8, channels=3)
    return found.largest_numbers, found.working_numbers, found.kernel_numbers


def test_memory_is_that_of_what_is_held_at_once() -> None:
    """Input and output, and where float64 windows are copied, these too; of the output 36 pixels of 5 channels."""
    taken, given, kernel = 3 * 64, 5 * 36, 5 * 3 * 9
    assert memory_of(nn.Conv2d(3, 5, 3, bias=False)) == (taken, taken + given, kernel)
    assert memory_of(nn.Conv2d(3, 5, 3, bias=False).double()) == (taken, taken + given + 3 * 9 * 36, kernel)
    assert memory_of(nn.Conv2d(3, 5, 1, bias=False).double()) == (5 * 64, taken + 5 * 64, 15)


@pytest.mark.parametrize("mend", [symmetric, antialiased])
def test_a_layer_that_declares_its_windows_has_a_step_for_each(mend: Callable[[nn.Module], nn.Module]) -> None:
    network = mend(nn.Sequential(nn.ReLU(), FieldMaxPool2d(1, 3, 2, 0)))
    declared = declared_windows(network[1])  # type: ignore[index]
    found = trace(blank_copy(network), height_px=9, width_px=12, channels=3)

    relu, *steps = found.steps[1:]
    assert relu.inputs == (0,) and [step.windows for step in steps] == list(declared) and declared
    assert [(step.kind, step.inputs, step.call) for step in steps] == [
        ("window", (at + 1,), "1") for at in range(len(declared))
    ]
    assert found.calls[1].windows == tuple(range(2, 2 + len(declared))) and found.out_step == 1 + len(declared)
