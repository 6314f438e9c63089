"""Every operation of one pass of a network, as torch dispatches them: what `following` reads.

The network runs once under a dispatch mode, on the meta device (shapes without data) where that can be done, so that
branches, reused modules, functional calls, views and writes in place are all seen, whatever its code looks like. Where
its code needs numbers (`.item()`, `if`, NumPy) or makes tensors from Python numbers, it runs on a real picture instead.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from equivariance.following.blank import tensors_of
from equivariance.following.recorder import Keys, NeedsDataError, Recorder
from equivariance.following.recording import Constant, Operation, Recording


def record(
    network: nn.Module, blank: nn.Module | None, picture: Tensor, keys: Keys | None = None, *, places: bool = True
) -> Recording:
    """The pass of `network` on `picture` (1, C, H, W); torch's own errors pass through.

    blank: a copy of `network` on the meta device; None runs `network` itself. keys: shared by the recordings of one
    network. places: whether to note the line of each operation.
    """
    keys = keys or Keys()
    if blank is not None:
        leaves = dict(zip(map(id, tensors_of(blank)), tensors_of(network), strict=True))
        recorder = Recorder(leaves, _owners(network), keys, places=places)
        try:
            with torch.device("meta"):
                return recorder.run(blank, picture.to("meta"))
        except NeedsDataError:
            pass
        except (NotImplementedError, TypeError, RuntimeError) as error:
            if "meta" not in str(error).lower() and not isinstance(error, TypeError):
                raise
    recording, other = (_on_data(network, each, keys) for each in (picture, picture.flip(-1) * 0.7 + 0.1))
    for (one, place), (two, _) in zip(recording.foreign, other.foreign, strict=False):
        if _mapped_constants(one) != _mapped_constants(two):
            recording.doubts.append(("tensor", place, "its numbers come from the picture by a way outside torch"))
            return recording
    for here, there in zip(_outside(recording), _outside(other), strict=False):
        if here[0] != there[0]:
            recording.doubts.append(
                (here[1].name, here[1].place, "it takes numbers that come from the picture by a way outside torch")
            )
            break
    if len(recording.operations) != len(other.operations):
        recording.doubts.append(("if", None, "which operations run depends on the picture"))
    return recording


def _on_data(network: nn.Module, picture: Tensor, keys: Keys) -> Recording:
    leaves = {id(tensor): tensor for tensor in tensors_of(network)}
    recording = Recorder(leaves, _owners(network), keys).run(network, picture)
    recording.on_data = True
    return recording


def _outside(recording: Recording) -> Iterator[tuple[str, Operation]]:
    """What each operation takes from outside the recording, as text that can be compared."""
    for operation in recording.operations:
        yield repr(_mapped_constants((operation.name, operation.args, operation.kwargs))), operation


def _mapped_constants(value: Any) -> Any:
    if isinstance(value, Constant):
        return hashlib.sha256(value.value().double().contiguous().numpy().tobytes()).hexdigest()
    if isinstance(value, list | tuple):
        return [_mapped_constants(each) for each in value]
    if isinstance(value, dict):
        return {name: _mapped_constants(each) for name, each in value.items()}
    return value


def _owners(network: nn.Module) -> dict[int, str]:
    return {id(tensor): name for name, tensor in (*network.named_parameters(), *network.named_buffers())}
