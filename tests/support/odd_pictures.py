"""Odd files for the decoder of pictures, and what each must give.

`python -m tests.support.odd_pictures FOLDER` writes them, to look at or to upload by hand; with `--measure` it then
decodes them in a process of its own and prints wrong answers, the slowest files and by how much memory grew.
"""

import argparse
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support import ROOT
from tests.support.file_parts import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    STORED_SIDES,
    WHITE,
    Colour,
    chunk,
    declared_png,
    encode,
    exif_with,
    ink_profile,
    linear_grey_profile,
    noise,
    plain,
    png,
    png_around,
    srgb_profile,
    stored_pixels,
    swapped_profile,
    webp_of_frames,
)
from tests.support.odd_answers import OddPicture, picture, refusal, save
from tests.support.odd_bombs import bombs
from tests.support.odd_names import names

LOSSLESS: dict[str, dict[str, object]] = {"PNG": {}, "WEBP": {"lossless": True, "exact": True}}
LOSSY: dict[str, dict[str, object]] = {"JPEG": {"quality": 100, "subsampling": 0}}
SUFFIXES = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}

# Every mode of Pillow, with a colour and the colour that it shows.
MODES: dict[str, tuple[Colour, tuple[int, int, int]]] = {
    "1": (1, WHITE),
    "L": (124, (124, 124, 124)),
    "LA": ((124, 255), (124, 124, 124)),
    "La": ((124, 255), (124, 124, 124)),
    "P": (1, ORANGE),
    "PA": ((1, 255), ORANGE),
    "RGB": (ORANGE, ORANGE),
    "RGBA": ((*ORANGE, 255), ORANGE),
    "RGBX": ((*ORANGE, 0), ORANGE),
    "RGBa": ((*ORANGE, 255), ORANGE),
    "CMYK": ((55, 155, 205, 0), ORANGE),
    "YCbCr": ((124, 86, 182), ORANGE),
    "LAB": ((53, 180, 180), ORANGE),
    "HSV": ((14, 191, 200), ORANGE),
    "I": (31_868, (124, 124, 124)),
    "I;16": (31_868, (124, 124, 124)),
    "I;16B": (31_868, (124, 124, 124)),
    "I;16L": (31_868, (124, 124, 124)),
    "I;16N": (31_868, (124, 124, 124)),
    "F": (124.0, (124, 124, 124)),
}
FOREIGN = {
    "AVIF": "an AVIF picture",
    "BMP": "a BMP picture",
    "GIF": "a GIF picture",
    "ICO": "an ICO picture",
    "JPEG2000": "a JPEG 2000 picture",
    "PDF": "a PDF document",
    "PPM": "a PPM picture",
}
# Modes that a TIFF is read in; others are refused by a sentence that says so.
TIFF_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}
UNKNOWN = ("DDS", "DIB", "EPS", "ICNS", "IM", "MSP", "PALM", "PCX", "QOI", "SGI", "SPIDER", "TGA", "XBM")


def modes() -> Iterator[OddPicture]:
    """Each mode in each format that can hold it."""
    for mode, (colour, shown) in MODES.items():
        image = plain(mode, colour)
        if mode in ("P", "PA"):
            image.putpalette((0, 0, 0, *ORANGE))
        for kind in (*SUFFIXES, "TIFF", *FOREIGN, *UNKNOWN):
            try:
                data = encode(image, kind)
            except Exception:  # this format cannot hold this mode: each writer says so in its own way
                continue
            file = f"mode {mode.replace(';', '-').replace('a', ' premultiplied')}.{kind.lower()}"
            if kind == "WEBP" and mode.startswith(("I", "LAB")):
                yield OddPicture(file, data)  # Pillow clips or mistakes these before it saves them
            elif kind == "TIFF" and mode in TIFF_MODES:
                yield picture(file, data, shown, 1, None)
            elif kind == "TIFF":
                yield OddPicture(file, data)
            elif kind in SUFFIXES:
                note = ("Its CMYK colours were converted to RGB without a colour profile.",)
                cmyk = mode == "CMYK" and kind == "JPEG"
                yield picture(file, data, shown, 0 if kind == "PNG" else 3, note if cmyk else ())
            else:
                yield refusal(file, data, FOREIGN.get(kind, "not a picture in a known format"))


def orientations() -> Iterator[OddPicture]:
    """Each EXIF orientation in each format: four quarters of different colours, and a size that is not square."""
    upright = np.zeros((32, 48, 3), dtype=np.uint8)
    upright[:16, :24], upright[:16, 24:], upright[16:, :24], upright[16:, 24:] = RED, GREEN, BLUE, WHITE
    corners = (((0, 0), RED), ((0, 47), GREEN), ((31, 0), BLUE), ((31, 47), WHITE))
    for orientation in STORED_SIDES:
        stored = Image.fromarray(stored_pixels(upright, orientation))
        for kind, options in (LOSSLESS | LOSSY).items():
            data = encode(stored, kind, exif=exif_with(orientation), **options)
            file = f"orientation {orientation}.{SUFFIXES[kind]}"
            tolerance = 3 if kind == "JPEG" else 0
            yield OddPicture(file, data, shows=corners, size_px=(32, 48), tolerance=tolerance, notes=())


def sizes() -> Iterator[OddPicture]:
    """The smallest, the narrowest, and the largest that a header can declare."""
    for kind, suffix in SUFFIXES.items():
        yield refusal(f"1 x 1.{suffix}", encode(plain("RGB", RED, (1, 1)), kind), "too small")
        for size in ((1, 10_000), (10_000, 1)):
            data = encode(plain("RGB", RED, size), kind)
            yield refusal(
                f"{size[0]} x {size[1]}.{suffix}", data, f"{size[0]} px wide and {size[1]} px high, too small"
            )
        yield picture(f"8 x 8.{suffix}", encode(plain("RGB", RED, (8, 8)), kind), RED, 3, size_px=(8, 8))
        yield refusal(f"8 x 10000.{suffix}", encode(plain("RGB", RED, (8, 10_000)), kind), "too narrow")
    shrunk = ("Shrunk from 10000 to 2048 px on its longer side.",)
    yield picture("10000 x 50.png", encode(plain("RGB", RED, (10_000, 50)), "PNG"), RED, 0, shrunk, (10, 2048))
    yield refusal("20000 x 20000.png", declared_png(20_000, 20_000), "too large")
    yield refusal("20000 x 20000.webp", webp_of_frames(20_000, 20_000, 1), "too large")
    huge_jpeg = bytearray(encode(plain("RGB", RED), "JPEG"))
    start = huge_jpeg.index(b"\xff\xc0") + 5
    huge_jpeg[start : start + 4] = (20_000).to_bytes(2, "big") * 2
    yield refusal("20000 x 20000.jpg", bytes(huge_jpeg), "40 million pixels")
    yield refusal("5000 x 5000.webp", webp_of_frames(5000, 5000, 1), "20 million pixels")


def damaged() -> Iterator[OddPicture]:
    """Files that end too early: each format at every tenth of its length, and a tiny file at every tenth byte."""
    for kind, suffix in SUFFIXES.items():
        whole = encode(Image.fromarray(noise(48, 64)), kind)
        for percent in range(10, 100, 10):
            yield refusal(f"first {percent} percent.{suffix}", whole[: len(whole) * percent // 100], "damaged or cut")
        tiny = encode(plain("RGB", RED, (8, 8)), kind)
        for length in range(0, len(tiny), 10):
            yield OddPicture(f"first {length} bytes.{suffix}", tiny[:length])


def impostors() -> Iterator[OddPicture]:
    """Files under the name of another kind, and pictures with something before or behind them."""
    for kind, suffix in SUFFIXES.items():
        data = encode(plain("RGB", ORANGE), kind)
        for other in ("png", "jpg", "webp", "gif", "exe"):
            if other != suffix:
                yield picture(f"{kind} in truth.{other}", data, ORANGE, 3)
        yield picture(f"archive behind.{suffix}", data + b"PK\x03\x04" + bytes(1000), ORANGE, 3)
        yield refusal(f"blanks before.{suffix}", b"  " + data, "not a picture in a known format")
    others = {
        b"<!DOCTYPE html>\n<html><script>alert(1)</script></html>": "a web page",
        b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>': "an SVG drawing",
        b"PK\x03\x04" + bytes(100): "a ZIP archive",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n": "a PDF document",
        b"MZ\x90\0" + bytes(100): "a Windows program",
        b"\0\0\0\x18ftypheic" + bytes(100): "a HEIC picture",
        b"\0\0\0\x18ftypisom" + bytes(100): "a film",
        b"8BPS\0\1" + bytes(100): "a Photoshop picture",
        b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100): "a JPEG XL picture",
        b"import os; os.remove('x')\n": "not a picture in a known format",
        bytes(1000): "not a picture in a known format",
        b"\x89PNG\r\n\x1a\n": "damaged",
        b"\xff\xd8\xff\xd9": "damaged",
        b"RIFF\4\0\0\0WEBP": "damaged",
        b"": "empty",
    }
    for number, (data, kind) in enumerate(others.items()):
        yield refusal(f"impostor {number}.png", data, kind)


def variants() -> Iterator[OddPicture]:
    """Animations, depths, palettes, transparency, codings that decoders often leave out."""
    frames = [plain("RGB", colour) for colour in (RED, GREEN, BLUE)]
    first = ("Only the first of the 3 frames in the file is used.",)
    for kind, options in LOSSLESS.items():
        film = encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options)
        yield picture(f"animation.{SUFFIXES[kind]}", film, RED, 0, first)
        glass = encode(plain("RGBA", (0, 100, 255, 51)), kind, **options)
        yield picture(f"glass.{SUFFIXES[kind]}", glass, (204, 224, 255), 1, None)
    film = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    yield refusal("animation.gif", film, "a GIF picture")
    glass = encode(plain("RGBA", (0, 100, 255, 51)), "WEBP", quality=90)
    yield picture("glass, lossy.webp", glass, (204, 224, 255), 3, None)
    two = encode(frames[0], "MPO", save_all=True, append_images=frames[1:2], quality=100)
    yield picture("two pictures.mpo", two, RED, 3, ("Only the first of the 2 frames in the file is used.",))
    depths = {0: (b"\x7c\x7c", (124,) * 3), 2: (b"\xc8\xc8\x64\x64\x32\x32", ORANGE), 4: (b"\0\0\x33\x33", (204,) * 3)}
    depths[6] = (b"\0\0\x64\x64\xff\xff\x33\x33", (204, 224, 255))
    for colour_type, (pixel, shown) in depths.items():
        deep = png(16, 12, bits=16, colour_type=colour_type, pixel=pixel)
        yield picture(f"16 bits, type {colour_type}.png", deep, shown, 1, None)
    for bits in (1, 2, 4, 8):
        palette = chunk(b"PLTE", bytes(RED + ORANGE)) + chunk(b"tRNS", b"\0\xff")
        pixels = chunk(b"IDAT", zlib.compress((b"\0" + b"\0" * 2 * bits) * 12))
        data = png_around(palette + pixels, bits=bits, colour_type=3)
        yield picture(f"clear palette of {bits} bits.png", data, WHITE, 0, None)
    passes = chunk(b"IDAT", zlib.compress(b"".join((b"\0" + bytes(ORANGE) * wide) * high for wide, high in ADAM7)))
    yield picture("interlaced.png", png_around(passes, interlaced=1), ORANGE)
    for name, options in {"progressive": {"progressive": True}, "restarts": {"restart_marker_blocks": 1}}.items():
        yield picture(f"{name}.jpg", encode(plain("RGB", ORANGE), "JPEG", **options), ORANGE, 3)
    arithmetic = encode(plain("RGB", ORANGE), "JPEG").replace(b"\xff\xc0", b"\xff\xc9")
    yield refusal("arithmetic.jpg", arithmetic, "arithmetic-coded")


ADAM7 = ((2, 2), (2, 2), (4, 1), (4, 3), (8, 3), (8, 6), (16, 6))  # (width, height) of each pass of 16 × 12 pixels


def profiles() -> Iterator[OddPicture]:
    """Colour profiles: good, of another kind than the picture, damaged."""
    by_profile = ("Its colours were converted to sRGB by the profile in the file.",)
    unusable = ("Its colour profile cannot be used: the colours are shown without it.",)
    for kind, options in (LOSSLESS | LOSSY).items():
        suffix = SUFFIXES[kind]
        for name, profile, shown, notes in (
            ("swapped", swapped_profile(), (100, 200, 50), by_profile),
            ("sRGB", srgb_profile(), ORANGE, ()),
            ("CMYK", ink_profile(), ORANGE, unusable),
            ("cut", swapped_profile()[:300], ORANGE, unusable),
            ("zeros in", bytes(3000), ORANGE, unusable),
        ):
            data = encode(plain("RGB", ORANGE), kind, icc_profile=profile, **options)
            yield picture(f"{name} profile.{suffix}", data, shown, 3 if kind == "JPEG" else 1, notes)
    # CIE Lab (60, -40, -30), white D50, is sRGB (0, 164, 196); (20, 0, 0) is (48, 48, 48).
    for inks, shown in (
        ((255, 0, 0, 0), (0, 164, 196)),
        ((255, 255, 255, 0), (48, 48, 48)),
        ((0, 0, 0, 255), (0, 0, 0)),
    ):
        data = encode(plain("CMYK", inks), "JPEG", quality=100, icc_profile=ink_profile())
        yield picture(f"inks {inks}.jpg", data, shown, 4, by_profile)
    ycck = bytearray(encode(plain("CMYK", (55, 127, 127, 0)), "JPEG", quality=100))
    ycck[ycck.index(b"Adobe") + 11] = 2  # luma 200, no colour: inks of 55 each
    yield picture("YCCK.jpg", bytes(ycck), (55, 55, 55), 3, None)
    ycck = bytearray(encode(plain("CMYK", (0, 127, 127, 255)), "JPEG", quality=100, icc_profile=ink_profile()))
    ycck[ycck.index(b"Adobe") + 11] = 2  # luma 255, no colour: no ink but key
    yield picture("YCCK with a profile.jpg", bytes(ycck), (0, 0, 0), 4, by_profile)
    linear = encode(plain("L", 55), "JPEG", quality=100, icc_profile=linear_grey_profile())
    yield picture("linear grey.jpg", linear, (128, 128, 128), 1, by_profile)  # 1.055 (55 / 255) ** (1 / 2.4) - 0.055
    linear = encode(plain("LA", (55, 255)), "PNG", icc_profile=linear_grey_profile())
    yield picture("linear grey with alpha.png", linear, (128, 128, 128), 1, by_profile)
    grey = encode(plain("L", 124), "PNG", icc_profile=srgb_profile())
    yield picture("grey with a profile of colours.png", grey, (124, 124, 124))


def odd_pictures() -> list[OddPicture]:
    """All of them, each under a file name of its own."""
    groups = (modes, orientations, sizes, bombs, damaged, impostors, variants, profiles, names)
    return [odd for group in groups for odd in group()]


def write_odd_pictures(folder: Path) -> list[OddPicture]:
    """Write all files into the folder, and return what each must give."""
    pictures = odd_pictures()
    save(pictures, folder)
    return pictures


def measured(folder: Path) -> str:
    """What `tests.support.odd_answers` prints of the files in a folder, in a process that has not made them."""
    command = [sys.executable, "-m", "tests.support.odd_answers", str(folder.resolve())]
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True, timeout=300).stdout


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.odd_pictures", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--measure", action="store_true", help="decode them too; print answers, times and memory")
    options = parser.parse_args()
    print(f"{len(write_odd_pictures(options.folder))} files written to {options.folder}")
    if options.measure:
        print(measured(options.folder), end="")


if __name__ == "__main__":
    main()
