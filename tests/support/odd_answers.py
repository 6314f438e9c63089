"""What an odd file must give, and whether the decoder of pictures gives it.

`python -m tests.support.odd_answers FOLDER` decodes the files that `tests.support.odd_pictures` has written, and prints
wrong answers, the slowest files and by how much memory grew.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from explorer.errors import PictureError
from explorer.pictures.images import decode

STATUS = Path("/proc/self/status")  # of Linux: where a process reads its own memory
EXPECTED = "expected.json"


@dataclass(frozen=True)
class OddPicture:
    """A file and what it must give.

    file: its name in the folder; `data`: its bytes. name: the name of the upload, where it is another.
    shows: the colour at each (row, column); size_px: (height, width). tolerance: of each colour value.
    notes: all notes of the picture, or None for any.
    refused: a part of the sentence that refuses it. Without `shows` and `refused` it may give either.
    shown_name: the name of the picture, or the name in the refusal, where that is another.
    """

    file: str
    data: bytes
    name: str = ""
    shows: tuple[tuple[tuple[int, int], tuple[int, int, int]], ...] = ()
    size_px: tuple[int, int] | None = None
    tolerance: int = 0
    notes: tuple[str, ...] | None = None
    refused: str = ""
    shown_name: str = ""


def picture(
    file: str,
    data: bytes,
    colour: tuple[int, int, int],
    tolerance: int = 0,
    notes: tuple[str, ...] | None = (),
    size_px: tuple[int, int] | None = None,
) -> OddPicture:
    """A file that shows one colour at its upper left corner."""
    return OddPicture(file, data, shows=(((0, 0), colour),), tolerance=tolerance, notes=notes, size_px=size_px)


def refusal(file: str, data: bytes, part: str) -> OddPicture:
    """A file that is refused with a sentence that has this part."""
    return OddPicture(file, data, refused=part)


def save(pictures: list[OddPicture], folder: Path) -> None:
    """Write the files and, in one more, what each must give."""
    folder.mkdir(parents=True, exist_ok=True)
    for odd in pictures:
        (folder / odd.file).write_bytes(odd.data)
    expected = [asdict(replace(odd, data=b"")) | {"data": ""} for odd in pictures]
    (folder / EXPECTED).write_text(json.dumps(expected, indent=1), encoding="ascii")


def load(folder: Path) -> Iterator[OddPicture]:
    """The files of a folder, one after the other, with what each must give."""
    for entry in json.loads((folder / EXPECTED).read_text(encoding="ascii")):
        data = (folder / entry["file"]).read_bytes()
        yield OddPicture(**{key: _tuples(value) for key, value in entry.items()} | {"data": data})


def _tuples(value: object) -> object:
    """Lists, which is what JSON makes of tuples, as tuples again."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def fault(odd: OddPicture) -> str | None:
    """What is wrong with the answer to a file; None if it is as it must be."""
    name = odd.name or odd.file
    try:
        given = decode(odd.data, name=name)
    except PictureError as error:
        return _fault_of_refusal(odd, str(error), odd.shown_name or name)
    if odd.refused:
        return f"not refused, but shown with {given.notes}"
    size_px = (given.height_px, given.width_px)
    if odd.size_px not in (None, size_px):
        return f"size {size_px}"
    if odd.notes not in (None, given.notes):
        return f"notes {given.notes}"
    if given.name != (odd.shown_name or name):
        return f"name {given.name!r}"
    for place, colour in odd.shows:
        if np.abs(given.pixels[place].astype(int) - colour).max() > odd.tolerance:
            return f"{given.pixels[place].tolist()} at {place}"
    return None


def _fault_of_refusal(odd: OddPicture, sentence: str, name: str) -> str | None:
    """What is wrong with the sentence that refuses a file."""
    if odd.shows or odd.refused not in sentence:
        return sentence
    seen = sentence.replace("\u200c", "").replace("\u200d", "")  # the joiners in names
    is_one = sentence.endswith(".") and seen.isprintable() and len(sentence) <= 200 and "; " in sentence
    return None if is_one and sentence.startswith(f"'{name}' ") else f"no good sentence: {sentence!r}"


def peak_mb() -> float:
    """The most memory that this process has had since it began, in MB of 10⁶ bytes; Linux only."""
    line = next(line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def measure(folder: Path) -> None:
    """Decode all files of a folder; print wrong answers, the slowest files, and by how much memory grew at most."""
    for odd in load(folder):
        if odd.file.startswith("8 x 8."):
            fault(odd)  # loads what Pillow loads once
    before_mb, times, faults = peak_mb(), [], 0
    for odd in load(folder):
        elapsed, computed = time.perf_counter(), time.process_time()
        wrong = fault(odd)
        times.append((time.process_time() - computed, time.perf_counter() - elapsed, odd.file))
        if wrong:
            faults += 1
            print(f"{odd.file}: {wrong}")
    for computed_s, elapsed_s, name in sorted(times, reverse=True)[:10]:
        print(f"{elapsed_s:6.2f} s elapsed, {computed_s:.2f} s of computing: {name}")
    print(f"{len(times)} files, {faults} wrong answers, memory grew by {peak_mb() - before_mb:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.support.odd_answers", description=__doc__)
    parser.add_argument("folder", type=Path)
    measure(parser.parse_args().folder)
