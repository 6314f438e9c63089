"""The prediction study in words: a sentence, the table that the command line prints, and its JSON document."""

import math
from dataclasses import asdict
from typing import Any

from explorer.reproduction.prediction import (
    BEFORE_TRAINING,
    LEAST,
    LEAST_UPRIGHT,
    TITLES,
    Correlation,
    LossPrediction,
    of,
    prediction_of,
)
from explorer.reproduction.results import Results


def sentence(found: LossPrediction) -> str:
    """What is found, with its figures; what cannot be said yet."""
    count = len(found.points)
    if found.held_out is None or found.best is None:
        return f"{count} approximate networks are trained: nothing is said of fewer than {LEAST}."
    best, held_out = found.best, found.held_out.halves
    before = max(BEFORE_TRAINING, key=lambda name: abs(found.approximate[name].rho or 0.0))
    kept = "nothing can be said of it on other networks"
    if held_out.low is not None and held_out.rho is not None:
        verb = "it still ranks them" if held_out.low > 0 else "it need not rank them"
        kept = f"chosen on one half of the networks, {verb} on the other (ρ {spread(held_out)} over random halves)"
    earlier = "That is known before training."
    if best != before:
        of_it = spread(found.approximate[before])
        earlier = f"Of what is known before training, the best is the {TITLES[before]} (ρ {of_it})."
    return (
        f"Over {count} approximate networks, what is lost at unseen turns goes with the {TITLES[best]} (ρ "
        f"{spread(found.approximate[best])}); {kept}. {earlier}"
    )


def text(results: Results) -> str:
    """The correlations as a table, and what the best predictor is worth on networks that it was not chosen by."""
    found = prediction_of(results)
    families = list(found.apart)
    head = ["rank correlation ρ with what is lost", "approximate", *families, "with exact"]
    lines = [head]
    for name, title in TITLES.items():
        columns = [found.approximate[name], *(found.apart[family][name] for family in families), found.together[name]]
        lines.append([title, *map(spread, columns)])
    counts = [len(found.points), *(len(of(found.points, family)) for family in families)]
    lines.append(["networks", *map(str, counts), str(len(found.points) + len(found.exact))])
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*rows, "", sentence(found), *_left_out_lines(found), "", *remarks(found)])


def document(results: Results) -> dict[str, Any]:
    """The analysis as JSON takes it."""
    found = prediction_of(results)
    held_out = found.held_out
    return {
        "networks": [
            {"case": point.member.key, "exact": point.member.is_exact, "upright": point.upright, "lost": point.lost}
            | {name: value if math.isfinite(value) else None for name, value in point.values.items()}
            for point in (*found.points, *found.exact, *found.poor)
        ],
        "approximate": {name: asdict(each) for name, each in found.approximate.items()},
        "together": {name: asdict(each) for name, each in found.together.items()},
        "apart": {
            family: {name: asdict(each) for name, each in by_name.items()} for family, by_name in found.apart.items()
        },
        "held_out": held_out
        and {
            "halves": asdict(held_out.halves),
            "chosen": dict(held_out.chosen),
            "left_out": {value: {"by": name, **asdict(each)} for value, (name, each) in held_out.left_out.items()},
        },
        "sentence": sentence(found),
    }


def _left_out_lines(found: LossPrediction) -> list[str]:
    if found.held_out is None or not found.held_out.left_out:
        return []
    parts = (
        f"{value} ({each.count} networks): {spread(each)} by the {TITLES[name]}"
        for value, (name, each) in found.held_out.left_out.items()
    )
    return ["", "Chosen without one kind of network, reported on it:", *parts]


def remarks(found: LossPrediction) -> list[str]:
    """A sentence each on the networks that are not among the approximate ones."""
    said = []
    if found.exact_lost is not None:
        count = len(found.exact)
        said.append(f"Exact networks ({count} of them) lose {found.exact_lost:.1f} percentage points at most.")
    if found.poor:
        words = "networks are" if len(found.poor) > 1 else "network is"
        said.append(f"{len(found.poor)} {words} left out, which read fewer than {LEAST_UPRIGHT:.0f} % upright.")
    return said


def spread(found: Correlation) -> str:
    """ρ with its interval; a dash where there is none."""
    if found.rho is None:
        return "–"
    interval = "" if found.low is None else f" [{found.low:.2f}, {found.high:.2f}]"
    return f"{found.rho:.2f}{interval}".replace("-", "−")
