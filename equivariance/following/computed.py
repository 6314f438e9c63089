"""Tensors that are computed from constants alone, when they are asked for."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from equivariance.following.arguments import mapped, written_by


class Computed:
    """The outputs of an operation on constants, computed once and only if asked for."""

    def __init__(self, func: Any, args: Any, kwargs: Any, *, blank: bool = False) -> None:
        self._func, self._args, self._kwargs, self._blank = func, args, kwargs, blank
        self._outputs: Any = None

    def maker(self, at: int) -> Callable[[], Tensor]:
        """What gives the output number `at`."""
        return lambda: self.output(at)

    def output(self, at: int) -> Tensor:
        """The output number `at`."""
        if self._outputs is None:
            args = mapped(self._args, None)
            kwargs = dict(mapped(self._kwargs, None))
            if "device" in kwargs:
                kwargs["device"] = torch.device("cpu")
            written = written_by(self._func, args, kwargs)
            if written is not None:
                args = tuple(value.clone() if value is written else value for value in args)
            outputs = self._func(*args, **kwargs)
            if self._blank:  # whatever was in memory: it is written over, or the network is not defined
                outputs.zero_()
            self._outputs = outputs if isinstance(outputs, tuple | list) else (outputs,)
        return self._outputs[at]


def scattered(base: Tensor, part: Tensor, chain: Any) -> Tensor:
    """`base` with the view that `chain` takes of it replaced by `part`."""
    result = base.clone()
    view = result
    for func, args, kwargs, at in chain:
        taken = func(view, *mapped(args[1:], None), **mapped(kwargs, None))
        view = taken[at] if isinstance(taken, tuple | list) else taken
    view.copy_(part)
    return result
