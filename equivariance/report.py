"""What `check` and `predict` give back."""

import dataclasses
import html
import json
import math
from dataclasses import dataclass, field
from typing import Any

Pair = tuple[int | None, int | None]


@dataclass(frozen=True)
class Report:
    """The verdict on one network at one size, with everything it rests on.

    verdict: "exact", "approximate", "not equivariant" or "undecided".
    evidence: "theory and measurement", "measurement alone" or "theory alone".
    sentence, reason, advice: in words. elements: {name: "exact", "broken", "undecided" or "no action"}.
    output_error: {element: largest relative error of any output}. outputs: the same for each output by its path.
    exact_sizes_px: the nearest exact sides, {"height": (below, above), "width": …}; None where none is near.
    layers: a dictionary each, as `measure --json` has them, with `fields_from` and `not_followed`.
    not_followed: what theory could not follow: operation, layer, file, line, why it matters.
    """

    verdict: str
    evidence: str
    sentence: str
    reason: str
    advice: str
    group: str
    elements: dict[str, str]
    output_error: dict[str, float | None]
    outputs: dict[str, dict[str, Any]]
    first_broken_layer: str | None
    broken_layers: tuple[str, ...]
    together: tuple[str, ...]
    exact_sizes_px: dict[str, Pair]
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

    def __repr__(self) -> str:
        lines = [f"{self.sentence}", f"  {self.reason}"]
        if self.advice:
            lines.append(f"  {self.advice}")
        lines += [f"  Not followed: {_place_in_words(each)}" for each in self.not_followed[:3]]
        errors = [error for error in self.output_error.values() if error is not None]
        if errors:
            largest = max(errors, key=lambda error: (math.isnan(error), error))
            lines.append(f"  Largest error at the output: {largest:.1e} ({self.dtype}, {self.input}).")
        return "\n".join(lines)

    def to_json(self) -> str:
        """All of it as one JSON document."""
        return json.dumps(dataclasses.asdict(self), indent=1, default=str)

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


def _place_in_words(entry: dict[str, Any]) -> str:
    where = [
        f"in {entry['layer']}" if entry["layer"] else "",
        f"{entry['file']}:{entry['line']}" if entry["file"] else "",
    ]
    return ", ".join(filter(None, [entry["operation"], *where])) + f" ({entry['why']})"
