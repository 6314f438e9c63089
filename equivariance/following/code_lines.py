"""Lines of the code of anyone's network."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch


def _folders_of(file: str) -> set[Path]:
    """The package that a file of the package's own folder, or of one below it, belongs to."""
    at = 1 if file == __file__ else 0
    return {Path(file).parents[at], Path(file).resolve().parents[at]}


_HIDDEN = tuple(  # files whose lines are not the network's own, also where they are reached through a link
    {f"{folder}{os.sep}" for file in (__file__, torch.__file__) for folder in _folders_of(file)} | {"<"}
)


@dataclass(frozen=True)
class CodeLine:
    """A line of the network's code."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


def place_now() -> CodeLine | None:
    """The innermost line outside torch and this library."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_HIDDEN):
            return CodeLine(file, frame.f_lineno)
        frame = frame.f_back
    return None
