"""The tensors of a network's output, by their paths."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from equivariance.following.recording import Constant, Ref


def outputs_of(output: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, entry) of every tensor in a network's output: tuples, lists, dictionaries and dataclasses."""
    if isinstance(output, Ref | Constant | Tensor):
        yield path or "output", output
    elif isinstance(output, dict):
        for name, value in output.items():
            yield from outputs_of(value, f"{path}.{name}" if path else str(name))
    elif isinstance(output, list | tuple):
        names = getattr(output, "_fields", range(len(output)))
        for name, value in zip(names, output, strict=True):
            yield from outputs_of(value, f"{path}.{name}" if path else str(name))
    elif hasattr(output, "__dataclass_fields__"):
        for name in output.__dataclass_fields__:
            yield from outputs_of(getattr(output, name), f"{path}.{name}" if path else name)
