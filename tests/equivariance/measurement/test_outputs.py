"""The error of an output: a constant in all numbers makes it no smaller, and nothing is hidden."""

import math

import pytest
import torch
from torch import Tensor, nn

from equivariance.groups.fields import FieldType
from equivariance.groups.point_groups import Element
from equivariance.measurement.any_network import How, measure_any
from equivariance.measurement.measure import measure
from equivariance.measurement.outputs import output_error
from equivariance.relative import relative_error
from explorer.serving.engine import Engine
from explorer.settings import Settings
from models.catalog import spec

UPRIGHT = torch.tensor([[1.0, -2.0, 4.0]], dtype=torch.float64)
TURNED = torch.tensor([[1.5, -2.0, 3.0]], dtype=torch.float64)


@pytest.mark.parametrize("offset", [0.0, 7.0, 1e3, -1e6])
def test_an_offset_of_all_logits_does_not_change_the_error(offset: float) -> None:
    # By hand: the difference is (0.5, 0, -1), the logits without their mean of 1 are (0, -3, 3).
    expected = math.sqrt(1.25) / math.sqrt(18)
    assert float(output_error(TURNED + offset, UPRIGHT + offset)) == pytest.approx(expected, rel=1e-8)
    if abs(offset) >= 1e3:
        assert float(relative_error(TURNED + offset, UPRIGHT + offset)) < expected / 100


def test_a_common_change_of_all_logits_is_not_hidden() -> None:
    assert float(output_error(UPRIGHT + 3.0, UPRIGHT)) == pytest.approx(math.sqrt(27) / math.sqrt(18))


@pytest.mark.parametrize("seed", range(5))
def test_the_error_is_never_less_than_the_relative_one(seed: int) -> None:
    value, reference = torch.randn(2, 1, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert output_error(value, reference) >= relative_error(value, reference)


def test_one_number_has_no_offset() -> None:
    assert float(output_error(torch.tensor([[6.0]]), torch.tensor([[5.0]]))) == pytest.approx(0.2)


def test_numbers_that_are_all_alike_are_exact_up_to_rounding() -> None:
    alike = torch.full((1, 4), 0.1, dtype=torch.float64)
    assert float(output_error(alike * (1 + 2**-52), alike)) < 1e-15
    assert float(output_error(alike, alike)) == 0.0
    assert float(output_error(alike * 1.001, alike)) > 1e6  # but no more than that: here all that differs is the change


@pytest.mark.parametrize(("value", "reference"), [([math.nan, 1.0], [0.0, 1.0]), ([0.0, 1.0], [math.nan, 1.0])])
def test_what_is_no_number_is_no_error_of_zero(value: list[float], reference: list[float]) -> None:
    assert math.isnan(float(output_error(torch.tensor([value]), torch.tensor([reference]))))


def test_another_shape_is_infinitely_wrong() -> None:
    assert float(output_error(torch.ones(1, 3), torch.ones(1, 4))) == math.inf


# ------------------------------------------------------------------------------------------------ where it is measured


def test_a_constant_in_the_bias_of_the_classifier_changes_no_logit_error() -> None:
    served = Engine(Settings(device="cpu")).served(spec("p4-cnn", minimum_width=True), 0, "float64")
    picture = torch.rand(3, 29, 29, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    elements = served.structure.elements
    before = measure(served.network, picture, elements).output_error
    head = [layer for layer in served.network.modules() if getattr(layer, "bias", None) is not None][-1]
    with torch.no_grad():
        head.bias += 1000.0

    assert measure(served.network, picture, elements).output_error == pytest.approx(before, rel=1e-6)
    assert min(error or 0.0 for error in before.values()) > 1e-4


class Vector(nn.Module):
    """The mean of some pixels in the first half of the rows, beside a large constant."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.numbers = numbers

    def forward(self, picture: Tensor) -> Tensor:
        """(B, C, H, W) → (B, numbers)."""
        parts = [picture[:, :, row].mean((1, 2)) for row in range(self.numbers)]
        return 1000 + torch.stack(parts, 1)


@pytest.mark.parametrize(("numbers", "is_large"), [(3, True), (1, False)])
def test_a_vector_of_anyone_is_compared_without_its_offset(numbers: int, is_large: bool) -> None:
    picture = torch.rand(3, 9, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    fields: dict[str, FieldType] = {}
    seen = measure_any(Vector(numbers), [picture], [Element(180.0)], lambda path, shape: How("invariant"), fields)

    assert ((seen.largest("rot180") or 0.0) > 0.1) == is_large
    assert (seen.largest("rot180") or 0.0) > 1e-6
