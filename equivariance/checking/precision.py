"""The precision that a network is worked out in."""

import re
from collections.abc import Callable
from typing import TypeVar

from equivariance.errors import NetworkError, SizeError
from equivariance.measurement.rounding import ROUNDING_LEVEL

Result = TypeVar("Result")


_PRECISION = re.compile(r"\bdtype\b|scalar type|\bdouble\b|DoubleTensor", re.IGNORECASE)


def in_some_precision(dtype: str, work: Callable[[str], Result]) -> Result:
    """What `work` gives in a precision; in float32 where the network makes numbers of that precision itself."""
    if dtype not in ROUNDING_LEVEL:
        raise NetworkError(f"The precision {dtype!r} is not known: use one of {', '.join(ROUNDING_LEVEL)}.")
    try:
        return work(dtype)
    except (NetworkError, SizeError) as error:
        if dtype == "float32" or not _PRECISION.search(str(error)):
            raise
    return work("float32")
