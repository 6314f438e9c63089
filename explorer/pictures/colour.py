"""Colours of a picture to sRGB, by the profile that its file holds.

LittleCMS, which comes with Pillow, gets small and ordinary profiles only: its time is bounded for those.
"""

import io

from PIL import Image, ImageCms

MAX_PROFILE_BYTES = 4 * 2**20
MAX_TAGS = 100

CONVERTED = "Its colours were converted to sRGB by the profile in the file."
UNUSABLE = "Its colour profile cannot be used: the colours are shown without it."
CMYK_UNPROFILED = "Its CMYK colours were converted to RGB without a colour profile."

_SPACES = {"L": b"GRAY", "RGB": b"RGB ", "CMYK": b"CMYK"}
_CLASSES = {b"scnr", b"mntr", b"prtr", b"spac"}  # those that describe one device or space, not a link between two


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str | None]:
    """The picture (mode L, RGB or CMYK) as RGB, 0..255, sRGB where the profile leads there; and a note on it, if any.

    Relative colorimetric with black point compensation: white stays white, black stays black. Colours are shown as
    stored where there is no profile or an sRGB one, and where the profile is damaged, too large or for other colours.
    """
    if profile:
        if image.mode == "L" and profile[16:20] == _SPACES["RGB"]:
            image = image.convert("RGB")
        converted = _through(image, profile) if _is_ordinary(profile, image.mode) else None
        if converted is None:
            return image.convert("RGB"), UNUSABLE
        return converted, None if converted is image else CONVERTED
    return image.convert("RGB"), CMYK_UNPROFILED if image.mode == "CMYK" else None


def _is_ordinary(profile: bytes, mode: str) -> bool:
    """Whether the header and the tags are those of a scanner, screen or printer for pictures of this mode.

    Floating-point pipelines (tags D2B…, B2D…) may have any number of steps, and are not accepted.
    """
    count = int.from_bytes(profile[128:132], "big")
    if len(profile) > MAX_PROFILE_BYTES or count > MAX_TAGS:
        return False
    tags = {profile[at : at + 4] for at in range(132, 132 + 12 * count, 12)}
    return (
        profile[12:16] in _CLASSES
        and profile[16:20] == _SPACES[mode]
        and not any(tag.startswith((b"D2B", b"B2D")) for tag in tags)
    )


def _through(image: Image.Image, profile: bytes) -> Image.Image | None:
    """The picture through the profile; the same picture for RGB that is sRGB already; None for a damaged profile."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "RGB" and "sRGB" in (source.profile.profile_description or ""):
            return image  # a conversion would change some values by one
        return ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            "RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
