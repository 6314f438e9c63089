"""Sizes: the error of a network over a range of sizes, theory beside measurement. Imports torch late, to open at once.

A run draws what is known and then measures for a moment; the next run draws again. So every control stays usable, and
a changed one, the Stop button, another page or a closed tab ends the work. What was measured is kept.
"""

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.pages.session.addresses import address_of
from explorer.pages.session.shared import settings, steady
from explorer.pages.sizes.controls import Range, controls
from explorer.pages.widgets.chart_view import chart_view, clicked
from explorer.pages.widgets.charts import Chart
from explorer.pages.widgets.problems import expected_errors
from explorer.pages.widgets.sampling_view import reasons_popover
from explorer.pages.widgets.work_bar import is_stopped, telling, work_bar

if TYPE_CHECKING:  # it imports torch
    from explorer.pages.sizes.live import SizesReport

_SIGNS = {"exact": "● exact", "broken": "✕ breaks", "undecided": "△ undecided"}


def page() -> None:
    """The whole page, top to bottom."""
    _open_what_was_clicked()
    view = controls()
    st.markdown(f"### Sizes of `{view.network.name}`, {view.first_px} to {view.last_px} px")
    status = st.empty()
    if st.session_state.get("sizes-drawn") != view.identity:
        status.caption(f"Starting: {view.network.name} …")
    with expected_errors():
        from explorer.pages.sizes import live  # late: it imports torch, which takes seconds

        series = live.series_of(view)
        report = live.report_of(series)
        status.empty()
        progress = _draw(view, report)
        st.session_state["sizes-drawn"] = view.identity
        if report.state and not is_stopped("sizes", view.identity):
            live.measure_some(series, telling(progress, report.state))
            st.rerun()
    status.empty()


# --------------------------------------------------------------------------------------------------------------- parts


def _draw(view: Range, report: "SizesReport") -> DeltaGenerator:
    """Everything; returns the place of the progress bar."""
    st.markdown(report.summary)
    progress = _work(view, report)
    for problem in report.problems:
        st.error(problem, icon=":material/warning:")
    if report.remarks:
        st.info("  \n".join(report.remarks))
    st.markdown(
        "**Error by size**",
        help="The largest error over layers and transforms. The sign of each point is theory's verdict for that size: "
        "where theory and measurement agree, all ● lie in the grey band and all ✕ above it. Click a point to open "
        "that size on the Look page.",
    )
    _chart(report.curve, "sizes-curve", f"{view.network.name}-errors-by-size")
    _one_size(view, report.sizes_px)
    st.markdown(
        "**Error by size and layer**",
        help="Each column is a size, each row a layer, the picture at the top. Orange is above rounding. ✕ marks the "
        "layers that break by themselves according to theory; below them, the error is inherited.",
    )
    _chart(report.layers, "sizes-layers", f"{view.network.name}-errors-by-size-and-layer")
    _downloads(view, report)
    st.markdown(
        "**Height × width**",
        help="For pictures of any shape, by theory alone: the transforms that the network still commutes with. Height "
        "and width are sampled independently, so each may be centred or not.",
    )
    _chart(report.pairs, "sizes-pairs", f"{view.network.name}-height-width")
    return progress


def _work(view: Range, report: "SizesReport") -> DeltaGenerator:
    """The progress bar, or one line when all is measured."""
    with steady("sizes-work", height_rem=3):
        if report.state:
            return work_bar("sizes", view.identity, report.done, report.state)
        with st.container(key="all-measured"):
            st.caption("All sizes are measured.")
    return st.empty()


def _chart(chart: Chart, key: str, file_name: str) -> None:
    """A chart whose marks open Look, with a camera that saves it as PNG."""
    chart_view(chart.figure, chart.alt, key=key, file_name=file_name, on_click=lambda: _want_clicked(key))


# ---------------------------------------------------------------------------------------------------------------- links


def _open_what_was_clicked() -> None:
    """Go to Look where a chart or the button asked for it in this run."""
    wanted = st.session_state.pop("open-in-look", None)
    if wanted is None:
        return
    height_px, width_px = wanted
    is_oblong = height_px != width_px
    values = {"size": height_px, "oblong": is_oblong, **({"width": width_px} if is_oblong else {})}
    st.session_state.update(values)
    only = st.query_params.get("only")
    linked = {key: str(value).lower() for key, value in {**values, "only": only}.items() if value}
    st.switch_page(address_of("look"), query_params=linked)


def _want_clicked(key: str) -> None:
    """Ask for the size of the clicked mark; numbers come from the browser, so they are checked."""
    match clicked(key):
        case [int(height_px), int(width_px)]:
            _want(height_px, width_px)


def _want(height_px: int, width_px: int) -> None:
    largest = settings().max_size_px
    if 2 <= height_px <= largest and 2 <= width_px <= largest:
        st.session_state["open-in-look"] = (height_px, width_px)


def _one_size(view: Range, theory: dict[int, str]) -> None:
    """Why a size is exact or not, and the way to Look: as a click on a point, for those who use no mouse."""
    from explorer.pages.sizes import live

    with st.container(horizontal=True, vertical_alignment="bottom"):
        size_px = st.selectbox(
            "One size",
            list(theory),
            format_func=lambda size_px: f"{size_px} px {_SIGNS[theory[size_px]]}",
            width=220,
            key="size-to-open",
            help="Each size with theory's verdict. Clicking a point of a chart does the same.",
        )
        st.button(
            "Open in Look",
            icon=":material/visibility:",
            on_click=_want,
            args=(size_px, size_px),
            help="Opens the same network and picture at this size: verdict, reasons, maps.",
        )
        reasons_popover(live.reasons_of(view, size_px), key="sizes-reasons")


def _downloads(view: Range, report: "SizesReport") -> None:
    with st.container(horizontal=True):
        st.download_button(
            "Download as CSV",
            report.csv,
            f"{view.network.name}-sizes.csv",
            "text/csv",
            on_click="ignore",
            icon=":material/download:",
            help="The measured sizes, one row each, with the error of every layer in full precision. To save a chart "
            "as a picture, use the camera in its corner.",
        )
        with st.popover(
            "Copy as command", icon=":material/terminal:", help="A command that gives the same numbers in a terminal."
        ):
            st.caption("This command gives the same numbers in a terminal:")
            st.code(view.command, language="bash", wrap_lines=True)
            if view.gallery is None:
                st.caption("Replace PICTURE with the path of your picture.")
        with st.popover("Share link", icon=":material/link:", help="An address that opens this range."):
            st.caption("The address bar always shows the address of this range; uploads are not part of it.")
            st.code(f"{st.context.url}?{urlencode(st.query_params.to_dict())}", language=None, wrap_lines=True)


page()
