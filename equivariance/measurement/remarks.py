"""What a picture cannot show: sentences beside a verdict, so that a small error is not taken for more than it says."""

from collections.abc import Iterable, Mapping

from equivariance.groups.transforms import label_of
from equivariance.measurement.facts import PictureFacts
from equivariance.measurement.measure import Measurement
from equivariance.measurement.rounding import ROUNDING_LEVEL

NEARLY = 0.02  # a picture that differs from its own transform by less shows little of a break
FAINT = 1 / 255  # contrast below one step of eight bits


def remarks(measurement: Measurement, elements: Mapping[str, str], unseen: Iterable[str]) -> tuple[str, ...]:
    """Sentences on breaks that this picture does not show, and on elements under which it is (nearly) itself.

    elements: those of the verdict. unseen: of these, the broken ones whose errors are all rounding.
    """
    facts, level = measurement.picture, ROUNDING_LEVEL[measurement.dtype]
    hidden = [name for name in elements if name in set(unseen)]
    said = []
    if hidden:
        why = _cause(facts, hidden, level)
        said.append(f"This picture does not show the break under {_labels(hidden)}: {why}. Try another one.")
    if facts is None or facts.is_constant:
        if facts is not None and not hidden and elements:
            said.append(f"This picture is {_colour(facts)}, so that the errors say little. Try another one.")
        return tuple(said)
    changes = {name: facts.changes[name] for name in elements if name not in hidden and name in facts.changes}
    same = [name for name, change in changes.items() if change <= level]
    nearly = {name: change for name, change in changes.items() if level < change < NEARLY}
    if same:
        said.append(f"This picture is its own transform under {_labels(same)}: the errors there say little.")
    if nearly:
        said.append(
            f"This picture is nearly its own transform under {_labels(nearly)}: the two differ by at most "
            f"{max(nearly.values()):.1e} of its contrast, so that the errors there say little."
        )
    return tuple(said)


def _cause(facts: PictureFacts | None, hidden: list[str], level: float) -> str:
    """Why the break cannot be seen, as far as the picture itself tells."""
    if facts is None:
        return "it may be symmetric itself"
    if facts.is_constant:
        return f"it is {_colour(facts)}"
    if all(facts.changes.get(name, 1.0) <= level for name in hidden):
        return "it is its own transform"
    if facts.contrast < FAINT:
        return f"it is too faint, its contrast is {facts.contrast:.1e} of the full range"
    nearly = max(facts.changes.get(name, 1.0) for name in hidden)
    if nearly < NEARLY:
        return f"it is nearly its own transform, they differ by {nearly:.1e} of its contrast"
    return "it may be symmetric where it matters"


def _colour(facts: PictureFacts) -> str:
    return "black" if facts.is_black else "of one colour"


def _labels(names: Iterable[str]) -> str:
    return ", ".join(map(label_of, names))
