"""The part of the Mends page that computes: mends compared one after the other, and what is said of them. Torch."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from equivariance.kept import Kept
from explorer.figures.mends import mends_chart
from explorer.pages.mends.controls import MendsView
from explorer.pages.session.live import engine, freeze
from explorer.pages.widgets.charts import Chart, chart_of
from explorer.pages.widgets.tensors import weights_of
from explorer.pictures.fitting import fit
from explorer.serving.weights import Weights
from explorer.studies.mends import Compared, Mend, compare, mends_of

_KINDS = ("quarter turns", "other angles", "shifts")  # of transforms, as the plot names them
_FORMATS = {"quarter turns": "{:.1e}", "other angles": "{:.2f}", "shifts": "{:.2f}", "time": "{:.2f} ×"}
_kept: Kept[Compared] = Kept(64)


@dataclass(frozen=True)
class MendRow:
    """One mend in the table. compared: None until it is measured, and where there is no such mend.

    times: how long it takes, as a multiple of the published network's time.
    """

    mend: Mend
    compared: Compared | None = None
    times: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it is still to be measured."""
        return self.compared is None and not self.mend.obstacle

    @property
    def changes(self) -> dict[str, float]:
        """The changes of the logits by kind of transform; empty without figures."""
        if self.compared is None:
            return {}
        changes = (self.compared.quarter_turns, self.compared.angles, self.compared.shifts)
        return dict(zip(_KINDS, changes, strict=True))

    @property
    def figures(self) -> dict[str, float | str | None]:
        """All figures by name of column; None without."""
        if self.compared is None:
            return dict.fromkeys((*_KINDS, "sides", "time"))
        return {**self.changes, "sides": ", ".join(map(str, self.compared.sides)), "time": self.times}


def rows_of(view: MendsView) -> Iterator[tuple[int, list[MendRow]]]:
    """(how many are done, all rows), again and again; what was compared is kept for later runs."""
    weights = weights_of(view.trained)
    mends = mends_of(engine(), view.network, view.seed, view.side_px, weights)
    picture = fit(view.picture, height_px=view.side_px, width_px=view.side_px, how=view.how)
    rows = [MendRow(mend) for mend in mends]
    published: Compared | None = None
    yield 0, rows
    for number, mend in enumerate(mends):
        if not mend.obstacle:
            compared = _kept.get((view.key, mend.name), partial(_compare, mend, picture, view, weights))
            published = published or compared
            rows[number] = MendRow(mend, compared, compared.elapsed_s / published.elapsed_s)
        yield number + 1, rows
    freeze()


def _compare(mend: Mend, picture: Tensor, view: MendsView, weights: Weights | None) -> Compared:
    return compare(engine(), mend, picture, seed=view.seed, dtype=view.dtype, weights=weights)


# --------------------------------------------------------------------------------------------------------------- words


def table_of(rows: Sequence[MendRow]) -> list[dict[str, str]]:
    """As text: "…" where a mend is not measured yet, "–" where there is none."""
    return [
        {
            "mend": row.mend.name,
            **{name: _as_text(row, name, value) for name, value in row.figures.items()},
            "keeps": row.mend.keeps,
        }
        for row in rows
    ]


def _as_text(row: MendRow, name: str, value: float | str | None) -> str:
    if value is None:
        return "…" if row.is_open else "–"
    return value if isinstance(value, str) else _FORMATS[name].format(value)


def chart(rows: Sequence[MendRow]) -> Chart:
    """The plot of the rows that have figures."""
    changes = {row.mend.name: row.changes for row in rows if row.changes}
    said = "; ".join(
        f"{name}: {of['quarter turns']:.1e}, {of['other angles']:.2f}, {of['shifts']:.2f}"
        for name, of in changes.items()
    )
    return chart_of(mends_chart(changes), f"Change of the logits under quarter turns, other angles and shifts. {said}.")


def csv_of(rows: Sequence[MendRow]) -> str:
    """The table with all digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=["mend", *rows[0].figures, "keeps"])
    writer.writeheader()
    writer.writerows({"mend": row.mend.name, **row.figures, "keeps": row.mend.keeps} for row in rows)
    return text.getvalue()
