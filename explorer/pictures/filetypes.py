"""What the bytes of an upload are, and what they would cost to read, before any library looks into them."""

import re
import zlib
from collections.abc import Iterator
from itertools import islice

MAX_SCANS = 32  # of a JPEG; ten are usual, and each costs a pass over all pixels, however few bytes it has
MAX_SEGMENTS = 5000  # of a JPEG; Pillow reads each in Python, and four bytes are enough for one
MAX_CHUNKS = 50_000  # of a PNG; likewise, and twelve bytes are enough
MAX_PNG_PROFILE_BYTES = 2**20  # Pillow refuses a PNG whose colour profile inflates to more

_PNG_START = b"\x89PNG\r\n\x1a\n"
# What a PNG's first frame is made of. Texts, times and the like are left out: a few bytes of them may inflate to many.
_PNG_PARTS = {b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"IDAT", b"fdAT", b"IEND"}
_JPEG_SEGMENT = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")  # all but SOI, TEM, restarts and stuffed bytes
# Frames whose scans cost much time for few bytes; Pillow reads those of a short file only, and browsers read none.
_ARITHMETIC_CODING = {b"\xc9", b"\xca", b"\xcb", b"\xcd", b"\xce", b"\xcf"}
_ACCEPTED = re.compile(rb"\x89PNG|\xff\xd8|RIFF.{4}WEBP", re.DOTALL)
_FOREIGN = {
    "a GIF picture": rb"GIF8",
    "a BMP picture": rb"BM.{4}\0{4}",
    "a TIFF picture": rb"II[*+]\0|MM\0[*+]",
    "an AVIF picture": rb".{4}ftypavi",
    "a HEIC picture": rb".{4}ftyp(hei|hev|mif1|msf1)",
    "a film": rb".{4}ftyp|\x1a\x45\xdf\xa3|RIFF.{4}AVI ",
    "a JPEG 2000 picture": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "a JPEG XL picture": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "an ICO picture": rb"\0\0[\x01\x02]\0[^\0]\0",
    "a PPM picture": rb"P[1-7fF]\s",
    "a Photoshop picture": rb"8BPS",
    "an SVG drawing": rb".{0,1000}?<svg\b",
    "a web page": rb"(?i)\s*<(!doctype html|html)",
    "a PDF document": rb"%PDF",
    "a ZIP archive": rb"PK\x03\x04",
    "a Windows program": rb"MZ.\0",
}


def is_accepted(data: bytes) -> bool:
    """Whether the data begin as a PNG, JPEG or WebP file does."""
    return _ACCEPTED.match(data) is not None


def foreign_kind(data: bytes) -> str | None:
    """What data other than PNG, JPEG or WebP are, as far as their first bytes tell: "a GIF picture"."""
    return next((kind for kind, pattern in _FOREIGN.items() if re.match(pattern, data, re.DOTALL)), None)


def costly_part(data: bytes) -> str | None:
    """What makes a file too costly to read, however few pixels it has: "a PNG of more than 50000 chunks"."""
    if data.startswith(b"\xff\xd8"):
        return _costly_jpeg(data)
    if data.startswith(_PNG_START) and any(islice(_png_chunks(data), MAX_CHUNKS, None)):
        return f"a PNG of more than {MAX_CHUNKS} chunks"
    return None


def _costly_jpeg(data: bytes) -> str | None:
    """What makes a JPEG too costly, from its scans and segments before its end marker.

    Segments are skipped by their lengths, so that a thumbnail in the metadata does not count, nor does a film that a
    telephone put behind the end marker.
    """
    scans, segments, position = 0, 0, 2
    while (segment := _JPEG_SEGMENT.search(data, position)) and segment[1] != b"\xd9":
        segments += 1
        scans += segment[1] == b"\xda"
        if segment[1] in _ARITHMETIC_CODING:
            return "an arithmetic-coded JPEG"
        if scans > MAX_SCANS or segments > MAX_SEGMENTS:
            return f"a JPEG of more than {MAX_SCANS} scans or {MAX_SEGMENTS} segments"
        position = segment.end() + int.from_bytes(data[segment.end() : segment.end() + 2], "big")
    return None


def without_extras(data: bytes) -> bytes:
    """A PNG without the chunks that its first frame does not need, cut behind its end; other data as they are.

    Only its first colour profile counts, and a damaged one is left out: the whole picture would count as damaged.
    """
    if not data.startswith(_PNG_START):
        return data
    kept, profiles = [_PNG_START], 0
    for kind, start, end in _png_chunks(data):
        profiles += kind == b"iCCP"
        is_extra = kind not in _PNG_PARTS
        if kind == b"iCCP":
            is_extra = profiles > 1 or not _is_usable_profile(data[start:end])  # each takes time to inflate
        if not is_extra:
            kept.append(data[start:end])
    return b"".join(kept)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of each chunk, with its length and checksum; the last one ends the picture or the data."""
    start, kind = len(_PNG_START), b""
    while start + 8 <= len(data) and kind != b"IEND":
        kind, end = data[start + 4 : start + 8], start + 12 + int.from_bytes(data[start : start + 4], "big")
        yield kind, start, end
        start = end


def _is_usable_profile(data: bytes) -> bool:
    """Whether a PNG's chunk of a colour profile is whole and inflates to no more than is accepted."""
    content, checksum = data[8:-4], data[-4:]
    _name, _, compressed = content.partition(b"\0")
    inflater = zlib.decompressobj()
    try:
        inflater.decompress(compressed[1:], MAX_PNG_PROFILE_BYTES)
    except zlib.error:
        return False
    is_whole = compressed.startswith(b"\0") and zlib.crc32(data[4:-4]) == int.from_bytes(checksum, "big")
    return is_whole and not inflater.unconsumed_tail
