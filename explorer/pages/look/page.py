"""Look: choose a network, a size and a transform; see the maps, the error and the verdict.

Functions that measure import `live` themselves: torch takes seconds to import, and much is shown before.
"""

import csv
import io
import time
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.pages.look.answers import draw_answers
from explorer.pages.look.controls import View, controls
from explorer.pages.look.opening import stored_sheet
from explorer.pages.look.sheet import Shown, draw_charts, draw_verdict
from explorer.pages.widgets.charts import draw_chart, set_control
from explorer.pages.widgets.commands import options
from explorer.pages.widgets.controls import DEFAULT_SIZE_PX
from explorer.pages.widgets.layer_view import Enlarge, enlarged, layer_view, requested
from explorer.pages.widgets.problems import expected_errors

_BETWEEN_UPDATES_S = 0.2


def page() -> None:
    """The whole page, top to bottom.

    A visitor's first view, where it is the opening view, is shown from the store at once; the rest of this run makes
    the live one, and the next run puts it into the same places.
    """
    view, near_size = controls()
    status = st.empty()
    wanted_layer = requested("layers").layer or st.query_params.get("layer")
    is_first = "shown" not in st.session_state
    stored = stored_sheet(view, wanted_layer) if is_first else None
    if is_first:
        status.caption(f"Starting: {view.network.name} …")
    if stored is not None:
        status.caption(stored.subject)
        near_size.caption(stored.exact_sizes)
        _draw(Shown(view, stored), made="Stored result, being measured live …")
    with expected_errors():
        _measure(view, wanted_layer, status)
    if stored is not None and "shown" in st.session_state:
        st.rerun()
    shown: Shown | None = st.session_state.get("shown")
    if shown is None:
        if view.trained is None or not view.trained.problem:  # these have a button of their own
            _offer_default_size()
        return
    is_current = shown.view is view
    late = "" if is_current else "The last view that worked: "
    status.caption(late + shown.sheet.subject)
    near_size.caption(shown.sheet.exact_sizes if is_current else "")
    _draw(shown, made=shown.sheet.made)
    if len(shown.view.pictures) > 1:
        _table(shown.view)


def _measure(view: View, wanted_layer: str | None, status: DeltaGenerator) -> None:
    """Measure the view into the session's state, telling how far it is; each message lets Streamlit end the run."""
    from explorer.pages.look import live

    last_s = time.monotonic()

    def progress(fraction: float) -> None:
        nonlocal last_s
        if time.monotonic() - last_s > _BETWEEN_UPDATES_S:
            last_s = time.monotonic()
            status.caption(f"Measuring {view.network.name}: {fraction:.0%} done. Any change stops it.")

    st.session_state["shown"] = Shown(view, live.sheet_of(view, wanted_layer, progress))


def _offer_default_size() -> None:
    """A button for a link to a size that cannot be measured."""

    def go() -> None:
        set_control("size", DEFAULT_SIZE_PX)
        set_control("oblong", False)

    st.button(f"Go to {DEFAULT_SIZE_PX} px", on_click=go, help="The size of the opening view.")


# --------------------------------------------------------------------------------------------------------------- parts


def _draw(shown: Shown, *, made: str) -> None:
    draw_verdict(shown.sheet, made=made)
    if shown.sheet.answers is not None:
        draw_answers(shown.sheet.answers)
    layer_view(shown.sheet.payload, key="layers", on_enlarge_change=_enlarge)
    wanted: Enlarge | None = st.session_state.get("enlarge")
    if wanted is not None:
        _enlarged(shown.view, wanted)
    draw_charts(shown.sheet)
    _links(shown.view)


def _enlarge() -> None:
    """Keep the request until it is dismissed: the run after a click may be cut short by the next change."""
    st.session_state["enlarge"] = enlarged("layers")


def _dismiss() -> None:
    st.session_state.pop("enlarge", None)


@st.dialog("One map", width="large", on_dismiss=_dismiss)
def _enlarged(view: View, wanted: Enlarge) -> None:
    """One channel of the shown layer in Plotly: upright, transformed, realigned and the difference."""
    from explorer.pages.look import live

    large = None
    with expected_errors():
        large = live.large_map_of(view, wanted, st.session_state.get("enlarged"))
    if large is None:
        st.write("This map is no longer available: close this and choose it again.")
        return
    st.segmented_control(
        "Map",
        large.choices,
        default=large.choices[0],
        required=True,
        key="enlarged",
        help="The map of the picture, that of the transformed picture, the latter realigned, and the difference.",
    )
    draw_chart(large.chart, key="enlarged-map")
    st.caption(large.chart.alt)


def _links(view: View) -> None:
    with st.container(horizontal=True):
        with st.popover(
            "Copy as command", icon=":material/terminal:", help="A command that gives the same numbers in a terminal."
        ):
            st.caption("This command gives the same numbers in a terminal:")
            st.code(command(view), language="bash", wrap_lines=True)
            if view.gallery is None:
                st.caption("Replace PICTURE with the path of your picture.")
        with st.popover("Share link", icon=":material/link:", help="An address that opens this view."):
            st.caption("The address bar always shows the address of this view; uploads are not part of it.")
            st.code(f"{st.context.url}?{urlencode(st.query_params.to_dict())}", language=None, wrap_lines=True)


def command(view: View) -> str:
    """The command line that gives the same numbers."""
    size = str(view.height_px) if view.height_px == view.width_px else f"{view.height_px}x{view.width_px}"
    parts = ["python -m explorer measure", f"--network {view.network.name}", f"--size {size}"]
    picture = view.gallery or "PICTURE"
    network, trained = view.network, view.trained
    parts += options(network, picture=picture, how=view.how, seed=view.seed, dtype=view.dtype, trained=trained)
    parts += [f"--group-elements all,{','.join(extra.name for extra in view.extra)}"] if view.extra else []
    return " ".join(parts)


def _table(view: View) -> None:
    """Error and flip rate of every uploaded picture."""
    from explorer.pages.look import live

    st.markdown("**All pictures**", help="Flip rate: the share of transforms under which a different logit is largest.")
    rows: list[dict[str, object]] = []
    progress = st.progress(0.0)
    for number, picture in enumerate(view.pictures):
        progress.progress((number + 1) / len(view.pictures), text=f"{number + 1} of {len(view.pictures)} pictures")
        with expected_errors():
            rows.append(live.row_of(view, picture))
    progress.empty()
    columns = {
        "largest error": st.column_config.NumberColumn(format="%.2e"),
        "logit error": st.column_config.NumberColumn(format="%.2e"),
        "flip rate": st.column_config.NumberColumn(format="percent"),
    }
    st.dataframe(rows, hide_index=True, key="table", column_config=columns)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    st.download_button(
        "Download as CSV",
        text.getvalue(),
        "pictures.csv",
        "text/csv",
        icon=":material/download:",
        help="The table with all digits.",
    )


page()
