"""What an operation or a module is given, however nested: tuples, lists and dictionaries of anything."""

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from equivariance.following.recording import Constant, Ref


def mapped(value: Any, change: Callable[[Tensor], Any] | None) -> Any:
    """`value` with its tensors changed; without `change`, with its constants as tensors."""
    if isinstance(plain_tensor(value), Tensor) and change is not None:
        return change(plain_tensor(value))
    if isinstance(value, Constant) and change is None:
        return value.value()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(each, change) for each in value))
    if isinstance(value, list | tuple):
        return type(value)(mapped(each, change) for each in value)
    if isinstance(value, dict):
        return {name: mapped(each, change) for name, each in value.items()}
    return value


def keyed(value: Any) -> Any:
    """Arguments with constants as their keys, all in tuples."""
    if isinstance(value, Constant):
        return ("constant", value.key)
    if isinstance(value, list | tuple):
        return tuple(map(keyed, value))
    if isinstance(value, dict):
        return tuple((name, keyed(each)) for name, each in sorted(value.items()))
    return (type(value).__name__, value)


def flat(values: Any) -> Iterator[Any]:
    """Whatever is in lists, tuples and the values of dictionaries, one after the other."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from flat(value)
        elif isinstance(value, dict):
            yield from flat(value.values())
        else:
            yield value


def plain_tensor(value: Any) -> Any:
    """The tensor of a typed one such as escnn's GeometricTensor; anything else as it is."""
    inner = getattr(value, "tensor", None)
    return inner if isinstance(inner, Tensor) and hasattr(value, "type") else value


def first_tensor(values: Any) -> Tensor | None:
    """The first tensor of what a module is given or gives; None where there is none."""
    return next((each for value in flat(values) if isinstance(each := plain_tensor(value), Tensor)), None)


def written_by(func: Any, args: Any, kwargs: Any) -> Tensor | None:
    """The tensor that the operation writes into, if any."""
    if not func._schema.is_mutable:
        return None
    for argument, value in zip(func._schema.arguments, args, strict=False):
        if argument.alias_info is not None and argument.alias_info.is_write:
            return value if isinstance(value, Tensor) else None
    for argument in func._schema.arguments:
        if argument.alias_info is not None and argument.alias_info.is_write and argument.name in kwargs:
            value = kwargs[argument.name]
            return value if isinstance(value, Tensor) else None
    return None


def refs_in(values: Any) -> list[Ref]:
    """All references, however deep."""
    if isinstance(values, Ref):
        return [values]
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, list | tuple):
        return [ref for value in values for ref in refs_in(value)]
    return []
