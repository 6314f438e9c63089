"""Where escnn keeps its Clebsch-Gordan coefficients: beside its own files where it may write, else in memory.

escnn stores them with joblib in a folder of the installation, and cannot even be imported where that folder can be
neither made nor written: a read-only container, or packages that another user installed.
"""

import copy
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import joblib  # type: ignore[import-untyped]  # it carries no types


class CoefficientStore(joblib.Memory):
    """joblib's store with the memory of this process before it, and this memory alone where the disk refuses."""

    def __init__(self, location: str | None = None, **options: Any) -> None:
        try:
            super().__init__(location, **options)
        except OSError:
            super().__init__(None, **options)

    def cache(self, func: Callable[..., Any] | None = None, **options: Any) -> Callable[..., Any]:
        """`func`, computed once for equal arguments, which must be hashable; or a decorator where `func` is None.

        Every caller gets a copy of its own, as from joblib.
        """
        if func is None:
            return functools.partial(self.cache, **options)
        try:
            stored = super().cache(func, **options)
        except OSError:
            stored = func
        remembered = functools.cache(stored)

        @functools.wraps(func)
        def copied(*arguments: Any, **named: Any) -> Any:
            return copy.deepcopy(remembered(*arguments, **named))

        return copied


@contextmanager
def stored_or_remembered() -> Iterator[None]:
    """Import escnn inside: its modules take `joblib.Memory` as they are imported, and get CoefficientStore."""
    memory = joblib.Memory
    joblib.Memory = CoefficientStore
    try:
        yield
    finally:
        joblib.Memory = memory
