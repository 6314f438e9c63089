"""What can be saved of a run: its figures as CSV, its configuration as JSON, and a report as one HTML file.

None of them says anything about who owns the run.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

from equivariance.groups.transforms import label_of
from equivariance.largest import largest_of
from explorer.runs.run import Run
from explorer.training.metrics import ANGLES_DEG, TESTED, Epoch

_STYLE = """
body { max-width: 1000px; margin: 2rem auto; padding: 0 1rem; color: #14181d; background: #fff;
       font: 15px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; } figure { margin: 0 0 1rem; } figcaption, .quiet { color: #59616d; font-size: 13px; }
table { border-collapse: collapse; } caption { text-align: left; }
th, td { padding: 3px 12px 3px 0; text-align: left; border-bottom: 1px solid #d5dae2; vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
"""


@dataclass(frozen=True)
class Drawn:
    """A figure of a report: its title, an HTML fragment of our own making, and words that explain it."""

    title: str
    html: str
    words: str


def metrics_csv(epochs: Sequence[Epoch]) -> str:
    """A row for each epoch, in all digits: losses, accuracy by transform and angle, agreement, error of each layer."""
    layers = list(dict.fromkeys(name for epoch in epochs for name in epoch.errors))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            *("epoch", "step", "train_loss", "train_accuracy", "test_loss"),
            *(f"accuracy_{name}" for name in TESTED),
            *("accuracy_unseen_turns", "accuracy_36_angles"),
            *(f"accuracy_{angle_deg}_deg" for angle_deg in ANGLES_DEG),
            *("agreement", "pictures_per_s", "elapsed_s"),
            *(f"error_{name}" for name in layers),
        ]
    )
    for epoch in epochs:
        writer.writerow(
            [
                *(epoch.epoch, epoch.step, epoch.train_loss, epoch.train_accuracy, epoch.test_loss),
                *(epoch.accuracy[name] for name in TESTED),
                *(epoch.unseen_accuracy, epoch.angles_accuracy),
                *(epoch.angles or [None] * len(ANGLES_DEG)),
                *(epoch.agreement, epoch.pictures_per_s, epoch.elapsed_s),
                *(epoch.errors.get(name) for name in layers),
            ]
        )
    return text.getvalue()


def configuration(run: Run) -> dict[str, Any]:
    """All that decides the run's numbers, and what it found: recipe, data with their SHA-256, device, versions."""
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "error": run.error,
        "created": _time(run.created_s),
        "started": _time(run.started_s),
        "ended": _time(run.ended_s),
        "device": run.device,
        "recipe": run.recipe.document(),
        "facts": None if run.facts is None else asdict(run.facts),
    }


def configuration_json(run: Run) -> str:
    """`configuration` as a text."""
    return json.dumps(configuration(run), ensure_ascii=False, indent=2) + "\n"


def report_html(run: Run, title: str, epochs: Sequence[Epoch], drawn: Iterable[Drawn], *, command: str) -> str:
    """One HTML document that needs no other file; `drawn` must not need one either."""
    name = escape(title)
    figures = "".join(
        f"<h2>{escape(each.title)}</h2><figure><div class='wide'>{each.html}</div>"
        f"<figcaption>{escape(each.words)}</figcaption></figure>"
        for each in drawn
    )
    notes = "".join(f"<p class='quiet'>{escape(note)}</p>" for note in (run.facts.notes if run.facts else ()))
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{name}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{name}</h1><p>{escape(summary(run, epochs))}</p>{notes}"
        f"<h2>By epoch</h2><div class='wide'>{_epochs_table(epochs)}</div>{figures}"
        f"<h2>Configuration</h2><div class='wide'>{_configuration_table(run)}</div>"
        f"<p class='quiet'>The same run in a terminal:</p><pre class='wide'>{escape(command)}</pre>"
        "</main></body></html>\n"
    )


def summary(run: Run, epochs: Sequence[Epoch]) -> str:
    """One or two sentences with the numbers of the last epoch."""
    recipe = run.recipe
    what = f"{recipe.network} at {recipe.size_px} px, trained on {recipe.data}; the run is {run.state}."
    if not epochs:
        return f"{what} No epoch has been evaluated yet."
    last = epochs[-1]
    turns = f"upright {last.accuracy['identity']:.1%}, mean of the three other quarter turns {last.unseen_accuracy:.1%}"
    largest = largest_of(last.errors.values()) or 0.0
    return (
        f"{what} After {last.epoch} of {recipe.epochs} epochs: accuracy {turns}; the same answer at all four turns for "
        f"{last.agreement:.1%} of the test pictures; largest equivariance error of a layer {largest:.1e}."
    )


# --------------------------------------------------------------------------------------------------------------- parts


def _epochs_table(epochs: Sequence[Epoch]) -> str:
    heads = ("epoch", "training loss", "test loss", *map(label_of, TESTED), "36 angles", "agreement", "largest error")
    rows = [
        (
            str(epoch.epoch),
            _number(epoch.train_loss),
            _number(epoch.test_loss),
            *(f"{epoch.accuracy[name]:.1%}" for name in TESTED),
            "" if epoch.angles_accuracy is None else f"{epoch.angles_accuracy:.1%}",
            f"{epoch.agreement:.1%}",
            f"{largest_of(epoch.errors.values()) or 0.0:.1e}",
        )
        for epoch in epochs
    ]
    head = "".join(f"<th scope='col' class='number'>{escape(each)}</th>" for each in heads)
    body = "".join(
        "<tr>" + "".join(f"<td class='number'>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _configuration_table(run: Run) -> str:
    """Every value by its name; those of a group under it: `recipe.epochs`."""
    rows = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in _flat(run)
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _flat(run: Run) -> list[tuple[str, str]]:
    found = []
    for name, value in configuration(run).items():
        pairs = [(f"{name}.{key}", each) for key, each in value.items()] if isinstance(value, dict) else [(name, value)]
        found += [(key, _said(each)) for key, each in pairs]
    return found


def _said(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if math.isfinite(value) else "NaN" if math.isnan(value) else "infinite"


def _time(seconds: float | None) -> str | None:
    """Universal time, to the second."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
