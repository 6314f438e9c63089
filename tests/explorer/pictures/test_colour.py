"""Colours to sRGB: which profiles are followed, which are not, and what is said of it."""

import numpy as np
import pytest

from explorer.pictures import colour
from explorer.pictures.colour import CMYK_UNPROFILED, CONVERTED, UNUSABLE, to_srgb
from tests.support.file_parts import ORANGE, ink_profile, linear_grey_profile, plain, srgb_profile, swapped_profile


def test_red_and_green_change_places_by_a_profile_that_swaps_them() -> None:
    image, note = to_srgb(plain("RGB", ORANGE), swapped_profile())
    assert image.mode == "RGB" and note == CONVERTED
    assert np.abs(np.subtract(image.getpixel((0, 0)), (100, 200, 50))).max() <= 1


@pytest.mark.parametrize(
    ("inks", "expected"),
    [
        # CIE Lab with white D50, adapted to D65 (Bradford), to sRGB: the colours that the profile gives its inks.
        ((255, 0, 0, 0), (0, 164, 196)),
        ((255, 255, 255, 0), (48, 48, 48)),
        ((0, 0, 0, 0), (255, 255, 255)),
        ((0, 0, 0, 255), (0, 0, 0)),
    ],
)
def test_inks_have_the_colours_of_their_profile(inks: tuple[int, ...], expected: tuple[int, ...]) -> None:
    image, note = to_srgb(plain("CMYK", inks), ink_profile())
    assert note == CONVERTED
    assert np.abs(np.subtract(image.getpixel((0, 0)), expected)).max() <= 1


@pytest.mark.parametrize("grey", [0, 55, 128, 255])
def test_greys_proportional_to_light_get_the_curve_of_srgb(grey: int) -> None:
    light = grey / 255
    expected = 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)
    image, note = to_srgb(plain("L", grey), linear_grey_profile())
    assert note == CONVERTED
    assert np.abs(np.subtract(image.getpixel((0, 0)), expected)).max() <= 1


def test_colours_that_are_srgb_already_are_not_changed() -> None:
    image = plain("RGB", ORANGE)
    assert to_srgb(image, srgb_profile()) == (image, None)


@pytest.mark.parametrize("profile", [None, b""])
def test_without_a_profile_colours_are_shown_as_stored(profile: bytes | None) -> None:
    image, note = to_srgb(plain("RGB", ORANGE), profile)
    assert image.getpixel((0, 0)) == ORANGE and note is None
    image, note = to_srgb(plain("CMYK", (55, 155, 205, 0)), profile)
    assert image.getpixel((0, 0)) == ORANGE and note == CMYK_UNPROFILED


def renamed(tag: bytes) -> bytes:
    """A good profile, but for the name of the tag of its copyright."""
    return swapped_profile().replace(b"cprt", tag)


@pytest.mark.parametrize(
    "profile",
    [
        b"x",
        bytes(3000),
        swapped_profile()[:300],
        ink_profile(),  # of other colours
        linear_grey_profile(),
        renamed(b"D2B0"),
        renamed(b"B2D1"),
        swapped_profile() + bytes(colour.MAX_PROFILE_BYTES),
        swapped_profile().replace(b"mntr", b"link"),
        swapped_profile()[:128] + b"\xff\xff\xff\xff" + swapped_profile()[132:],
    ],
)
def test_a_profile_that_cannot_be_used_leaves_the_colours_alone(profile: bytes) -> None:
    image, note = to_srgb(plain("RGB", ORANGE), profile)
    assert image.getpixel((0, 0)) == ORANGE and note == UNUSABLE


def test_the_same_profile_with_an_unknown_tag_is_used() -> None:
    assert to_srgb(plain("RGB", ORANGE), renamed(b"D3B0"))[1] == CONVERTED


def test_a_profile_with_changed_bytes_never_raises() -> None:
    random = np.random.default_rng(5)
    seeds = {"RGB": swapped_profile(), "CMYK": ink_profile(), "L": linear_grey_profile()}
    for mode, seed in seeds.items():
        for _ in range(40):
            profile = bytearray(seed)
            for place in random.integers(0, min(len(seed), 400), 3):
                profile[place] = random.integers(0, 256)
            image, note = to_srgb(plain(mode, 7), bytes(profile))
            assert image.mode == "RGB" and note in (None, CONVERTED, UNUSABLE)
