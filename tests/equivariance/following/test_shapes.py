"""Shapes of operations: what torch itself says on the meta device, and nothing imported for it."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import equivariance.theory.tracing as tracing
from equivariance.following.shapes import output_of, side_of
from equivariance.layers.windows import AxisWindow
from equivariance.theory.exactness import Structure
from models.build import serve
from models.catalog import FAMILIES, SUBSAMPLINGS, spec
from tests.support import ROOT

aten = torch.ops.aten
NAMES = [f"{group}-{family}" for group in ("p4m", "c8", "so2") for family in FAMILIES]
QUICK = {*(f"p4m-{family}" for family in FAMILIES), "c8-cnn", "c8-resnet18-large", "so2-cnn", "so2-knight"}


def blank(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")


MAPS = blank(2, 6, 9, 11)
CASES: dict[str, tuple[Any, tuple[Any, ...], AxisWindow | None]] = {
    "relu": (aten.relu.default, (MAPS,), None),
    "elu": (aten.elu.default, (MAPS, 0.5), None),
    "sqrt": (aten.sqrt.default, (MAPS,), None),
    "add": (aten.add.Tensor, (MAPS, blank(6, 1, 1)), None),
    "mul by a number": (aten.mul.Tensor, (MAPS, 2.0), None),
    "div of a smaller tensor": (aten.div.Tensor, (blank(9, 11), MAPS), None),
    "pow": (aten.pow.Tensor_Scalar, (MAPS, 2), None),
    "mean": (aten.mean.dim, (MAPS, [-2, -1]), None),
    "mean, dims kept": (aten.mean.dim, (MAPS, [1], True), None),
    "sum": (aten.sum.dim_IntList, (MAPS, [2]), None),
    "sum of all": (aten.sum.dim_IntList, (MAPS, None), None),
    "amax": (aten.amax.default, (MAPS, [2, -1]), None),
    "amax of all": (aten.amax.default, (MAPS,), None),
    "norm": (aten.native_batch_norm.default, (MAPS, *(blank(6) for _ in range(4)), False, 0.1, 1e-5), None),
    "addmm": (aten.addmm.default, (blank(5), blank(2, 3), blank(3, 5)), None),
    "gather": (aten.gather.default, (MAPS, 3, torch.empty(2, 6, 9, 4, dtype=torch.int64, device="meta")), None),
    "conv": (
        aten.convolution.default,
        (MAPS, blank(8, 3, 3, 3), None, [2, 2], [1, 1], [2, 2], False, [0, 0], 2),
        AxisWindow("conv", 3, 2, 2, 1),
    ),
    "max-pool": (
        aten.max_pool2d_with_indices.default,
        (MAPS, [2, 2], [2, 2], [0, 0], [1, 1], True),
        AxisWindow("max", 2, 2, ceil_mode=True),
    ),
    "mean-pool": (aten.avg_pool2d.default, (MAPS, [3, 3], [2, 2], [1, 1]), AxisWindow("mean", 3, 2, pad=1)),
}


def described(output: Any) -> list[tuple[torch.Size, torch.dtype]]:
    tensors = output if isinstance(output, tuple) else (output,)
    return [(tensor.shape, tensor.dtype) for tensor in tensors]


@pytest.mark.parametrize("name", CASES)
def test_shape_and_dtype_are_those_of_torch(name: str) -> None:
    func, args, window = CASES[name]
    found = described(output_of(func, args, {}, None if window is None else (window, window)))
    expected = described(func(*args))
    compared = 1 if name == "norm" else len(expected)  # the statistics of a norm are of no use
    assert found[:compared] == expected[:compared]


class Asked(TorchDispatchMode):
    """Writes down the operations that torch is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations.append(func)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", [*CASES, "to one pixel"])
def test_what_is_listed_is_worked_out_without_torch(name: str) -> None:
    func, args, window = CASES.get(name) or (aten.avg_pool2d.default, (MAPS, [9, 11]), None)
    windows = (window, window) if window else None
    if name == "to one pixel":
        windows = AxisWindow("mean", 9), AxisWindow("mean", 11)
    with Asked() as asked:
        output_of(func, args, {}, windows)
    assert func not in asked.operations


def test_what_is_not_listed_is_left_to_torch() -> None:
    assert output_of(aten.cos.default, (MAPS,), {}, None).shape == MAPS.shape
    transposed = (MAPS, blank(6, 4, 3, 3), None, [2, 2], [0, 0], [1, 1], True, [0, 0], 1)
    assert output_of(aten.convolution.default, transposed, {}, None).shape == (2, 4, 19, 23)


@pytest.mark.parametrize("weight", [blank(8, 5, 3, 3), blank(8, 6, 10, 10)], ids=["channels", "kernel"])
def test_what_torch_refuses_is_refused(weight: Tensor) -> None:
    window = AxisWindow("conv", weight.shape[-1])
    args = (MAPS, weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)
    with pytest.raises(RuntimeError):
        output_of(aten.convolution.default, args, {}, (window, window))


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.full) for name in NAMES]
)
def test_recordings_are_those_that_torch_gives(monkeypatch: pytest.MonkeyPatch, name: str, subsampling: str) -> None:
    network = spec(name, minimum_width=True, subsampling=subsampling)
    structure = Structure(serve(network), network.point_group)
    found = structure.trace(height_px=40, width_px=41)
    structure._traces.clear()
    monkeypatch.setattr(tracing, "output_of", lambda func, args, kwargs, windows: func(*args, **kwargs))
    assert structure.trace(height_px=40, width_px=41) == found


def test_prediction_imports_no_compiler() -> None:
    script = """
import sys
from equivariance.theory.exactness import Structure, predict
from models.build import serve
from models.catalog import spec
for name in ("p4m-resnet18-large", "so2-cnn"):
    network = spec(name, minimum_width=True)
    predict(Structure(serve(network), network.point_group), height_px=40, width_px=40)
print(*(name for name in ("torch._dynamo", "sympy", "torch._inductor") if name in sys.modules))
"""
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert ran.stdout.split() == []


@pytest.mark.parametrize(
    ("shape", "sides"), [((1, 2, 3, 4), (3, 4)), ((1, 2, 8, 3, 4), (3, 4)), ((2, 3, 4), (1, 1)), ((1,) * 6, (1, 1))]
)
def test_sides_are_those_of_maps_with_and_without_elements(shape: tuple[int, ...], sides: tuple[int, int]) -> None:
    assert side_of(torch.zeros(shape)) == sides and side_of("no tensor") == side_of(None) == (1, 1)
