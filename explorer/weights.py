"""Weights: safetensors files, names and shapes checked before anything is copied. Nothing is ever unpickled.

A file holds the parameters and the running statistics of a network as it is built (`models.catalog.build`), without
escnn's bases and expanded filters.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from explorer.errors import WeightsError

MAX_BYTES = 2**30
_SHOWN = 3  # mismatches named in one sentence


@dataclass(frozen=True, eq=False)
class Weights:
    """Named tensors, and the SHA-256 of the file they came from."""

    sha256: str
    tensors: Mapping[str, Tensor] = field(repr=False)


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """The parameters and running statistics of a network, by name."""
    statistics = {name: value for name, value in network.named_buffers() if _is_statistic(name)}
    return {**dict(network.named_parameters()), **statistics}


def save_weights(network: nn.Module, path: Path) -> None:
    """Write the weights of a network as built to a safetensors file."""
    path.write_bytes(save({name: value.detach().contiguous() for name, value in weights_of(network).items()}))


def read_weights(path: Path) -> Weights:
    """The tensors of a safetensors file; raises WeightsError for anything else."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WeightsError(f"The weights {path.name!r} have more than {MAX_BYTES} bytes: give a smaller file.")
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"The weights {str(path)!r} cannot be read ({error.strerror}): give a safetensors file."
        ) from None
    try:
        return Weights(hashlib.sha256(data).hexdigest(), load(data))
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{path.name!r} is not a safetensors file ({error}): pickled weights are never read."
        ) from None


def copy_weights(network: nn.Module, weights: Weights) -> None:
    """Copy `weights` into a network as built; raises WeightsError that names what does not fit, changing nothing."""
    wanted = weights_of(network)
    problems = [f"{name} is missing" for name in wanted if name not in weights.tensors]
    problems += [f"{name} belongs to no layer" for name in weights.tensors if name not in wanted]
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


def _is_statistic(name: str) -> bool:
    return "running_" in name or "num_batches_tracked" in name


def _shape(tensor: Tensor) -> str:
    return "×".join(str(side) for side in tensor.shape) or "one number"
