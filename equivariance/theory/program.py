"""Theory for anyone's network: what is proven at a size, what breaks, and what could not be followed.

The network is recorded at the size in question, and never judged from a recording of another size.
"""

import fnmatch
from collections.abc import Hashable, Mapping, Sequence
from threading import RLock

import torch
from torch import nn

from equivariance.errors import NetworkError, SizeError, first_line
from equivariance.following.blank import blank_copy
from equivariance.following.follow import Followed, Types, follow
from equivariance.following.kinds import Looked
from equivariance.following.outputs import outputs_of
from equivariance.following.record import record
from equivariance.following.recorder import Keys
from equivariance.following.recording import Recording, Ref
from equivariance.groups.fields import FieldType
from equivariance.groups.point_groups import D4, Element, PointGroup
from equivariance.kept import Kept
from equivariance.layers.export import layers_of, types_of
from equivariance.theory.exactness import layer_errors
from equivariance.theory.judge import Judge
from equivariance.theory.proof import Proof

SEARCH_PX = 32  # how far from a side the nearest exact sides are looked for
SEARCH_WORK = 40_000_000  # and how much at most: operations times pixels, of all sides that are tried together
SMALLEST_PX = 8  # smaller exact sides are true but of no use
_KEPT = 4  # recordings and proofs


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
        return self._judge(self._followed(recording, turned, elements), (height_px, width_px), elements).proof()

    def _judge(self, followed: Followed, sides: tuple[int, int], elements: Sequence[Element]) -> Judge:
        return Judge(followed, sides, elements, self.group, self.output, self.types, self.declared)

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
            return self._judge(followed, (height_px, width_px), elements).is_exact()

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
            return self._judge(followed, hw, (reversal,)).is_exact()
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
