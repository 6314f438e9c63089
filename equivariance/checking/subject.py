"""A network made ready to be judged."""

import copy
import fnmatch
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from equivariance.checking.channels import USUAL_CHANNELS, channels_asked, channels_in, with_channels
from equivariance.errors import GroupError, NetworkError, first_line, kind_of
from equivariance.following.kinds import TOLERANCES
from equivariance.groups.fields import FieldType, Regular
from equivariance.groups.point_groups import Z2, Element, PointGroup, group_called
from equivariance.layers.export import ExportError, layers_of, types_of
from equivariance.layers.served import MadeReady, declared_groups, has_their_modules, served
from equivariance.theory.program import Program

OUTPUTS = ("invariant", "maps", "regular")


@dataclass(frozen=True)
class Asked:
    """What is asked of which network, as it was passed."""

    network: Any
    group: Any
    fields: Mapping[str, FieldType] | None
    output: Any
    channels: int | None


@dataclass(frozen=True)
class Subject:
    """A network made ready: a copy of its modules in eval mode, its group, its channels."""

    network: nn.Module
    program: Program
    group: PointGroup
    elements: tuple[Element, ...]
    channels: int
    dtype: str
    notes: tuple[str, ...]
    output_types: Mapping[str, FieldType]

    @classmethod
    def of(
        cls, asked: "Asked", dtype: str, sizes: Sequence[tuple[int, int]], given_channels: int | None = None
    ) -> "Subject":
        """Ready for pictures of one of `sizes`; given_channels: of the picture, where it is given."""
        network, output = asked.network, asked.output
        if not isinstance(network, nn.Module):
            raise NetworkError(f"A network is a torch.nn.Module, and this is {kind_of(network)}: pass a module.")
        if not (output is None or output in OUTPUTS or isinstance(output, FieldType)):
            raise NetworkError(
                f"An output is one of {', '.join(OUTPUTS)}, or a field type as regular('C4', 8), and not {output!r}."
            )
        group = _group(asked.group, network)
        wanted = asked.channels if asked.channels is not None else given_channels
        made = _ready(network, dtype, wanted, sizes)
        _check_fields(made.network, asked.fields)

        def program_of(count: int) -> Program:
            return Program(
                made.network, group, channels=count, fields=asked.fields, output=output, stored=_stored(network)
            )

        program = with_channels(network, program_of, sizes) if wanted is None else program_of(channels_asked(wanted))
        notes = (*made.notes, *_restriction(network, group))
        return cls(
            made.network, program, group, program.elements, program.channels, made.dtype, notes, made.output_types
        )


def _stored(network: nn.Module) -> torch.dtype | None:
    """The least precise of the types that its weights have."""
    dtypes = {parameter.dtype for parameter in network.parameters()}
    return max(dtypes & TOLERANCES.keys(), key=TOLERANCES.__getitem__, default=None)


def _check_fields(network: nn.Module, fields: Mapping[str, FieldType] | None) -> None:
    names = [name for name, _ in layers_of(network)]
    for pattern, fields_there in (fields or {}).items():
        if not isinstance(fields_there, FieldType):
            raise NetworkError(
                f"fields= for {pattern!r} is {kind_of(fields_there)}: pass a field type, as regular('C4', 8)."
            )
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            few = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
            raise NetworkError(f"fields= names {pattern!r}, and no layer is called so: the layers are {few}.")


def _group(group: str | PointGroup | None, network: nn.Module) -> PointGroup:
    if group is None:
        return _group_in(network)
    if isinstance(group, PointGroup):
        return group
    if not isinstance(group, str):
        raise GroupError(f"A group is a name, as 'C4', or a PointGroup, and this is {kind_of(group)}.")
    return group_called(group)


def _ready(network: nn.Module, dtype: str, channels: Any, sizes: Sequence[tuple[int, int]]) -> MadeReady:
    """A copy in eval mode and in a precision; the original is never changed, even if this fails.

    Of networks of escnn and e2cnn, see `equivariance.layers.served`.
    """
    try:
        if has_their_modules(network):
            return _served(network, dtype, channels, sizes)
        ready = copy.deepcopy(network).eval().to("cpu", torch.float64 if dtype == "float64" else torch.float32)
    except NetworkError:
        raise
    except Exception as error:  # whatever a network of anyone's may raise
        raise NetworkError(f"The network cannot be copied: {first_line(error)}") from error
    return MadeReady(ready, dtype, {}, {})


def _served(network: nn.Module, dtype: str, channels: Any, sizes: Sequence[tuple[int, int]]) -> MadeReady:
    count = [*channels_in(network, sizes[0]), *USUAL_CHANNELS][0] if channels is None else channels_asked(channels)
    try:
        return served(network, dtype, *((count, *size) for size in sizes))
    except ExportError as error:
        raise NetworkError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None


def _group_in(network: nn.Module) -> PointGroup:
    """What the layers say: of groups that are restricted to each other the smallest that moves anything."""
    declared = [group for group in declared_groups(network) if group != Z2]
    if declared:
        return min(declared, key=lambda group: (len(group.pixel_exact_elements), group.rotations or math.inf))
    for _, layer in layers_of(network):
        for fields in types_of(layer):
            for representation, _ in fields.runs if isinstance(fields, FieldType) else ():
                if isinstance(representation, Regular):
                    return representation.group
    return group_called("C4")


def _restriction(network: nn.Module, chosen: PointGroup) -> tuple[str, ...]:
    """A note where layers declare several groups, which says by which one the network is judged."""
    names = [group.name.upper() for group in declared_groups(network)]
    if len(names) < 2:
        return ()
    return (f"its layers are of {', then '.join(names)}; it is judged by {chosen.name.upper()}",)
