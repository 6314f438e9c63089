"""Names of uploads in many scripts, and names that mean something to a shell, a page or a file system."""

from collections.abc import Iterator
from dataclasses import replace

from tests.support.file_parts import ORANGE, encode, plain
from tests.support.odd_answers import OddPicture, picture, refusal

# The name of an upload and the name that is shown.
NAMES = {
    "cafe\u0301 a\u0308o\u0308u\u0308.png": "cafe\u0301 a\u0308o\u0308u\u0308.png",
    "γάτα.png": "γάτα.png",
    "кошка.png": "кошка.png",
    "قطة.png": "قطة.png",
    "می\u200cخواهم.png": "می\u200cخواهم.png",  # noqa: RUF001 - Persian, which needs the joiner
    "חתול.png": "חתול.png",
    "बिल्ली.png": "बिल्ली.png",
    "แมวน้ำ.png": "แมวน้ำ.png",
    "猫の写真.png": "猫の写真.png",
    "고양이.png": "고양이.png",
    "\u1100\u1161.png": "\u1100\u1161.png",
    "👩\u200d🔬 🐈\u200d⬛.png": "👩\u200d🔬 🐈\u200d⬛.png",
    "invoice\u202egnp.exe": "invoicegnp.exe",
    "nul\0l.png": "null.png",
    "two\nlines\r.png": "twolines.png",
    "../../etc/passwd": "../../etc/passwd",
    "C:\\pictures\\cat.png": "C:\\pictures\\cat.png",
    "x" * 300 + ".png": "x" * 59 + "…",
    "猫" * 300: "猫" * 59 + "…",
    "....": "....",
    " ": "unnamed picture",
    "\u200b\u200d\ufeff": "unnamed picture",
    "CON.png": "CON.png",
    "**bold** [link](https://example.org) $x$ :smile:.png": "**bold** [link](https://example.org) $x$ :smile:.png",
    "<img src=x onerror=alert(1)>.png": "<img src=x onerror=alert(1)>.png",
    "'; DROP TABLE pictures; --.png": "'; DROP TABLE pictures; --.png",
    "{name} %s ${HOME}.png": "{name} %s ${HOME}.png",
    "lone\ud800.png": "lone.png",
}


def names() -> Iterator[OddPicture]:
    """Names in many scripts, and names that mean something to a shell, a page or a file system."""
    good, bad = encode(plain("RGB", ORANGE), "PNG"), b"no picture at all"
    for number, (name, shown) in enumerate(NAMES.items()):
        file = name if _can_be_a_file(name) else f"name {number}.png"
        yield replace(picture(file, good, ORANGE), name=name, shown_name=shown)
        yield replace(refusal(f"refused {number}.png", bad, "not a picture"), name=name, shown_name=shown)


def _can_be_a_file(name: str) -> bool:
    """Whether a usual file system takes the name, and takes it for no other."""
    try:
        fits = len(name.encode()) <= 255
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    is_common = name.isprintable() and name.strip(". ") == name and not set(name) & set('<>:"/\\|?*')
    return fits and is_common and name != "CON.png"
