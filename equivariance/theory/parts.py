"""The layers of a network, and the operations outside them, as theory sees them at a size."""

from collections.abc import Collection, Mapping, Sequence

from equivariance.following.arguments import refs_in
from equivariance.following.code_lines import CodeLine
from equivariance.following.dims import Dims
from equivariance.following.follow import Followed, Types
from equivariance.following.recording import Called
from equivariance.following.values import Value
from equivariance.groups.fields import FieldType
from equivariance.groups.point_groups import Element
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED, AxisSampling
from equivariance.theory.proof import NO_ACTION, Part
from equivariance.theory.reasons import reason_of
from equivariance.theory.sampling import WINDOWS, prominence, sampling_of, sides_of

_PRODUCTS = ("mm", "addmm", "bmm", "baddbmm")


class Parts:
    """Each call of a layer, and each operation outside all layers that breaks or is a window.

    relevant: the operations that the outputs depend on. weights: of these, what their weights do not commute with.
    network: the statuses of the network as a whole. types, declared: see `Judge`.
    """

    def __init__(
        self,
        followed: Followed,
        elements: Sequence[Element],
        relevant: Collection[int],
        weights: Mapping[int, Mapping[str, float]],
        network: Mapping[str, str],
        types: Mapping[str, Types],
        declared: Collection[str],
    ) -> None:
        self._followed, self._recording, self._elements = followed, followed.recording, elements
        self._relevant, self._weights, self._network = relevant, weights, network
        self._types, self._declared = types, declared

    def all(self) -> tuple[Part, ...]:
        """In the order of their first operations."""
        parts: list[tuple[int, Part]] = []
        inside: set[int] = set()
        for call in self._recording.calls:
            numbers = range(call.first, call.last)
            inside.update(numbers)
            parts.append((call.first, self._part(call, list(numbers))))
        loose = self._firsts_of_lines(sorted((set(self._followed.own) | set(self._weights)) - inside))
        broken_lines = {self._recording.operations[at].place for at in loose} - {None}
        counts: dict[str, int] = {}
        for at in [
            *loose,
            *(
                at
                for at, each in enumerate(self._recording.operations)
                if at not in inside and at not in loose and each.name in WINDOWS
            ),
        ]:
            operation = self._recording.operations[at]
            if at not in self._relevant or (at not in loose and operation.place in broken_lines):
                continue
            counts[operation.name] = counts.get(operation.name, 0) + 1
            number = counts[operation.name]
            name = f"functional.{operation.name}" + (f"#{number}" if number > 1 else "")
            output = next((each for each in operation.outputs if each is not None), None)
            source = next(iter(refs_in(operation.args)), None)
            made = Called(
                name,
                operation.name,
                "",
                sides_of(self._recording.shapes[source.number]) if source else (1, 1),
                sides_of(self._recording.shapes[output]) if output is not None else (1, 1),
                at,
                at + 1,
                source.number if source else None,
                output,
                0,
            )
            parts.append((at, self._part(made, [at])))
        return tuple(part for _, part in sorted(parts, key=lambda pair: pair[0]))

    def _firsts_of_lines(self, numbers: Sequence[int]) -> list[int]:
        """Of operations that one line of code asks for, such as `maps[:, :, 1:, 1:]`, the first."""
        found: dict[tuple[str, CodeLine | None, int], int] = {}
        for at in numbers:
            operation = self._recording.operations[at]
            if at in self._relevant:
                found.setdefault((operation.block, operation.place, -1 if operation.place else at), at)
        return list(found.values())

    def _part(self, call: Called, numbers: Sequence[int]) -> Part:
        relevant = [at for at in numbers if at in self._relevant]
        errors = {name: error for at in relevant for name, error in self._weights.get(at, {}).items()}
        uneven = [error for at in relevant for error in self._followed.uneven.get(at, {}).values()]
        statuses = {}
        value = self._followed.values.get(call.output) if call.output is not None else None
        for element in self._elements:
            own = any(element in self._followed.own.get(at, ()) for at in relevant)
            if element.name in errors:
                statuses[element.name] = BROKEN
            elif own and call.output is not None and self._is_mended_inside(call, element):
                statuses[element.name] = EXACT
            elif own:
                statuses[element.name] = UNDECIDED if self._network.get(element.name) == EXACT else BROKEN
            elif any(at in self._followed.unknown for at in relevant):
                statuses[element.name] = UNDECIDED
            elif value is None or value.unknown:
                statuses[element.name] = NO_ACTION
            else:
                statuses[element.name] = EXACT
        first = next((at for at in relevant if at in self._followed.own or at in self._weights), None)
        fields, fields_from = self._fields_of(call, value)
        return Part(
            call.name,
            call.kind,
            call.module_name,
            call.in_hw,
            call.out_hw,
            statuses,
            max([*errors.values(), *(uneven if BROKEN in statuses.values() else [])], default=0.0),
            "" if first is None else self._why(first),
            None if first is None else self._recording.operations[first].place,
            self._sampling(relevant),
            fields,
            fields_from,
            self._dims_of(call, value),
            "" if first is None else self._cause(first),
            "" if call.module_name or first is None else self._recording.operations[first].block,
        )

    def _dims_of(self, call: Called, value: Value | None) -> Dims | None:
        if value is None or value.unknown or call.output is None or self._recording.doubts:
            return None
        return value.dims if set(self._elements) <= set(self._followed.agrees.get(call.output, ())) else None

    def _cause(self, at: int) -> str:
        if at in self._weights:
            return "weights"
        if at not in self._followed.uneven:
            return "grid"
        return "flattened" if self._recording.operations[at].name in _PRODUCTS else "places"

    def _why(self, at: int) -> str:
        """In words, what an operation does that does not commute; empty for windows, whose numbers say it."""
        operation, cause = self._recording.operations[at], self._cause(at)
        if cause == "flattened":
            return "it is a linear layer on flattened maps, in which each pixel has weights of its own"
        if cause == "places":
            return "it works with numbers that depend on the place"
        if cause == "weights" or operation.name in WINDOWS:
            return ""
        return reason_of(operation.name)

    def _is_mended_inside(self, call: Called, element: Element) -> bool:
        """Whether a layer commutes as a whole although some of its operations do not."""
        inputs_agree = call.input is not None and element in self._followed.agrees.get(call.input, frozenset())
        return (
            inputs_agree and call.output is not None and element in self._followed.agrees.get(call.output, frozenset())
        )

    def _fields_of(self, call: Called, value: Value | None) -> tuple[FieldType | None, str]:
        if value is None:
            return None, "unknown"
        found = value.type_of_channels or value.fields
        if call.module_name in self._types:
            return found, "declared" if call.module_name in self._declared else "typed"
        if len(value.dims) == 5 and value.has_maps and found is not None and not found.is_scalar:
            return found, "fifth dimension"
        return found, "unknown" if found is None else "scalar" if found.is_scalar else "inferred"

    def _sampling(self, numbers: Sequence[int]) -> tuple[AxisSampling, AxisSampling] | None:
        """The window of a part that strides most, for its numbers; None where it has none."""
        best: tuple[AxisSampling, AxisSampling] | None = None
        for at in numbers:
            found = sampling_of(self._recording.operations[at], self._recording.shapes)
            if found is not None and (best is None or prominence(found) > prominence(best)):
                best = found
        return best
