"""The relative error: against sums in Python's own numbers, and at its edges."""

import math

import pytest
import torch
from torch import Tensor

from equivariance.relative import relative_error, relative_error_in_parts


def by_hand(value: Tensor, reference: Tensor) -> float:
    pairs = list(zip(value.flatten().tolist(), reference.flatten().tolist(), strict=True))
    return math.sqrt(math.fsum((a - b) ** 2 for a, b in pairs)) / math.sqrt(math.fsum(b * b for _, b in pairs))


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    value, reference = torch.randn(2, 6, 5, 4, generator=generator, dtype=torch.float64)
    return value, reference


def test_error_is_the_length_of_the_difference_over_that_of_the_reference(pair: tuple[Tensor, Tensor]) -> None:
    value, reference = pair
    assert float(relative_error(value, reference)) == pytest.approx(by_hand(value, reference), rel=1e-14)
    assert float(relative_error(value, reference)) != pytest.approx(by_hand(reference, value), rel=1e-3)


def test_only_what_the_mask_shows_counts(pair: tuple[Tensor, Tensor]) -> None:
    value, reference = pair
    mask = torch.zeros(5, 4, dtype=torch.float64)
    mask[1:3, 2:] = 1.0
    expected = by_hand(value[:, 1:3, 2:], reference[:, 1:3, 2:])
    assert float(relative_error(value, reference, mask=mask)) == pytest.approx(expected, rel=1e-14)


def test_parts_have_the_error_of_the_whole(pair: tuple[Tensor, Tensor]) -> None:
    value, reference = pair
    parts = [(value[rows], reference[rows]) for rows in (slice(0, 1), slice(1, 5), slice(5, 6))]
    assert float(relative_error_in_parts(parts)) == pytest.approx(by_hand(value, reference), rel=1e-14)


def test_lengths_of_float32_are_summed_in_float64() -> None:
    reference = torch.full((2**25,), 1e-3)  # a sum of squares in float32 would stop growing
    error = relative_error(reference * 2, reference)
    assert error.dtype == torch.float64
    assert float(error) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(
    ("value", "reference", "error"),
    [
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([0.0, 1e-30], [0.0, 0.0], math.inf),
        ([0.0, 0.0], [3.0, 4.0], 1.0),
        ([1.0, 2.0], [1.0], math.inf),
    ],
)
def test_edges(value: list[float], reference: list[float], error: float) -> None:
    given, expected = torch.tensor(value, dtype=torch.float64), torch.tensor(reference, dtype=torch.float64)
    assert float(relative_error(given, expected)) == error


@pytest.mark.parametrize(("value", "reference"), [(math.nan, 1.0), (1.0, math.nan), (math.nan, 0.0)])
def test_nan_stays_nan(value: float, reference: float) -> None:
    assert math.isnan(float(relative_error(torch.tensor([value, 1.0]), torch.tensor([reference, 1.0]))))
