"""Bytes to picture, safely.

Whatever the bytes are, `decode` answers with a `Picture` or with a `PictureError` of one sentence. The header is
checked before any pixel is decoded, and nothing larger than `MAX_SIDE_PX` is kept.
"""

import hashlib
import io
import re
import unicodedata
import warnings
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from explorer.errors import PictureError, SizeError

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_BYTES = 20 * 2**20
MAX_PIXELS = 40_000_000
MAX_SIDE_PX = 2048
MIN_SIDE_PX = 8
MAX_SCANS = 64  # of a JPEG; ten are usual, and each costs a pass over all pixels, however few bytes it has
MAX_SEGMENTS = 5000  # of a JPEG; Pillow reads each in Python, and four bytes are enough for one
MAX_NAME_LENGTH = 60

_ADVICE = "choose a PNG, JPEG or WebP picture of at most 20 MiB and 40 million pixels"
_PICTURES = Path(__file__).resolve().parent.parent / "assets" / "pictures"

_FOREIGN_KINDS = {
    "a GIF picture": rb"GIF8",
    "a BMP picture": rb"BM.{4}\0{4}",
    "a TIFF picture": rb"II\*\0|MM\0\*",
    "a HEIC or AVIF picture": rb".{4}ftyp(hei|hev|mif1|msf1|avi)",
    "an SVG drawing": rb".{0,1000}?<svg\b",
    "a PDF document": rb"%PDF",
}
_OWN_SIGNATURES = re.compile(rb"\x89PNG|\xff\xd8|RIFF.{4}WEBP", re.DOTALL)
_JPEG_SEGMENT = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")  # all but SOI, TEM, restarts and stuffed bytes

_TURN_OF_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_EIGHT_BITS_OF_SIXTEEN = ((np.arange(2**16) + 128) // 257).astype(np.uint8)

# Set once for the process, because `warnings.catch_warnings` is not safe between the threads of two visitors.
warnings.simplefilter("error", Image.DecompressionBombWarning)

Fit = Literal["resize", "crop", "pad"]


@dataclass(frozen=True)
class GalleryPicture:
    """A picture that comes with the project: name, title to show, file in `assets/pictures`, credit with terms."""

    name: str
    title: str
    file: str
    credit: str


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that can be shown and measured; compare two by their `sha256`.

    name: what to call it, without control characters and at most 60 characters when it comes from this module.
    pixels: (H, W, 3), uint8, 0..255, sRGB as stored; a read-only copy of what was given.
    notes: one sentence for each thing that was done to the file's own pixels.
    """

    name: str
    pixels: npt.NDArray[np.uint8]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Keep a read-only copy of the pixels."""
        assert self.pixels.dtype == np.uint8 and self.pixels.ndim == 3 and self.pixels.shape[2] == 3
        pixels = np.array(self.pixels, order="C")
        pixels.setflags(write=False)
        object.__setattr__(self, "pixels", pixels)

    @property
    def height_px(self) -> int:
        """Number of rows."""
        return int(self.pixels.shape[0])

    @property
    def width_px(self) -> int:
        """Number of columns."""
        return int(self.pixels.shape[1])

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of shape and pixels, 64 hexadecimal digits: a cache key that name and notes do not change."""
        digest = hashlib.sha256(f"{self.height_px}x{self.width_px}:".encode())
        digest.update(self.pixels.data)
        return digest.hexdigest()


GALLERY: tuple[GalleryPicture, ...] = (
    GalleryPicture("astronaut", "Astronaut", "astronaut.jpg", "Eileen Collins, NASA Great Images (public domain)"),
    GalleryPicture("cat", "Cat", "cat.jpg", "Chelsea the cat, by Stéfan van der Walt (CC0)"),
    GalleryPicture(
        "coffee", "Coffee", "coffee.jpg", "A cup of coffee, by Rachel Michetti, courtesy of Pikolo Espresso Bar (CC0)"
    ),
    GalleryPicture("galaxies", "Galaxies", "galaxies.jpg", "Hubble eXtreme Deep Field, NASA (public domain)"),
    GalleryPicture("gravel", "Gravel", "gravel.jpg", "Gravel04, CC0Textures (CC0)"),
    GalleryPicture(
        "histology",
        "Tissue",
        "histology.jpg",
        "Immunohistochemistry of colon tissue, CMM/UMMC (no known copyright restrictions)",
    ),
    GalleryPicture("retina", "Retina", "retina.jpg", "Fundus photograph of a normal left eye, Mikael Häggström (CC0)"),
)


def _display_name(name: str) -> str:
    """The name without control, formatting and line-breaking characters, at most 60 characters long."""
    unseen = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
    shown = "".join(char for char in name if unicodedata.category(char) not in unseen).strip() or "unnamed picture"
    return shown if len(shown) <= MAX_NAME_LENGTH else shown[: MAX_NAME_LENGTH - 1] + "…"


def _kind(data: bytes) -> str:
    """What the bytes are, as far as their beginning tells: "a GIF picture"."""
    for kind, pattern in _FOREIGN_KINDS.items():
        if re.match(pattern, data, re.DOTALL):
            return f"{kind}, not a PNG, JPEG or WebP one"
    return "not a PNG, JPEG or WebP picture"


def _is_costly_jpeg(data: bytes) -> bool:
    """Whether a JPEG has more than `MAX_SCANS` scans or `MAX_SEGMENTS` segments before its end marker.

    Segments are skipped by their lengths, so that a thumbnail in the metadata does not count, nor does a film that a
    telephone put behind the end marker.
    """
    scans, segments, position = 0, 0, 2
    while (segment := _JPEG_SEGMENT.search(data, position)) and segment[1] != b"\xd9":
        segments += 1
        scans += segment[1] == b"\xda"
        if scans > MAX_SCANS or segments > MAX_SEGMENTS:
            return True
        position = segment.end() + int.from_bytes(data[segment.end() : segment.end() + 2], "big")
    return False


def size_inside(size: tuple[int, int], limits: tuple[int, int]) -> tuple[int, int]:
    """Largest (width, height) within the limits with the aspect ratio of `size`, to the nearest pixel, at least 1."""
    (width_px, height_px), (most_width_px, most_height_px) = size, limits
    if width_px * most_height_px >= height_px * most_width_px:
        return most_width_px, max(1, (2 * height_px * most_width_px + width_px) // (2 * width_px))
    return max(1, (2 * width_px * most_height_px + height_px) // (2 * height_px)), most_height_px


def _kept_size(size: tuple[int, int]) -> tuple[int, int]:
    """The (width, height) at which a picture of this size is kept: its longer side at most `MAX_SIDE_PX`."""
    return size_inside(size, (MAX_SIDE_PX, MAX_SIDE_PX)) if max(size) > MAX_SIDE_PX else size


def _check_length(length: int, name: str) -> None:
    """Raise PictureError for no bytes at all or more than `MAX_BYTES`."""
    if length == 0:
        raise PictureError(f"'{name}' is empty (0 bytes); {_ADVICE}.")
    if length > MAX_BYTES:
        raise PictureError(f"'{name}' is too large: it has {length:,} bytes, {MAX_BYTES:,} are accepted; {_ADVICE}.")


def _check_bytes(data: bytes, name: str) -> None:
    """Raise PictureError, before the header is read, for data that are empty, too large or costly to read."""
    _check_length(len(data), name)
    if data.startswith(b"\xff\xd8") and _is_costly_jpeg(data):
        limits = f"{MAX_SCANS} scans or {MAX_SEGMENTS} segments"
        raise PictureError(f"'{name}' is a JPEG of more than {limits}; save it again as an ordinary JPEG or PNG.")


def _check_size(image: Image.Image, name: str) -> None:
    """Raise PictureError, before any pixel is decoded, for a picture that is too large, too small or too narrow."""
    given = f"it is {image.width} px wide and {image.height} px high"
    if image.width * image.height > MAX_PIXELS:
        raise PictureError(f"'{name}' is too large: {given}, more than 40 million pixels; {_ADVICE}.")
    if min(image.size) < MIN_SIDE_PX:
        raise PictureError(f"'{name}' is too small: {given}; choose a picture of at least {MIN_SIDE_PX} px a side.")
    if min(_kept_size(image.size)) < MIN_SIDE_PX:
        shrunk = f"less than {MIN_SIDE_PX} px once its longer side is shrunk to {MAX_SIDE_PX} px"
        raise PictureError(f"'{name}' is too narrow: {given}, {shrunk}; choose a wider picture.")


def _sixteen_bit_grey_to_eight(image: Image.Image) -> Image.Image:
    """Mode L, or LA where one grey is declared transparent: 0..65535 divided by 257 and rounded to nearest."""
    greys = np.clip(np.asarray(image), 0, 2**16 - 1)
    eight_bits = Image.fromarray(_EIGHT_BITS_OF_SIXTEEN[greys])
    if "transparency" not in image.info:
        return eight_bits
    opaque = greys != image.info["transparency"]
    return Image.merge("LA", (eight_bits, Image.fromarray(opaque.astype(np.uint8) * np.uint8(255))))


def _to_rgb_or_rgba(image: Image.Image) -> Image.Image:
    """Any mode that the three formats decode to, as RGB, or as RGBA where the picture has transparency."""
    if image.mode.startswith("I"):
        image = _sixteen_bit_grey_to_eight(image)
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)  # convert() to the same mode would copy


def _over_white(image: Image.Image) -> Image.Image:
    """An RGBA picture composited over white, as RGB."""
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _turn_to_upright(image: Image.Image) -> Image.Transpose | None:
    """The turn or mirroring that EXIF tag 0x0112 asks for; None for upright, unknown or unreadable.

    `ImageOps.exif_transpose` is not used because it also writes the metadata anew, which fails on tags we never need.
    """
    try:
        return _TURN_OF_ORIENTATION.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged metadata raise whatever their first bad byte leads to; the pixels are good without them
        return None


def _read(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """First frame of an opened file as upright RGB, longer side at most `MAX_SIDE_PX`, with its notes.

    Larger pictures are shrunk with antialiased bicubic interpolation; a JPEG is decoded at 1/2, 1/4 or 1/8 already,
    where that suffices.
    """
    notes = []
    frames = getattr(image, "n_frames", 1)
    longer_px, kept_size = max(image.size), _kept_size(image.size)
    image.draft(image.mode, kept_size)
    image.load()
    turn = _turn_to_upright(image)
    if frames > 1:
        notes.append(f"Only the first of the {frames} frames in the file is used.")
    if image.mode == "CMYK":
        notes.append("Its CMYK colours were converted to RGB without a colour profile.")
    picture = _to_rgb_or_rgba(image)
    if longer_px > MAX_SIDE_PX:
        picture = picture.resize(kept_size, Image.Resampling.BICUBIC)
        notes.append(f"Shrunk from {longer_px} to {MAX_SIDE_PX} px on its longer side.")
    if picture.mode == "RGBA":
        if np.asarray(picture.getchannel("A")).min() < 255:
            notes.append("Its transparent parts are shown over white.")
        picture = _over_white(picture)
    return picture if turn is None else picture.transpose(turn), tuple(notes)


def decode(data: bytes, *, name: str) -> Picture:
    """The picture in the bytes of a PNG, JPEG or WebP file, whatever the file is called.

    The first frame of an animation, turned upright as EXIF says, transparency over white, 16-bit greys divided by 257,
    CMYK converted, shrunk to 2048 px on the longer side; `notes` tells of each but the turn and the greys.
    `name` is what the visitor called it. Raises PictureError, and nothing else, for bytes that are no such picture or
    a damaged one, and for a picture that is too large or too small.
    """
    name = _display_name(name)
    _check_bytes(data, name)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image, name)
            picture, notes = _read(image)
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(f"'{name}' is too large: it has more than 40 million pixels; {_ADVICE}.") from error
    except MemoryError as error:
        raise PictureError(f"'{name}' needs more memory than there is; choose a smaller picture.") from error
    except Exception as error:
        # Damaged data make Pillow raise OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error and more.
        if isinstance(error, UnidentifiedImageError) and not _OWN_SIGNATURES.match(data):
            raise PictureError(f"'{name}' is {_kind(data)}; {_ADVICE}.") from error
        raise PictureError(f"'{name}' is damaged or cut short; save it again, or {_ADVICE}.") from error
    return Picture(name, np.asarray(picture), notes)


def load_file(path: str | PathLike[str]) -> Picture:
    """The picture in a file, named after it; raises PictureError as `decode` does, and if the file cannot be read."""
    path = Path(path)
    name = _display_name(path.name or str(path))
    advice = "give the path of a PNG, JPEG or WebP picture"
    try:
        length = path.stat().st_size
        if not path.is_file():  # a pipe or a device could be read for ever
            raise PictureError(f"'{name}' is not a file; {advice}.")
        _check_length(length, name)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise PictureError(f"'{name}' does not exist; {advice}.") from error
    except PermissionError as error:
        raise PictureError(f"'{name}' may not be read by this user; permit it, or {advice}.") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise PictureError(f"'{name}' cannot be opened; {advice}.") from error
    return decode(data, name=name)


def load_gallery(name: str) -> Picture:
    """The gallery picture of that name; raises PictureError with the names there are."""
    for entry in GALLERY:
        if entry.name == name:
            return decode((_PICTURES / entry.file).read_bytes(), name=entry.name)
    names = ", ".join(entry.name for entry in GALLERY)
    raise PictureError(f"There is no gallery picture '{_display_name(name)}'; choose one of {names}.")


def resample_centre(image: Image.Image, height_px: int, width_px: int) -> Image.Image:
    """The largest centred part with the aspect ratio of the new size, resampled to it; antialiased bicubic."""
    if image.height * width_px <= image.width * height_px:
        left, top = (image.width - image.height * width_px / height_px) / 2, 0.0
    else:
        left, top = 0.0, (image.height - image.width * height_px / width_px) / 2
    part = (left, top, image.width - left, image.height - top)
    return image.resize((width_px, height_px), Image.Resampling.BICUBIC, box=part)


def thumbnail_png(picture: Picture, *, side_px: int) -> bytes:
    """A square PNG for a gallery tile, cut and resampled as `fit` does for "resize"; SizeError below 1 px."""
    if side_px < 1:
        raise SizeError(f"A thumbnail cannot have {side_px} px a side; give at least 1 px.")
    buffer = io.BytesIO()
    resample_centre(Image.fromarray(picture.pixels), side_px, side_px).save(buffer, "PNG")
    return buffer.getvalue()
