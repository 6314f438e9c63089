"""Weights: safetensors files, names and shapes checked before anything is copied. Nothing is ever unpickled.

A file that is written here holds the parameters and the running statistics of a network as it is built
(`models.build.build`), without escnn's bases and expanded filters; what trained it is in its metadata, see
`weights_header`. Read is also the `state_dict()` of the same network from elsewhere, in training or evaluation mode and
wrapped: its names lose what wrappers put before them, and what the network can compute anew is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from equivariance.errors import WeightsError
from explorer.serving.weights_header import header_of, not_weights, plain_names, read_bytes
from explorer.whole_files import write_whole

_CLASSIFIER = "head.classifier."  # of every network of the catalog
_SHOWN = 3  # mismatches named in one sentence
_EXPANDED = ("filter", "expanded_bias")  # that escnn adds in evaluation mode, beside the `weights` they are made of
_SAME_BASIS = 1e-4  # by which the numbers of a basis may differ: they are stored in float32 or less
_NO_METADATA: Mapping[str, str] = {}


@dataclass(frozen=True, eq=False)
class Weights:
    """Named tensors on the CPU, the SHA-256 of the file they came from, and the texts in it."""

    sha256: str
    tensors: Mapping[str, Tensor] = field(repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """The parameters and running statistics of a network, by name."""
    statistics = {name: value for name, value in network.named_buffers() if _is_statistic(name)}
    return {**dict(network.named_parameters()), **statistics}


def save_weights(network: nn.Module, path: Path, metadata: Mapping[str, str] = _NO_METADATA) -> None:
    """Write the weights of a network as built to a safetensors file, whole or not at all; OSError where it cannot be.

    metadata: texts to keep with them: "recipe", the recipe as JSON, and "classes", a JSON list of names in order.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in weights_of(network).items()}
    write_whole(path, save(tensors, dict(metadata) or None))


def read_weights(path: Path) -> Weights:
    """The weights in a safetensors file; raises WeightsError for anything else."""
    return weights_from(read_bytes(path), path.name)


def weights_from(data: bytes, name: str) -> Weights:
    """The weights in the bytes of a safetensors file called `name`; raises WeightsError for anything else."""
    header = header_of(data, name)
    try:
        tensors = load(data)
        names = plain_names(tensors)
        return Weights(header.sha256, {names[name]: each for name, each in tensors.items()}, header.metadata)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise not_weights(name, error) from None


def classes_of(weights: Weights) -> int | None:
    """How many classes a network with these weights tells apart; None for weights of no network of the catalog."""
    classifier = weights.tensors.get(f"{_CLASSIFIER}weight")
    return None if classifier is None or classifier.ndim == 0 else len(classifier)


def with_classifier_of(network: nn.Module, weights: Weights) -> Weights:
    """The weights with the classifier that the network has now in place of theirs: for other classes."""
    own = {name: value for name, value in weights_of(network).items() if name.startswith(_CLASSIFIER)}
    return replace(weights, tensors={**weights.tensors, **own})


def copy_weights(network: nn.Module, weights: Weights) -> None:
    """Copy `weights` into a network as built; raises WeightsError that names what does not fit, changing nothing.

    What the network computes anew (bases, expanded filters) is left out, once it is the same: weights for another basis
    would be another function.
    """
    wanted = weights_of(network)
    buffers = dict(network.named_buffers(remove_duplicate=False))  # escnn shares a basis between layers
    others = {name: each for name, each in weights.tensors.items() if name not in wanted}
    others = {name: each for name, each in others.items() if not _is_expanded(name, wanted)}
    problems = [f"{name} is missing" for name in wanted if name not in weights.tensors]
    problems += [f"{name} does not belong to any layer" for name in others if name not in buffers]
    problems += [
        f"{name} is of another basis"
        for name, each in others.items()
        if name in buffers and not _is_same(each, buffers[name])
    ]
    problems += [
        f"{name} is {_shape(weights.tensors[name])} instead of {_shape(value)}"
        for name, value in wanted.items()
        if name in weights.tensors and weights.tensors[name].shape != value.shape
    ]
    if problems:
        more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise WeightsError(f"These weights are of another network: {'; '.join(problems[:_SHOWN])}{more}.")
    with torch.no_grad():
        for name, value in wanted.items():
            value.copy_(weights.tensors[name])


def _is_expanded(name: str, wanted: Mapping[str, Tensor]) -> bool:
    layer, _, last = name.rpartition(".")
    return last in _EXPANDED and f"{layer}.weights" in wanted


def _is_same(given: Tensor, own: Tensor) -> bool:
    if given.shape != own.shape:
        return False
    return torch.allclose(given.double(), own.detach().double().cpu(), rtol=_SAME_BASIS, atol=_SAME_BASIS)


def _is_statistic(name: str) -> bool:
    return "running_" in name or "num_batches_tracked" in name


def _shape(tensor: Tensor) -> str:
    return "×".join(str(side) for side in tensor.shape) or "one number"
