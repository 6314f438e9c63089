"""The public face of the library: its names, and the examples of its docstrings."""

import doctest
import importlib
import inspect
import pkgutil
import re
from types import ModuleType

import pytest

import equivariance

PUBLIC = {
    "Report",
    "assert_equivariant",
    "check",
    "exact_sizes",
    "predict",
    "regular",
    "scalars",
}


def library() -> list[str]:
    """All modules but those that need more than torch and numpy."""
    return [found.name for found in pkgutil.walk_packages(equivariance.__path__, "equivariance.")]


def test_the_public_names_are_these_and_each_is_there() -> None:
    assert set(equivariance.__all__) >= PUBLIC
    assert list(equivariance.__all__) == sorted(equivariance.__all__)
    for name in equivariance.__all__:
        public = getattr(equivariance, name)
        assert public.__doc__, name
        assert public.__module__.startswith("equivariance."), name
    assert set(equivariance.__all__) <= set(dir(equivariance))


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'chekc'"):
        equivariance.chekc  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", library())
def test_examples_in_docstrings_run(name: str) -> None:
    module: ModuleType = importlib.import_module(name)
    failed, tried = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)

    assert failed == 0
    assert (tried > 0) == (">>> " in inspect.getsource(module))


@pytest.mark.parametrize("name", ["assert_equivariant", "check", "exact_sizes", "predict", "regular"])
def test_public_functions_have_an_example(name: str) -> None:
    assert re.search(r">>> .*\b" + name + r"\(", getattr(equivariance, name).__doc__)
