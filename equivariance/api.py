"""The library's front door: a network of anyone's in, a report out."""

import copy
import functools
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equivariance.errors import NetworkError, SizeError
from equivariance.groups.fields import FieldType, Regular, scalars
from equivariance.groups.fields import regular as regular_fields
from equivariance.groups.point_groups import Z2, Element, PointGroup, group_called
from equivariance.groups.transforms import label_of
from equivariance.layers.export import ExportError, layers_of, types_of
from equivariance.layers.served import MadeReady, declared_groups, has_their_modules, picture_type, served
from equivariance.measurement.any_network import How, Seen, measure_any
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.measurement.verdict import grid_text_of, size_text
from equivariance.report import Report
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED
from equivariance.theory.program import NotFollowed, Part, Program, Proof
from equivariance.versions import versions

RANDOM_PICTURES = 3
_SEED = 20230816
_USUAL_PX = 33  # a picture that is compared on, where that of the user is not opened yet


def regular(group: str | PointGroup, count: int) -> FieldType:
    """`count` regular fields of a group.

    >>> regular("C4", 8).channels
    32
    """
    return regular_fields(group_called(group) if isinstance(group, str) else group, count)


def check(
    network: nn.Module,
    picture: Any,
    *,
    group: str | PointGroup | None = None,
    fields: Mapping[str, FieldType] | None = None,
    output: str | FieldType | None = None,
    channels: int | None = None,
    dtype: str = "float64",
) -> Report:
    """Whether `network` is equivariant at a size or on a picture: theory's word, confirmed by measurement.

    network: any `nn.Module` that takes (B, C, H, W); nothing of it is changed. picture: a side, (height, width), a
    tensor (C, H, W) or (B, C, H, W), a PIL image, or a path. group: read from the layers where they say it, else "C4".
    fields: how layers' channels transform, by name or pattern. output: "invariant", "maps", or a field type; by default
    maps where the output has height and width, else invariant. dtype: of the measurement.

    Raises NetworkError, SizeError or PictureError, in one sentence.

    >>> import torch
    >>> check(torch.nn.Conv2d(1, 1, 1), 9).verdict
    'exact'
    """
    begun = time.perf_counter()
    subject = _Subject.of(network, group, fields, channels, dtype, _size_of(picture))
    pictures, source = _pictures(picture, subject)
    height_px, width_px = (int(side) for side in pictures[0].shape[-2:])
    proof = subject.program.proof(height_px, width_px)
    seen = _measured(subject, proof, pictures, output)
    return _Decision(subject, proof, seen, source, pictures[0]).report(time.perf_counter() - begun)


def predict(
    network: nn.Module,
    size: int | tuple[int, int],
    *,
    group: str | PointGroup | None = None,
    fields: Mapping[str, FieldType] | None = None,
    channels: int | None = None,
) -> Report:
    """Theory alone: no picture is measured. Arguments as of `check`.

    >>> import torch
    >>> predict(torch.nn.MaxPool2d(2), 7, channels=1).verdict
    'approximate'
    """
    begun = time.perf_counter()
    height_px, width_px = _size(size)
    subject = _Subject.of(network, group, fields, channels, "float64", (height_px, width_px))
    proof = subject.program.proof(height_px, width_px)
    return _Decision(subject, proof, None, "no picture", None).report(time.perf_counter() - begun)


def exact_sizes(
    network: nn.Module,
    smallest_px: int,
    largest_px: int,
    *,
    group: str | PointGroup | None = None,
    fields: Mapping[str, FieldType] | None = None,
    channels: int | None = None,
) -> dict[str, tuple[int, ...]]:
    """The sides, smallest and largest included, at which theory proves the network exact; each is recorded itself.

    Of square pictures, so that "height" and "width" are alike.

    >>> import torch
    >>> exact_sizes(torch.nn.MaxPool2d(2), 6, 9, channels=1)
    {'height': (6, 8), 'width': (6, 8)}
    """
    subject = _Subject.of(network, group, fields, channels, "float64", (largest_px, largest_px))
    sides = tuple(side for side in range(smallest_px, largest_px + 1) if subject.program.is_exact(side, side))
    return {"height": sides, "width": sides}


def assert_equivariant(network: nn.Module, picture: Any, **options: Any) -> None:
    """Raise AssertionError with the report's sentences unless `check` (same arguments) finds the network exact."""
    __tracebackhide__ = True
    report = check(network, picture, **options)
    if report.verdict != "exact":
        raise AssertionError(repr(report))


# -------------------------------------------------------------------------------------------------------------- subject


@dataclass(frozen=True)
class _Subject:
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
        cls,
        network: nn.Module,
        group: str | PointGroup | None,
        fields: Mapping[str, FieldType] | None,
        channels: int | None,
        dtype: str,
        hw: tuple[int, int],
    ) -> "_Subject":
        if not isinstance(network, nn.Module):
            raise NetworkError(f"A network is a torch.nn.Module, and this is {type(network).__name__}: pass a module.")
        if dtype not in ROUNDING_LEVEL:
            raise NetworkError(f"The precision {dtype!r} is not known: use one of {', '.join(ROUNDING_LEVEL)}.")
        chosen = group_called(group) if isinstance(group, str) else group or _group_in(network)
        count = channels or _channels_in(network)
        made = _ready(network, dtype, (count, *hw))
        program = Program(made.network, chosen, channels=count, fields=fields)
        notes = [*made.notes, *_restriction(network, chosen)]
        if not program.elements:
            notes.append(f"{chosen.name.upper()} has no quarter turn, half turn or mirror that moves pixels to pixels")
        elements = program.elements
        return cls(made.network, program, chosen, elements, count, made.dtype, tuple(notes), made.output_types)


def _ready(network: nn.Module, dtype: str, picture_shape: tuple[int, int, int]) -> MadeReady:
    """A copy in eval mode and of a precision; the original stays as it is, also where this fails.

    Of networks of escnn and e2cnn, see `equivariance.layers.served`.
    """
    try:
        if has_their_modules(network):
            return _served(network, dtype, picture_shape)
        ready = copy.deepcopy(network).eval().to(torch.float64 if dtype == "float64" else torch.float32)
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise NetworkError(f"The network cannot be copied: {str(error).splitlines()[0]}") from None
    return MadeReady(ready, dtype, {}, {})


def _served(network: nn.Module, dtype: str, picture_shape: tuple[int, int, int]) -> MadeReady:
    try:
        return served(network, dtype, picture_shape)
    except ExportError as error:
        raise NetworkError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None


def _group_in(network: nn.Module) -> PointGroup:
    """What the layers say: of groups that are restricted to each other the smallest that moves anything."""
    declared = [group for group in declared_groups(network) if group != Z2]
    if declared:
        return min(declared, key=lambda group: (len(group.pixel_exact_elements), group.rotations or math.inf))
    for _, layer in layers_of(network):
        for fields in types_of(layer):
            for representation, _ in fields.runs if fields is not None else ():
                if isinstance(representation, Regular):
                    return representation.group
    return group_called("C4")


def _restriction(network: nn.Module, chosen: PointGroup) -> tuple[str, ...]:
    """A note where layers declare several groups, which says by which one the network is judged."""
    names = [group.name.upper() for group in declared_groups(network)]
    if len(names) < 2:
        return ()
    return (f"its layers are of {', then '.join(names)}; it is judged by {chosen.name.upper()}",)


def _channels_in(network: nn.Module) -> int:
    """Channels of the picture, from the first layer that says how many it takes; raises NetworkError if none does."""
    their_type = picture_type(network)
    if their_type is not None:
        return int(their_type.size)
    for _, layer in layers_of(network):
        for name in ("in_channels", "in_features"):
            value = getattr(layer, name, None)
            if isinstance(value, int) and isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                return value
        in_type = types_of(layer)[0]
        if in_type is not None:
            return in_type.channels
    for parameter in network.parameters():
        if parameter.dim() == 4:
            return int(parameter.shape[1])
        if parameter.dim() == 5:
            return int(parameter.shape[1] * parameter.shape[2])
    raise NetworkError("The number of channels cannot be read from the network: pass channels=, as channels=3.")


# ------------------------------------------------------------------------------------------------------------- pictures


def _size(size: Any) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int | np.integer) and side > 0 for side in sides):
        raise SizeError(f"A size is a side or (height, width) in pixels, and this is {size!r}: pass 33 or (30, 33).")
    return int(sides[0]), int(sides[1])


def _size_of(picture: Any) -> tuple[int, int]:
    """The size of what is to be measured, as far as it can be told without opening it."""
    if isinstance(picture, int | tuple | list):
        return _size(picture)
    sides = picture.shape[-2:] if isinstance(picture, Tensor) and picture.dim() >= 2 else (_USUAL_PX, _USUAL_PX)
    return int(sides[0]), int(sides[1])


def _pictures(picture: Any, subject: _Subject) -> tuple[list[Tensor], str]:
    """(pictures (C, H, W) to measure on, in words what they are): the given ones, and random ones beside them."""
    dtype = torch.float64 if subject.dtype == "float64" else torch.float32
    if isinstance(picture, int | tuple | list):
        height_px, width_px = _size(picture)
        return _random(RANDOM_PICTURES, height_px, width_px, subject, dtype), f"{RANDOM_PICTURES} random pictures"
    given, source = _given(picture)
    if given.dim() == 3:
        given = given[None]
    if given.dim() != 4 or given.shape[1] != subject.channels:
        raise SizeError(
            f"The network takes pictures of {subject.channels} channels, (C, H, W) or (B, C, H, W), and this is of "
            f"shape {tuple(given.shape)}: pass one that fits, or channels=."
        )
    extra = _random(2, int(given.shape[-2]), int(given.shape[-1]), subject, dtype)
    return [*given.to(dtype), *extra], f"{source} and 2 random pictures"


def _given(picture: Any) -> tuple[Tensor, str]:
    if isinstance(picture, Tensor):
        return picture.detach().cpu(), "your picture" if picture.dim() == 3 else f"your {len(picture)} pictures"
    if isinstance(picture, str | Path):
        return _tensor_of_image(_opened(Path(picture))), Path(picture).name
    if hasattr(picture, "convert") and hasattr(picture, "size"):
        return _tensor_of_image(picture), "your picture"
    raise SizeError(
        f"A picture is a side, (height, width), a tensor, a PIL image or a path, and this is {type(picture).__name__}."
    )


def _opened(path: Path) -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("Pictures from files need Pillow: pip install pillow") from None
    try:
        return Image.open(path, formats=("PNG", "JPEG", "WEBP", "TIFF", "BMP"))
    except OSError as error:
        raise SizeError(f"{path.name} cannot be read as a picture: {str(error).splitlines()[0]}") from None


def _tensor_of_image(image: Any) -> Tensor:
    grey = image.mode in ("L", "1", "I", "I;16", "F")
    pixels = np.asarray(image.convert("L" if grey else "RGB"), dtype=np.float64) / 255
    return torch.from_numpy(pixels)[None] if grey else torch.from_numpy(pixels).permute(2, 0, 1)


def _random(count: int, height_px: int, width_px: int, subject: _Subject, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(_SEED)
    shape = (count, subject.channels, height_px, width_px)
    return list(torch.rand(shape, generator=generator, dtype=torch.float64).to(dtype))


# ---------------------------------------------------------------------------------------------------------- measurement


def _measured(subject: _Subject, proof: Proof, pictures: Sequence[Tensor], output: str | FieldType | None) -> Seen:
    def how_of(path: str, shape: tuple[int, ...]) -> How:
        if isinstance(output, FieldType):
            return How("maps" if len(shape) == 4 else "invariant", output)
        value = proof.output_values.get(path)
        if output in ("invariant", "maps"):
            return How(str(output))
        is_map = value.has_maps if value is not None else len(shape) >= 4 and min(shape[-2:]) > 1
        known = value.fields if value is not None else None
        return How("maps", subject.output_types.get(path, known)) if is_map else How("invariant")

    types = {part.name: part.fields for part in proof.parts if part.fields is not None and part.agrees}
    state = torch.random.get_rng_state()
    try:
        return measure_any(subject.network, pictures, subject.elements, how_of, types)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise NetworkError(f"The network failed on a picture: {str(error).strip().splitlines()[0]}") from None
    finally:
        torch.random.set_rng_state(state)


# ------------------------------------------------------------------------------------------------------------- decision


class _Decision:
    """Theory and measurement together; none of them is believed against the other."""

    def __init__(self, subject: _Subject, proof: Proof, seen: Seen | None, source: str, picture: Tensor | None) -> None:
        self._subject, self._proof, self._seen, self._source, self._picture = subject, proof, seen, source, picture
        self._level = ROUNDING_LEVEL[subject.dtype]
        self._doubts: list[str] = []
        self.elements = {element.name: self._status(element.name) for element in subject.elements}

    def _status(self, name: str) -> str:
        theory = self._proof.elements[name]
        if self._seen is None:
            return theory
        error = self._largest(name)
        if error is None or self._seen.insensitive:
            return theory if theory == BROKEN else UNDECIDED
        is_rounding = error <= self._level
        if theory == EXACT and not is_rounding:
            self._doubts.append(
                f"theory proves {label_of(name)} exact, and the measurement finds an error of {error:.1e}"
            )
            return UNDECIDED
        if theory == BROKEN and is_rounding:
            self._doubts.append(
                f"theory finds {label_of(name)} broken, and every measured error is rounding (at most {error:.1e})"
            )
            return UNDECIDED
        return EXACT if is_rounding else BROKEN

    def _largest(self, name: str) -> float | None:
        """The largest error that counts: of the outputs, and of layers that theory takes for exact."""
        assert self._seen is not None
        errors = [self._seen.largest(name)]
        if self._proof.elements[name] == EXACT:
            errors += [each.get(name) for each in self._seen.layers.values()]
        known = [error for error in errors if error is not None]
        return max(known, key=lambda error: (math.isnan(error), error)) if known else None

    # ------------------------------------------------------------------------------------------------------ the words

    @functools.cached_property
    def verdict(self) -> str:
        statuses = set(self.elements.values())
        if not statuses:
            return "undecided"
        if BROKEN in statuses:
            sure = self._proof.verdict == "approximate"
            return "approximate" if sure else "not equivariant"
        return "undecided" if UNDECIDED in statuses else "exact"

    @property
    def evidence(self) -> str:
        if self._seen is None:
            return "theory alone"
        decided = all(status != UNDECIDED for status in self._proof.elements.values()) and self._proof.elements
        return "theory and measurement" if decided and not self._doubts else "measurement alone"

    @property
    def sentence(self) -> str:
        size = size_text(self._proof.height_px, self._proof.width_px)
        if not self._subject.elements:
            return f"Undecided: {self._subject.notes[0]}, so only resampled turns could be measured, at {size}."
        what = self._what()
        word = {
            "exact": f"Exactly equivariant to {what} at {size}",
            "approximate": f"Approximately equivariant to {what} at {size}",
            "not equivariant": f"Not equivariant to {what} at {size}",
            "undecided": f"Undecided whether equivariant to {what} at {size}",
        }[self.verdict]
        if self.verdict == "exact" and self.evidence == "measurement alone":
            named = ", ".join(str(each) for each in self._proof.not_followed[:2])
            more = f": {named} could not be followed" if named else ""
            return f"{word}, as measured on {self._source} and not proven{more}."
        return f"{word}."

    def _what(self) -> str:
        names = set(self.elements)
        turns = "quarter turns" if "rot90" in names else "half turns" if "rot180" in names else ""
        mirrors = "mirrors" if any(name.startswith("mirror") for name in names) else ""
        return " and ".join(filter(None, [turns, mirrors])) or "its group"

    @property
    def reason(self) -> str:
        if self._doubts:
            return f"Theory and measurement disagree: {self._doubts[0]}. Neither is believed."
        if self._seen is not None and self._seen.insensitive:
            return "The output is the same for every picture that was tried, so it shows nothing."
        broken = self._proof.broken_parts
        survivors = [label_of(name) for name, status in self.elements.items() if status == EXACT]
        still = f" Still exact: {', '.join(survivors)}." if survivors and self.verdict != "exact" else ""
        if self.verdict == "exact":
            return self._why_exact()
        if broken and self.verdict in ("approximate", "not equivariant"):
            count = len(broken)
            others = "" if count == 1 else f" {count} layers break."
            return f"First broken at {broken[0].name}{_sides(broken[0])}: {_why(broken[0])}.{others}{still}"
        if self._proof.unpooled:
            return "The output is a field that the group permutes: pool the group before it."
        if self.verdict == "undecided" and self._proof.not_followed:
            first = self._proof.not_followed[0]
            return f"Theory could not follow {first}: {first.why}."
        errors = [error for name in self.elements if self._seen and (error := self._seen.largest(name)) is not None]
        found = f"the measurement finds errors up to {max(errors):.1e}" if errors else "nothing could be compared"
        return f"Theory cannot decide; {found}.{still}"

    def _why_exact(self) -> str:
        if self._seen is None:
            base = "Every operation from the picture to the output commutes with every element"
        else:
            largest = max((error for name in self.elements if (error := self._largest(name)) is not None), default=0.0)
            proven = "Every operation commutes" if self.evidence == "theory and measurement" else "Measured, not proven"
            base = f"{proven}; the largest error, {largest:.1e}, is the rounding of {self._subject.dtype}"
        pair = self._proof.together
        return f"{base}, {' and '.join(pair[:2])} only together." if pair else f"{base}."

    @property
    def advice(self) -> str:
        if self.verdict == "undecided" and self._proof.not_followed:
            return (
                "Teach theory the operation with equivariance.theory.handle, or write it with operations that it knows."
            )
        if self.verdict != "approximate":
            return ""
        sides = [side for side in self.exact_sizes["height"] if side is not None]
        near = f"Exact sizes near: {', '.join(map(str, sides))} px. " if sides else ""
        return f"{near}Or switch on symmetric subsampling."

    @functools.cached_property
    def exact_sizes(self) -> dict[str, tuple[int | None, int | None]]:
        if self._proof.by_weights or not self._subject.elements:
            return {"height": (None, None), "width": (None, None)}
        height_px, width_px = self._proof.height_px, self._proof.width_px
        heights = self._subject.program.exact_sides(height_px, width_px, 0)
        square = height_px == width_px
        return {
            "height": heights,
            "width": heights if square else self._subject.program.exact_sides(height_px, width_px, 1),
        }

    # ------------------------------------------------------------------------------------------------------ the report

    def report(self, seconds: float) -> Report:
        broken = self._proof.broken_parts if self.verdict in ("approximate", "not equivariant") else ()
        seen = self._seen
        return Report(
            verdict=self.verdict,
            evidence=self.evidence,
            sentence=self.sentence,
            reason=self.reason,
            advice=self.advice,
            group=self._subject.group.name.upper(),
            elements=self.elements,
            output_error={} if seen is None else {name: seen.largest(name) for name in self.elements},
            outputs=self._outputs(),
            first_broken_layer=broken[0].name if broken else None,
            broken_layers=tuple(part.name for part in broken),
            together=self._proof.together,
            exact_sizes_px=self.exact_sizes,
            layers=tuple(self._layer(part) for part in self._proof.parts),
            not_followed=tuple(map(_entry, self._proof.not_followed)),
            notes=self._subject.notes,
            input=self._source,
            height_px=self._proof.height_px,
            width_px=self._proof.width_px,
            dtype=self._subject.dtype,
            device="cpu",
            seconds=seconds,
            versions=versions(),
        )

    def _outputs(self) -> dict[str, dict[str, Any]]:
        found = {}
        for path, statuses in self._proof.outputs.items():
            errors = {} if self._seen is None else self._seen.outputs.get(path, {})
            kind = "" if self._seen is None else self._seen.kinds.get(path, "")
            found[path] = {"theory": statuses, "error": errors, "compared as": kind}
        return found

    def _layer(self, part: Part) -> dict[str, Any]:
        sampling = part.sampling
        return {
            "name": part.name,
            "kind": part.kind,
            "in_hw": part.in_hw,
            "out_hw": part.out_hw,
            "kernel": _each(sampling, lambda axis: axis.window.kernel),
            "stride": _each(sampling, lambda axis: axis.window.stride),
            "padding": _each(sampling, lambda axis: axis.window.pad),
            "remainder": _each(sampling, lambda axis: axis.remainder),
            "displacement_px": _each(sampling, lambda axis: axis.displacement_px),
            "elements": part.elements,
            "weight_error": part.weight_error,
            "error": {} if self._seen is None else self._seen.layers.get(part.name, {}),
            "fields": None if part.fields is None else part.fields.title,
            "fields_from": part.fields_from,
            "not_followed": [_entry(each) for each in self._proof.not_followed if each.layer == part.name],
            "place": None if part.place is None else str(part.place),
        }


def _each(sampling: Any, of: Any) -> Any:
    return None if sampling is None else [of(axis) for axis in sampling]


def _entry(each: NotFollowed) -> dict[str, Any]:
    place = each.place
    return {
        "operation": each.operation,
        "layer": each.layer,
        "file": None if place is None else place.file,
        "line": None if place is None else place.line,
        "why": each.why,
    }


def _sides(part: Part) -> str:
    (height, width), (out_height, out_width) = part.in_hw, part.out_hw
    if (height, width, out_height, out_width) == (1, 1, 1, 1):
        return f" ({part.place})" if part.place else ""
    sides = f"{size_text(height, width).removesuffix(' px')} → {size_text(out_height, out_width)}"
    return f" ({sides}; {part.place})" if part.place and not part.module_name else f" ({sides})"


def _why(part: Part) -> str:
    if part.kind == "Retyped":
        return "it restricts its fields to a smaller group"
    if part.weight_error:
        if part.why:
            return f"{part.why}, and its numbers differ from their own transform by up to {part.weight_error:.0%}"
        difference = f"its weights differ from their own transform by up to {part.weight_error:.0%}"
        return f"{difference}, so no size makes it equivariant"
    if part.sampling is not None and not part.why:
        return grid_text_of(part.sampling)
    return part.why or "it does not commute"


__all__ = ["assert_equivariant", "check", "exact_sizes", "predict", "regular", "scalars"]
