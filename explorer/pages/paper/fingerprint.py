"""A part of the Paper page: whether training off centre leaves lopsided mean filters beside the pool."""

import streamlit as st

from explorer.figures.fingerprint import Line, filter_maps, over_epochs
from explorer.pages.widgets.charts import chart_of, draw_chart
from explorer.reproduction.fingerprint import (
    AROUND,
    CASES,
    MEASURES,
    AgainstExact,
    Filters,
    compared,
    course,
    mean_filter,
    sentence,
)
from explorer.reproduction.results import Results

COMMAND = "python -m explorer reproduce mnist --budget quick --only upright,mended --wait"
SHOWN = "lopsidedness"  # over epochs
_READABLE_PX = 760
_WHERE = dict(zip(AROUND, ("before the pool", "after the pool"), strict=True))
_WHY = (
    "[*Mind the Pad*](https://arxiv.org/abs/2010.02178) saw the mean filters of plain ResNets lean to one side where a "
    "border is dropped. In a group convolution each kernel comes in all directions, and which one counts as the first "
    "is a name: over random starts the mean filter does not lean at any size. So the filters of each approximate "
    "network are compared with those of the exact one that started from the same weights."
)


def draw_fingerprint(results: Results | None) -> None:
    """A sentence with the figures, the mean filters as maps, their lopsidedness over epochs, and all in a table.

    results: of the digits, as far as they were run.
    """
    with st.container(width=_READABLE_PX):
        st.markdown(_WHY)
    kept = [] if results is None else _kept(results)
    if results is None or not kept:
        st.caption(f"Not run yet, or before mean filters were kept: `{COMMAND}`")
        return
    with st.container(width=_READABLE_PX):
        st.markdown(sentence(results))
    maps = {_WHERE[layer]: _filters(results, layer, kept) for layer in AROUND}
    words = "Mean filters before and after the pool, by network, after training: mean over seeds."
    draw_chart(chart_of(filter_maps(maps), words), key="fingerprint-filters")
    for column, layer in zip(st.columns(len(AROUND)), AROUND, strict=True):
        with column:
            title = f"lopsidedness {_WHERE[layer]}"
            lines = [line for case in kept if (line := _line(results, case, layer)) is not None]
            draw_chart(chart_of(over_epochs(lines, title), f"The {title} by epoch."), key=f"fingerprint-{layer}")
    _table(compared(results))
    missing = [title for case, title in CASES.items() if case not in kept]
    if missing:
        st.caption(f"Not run yet: {', '.join(missing)}. `{COMMAND}`")


def has_filters(results: Results | None) -> bool:
    """Whether there is anything to draw."""
    return results is not None and bool(_kept(results))


def _kept(results: Results) -> list[str]:
    """The cases whose runs have kept mean filters."""
    return [case for case in CASES if mean_filter(results, case, AROUND[0]) is not None]


def _filters(results: Results, layer: str, cases: list[str]) -> dict[str, Filters]:
    found = ((CASES[case], mean_filter(results, case, layer)) for case in cases)
    return {title: each for title, each in found if each is not None}


def _line(results: Results, case: str, layer: str) -> Line | None:
    found = course(results, case, layer, SHOWN)
    if found is None:
        return None
    return Line(
        f"{CASES[case]} ({len(found.summaries[0].values)} seeds)",
        found.epochs,
        [each.mean for each in found.summaries],
        [each.low for each in found.summaries],
        [each.high for each in found.summaries],
        list(CASES).index(case),
    )


def _table(found: tuple[AgainstExact, ...]) -> None:
    if not found:
        return
    with st.expander("All layers and measures, against the exact network at the same seeds"):
        st.dataframe([_row(each) for each in found], hide_index=True)


def _row(each: AgainstExact) -> dict[str, str | int]:
    low, high = each.difference.low, each.difference.high
    interval = "" if low is None or high is None else f"[{low:+.2f}, {high:+.2f}]".replace("-", "−")
    return {
        "network": CASES[each.case],
        "layer": each.layer,
        "measure": MEASURES[each.measure][0],
        "seeds": len(each.difference.values),
        "mean": f"{each.ours.mean:.2f}".replace("-", "−"),
        "exact": f"{each.exact.mean:.2f}".replace("-", "−"),
        "difference": f"{each.difference.mean:+.2f}".replace("-", "−"),
        "95 % interval": interval,
    }
