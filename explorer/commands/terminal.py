"""What commands share: an argument parser that complains in one line, tables, JSON, and values read from options."""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

INTERRUPTED = 130  # the status that shells expect after Ctrl-C
MAX_SEED = 2**63 - 1  # of torch's generators


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line instead of printing the usage."""

    def error(self, message: str) -> NoReturn:
        """Print the line and end with status 2."""
        print(f"{self.prog}: {' '.join(message.split())} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)


def seed(text: str) -> int:
    """The seed that an option says."""
    if not text.isdecimal() or len(text) > 20 or int(text) > MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed: give a whole number from 0 to {MAX_SEED}")
    return int(text)


def print_json(document: object) -> int:
    """Print one JSON document; numbers that are not finite must be out of it. The exit status."""
    print(json.dumps(document, indent=1, allow_nan=False))
    return 0


def all_finite(document: Any) -> Any:
    """The document with None for numbers that are infinite or not a number: JSON has no word for them."""
    if isinstance(document, Mapping):
        return {key: all_finite(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [all_finite(value) for value in document]
    return None if isinstance(document, float) and not math.isfinite(document) else document


def print_table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns as wide as their widest cell."""
    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
