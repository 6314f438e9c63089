"""What is true of a network, by plain torch: the errors of its outputs on random pictures that are moved."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tests.equivariance.draws.own_group import GROUPS, act, channels_moved, name_of

ROUNDING, CLEAR = 1e-9, 1e-6  # what is between is neither rounding nor clearly broken
PICTURES = 5


@dataclass(frozen=True)
class Truth:
    """errors: element → largest relative error of any output, on any picture; dead: the output is always the same."""

    errors: Mapping[str, float]
    dead: bool

    def is_exact(self, element: str) -> bool:
        """Whether all errors are rounding."""
        return self.errors[element] <= ROUNDING

    def is_broken(self, element: str) -> bool:
        """Whether an error is clearly none (NaN counts)."""
        return not self.errors[element] <= CLEAR


def named_tensors(output: Any, path: str = "") -> dict[str, Tensor]:
    """Every tensor of an output, by the keys and places that lead to it."""
    if isinstance(output, Tensor):
        return {path or "output": output}
    items = output.items() if isinstance(output, dict) else enumerate(output)
    found: dict[str, Tensor] = {}
    for key, value in items:
        found.update(named_tensors(value, f"{path}.{key}" if path else str(key)))
    return found


def pictures_of(channels: int, hw: tuple[int, int], count: int = PICTURES, seed: int = 5) -> list[Tensor]:
    """(1, C, H, W) each, float64, between 0 and 1; no picture is symmetric."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(1, channels, *hw, generator=generator, dtype=torch.float64) for _ in range(count)]


@torch.no_grad()
def truth_of(
    network: nn.Module,
    pictures: list[Tensor],
    group: str,
    kinds: Mapping[str, tuple[str, str]],
) -> Truth:
    """kinds: path → ("maps" or "invariant", layout of its channels or "")."""
    network = network.double().eval()
    errors: dict[str, float] = {name_of(move): 0.0 for move in GROUPS[group][1:]}
    upright = [{path: each.clone() for path, each in named_tensors(network(picture)).items()} for picture in pictures]
    for picture, reference in zip(pictures, upright, strict=True):
        for move in GROUPS[group][1:]:
            name = name_of(move)
            try:
                found = named_tensors(network(act(picture, move).contiguous()))
            except (RuntimeError, ValueError, IndexError):
                errors[name] = math.inf  # the turned picture is not taken
                continue
            for path, value in reference.items():
                kind, layout = kinds[path]
                expected = act(value, move) if kind == "maps" else value
                if layout:
                    expected = channels_moved(expected, group, move, layout)
                errors[name] = _larger(errors[name], _difference(found[path], expected))
    first = upright[0]
    dead = all(_difference(other[path], value) <= ROUNDING for other in upright[1:] for path, value in first.items())
    return Truth(errors, dead)


def _difference(value: Tensor, expected: Tensor) -> float:
    if value.shape != expected.shape:
        return math.inf
    value, expected = value.double(), expected.double()
    error = float((value - expected).norm())
    return error if error == 0 else error / max(float(expected.norm()), 1e-300)


def _larger(one: float, other: float) -> float:
    return math.nan if math.isnan(one) or math.isnan(other) else max(one, other)
