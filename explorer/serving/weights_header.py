"""What a weights file says of itself, read without torch: its SHA-256, its texts, and the shapes of its tensors.

A safetensors file begins with the length of its header, eight bytes, little-endian, and then the header, JSON.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equivariance.errors import WeightsError

MAX_BYTES = 2**30
_LENGTH_BYTES = 8
_METADATA = "__metadata__"
_CLASSIFIER = "head.classifier.weight"  # of every network of the catalog
# What other programs put before the names of a network that they wrap: several devices, Lightning, torch.compile.
_WRAPPERS = ("module.", "model.", "_orig_mod.")
_MAX_CLASSES = 10_000


@dataclass(frozen=True)
class Header:
    """SHA-256 of the whole file, its texts, and the shape of each tensor by name."""

    sha256: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict, repr=False)

    def said(self, name: str) -> Any:
        """The JSON in the text `name`; None where there is none."""
        return json_in(self.metadata.get(name, ""))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes in order; numbers where the file has none, and nothing for another network."""
        rows = next(iter(self.shapes.get(_CLASSIFIER, ())), 0)
        names = self.said("classes")
        if isinstance(names, list) and len(names) == rows and all(isinstance(name, str) for name in names):
            return tuple(names)
        return tuple(map(str, range(rows))) if 0 <= rows <= _MAX_CLASSES else ()


def read_bytes(path: Path) -> bytes:
    """The bytes of a weights file; raises WeightsError for one that is too large or cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WeightsError(f"The weights {path.name!r} have more than {MAX_BYTES} bytes: give a smaller file.")
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"The weights {str(path)!r} cannot be read ({error.strerror}): give a safetensors file."
        ) from None


def header_of(data: bytes, name: str) -> Header:
    """The header in the bytes of a file called `name`; raises WeightsError for any other bytes."""
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    try:
        if len(data) < _LENGTH_BYTES or end > len(data):
            raise ValueError("its header is cut short")
        entries = json.loads(data[_LENGTH_BYTES:end])
        metadata = {str(key): str(value) for key, value in entries.pop(_METADATA, {}).items()}
        names = plain_names(entries)
        shapes = {names[key]: tuple(int(side) for side in entry["shape"]) for key, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise not_weights(name, error) from None
    return Header(hashlib.sha256(data).hexdigest(), metadata, shapes)


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """{name in a file: name in the network}: without what wrappers put before it, however often.

    Raises ValueError where two names become one. No network of the catalog has a part of such a name.
    """
    plain: dict[str, str] = {}
    for name in names:
        plain[name] = _without_wrappers(name)
    if len(set(plain.values())) < len(plain):
        raise ValueError("two of its tensors have the same name but for a prefix")
    return plain


def _without_wrappers(name: str) -> str:
    wrapper = next((each for each in _WRAPPERS if name.startswith(each)), None)
    while wrapper is not None:
        name = name.removeprefix(wrapper)
        wrapper = next((each for each in _WRAPPERS if name.startswith(each)), None)
    return name.replace("._orig_mod.", ".")  # a part that was compiled alone


def json_in(text: str) -> Any:
    """The value in the JSON text of an untrusted file; None where it is not JSON, or nested too deeply."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def not_weights(name: str, error: Exception) -> WeightsError:
    """The error for a file called `name` that is not a safetensors file."""
    return WeightsError(f"{name!r} is not a safetensors file ({error}): pickled weights are never read.")
