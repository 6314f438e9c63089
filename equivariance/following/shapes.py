"""What common operations give on the meta device, worked out here.

torch's own way imports its compiler: 70 MB and a second of a small host, before the first verdict.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from equivariance.layers.windows import AxisWindow

aten = torch.ops.aten
Windows = tuple[AxisWindow, AxisWindow]  # of height and width


def output_of(func: Any, args: Any, kwargs: dict[str, Any], windows: Windows | None) -> Any:
    """What `func` gives for tensors on the meta device; `windows` are those of a convolution or pool.

    Operations not listed below, and arguments that torch will refuse, are left to torch.
    """
    if windows is not None:
        output = _windowed(func, args, windows)
    elif func in _POINTWISE and not kwargs:
        output = args[0].new_empty(_broadcast(args))
    elif func in _REDUCTIONS and not kwargs:
        output = args[0].new_empty(_reduced(*args))
    elif func is aten.native_batch_norm.default and not args[5]:  # by its running statistics
        output = args[0].new_empty(args[0].shape), args[0].new_empty(0), args[0].new_empty(0)
    elif func is aten.addmm.default and args[1].shape[1] == args[2].shape[0]:
        output = args[0].new_empty(args[1].shape[0], args[2].shape[1])
    elif func is aten.gather.default:
        output = args[0].new_empty(args[2].shape)
    else:
        output = None
    return func(*args, **kwargs) if output is None else output


def _windowed(func: Any, args: Any, windows: Windows) -> Any:
    features = args[0]
    if features.dim() != 4:
        return None
    sides = [window.out_side(side) for window, side in zip(windows, features.shape[2:], strict=True)]
    if min(sides) < 1:
        return None
    if func is aten.convolution.default:
        fits = features.shape[1] == args[1].shape[1] * args[8]
        return features.new_empty(features.shape[0], args[1].shape[0], *sides) if fits else None
    output = features.new_empty(*features.shape[:2], *sides)
    indices = features.new_empty(output.shape, dtype=torch.int64)
    return (output, indices) if func is aten.max_pool2d_with_indices.default else output


def _broadcast(args: Any) -> tuple[int, ...]:
    """The shape of all tensors together, as torch broadcasts them."""
    return np.broadcast_shapes(*(tuple(value.shape) for value in args if isinstance(value, Tensor)))


def _reduced(features: Tensor, dims: Any = (), keepdim: bool = False) -> tuple[int, ...]:
    """The shape without `dims`, or with 1 in their place; no dims are all dims."""
    gone = {dim % features.dim() for dim in dims or range(features.dim())}
    shape = enumerate(features.shape)
    return tuple(1 if dim in gone else side for dim, side in shape if keepdim or dim not in gone)


# With the dtype of the first tensor and the shape of all.
_POINTWISE = {
    aten.relu.default,
    aten.elu.default,
    aten.sqrt.default,
    aten.add.Tensor,
    aten.mul.Tensor,
    aten.div.Tensor,
    aten.pow.Tensor_Scalar,
}
_REDUCTIONS = {aten.mean.dim, aten.sum.dim_IntList, aten.amax.default}


def side_of(value: Any) -> tuple[int, int]:
    """(H, W) of maps (B, C, H, W) or (B, C, |G|, H, W); (1, 1) of anything else."""
    if isinstance(value, Tensor) and value.dim() in (4, 5):
        return int(value.shape[-2]), int(value.shape[-1])
    return 1, 1
