"""What `check` and `predict` give back."""

import dataclasses
import html
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from equivariance.largest import largest_of

Pair = tuple[int | None, int | None]


@dataclass(frozen=True)
class Report:
    """The verdict on one network at one size, with everything it rests on.

    verdict: "exact", "approximate", "not equivariant" or "undecided".
    evidence: "theory and measurement", "measurement alone" or "theory alone".
    sentence, reason: in words; advice: what to do, from `remedy` and the nearest exact sizes.
    elements: {name: "exact", "broken", "undecided" or "no action"}.
    output_error: {element: largest relative error of any output}. outputs: the same for each output by its path.
    together: layers that do not commute by themselves and undo each other. find_sizes: see `exact_sizes_px`.
    layers: a dictionary each, as `measure --json` has them, with `fields_from` and `not_followed`.
    not_followed: what theory could not follow: operation, layer, file, line, why it matters.
    """

    verdict: str
    evidence: str
    sentence: str
    reason: str
    remedy: str = field(repr=False)
    group: str
    elements: dict[str, str]
    output_error: dict[str, float | None]
    outputs: dict[str, dict[str, Any]]
    first_broken_layer: str | None
    broken_layers: tuple[str, ...]
    together: tuple[str, ...]
    find_sizes: Callable[[], dict[str, Pair]] = field(repr=False, compare=False)
    layers: tuple[dict[str, Any], ...] = field(repr=False)
    not_followed: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    input: str
    height_px: int
    width_px: int
    dtype: str
    device: str
    seconds: float
    versions: dict[str, str] = field(repr=False)

    @cached_property
    def exact_sizes_px(self) -> dict[str, Pair]:
        """The nearest exact sides, {"height": (below, above), "width": …}; None where none is near.

        Found when they are first asked for: each side has to be recorded.
        """
        return self.find_sizes()

    @cached_property
    def advice(self) -> str:
        """What to do; empty where nothing helps, or nothing is wrong."""
        if self.verdict != "approximate":
            return self.remedy
        near = {side for sides in self.exact_sizes_px.values() for side in sides if side is not None}
        sizes = f"Exact sizes near: {', '.join(map(str, sorted(near)))} px." if near else ""
        remedy = self.remedy if near else self.remedy.removeprefix("Or ").capitalize() if self.remedy else ""
        return " ".join(filter(None, [sizes, remedy]))

    def __getstate__(self) -> dict[str, Any]:
        """All of it, with the sizes found: what finds them holds the network."""
        sizes = self.exact_sizes_px
        return {**self.__dict__, "find_sizes": _Found(sizes)}

    def __repr__(self) -> str:
        lines = [f"{self.sentence}", f"  {self.reason}"]
        if self.advice:
            lines.append(f"  {self.advice}")
        lines += [f"  Not followed: {_place_in_words(each)}" for each in self.not_followed[:3]]
        largest = largest_of(self.output_error.values())
        if largest is not None:
            lines.append(f"  Largest error at the output: {largest:.1e} ({self.dtype}, {self.input}).")
        return "\n".join(lines)

    def to_json(self) -> str:
        """All of it as one JSON document; an infinite error is "Infinity" there, and one that is no number "NaN"."""
        entries = {each.name: getattr(self, each.name) for each in dataclasses.fields(self) if each.name not in _INNER}
        entries |= {"advice": self.advice, "exact_sizes_px": self.exact_sizes_px}
        return json.dumps(_plain(entries), indent=1, allow_nan=False)

    def to_frame(self) -> Any:
        """The layers as a pandas DataFrame, one row each; raises ImportError where pandas is missing."""
        try:
            import pandas  # type: ignore[import-untyped]  # an extra, without types
        except ImportError:
            raise ImportError("to_frame needs pandas: pip install 'equivariance-explorer[pandas]'") from None
        return pandas.DataFrame(list(self.layers))

    def _repr_html_(self) -> str:
        colour = {"exact": "#0a7d4b", "approximate": "#b25e00", "not equivariant": "#b00020"}.get(self.verdict, "#555")
        rows = "".join(
            f"<p style='margin:2px 0'>{html.escape(line.strip())}</p>" for line in repr(self).splitlines()[1:]
        )
        head = f"<p style='margin:0;font-weight:600;color:{colour}'>{html.escape(self.sentence)}</p>"
        return f"<div style='border-left:4px solid {colour};padding:4px 10px'>{head}{rows}</div>"


_INNER = ("remedy", "find_sizes")


@dataclass(frozen=True)
class _Found:
    """Sizes that have been found, as something to call."""

    sizes: dict[str, Pair]

    def __call__(self) -> dict[str, Pair]:
        return self.sizes


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value if isinstance(value, str | int | float | None) else str(value)


def _place_in_words(entry: dict[str, Any]) -> str:
    where = [
        f"in {entry['layer']}" if entry["layer"] else "",
        f"{entry['file']}:{entry['line']}" if entry["file"] else "",
    ]
    return ", ".join(filter(None, [entry["operation"], *where])) + f" ({entry['why']})"
