"""TIFF files, of which only the first page is read, written anew with what its pixels need.

A TIFF may hold any number of pages, directories within directories, and codings that few programs read. The decoder is
given none of that: a small file with fifteen known tags at most, whose sizes were checked, and the coded pixels.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

MAX_TAGS = 1000
MAX_PARTS = 100_000  # strips or tiles
MAX_TILE_PX = 2**22
MAX_PROFILE_BYTES = 4 * 2**20

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIPS, _ORIENTATION, _SAMPLES, _ROWS, _STRIP_BYTES, _PLANES = 273, 274, 277, 278, 279, 284
_PREDICTOR, _PALETTE, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 317, 320, 322, 323, 324, 325
_EXTRA, _FORMAT, _PROFILE = 338, 339, 34675
_NUMBERS = {1: "B", 3: "H", 4: "I"}  # the types of what is read: bytes, and whole numbers of two and of four bytes
_BYTES = 7  # the type of a profile, and of what has no type
_CODINGS = {1, 5, 8, 32946, 32773}  # none, LZW, Deflate (twice) and PackBits
_COLOURS = {0: 1, 1: 1, 2: 3, 3: 1}  # white is zero, black is zero, RGB, palette: values of each pixel
_DEPTHS = {0: {1, 8}, 1: {1, 8, 16}, 2: {8, 16}, 3: {8}}

Tags = dict[int, tuple[int, ...]]


class TiffError(ValueError):
    """A TIFF that is not read, and what it is: "a TIFF of a coding that is not read here"."""


@dataclass(frozen=True)
class Page:
    """The first page as a file of its own; its orientation as EXIF numbers them; whether others follow."""

    data: bytes
    orientation: int
    is_first_of_many: bool


def is_tiff(data: bytes) -> bool:
    """Whether data begin as a TIFF does."""
    return data[:4] in (b"II*\0", b"MM\0*")


def first_page(data: bytes) -> Page:
    """The first page of a TIFF; raises TiffError for one that is damaged or not read here."""
    try:
        return _first_page(data)
    except (struct.error, IndexError, KeyError) as error:
        raise TiffError("a TIFF that is damaged or cut short") from error


def _first_page(data: bytes) -> Page:
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    tags, profile, following = _directory(data, order, start)
    kept = _checked(tags)
    parts = _parts(data, kept)
    return Page(_written(order, kept, parts, profile), tags.get(_ORIENTATION, (1,))[0], following != 0)


def _directory(data: bytes, order: str, start: int) -> tuple[Tags, bytes, int]:
    """(numbers by tag, colour profile, where the next directory is) of the directory at `start`."""
    (count,) = struct.unpack_from(f"{order}H", data, start)
    if count > MAX_TAGS:
        raise TiffError(f"a TIFF of more than {MAX_TAGS} tags")
    tags: Tags = {}
    profile = b""
    for number in range(count):
        place = start + 2 + 12 * number
        tag, kind, length = struct.unpack_from(f"{order}HHI", data, place)
        if tag == _PROFILE and length <= MAX_PROFILE_BYTES:
            (at,) = struct.unpack_from(f"{order}I", data, place + 8)
            profile = data[at : at + length]
        if tag not in _KNOWN or tag in tags or kind not in _NUMBERS:
            continue
        if length > MAX_PARTS:
            raise TiffError(f"a TIFF of more than {MAX_PARTS} parts")
        size = struct.calcsize(f"={length}{_NUMBERS[kind]}")
        at = place + 8 if size <= 4 else struct.unpack_from(f"{order}I", data, place + 8)[0]
        tags[tag] = struct.unpack_from(f"{order}{length}{_NUMBERS[kind]}", data, at)
    (following,) = struct.unpack_from(f"{order}I", data, start + 2 + 12 * count)
    return tags, profile, int(following)


def _checked(tags: Tags) -> Tags:
    """The tags that the pixels need, each with a value that is known; raises TiffError for others."""
    photometric = tags[_PHOTOMETRIC][0]
    samples = tags.get(_SAMPLES, (1,))[0]
    bits = tags.get(_BITS, (1,))
    extra = tags.get(_EXTRA, ())
    coding = tags.get(_COMPRESSION, (1,))[0]
    is_plain = (
        coding in _CODINGS
        and photometric in _COLOURS
        and samples == _COLOURS[photometric] + len(extra)
        and len(extra) <= 1
        and (not extra or (bits[0] == 8 and photometric in (1, 2)))
        and set(bits) <= _DEPTHS[photometric]
        and len(bits) in (1, samples)
        and len(set(bits)) == 1
        and set(tags.get(_FORMAT, (1,))) == {1}
        and tags.get(_PLANES, (1,))[0] == 1
        and tags.get(_FILL_ORDER, (1,))[0] == 1
        and tags.get(_PREDICTOR, (1,))[0] in (1, 2)
    )
    if not is_plain:
        raise TiffError("a TIFF of a kind that is not read here")
    kept = {tag: tags[tag] for tag in (_WIDTH, _HEIGHT, _PREDICTOR, _EXTRA) if tags.get(tag)}
    if photometric == 3:
        if len(tags[_PALETTE]) != 3 * 256:
            raise TiffError("a TIFF that is damaged or cut short")
        kept[_PALETTE] = tags[_PALETTE]
    known = {_BITS: bits[:1] * samples, _COMPRESSION: (coding,), _PHOTOMETRIC: (photometric,), _SAMPLES: (samples,)}
    layout = (_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES) if _TILES in tags else (_STRIPS, _STRIP_BYTES)
    rows = {} if _TILES in tags else {_ROWS: tags.get(_ROWS, tags[_HEIGHT])}
    return {**kept, **known, **rows, **{tag: tags[tag] for tag in layout}}


def _parts(data: bytes, kept: Mapping[int, tuple[int, ...]]) -> list[bytes]:
    """The coded strips or tiles, as many as the picture has; together no longer than the file."""
    width_px, height_px = kept[_WIDTH][0], kept[_HEIGHT][0]
    if min(width_px, height_px) < 1:
        raise TiffError("a TIFF that is damaged or cut short")
    if _TILES in kept:
        tile_width_px, tile_height_px = kept[_TILE_WIDTH][0], kept[_TILE_HEIGHT][0]
        if tile_width_px % 16 or tile_height_px % 16 or not 0 < tile_width_px * tile_height_px <= MAX_TILE_PX:
            raise TiffError("a TIFF of a kind that is not read here")
        wanted = -(-width_px // tile_width_px) * -(-height_px // tile_height_px)
        places, lengths = kept[_TILES], kept[_TILE_BYTES]
    else:
        wanted = -(-height_px // max(kept[_ROWS][0], 1))
        places, lengths = kept[_STRIPS], kept[_STRIP_BYTES]
    is_whole = len(places) == len(lengths) == wanted and sum(lengths) <= len(data)
    if not is_whole or any(at + length > len(data) for at, length in zip(places, lengths, strict=True)):
        raise TiffError("a TIFF that is damaged or cut short")
    return [data[at : at + length] for at, length in zip(places, lengths, strict=True)]


def _written(order: str, kept: Tags, parts: list[bytes], profile: bytes) -> bytes:
    """A TIFF of one page: the parts, the values that do not fit into the directory, and the directory at the end."""
    places, at = [], 8
    for part in parts:
        places.append(at)
        at += len(part)
    body = [*parts]
    entries = []
    tags: dict[int, tuple[int, ...] | bytes] = {**kept, (_TILES if _TILES in kept else _STRIPS): tuple(places)}
    if profile:
        tags[_PROFILE] = profile
    for tag, values in sorted(tags.items()):
        kind = _BYTES if isinstance(values, bytes) else 4 if max(values) > 0xFFFF or tag in _LONG else 3
        packed = values if isinstance(values, bytes) else struct.pack(f"{order}{len(values)}{_NUMBERS[kind]}", *values)
        if len(packed) <= 4:
            field = packed.ljust(4, b"\0")
        else:
            padding = bytes(at % 2)
            field = struct.pack(f"{order}I", at + len(padding))
            body.append(padding + packed)
            at += len(padding) + len(packed)
        entries.append(struct.pack(f"{order}HHI", tag, kind, len(values)) + field)
    padding = bytes(at % 2)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at + len(padding))
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)
    return b"".join((head, *body, padding, directory))


_LONG = {_STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES}
_KNOWN = {
    *(_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _ORIENTATION, _SAMPLES, _ROWS, _PLANES),
    *(_PREDICTOR, _PALETTE, _TILE_WIDTH, _TILE_HEIGHT, _EXTRA, _FORMAT),
    *_LONG,
}
