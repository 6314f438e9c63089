"""The part of the Mends page that computes. Imports torch."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from equivariance.kept import Kept
from explorer.figures.mends import mends_chart
from explorer.pages.session.live import engine, freeze
from explorer.pages.widgets.tensors import weights_of
from explorer.pictures.fitting import fit
from explorer.serving.weights import Weights
from explorer.studies.mends import Compared, Mend, compare, mends_of

FIGURES = ("quarter turns", "other angles", "shifts", "sides", "time")
_kept: Kept[Compared] = Kept(64)


def rows_of(case: Any) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """(how many are done, all rows) of a `mends.Case`, again and again; kept for later runs.

    Figures that are not measured yet are "…", those of a mend that there is not are None.
    """
    weights = weights_of(case.trained)
    mends = mends_of(engine(), case.network, case.seed, case.side_px, weights)
    picture = fit(case.picture, height_px=case.side_px, width_px=case.side_px, how=case.how)
    drawn_from = case.seed if weights is None else weights.sha256
    key = (repr(case.network), drawn_from, case.dtype, case.picture.sha256, case.side_px, case.how)
    rows = [_row(mend, dict.fromkeys(FIGURES, None if mend.obstacle else "…")) for mend in mends]
    published: Compared | None = None
    yield 0, rows
    for number, mend in enumerate(mends):
        if not mend.obstacle:
            compared = _kept.get((key, mend.name), partial(_compare, mend, picture, case, weights))
            published = published or compared
            rows[number] = _row(mend, _figures(compared, published))
        yield number + 1, rows
    freeze()


def _compare(mend: Mend, picture: Tensor, case: Any, weights: Weights | None) -> Compared:
    return compare(engine(), mend, picture, seed=case.seed, dtype=case.dtype, weights=weights)


def figure_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The plot of the table."""
    return json.loads(mends_chart([row for row in rows if row["sides"]]).to_json())


def _row(mend: Mend, figures: Mapping[str, Any]) -> dict[str, Any]:
    return {"mend": mend.name, **figures, "keeps": mend.keeps}


def _figures(compared: Compared, published: Compared) -> dict[str, Any]:
    sides = ", ".join(map(str, compared.sides))
    time = compared.elapsed_s / published.elapsed_s
    return dict(zip(FIGURES, (compared.quarter_turns, compared.angles, compared.shifts, sides, time), strict=True))
