"""e2cnn's networks, found by their names: a stand-in with its names and conventions, since it needs old NumPy."""

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import equivariance as eq
from equivariance.groups.fields import FieldType as OurType
from equivariance.groups.fields import Regular, Scalar
from equivariance.groups.point_groups import Element, PointGroup
from equivariance.layers.reading import field_type_of, group_of


class DihedralGroup:
    """Elements are tuples (mirrored, turns), as e2cnn has them, turns first."""

    def __init__(self, turns: int) -> None:
        self.name, self.rotation_order = f"D{turns}", turns
        self.elements = [(mirrored, turn) for mirrored in (0, 1) for turn in range(turns)]

    def order(self) -> int:
        return len(self.elements)

    def combined(self, second: tuple[int, int], first: tuple[int, int]) -> tuple[int, int]:
        turned = -first[1] if second[0] else first[1]
        return (second[0] + first[0]) % 2, (second[1] + turned) % self.rotation_order


class Representation:
    """A matrix for each element."""

    def __init__(self, name: str, matrices: dict[Any, np.ndarray]) -> None:
        self.name, self._matrices, self.size = name, matrices, len(next(iter(matrices.values())))

    def __call__(self, element: Any) -> np.ndarray:
        return self._matrices[element]

    def is_trivial(self) -> bool:
        return self.name == "trivial"


class FlipRot2dOnR2:
    """Turns, and the mirror about `axis`, in radians from the horizontal; equal to others of its group."""

    dimensionality = 2

    def __init__(self, turns: int, axis: float = np.pi / 2) -> None:
        self.name, self.axis, self.fibergroup = f"Flip_{turns}-Rotations", axis, DihedralGroup(turns)
        elements = self.fibergroup.elements
        self.trivial_repr = Representation("trivial", {element: np.eye(1) for element in elements})
        regular = {}
        for element in elements:
            regular[element] = np.zeros((len(elements), len(elements)))
            for column, other in enumerate(elements):
                regular[element][elements.index(self.fibergroup.combined(element, other)), column] = 1.0
        self.regular_repr = Representation("regular", regular)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FlipRot2dOnR2) and self.fibergroup.name == other.fibergroup.name

    def __hash__(self) -> int:
        return hash(self.fibergroup.name)


class FieldType:
    """e2cnn's FieldType."""

    def __init__(self, gspace: FlipRot2dOnR2, representations: list[Representation]) -> None:
        self.gspace, self.representations = gspace, representations
        self.size = sum(each.size for each in representations)


class GeometricTensor:
    """A tensor and its type."""

    def __init__(self, tensor: Tensor, field_type: FieldType) -> None:
        assert tensor.shape[1] == field_type.size
        self.tensor, self.type = tensor, field_type


class R2Conv(nn.Module):
    """A convolution that expands its kernel from its weights: the mean over the group."""

    def __init__(
        self, in_type: FieldType, out_type: FieldType, kernel_size: int, padding: int = 0, stride: int = 1
    ) -> None:
        super().__init__()
        self.in_type, self.out_type, self.kernel_size = in_type, out_type, kernel_size
        self.padding, self.stride, self.dilation, self.groups, self.bias = padding, stride, 1, 1, None
        self.weights = nn.Parameter(torch.randn(out_type.size, in_type.size, kernel_size, kernel_size))

    def expand_parameters(self) -> tuple[Tensor, None]:
        ours, given = field_type_of(self.in_type), field_type_of(self.out_type)
        group, kernel = group_of(self.in_type), self.weights
        parts = []
        for element in group.elements:  # by torch alone: pixels, then channels
            moved = torch.rot90(kernel.flip(-1) if element.mirrored else kernel, round(element.angle_deg / 90), (2, 3))
            parts.append(given.act(ours.act(moved, element, dim=1), element, dim=0))
        return torch.stack(parts).mean(0), None

    def forward(self, features: GeometricTensor) -> GeometricTensor:
        assert features.type is self.in_type
        kernel = self.expand_parameters()[0] if self.training else self.filter
        return GeometricTensor(
            functional.conv2d(features.tensor, kernel, padding=self.padding, stride=self.stride), self.out_type
        )


class ReLU(nn.Module):
    """Of every channel."""

    def __init__(self, in_type: FieldType) -> None:
        super().__init__()
        self.in_type = self.out_type = in_type

    def forward(self, features: GeometricTensor) -> GeometricTensor:
        return GeometricTensor(torch.relu(features.tensor), self.out_type)


class Odd(ReLU):
    """A module that has no plain equivalent."""

    def forward(self, features: GeometricTensor) -> GeometricTensor:
        return GeometricTensor(features.tensor.float() * torch.sigmoid(features.tensor.float()), self.out_type)


@pytest.fixture(autouse=True)
def _package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in under e2cnn's names."""
    module: Any = ModuleType("e2cnn.nn")
    module.GeometricTensor = GeometricTensor
    monkeypatch.setitem(sys.modules, "e2cnn.nn", module)
    for kind in (FieldType, GeometricTensor, R2Conv, ReLU, Odd, FlipRot2dOnR2, DihedralGroup, Representation):
        monkeypatch.setattr(kind, "__module__", "e2cnn.nn")


def test_types_and_groups_are_read_by_what_elements_do() -> None:
    space = FlipRot2dOnR2(4)
    fields = FieldType(space, [space.trivial_repr, space.regular_repr])
    group = PointGroup("d4", 4, mirrors=True)
    assert group_of(fields) == group
    assert field_type_of(fields) == OurType(((Scalar(), 1), (Regular(group), 1)))


def test_spaces_that_e2cnn_takes_for_equal_are_told_apart_by_their_mirrors() -> None:
    upright, lying = FlipRot2dOnR2(1), FlipRot2dOnR2(1, axis=0.0)
    assert upright == lying
    first, second = (group_of(FieldType(space, [space.trivial_repr])) for space in (upright, lying))
    assert Element(mirrored=True) in first and Element(mirrored=True) not in second
    assert Element(180.0, mirrored=True) in second


@pytest.mark.parametrize(("px", "verdict"), [(9, "exact"), (10, "approximate")])
def test_network_is_served_and_judged(px: int, verdict: str) -> None:
    torch.manual_seed(0)
    space = FlipRot2dOnR2(4)
    picture, fields = FieldType(space, 3 * [space.trivial_repr]), FieldType(space, 2 * [space.regular_repr])
    network = nn.Sequential(R2Conv(picture, fields, 3, padding=1), ReLU(fields), R2Conv(fields, fields, 3, 1, 2))
    report = eq.check(network, px)
    assert report.group == "D4" and report.dtype == "float64" and report.evidence == "theory and measurement"
    assert report.verdict == verdict
    assert [layer["kind"] for layer in report.layers] == ["Conv2d", "ReLU", "Conv2d"]


def test_module_without_a_plain_equivalent_runs_as_it_is() -> None:
    torch.manual_seed(0)
    space = FlipRot2dOnR2(4)
    picture, fields = FieldType(space, 3 * [space.trivial_repr]), FieldType(space, 2 * [space.regular_repr])
    report = eq.check(nn.Sequential(R2Conv(picture, fields, 3, padding=1), Odd(fields)), 9)
    assert report.verdict == "exact" and report.dtype == "float32"
    assert any("runs as in e2cnn itself" in note for note in report.notes)
