"""The library's front door: anyone's network in, a report out."""

import copy
import fnmatch
import functools
import math
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from equivariance.errors import EquivarianceError, GroupError, NetworkError, SizeError, first_line
from equivariance.following.dims import HEIGHT, WIDTH, Atom, Dim, Dims
from equivariance.following.dims import channels as channels_of
from equivariance.following.kinds import TOLERANCES, Kinds
from equivariance.groups.fields import FieldType, Regular, scalars
from equivariance.groups.fields import regular as regular_fields
from equivariance.groups.point_groups import Z2, Element, PointGroup, group_called
from equivariance.groups.transforms import label_of
from equivariance.largest import largest_of
from equivariance.layers.export import ExportError, layers_of, types_of
from equivariance.layers.served import MadeReady, declared_groups, has_their_modules, picture_type, served
from equivariance.measurement.any_network import How, Seen, measure_any
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.measurement.verdict import grid_text_of, size_text
from equivariance.report import Pair, Report
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED
from equivariance.theory.program import (
    ALONG_ONE_SIDE,
    LISTED,
    NotFollowed,
    Part,
    Program,
    Proof,
    is_of_type,
)
from equivariance.versions import versions

RANDOM_PICTURES = 3
OUTPUTS = ("invariant", "maps", "regular")
_SEED = 20230816
_USUAL_CHANNELS = (3, 1, 4, 2)
_MOST_CHANNELS = 12  # counts that are tried on a network whose layers do not tell
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
Result = TypeVar("Result")


def regular(group: str | PointGroup, count: int) -> FieldType:
    """`count` regular fields of a group: one channel for each element, field after field.

    Raises GroupError for a name that is no group's.

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

    network: any `nn.Module` that takes (B, C, H, W), pictures of values 0..1; nothing of it is changed.
    picture: a side in pixels, (height, width), a tensor (C, H, W) or (B, C, H, W), a PIL image, or a path.
    group: read from the layers where they say it, else "C4". fields: how layers' channels transform, by name or
    pattern. output: "invariant", "maps" (turned back in space), "regular", or the type of its channels; by default maps
    where the output has height and width, else invariant. channels: of the picture, read from the network where they
    are not given. dtype: of the measurement, "float64" or "float32".

    Raises NetworkError, SizeError or GroupError, in one sentence.

    >>> import torch
    >>> check(torch.nn.Conv2d(1, 1, 1), 9).verdict
    'exact'
    """
    begun, asked = time.perf_counter(), _Asked(network, group, fields, output, channels)

    def of(precision: str) -> Report:
        given, source = _read(picture)
        sides = _size(picture) if given is None else _sides(given)
        subject = _Subject.of(asked, precision, [sides], _channels_of(given))
        pictures, words = _pictures(given, source, sides, subject)
        proof = subject.program.proof(*sides)
        seen = _measured(subject, proof, pictures, output)
        notes = _notes(subject, dtype)
        if UNDECIDED in proof.elements.values() and _shows_nothing_broken(seen, subject):
            more = _odd(sides, subject, pictures[0].dtype)
            seen = seen.with_more(_measured(subject, proof, more, output))
            notes = (*notes, f"Measured on {len(more)} pictures of other kinds too, since theory cannot decide.")
        return _Decision(subject, proof, seen, words, notes).report(time.perf_counter() - begun)

    return _untouched(lambda: _in_some_precision(dtype, of))


def predict(
    network: nn.Module,
    size: int | tuple[int, int],
    *,
    group: str | PointGroup | None = None,
    fields: Mapping[str, FieldType] | None = None,
    output: str | FieldType | None = None,
    channels: int | None = None,
) -> Report:
    """Theory alone, at a side or (height, width) in pixels: no picture is measured. The rest as of `check`.

    >>> import torch
    >>> predict(torch.nn.MaxPool2d(2), 7, channels=1).verdict
    'approximate'
    """
    begun, asked = time.perf_counter(), _Asked(network, group, fields, output, channels)

    def of(precision: str) -> Report:
        sides = _size(size)
        subject = _Subject.of(asked, precision, [sides])
        proof, notes = subject.program.proof(*sides), _notes(subject, "float64")
        return _Decision(subject, proof, None, "no picture", notes).report(time.perf_counter() - begun)

    return _untouched(lambda: _in_some_precision("float64", of))


def exact_sizes(
    network: nn.Module,
    smallest_px: int,
    largest_px: int,
    *,
    group: str | PointGroup | None = None,
    fields: Mapping[str, FieldType] | None = None,
    output: str | FieldType | None = None,
    channels: int | None = None,
) -> dict[str, tuple[int, ...]]:
    """The sides in pixels, smallest and largest included, at which theory proves the network exact.

    Each side has been recorded itself; of square pictures, so that "height" and "width" are alike. The rest as of
    `check`. Raises SizeError where the network takes none of the sides.

    >>> import torch
    >>> exact_sizes(torch.nn.MaxPool2d(2), 6, 9, channels=1)
    {'height': (6, 8), 'width': (6, 8)}
    """

    asked = _Asked(network, group, fields, output, channels)

    def of(precision: str) -> dict[str, tuple[int, ...]]:
        (smallest, _), (largest, _) = _size(smallest_px), _size(largest_px)
        if smallest > largest:
            raise SizeError(f"The smallest side, {smallest} px, is larger than the largest, {largest} px.")
        subject = _Subject.of(asked, precision, [(largest, largest), (smallest, smallest)])
        sides = [side for side in range(smallest, largest + 1) if subject.program.is_exact(side, side)]
        return {"height": tuple(sides), "width": tuple(sides)}

    return _untouched(lambda: _in_some_precision("float64", of))


def assert_equivariant(network: nn.Module, picture: Any, **options: Any) -> None:
    """Raise AssertionError with the report's sentences unless `check` (same arguments) finds the network exact.

    >>> import torch
    >>> assert_equivariant(torch.nn.MaxPool2d(2), 8, channels=1)
    """
    __tracebackhide__ = True
    report = check(network, picture, **options)
    if report.verdict != "exact":
        raise AssertionError(repr(report))


# ------------------------------------------------------------------------------------------------------- surroundings


def _untouched(work: Callable[[], Result]) -> Result:
    """What `work` gives; random numbers of torch, numpy and Python go on as if it had not run, also after an error."""
    states = torch.random.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        return work()
    finally:
        torch.random.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


def _in_some_precision(dtype: str, work: Callable[[str], Result]) -> Result:
    """What `work` gives in a precision; in float32 where the network makes numbers of that precision itself."""
    if dtype not in ROUNDING_LEVEL:
        raise NetworkError(f"The precision {dtype!r} is not known: use one of {', '.join(ROUNDING_LEVEL)}.")
    try:
        return work(dtype)
    except (NetworkError, SizeError) as error:
        if dtype == "float32" or not _PRECISION.search(str(error)):
            raise
    return work("float32")


_PRECISION = re.compile(r"\bdtype\b|scalar type|\bdouble\b|DoubleTensor", re.IGNORECASE)


# -------------------------------------------------------------------------------------------------------------- subject


@dataclass(frozen=True)
class _Asked:
    """What is asked of which network, as it was passed."""

    network: Any
    group: Any
    fields: Mapping[str, FieldType] | None
    output: Any
    channels: int | None


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
        cls, asked: "_Asked", dtype: str, sizes: Sequence[tuple[int, int]], given_channels: int | None = None
    ) -> "_Subject":
        """Ready for pictures of one of `sizes`; given_channels: of the picture, where it is given."""
        network, output = asked.network, asked.output
        if not isinstance(network, nn.Module):
            raise NetworkError(f"A network is a torch.nn.Module, and this is {_kind(network)}: pass a module.")
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

        program = _with_channels(network, program_of, sizes) if wanted is None else program_of(_channels(wanted))
        notes = (*made.notes, *_restriction(network, group))
        return cls(
            made.network, program, group, program.elements, program.channels, made.dtype, notes, made.output_types
        )


def _stored(network: nn.Module) -> torch.dtype | None:
    """The least precise of the types that its weights have."""
    dtypes = {parameter.dtype for parameter in network.parameters()}
    return max(dtypes & TOLERANCES.keys(), key=TOLERANCES.__getitem__, default=None)


def _kind(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"of type {type(value).__name__}"


def _check_fields(network: nn.Module, fields: Mapping[str, FieldType] | None) -> None:
    names = [name for name, _ in layers_of(network)]
    for pattern, fields_there in (fields or {}).items():
        if not isinstance(fields_there, FieldType):
            raise NetworkError(
                f"fields= for {pattern!r} is {_kind(fields_there)}: pass a field type, as regular('C4', 8)."
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
        raise GroupError(f"A group is a name, as 'C4', or a PointGroup, and this is {_kind(group)}.")
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
    count = [*_channels_in(network, sizes[0]), *_USUAL_CHANNELS][0] if channels is None else _channels(channels)
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


def _channels(wanted: Any) -> int:
    if not _is_number(wanted) or wanted < 1:
        raise NetworkError(f"A picture has 1 channel or more, and channels={wanted!r}: pass a number, as channels=3.")
    return int(wanted)


def _with_channels(
    network: nn.Module, program_of: Callable[[int], Program], sizes: Sequence[tuple[int, int]]
) -> Program:
    """The program for pictures of as many channels as the network is seen to take at one of `sizes`.

    Raises SizeError or NetworkError where it takes none, or where that cannot be told.
    """
    read = _channels_in(network, sizes[0])
    if not read:
        raise NetworkError("The number of channels cannot be read from the network: pass channels=, as channels=3.")
    first = program_of(read[0])
    try:
        _takes_one_of(first, sizes)
        return first
    except (SizeError, NetworkError) as error:
        others = list(dict.fromkeys([*read[1:], *_USUAL_CHANNELS]))
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


def _channels_in(network: nn.Module, size: tuple[int, int]) -> list[int]:
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


# ------------------------------------------------------------------------------------------------------------- pictures


def _is_number(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _size(size: Any) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, tuple | list | torch.Size) else (size, size)
    if len(sides) != 2 or not all(_is_number(side) and side > 0 for side in sides):
        raise SizeError(f"A size is a side or (height, width) in pixels, and this is {size!r}: pass 33 or (30, 33).")
    return int(sides[0]), int(sides[1])


def _sides(given: Any) -> tuple[int, int]:
    """(height, width) of a tensor or an image."""
    if isinstance(given, Tensor):
        return int(given.shape[-2]), int(given.shape[-1])
    return int(given.height), int(given.width)


def _channels_of(given: Any) -> int | None:
    """Of a tensor; None of an image, which is brought to those of the network."""
    return int(given.shape[-3]) if isinstance(given, Tensor) else None


def _read(picture: Any) -> tuple[Any, str]:
    """(tensor (B, C, H, W), PIL image or, for a size, None; in words what it is)."""
    if _is_number(picture) or isinstance(picture, tuple | list):
        return None, ""
    if isinstance(picture, Tensor):
        if picture.dim() not in (3, 4) or min(picture.shape) < 1:
            raise SizeError(
                f"A picture is a tensor (C, H, W) or (B, C, H, W), and this is of shape {tuple(picture.shape)}."
            )
        batch = picture.detach().cpu() if picture.dim() == 4 else picture.detach().cpu()[None]
        if not batch.is_floating_point():
            batch = batch.double() / 255 if batch.dtype == torch.uint8 else batch.double()
        if not bool(torch.isfinite(batch).all()):
            raise SizeError("The picture holds NaN or infinity: pass one of finite numbers.")
        return batch, "your picture" if len(batch) == 1 else f"your {len(batch)} pictures"
    if isinstance(picture, str | Path):
        return _opened(Path(picture)), Path(picture).name
    if hasattr(picture, "convert") and hasattr(picture, "mode"):
        return picture, "your picture"
    raise SizeError(
        f"A picture is a side, (height, width), a tensor, a PIL image or a path, and this is {_kind(picture)}."
    )


def _opened(path: Path) -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise EquivarianceError("Pictures from files need Pillow: pip install pillow") from None
    try:
        image = Image.open(path, formats=_FORMATS)
        image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SizeError(f"{path.name} cannot be read as a picture: {first_line(error)}") from None
    return image


def _pictures(given: Any, source: str, sides: tuple[int, int], subject: _Subject) -> tuple[list[Tensor], str]:
    """(pictures (C, H, W) to measure on, in words what they are): the given ones, and random ones beside them."""
    dtype = torch.float64 if subject.dtype == "float64" else torch.float32
    if given is None:
        return _random(RANDOM_PICTURES, sides, subject, dtype), f"{RANDOM_PICTURES} random pictures"
    batch = given if isinstance(given, Tensor) else _tensor_of_image(given, subject.channels)
    if batch.shape[1] != subject.channels:
        raise SizeError(
            f"The picture is of shape {tuple(batch.shape)}, and channels={subject.channels}: pass one that fits."
        )
    return [*batch.to(dtype), *_random(2, sides, subject, dtype)], f"{source} and 2 random pictures"


def _tensor_of_image(image: Any, channels: int) -> Tensor:
    """(1, C, H, W), 0..1, in grey, colour, or colour with transparency, as the network takes it."""
    modes = {1: "L", 3: "RGB", 4: "RGBA"}
    if channels not in modes:
        raise SizeError(
            f"The network takes {channels} channels, and an image has 1, 3 or 4: pass a tensor ({channels}, H, W)."
        )
    pixels = np.asarray(image.convert(modes[channels]), dtype=np.float64) / 255
    return torch.from_numpy(pixels.reshape(image.height, image.width, channels)).permute(2, 0, 1)[None]


def _random(count: int, sides: tuple[int, int], subject: _Subject, dtype: torch.dtype) -> list[Tensor]:
    """Pictures 0..1; for turns that resample, of a few large patches, which resampling changes little."""
    generator = torch.Generator().manual_seed(_SEED)
    there = sides if subject.elements else (max(2, sides[0] // 6), max(2, sides[1] // 6))
    drawn = torch.rand((count, subject.channels, *there), generator=generator, dtype=torch.float64)
    if not subject.elements:
        drawn = functional.interpolate(drawn, size=sides, mode="bicubic", align_corners=False)
    return list(drawn.to(dtype))


def _odd(sides: tuple[int, int], subject: _Subject, dtype: torch.dtype) -> list[Tensor]:
    """Pictures of other kinds, for networks that theory cannot decide: large or negative numbers, few pixels, waves."""
    generator = torch.Generator().manual_seed(_SEED + 1)
    shape = (subject.channels, *sides)
    noise = [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(8)]
    few = (torch.rand(shape, generator=generator, dtype=torch.float64) < 3 / math.prod(sides)).double()
    summed = torch.cumsum(torch.cumsum(noise[3], -1), -2)
    pictures = [
        noise[0],
        5 * noise[1],
        noise[2] - 2,
        noise[4] + 2,
        few,
        -few,
        summed / summed.abs().max(),
        noise[5] / 9,
        *torch.rand((5, *shape), generator=generator, dtype=torch.float64),
    ]
    return [each.to(dtype) for each in pictures]


def _shows_nothing_broken(seen: Seen, subject: _Subject) -> bool:
    errors = [seen.largest(element.name) for element in subject.elements]
    return any(error is not None and error <= ROUNDING_LEVEL[subject.dtype] for error in errors)


# ---------------------------------------------------------------------------------------------------------- measurement


def _measured(subject: _Subject, proof: Proof, pictures: Sequence[Tensor], output: str | FieldType | None) -> Seen:
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


def _wished(output: Any, value: Any, shape: tuple[int, ...], subject: _Subject, is_map: bool) -> FieldType | None:
    """The type that an output is meant to have; "regular" in the layout that theory has found, if it has."""
    if isinstance(output, FieldType):
        return output
    found = None if value is None else value.type_of_channels
    if found is not None and is_of_type(found, output, subject.group):
        return found
    count = math.prod(shape[1:-2] if is_map else shape[1:])
    order = 0 if subject.group.rotations is None else subject.group.order
    return regular_fields(subject.group, count // order) if order and count % order == 0 else None


def _is_like(shape: Sequence[int], proof: Proof) -> bool:
    """Whether the last two sides are in the ratio of the picture's, but for a pixel."""
    difference = abs(shape[-2] * proof.width_px - shape[-1] * proof.height_px)
    return difference <= max(proof.height_px, proof.width_px)


def _layouts_of(group: PointGroup, shape: Sequence[int]) -> list[Dims]:
    """What maps whose fields are not known may be besides scalar: regular fields in the known layouts."""
    kinds = Kinds(group, ())
    plain: list[Dim] = [(channels_of(size),) for size in shape[:-2]]
    sides: Dims = ((Atom(HEIGHT, shape[-2]),), (Atom(WIDTH, shape[-1]),))
    return [
        (*plain[:at], (channels_of(shape[at], fields),), *plain[at + 1 :], *sides)
        for at in range(1, len(plain))
        for fields in kinds.layouts(shape[at])[:-1]
    ]


# ------------------------------------------------------------------------------------------------------------- decision


def _notes(subject: _Subject, dtype: str) -> tuple[str, ...]:
    """What a reader should know besides."""
    found = [f"{note[:1].upper()}{note[1:]}." for note in subject.notes]
    if not subject.elements:
        found.append(
            f"{subject.group.name.upper()} has no quarter turn, half turn or mirror that moves pixels to pixels."
        )
    if subject.dtype != dtype and not any("float32" in note for note in subject.notes):
        found.append("Worked out in float32: the network makes numbers of that precision itself.")
    return tuple(found)


class _Decision:
    """Theory and measurement together; neither is believed against the other."""

    def __init__(
        self, subject: _Subject, proof: Proof, seen: Seen | None, source: str, notes: tuple[str, ...] = ()
    ) -> None:
        self._notes = notes
        self._subject, self._proof, self._seen, self._source = subject, proof, seen, source
        loose = proof.loosest > TOLERANCES[torch.float64]
        self._level = ROUNDING_LEVEL["float32" if loose else subject.dtype]
        self._precision = "the weights" if loose and subject.dtype == "float64" else subject.dtype
        self._doubts: list[str] = []
        self.elements = {element.name: self._status(element.name) for element in subject.elements}

    def _status(self, name: str) -> str:
        theory = self._proof.elements[name]
        if self._seen is None:
            return theory
        error = self._largest(name)
        if error is None:
            return theory if theory == BROKEN else UNDECIDED
        if self._seen.insensitive or math.isnan(error):
            return UNDECIDED  # the same for every picture, or no number: it shows nothing
        strict = ROUNDING_LEVEL[self._subject.dtype]
        is_rounding = error <= (strict if theory == BROKEN else self._level)
        if theory == EXACT and not is_rounding:
            self._doubts.append(
                f"theory proves {label_of(name)} exact, but the measurement finds an error of {error:.1e}"
            )
            return UNDECIDED
        if theory == BROKEN and is_rounding:
            self._doubts.append(
                f"theory finds {label_of(name)} broken, but every measured error is rounding (at most {error:.1e})"
            )
            return UNDECIDED
        return EXACT if is_rounding else BROKEN

    def _largest(self, name: str) -> float | None:
        """The largest error that counts: of the outputs, and of layers that theory takes for exact."""
        assert self._seen is not None
        errors = [self._seen.largest(name)]
        if self._proof.elements[name] == EXACT:
            errors += [each.get(name) for each in self._seen.layers.values()]
        return largest_of(errors)

    # ------------------------------------------------------------------------------------------------------ the words

    @functools.cached_property
    def verdict(self) -> str:
        statuses = set(self.elements.values())
        if BROKEN in statuses:
            by_grid = self._proof.verdict == "approximate" or any(part.is_broken for part in self._proof.parts)
            return "approximate" if by_grid and not self._proof.by_weights else "not equivariant"
        return "undecided" if UNDECIDED in statuses or not statuses else "exact"

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
            group = self._subject.group.name.upper()
            base = f"Undecided at {size}: {group} has no quarter turn, half turn or mirror that moves pixels to pixels"
            found = self._resampled
            return f"{base}." if found is None else f"{base}; with resampled turns, errors are up to {found:.1e}."
        what = self._what()
        word = {
            "exact": f"Exactly equivariant to {what} at {size}",
            "approximate": f"Approximately equivariant to {what} at {size}",
            "not equivariant": f"Not equivariant to {what} at {size}",
            "undecided": f"Undecided whether equivariant to {what} at {size}",
        }[self.verdict]
        if self.verdict == "exact" and self.evidence == "measurement alone":
            named = " and ".join(str(each) for each in self._proof.not_followed[:2])
            more = f": {named} could not be followed" if named else ""
            return f"{word}, as measured on {self._source} and not proven{more}."
        return f"{word}."

    def _what(self) -> str:
        names = set(self.elements)
        turns = "quarter turns" if "rot90" in names else "half turns" if "rot180" in names else ""
        mirrors = "mirrors" if any(name.startswith("mirror") for name in names) else ""
        return " and ".join(filter(None, [turns, mirrors]))

    @property
    def _resampled(self) -> float | None:
        """The largest error under turns that resample, of a group that has no others."""
        return None if self._seen is None else largest_of(map(self._seen.largest, self._measured_elements))

    @property
    def _measured_elements(self) -> tuple[str, ...]:
        if self._subject.elements:
            return tuple(self.elements)
        return tuple(sorted({name for errors in self._seen.outputs.values() for name in errors})) if self._seen else ()

    @property
    def _broken(self) -> tuple[Part, ...]:
        return self._proof.broken_parts if self.verdict in ("approximate", "not equivariant") else ()

    @property
    def reason(self) -> str:
        if not self._subject.elements:
            return "Resampling changes a picture by itself, so neither theory nor an error near it can decide."
        if self._doubts:
            return f"Theory and measurement disagree: {self._doubts[0]}. Neither is believed."
        if self._seen is not None and self._seen.insensitive and self.verdict != "exact":
            return "The output is the same for every picture that was tried, so it shows nothing."
        if self._found is not None and math.isnan(self._found):
            return "The output holds NaN, so nothing can be compared."
        survivors = [label_of(name) for name, status in self.elements.items() if status == EXACT]
        still = f" Still exact: {', '.join(survivors)}." if survivors and self.verdict != "exact" else ""
        if self.verdict == "exact":
            return self._why_exact()
        if self._broken:
            first, count = self._broken[0], len(self._broken)
            others = "" if count == 1 else f" {count} layers break."
            return f"First broken at {first.name}{_where(first)}: {_why(first)}.{others}{still}"
        if self._proof.unpooled:
            return f"{self._proof.unpooled}{still}"
        if self._proof.not_followed:
            first_one = self._proof.not_followed[0]
            found = f" The measurement finds errors up to {self._found:.1e}." if self._found is not None else ""
            return f"Theory could not follow {first_one}: {first_one.why}.{found}{still}"
        found = "nothing could be compared" if self._found is None else f"errors are up to {self._found:.1e}"
        return f"Theory finds no layer that breaks and no proof either; {found}.{still}"

    @property
    def _found(self) -> float | None:
        """The largest error of the outputs."""
        return None if self._seen is None else largest_of(map(self._seen.largest, self.elements))

    def _why_exact(self) -> str:
        if self._seen is None:
            base = (
                f"{'The network as a whole' if self._proof.together else 'Every operation'} commutes with every element"
            )
        else:
            largest = largest_of(map(self._largest, self.elements)) or 0.0
            whole = "The network as a whole commutes" if self._proof.together else "Every operation commutes"
            proven = whole if self.evidence == "theory and measurement" else "Measured, not proven"
            base = f"{proven}; the largest error, {largest:.1e}, is the rounding of {self._precision}"
        pair = self._proof.together
        if len(pair) == 1:
            return f"{base}; {pair[0]} alone does not, and what comes after it makes up for that."
        return f"{base}; {' and '.join(pair[:2])} do not alone, and undo each other." if pair else f"{base}."

    @property
    def remedy(self) -> str:
        """What to do, but for the nearest exact sizes."""
        if self.verdict == "undecided" and self._proof.not_followed and not self._doubts:
            return "Teach theory the operation with equivariance.theory.handle, or use operations that it knows."
        causes = [part.cause for part in self._broken]
        if "weights" in causes:
            return ""
        if "flattened" in causes:
            return "Take the mean over all places before it, or a convolution in its place."
        if "places" in causes:
            return "Make these numbers symmetric about the centre, or leave them out."
        if self._broken:
            windows = self._broken[0].sampling is not None and self._broken[0].cause == "grid"
            if windows and any(axis.window.stride > 1 for axis in self._broken[0].sampling or ()):
                return "Or switch on symmetric subsampling."
            return _COURSES.get(self._broken[0].why, "Or cut, pad and move both ends of both sides alike.")
        if self._proof.unpooled and self.verdict == "not equivariant":
            return _pooling(self._proof.unpooled)
        return ""

    def _sizes(self) -> Callable[[], dict[str, Pair]]:
        """What finds the nearest exact sides; it is asked when they are."""
        nothing: dict[str, Pair] = {"height": (None, None), "width": (None, None)}
        if self._proof.by_weights or not self._subject.elements or self._doubts or self.verdict == "undecided":
            return lambda: nothing
        program, height_px, width_px = self._subject.program, self._proof.height_px, self._proof.width_px

        def find() -> dict[str, Pair]:
            heights = program.exact_sides(height_px, width_px, 0)
            widths = heights if height_px == width_px else program.exact_sides(height_px, width_px, 1)
            return {"height": heights, "width": widths}

        return lambda: _untouched(find)

    # ------------------------------------------------------------------------------------------------------ the report

    def report(self, seconds: float) -> Report:
        broken, seen = self._broken, self._seen
        elements = self.elements or dict.fromkeys(self._measured_elements, UNDECIDED)
        return Report(
            verdict=self.verdict,
            evidence=self.evidence,
            sentence=self.sentence,
            reason=self.reason,
            remedy=self.remedy,
            group=self._subject.group.name.upper(),
            elements=elements,
            output_error={} if seen is None else {name: seen.largest(name) for name in elements},
            outputs=self._outputs(),
            first_broken_layer=broken[0].name if broken else None,
            broken_layers=tuple(part.name for part in broken),
            together=self._proof.together,
            find_sizes=self._sizes(),
            layers=tuple(self._layer(part) for part in self._proof.parts),
            not_followed=tuple(map(_entry, self._proof.not_followed)),
            notes=self._notes,
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


def _where(part: Part) -> str:
    """In brackets: its sides in and out, and the line of an operation outside all layers."""
    (height, width), (out_height, out_width) = part.in_hw, part.out_hw
    sides = f"{size_text(height, width).removesuffix(' px')} → {size_text(out_height, out_width)}"
    words = [
        f"in {part.block}" if part.block else "",
        "" if (height, width, out_height, out_width) == (1, 1, 1, 1) else sides,
        str(part.place) if part.place and not part.module_name else "",
    ]
    there = "; ".join(filter(None, words))
    return f" ({there})" if there else ""


def _why(part: Part) -> str:
    """What of a part does not commute, in words that follow a colon."""
    if part.kind == "Retyped":
        return "it restricts its fields to a smaller group"
    if math.isnan(part.weight_error):
        return "its weights hold NaN or infinity, which no size mends"
    if part.cause == "weights":
        difference = f"its weights differ from their own transform by up to {part.weight_error:.0%}"
        return f"{difference}, so no size makes it equivariant"
    if part.weight_error:
        return f"{part.why}, and these differ from their own transform by up to {part.weight_error:.0%}"
    if part.sampling is not None and not part.why:
        return grid_text_of(part.sampling)
    return part.why or "it treats height and width, or their ends, differently"


_COURSES = {ALONG_ONE_SIDE: "Or work along both sides of the maps, or along neither."}


def _pooling(unpooled: str) -> str:
    if unpooled == LISTED:
        return "Give it as maps (B, C, H, W), or take the mean over all places."
    if "pooled" in unpooled:
        return 'Pool the group before the output, by its maximum or mean, or say output="regular" if that is meant.'
    return "Say with output= what the output is meant to be."


__all__ = ["assert_equivariant", "check", "exact_sizes", "predict", "regular", "scalars"]
