"""What is true of a network, by plain torch: the errors of its outputs on random pictures that are moved."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tests.equivariance.draws.own_group import GROUPS, act, channels_moved, name_of

ROUNDING, CLEAR = 1e-9, 1e-6  # what is between is neither rounding nor clearly broken
PICTURES = 5
LAYOUTS = ("", "field", "element")


@dataclass(frozen=True)
class Truth:
    """errors: element → largest relative error of any output, on any picture.

    dead: the output is always the same, 0 but for rounding, or no number.
    share_broken: element → of how many pictures any output has a clear error.
    """

    errors: Mapping[str, float]
    dead: bool
    share_broken: Mapping[str, float]

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


def odd_pictures_of(channels: int, hw: tuple[int, int]) -> list[Tensor]:
    """Pictures of other kinds: large and negative numbers, flat but for a few pixels, small."""
    generator = torch.Generator().manual_seed(6)
    noise = [torch.randn(1, channels, *hw, generator=generator, dtype=torch.float64) for _ in range(8)]
    few = [(each > least).double() for each in noise[:4] for least in (1.5, 2.5)]
    large = [scale * each + shift for each in noise for scale, shift in ((5, 0), (1, -2), (1, 2), (5, -2))]
    usual = pictures_of(channels, hw, 30, seed=7)
    return [*noise, *few, *(-each for each in few), *large, noise[4] / 9, *usual]


@torch.no_grad()
def truth_of(
    network: nn.Module,
    pictures: list[Tensor],
    group: str,
    kinds: Mapping[str, tuple[str, str]],
) -> Truth:
    """kinds: path → ("maps" or "invariant", layout of its channels or ""). Fields may also prove to be scalar.

    An output that is not a number has infinite errors.
    """
    network = network.double().eval()
    readings = {path: LAYOUTS if layout == "any" else tuple({"": 0, layout: 0}) for path, (_, layout) in kinds.items()}
    errors = {
        path: {each: {name_of(move): 0.0 for move in GROUPS[group][1:]} for each in readings[path]} for path in kinds
    }
    upright = [{path: each.clone() for path, each in named_tensors(network(picture)).items()} for picture in pictures]
    broken_on = {name_of(move): 0 for move in GROUPS[group][1:]}
    for picture, reference in zip(pictures, upright, strict=True):
        for move in GROUPS[group][1:]:
            name = name_of(move)
            try:
                found = named_tensors(network(act(picture, move).contiguous()))
            except (RuntimeError, ValueError, IndexError):
                found = {}  # the turned picture is not taken
            worst = 0.0
            for path, value in reference.items():
                expected = act(value, move) if kinds[path][0] == "maps" else value
                for layout, seen in errors[path].items():
                    fits = (layout != "" and expected.shape[1] % len(GROUPS[group]) == 0) or layout == "5d"
                    wanted = channels_moved(expected, group, move, layout) if fits else expected
                    error = _difference(found[path], wanted) if path in found else math.inf
                    seen[name] = _larger(seen[name], error)
                    worst = _larger(worst, error)
            broken_on[name] += not worst <= CLEAR
    first = upright[0]
    dead = any(_is_no_number(value) for each in upright for value in each.values()) or all(
        _difference(other[path], value) <= ROUNDING for other in upright[1:] for path, value in first.items()
    )
    best = [
        min(
            each.values(),
            key=lambda seen: (sum(not error <= CLEAR for error in seen.values()), _larger_of(seen.values())),
        )
        for each in errors.values()
    ]
    return Truth(
        {name: _larger_of(each[name] for each in best) for name in broken_on},
        dead,
        {name: count / len(pictures) for name, count in broken_on.items()},
    )


def _is_no_number(value: Tensor) -> bool:
    """Whether it holds NaN or infinity, or is 0 but for rounding."""
    return not 1e-10 < float(value.double().norm()) < math.inf


def _difference(value: Tensor, expected: Tensor) -> float:
    if value.shape != expected.shape:
        return math.inf
    value, expected = value.double(), expected.double()
    error = float((value - expected).norm())
    return error if error == 0 else error / max(float(expected.norm()), 1e-300)


def _larger_of(errors: Iterable[float]) -> float:
    largest = 0.0
    for error in errors:
        largest = _larger(largest, error)
    return math.inf if math.isnan(largest) else largest


def _larger(one: float, other: float) -> float:
    return math.nan if math.isnan(one) or math.isnan(other) else max(one, other)
