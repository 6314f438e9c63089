"""What the steps of a drawn network are made with: choices from one seed, numbers from another."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tests.equivariance.draws.own_group import GROUPS, symmetric


class Apply(nn.Module):
    """A function of the maps and of tensors that are parameters or buffers of this module."""

    def __init__(self, function: Callable[..., Tensor], *, layout: str | None = None, **tensors: Tensor) -> None:
        super().__init__()
        self.function, self.layout_after = function, layout
        self.names = tuple(tensors)
        for at, (name, tensor) in enumerate(tensors.items()):
            if at % 2 and tensor.is_floating_point():
                self.register_parameter(name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)

    def forward(self, maps: Tensor) -> Tensor:
        """Of the function."""
        return self.function(maps, *(getattr(self, name) for name in self.names))


@dataclass
class Tools:
    """tame: whether the step is to choose what usually commutes. even: whether kernels are the group's own means.

    maps: what the next step is given, of a random picture. layout: of its channels: "" (scalar), "field", "element",
    or "5d".
    """

    choices: random.Random
    weights: torch.Generator
    group: str
    even: bool
    maps: Tensor
    tame: bool = True
    layout: str = ""
    used: list[str] = field(default_factory=list)

    def pick(self, *options: Any) -> Any:
        """One of the options."""
        return self.choices.choice(options)

    def chance(self, share: float) -> bool:
        """True in so many cases."""
        return self.choices.random() < share

    def numbers(self, *shape: int) -> Tensor:
        """Normal numbers, float64."""
        return torch.randn(*shape, generator=self.weights, dtype=torch.float64)

    def kernel(self, *shape: int) -> Tensor:
        """The same along space, symmetric where this network's kernels are."""
        kernel = self.numbers(*shape) / (shape[-1] * shape[-2] * shape[-3]) ** 0.5
        return symmetric(kernel, self.group) if self.even else kernel

    def places(self, *shape: int) -> Tensor:
        """Numbers that depend on the place: symmetric for tame steps."""
        numbers = self.numbers(*shape)
        return symmetric(numbers, self.group) if self.tame else numbers

    @property
    def order(self) -> int:
        """How many elements the group has."""
        return len(GROUPS[self.group])

    @property
    def channels(self) -> int:
        """Of the maps."""
        return int(self.maps.shape[1])

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the maps."""
        return int(self.maps.shape[-2]), int(self.maps.shape[-1])


Maker = Callable[[Tools], nn.Module | None]


@dataclass(frozen=True)
class Kind:
    """A class of operations: its name, what makes one, for which layouts, and whether it ends the maps."""

    name: str
    make: Maker
    layouts: tuple[str, ...]
    share: float = 1.0


KINDS: list[Kind] = []
HEADS: list[Kind] = []
ALL = ("", "field", "element", "5d")
PLAIN = ("", "field", "element")
SCALAR = ("",)


def draws(
    name: str, layouts: tuple[str, ...] = SCALAR, *, head: bool = False, share: float = 1.0
) -> Callable[[Maker], Maker]:
    """Register a class of operations, drawn `share` times as often as others."""

    def register(make: Maker) -> Maker:
        (HEADS if head else KINDS).append(Kind(name, make, layouts, share))
        return make

    return register
