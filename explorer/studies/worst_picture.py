"""Breaking with fixed weights: the picture is changed until a network's equivariance error is as large as possible.

Gradient ascent on the pixels: every step moves each of them a little in the direction that raises the relative error
‖Φ(g·x) − ρ(g)Φ(x)‖ / max(‖Φ(x)‖, ‖Φ(x₀)‖), x₀ the start, and stays within 0..1. At the start this is the error of
`measure`; the maximum keeps the search from making the features vanish. Only the sign of the gradient counts, and
where there is none the direction is random: an exact network is pushed as hard as a broken one, and its error stays
rounding.
"""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from equivariance.errors import NetworkError, SizeError, TransformError
from equivariance.groups.acting import transform_fields, transform_picture
from equivariance.groups.fields import FieldType, scalars
from equivariance.groups.point_groups import Element
from equivariance.layers.export import layers_of
from explorer.errors import SettingError
from explorer.serving.engine import Served
from explorer.serving.memory import gradient_bytes

STEPS, MOST_STEPS = 60, 1000
LARGEST_MOVE = 0.05  # of a pixel in the first step; it shrinks to nothing until the last


@dataclass(frozen=True)
class Search:
    """Where to look for the worst picture; `picture` (3, S, S), 0..1, is the start. `layer` None: the logits."""

    picture: Tensor = field(repr=False)
    element: Element
    layer: str | None = None
    steps: int = STEPS


@dataclass(frozen=True)
class Found:
    """The picture (3, S, S), 0..1, float32, with the largest error up to `step`, and that error."""

    step: int
    error: float
    picture: Tensor = field(repr=False)


def worst_picture(served: Served, search: Search) -> Iterator[Found]:
    """The worst picture so far, again and again: the start itself first, then after each of `steps` moves.

    Raises an EquivarianceError at once for a layer, an element or a number of steps that cannot be used.
    """
    if not 1 <= search.steps <= MOST_STEPS:
        raise SettingError(f"{search.steps} steps are not accepted: give 1 to {MOST_STEPS}.")
    if search.picture.shape[-1] != search.picture.shape[-2]:
        raise SizeError("The picture and its turn must fit into one batch: give a square size.")
    if search.element not in served.structure.elements:
        names = ", ".join(element.name for element in served.structure.elements)
        raise TransformError(f"The network cannot be tested under {search.element.name}: give one of {names}.")
    return _ascend(_Probe(served, search.layer, search.element), search)


def copy_bytes(served: Served) -> int:
    """What the copy of a network takes that a search works on."""
    return sum(weight.numel() * weight.element_size() for weight in served.network.parameters())


def search_bytes(served: Served, search: Search) -> int:
    """What one step of a search takes beside that, at most."""
    height_px, width_px = (int(side) for side in search.picture.shape[-2:])
    recorded = served.structure.trace(height_px=height_px, width_px=width_px)
    item_bytes = next(served.network.parameters()).element_size()
    return gradient_bytes(recorded, pictures=2, kernel_numbers=0, item_bytes=item_bytes)


def layers_to_push(served: Served, element: Element) -> tuple[str, ...]:
    """The layers whose output `element` acts on, in order."""
    types = ((name, out_type) for name, (_, out_type) in served.structure.types.items())
    return tuple(name for name, out_type in types if out_type is not None and out_type.has_action(element))


def _ascend(probe: "_Probe", search: Search) -> Iterator[Found]:
    picture = search.picture.to(probe.device, probe.dtype)
    generator = torch.Generator().manual_seed(0)
    worst, largest = picture, -1.0
    for step in range(search.steps + 1):
        error, uphill = probe(picture)
        if error > largest or (math.isnan(error) and not math.isnan(largest)):
            worst, largest = picture, error
        yield Found(step, largest, worst.to("cpu", torch.float32))
        if not uphill.any():
            uphill = torch.randn(picture.shape, generator=generator).to(picture)
        move = LARGEST_MOVE * (1 - step / search.steps)
        picture = (picture + move * uphill.sign()).clamp(0.0, 1.0)


class _Probe:
    """The relative error of one layer for a picture, and its gradient; on a copy, as served networks are shared."""

    def __init__(self, served: Served, layer: str | None, element: Element) -> None:
        self._network: Any = copy.deepcopy(served.network).requires_grad_(False)
        weight = next(self._network.parameters())
        self.device, self.dtype, self._element = weight.device, weight.dtype, element
        self._seen = torch.empty(0)
        self._first_norm: Tensor | None = None  # ‖Φ(x₀)‖; of logits ‖Φ(x₀) − mean Φ(x₀)‖
        self._type: FieldType | None = None  # of logits, which no element changes
        if layer is None:
            self._network.register_forward_hook(self._keep)
            return
        if layer not in layers_to_push(served, element):
            raise NetworkError(f"{element.name} acts on no layer {layer!r}: see the first column of `measure`.")
        self._type = served.structure.types[layer][1]
        dict(layers_of(self._network))[layer].register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        self._seen = output

    def __call__(self, picture: Tensor) -> tuple[float, Tensor]:
        """Error and gradient (3, S, S)."""
        picture = picture.clone().requires_grad_(True)
        with torch.enable_grad():
            self._network(torch.stack([picture, transform_picture(picture, self._element)]))
            upright, transformed = self._seen.split(1)
            field_type = self._type or scalars(upright.shape[1])
            expected = transform_fields(upright, field_type, self._element)
            norm = (upright if self._type is not None else upright - upright.mean()).norm()  # see `output_error`
            if self._first_norm is None:
                self._first_norm = norm.detach().clamp_min(1e-30)
            error = (transformed - expected).norm() / torch.maximum(norm, self._first_norm)
            (gradient,) = torch.autograd.grad(error, picture)
        return float(error.detach()), torch.nan_to_num(gradient)
