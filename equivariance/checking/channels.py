"""How many channels the pictures of a network have."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from equivariance.checking.sizes import is_number
from equivariance.errors import NetworkError, SizeError
from equivariance.groups.fields import FieldType
from equivariance.layers.export import layers_of, types_of
from equivariance.layers.served import picture_type
from equivariance.theory.program import Program

USUAL_CHANNELS = (3, 1, 4, 2)
_MOST_CHANNELS = 12  # counts that are tried on a network whose layers do not tell


def channels_asked(wanted: Any) -> int:
    """The number of channels that was passed; raises NetworkError for what is no number above 0."""
    if not is_number(wanted) or wanted < 1:
        raise NetworkError(f"A picture has 1 channel or more, and channels={wanted!r}: pass a number, as channels=3.")
    return int(wanted)


def with_channels(
    network: nn.Module, program_of: Callable[[int], Program], sizes: Sequence[tuple[int, int]]
) -> Program:
    """The program for pictures of as many channels as the network is seen to take at one of `sizes`.

    Raises SizeError or NetworkError where it takes none, or where that cannot be told.
    """
    read = channels_in(network, sizes[0])
    if not read:
        raise NetworkError("The number of channels cannot be read from the network: pass channels=, as channels=3.")
    first = program_of(read[0])
    try:
        _takes_one_of(first, sizes)
        return first
    except (SizeError, NetworkError) as error:
        others = list(dict.fromkeys([*read[1:], *USUAL_CHANNELS]))
        programs = [program_of(count) for count in others[:_MOST_CHANNELS] if count != read[0]]
        taken = [each for each in programs if _takes(each, sizes)]
        if not taken:
            raise error
    if len(taken) > 1:
        counts = ", ".join(str(each.channels) for each in taken)
        raise NetworkError(f"The network takes pictures of {counts} channels: pass channels=, as channels=3.")
    return taken[0]


def _takes_one_of(program: Program, sizes: Sequence[tuple[int, int]]) -> None:
    for at, size in enumerate(sizes):
        try:
            program.recording(*size)
            return
        except (SizeError, NetworkError):
            if at + 1 == len(sizes):
                raise


def _takes(program: Program, sizes: Sequence[tuple[int, int]]) -> bool:
    try:
        _takes_one_of(program, sizes)
    except (SizeError, NetworkError):
        return False
    return True


def channels_in(network: nn.Module, size: tuple[int, int]) -> list[int]:
    """Channels that the picture may have, the likeliest first: what the layers say that they take."""
    their_type = picture_type(network)
    if their_type is not None:
        return [int(their_type.size)]
    found: list[int] = []
    for _, layer in layers_of(network):
        in_type = types_of(layer)[0]
        if isinstance(in_type, FieldType):
            found.append(in_type.channels)
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
            found.append(layer.num_features if isinstance(layer, nn.BatchNorm2d) else layer.in_channels)
        elif isinstance(layer, nn.Linear) and not found and layer.in_features % (size[0] * size[1]) == 0:
            found.append(layer.in_features // (size[0] * size[1]))
        else:
            found += [
                _inputs_of(parameter) for parameter in layer.parameters(recurse=False) if parameter.dim() in (4, 5)
            ]
    if not found:
        found = [_inputs_of(parameter) for parameter in network.parameters() if parameter.dim() in (4, 5)]
    return list(dict.fromkeys(found))


def _inputs_of(kernel: Tensor) -> int:
    """Of a kernel (C_out, C_in, k, k) or (C_out, C_in, |G|, k, k)."""
    return math.prod(kernel.shape[1:-2])
