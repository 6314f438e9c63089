"""The largest of some errors, where one may be NaN. Imports no torch: pages that draw what was measured need none."""

import math
from collections.abc import Iterable


def largest_of(errors: Iterable[float | None]) -> float | None:
    """The largest known error, NaN if any is NaN; None if there is none. (`max` may pass over NaN: nothing exceeds it.)

    >>> largest_of([0.5, None, math.nan, 2.0])
    nan
    """
    known = (error for error in errors if error is not None)
    return max(known, key=lambda error: (math.isnan(error), error), default=None)
