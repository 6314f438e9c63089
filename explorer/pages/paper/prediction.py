"""A part of the Paper page: whether a measured error predicts what is lost at turns that training did not show."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import streamlit as st

from explorer.errors import ResultsError
from explorer.figures.prediction import Marks, loss_by_predictor
from explorer.pages.widgets.charts import chart_of, draw_chart
from explorer.reproduction.prediction import TITLES, Correlation, LossPoint, LossPrediction, prediction_of
from explorer.reproduction.prediction_report import remarks, sentence, spread
from explorer.reproduction.results import read_results, results_path
from explorer.reproduction.sample import BUDGETS, EXPERIMENT, members
from models.catalog import MAXIMUM_FIRST, MEAN_FIRST

COMMAND = f"python -m explorer reproduce {EXPERIMENT} --budget quick --wait"
SHOWN = "logits"  # the predictor of the chart
_READABLE_PX = 760
_LASTING = "about half an hour on one core"
_HEADS = (MEAN_FIRST, MAXIMUM_FIRST)
_FAMILIES = {"cnn": "CNN", "resnet18": "ResNet-18"}


def draw_prediction() -> None:
    """A sentence with the figures, the networks as a chart, and the correlations in a table."""
    try:
        found = _found()
    except ResultsError as error:
        st.error(str(error), icon=":material/error:")
        return
    if found is None:
        st.caption(f"Not run yet: `{COMMAND}` does it in {_LASTING}.")
        return
    with st.container(width=_READABLE_PX):
        st.markdown(f"{sentence(found)} {' '.join(remarks(found))}")
    kinds = _kinds(found)
    if kinds:
        words = "Each mark is a network: percentage points lost at unseen turns, over the error of its logits."
        draw_chart(chart_of(loss_by_predictor(kinds, TITLES[SHOWN]), words), key="prediction-lost")
    with st.expander("Rank correlations with what is lost"):
        st.dataframe(_rows(found), hide_index=True)
        _held_out(found)
    done = len(found.points) + len(found.exact) + len(found.poor)
    st.caption(f"{done} of {len(members(BUDGETS['quick']))} networks, each trained once: `{COMMAND}`")


def _kinds(found: LossPrediction) -> list[Marks]:
    """By family and head; the exact ones apart."""
    drawn = []
    for place, (family, head) in enumerate(product(_FAMILIES, _HEADS)):
        points = [each for each in found.points if (each.member.family, each.member.pooling) == (family, head)]
        if points:
            drawn.append(_marks(f"{_FAMILIES[family]}, {head.replace('-', ' ')}", points, place))
    if found.exact:
        drawn.append(_marks("exact", found.exact, is_exact=True))
    return drawn


def _marks(kind: str, points: Sequence[LossPoint], place: int = 0, *, is_exact: bool = False) -> Marks:
    return Marks(
        kind,
        [point.member.title for point in points],
        [point.values[SHOWN] for point in points],
        [point.lost for point in points],
        is_exact,
        place,
    )


def _rows(found: LossPrediction) -> list[dict[str, str]]:
    def row(name: str) -> dict[str, str]:
        columns: dict[str, Correlation] = {
            f"approximate ({len(found.points)})": found.approximate[name],
            **{_FAMILIES[family]: of_family[name] for family, of_family in found.apart.items()},
            f"with {len(found.exact)} exact": found.together[name],
        }
        return {"predictor": TITLES[name], **{title: spread(each) for title, each in columns.items()}}

    return [row(name) for name in TITLES]


def _held_out(found: LossPrediction) -> None:
    if found.held_out is None or not found.held_out.left_out:
        return
    parts = (
        f"{value} ({each.count}): {spread(each)}"
        for value, (_, each) in found.held_out.left_out.items()
        if each.rho is not None
    )
    st.caption(f"Chosen without one kind of network, ρ on that kind: {'; '.join(parts)}.")


def has_sample() -> bool:
    """Whether anything was run."""
    return results_path(EXPERIMENT, "quick").exists()


def _found() -> LossPrediction | None:
    """What the file holds, analysed; raises ResultsError."""
    path = results_path(EXPERIMENT, "quick")
    return _kept(path, path.stat().st_mtime_ns) if path.exists() else None


@st.cache_resource(show_spinner=False, max_entries=4)
def _kept(path: Path, changed_ns: int) -> LossPrediction | None:
    results = read_results(path, EXPERIMENT)
    if results is None:
        return None
    if results.budget not in BUDGETS:
        raise ResultsError(f"{path.name} has an unknown budget, {results.budget!r}: remove the file.")
    return prediction_of(results)
