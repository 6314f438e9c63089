"""TIFF: the first page alone, written anew; what is not plain is refused before a decoder sees it."""

import io
import struct
from collections.abc import Mapping

import numpy as np
import pytest
from PIL import Image

from explorer.errors import PictureError
from explorer.pictures import tiff
from explorer.pictures.images import decode
from explorer.pictures.tiff import TiffError, first_page, is_tiff
from tests.support.file_parts import (
    BLUE,
    ORANGE,
    RED,
    WHITE,
    Pixels,
    encode,
    noise,
    numbered,
    plain,
    stored_pixels,
    swapped_profile,
)

Tags = Mapping[int, int | tuple[int, ...]]


def tiff_of(rows: bytes, tags: Tags, *, order: str = "<", following: int = 0) -> bytes:
    """A TIFF with one strip of bytes, and these tags (or others in their place), of type LONG."""
    known: dict[int, int | tuple[int, ...]] = {256: 12, 257: 9, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 9}
    known |= {279: len(rows), **tags}
    at = 8 + len(rows) + len(rows) % 2
    body, entries = b"", b""
    for tag, value in sorted(known.items()):
        values = value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"{order}{len(values)}I", *values)
        place = packed if len(packed) == 4 else struct.pack(f"{order}I", at + len(body))
        body += b"" if len(packed) == 4 else packed
        entries += struct.pack(f"{order}HHI", tag, 4, len(values)) + place
    start = at + len(body)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    directory = struct.pack(f"{order}H", len(known)) + entries + struct.pack(f"{order}I", following)
    return head + rows.ljust(at - 8, b"\0") + body + directory


GREYS = np.arange(9 * 12, dtype=np.uint8).reshape(9, 12) * 2


def grey_tiff(tags: Tags | None = None, **options: object) -> bytes:
    return tiff_of(GREYS.tobytes(), tags or {}, **options)  # type: ignore[arg-type]


def refusal_of(data: bytes) -> str:
    with pytest.raises(PictureError) as refusal:
        decode(data, name="scan.tif")
    return str(refusal.value)


# --------------------------------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("coding", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_plain_modes_and_codings_keep_their_pixels(mode: str, coding: str | None) -> None:
    image = Image.fromarray(noise(21, 34)).convert(mode)
    data = encode(image, "TIFF", **({} if coding is None else {"compression": coding}))
    assert (decode(data, name="scan").pixels == np.asarray(image.convert("RGB"))).all()


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read(order: str) -> None:
    assert (decode(grey_tiff(order=order), name="scan").pixels == GREYS[..., None]).all()


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_greys_are_divided_by_257(order: str) -> None:
    deep = (GREYS.astype(f"{order}u2") * 257).tobytes()
    assert (decode(tiff_of(deep, {258: 16}, order=order), name="scan").pixels == GREYS[..., None]).all()


def test_where_white_is_zero_greys_are_turned_round() -> None:
    assert (decode(grey_tiff({262: 0}), name="scan").pixels == 255 - GREYS[..., None]).all()


def test_strips_and_tiles_keep_their_places() -> None:
    rows = {278: 2, 273: tuple(8 + 24 * at for at in range(5)), 279: (24, 24, 24, 24, 12)}
    assert (decode(grey_tiff(rows), name="scan").pixels == GREYS[..., None]).all()
    tiles = np.zeros((2, 16, 16), dtype=np.uint8)
    wide = np.arange(16 * 20, dtype=np.uint16).reshape(16, 20).astype(np.uint8)
    tiles[0], tiles[1, :, :4] = wide[:, :16], wide[:, 16:]
    tags = {256: 20, 257: 16, 322: 16, 323: 16, 324: (8, 264), 325: (256, 256)}
    assert (decode(tiff_of(tiles.tobytes(), tags), name="scan").pixels == wide[..., None]).all()


def test_transparency_is_shown_over_white() -> None:
    picture = decode(encode(plain("RGBA", (*BLUE, 0)), "TIFF"), name="scan")
    assert (picture.pixels == WHITE).all() and picture.notes == ("Its transparent parts are shown over white.",)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_undone(orientation: int) -> None:
    upright: Pixels = numbered(9, 14)
    stored = Image.fromarray(stored_pixels(upright, orientation))
    assert (decode(encode(stored, "TIFF", tiffinfo={274: orientation}), name="scan").pixels == upright).all()


def test_colours_follow_the_profile() -> None:
    picture = decode(encode(plain("RGB", ORANGE), "TIFF", icc_profile=swapped_profile()), name="scan")
    assert (picture.pixels == (100, 200, 50)).all()
    assert picture.notes == ("Its colours were converted to sRGB by the profile in the file.",)


def test_of_many_pages_the_first_is_shown_and_said_to_be() -> None:
    data = encode(plain("RGB", RED), "TIFF", save_all=True, append_images=[plain("RGB", BLUE)] * 3)
    picture = decode(data, name="scan")
    assert (picture.pixels == RED).all() and picture.notes == ("Only the first page of the file is used.",)


# ------------------------------------------------------------------------------------------------ what the decoder sees


def test_the_decoder_sees_one_page_and_no_tag_that_pixels_do_not_need() -> None:
    data = encode(
        plain("RGB", RED),
        "TIFF",
        save_all=True,
        append_images=[plain("RGB", BLUE)],
        tiffinfo={270: "words", 700: b"xmp"},
    )
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(first_page(data).data)) as after:
        assert {270, 700} <= set(before.tag_v2) and before.n_frames == 2  # type: ignore[attr-defined]
        assert not {270, 700, 274} & set(after.tag_v2) and after.n_frames == 1  # type: ignore[attr-defined]
        assert after.tobytes() == before.tobytes()


def test_a_loop_of_pages_ends() -> None:
    data = grey_tiff(following=8)
    (start,) = struct.unpack_from("<I", data, 4)
    assert (decode(grey_tiff(following=start), name="scan").pixels == GREYS[..., None]).all()


@pytest.mark.parametrize(
    "tags",
    [
        {259: 7},  # JPEG
        {259: 6},
        {259: 4},  # fax
        {259: 50_000},
        {262: 5},
        {262: 8},
        {258: 32},
        {258: 2},
        {339: 3},  # floating point
        {277: 2},
        {284: 2},
        {266: 2},
        {317: 3},
        {322: 65_520, 323: 65_520, 324: 8, 325: 100},
    ],
    ids=str,
)
def test_what_is_not_plain_is_refused_before_it_is_decoded(tags: Tags, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "open", None)
    assert refusal_of(grey_tiff(tags)) == "'scan.tif' is a TIFF of a kind that is not read here; save it again as PNG."


@pytest.mark.parametrize(
    "tags",
    [{273: 10_000}, {279: 10_000}, {279: 2**32 - 1}, {278: 2}, {273: (8, 8), 279: (9, 9)}, {256: 0}, {257: 0}],
    ids=str,
)
def test_parts_that_are_not_in_the_file_are_damage(tags: Tags) -> None:
    assert "damaged or cut short" in refusal_of(grey_tiff(tags))


@pytest.mark.parametrize("start", [0, 1, 2**31, 2**32 - 1])
def test_a_directory_that_is_not_in_the_file_is_damage(start: int) -> None:
    data = grey_tiff()
    assert "TIFF" in refusal_of(data[:4] + struct.pack("<I", start) + data[8:])


def test_a_large_picture_of_few_bytes_is_refused_by_its_size() -> None:
    data = tiff_of(bytes(8), {256: 60_000, 257: 60_000, 278: 60_000, 259: 8})
    assert "too large" in refusal_of(data)


def test_too_many_tags_or_parts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "MAX_PARTS", 4)
    with pytest.raises(TiffError, match="more than 4 parts"):
        first_page(grey_tiff({278: 2, 273: (8,) * 5, 279: (9,) * 5}))
    monkeypatch.setattr(tiff, "MAX_TAGS", 3)
    with pytest.raises(TiffError, match="more than 3 tags"):
        first_page(grey_tiff())


def test_parts_that_share_their_bytes_are_not_multiplied() -> None:
    same = {257: 90, 278: 1, 273: (8,) * 90, 279: (108,) * 90}
    assert "damaged" in refusal_of(grey_tiff(same))


@pytest.mark.parametrize("start", [b"MM*\0", b"II\0*"])
def test_a_beginning_that_only_pillow_takes_for_a_tiff_is_foreign(start: bytes) -> None:
    data = start + grey_tiff()[4:]
    assert not is_tiff(data) and "not a picture in a known format" in refusal_of(data)
