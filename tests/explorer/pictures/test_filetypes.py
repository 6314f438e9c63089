"""What bytes are by their beginning, which are costly, and what is left out of a PNG."""

import io
import zlib

import pytest
from PIL import Image

from explorer.pictures import filetypes
from explorer.pictures.filetypes import costly_part, foreign_kind, is_accepted, without_extras
from tests.support.file_parts import ORANGE, chunk, encode, plain, png_around, segment

PIXELS = chunk(b"IDAT", zlib.compress((b"\0" + bytes(ORANGE) * 16) * 12))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_the_four_formats_are_accepted_and_cheap(kind: str) -> None:
    data = encode(plain("RGB", ORANGE), kind)
    assert is_accepted(data) and foreign_kind(data) is None and costly_part(data) is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("AVIF", "an AVIF picture"),
        ("BMP", "a BMP picture"),
        ("GIF", "a GIF picture"),
        ("ICO", "an ICO picture"),
        ("JPEG2000", "a JPEG 2000 picture"),
        ("PDF", "a PDF document"),
        ("PPM", "a PPM picture"),
        ("TGA", None),
    ],
)
def test_other_formats_are_named(kind: str, name: str | None) -> None:
    data = encode(plain("RGB", ORANGE), kind)
    assert foreign_kind(data) == name and not is_accepted(data)


def test_too_many_scans_segments_and_chunks_are_costly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filetypes, "MAX_CHUNKS", 3)
    jpeg = encode(plain("RGB", ORANGE), "JPEG", progressive=True)
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    assert costly_part(jpeg[:-2] + scan * 32 + jpeg[-2:]) == "a JPEG of more than 32 scans or 5000 segments"
    assert costly_part(jpeg[:2] + segment(0xFE, b"") * 5000 + jpeg[2:]) == costly_part(
        jpeg[:-2] + scan * 32 + jpeg[-2:]
    )
    assert costly_part(png_around(PIXELS)) is None  # header, pixels, end
    assert costly_part(png_around(PIXELS * 2)) == "a PNG of more than 3 chunks"
    assert costly_part(png_around(PIXELS) + PIXELS) is None  # behind the end


@pytest.mark.parametrize("marker", [0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF])
def test_arithmetic_coding_is_costly(marker: int) -> None:
    jpeg = encode(plain("RGB", ORANGE), "JPEG")
    assert costly_part(jpeg.replace(b"\xff\xc0", bytes((0xFF, marker)))) == "an arithmetic-coded JPEG"


def test_a_png_without_extras_has_the_same_pixels_and_no_texts() -> None:
    text = chunk(b"tEXt", b"a\0b") + chunk(b"zTXt", b"a\0\0" + zlib.compress(b"b")) + chunk(b"tIME", bytes(7))
    assert without_extras(png_around(text + PIXELS + text) + b"behind the end") == png_around(PIXELS)


def test_a_png_keeps_its_palette_transparency_turn_and_frames() -> None:
    parts = b"".join(chunk(kind, b"") for kind in (b"PLTE", b"tRNS", b"eXIf", b"acTL", b"fcTL"))
    whole = png_around(parts + PIXELS + chunk(b"fdAT", bytes(9)))
    assert without_extras(whole) == whole


def icc_chunk(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"a\0\0" + zlib.compress(profile))


def test_a_png_keeps_the_first_of_its_profiles() -> None:
    assert without_extras(png_around(icc_chunk(b"one") + icc_chunk(b"two") + PIXELS)) == png_around(
        icc_chunk(b"one") + PIXELS
    )


@pytest.mark.parametrize(
    "damaged",
    [
        icc_chunk(bytes(filetypes.MAX_PNG_PROFILE_BYTES + 1)),
        icc_chunk(b"one")[:-1] + b"?",  # another checksum
        chunk(b"iCCP", b"no compressed profile"),
        chunk(b"iCCP", b"a\0\1" + zlib.compress(b"another method")),
        chunk(b"iCCP", b"a\0\0not compressed"),
    ],
)
def test_a_png_without_extras_has_no_damaged_profile(damaged: bytes) -> None:
    assert without_extras(png_around(damaged + PIXELS)) == png_around(PIXELS)


def test_the_largest_profile_that_is_kept_can_be_read() -> None:
    profile = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(filetypes.MAX_PNG_PROFILE_BYTES)))
    data = without_extras(png_around(profile + PIXELS))
    with Image.open(io.BytesIO(data)) as image:
        assert len(image.info["icc_profile"]) == filetypes.MAX_PNG_PROFILE_BYTES


@pytest.mark.parametrize("length", range(0, 120, 7))
def test_nothing_is_made_up_of_a_png_that_is_cut_short(length: int) -> None:
    data = png_around(PIXELS)
    assert data[:length].startswith(without_extras(data[:length]))


def test_other_formats_are_left_as_they_are() -> None:
    for kind in ("JPEG", "WEBP"):
        data = encode(plain("RGB", ORANGE), kind)
        assert without_extras(data) == data
