"""Statuses of a network's outputs, from what was followed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from equivariance.following.arguments import refs_in
from equivariance.following.follow import Followed, Types
from equivariance.following.outputs import outputs_of
from equivariance.following.recording import Constant, Ref
from equivariance.following.values import Value, same
from equivariance.groups.fields import FieldType, Interleaved, Regular
from equivariance.groups.point_groups import IDENTITY, Element, PointGroup
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED, worst
from equivariance.theory.parts import Parts
from equivariance.theory.proof import NotFollowed, Proof
from equivariance.theory.reasons import LISTED


class Judge:
    """Turns what was followed into statuses.

    output: how the outputs are meant to transform under `group`, see `Program`. types: of layers, by module name;
    declared: the layers whose type was given.
    """

    def __init__(
        self,
        followed: Followed,
        sides: tuple[int, int],
        elements: Sequence[Element],
        group: PointGroup,
        output: str | FieldType | None,
        types: Mapping[str, Types],
        declared: Collection[str],
    ) -> None:
        recording = followed.recording
        self._recording, self._followed = recording, followed
        self._sides, self._elements, self._group, self._output = sides, elements, group, output
        self._types, self._declared = types, declared
        self._outputs = dict(outputs_of(recording.output))
        self._relevant = self._ancestors([entry.number for entry in self._outputs.values() if isinstance(entry, Ref)])
        self._unpooled = ""

    def proof(self) -> Proof:
        """All that theory says."""
        outputs = {path: self._statuses(entry) for path, entry in self._outputs.items()}
        elements = {
            element.name: worst([statuses[element.name] for statuses in outputs.values()] or [UNDECIDED])
            for element in self._elements
        }
        weights = self._weight_errors()
        parts = Parts(
            self._followed, self._elements, self._relevant, weights, elements, self._types, self._declared
        ).all()
        exact = [name for name, status in elements.items() if status == EXACT]
        together = tuple(part.name for part in parts if any(part.elements.get(name) == UNDECIDED for name in exact))
        return Proof(
            *self._sides,
            elements,
            outputs,
            parts,
            tuple(self._not_followed()),
            together,
            any(weights.values()) or bool(self._unpooled) or self._is_uneven(elements),
            self._unpooled,
            {path: self._value(entry) for path, entry in self._outputs.items()},
            self._followed.loosest,
        )

    def is_exact(self) -> bool:
        """Whether every output is exact under every element."""
        statuses = [status for entry in self._outputs.values() for status in self._statuses(entry).values()]
        return bool(statuses) and all(status == EXACT for status in statuses)

    def _value(self, entry: Any) -> Value | None:
        return self._followed.values.get(entry.number) if isinstance(entry, Ref) else None

    def _ancestors(self, numbers: Sequence[int]) -> set[int]:
        """The operations that the outputs depend on."""
        makers = {
            output: at
            for at, operation in enumerate(self._recording.operations)
            for output in operation.outputs
            if output is not None
        }
        found: set[int] = set()
        waiting = [makers[number] for number in numbers if number in makers]
        while waiting:
            at = waiting.pop()
            if at not in found:
                found.add(at)
                operation = self._recording.operations[at]
                refs = refs_in((operation.args, operation.kwargs))
                waiting += [makers[ref.number] for ref in refs if ref.number in makers]
        return found

    def _weight_errors(self) -> dict[int, dict[str, float]]:
        return {at: errors for at, errors in self._followed.weights.items() if at in self._relevant and errors}

    def _is_uneven(self, elements: Mapping[str, str]) -> bool:
        """Whether numbers that depend on the place break an element that the network is not proven to commute with."""
        return any(
            element.name in errors and elements.get(element.name) != EXACT
            for at, errors in self._followed.uneven.items()
            if at in self._relevant
            for element in self._followed.own.get(at, ())
        )

    def _statuses(self, entry: Any) -> dict[str, str]:
        value = self._value(entry)
        if value is None:
            broken = self._surely_broken()
            return {element.name: BROKEN if element.name in broken else UNDECIDED for element in self._elements}
        agrees = self._followed.agrees[entry.number]
        weights = self._weight_errors()
        by_weights = {name for errors in weights.values() for name in errors}
        is_wished_flat = self._output == "invariant"  # see `_as_wished`
        statuses = {}
        for element in self._elements:
            if element.name in by_weights or not (element in agrees or (value.has_places and value.answers(element))):
                statuses[element.name] = BROKEN
            elif value.has_places and not value.answers(element) and not (is_wished_flat and value.has_maps):
                statuses[element.name] = BROKEN
                self._unpooled = self._unpooled or LISTED
            elif value.unknown or self._recording.doubts:
                statuses[element.name] = UNDECIDED
            else:
                statuses[element.name] = self._as_wished(value, element)
        return statuses

    def _as_wished(self, value: Value, element: Element) -> str:
        """The status of an output that transforms as its dimensions say: whether that is what is asked of it."""
        wished = self._output
        if wished == "regular" or isinstance(wished, FieldType):
            fields = value.type_of_channels
            if fields is not None and is_of_type(fields, wished, self._group):
                return EXACT
            wished_title = wished if isinstance(wished, str) else wished.title
            self._unpooled = (
                f"The output's channels are {'unknown' if fields is None else fields.title} fields, and not "
            )
            self._unpooled += f"{wished_title} ones."
            return UNDECIDED if fields is None else BROKEN
        if wished == "invariant" and value.has_maps:
            here, there = value.worlds[IDENTITY].tensor, value.worlds[element].tensor
            if not same(there, here):
                self._unpooled = "The output has height and width, and turns with the picture: it is not invariant."
                return BROKEN
        if not value.is_scalar and (wished == "invariant" or not value.has_maps):
            self._unpooled = "The output is a field whose channels the group exchanges: the group is not pooled."
            return BROKEN
        return EXACT

    def _surely_broken(self) -> set[str]:
        """Elements broken by weights before anything unknown: what follows may hide it, but cannot be told."""
        return {name for errors in self._weight_errors().values() for name in errors}

    def _not_followed(self) -> Iterator[NotFollowed]:
        for at, why in self._followed.unknown.items():
            if at in self._relevant or not self._relevant:
                operation = self._recording.operations[at]
                yield NotFollowed(operation.name, operation.call or operation.block, operation.place, why)
        for name, place, why in self._recording.doubts:
            yield NotFollowed(name, "", place, why)
        for path, entry in self._outputs.items():
            value = self._value(entry)
            if isinstance(entry, Constant | Tensor) and not self._recording.doubts:
                yield NotFollowed(path, "", None, "the output does not depend on the picture as far as theory can see")
            elif value is not None and value.unknown and not self._followed.unknown and not self._weight_errors():
                yield NotFollowed(path, "", None, value.unknown)


def is_of_type(fields: FieldType, wished: str | FieldType, group: PointGroup) -> bool:
    """Whether channels of type `fields` are of the wished one: "regular" in any layout, or that very type."""
    if isinstance(wished, FieldType):
        return fields == wished
    inner = [each.inner if isinstance(each, Interleaved) else each for each, _ in fields.runs]
    return all(isinstance(each, Regular) and each.group == group for each in inner)
