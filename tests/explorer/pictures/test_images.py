"""Pictures: what decodes, to which pixels, and what is refused and how."""

import dataclasses
import os
import re
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image, ImageFile

from equivariance.errors import SizeError
from explorer.errors import PictureError
from explorer.pictures import images
from explorer.pictures.images import (
    DIGITS,
    GALLERY,
    PHOTOGRAPHS,
    Picture,
    decode,
    load_file,
    load_gallery,
    thumbnail_png,
)
from tests.support import ROOT
from tests.support.file_parts import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    RED,
    WHITE,
    Colour,
    Pixels,
    chunk,
    declared_png,
    encode,
    exif_with,
    noise,
    numbered,
    plain,
    png,
    png_around,
    riff_chunk,
    segment,
    stored_pixels,
)

PICTURES = ROOT / "assets" / "pictures"


def refusal_of(data: bytes, name: str = "holiday.png") -> str:
    """The one sentence with which the bytes are refused."""
    with pytest.raises(PictureError) as refusal:
        decode(data, name=name)
    return one_sentence(str(refusal.value))


def one_sentence(message: str) -> str:
    assert message.endswith(".") and "\n" not in message
    assert not re.search(r"[.!?] +[A-Z]", message)
    return message


# Formats and modes


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_lossless_formats_give_the_very_pixels(kind: str, options: dict[str, object]) -> None:
    pixels = noise(23, 31)
    picture = decode(encode(Image.fromarray(pixels), kind, **options), name="noise")
    assert np.array_equal(picture.pixels, pixels)
    assert picture.pixels.dtype == np.uint8 and picture.notes == ()
    assert (picture.height_px, picture.width_px) == (23, 31)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_give_the_colour_of_a_plain_picture(kind: str, options: dict[str, object]) -> None:
    picture = decode(encode(plain("RGB", (200, 100, 50)), kind, quality=95, **options), name="plain")
    assert picture.pixels.shape == (12, 16, 3)
    assert np.abs(picture.pixels.astype(int) - (200, 100, 50)).max() <= 3
    assert picture.notes == ()


def test_the_name_of_the_file_does_not_decide_its_format() -> None:
    assert decode(encode(plain("RGB", RED), "PNG"), name="red.gif").pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("mode", "colour", "kind", "expected"),
    [
        ("1", 1, "PNG", WHITE),
        ("1", 0, "PNG", BLACK),
        ("L", 77, "PNG", (77, 77, 77)),
        ("L", 77, "JPEG", (77, 77, 77)),
        ("P", 0, "PNG", BLACK),
        ("RGBA", (10, 20, 30, 255), "PNG", (10, 20, 30)),
    ],
)
def test_each_mode_becomes_rgb(mode: str, colour: Colour, kind: str, expected: tuple[int, ...]) -> None:
    image = plain(mode, colour)
    if mode == "P":
        image.putpalette(BLACK + RED)
    picture = decode(encode(image, kind), name="mode")
    assert (picture.pixels == expected).all() and picture.notes == ()


def test_palette_gives_the_colours_of_its_entries() -> None:
    image = plain("P", 0)
    image.putpalette(BLUE + RED)
    image.putpixel((3, 2), 1)
    pixels = decode(encode(image, "PNG"), name="palette").pixels
    assert pixels[2, 3].tolist() == list(RED) and pixels[0, 0].tolist() == list(BLUE)


@pytest.mark.parametrize(
    ("grey", "expected"),
    [(0, 0), (128, 0), (129, 1), (257, 1), (32_896, 128), (33_024, 128), (33_025, 129), (65_406, 254), (65_535, 255)],
)
def test_16_bit_grey_is_divided_by_257_and_rounded(grey: int, expected: int) -> None:
    data = png(9, 9, bits=16, colour_type=0, pixel=struct.pack(">H", grey))
    assert (decode(data, name="grey").pixels == expected).all()


def test_16_bit_grey_keeps_every_pixel_in_its_place() -> None:
    greys = np.random.default_rng(1).integers(0, 2**16, (10, 13), dtype=np.uint16)
    pixels = decode(encode(Image.fromarray(greys), "PNG"), name="grey").pixels
    assert np.array_equal(pixels[..., 0], np.round(greys / 257).astype(np.uint8))


def test_16_bit_colour_keeps_its_high_bytes() -> None:
    data = png(8, 8, bits=16, colour_type=2, pixel=struct.pack(">HHH", 0xFFFF, 0x8080, 0x0101))
    assert (decode(data, name="deep").pixels == (255, 128, 1)).all()


def test_cmyk_jpeg_with_adobe_inversion_keeps_its_colour() -> None:
    picture = decode(encode(plain("CMYK", (255, 0, 0, 0)), "JPEG", quality=100), name="print")
    assert np.abs(picture.pixels.astype(int) - (0, 255, 255)).max() <= 2
    assert any("CMYK" in note for note in picture.notes)


def test_ycck_jpeg_keeps_its_grey() -> None:
    # Saved as CMYK these numbers are stored inverted as (200, 128, 128, 255); relabelled as YCCK that is luma 200, no
    # colour, so an inverted cyan of 255 - 200 = 55, a cyan of 200, and a grey of 255 - 200 = 55.
    data = bytearray(encode(plain("CMYK", (55, 127, 127, 0)), "JPEG", quality=100))
    data[data.index(b"Adobe") + 11] = 2
    pixels = decode(bytes(data), name="print").pixels
    assert np.abs(pixels.astype(int) - 55).max() <= 3


# Transparency


@pytest.mark.parametrize(("alpha", "expected"), [(0, (255, 255, 255)), (51, (204, 224, 255)), (255, (0, 100, 255))])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_alpha_is_composited_over_white(kind: str, alpha: int, expected: tuple[int, ...]) -> None:
    options = {} if kind == "PNG" else {"lossless": True, "exact": True}
    picture = decode(encode(plain("RGBA", (0, 100, 255, alpha)), kind, **options), name="glass")
    assert np.abs(picture.pixels.astype(int) - expected).max() <= 1
    assert any("over white" in note for note in picture.notes) == (alpha < 255)


def test_grey_with_alpha_is_composited_over_white() -> None:
    picture = decode(encode(plain("LA", (0, 51)), "PNG"), name="grey glass")
    assert np.abs(picture.pixels.astype(int) - 204).max() <= 1


def test_16_bit_grey_with_alpha_is_composited_over_white() -> None:
    data = png(8, 8, bits=16, colour_type=4, pixel=struct.pack(">HH", 0, 0x3333))
    assert np.abs(decode(data, name="deep glass").pixels.astype(int) - 204).max() <= 1


@pytest.mark.parametrize(("transparency", "expected"), [(1, WHITE), (b"\xff\x80", (255, 127, 127)), (0, RED)])
def test_palette_entries_can_be_transparent(transparency: int | bytes, expected: tuple[int, ...]) -> None:
    image = plain("P", 1)
    image.putpalette(BLUE + RED)
    picture = decode(encode(image, "PNG", transparency=transparency), name="sticker")
    assert np.abs(picture.pixels.astype(int) - expected).max() <= 1
    assert any("over white" in note for note in picture.notes) == (expected != RED)


@pytest.mark.parametrize(
    ("mode", "colour", "other"), [("L", 7, 9), ("RGB", (1, 2, 3), (1, 2, 4)), ("1", 0, 1), ("I;16", 300, 65_535)]
)
def test_the_colour_that_a_png_declares_transparent_becomes_white(mode: str, colour: Colour, other: Colour) -> None:
    image = plain(mode, colour)
    image.putpixel((5, 4), other)
    clear = decode(encode(image, "PNG", transparency=colour), name="clear").pixels
    solid = decode(encode(image, "PNG"), name="solid").pixels
    assert (clear[0, 0] == 255).all() and (solid[0, 0] < 10).all()
    assert np.array_equal(clear[4, 5], solid[4, 5])


def rows_png(pixels: list[bytes], extra: bytes = b"") -> bytes:
    """A 16-bit RGB PNG, 12 px wide, whose rows are of one colour each."""
    rows = zlib.compress(b"".join(b"\0" + pixel * 12 for pixel in pixels))
    return png_around(extra + chunk(b"IDAT", rows), 12, len(pixels), bits=16)


@pytest.mark.parametrize("key", [(0x1234, 0x1234, 0x1234), (0x12FF, 0x0034, 0xFF00)])
def test_a_colour_key_of_16_bits_is_compared_in_all_its_bits(key: tuple[int, int, int]) -> None:
    near = [tuple(value ^ 1 if at == band else value for at, value in enumerate(key)) for band in range(3)]
    rows = [struct.pack(">HHH", *colour) for colour in (key, *near, key)] * 2
    picture = decode(rows_png(rows, chunk(b"tRNS", struct.pack(">HHH", *key))), name="clear")

    high = tuple(value >> 8 for value in key)
    assert [tuple(row[0]) for row in picture.pixels] == [WHITE, high, high, high, WHITE] * 2
    assert picture.notes == ("Its transparent parts are shown over white.",)


def test_a_colour_key_of_16_bits_is_found_behind_every_filter() -> None:
    pixel = struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC)
    data = png(12, 9, bits=16, colour_type=2, pixel=pixel, extra=chunk(b"tRNS", pixel))
    assert (decode(data, name="clear").pixels == WHITE).all()


def test_a_colour_key_that_no_pixel_has_changes_nothing() -> None:
    pixel = struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC)
    key = chunk(b"tRNS", struct.pack(">HHH", 0x1235, 0x5678, 0x9ABC))
    picture = decode(png(12, 9, bits=16, colour_type=2, pixel=pixel, extra=key), name="solid")
    assert (picture.pixels == (0x12, 0x56, 0x9A)).all() and picture.notes == ()


# Animations


def film_webp(place: tuple[int, int], size: tuple[int, int], *, flags: int = 2) -> bytes:
    """An animated WebP, 40×30, whose first frame of ORANGE lies at `place` (left, top) and has that size."""

    def three(*numbers: int) -> bytes:
        return b"".join(number.to_bytes(3, "little") for number in numbers)

    def frame(left: int, top: int, width_px: int, height_px: int) -> bytes:
        pixels = encode(plain("RGB", ORANGE, (width_px, height_px)), "WEBP", lossless=True)[12:]
        head = three(left // 2, top // 2, width_px - 1, height_px - 1, 100) + b"\0"
        return riff_chunk(b"ANMF", head + pixels)

    canvas = riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + three(39, 29))
    frames = frame(*place, *size) + frame(0, 0, 40, 30)
    return riff_chunk(b"RIFF", b"WEBP" + canvas + riff_chunk(b"ANIM", b"\0\xff\0\xff\0\0") + frames)


@pytest.mark.parametrize("flags", [0x02, 0x12])
def test_what_the_first_frame_leaves_free_is_white(flags: int) -> None:
    picture = decode(film_webp((10, 8), (20, 16), flags=flags), name="film")

    expected = np.full((30, 40, 3), 255)
    expected[8:24, 10:30] = ORANGE
    assert (picture.pixels == expected).all()
    assert picture.notes == (
        "Only the first of the 2 frames in the file is used.",
        "Its transparent parts are shown over white.",
    )


def test_a_first_frame_that_covers_its_canvas_is_shown_as_it_is() -> None:
    picture = decode(film_webp((0, 0), (40, 30)), name="film")
    assert (picture.pixels == ORANGE).all() and len(picture.notes) == 1


# The end of a JPEG


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}, {"quality": 100}])
@pytest.mark.parametrize("grey", [False, True])
def test_a_jpeg_without_its_end_marker_alone_is_shown_whole(options: dict[str, int], grey: bool) -> None:
    image = Image.fromarray(noise(48, 64)).convert("L" if grey else "RGB")
    data = encode(image, "JPEG", **options)
    assert data.endswith(b"\xff\xd9")

    expected = decode(data, name="whole").pixels
    for cut in (data[:-1], data[:-2]):
        picture = decode(cut, name="cut")
        assert (picture.pixels == expected).all() and picture.notes == ()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}])
def test_a_jpeg_that_lacks_pixels_too_is_damaged(options: dict[str, int]) -> None:
    data = encode(Image.fromarray(noise(48, 64)), "JPEG", **options)
    for missing in (3, 4, 6, 20, 200, len(data) // 2):
        assert "damaged or cut short" in refusal_of(data[:-missing])


def test_a_flat_jpeg_that_lacks_pixels_is_damaged() -> None:
    data = encode(plain("RGB", ORANGE, (200, 160)), "JPEG")
    for missing in (4, 10, 50):
        assert "damaged or cut short" in refusal_of(data[:-missing])


def test_a_jpeg_cut_between_two_scans_is_damaged() -> None:
    data = encode(Image.fromarray(noise(48, 64)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    tables = data.rindex(b"\xff\xc4")
    assert "damaged or cut short" in refusal_of(data[: min(last, tables)])


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_an_animation_shows_its_first_frame_and_says_so(kind: str, options: dict[str, object]) -> None:
    frames = [plain("RGB", colour) for colour in (RED, GREEN, BLUE)]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options)
    picture = decode(data, name="film")
    assert (picture.pixels == RED).all()
    assert picture.notes == ("Only the first of the 3 frames in the file is used.",)


def test_a_jpeg_of_two_pictures_shows_the_first() -> None:
    data = encode(plain("RGB", RED), "MPO", save_all=True, append_images=[plain("RGB", BLUE)], quality=100)
    picture = decode(data, name="stereo.jpg")
    assert np.abs(picture.pixels.astype(int) - RED).max() <= 3
    assert any("first of the 2" in note for note in picture.notes)


# EXIF orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_exif_orientation_is_undone(kind: str, options: dict[str, object], orientation: int) -> None:
    upright = numbered(9, 14)
    stored = Image.fromarray(stored_pixels(upright, orientation))
    picture = decode(encode(stored, kind, exif=exif_with(orientation), **options), name="camera")
    assert np.array_equal(picture.pixels, upright)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_a_jpeg_is_undone(orientation: int) -> None:
    upright = np.zeros((16, 24, 3), dtype=np.uint8)  # three of the six blocks of 8 × 8 pixels that JPEG keeps apart
    upright[:8, :8], upright[8:, 16:], upright[:8, 8:16] = RED, BLUE, GREEN
    stored = Image.fromarray(stored_pixels(upright, orientation))
    data = encode(stored, "JPEG", quality=100, subsampling=0, exif=exif_with(orientation))
    pixels = decode(data, name="camera").pixels
    assert pixels.shape == (16, 24, 3)
    assert np.abs(pixels.astype(int) - upright).max() <= 4


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_unknown_orientation_leaves_the_picture_alone(orientation: int) -> None:
    upright = numbered(9, 14)
    data = encode(Image.fromarray(upright), "PNG", exif=exif_with(orientation))
    assert np.array_equal(decode(data, name="camera").pixels, upright)


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0rubbish", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"\0" * 40])
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's "Corrupt EXIF data"
def test_damaged_exif_leaves_the_picture_alone(exif: bytes) -> None:
    upright = numbered(9, 14)
    assert np.array_equal(decode(encode(Image.fromarray(upright), "PNG", exif=exif), name="camera").pixels, upright)


def test_a_turned_picture_is_shrunk_in_its_own_aspect_ratio() -> None:
    data = encode(plain("RGB", RED, (3000, 1500)), "PNG", exif=exif_with(6))
    assert decode(data, name="camera").pixels.shape == (2048, 1024, 3)


# Sizes


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    ("size", "kept"), [((2049, 1000), (1000, 2048)), ((1500, 5000), (2048, 614)), ((4096, 32), (16, 2048))]
)
def test_a_large_picture_is_shrunk_to_2048_px(kind: str, size: tuple[int, int], kept: tuple[int, int]) -> None:
    image = plain("RGB", BLACK, size)
    image.paste(WHITE, (0, 0, size[0] // 2, size[1]))
    picture = decode(encode(image, kind), name="large")
    assert picture.pixels.shape == (*kept, 3)
    assert picture.notes == (f"Shrunk from {max(size)} to 2048 px on its longer side.",)
    quarter = kept[1] // 4
    assert (picture.pixels[:, :quarter] > 250).all() and (picture.pixels[:, -quarter:] < 5).all()


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_a_large_jpeg_of_any_mode_is_shrunk(mode: str) -> None:
    assert decode(encode(plain(mode, 0, (4200, 40)), "JPEG"), name="large").pixels.shape == (20, 2048, 3)


def test_a_large_jpeg_is_never_decoded_at_its_full_size(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded_sizes = []
    decode_pixels = ImageFile.ImageFile.load

    def load(image: ImageFile.ImageFile) -> object:
        result = decode_pixels(image)
        decoded_sizes.append(image.size)
        return result

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert decode(encode(plain("RGB", RED, (4200, 40)), "JPEG"), name="large").pixels.shape == (20, 2048, 3)
    assert set(decoded_sizes) == {(2100, 20)}


def test_a_large_transparent_picture_is_shrunk_before_it_is_composited() -> None:
    image = plain("RGBA", (255, 0, 0, 255), (4096, 64))
    image.paste((0, 255, 0, 0), (0, 0, 2048, 64))
    pixels = decode(encode(image, "PNG"), name="large glass").pixels
    assert (pixels[:, :1000] == WHITE).all() and (pixels[:, 1100:] == RED).all()
    assert (pixels[:, :1023, 0] == 255).all()  # the hidden green never shows


def test_a_picture_of_2048_px_is_not_changed() -> None:
    pixels = noise(8, 2048)
    picture = decode(encode(Image.fromarray(pixels), "PNG"), name="wide")
    assert np.array_equal(picture.pixels, pixels) and picture.notes == ()


@pytest.mark.parametrize("size", [(7, 8), (8, 7), (1, 1), (1, 3000)])
def test_a_picture_below_8_px_is_too_small(size: tuple[int, int]) -> None:
    message = refusal_of(encode(plain("RGB", RED, size), "PNG"))
    assert f"is {size[0]} px wide and {size[1]} px high, too small" in message and "8 px" in message


def test_a_picture_of_8_px_is_accepted() -> None:
    assert decode(encode(plain("RGB", RED, (8, 8)), "PNG"), name="icon").pixels.shape == (8, 8, 3)


def test_a_picture_that_would_shrink_below_8_px_is_too_narrow() -> None:
    assert "too narrow" in refusal_of(declared_png(8, 4_000_000))
    assert "too narrow" in refusal_of(encode(plain("L", 0, (4096, 8)), "PNG"))


def forbid_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_image: Image.Image) -> None:
        raise AssertionError("a pixel was decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)


@pytest.mark.parametrize("size", [(7000, 6000), (10_000, 10_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
@pytest.mark.parametrize("action", ["error", "ignore"])
def test_a_declared_huge_png_is_refused_from_its_header(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], action: Literal["error", "ignore"]
) -> None:
    forbid_loading(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter(action, Image.DecompressionBombWarning)
        message = refusal_of(declared_png(*size))
    assert "too large" in message and "40 million pixels" in message


def test_a_declared_huge_jpeg_is_refused_from_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(encode(plain("RGB", RED), "JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", 65_000, 65_000)
    forbid_loading(monkeypatch)
    assert "40 million pixels" in refusal_of(bytes(data))


@pytest.mark.parametrize(("side_px", "limit"), [(16_000, "40 million"), (4500, "20 million")])
def test_a_declared_huge_webp_is_refused_from_its_header(
    monkeypatch: pytest.MonkeyPatch, side_px: int, limit: str
) -> None:
    data = bytearray(SAMPLES["animated webp"])
    data[24:30] = (side_px - 1).to_bytes(3, "little") * 2  # the canvas, in which the small frames lie
    forbid_loading(monkeypatch)
    assert limit in refusal_of(bytes(data))


def test_a_picture_of_exactly_40_million_pixels_passes_the_header() -> None:
    assert "damaged" in refusal_of(declared_png(8000, 5000))


def test_more_than_20_mib_are_refused_and_20_mib_are_not() -> None:
    data = encode(plain("RGB", RED), "PNG")
    padded = data + bytes(images.MAX_BYTES - len(data))
    assert decode(padded, name="padded").pixels.shape == (12, 16, 3)
    message = refusal_of(padded + b"\0")
    assert "20,971,521 bytes, more than 20 MiB" in message


def test_a_jpeg_of_many_scans_is_refused() -> None:
    data = encode(plain("RGB", RED), "JPEG", progressive=True)
    last_scan = data[data.rindex(b"\xff\xda") : -2]
    assert decode(data[:-2] + last_scan * 10 + data[-2:], name="some scans").pixels.shape == (12, 16, 3)
    assert "32 scans" in refusal_of(data[:-2] + last_scan * 32 + data[-2:])


def test_a_jpeg_of_many_segments_is_refused() -> None:
    data = encode(plain("RGB", RED), "JPEG")
    assert decode(data[:2] + segment(0xFE, b"") * 1000 + data[2:], name="comments").pixels.shape == (12, 16, 3)
    assert "5000 segments" in refusal_of(data[:2] + segment(0xFE, b"") * 5000 + data[2:])


def test_scans_in_metadata_and_behind_the_picture_do_not_count() -> None:
    data = encode(plain("RGB", RED), "JPEG")
    telephone = data[:2] + segment(0xFE, b"\xff\xda\0\4" * 1000) + data[2:] + b"\0\2" + b"\xff\xda\0\2" * 1000
    assert np.array_equal(decode(telephone, name="motion").pixels, decode(data, name="still").pixels)


# Refusals


def test_no_bytes_are_refused() -> None:
    message = refusal_of(b"", name="nothing.png")
    assert "'nothing.png' is empty" in message and "PNG, JPEG, WebP or TIFF" in message


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (encode(plain("RGB", RED), "GIF"), "a GIF picture"),
        (encode(plain("RGB", RED), "BMP"), "a BMP picture"),
        (b"II+\0\x08\0\0\0" + bytes(40), "a BigTIFF picture"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "a HEIC picture"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"BMW is a car maker, and this is a text.", "not a picture in a known format"),
        (b"hello", "not a picture in a known format"),
        (b"\0", "not a picture in a known format"),
        (bytes(1000), "not a picture in a known format"),
        (encode(plain("RGB", RED), "PPM"), "a PPM picture"),
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(40), "not a picture in a known format"),
    ],
)
def test_other_kinds_are_refused_by_name(data: bytes, kind: str) -> None:
    message = refusal_of(data, name="holiday.png")
    assert f"'holiday.png' is {kind}" in message and "choose a PNG, JPEG, WebP or TIFF picture" in message


SAMPLES: dict[str, bytes] = {
    "png": encode(Image.fromarray(noise(12, 17)), "PNG"),
    "palette png": encode(Image.fromarray(noise(12, 17)).quantize(40), "PNG", transparency=b"\0\x80"),
    "animated png": encode(plain("RGB", RED), "PNG", save_all=True, append_images=[plain("RGB", BLUE)]),
    "16-bit png": encode(Image.fromarray(noise(12, 17)[..., 0].astype(np.uint16) * 250), "PNG"),
    "jpeg": encode(Image.fromarray(noise(16, 24)), "JPEG", quality=50, exif=exif_with(6)),
    "progressive jpeg": encode(Image.fromarray(noise(16, 24)), "JPEG", quality=50, progressive=True),
    "cmyk jpeg": encode(plain("CMYK", (9, 99, 199, 20)), "JPEG"),
    "two-picture jpeg": encode(plain("RGB", RED), "MPO", save_all=True, append_images=[plain("RGB", BLUE)]),
    "webp": encode(Image.fromarray(noise(16, 24)), "WEBP", quality=50, exif=exif_with(6)),
    "lossless webp": encode(Image.fromarray(noise(10, 12)), "WEBP", lossless=True),
    "animated webp": encode(plain("RGB", RED), "WEBP", save_all=True, append_images=[plain("RGB", BLUE)]),
    "tiff": encode(Image.fromarray(noise(12, 17)), "TIFF"),
    "compressed tiff": encode(Image.fromarray(noise(12, 17)).quantize(40), "TIFF", compression="tiff_lzw"),
}


def is_answered(data: bytes) -> bool:
    """Whether the bytes give a picture, or a refusal of one sentence; any other exception goes on to the test."""
    try:
        picture = decode(data, name="damaged.png")
    except PictureError as error:
        return "'damaged.png'" in one_sentence(str(error))
    return picture.pixels.ndim == 3


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_file_cut_short_anywhere_gives_a_picture_or_a_picture_error(kind: str) -> None:
    data = SAMPLES[kind]
    assert decode(data, name="whole").pixels.shape[2] == 3
    assert all(is_answered(data[:length]) for length in range(0, len(data), 1 + len(data) // 400))


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_file_with_changed_bytes_gives_a_picture_or_a_picture_error(kind: str) -> None:
    random = np.random.default_rng(2)
    for _ in range(150):
        data = bytearray(SAMPLES[kind])
        for place in random.integers(0, len(data), 3):
            data[place] = random.integers(0, 256)
        assert is_answered(bytes(data))


@pytest.mark.parametrize("kind", ["png", "jpeg", "progressive jpeg", "webp", "lossless webp"])
def test_half_a_file_is_called_damaged(kind: str) -> None:
    half = SAMPLES[kind][: len(SAMPLES[kind]) // 2]
    assert "damaged or cut short" in refusal_of(half) and "save it again" in refusal_of(half)


@pytest.mark.parametrize(
    "error",
    [
        OSError(),
        SyntaxError(),
        ValueError(),
        EOFError(),
        OverflowError(),
        struct.error(),
        zlib.error(),
        RuntimeError(),
        UserWarning(),
        AssertionError(),
        RecursionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_pillow_raises_becomes_a_picture_error(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def load(_image: Image.Image) -> None:
        raise error

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert "damaged or cut short" in refusal_of(SAMPLES["png"])


def test_lack_of_memory_becomes_a_picture_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_image: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert "memory" in refusal_of(SAMPLES["png"])


def test_an_interrupt_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_image: Image.Image) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(KeyboardInterrupt):
        decode(SAMPLES["png"], name="picture")


def test_pictures_decoded_at_the_same_time_do_not_disturb_each_other() -> None:
    expected = {kind: decode(data, name=kind).sha256 for kind, data in SAMPLES.items()}
    kinds = list(SAMPLES) * 8
    with ThreadPoolExecutor(4) as pool:
        digests = list(pool.map(lambda kind: decode(SAMPLES[kind], name=kind).sha256, kinds))
    assert digests == [expected[kind] for kind in kinds]


# Names


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("cat.png", "cat.png"),
        ("Kätzchen 猫.png", "Kätzchen 猫.png"),
        ("a\nb\r\0c\x1b[31m.png", "abc[31m.png"),
        ("cat\u202egnp.exe", "catgnp.exe"),
        ("line\u2028break\u2029.png", "linebreak.png"),
        ("broken\udcff.png", "broken.png"),
        ("  cat.png\t", "cat.png"),
        ("", "unnamed picture"),
        ("\n\0", "unnamed picture"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 59 + "…"),
    ],
)
def test_names_are_shown_without_control_characters_and_in_60_characters(given: str, shown: str) -> None:
    assert decode(SAMPLES["png"], name=given).name == shown
    assert refusal_of(b"hello", name=given).startswith(f"'{shown}' is ")


# The value


def test_pixels_are_read_only() -> None:
    picture = decode(SAMPLES["png"], name="picture")
    with pytest.raises(ValueError, match="read-only"):
        picture.pixels[0, 0, 0] = 1


def test_a_picture_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        decode(SAMPLES["png"], name="picture").name = "other"  # type: ignore[misc]


def test_a_picture_does_not_change_with_the_array_it_was_made_of() -> None:
    pixels = numbered(8, 8)
    picture = Picture("picture", pixels)
    pixels[:] = 0
    assert np.array_equal(picture.pixels, numbered(8, 8))


@pytest.mark.parametrize("pixels", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((3, 8, 8))])
def test_other_arrays_do_not_make_a_picture(pixels: Pixels) -> None:
    with pytest.raises(AssertionError):
        Picture("picture", pixels)


def test_sha256_depends_on_the_pixels_and_their_shape_only() -> None:
    pixels = noise(8, 16)
    picture = Picture("one", pixels)
    changed = pixels.copy()
    changed[7, 15, 2] ^= 1
    assert picture.sha256 == Picture("two", pixels.copy(), ("A note.",)).sha256
    assert picture.sha256 == Picture("one", np.asfortranarray(pixels)).sha256
    assert re.fullmatch(r"[0-9a-f]{64}", picture.sha256)
    assert len({picture.sha256, Picture("", changed).sha256, Picture("", pixels.reshape(16, 8, 3)).sha256}) == 3


# Files and the gallery


def test_a_file_is_loaded_under_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "noise.dat"
    path.write_bytes(SAMPLES["png"])
    for given in (path, str(path)):
        picture = load_file(given)
        assert picture.name == "noise.dat" and np.array_equal(picture.pixels, noise(12, 17))


def file_refusal(path: str | Path) -> str:
    with pytest.raises(PictureError) as refusal:
        load_file(path)
    return one_sentence(str(refusal.value))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "'missing.png' does not exist" in file_refusal(tmp_path / "missing.png")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    assert "'folder.png' is not a file" in file_refusal(tmp_path / "folder.png")


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "'pipe.png' is not a file" in file_refusal(tmp_path / "pipe.png")


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_permission(*_args: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "secret.png").write_bytes(SAMPLES["png"])
    monkeypatch.setattr(Path, "open", no_permission)
    assert "'secret.png' may not be read" in file_refusal(tmp_path / "secret.png")


@pytest.mark.parametrize("path", ["a\0b.png", "x" * 5000])
def test_a_path_that_cannot_be_opened_is_refused(path: str) -> None:
    assert "cannot be opened" in file_refusal(path)


def test_a_file_above_20_mib_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.png"
    path.touch()
    os.truncate(path, images.MAX_BYTES + 1)
    monkeypatch.delattr(Path, "open")
    assert "more than 20 MiB" in file_refusal(path)


def test_a_file_as_large_as_may_be_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "full.png").write_bytes(SAMPLES["png"])
    monkeypatch.setattr(images, "MAX_BYTES", len(SAMPLES["png"]))
    found = load_file(tmp_path / "full.png")
    assert np.array_equal(found.pixels, decode(SAMPLES["png"], name="full.png").pixels)


def test_an_empty_file_and_a_text_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("hello", encoding="utf-8")
    assert "'empty.png' is empty" in file_refusal(tmp_path / "empty.png")
    assert "'text.png' is not a picture" in file_refusal(tmp_path / "text.png")


def test_the_gallery_lists_every_picture_once() -> None:
    assert sorted(entry.file for entry in PHOTOGRAPHS) == sorted(path.name for path in PICTURES.iterdir())
    assert len({entry.name for entry in GALLERY}) == len({entry.title for entry in GALLERY}) == len(GALLERY)


@pytest.mark.parametrize("entry", PHOTOGRAPHS, ids=lambda entry: entry.name)
def test_every_gallery_picture_loads_and_has_a_credit(entry: images.GalleryPicture) -> None:
    picture = load_gallery(entry.name)
    with Image.open(PICTURES / entry.file) as image:
        assert np.array_equal(picture.pixels, np.asarray(image.convert("RGB")))
    assert picture.name == entry.name and picture.notes == ()
    assert picture.pixels.std() > 10
    assert re.search(r"\((CC0|public domain|no known copyright restrictions|Apache-2\.0)\)$", entry.credit)


@pytest.mark.parametrize("entry", DIGITS, ids=lambda entry: entry.name)
def test_every_digit_loads_and_has_a_credit(entry: images.GalleryPicture) -> None:
    picture = load_gallery(entry.name)
    assert picture.name == entry.name and picture.notes == ()
    assert picture.pixels.shape == (28, 28, 3) and picture.pixels.std() > 10
    assert entry.credit.endswith("(CC BY-SA 3.0)")


def test_an_unknown_gallery_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(PictureError) as refusal:
        load_gallery("../cat\n")
    message = one_sentence(str(refusal.value))
    assert "'../cat'" in message and all(entry.name in message for entry in GALLERY)


# Thumbnails


def test_a_thumbnail_below_one_pixel_is_refused() -> None:
    with pytest.raises(SizeError, match="0 px a side"):
        thumbnail_png(Picture("noise", noise(8, 8)), side_px=0)


# The module


def test_importing_the_module_does_not_import_torch() -> None:
    code = "import explorer.pictures.images, sys; print('torch' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert printed.stdout == "False\n"
