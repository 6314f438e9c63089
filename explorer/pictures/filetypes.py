"""What the bytes of an upload are, and what they would cost to read, before any library looks into them."""

import re
import zlib
from collections.abc import Iterator
from itertools import islice

MAX_SCANS = 32  # of a JPEG; ten are usual, and each costs a pass over all pixels, however few bytes it has
MAX_SEGMENTS = 5000  # of a JPEG; Pillow reads each in Python, and four bytes are enough for one
MAX_CHUNKS = 50_000  # of a PNG; likewise, and twelve bytes are enough
MAX_PNG_PROFILE_BYTES = 2**20  # Pillow refuses a PNG whose colour profile inflates to more

# An extended WebP: the byte with its flags, where its chunks begin, and after how many the first frame is given up.
_WEBP_FLAGS, _WEBP_ANIMATION, _WEBP_ALPHA, _WEBP_CHUNKS, _WEBP_MOST_CHUNKS = 20, 0x02, 0x10, 30, 1000
_JPEG_FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended and progressive, in Huffman coding
_PNG_START = b"\x89PNG\r\n\x1a\n"
# What a PNG's first frame is made of. Texts, times and the like are left out: a few bytes of them may inflate to many.
_PNG_PARTS = {b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"IDAT", b"fdAT", b"IEND"}
_JPEG_SEGMENT = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")  # all but SOI, TEM, restarts and stuffed bytes
# Frames whose scans cost much time for few bytes; Pillow reads those of a short file only, and browsers read none.
_ARITHMETIC_CODING = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_ACCEPTED = re.compile(rb"\x89PNG|\xff\xd8|RIFF.{4}WEBP|II\*\0|MM\0\*", re.DOTALL)
_FOREIGN = {
    "a GIF picture": rb"GIF8",
    "a BMP picture": rb"BM.{4}\0{4}",
    "a BigTIFF picture": rb"II\+\0|MM\0\+",
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
    """Whether the data begin as a PNG, JPEG, WebP or TIFF file does."""
    return _ACCEPTED.match(data) is not None


def foreign_kind(data: bytes) -> str | None:
    """What data other than PNG, JPEG, WebP or TIFF are, as far as their first bytes tell: "a GIF picture"."""
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
    scans, segments = 0, 0
    for kind, _, _ in _jpeg_segments(data):
        segments += kind != 0xD9
        scans += kind == 0xDA
        if kind in _ARITHMETIC_CODING:
            return "an arithmetic-coded JPEG"
        if scans > MAX_SCANS or segments > MAX_SEGMENTS:
            return f"a JPEG of more than {MAX_SCANS} scans or {MAX_SEGMENTS} segments"
    return None


def without_extras(data: bytes) -> bytes:
    """A PNG without the chunks that its first frame does not need, cut behind its end; other data as they are.

    Only its first colour profile counts, and a damaged one is left out: the whole picture would count as damaged. An
    animated WebP whose first frame leaves some of its canvas free is marked as one with transparency, which it has.
    """
    if _leaves_canvas_free(data):
        return data[:_WEBP_FLAGS] + bytes([data[_WEBP_FLAGS] | _WEBP_ALPHA]) + data[_WEBP_FLAGS + 1 :]
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


def _leaves_canvas_free(data: bytes) -> bool:
    """Whether data are an animated WebP whose first frame does not cover its canvas."""
    if data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8X" or len(data) < _WEBP_CHUNKS:
        return False
    if not data[_WEBP_FLAGS] & _WEBP_ANIMATION:
        return False
    canvas, start = data[24:30], _WEBP_CHUNKS
    for _ in range(_WEBP_MOST_CHUNKS):
        kind, length = data[start : start + 4], int.from_bytes(data[start + 4 : start + 8], "little")
        if kind == b"ANMF":  # its place, its size and its pixels
            return data[start + 8 : start + 20] != bytes(6) + canvas
        start += 8 + length + length % 2
    return False


def lacks_end_marker(data: bytes) -> bool:
    """Whether data are a JPEG that ends within or behind its last scan, which may be whole nevertheless."""
    return data.startswith(b"\xff\xd8") and all(segment[0] != 0xD9 for segment in _jpeg_segments(data))


def has_all_scans(data: bytes) -> bool:
    """Whether the scans of a JPEG, whole or not, are of every component, of every frequency, to the last bit."""
    left: dict[int, set[int]] = {}  # by component, the frequencies whose last bit is still to come
    for kind, start, _ in _jpeg_segments(data):
        if kind in _JPEG_FRAMES:
            left = {each: set(range(64)) for each in data[start + 8 : start + 8 + 3 * data[start + 7] : 3]}
        elif kind == 0xDA:
            count = data[start + 2]
            first, last, bits = data[start + 3 + 2 * count : start + 6 + 2 * count]
            if bits & 15 == 0:
                for each in data[start + 3 : start + 3 + 2 * count : 2]:
                    left.get(each, set()).difference_update(range(first, last + 1))
    return bool(left) and not any(left.values())


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start of its length, end) of each segment of a JPEG; the last is the end marker, where there is one."""
    position = 2
    while segment := _JPEG_SEGMENT.search(data, position):
        position = segment.end() + int.from_bytes(data[segment.end() : segment.end() + 2], "big")
        yield segment[1][0], segment.end(), position
        if segment[1] == b"\xd9":
            return


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
