"""Theory for anyone's network: what is proven at a size, what breaks, and what could not be followed.

The network is recorded at the size in question, and never judged from a recording of another size.
"""

import fnmatch
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

import torch
from torch import Tensor, nn

from equivariance.errors import NetworkError, SizeError, first_line
from equivariance.following.dims import Dims
from equivariance.following.follow import Followed, Types, Value, follow, refs_in, same
from equivariance.following.kinds import Looked
from equivariance.following.recording import (
    Called,
    CodeLine,
    Constant,
    Keys,
    Operation,
    Recording,
    Ref,
    blank_copy,
    record,
)
from equivariance.groups.fields import FieldType, Interleaved, Regular
from equivariance.groups.point_groups import D4, IDENTITY, Element, PointGroup
from equivariance.kept import Kept
from equivariance.layers.export import layers_of, types_of
from equivariance.layers.windows import AxisWindow, pair
from equivariance.theory.exactness import layer_errors
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED, AxisSampling, worst

NO_ACTION = "no action"
SEARCH_PX = 32  # how far from a side the nearest exact sides are looked for
SEARCH_WORK = 40_000_000  # and how much at most: operations times pixels, of all sides that are tried together
SMALLEST_PX = 8  # smaller exact sides are true but of no use
_KEPT = 4  # recordings and proofs


@dataclass(frozen=True)
class NotFollowed:
    """An operation that theory could not follow: its name, the layer or block it is in, its line, why it matters."""

    operation: str
    layer: str
    place: CodeLine | None
    why: str

    def __str__(self) -> str:
        where = " ".join(
            filter(None, [f"in {self.layer}" if self.layer else "", f"at {self.place}" if self.place else ""])
        )
        return f"{self.operation} {where}".strip()


@dataclass(frozen=True)
class Part:
    """One call of one layer, or one operation outside all layers, as theory sees it at a size.

    elements: status by name. weight_error: the largest relative difference of its weights from their own transform.
    why: in words, what of it does not commute; empty for windows, whose numbers say it. place: its line.
    fields: the type of its output's channels, None where it is not known; fields_from: where that comes from.
    dims: what the dimensions of its output mean, where it transforms as theory says under every element, with all that
    comes before it. cause: of a broken one, "weights", "places" (numbers that differ from place to place),
    "flattened" (a linear layer on pixels) or "grid"; block: the block that an operation outside all layers is in.
    """

    name: str
    kind: str
    module_name: str
    in_hw: tuple[int, int]
    out_hw: tuple[int, int]
    elements: dict[str, str]
    weight_error: float = 0.0
    why: str = ""
    place: CodeLine | None = None
    sampling: tuple[AxisSampling, AxisSampling] | None = None
    fields: FieldType | None = None
    fields_from: str = ""
    dims: Dims | None = None
    cause: str = ""
    block: str = ""

    @property
    def is_broken(self) -> bool:
        """Whether any element is broken by this part itself."""
        return BROKEN in self.elements.values()


@dataclass(frozen=True)
class Proof:
    """Theory's word for one network at one size.

    elements: of the whole network. outputs: path → element → status. together: parts that do not commute by
    themselves though the network does, so that they undo each other. by_weights: whether weights or numbers that depend
    on the place break it at every size. loosest: the largest difference of weights that was taken for rounding.
    unpooled: why an output is no answer, or not the one that is asked for, though all before it commutes; else empty.
    """

    height_px: int
    width_px: int
    elements: dict[str, str]
    outputs: dict[str, dict[str, str]]
    parts: tuple[Part, ...]
    not_followed: tuple[NotFollowed, ...]
    together: tuple[str, ...]
    by_weights: bool
    unpooled: str
    output_values: dict[str, Value | None] = field(repr=False)
    loosest: float = 0.0

    @property
    def verdict(self) -> str:
        """ "exact", "approximate", "not equivariant" or "undecided"."""
        statuses = set(self.elements.values())
        if BROKEN in statuses:
            return "not equivariant" if self.by_weights else "approximate"
        return "undecided" if UNDECIDED in statuses or not statuses else "exact"

    @property
    def broken_parts(self) -> tuple[Part, ...]:
        """Every part that breaks an element by itself, in order."""
        return tuple(part for part in self.parts if part.is_broken)


class Program:
    """A network as theory follows it. Thread-safe; the network is never changed.

    group: whose elements are judged. channels: of the picture. fields: out types of layers by name or pattern.
    stored: the precision that the weights come from, where the network was brought to another.
    output: how the outputs are meant to transform, "invariant", "maps", "regular" or a type; None: as they are.
    """

    def __init__(
        self,
        network: nn.Module,
        group: PointGroup,
        *,
        channels: int = 3,
        fields: Mapping[str, FieldType] | None = None,
        types: Mapping[str, Types] | None = None,
        output: str | FieldType | None = None,
        stored: torch.dtype | None = None,
    ) -> None:
        self._stored = stored
        self.network, self.group, self.channels, self.output = network, group, channels, output
        no_symmetry = group.rotations == 1 and not group.mirrors
        self.elements = (D4 if no_symmetry else group).pixel_exact_elements[1:]
        self._fields = dict(fields or {})
        self._given_types = dict(types or {})
        self._lock = RLock()
        self._recordings: Kept[Recording] = Kept(_KEPT)
        self._proofs: Kept[Proof] = Kept(_KEPT)
        self._blank = _blank_or_none(network)
        self.declared: set[str] = set()  # layers whose type was given
        self.types = self._types()
        self._module_errors: dict[str, dict[str, float]] = {}
        self._keys, self._looked = Keys(), dict[Hashable, Looked]()

    def _types(self) -> dict[str, Types]:
        found: dict[str, Types] = {}
        for name, layer in layers_of(self.network):
            declared = self._given_types.get(name) or types_of(layer)
            for pattern, out_type in self._fields.items():
                if fnmatch.fnmatchcase(name, pattern):
                    declared = (declared[0], out_type)
                    self.declared.add(name)
            if declared != (None, None):
                found[name] = declared
        return found

    # ------------------------------------------------------------------------------------------------------ recording

    def recording(self, height_px: int, width_px: int) -> Recording:
        """The recorded pass at a size; raises SizeError where the network cannot take it."""
        with self._lock:
            return self._recordings.get((height_px, width_px), lambda: self._record(height_px, width_px))

    def _record(self, height_px: int, width_px: int, *, places: bool = True) -> Recording:
        tensors = (*self.network.parameters(), *self.network.buffers())
        dtype = next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), torch.float64)
        picture = torch.rand(
            1, self.channels, height_px, width_px, generator=torch.Generator().manual_seed(0), dtype=torch.float64
        ).to(dtype)
        try:
            return record(self.network, self._blank, picture, self._keys, places=places)
        except (RuntimeError, ValueError, IndexError, ZeroDivisionError, AssertionError) as error:
            raise SizeError(
                f"The network cannot take {self.channels}×{height_px}×{width_px}: {first_line(error)}"
            ) from None
        except Exception as error:  # whatever a network of anyone's may raise
            raise NetworkError(f"The network fails on a picture: {first_line(error)}") from error

    # ---------------------------------------------------------------------------------------------------------- proof

    def proof(self, height_px: int, width_px: int) -> Proof:
        """What theory says at a size; raises SizeError where the network cannot take it."""
        with self._lock:
            return self._proofs.get((height_px, width_px), lambda: self._prove(height_px, width_px, self.elements))

    def _prove(self, height_px: int, width_px: int, elements: Sequence[Element]) -> Proof:
        recording = self.recording(height_px, width_px)
        turned = recording
        if height_px != width_px and any(element.swaps_axes for element in elements):
            try:
                turned = self.recording(width_px, height_px)
            except SizeError as error:
                raise SizeError(
                    f"{error} That is the quarter turn of a picture of {height_px}×{width_px}: pass a square size, or "
                    'a group without quarter turns, as group="D2".'
                ) from None
        return _Judge(
            self, recording, self._followed(recording, turned, elements), height_px, width_px, elements
        ).proof()

    def _followed(
        self, recording: Recording, turned: Recording, elements: Sequence[Element], *, own: bool = True
    ) -> Followed:
        declared = {
            call.name: self.types[call.module_name] for call in recording.calls if call.module_name in self.types
        }
        return follow(
            recording,
            self.group,
            elements,
            declared,
            turned_recording=turned,
            errors_of=self._errors_of,
            modules=_modules_of(recording),
            kept=self._looked,
            own=own,
            stored=self._stored,
        )

    def _errors_of(self, module_name: str) -> dict[str, float]:
        """Of a layer that declares its types: what its weights, or its function of each number, do not commute with."""
        if module_name not in self._module_errors:
            layer = dict(self.network.named_modules())[module_name]
            in_type, out_type = self.types[module_name]
            try:
                self._module_errors[module_name] = {
                    **layer_errors(layer, self.elements),
                    **{element.name: 1.0 for element in self.elements if _is_dropped(element, in_type, out_type)},
                }
            except (RuntimeError, ValueError, TypeError, IndexError):
                self._module_errors[module_name] = {element.name: 1.0 for element in self.elements}
        return self._module_errors[module_name]

    # ---------------------------------------------------------------------------------------------------------- sizes

    def is_exact(self, height_px: int, width_px: int) -> bool:
        """Whether theory proves the network exact at a size, recorded there; False where it cannot take it."""
        square = height_px == width_px
        elements = self._few(square)
        with self._lock:
            try:
                recording = self._record(height_px, width_px, places=False)
                turned = recording
                if not square and any(element.swaps_axes for element in elements):
                    turned = self._record(width_px, height_px, places=False)
            except (SizeError, NetworkError):
                return False
            followed = self._followed(recording, turned, elements, own=False)
            return _Judge(self, recording, followed, height_px, width_px, elements).is_exact()

    def _few(self, square: bool) -> tuple[Element, ...]:
        """A few elements whose products give all; of a picture that is not square all, since each asks other things."""
        if not square:
            return self.elements
        turns = [element for element in self.elements if not element.mirrored]
        mirrors = [element for element in self.elements if element.mirrored]
        return (*turns[:1], *mirrors[:1])

    def exact_sides(self, height_px: int, width_px: int, axis: int) -> tuple[int | None, int | None]:
        """The nearest exact sides below and above along an axis (0 height, 1 width), each recorded itself.

        Of a square picture both sides change together.
        """
        work = len(self.recording(height_px, width_px).operations) * height_px * width_px
        most = max(4, SEARCH_WORK // max(work, 1))

        def first(sides: range) -> int | None:
            for side in sides[:most]:
                hw = (side, side) if height_px == width_px else (side, width_px) if axis == 0 else (height_px, side)
                if self._is_exact_along(hw, axis, square=height_px == width_px):
                    return side
            return None

        here = height_px if axis == 0 else width_px
        below = first(range(here - 1, max(SMALLEST_PX, here - SEARCH_PX) - 1, -1))
        return below, first(range(here + 1, here + SEARCH_PX + 1))

    def _is_exact_along(self, hw: tuple[int, int], axis: int, *, square: bool) -> bool:
        if square:
            return self.is_exact(*hw)
        reversal = Element(mirrored=True) if axis == 1 else Element(180.0, mirrored=True)
        try:
            recording = self._record(*hw, places=False)
        except (SizeError, NetworkError):
            return False
        if reversal in self.elements:
            followed = self._followed(recording, recording, (reversal,), own=False)
            return _Judge(self, recording, followed, *hw, (reversal,)).is_exact()
        followed = follow(recording, self.group, (reversal,), own=False, stored=self._stored)  # the pixels alone count
        if recording.doubts:
            return False
        outputs = [
            (ref, followed.values.get(ref.number)) for _, ref in outputs_of(recording.output) if isinstance(ref, Ref)
        ]
        return bool(outputs) and all(
            value is not None
            and not value.unknown
            and reversal in followed.agrees[ref.number]
            and (not value.has_places or value.answers(reversal))
            for ref, value in outputs
        )


def _is_dropped(element: Element, in_type: FieldType | None, out_type: FieldType | None) -> bool:
    """Whether a layer takes fields that an element acts on for others that it does not act on: those of a subgroup."""
    return (
        in_type is not None
        and out_type is not None
        and in_type.has_action(element)
        and not out_type.has_action(element)
    )


def _modules_of(recording: Recording) -> dict[str, str]:
    return {call.name: call.module_name for call in recording.calls}


def _blank_or_none(network: nn.Module) -> nn.Module | None:
    try:
        return blank_copy(network)
    except (RuntimeError, TypeError, ValueError, AttributeError, NotImplementedError):
        return None


def outputs_of(output: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, entry) of every tensor in a network's output: tuples, lists, dictionaries and dataclasses."""
    if isinstance(output, Ref | Constant | Tensor):
        yield path or "output", output
    elif isinstance(output, dict):
        for name, value in output.items():
            yield from outputs_of(value, f"{path}.{name}" if path else str(name))
    elif isinstance(output, list | tuple):
        names = getattr(output, "_fields", range(len(output)))
        for name, value in zip(names, output, strict=True):
            yield from outputs_of(value, f"{path}.{name}" if path else str(name))
    elif hasattr(output, "__dataclass_fields__"):
        for name in output.__dataclass_fields__:
            yield from outputs_of(getattr(output, name), f"{path}.{name}" if path else name)


class _Judge:
    """Turns what was followed into statuses."""

    def __init__(
        self,
        program: Program,
        recording: Recording,
        followed: Followed,
        height_px: int,
        width_px: int,
        elements: Sequence[Element],
    ) -> None:
        self._program, self._recording, self._followed = program, recording, followed
        self._sides, self._elements = (height_px, width_px), elements
        self._outputs = dict(outputs_of(recording.output))
        self._relevant = self._ancestors([entry.number for entry in self._outputs.values() if isinstance(entry, Ref)])
        self._unpooled = ""

    def proof(self) -> Proof:
        outputs = {path: self._statuses(entry) for path, entry in self._outputs.items()}
        elements = {
            element.name: worst([statuses[element.name] for statuses in outputs.values()] or [UNDECIDED])
            for element in self._elements
        }
        weights = self._weight_errors()
        parts = self._parts(elements, weights)
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
        is_wished_flat = self._program.output == "invariant"  # see `_as_wished`
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
        wished = self._program.output
        if wished == "regular" or isinstance(wished, FieldType):
            fields = value.type_of_channels
            if fields is not None and is_of_type(fields, wished, self._program.group):
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

    # ---------------------------------------------------------------------------------------------------------- parts

    def _parts(self, elements: Mapping[str, str], weights: Mapping[int, Mapping[str, float]]) -> tuple[Part, ...]:
        parts: list[tuple[int, Part]] = []
        inside: set[int] = set()
        for call in self._recording.calls:
            numbers = range(call.first, call.last)
            inside.update(numbers)
            parts.append((call.first, self._part(call, list(numbers), elements, weights)))
        loose = self._firsts_of_lines(sorted((set(self._followed.own) | set(weights)) - inside))
        broken_lines = {self._recording.operations[at].place for at in loose} - {None}
        counts: dict[str, int] = {}
        for at in [
            *loose,
            *(
                at
                for at, each in enumerate(self._recording.operations)
                if at not in inside and at not in loose and each.name in _WINDOWS
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
                _sides_of(self._recording.shapes[source.number]) if source else (1, 1),
                _sides_of(self._recording.shapes[output]) if output is not None else (1, 1),
                at,
                at + 1,
                source.number if source else None,
                output,
                0,
            )
            parts.append((at, self._part(made, [at], elements, weights)))
        return tuple(part for _, part in sorted(parts, key=lambda pair: pair[0]))

    def _firsts_of_lines(self, numbers: Sequence[int]) -> list[int]:
        """Of operations that one line of code asks for, such as `maps[:, :, 1:, 1:]`, the first."""
        found: dict[tuple[str, CodeLine | None, int], int] = {}
        for at in numbers:
            operation = self._recording.operations[at]
            if at in self._relevant:
                found.setdefault((operation.block, operation.place, -1 if operation.place else at), at)
        return list(found.values())

    def _part(
        self,
        call: Called,
        numbers: Sequence[int],
        network: Mapping[str, str],
        weights: Mapping[int, Mapping[str, float]],
    ) -> Part:
        relevant = [at for at in numbers if at in self._relevant]
        errors = {name: error for at in relevant for name, error in weights.get(at, {}).items()}
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
                statuses[element.name] = UNDECIDED if network.get(element.name) == EXACT else BROKEN
            elif any(at in self._followed.unknown for at in relevant):
                statuses[element.name] = UNDECIDED
            elif value is None or value.unknown:
                statuses[element.name] = NO_ACTION
            else:
                statuses[element.name] = EXACT
        first = next((at for at in relevant if at in self._followed.own or at in weights), None)
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
        if at in self._weight_errors():
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
        if cause == "weights" or operation.name in _WINDOWS:
            return ""
        return _SENTENCES.get(operation.name, f"{operation.name} treats height and width, or their ends, differently")

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
        if call.module_name in self._program.types:
            return found, "declared" if call.module_name in self._program.declared else "typed"
        if len(value.dims) == 5 and value.has_maps and found is not None and not found.is_scalar:
            return found, "fifth dimension"
        return found, "unknown" if found is None else "scalar" if found.is_scalar else "inferred"

    def _sampling(self, numbers: Sequence[int]) -> tuple[AxisSampling, AxisSampling] | None:
        """The window of a part that strides most, for its numbers; None where it has none."""
        best: tuple[AxisSampling, AxisSampling] | None = None
        for at in numbers:
            found = _sampling_of(self._recording.operations[at], self._recording.shapes)
            if found is not None and (best is None or _prominence(found) > _prominence(best)):
                best = found
        return best


LISTED = "The output lists its places in an order that turns and mirrors change."


_WINDOWS = ("convolution", "max_pool2d_with_indices", "avg_pool2d")
_PRODUCTS = ("mm", "addmm", "bmm", "baddbmm")


def is_of_type(fields: FieldType, wished: str | FieldType, group: PointGroup) -> bool:
    """Whether channels of type `fields` are of the wished one: "regular" in any layout, or that very type."""
    if isinstance(wished, FieldType):
        return fields == wished
    inner = [each.inner if isinstance(each, Interleaved) else each for each, _ in fields.runs]
    return all(isinstance(each, Regular) and each.group == group for each in inner)


def _prominence(sampling: tuple[AxisSampling, AxisSampling]) -> tuple[int, int, int]:
    height = sampling[0].window
    return height.stride, height.kernel, height.pad


def _sampling_of(operation: Operation, shapes: Sequence[tuple[int, ...]]) -> tuple[AxisSampling, AxisSampling] | None:
    if operation.name not in _WINDOWS or operation.outputs[0] is None or not isinstance(operation.args[0], Ref):
        return None
    args = operation.args
    in_hw, out_hw = _sides_of(shapes[args[0].number]), _sides_of(shapes[operation.outputs[0]])
    if operation.name == "convolution":
        if args[6]:
            return None
        kind, kernel, stride, padding, dilation, ceil_mode = (
            "conv",
            args[1].shape[-2:],
            args[3],
            args[4],
            args[5],
            False,
        )
    else:
        kind = "max" if operation.name != "avg_pool2d" else "padded mean"
        kernel = args[1]
        stride = args[2] if len(args) > 2 and args[2] else kernel
        padding = args[3] if len(args) > 3 else 0
        dilation = args[4] if operation.name != "avg_pool2d" and len(args) > 4 else 1
        ceil_mode = (
            bool(args[5 if operation.name != "avg_pool2d" else 4])
            if len(args) > (5 if operation.name != "avg_pool2d" else 4)
            else False
        )
    height, width = (
        AxisSampling(
            AxisWindow(
                kind, pair(kernel)[axis], pair(stride)[axis], pair(dilation)[axis], pair(padding)[axis], ceil_mode
            ),
            in_hw[axis],
            out_hw[axis],
            pair(padding)[axis],
            pair(padding)[axis],
        )
        for axis in (0, 1)
    )
    return height, width


def _sides_of(shape: Sequence[int]) -> tuple[int, int]:
    return (int(shape[-2]), int(shape[-1])) if len(shape) >= 4 else (1, 1)


ALONG_ONE_SIDE = "it works along one side of the maps alone"
# What an operation does that breaks, in words.
_SENTENCES = {
    "slice": "it keeps pixels that do not lie about the centre",
    "select": "it takes one row or column",
    "roll": "it moves the maps to one side",
    "flip": "it mirrors the maps",
    "constant_pad_nd": "it pads one side more than the other",
    "reflection_pad2d": "it pads one side more than the other",
    "replication_pad2d": "it pads one side more than the other",
    "upsample_bilinear2d": "it resizes with a grid that is off centre",
    "upsample_bicubic2d": "it resizes with a grid that is off centre",
    "upsample_nearest2d": "it takes the nearest pixel to one side of the centre",
    "_upsample_nearest_exact2d": "it takes the nearest pixel to one side of the centre",
    "write": "it writes into a part of the maps that is not centred",
    "cat": "it puts maps side by side",
    "rot90": "it turns the maps",
    "index": "it picks pixels that do not lie about the centre",
    "index_select": "it picks pixels that do not lie about the centre",
    **dict.fromkeys(
        ("amax", "amin", "max", "min", "mean", "sum", "prod", "logsumexp", "var", "std", "_softmax", "cumsum"),
        ALONG_ONE_SIDE,
    ),
    **dict.fromkeys(("_adaptive_avg_pool2d", "adaptive_max_pool2d"), "its windows do not lie about the centre"),
    **dict.fromkeys(("view", "_unsafe_view", "reshape"), "it reads rows and columns as something else"),
}
