"""The windows of a recorded operation, as numbers."""

from collections.abc import Sequence

from equivariance.following.recording import Operation, Ref
from equivariance.layers.windows import AxisWindow, pair
from equivariance.theory.grids import AxisSampling

WINDOWS = ("convolution", "max_pool2d_with_indices", "avg_pool2d")


def sampling_of(operation: Operation, shapes: Sequence[tuple[int, ...]]) -> tuple[AxisSampling, AxisSampling] | None:
    """Of height and width, of a convolution or a pool; None of any other operation.

    shapes: of the values of the recording.
    """
    if operation.name not in WINDOWS or operation.outputs[0] is None or not isinstance(operation.args[0], Ref):
        return None
    args = operation.args
    in_hw, out_hw = sides_of(shapes[args[0].number]), sides_of(shapes[operation.outputs[0]])
    if operation.name == "convolution":
        if args[6]:
            return None
        kind, kernel, stride, padding, dilation, ceil_mode = (
            "conv",
            args[1].shape[-2:],
            args[3],
            args[4],
            args[5],
            False,
        )
    else:
        kind = "max" if operation.name != "avg_pool2d" else "padded mean"
        kernel = args[1]
        stride = args[2] if len(args) > 2 and args[2] else kernel
        padding = args[3] if len(args) > 3 else 0
        dilation = args[4] if operation.name != "avg_pool2d" and len(args) > 4 else 1
        ceil_mode = (
            bool(args[5 if operation.name != "avg_pool2d" else 4])
            if len(args) > (5 if operation.name != "avg_pool2d" else 4)
            else False
        )
    height, width = (
        AxisSampling(
            AxisWindow(
                kind, pair(kernel)[axis], pair(stride)[axis], pair(dilation)[axis], pair(padding)[axis], ceil_mode
            ),
            in_hw[axis],
            out_hw[axis],
            pair(padding)[axis],
            pair(padding)[axis],
        )
        for axis in (0, 1)
    )
    return height, width


def prominence(sampling: tuple[AxisSampling, AxisSampling]) -> tuple[int, int, int]:
    """What the window that is shown of a layer has most of: stride, then kernel, then padding."""
    height = sampling[0].window
    return height.stride, height.kernel, height.pad


def sides_of(shape: Sequence[int]) -> tuple[int, int]:
    """(H, W) of a shape of maps; (1, 1) of any other."""
    return (int(shape[-2]), int(shape[-1])) if len(shape) >= 4 else (1, 1)
