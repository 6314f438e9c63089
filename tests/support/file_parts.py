"""Files built by hand, for the tests of pictures: PNG chunks, JPEG segments, WebP chunks, colour profiles."""

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

Pixels = npt.NDArray[np.uint8]
Colour = int | float | tuple[int, ...]

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
ORANGE = (200, 100, 50)

# EXIF 2.3, tag 0x0112: which side of the upright picture the stored row 0 and the stored column 0 are.
STORED_SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of a file of that kind, as Pillow saves it."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def plain(mode: str, colour: Colour, size: tuple[int, int] = (16, 12)) -> Image.Image:
    """A picture of one colour; size: (width, height)."""
    return Image.new(mode, size, colour)


def noise(height_px: int, width_px: int, seed: int = 0) -> Pixels:
    """(H, W, 3), each value drawn from 0..255."""
    return np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


def numbered(height_px: int, width_px: int) -> Pixels:
    """Pixels that tell where they come from: red is the row + 1, green the column + 1, blue 255."""
    pixels = np.full((height_px, width_px, 3), 255, dtype=np.uint8)
    pixels[..., 0] = np.arange(1, height_px + 1)[:, None]
    pixels[..., 1] = np.arange(1, width_px + 1)[None, :]
    return pixels


def stored_pixels(upright: Pixels, orientation: int) -> Pixels:
    """What a camera stores of an upright picture, pixel by pixel from the table of the standard."""
    height_px, width_px, _ = upright.shape
    turned = STORED_SIDES[orientation][0] in ("left", "right")
    stored = np.empty((width_px, height_px, 3) if turned else upright.shape, dtype=np.uint8)
    for row, column in np.ndindex(stored.shape[:2]):
        place = dict(zip(STORED_SIDES[orientation], (row, column), strict=True))
        y = place["top"] if "top" in place else height_px - 1 - place["bottom"]
        x = place["left"] if "left" in place else width_px - 1 - place["right"]
        stored[row, column] = upright[y, x]
    return stored


def exif_with(orientation: int) -> Image.Exif:
    """EXIF data with the one tag 0x0112."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def crowded_exif(tags: int, length: int) -> bytes:
    """EXIF data of `length` bytes whose tags all point to the same 4 values."""
    entries = b"".join(struct.pack("<HHII", tag, 7, 16, 10) for tag in range(tags))
    return (b"II*\0" + struct.pack("<IH", 8, tags) + entries + bytes(4)).ljust(length, b"\0")


def chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG chunk with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_around(
    chunks: bytes, width_px: int = 16, height_px: int = 12, *, bits: int = 8, colour_type: int = 2, interlaced: int = 0
) -> bytes:
    """A PNG of that header with these chunks."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, bits, colour_type, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + header + chunks + chunk(b"IEND", b"")


def png(
    width_px: int, height_px: int, *, bits: int, colour_type: int, pixel: bytes, extra: bytes = b"", paeth: bool = False
) -> bytes:
    """A PNG with these chunks before its pixels, each stored as `pixel`; `paeth` chooses the slowest filter."""
    deflate = zlib.compressobj(1)
    row = (b"\4" if paeth else b"\0") + pixel * width_px
    rows = b"".join(deflate.compress(row) for _ in range(height_px)) + deflate.flush()
    return png_around(extra + chunk(b"IDAT", rows), width_px, height_px, bits=bits, colour_type=colour_type)


def declared_png(width_px: int, height_px: int) -> bytes:
    """A PNG whose header declares a size and whose data hold almost nothing."""
    return png_around(chunk(b"IDAT", zlib.compress(b"\0")), width_px, height_px)


def segment(marker: int, content: bytes) -> bytes:
    """A JPEG segment with its marker and length."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def riff_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a WebP file, padded to an even length."""
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def webp_of_frames(width_px: int, height_px: int, frames: int) -> bytes:
    """An animated WebP, black, of that many frames of one pixel."""
    canvas = (width_px - 1).to_bytes(3, "little") + (height_px - 1).to_bytes(3, "little")
    pixel = encode(plain("RGB", BLACK, (1, 1)), "WEBP", lossless=True)[12:]
    frame = riff_chunk(b"ANMF", bytes(12) + (10).to_bytes(3, "little") + b"\0" + pixel)
    parts = riff_chunk(b"VP8X", b"\2\0\0\0" + canvas) + riff_chunk(b"ANIM", bytes(6)) + frame * frames
    return riff_chunk(b"RIFF", b"WEBP" + parts)


def srgb_profile() -> bytes:
    """The sRGB profile that LittleCMS makes."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """An RGB profile whose red is the green of sRGB, and whose green is its red."""
    profile = srgb_profile().replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    return profile.replace(b"rXYZ", b"    ").replace(b"gXYZ", b"rXYZ").replace(b"    ", b"gXYZ")


def linear_grey_profile() -> bytes:
    """A grey profile whose values are proportional to light."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": b"curv" + bytes(8)})


def ink_profile() -> bytes:
    """A CMYK profile: cyan is Lab (60, -40, -30), yellow (90, 0, 60), every mixture of them (20, 0, 0), key black."""
    colours = {(0, 0, 0, 0): (100, 0, 0), (1, 0, 0, 0): (60, -40, -30), (0, 0, 1, 0): (90, 0, 60)}
    corners = (colours.get(inks, (0 if inks[3] else 20, 0, 0)) for inks in np.ndindex(2, 2, 2, 2))
    table = b"".join(bytes((round(lightness * 2.55), a + 128, b + 128)) for lightness, a, b in corners)
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    ramp = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + ramp * 4 + table + ramp * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut})


def _profile(device: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 2.4 with these tags and a white point of D50."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    description = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {b"wtpt": white, b"desc": description, **tags}
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(">8x4s4s4s4s", bytes((2, 64, 0, 0)), device, space, connection) + bytes(12) + b"acsp"
    header = header.ljust(68, b"\0") + white[8:] + bytes(48)
    return struct.pack(">I", len(header + table + body)) + header[4:] + table + body
