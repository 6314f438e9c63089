"""Bytes to picture, safely.

Whatever the bytes are, `decode` answers with a `Picture` or with a `PictureError` of one sentence. The header is
checked before any pixel is decoded, and nothing larger than `MAX_SIDE_PX` is kept.
"""

import hashlib
import io
import unicodedata
import warnings
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from equivariance.errors import SizeError
from explorer.checkout import ASSETS
from explorer.errors import PictureError
from explorer.pictures.colour import to_srgb
from explorer.pictures.digits import NUMBERS, digit_pixels
from explorer.pictures.filetypes import (
    costly_part,
    foreign_kind,
    has_all_scans,
    is_accepted,
    lacks_end_marker,
    without_extras,
)
from explorer.pictures.tiff import Page, TiffError, first_page, is_tiff

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_BYTES = 20 * 2**20
MAX_PIXELS = 40_000_000
MAX_WEBP_PIXELS = 20_000_000  # libwebp keeps four copies of 4 bytes a pixel
MAX_SIDE_PX = 2048
MIN_SIDE_PX = 8
MAX_NAME_LENGTH = 60

_JOINERS = "\u200c\u200d"
_PICTURES = ASSETS / "pictures"

_TURN_OF_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PNG_DEPTH = 24  # the byte with the bits of each value
_STRIP_ROWS = 64  # of 16-bit greys at once: NumPy makes an index of eight bytes of each
_END_OF_JPEG = b"\xff\xd9"
_NO_PIXELS = b"\xaa" * 64  # in place of pixels that are missing these give others than nothing does
_EIGHT_BITS_OF_SIXTEEN = ((np.arange(2**16) + 128) // 257).astype(np.uint8)

# Set once for the process, because `warnings.catch_warnings` is not safe between the threads of two visitors.
warnings.filterwarnings("ignore", module=r"PIL\.")  # one for each damaged tag, up to 65,535 in a picture
warnings.simplefilter("error", Image.DecompressionBombWarning)

Fit = Literal["resize", "crop", "pad"]


@dataclass(frozen=True)
class GalleryPicture:
    """A picture that comes with the project: name, title to show, file in `assets/pictures`, credit with terms.

    A handwritten digit has its class, 0..9, in place of a file.
    """

    name: str
    title: str
    file: str
    credit: str
    digit: int | None = None


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that can be shown and measured; compare two by their `sha256`.

    name: what to call it, without control characters and at most 60 characters when it comes from this module.
    pixels: (H, W, 3), uint8, 0..255, sRGB; a read-only copy of what was given.
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


PHOTOGRAPHS: tuple[GalleryPicture, ...] = (
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
    GalleryPicture("knight", "Chess knight", "knight.png", "Drawn for this project (Apache-2.0)"),
)
DIGITS: tuple[GalleryPicture, ...] = tuple(
    GalleryPicture(f"digit-{digit}", f"Digit {digit}", "", "MNIST, Yann LeCun, Corinna Cortes (CC BY-SA 3.0)", digit)
    for digit in range(len(NUMBERS))
)
GALLERY = (*PHOTOGRAPHS, *DIGITS)


def _display_name(name: str) -> str:
    """The name without control, formatting and line-breaking characters, at most 60 characters long.

    Zero-width joiners stay: Persian and Indic words and some emoji need them.
    """
    unseen = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
    shown = "".join(char for char in name if unicodedata.category(char) not in unseen or char in _JOINERS).strip()
    if not shown.strip(_JOINERS + " "):
        return "unnamed picture"
    return shown if len(shown) <= MAX_NAME_LENGTH else shown[: MAX_NAME_LENGTH - 1] + "…"


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
        raise PictureError(f"'{name}' is empty; choose a PNG, JPEG, WebP or TIFF picture.")
    if length > MAX_BYTES:
        raise PictureError(f"'{name}' has {length:,} bytes, more than 20 MiB; shrink it, or save it as JPEG.")


def _check_bytes(data: bytes, name: str) -> None:
    """Raise PictureError, before the header is read, for data that are empty, too large or costly to read."""
    _check_length(len(data), name)
    if costly := costly_part(data):
        raise PictureError(f"'{name}' is {costly}; save it again as an ordinary PNG or JPEG.")


def _check_size(image: Image.Image, name: str) -> None:
    """Raise PictureError, before any pixel is decoded, for a picture that is too large, too small or too narrow."""
    given = f"'{name}' is {image.width} px wide and {image.height} px high"
    limit = MAX_WEBP_PIXELS if image.format == "WEBP" else MAX_PIXELS
    if image.width * image.height > limit:
        kind = " for a WebP" if image.format == "WEBP" else ""
        raise PictureError(f"{given}, too large{kind}; shrink it to at most {limit // 10**6} million pixels.")
    if min(image.size) < MIN_SIDE_PX:
        raise PictureError(f"{given}, too small; choose a picture of at least {MIN_SIDE_PX} px a side.")
    if min(_kept_size(image.size)) < MIN_SIDE_PX:
        raise PictureError(f"{given}, too narrow to be shrunk to {MAX_SIDE_PX} px; choose a wider picture.")


def _sixteen_bit_grey_to_eight(image: Image.Image) -> Image.Image:
    """Mode L, or LA where one grey is declared transparent: 0..65535 divided by 257 and rounded to nearest."""
    clear = image.info.get("transparency")
    eight_bits = Image.new("L" if clear is None else "LA", image.size)
    for top in range(0, image.height, _STRIP_ROWS):
        strip = image.crop((0, top, image.width, min(top + _STRIP_ROWS, image.height)))
        greys = np.asarray(strip).astype(np.uint16)  # in the machine's own byte order
        bands = [Image.fromarray(_EIGHT_BITS_OF_SIXTEEN[greys])]
        if clear is not None:
            bands.append(Image.fromarray(np.where(greys == clear, 0, 255).astype(np.uint8)))
        eight_bits.paste(Image.merge(eight_bits.mode, bands), (0, top))
    return eight_bits


def _with_colour_key(image: Image.Image, data: bytes) -> Image.Image:
    """A loaded 16-bit RGB PNG whose one transparent colour is so in all its bits; other pictures as they are.

    Pillow keeps the high bytes, to which a key of 16 bits cannot be compared: the low ones are read once more.
    """
    key = image.info.get("transparency")
    if image.format != "PNG" or image.mode != "RGB" or not isinstance(key, tuple) or data[_PNG_DEPTH] != 16:
        return image
    with Image.open(io.BytesIO(data), formats=("PNG",)) as low:
        low.tile = [tile._replace(args="RGB;16L") for tile in low.tile]
        low.load()
        opacity = Image.new("L", image.size, 255)
        for top in range(0, image.height, _STRIP_ROWS):
            box = (0, top, image.width, min(top + _STRIP_ROWS, image.height))
            highs, lows = (np.asarray(each.crop(box)) for each in (image, low))
            is_key = (highs == [value >> 8 for value in key]) & (lows == [value & 255 for value in key])
            opacity.paste(Image.fromarray(np.where(is_key.all(-1), 0, 255).astype(np.uint8)), box)
    del image.info["transparency"]
    keyed = image.convert("RGBA")
    keyed.putalpha(opacity)
    return keyed


def _with_end_marker(data: bytes) -> bytes:
    """A JPEG whose end marker alone is missing with it; raises OSError where pixels are missing too.

    Where all are there, what follows the last of them changes none.
    """
    if not has_all_scans(data):
        raise OSError("scans are missing")
    data = data.removesuffix(b"\xff")  # the first half of the marker, or of a stuffed byte that is missing
    digests = set()
    for filling in (b"", _NO_PIXELS):
        with Image.open(io.BytesIO(data + filling + _END_OF_JPEG), formats=("JPEG",)) as image:
            image.draft(image.mode, _kept_size(image.size))
            digests.add(hashlib.sha256(image.tobytes()).digest())
    if len(digests) > 1:
        raise OSError("pixels are missing")
    return data + _END_OF_JPEG


def _with_channels(image: Image.Image) -> Image.Image:
    """The picture in a mode that can be resampled: L, LA, RGB, RGBA or CMYK; with alpha where it has transparency."""
    if image.mode.startswith("I;16"):
        return _sixteen_bit_grey_to_eight(image)
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        return image.convert("RGBA")
    return image.convert({"1": "L", "P": "RGB"}[image.mode]) if image.mode in ("1", "P") else image


def _on_white(colours: Image.Image, alpha: Image.Image) -> Image.Image:
    """An RGB picture over white, by its opacity of mode L."""
    return Image.composite(colours, Image.new("RGB", colours.size, "white"), alpha)


def _turn_to_upright(image: Image.Image) -> Image.Transpose | None:
    """The turn or mirroring that EXIF tag 0x0112 asks for; None for upright, unknown or unreadable.

    `ImageOps.exif_transpose` is not used because it also rewrites the metadata, which fails on tags we never need.
    """
    try:
        return _TURN_OF_ORIENTATION.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged metadata raise whatever their first bad byte leads to; the pixels are good without them
        return None


def _resampled(image: Image.Image, kept_size: tuple[int, int]) -> Image.Image:
    """A loaded file at (width, height) `kept_size`, antialiased bicubic, in a mode with channels; closes the file."""
    picture = _with_channels(image)
    if picture is not image:
        image.close()  # lets go of up to 160 MB, before resampling takes as much again
    return picture if picture.size == kept_size else picture.resize(kept_size, Image.Resampling.BICUBIC)


def _read(image: Image.Image, data: bytes) -> tuple[Image.Image, tuple[str, ...]]:
    """First frame of a file of these data as upright RGB, longer side at most `MAX_SIDE_PX`, with its notes.

    A JPEG is decoded at 1/2, 1/4 or 1/8 of its size already, where that suffices.
    """
    notes = []
    frames, longer_px, kept_size = getattr(image, "n_frames", 1), max(image.size), _kept_size(image.size)
    image.draft(image.mode, kept_size)
    image.load()
    turn, profile = _turn_to_upright(image), image.info.get("icc_profile")
    picture = _resampled(_with_colour_key(image, data), kept_size)
    if frames > 1:
        notes.append(f"Only the first of the {frames} frames in the file is used.")
    if longer_px > MAX_SIDE_PX:
        notes.append(f"Shrunk from {longer_px} to {MAX_SIDE_PX} px on its longer side.")
    upright, note = to_srgb(picture.convert(picture.mode.removesuffix("A")), profile)
    notes += [note] if note else []
    if picture.mode in ("LA", "RGBA") and (alpha := picture.getchannel("A")).getextrema() != (255, 255):
        notes.append("Its transparent parts are shown over white.")
        upright = _on_white(upright, alpha)
    return upright if turn is None else upright.transpose(turn), tuple(notes)


def _as_page(picture: Image.Image, notes: tuple[str, ...], page: Page) -> tuple[Image.Image, tuple[str, ...]]:
    """A picture of a TIFF's first page turned upright, with a note where others follow."""
    turn = _TURN_OF_ORIENTATION.get(page.orientation)
    first = ("Only the first page of the file is used.",) if page.is_first_of_many else ()
    return picture if turn is None else picture.transpose(turn), (*first, *notes)


def decode(data: bytes, *, name: str) -> Picture:
    """The picture in the bytes of a PNG, JPEG, WebP or TIFF file, whatever the file is called.

    The first frame of an animation, turned upright as EXIF says, shrunk to 2048 px on the longer side, 16-bit greys
    divided by 257, other colours to sRGB, transparency over white; `notes` tells of each but the turn and the greys.
    `name` is what the visitor called it. Raises PictureError, and nothing else, for bytes that are no such picture or
    a damaged one, and for a picture that is too large or too small.
    """
    name = _display_name(name)
    _check_bytes(data, name)
    try:
        page = first_page(data) if is_tiff(data) else None
        needed = without_extras(data) if page is None else page.data
        with Image.open(io.BytesIO(needed), formats=FORMATS if page is None else ("TIFF",)) as image:
            _check_size(image, name)
            if not lacks_end_marker(needed):
                picture, notes = _read(image, needed)
            else:
                needed = _with_end_marker(needed)
                with Image.open(io.BytesIO(needed), formats=FORMATS) as whole:
                    picture, notes = _read(whole, needed)
        if page is not None:
            picture, notes = _as_page(picture, notes, page)
    except PictureError:
        raise
    except TiffError as error:
        raise PictureError(f"'{name}' is {error}; save it again as PNG.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(f"'{name}' is too large; shrink it to at most 40 million pixels.") from error
    except MemoryError as error:
        raise PictureError(f"'{name}' needs more memory than there is; choose a smaller picture.") from error
    except Exception as error:
        # Damaged data make Pillow raise OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error and more.
        if is_accepted(data):
            raise PictureError(
                f"'{name}' is damaged or cut short; save it again as PNG, JPEG, WebP or TIFF."
            ) from error
        kind = foreign_kind(data) or "not a picture in a known format"
        raise PictureError(f"'{name}' is {kind}; choose a PNG, JPEG, WebP or TIFF picture.") from error
    return Picture(name, np.asarray(picture), notes)


def load_file(path: str | PathLike[str]) -> Picture:
    """The picture in a file, named after it; raises PictureError as `decode` does, and if the file cannot be read."""
    path = Path(path)
    name = _display_name(path.name or str(path))
    advice = "give the path of a PNG, JPEG, WebP or TIFF picture"
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
        raise PictureError(f"'{name}' may not be read by this user; give read access, or {advice}.") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise PictureError(f"'{name}' cannot be opened; {advice}.") from error
    return decode(data, name=name)


def load_gallery(name: str) -> Picture:
    """The gallery picture of that name; raises PictureError with the names there are."""
    for entry in GALLERY:
        if entry.name == name and entry.digit is not None:
            return Picture(entry.name, digit_pixels(entry.digit))
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
