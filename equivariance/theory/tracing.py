"""What a network does to the pixel grid, recorded from its own modules as they are called.

The network runs once on torch's meta device (shapes without data) under a dispatch mode, so branches, reused modules
and functional calls are all seen, whatever the code of the network looks like.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from equivariance.following.arguments import flat
from equivariance.following.calls import CallNames
from equivariance.following.shapes import output_of, side_of
from equivariance.layers.export import layers_of
from equivariance.layers.subsampling import declared_windows
from equivariance.layers.windows import AxisWindow, pair
from equivariance.theory.grids import Step

aten = torch.ops.aten


@dataclass(frozen=True)
class Call:
    """One call of one layer: its place in the network, its sides, and the numbers of its steps in the graph.

    `out_numbers`: how many numbers its output has, for one picture.
    """

    name: str
    kind: str
    module_name: str
    in_hw: tuple[int, int]
    out_hw: tuple[int, int]
    windows: tuple[int, ...]
    out_step: int | None
    out_numbers: int


@dataclass(frozen=True)
class Trace:
    """The calls of one pass in order, and the graph of all steps; `out_step` is the network's output.

    `largest_numbers`: of the largest tensor, for one picture; `working_numbers`: of the operation that has most
    numbers at once, its input, its output and its own workspace; `kernel_numbers`: of the largest kernel.
    """

    height_px: int
    width_px: int
    calls: tuple[Call, ...]
    steps: tuple[Step, ...]
    out_step: int | None
    largest_numbers: int
    working_numbers: int
    kernel_numbers: int


def trace(blank: nn.Module, *, height_px: int, width_px: int, channels: int = 3) -> Trace:
    """The calls of `blank` (see `following.blank`) for a picture of height × width; torch's own errors pass through."""
    assert not torch.is_inference_mode_enabled(), "a recording sees other operations in it"
    dtype = next((p.dtype for p in blank.parameters() if p.is_floating_point()), torch.float32)
    picture = torch.zeros(1, channels, height_px, width_px, device="meta", dtype=dtype)
    recorder = _Recorder(picture)
    with torch.device("meta"), torch.no_grad(), recorder.watch(blank), recorder:  # also for tensors that it makes
        output = blank(picture)
    return Trace(
        height_px,
        width_px,
        tuple(recorder.calls),
        tuple(recorder.steps),
        recorder.step_of(output),
        recorder.largest_numbers,
        recorder.working_numbers,
        recorder.kernel_numbers,
    )


class _OpenCall:
    def __init__(self, name: str, module_name: str, kind: str, in_hw: tuple[int, int]) -> None:
        self.name, self.module_name, self.kind, self.in_hw = name, module_name, kind, in_hw
        self.windows: list[int] = []
        self.in_step: int | None = None  # of a layer whose steps are not recorded one by one

    def close(self, output: Any, out_step: int | None) -> Call:
        return Call(
            self.name,
            self.kind,
            self.module_name,
            self.in_hw,
            side_of(output),
            tuple(self.windows),
            out_step,
            output.numel() if isinstance(output, Tensor) else 0,
        )


class _Recorder(TorchDispatchMode):
    """Numbers the tensors that come from the picture and writes down which operation made each."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False: else torch imports its compiler, 50 MB and a second, to be told that it is not to compile this."""
        return False

    def __init__(self, picture: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's mode has no types
        self.calls: list[Call] = []
        self.steps: list[Step] = [Step("picture")]
        self.largest_numbers = self.working_numbers = self.kernel_numbers = 0
        self._kept: list[Tensor] = [picture]  # so that ids stay unique while recording
        self._step_of: dict[int, int] = {id(picture): 0}
        self._vectors: set[int] = set()  # steps that have given one pixel without its place: (B, C)
        self._open: list[_OpenCall] = []
        self._names = CallNames()

    def step_of(self, value: Any) -> int | None:
        """The step that made a tensor; None for anything that does not come from the picture."""
        return self._step_of.get(id(value)) if isinstance(value, Tensor) else None

    @contextmanager
    def watch(self, network: nn.Module) -> Iterator[None]:
        """Open and close a call around every layer of `network`."""
        handles = []
        for name, module in layers_of(network):
            handles.append(module.register_forward_pre_hook(self._opener(name or "network")))
            handles.append(module.register_forward_hook(self._close))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _opener(self, name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            call = _OpenCall(self._names.next(name), name, type(module).__name__, side_of(inputs[0]))
            call.in_step = self.step_of(inputs[0]) if declared_windows(module) else None
            self._open.append(call)

        return hook

    def _close(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        call = self._open.pop()
        if call.in_step is not None:
            for windows in declared_windows(module):
                inputs = (call.windows[-1] if call.windows else call.in_step,)
                call.windows.append(len(self.steps))
                self._note(output, Step("window", inputs, call.name, windows))
        self.calls.append(call.close(output, self.step_of(output)))

    def _note(self, value: Tensor, step: Step) -> None:
        self.steps.append(step)
        self._step_of[id(value)] = len(self.steps) - 1
        self._kept.append(value)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = output_of(func, args, kwargs or {}, _windows(func, args, kwargs or {}))
        self._note_memory(func, args, output)
        if self._open and self._open[-1].in_step is not None:
            return output
        inputs = [value for value in flat(args) if self.step_of(value) is not None]
        if inputs:
            values = output if isinstance(output, tuple | list) else (output,)
            step = self._step(func, args, kwargs or {}, values[0], inputs)
            is_flat = isinstance(values[0], Tensor) and values[0].dim() == 2
            if step.kind != "unknown" and (is_flat or self._are_vectors(step.inputs)):
                self._vectors.add(len(self.steps))
            self.steps.append(step)
            for value in values:
                if isinstance(value, Tensor):
                    self._step_of[id(value)] = len(self.steps) - 1
                    self._kept.append(value)
        return output

    def _are_vectors(self, steps: tuple[int, ...]) -> bool:
        """Whether these steps have given no more than one pixel each: nothing that is done to them has a place."""
        return self._vectors.issuperset(steps)

    def _note_memory(self, func: Any, args: Any, output: Any) -> None:
        inputs, columns = args, 0
        if func is aten.convolution.default:
            inputs, columns = args[:1], _columns(args[0], args[1], output)
            self.kernel_numbers = max(self.kernel_numbers, args[1].numel())
        numbers = [value.numel() for value in flat((*inputs, output)) if isinstance(value, Tensor)]
        self.largest_numbers = max(self.largest_numbers, max(numbers, default=0))
        self.working_numbers = max(self.working_numbers, sum(numbers) + columns)

    def _step(self, func: Any, args: Any, kwargs: dict[str, Any], output: Any, inputs: list[Tensor]) -> Step:
        numbers = tuple(self._step_of[id(value)] for value in inputs)
        call = self._open[-1].name if self._open else ""
        if self._are_vectors(numbers):
            return Step("together", numbers, call)
        windows = _windows(func, args, kwargs)
        if windows is not None and output.dim() == 4:
            return Step("window", numbers[:1], self._note_window(func, inputs[0], output), windows)
        if func is aten.constant_pad_nd.default and not any(args[1][4:]):
            padding = [*args[1], 0, 0][:4]
            if any(args[2:]) and (padding[0], padding[2]) != (padding[1], padding[3]):
                return Step("unknown", numbers, call)  # a one-sided border that is not zero is not merged with others
            pads = (padding[2], padding[3]), (padding[0], padding[1])
            return Step("pad", numbers, call, pads=pads, fills=any(args[2:]))
        if func in _ADAPTIVE:
            return Step("resize", numbers, call, sides=side_of(output))
        if func in _UPSAMPLING and output.dim() == 4:
            (height, width), (out_height, out_width) = side_of(inputs[0]), side_of(output)
            return Step("resize", numbers, call, factors=(out_height / height, out_width / width))
        if func is aten.mean.dim and _over_space(args):
            return Step("mean", numbers, call)
        if _pixel_by_pixel(func, args, inputs, output):
            placed = output.dim() >= 3 and _is_placed(func, args, inputs)  # a flattened pixel has no neighbours
            return Step("together", numbers, call, linear=func in _VIEWS and not placed, placed=placed)
        return Step("unknown", numbers, call)

    def _note_window(self, func: Any, features: Tensor, output: Tensor) -> str:
        """The name of the call that a window belongs to; one made outside any layer becomes a call of its own."""
        number = len(self.steps)
        if self._open:
            self._open[-1].windows.append(number)
            return self._open[-1].name
        kind = func.overloadpacket.__name__
        call = _OpenCall(self._names.next(f"functional.{kind}"), "", kind, side_of(features))
        call.windows.append(number)
        self.calls.append(call.close(output, number))
        return call.name


def _columns(features: Tensor, weight: Tensor, output: Tensor) -> int:
    """Numbers that a float64 convolution copies its windows into: torch has nothing faster for it on a CPU."""
    taps = weight.shape[-2] * weight.shape[-1]
    if features.dtype != torch.float64 or features.dim() != 4 or taps == 1:
        return 0
    return features.shape[1] * taps * output.shape[-2] * output.shape[-1]


def _windows(func: Any, args: Any, kwargs: dict[str, Any]) -> tuple[AxisWindow, AxisWindow] | None:
    """The windows of a convolution or a pool for height and width; None for any other operation."""

    def argument(position: int, name: str, default: Any) -> Any:
        return args[position] if len(args) > position else kwargs.get(name, default)

    ceil_mode, dilation = False, (1, 1)
    if func is aten.convolution.default and not args[6]:
        kind, kernel, stride, padding, dilation = "conv", args[1].shape[-2:], args[3], args[4], pair(args[5])
    elif func is aten.max_pool2d_with_indices.default:
        kind, kernel, dilation = "max", args[1], pair(argument(4, "dilation", 1))
        stride, padding, ceil_mode = (
            argument(2, "stride", ()),
            argument(3, "padding", 0),
            argument(5, "ceil_mode", False),
        )
    elif func is aten.avg_pool2d.default:
        counts_padding = argument(5, "count_include_pad", True) and argument(6, "divisor_override", None) is None
        kind, kernel = "padded mean" if counts_padding else "mean", args[1]
        stride, padding, ceil_mode = (
            argument(2, "stride", ()),
            argument(3, "padding", 0),
            argument(4, "ceil_mode", False),
        )
    else:
        return None
    kernels, strides, paddings = pair(kernel), pair(stride or kernel), pair(padding)
    height, width = (
        AxisWindow(kind, kernels[axis], strides[axis], dilation[axis], paddings[axis], ceil_mode) for axis in (0, 1)
    )
    return height, width


def _over_space(args: Any) -> bool:
    dims = {dim % args[0].dim() for dim in args[1] or ()}
    return dims == {args[0].dim() - 2, args[0].dim() - 1}


def _pixel_by_pixel(func: Any, args: Any, inputs: list[Tensor], output: Any) -> bool:
    """Whether each output pixel depends on the input pixels at its own place alone."""
    if not isinstance(output, Tensor):
        return False
    if output.dim() == 2 and all(value.dim() == 2 or value.shape[-2:] == (1, 1) for value in inputs):
        return True  # flattening one pixel
    if func not in _VIEWS and func not in _CHANNEL_MIXING and torch.Tag.pointwise not in func.tags:
        return False
    if _reduces_space(func, args):
        return False
    sides = {tuple(value.shape[-2:]) for value in inputs if value.dim() >= 3}
    return output.dim() >= 3 and sides == {tuple(output.shape[-2:])}


def _is_placed(func: Any, args: Any, inputs: list[Tensor]) -> bool:
    """Whether a tensor takes part that does not come from the picture and differs from pixel to pixel."""
    known = {id(value) for value in inputs}
    constants = [value for value in flat(args) if isinstance(value, Tensor) and id(value) not in known]
    return func not in _CHANNEL_MIXING and any(max(value.shape[-2:], default=1) > 1 for value in constants)


def _reduces_space(func: Any, args: Any) -> bool:
    """Whether a reduction takes rows or columns together; a normalization takes none."""
    if func not in _DIMS_AT:
        return False
    dims = args[_DIMS_AT[func]] if len(args) > _DIMS_AT[func] else None
    count = args[0].dim()
    return dims is None or dims == [] or any(dim % count >= count - 2 for dim in flat((dims,)))


# Resizes that map centre on centre: their windows are their own mirror images.
_ADAPTIVE = {aten._adaptive_avg_pool2d.default, aten.adaptive_max_pool2d.default}
_UPSAMPLING = {
    aten.upsample_bilinear2d.default,
    aten.upsample_bilinear2d.vec,
    aten.upsample_bicubic2d.default,
    aten.upsample_bicubic2d.vec,
}
# Views and copies keep zeros zero; the others mix channels but not pixels. Both only where the last two sides stay.
_VIEWS = {
    aten.view.default,
    aten._unsafe_view.default,
    aten.clone.default,
    aten.cat.default,
    aten.unsqueeze.default,
    aten.expand.default,
    aten._to_copy.default,
    aten.detach.default,
    aten.split.Tensor,
    aten.slice.Tensor,
}
_DIMS_AT = {  # reductions, and which argument says over what
    aten.amax.default: 1,
    aten.max.dim: 1,
    aten.sum.dim_IntList: 1,
    aten.mean.dim: 1,
    aten.linalg_vector_norm.default: 2,
}
_CHANNEL_MIXING = {
    aten.native_batch_norm.default,
    aten._native_batch_norm_legit_no_training.default,
    aten.cudnn_batch_norm.default,
    *_DIMS_AT,
}
