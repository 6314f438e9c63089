"""A small network from a seed: the same structure with other weights from another."""

import random
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from tests.equivariance.draws import fields, heads, moves, numbers, windows
from tests.equivariance.draws.own_group import GROUPS
from tests.equivariance.draws.tools import HEADS, KINDS, Kind, Tools
from tests.equivariance.draws.truth import named_tensors

OF = (fields, heads, moves, numbers, windows)  # whose steps are registered
for steps in (KINDS, HEADS):  # a seed draws the same, whichever of them is imported first
    steps.sort(key=lambda kind: [module.__name__ for module in OF].index(kind.make.__module__))
_TRIES = 12
_LARGEST_PX, _MOST_CHANNELS = 26, 24


class Drawn(nn.Module):
    """Steps one after the other, then one or more heads."""

    def __init__(self, steps: list[nn.Module], ends: dict[str, nn.Module], style: str) -> None:
        super().__init__()
        self.steps, self.ends, self.style = nn.Sequential(*steps), nn.ModuleDict(ends), style

    def forward(self, picture: Tensor) -> Any:
        """The output of every head, in the style of this network."""
        maps = self.steps(picture)
        outputs = {name: end(maps) for name, end in self.ends.items()}
        if self.style == "dict":
            return outputs
        return tuple(outputs.values()) if self.style == "tuple" else next(iter(outputs.values()))


@dataclass(frozen=True)
class Draw:
    """A network, the picture that it takes, its group, what it is made of, and what its outputs are.

    kinds: path of an output → ("maps" or "invariant", layout of its channels or "").
    """

    network: Drawn
    channels: int
    hw: tuple[int, int]
    group: str
    used: tuple[str, ...]
    kinds: dict[str, tuple[str, str]]
    seed: int


def draw(seed: int, weights: int = 0) -> Draw:
    """The network of a seed; `weights`: which numbers it gets."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1000 * seed + weights)  # what layers draw for themselves
        return _drawn(seed, weights)


def _drawn(seed: int, weights: int) -> Draw:
    choices = random.Random(seed)
    group = choices.choice([*GROUPS, "C4", "D4"])
    height = choices.randint(5, 17)
    width = height if choices.random() < 0.75 else choices.randint(5, 17)
    channels = choices.choice((1, 1, 2, 3))
    generator = torch.Generator().manual_seed(1000 * seed + weights)
    even = choices.random() < 0.9
    maps = torch.rand(1, channels, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    tools = Tools(choices, generator, group, even, maps)
    wild = choices.choice((0, 0, 0, 1, 1, 2))
    count = choices.choice((1, 2, 3, 4, 5))
    places = set(choices.sample(range(count), min(wild, count)))
    steps = []
    for at in range(count):
        tools.tame = at not in places
        step = _step(tools, KINDS)
        if step is not None:
            steps.append(step)
    if tools.layout in ("field", "element", "5d") and choices.random() < 0.8:
        pool = next(kind for kind in KINDS if kind.name == "pool over the group")
        steps += [step for step in [_step(tools, [pool])] if step is not None]
    style = choices.choice(("one", "one", "one", "tuple", "dict"))
    return _ended(tools, steps, style, channels, (height, width), seed)


def _ended(tools: Tools, steps: list[nn.Module], style: str, channels: int, hw: tuple[int, int], seed: int) -> Draw:
    ends: dict[str, nn.Module] = {}
    kinds: dict[str, tuple[str, str]] = {}
    maps, layout = tools.maps, tools.layout
    tools.tame = tools.chance(0.75)
    for at in range(1 if style == "one" else 2):
        tools.maps, tools.layout = maps, layout
        end = _step(tools, HEADS) or nn.Identity()
        name = "ab"[at]
        ends[name] = end
        path = "output" if style == "one" else name if style == "dict" else str(at)
        is_maps = getattr(end, "ends_as", "") == "maps" or isinstance(end, nn.Identity)
        after = "any" if layout == "lost" else "" if tuple(maps.shape[-2:]) == (1, 1) else layout
        kinds[path] = ("maps" if is_maps else "invariant", after if is_maps else "")
    return Draw(Drawn(steps, ends, style), channels, hw, tools.group, tuple(tools.used), kinds, seed)


def _step(tools: Tools, among: list[Kind]) -> nn.Module | None:
    """A step that takes the maps as they are now; None where none was found."""
    layout = "" if tools.layout == "lost" else tools.layout
    fitting = [kind for kind in among if layout in kind.layouts]
    for _ in range(_TRIES):
        if not fitting:
            return None
        kind = tools.choices.choices(fitting, [kind.share for kind in fitting])[0]
        given = tools.maps
        try:
            step = kind.make(replace(tools, layout=layout))  # steps keep their tools
            output = None if step is None else step.eval()(given.clone())
        except (RuntimeError, ValueError, IndexError, TypeError, AttributeError):
            step, output = None, None
        if step is None or output is None or not _is_fine(output, ends=among is HEADS):
            continue
        after = getattr(step, "layout_after", None)
        tools.layout = tools.layout if after is None else after
        tools.maps = output
        tools.used.append(kind.name)
        return step
    return None


def _is_fine(output: Any, *, ends: bool) -> bool:
    if ends:
        return bool(named_tensors(output))
    small = output.dim() in (4, 5) and max(output.shape[-2:]) <= _LARGEST_PX and output.numel() > 0
    return bool(small and output.numel() // (output.shape[-1] * output.shape[-2]) <= _MOST_CHANNELS)
