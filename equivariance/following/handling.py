"""Which handler follows an operation: the library's own, and those that users teach."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from equivariance.following import (
    contractions,
    joining,
    moving,
    ordered,
    picking,
    pixelwise,
    reductions,
    views,
    windows,
)
from equivariance.following.dims import UnclearError
from equivariance.following.recording import Operation
from equivariance.following.skeleton import HANDLERS, Context, Handler, Skeleton

HANDLING = (
    contractions,
    joining,
    moving,
    ordered,
    picking,
    pixelwise,
    reductions,
    views,
    windows,
)  # the modules whose handlers are registered
TAUGHT: dict[Any, Handler] = {}


def handler_of(operation: Operation) -> Handler:
    """What follows an operation; raises UnclearError where nothing does."""
    handler = TAUGHT.get(operation.func) or HANDLERS.get(operation.name)
    if handler is None and torch.Tag.pointwise in operation.func.tags:
        handler = pixelwise.pointwise
    if handler is None:
        raise UnclearError("theory does not know this operation")
    return handler


def handle(operation: Any) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Teach theory an operation of your own (an `OpOverload`): decorate what it does to maps (N, 1, H, W), float64.

    The function gets the operation's arguments with one channel, and must do to the pixels what the operation does; its
    output's channels are of a type that is not known unless the layer around it declares one.

        @equivariance.theory.handle(torch.ops.mine.sharpen.default)
        def sharpen(maps):
            return maps + 0.5 * (maps - blurred(maps))
    """

    def register(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def handler(context: Context, args: Any, kwargs: Any) -> Skeleton:
            value: Skeleton = args[0]
            windows.check_maps(value)
            maps = function(windows.planes_of(value), *args[1:], **kwargs)
            result = windows.from_planes(value, maps)
            return Skeleton(pixelwise.bent(result.dims), result.tensor)

        TAUGHT[operation] = handler
        return function

    return register
