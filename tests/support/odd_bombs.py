"""Files that are costly to read for their length."""

import zlib
from collections.abc import Iterator

from tests.support.file_parts import (
    ORANGE,
    WHITE,
    chunk,
    crowded_exif,
    declared_png,
    encode,
    plain,
    png,
    png_around,
    segment,
    webp_of_frames,
)
from tests.support.odd_answers import OddPicture, picture, refusal


def bombs() -> Iterator[OddPicture]:
    """Files that are costly to read for their length, in pixels, in metadata or in parts."""
    large, clear = ("Shrunk from 8000 to 2048 px on its longer side.",), "Its transparent parts are shown over white."
    key = chunk(b"tRNS", b"\0\1\0\2\0\3")
    deep = png(8000, 5000, bits=16, colour_type=6, pixel=bytes(8), paeth=True)
    yield picture("40 million deep clear pixels.png", deep, WHITE, 0, (*large, clear), (1280, 2048))
    keyed = png(8000, 5000, bits=8, colour_type=2, pixel=b"\1\2\3", extra=key)
    yield picture("40 million pixels of the clear colour.png", keyed, WHITE, 0, (*large, clear))
    keyed = png(8000, 5000, bits=16, colour_type=0, pixel=b"\0\1", extra=chunk(b"tRNS", b"\0\1"))
    yield picture("40 million greys of the clear grey.png", keyed, WHITE, 0, (*large, clear))
    interlaced = zlib.compress(bytes(5000 * 8000 * 4 + 20_000), 1)  # at most 20,000 rows in the seven passes
    data = png_around(chunk(b"IDAT", interlaced), 8000, 5000, colour_type=6, interlaced=1)
    yield picture("40 million interlaced pixels.png", data, WHITE, 0, (*large, clear))
    yield refusal("no pixels behind a header.png", declared_png(8000, 5000), "damaged")
    scans = encode(plain("RGB", ORANGE, (8000, 5000)), "JPEG", progressive=True)
    scan = scans[scans.rindex(b"\xff\xda") : -2]
    yield picture("40 million pixels in 30 scans.jpg", scans[:-2] + scan * 20 + scans[-2:], ORANGE, 3, large)
    yield refusal("60 scans.jpg", scans[:-2] + scan * 50 + scans[-2:], "32 scans")
    webp = encode(plain("RGBA", (0, 0, 0, 0), (5000, 4000)), "WEBP", method=0, lossless=True, quality=0)
    shrunk = ("Shrunk from 5000 to 2048 px on its longer side.", clear)
    yield picture("20 million clear pixels.webp", webp, WHITE, 0, shrunk)
    yield from crowds()


def crowds() -> Iterator[OddPicture]:
    """Files of many or of swollen parts that no pixel needs."""
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + bytes(ORANGE) * 16) * 12))
    zeros = zlib.compress(bytes(2**20), 9)
    swollen = {
        "texts": chunk(b"zTXt", b"a\0\0" + zeros) * 100,
        "international texts": chunk(b"iTXt", b"a\0\1\0\0\0" + zeros) * 100,
        "long text": chunk(b"tEXt", b"a\0" + b"x" * 10_000_000),
        "profile": chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8), 9)),
        "profile bombs": chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**20 + 1), 9)) * 10_000,
        "profiles": chunk(b"iCCP", b"a\0\0" + zeros) * 10_000,
        "tags": chunk(b"eXIf", crowded_exif(65_535, 2_000_000)),
    }
    for what, chunks in swollen.items():
        note = ("Its colour profile cannot be used: the colours are shown without it.",) if what == "profiles" else ()
        yield picture(f"{what}.png", png_around(chunks + pixels), ORANGE, 0, note)
        yield picture(f"{what} behind.png", png_around(pixels + chunks), ORANGE, 0, None)
    yield refusal("chunks.png", png_around(chunk(b"tEXt", b"a\0b") * 1_000_000 + pixels), "50000 chunks")
    yield refusal("empty chunks.png", png_around(chunk(b"IDAT", b"") * 1_500_000 + pixels), "50000 chunks")
    yield picture("many chunks.png", png_around(chunk(b"IDAT", b"") * 40_000 + pixels), ORANGE)
    jpeg = encode(plain("RGB", ORANGE), "JPEG")
    yield refusal("segments.jpg", jpeg[:2] + segment(0xFE, b"") * 4_000_000 + jpeg[2:], "5000 segments")
    yield picture("comments.jpg", jpeg[:2] + segment(0xFE, bytes(65_000)) * 300 + jpeg[2:], ORANGE, 3)
    tags = crowded_exif(65_535, 19_000_000)
    parts = b"".join(segment(0xE1, b"Exif\0\0" + tags[at : at + 65_000]) for at in range(0, len(tags), 65_000))
    yield picture("tags.jpg", jpeg[:2] + parts + jpeg[20:], ORANGE, 3)  # without the JFIF segment of 18 bytes
    first = (
        "Only the first of the 200000 frames in the file is used.",
        "Its transparent parts are shown over white.",  # the canvas beside the one pixel of the frame
    )
    yield picture("frames.webp", webp_of_frames(16, 12, 200_000), WHITE, 255, first)
