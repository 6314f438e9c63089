"""The part of the Mends page that computes. Imports torch."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import Tensor

from explorer.fitting import fit
from explorer.mends import Compared, Mend, compare, mends_of
from explorer.mends_figures import mends_chart
from explorer.pages.live import Kept, engine, freeze, weights_of
from explorer.weights import Weights

FIGURES = ("quarter turns", "other angles", "shifts", "sides", "time")
_kept: Kept[Compared] = Kept(64)


def rows_of(case: Any) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """(number of this row, of all rows, the row) of a `mends.Case`, one after the other; kept for later runs."""
    weights = weights_of(case.trained)
    mends = mends_of(engine(), case.network, case.seed, case.side_px, weights)
    picture = fit(case.picture, height_px=case.side_px, width_px=case.side_px, how=case.how)
    drawn_from = case.seed if weights is None else weights.sha256
    key = (repr(case.network), drawn_from, case.dtype, case.picture.sha256, case.side_px, case.how)
    published: Compared | None = None
    for number, mend in enumerate(mends, start=1):
        if mend.obstacle:
            yield number, len(mends), {"mend": mend.name, "keeps": mend.obstacle, **dict.fromkeys(FIGURES)}
            continue
        compared = _kept.get((key, mend.name), partial(_compare, mend, picture, case, weights))
        published = published or compared
        yield number, len(mends), _row(compared, published)
    freeze()


def _compare(mend: Mend, picture: Tensor, case: Any, weights: Weights | None) -> Compared:
    return compare(engine(), mend, picture, seed=case.seed, dtype=case.dtype, weights=weights)


def figure_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The plot of the table."""
    return json.loads(mends_chart([row for row in rows if row["sides"]]).to_json())


def _row(compared: Compared, published: Compared) -> dict[str, Any]:
    sides = ", ".join(map(str, compared.sides))
    time = compared.elapsed_s / published.elapsed_s
    figures = (compared.quarter_turns, compared.angles, compared.shifts, sides, time)
    return {
        "mend": compared.mend.name,
        "keeps": compared.mend.keeps,
        **dict(zip(FIGURES, figures, strict=True)),
    }
