"""The evaluation of a network: accuracy under turns, agreement over the orbit, equivariance error of every layer.

What is evaluated is the network as it is served (plain layers, see `equivariance.layers.export`), so that the
figures are those of the pages.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from equivariance.groups.acting import transform_picture
from equivariance.groups.transforms import Transform, elements_to_measure, parse
from equivariance.largest import largest_of
from equivariance.measurement.mean_filters import mean_filters
from equivariance.measurement.measure import measure
from explorer.data.datasets import Split, brought
from explorer.serving.weights import Weights, copy_weights, weights_of
from explorer.training.metrics import ANGLES_DEG, TESTED, TURNS
from explorer.training.recipe import Recipe
from models.build import serve
from models.catalog import NetworkSpec

MEASURED_PICTURES = 4
_AT_ONCE, _AT_ONCE_ON_GPU = 200, 2000  # pictures; a GPU would wait for its next call


@dataclass(frozen=True)
class Evaluation:
    """Figures of one network; see `metrics.Epoch` for what they mean."""

    loss: float
    accuracy: dict[str, float]
    angles: tuple[float, ...] | None
    agreement: float
    errors: dict[str, float]
    filters: dict[str, list[list[list[float]]]]
    right: dict[str, NDArray[np.bool_]]


def served(network: nn.Module, spec: NetworkSpec, device: torch.device) -> nn.Module:
    """A network as built, with its weights of now, as it is served: plain layers, float32, on `device`."""
    weights = Weights("", {name: value.detach().cpu() for name, value in weights_of(network).items()})
    plain = serve(spec, prepare=partial(copy_weights, weights=weights))
    return plain.to(device, torch.float32).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def evaluate(
    network: nn.Module,
    spec: NetworkSpec,
    split: Split,
    recipe: Recipe,
    *,
    with_angles: bool,
    check: Callable[[], None] = lambda: None,
) -> Evaluation:
    """The figures of a served network over a test split.

    `check` is called before every batch and may raise to stop.
    """
    names = list(TESTED)
    if with_angles:
        names += [name for name in map(_angle_name, ANGLES_DEG) if name not in names]
    transforms = {name: parse(name) for name in names}
    device = _device(network)
    right: dict[str, list[Tensor]] = {
        name: [] for name in names
    }  # read at the end, so that nothing waits for the device
    agreeing = torch.zeros((), dtype=torch.int64, device=device)
    loss = 0.0
    for pictures, labels in _batches(network, split, recipe):
        answers: dict[str, Tensor] = {}
        for name, transform in transforms.items():
            check()
            logits = _logits(network, pictures, transform)
            answers[name] = logits.argmax(1)
            right[name].append(answers[name] == labels)
            if name == "identity":
                loss += float(functional.cross_entropy(logits.cpu().double(), labels.cpu(), reduction="sum"))
        agreeing += torch.stack([answers[name] == answers["identity"] for name in TURNS]).all(0).sum()
    count = len(split.labels)
    found = {name: torch.cat(each).cpu().numpy() for name, each in right.items()}
    accuracy = {name: int(each.sum()) / count for name, each in found.items()}
    return Evaluation(
        loss / count,
        {name: accuracy[name] for name in TESTED},
        tuple(accuracy[_angle_name(angle)] for angle in ANGLES_DEG) if with_angles else None,
        int(agreeing) / count,
        layer_errors(network, spec, split, recipe, check=check),
        {name: _rounded(filters) for name, filters in mean_filters(network).items()},
        found,
    )


def layer_errors(
    network: nn.Module, spec: NetworkSpec, split: Split, recipe: Recipe, *, check: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """By layer, "logits" last: the largest relative error under the pixel-exact elements, mean over a few pictures.

    Layers whose fields none of the elements acts on are left out.
    """
    elements = elements_to_measure(spec.point_group)
    found: dict[str, list[float]] = {}
    pictures = brought(split.pictures[:MEASURED_PICTURES], size_px=recipe.size_px, how=recipe.how)
    for picture in pictures.to(_device(network)):
        check()
        measured = measure(network, picture, elements, own_errors=False)
        by_layer = {layer.name: layer.error for layer in measured.layers} | {"logits": measured.output_error}
        for name, errors in by_layer.items():
            largest = largest_of(errors.values())
            if largest is not None:
                found.setdefault(name, []).append(largest)
    return {name: sum(errors) / len(errors) for name, errors in found.items()}


def _batches(network: nn.Module, split: Split, recipe: Recipe) -> Iterator[tuple[Tensor, Tensor]]:
    """Pictures (B, 3, S, S) and labels (B,), on the network's device."""
    device = _device(network)
    at_once = _AT_ONCE if device.type == "cpu" else _AT_ONCE_ON_GPU
    for pictures, labels in zip(split.pictures.split(at_once), split.labels.split(at_once), strict=True):
        yield brought(pictures.to(device), size_px=recipe.size_px, how=recipe.how), labels.to(device)


@torch.inference_mode()
def _logits(network: nn.Module, pictures: Tensor, transform: Transform) -> Tensor:
    moved = transform_picture(pictures, transform)
    return network(moved.contiguous(memory_format=torch.channels_last))


def _rounded(filters: Tensor) -> list[list[list[float]]]:
    """To digits that are enough to draw and to compare."""
    return [[[float(f"{value:.4g}") for value in row] for row in each] for each in filters.cpu().tolist()]


def _angle_name(angle_deg: int) -> str:
    return "identity" if angle_deg == 0 else f"rot{angle_deg}"


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
