"""What a network's outputs are compared as."""

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from equivariance.checking.subject import Subject
from equivariance.errors import NetworkError, first_line
from equivariance.following.dims import HEIGHT, WIDTH, Atom, Dim, Dims
from equivariance.following.dims import channels as dim_of_channels
from equivariance.following.kinds import Kinds
from equivariance.groups.fields import FieldType, regular
from equivariance.groups.point_groups import PointGroup
from equivariance.measurement.any_network import How, Seen, measure_any
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.theory.judge import is_of_type
from equivariance.theory.proof import Proof


def measured(subject: Subject, proof: Proof, pictures: Sequence[Tensor], output: str | FieldType | None) -> Seen:
    """The errors of the outputs, and of the layers whose fields are known, on `pictures`.

    output: what the outputs are asked to be, see `check`. Raises NetworkError where the network fails.
    """

    def how_of(path: str, shape: tuple[int, ...]) -> How:
        value = proof.output_values.get(path)
        has_sides = len(shape) >= 4 and max(shape[-2:]) > 1
        is_map = value.has_maps if value is not None else has_sides
        if output in ("invariant", "maps"):
            return How(str(output))
        if output is not None:
            return How("maps" if has_sides or is_map else "invariant", _wished(output, value, shape, subject, is_map))
        if not is_map:
            return How("invariant")
        if path in subject.output_types:
            return How("maps", subject.output_types[path])
        if value is not None and not value.unknown:
            return How("maps", None, value.dims_of_maps)
        others = [How("maps", None, dims) for dims in _layouts_of(subject.group, shape)]
        if value is None and not _is_like(shape, proof):
            others.append(How("invariant"))
        return How("maps", others=tuple(others))

    layers = {part.name: part.dims for part in proof.parts if part.dims is not None}
    elements = subject.elements or (() if subject.group.rotations is None else subject.group.elements[1:])
    try:
        return measure_any(subject.network, pictures, elements, how_of, layers)
    except Exception as error:  # whatever a network of anyone's may raise
        raise NetworkError(f"The network fails on a picture: {first_line(error)}") from error


def _wished(output: Any, value: Any, shape: tuple[int, ...], subject: Subject, is_map: bool) -> FieldType | None:
    """The type that an output is meant to have; "regular" in the layout that theory has found, if it has."""
    if isinstance(output, FieldType):
        return output
    found = None if value is None else value.type_of_channels
    if found is not None and is_of_type(found, output, subject.group):
        return found
    count = math.prod(shape[1:-2] if is_map else shape[1:])
    order = 0 if subject.group.rotations is None else subject.group.order
    return regular(subject.group, count // order) if order and count % order == 0 else None


def _is_like(shape: Sequence[int], proof: Proof) -> bool:
    """Whether the last two sides are in the ratio of the picture's, but for a pixel."""
    difference = abs(shape[-2] * proof.width_px - shape[-1] * proof.height_px)
    return difference <= max(proof.height_px, proof.width_px)


def _layouts_of(group: PointGroup, shape: Sequence[int]) -> list[Dims]:
    """What maps whose fields are not known may be besides scalar: regular fields in the known layouts."""
    kinds = Kinds(group, ())
    plain: list[Dim] = [(dim_of_channels(size),) for size in shape[:-2]]
    sides: Dims = ((Atom(HEIGHT, shape[-2]),), (Atom(WIDTH, shape[-1]),))
    return [
        (*plain[:at], (dim_of_channels(shape[at], fields),), *plain[at + 1 :], *sides)
        for at in range(1, len(plain))
        for fields in kinds.layouts(shape[at])[:-1]
    ]


def shows_nothing_broken(seen: Seen, subject: Subject) -> bool:
    """Whether under any element all errors are rounding, so that other pictures may find more."""
    errors = [seen.largest(element.name) for element in subject.elements]
    return any(error is not None and error <= ROUNDING_LEVEL[subject.dtype] for error in errors)
