"""The largest error: NaN wins wherever it stands, and what is not known does not count."""

import itertools
import math

import pytest

from equivariance.largest import largest_of


@pytest.mark.parametrize("errors", list(itertools.permutations([0.5, math.nan, math.inf, None])))
def test_nan_is_the_largest_wherever_it_stands(errors: tuple[float | None, ...]) -> None:
    largest = largest_of(errors)
    assert largest is not None and math.isnan(largest)


@pytest.mark.parametrize(
    ("errors", "largest"),
    [((0.5, 2.0, 1.0), 2.0), ((None, 0.0), 0.0), ((0.5, math.inf), math.inf), ((None, None), None), ((), None)],
)
def test_largest_of_known_errors(errors: tuple[float | None, ...], largest: float | None) -> None:
    assert largest_of(errors) == largest
    assert largest_of(iter(errors)) == largest
