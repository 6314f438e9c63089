"""Orbit: the error for every transform at once, of up to four networks. Imports torch late, to open at once.

A run draws what is known and then measures for a moment; the next run draws again. So every control stays usable, and
a changed one, the Stop button, another page or a closed tab ends the work. What was measured is kept.
"""

from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.pages.orbit.controls import OrbitView, controls
from explorer.pages.orbit.links import links, open_what_was_asked_for
from explorer.pages.session.shared import steady
from explorer.pages.widgets.controls import linked
from explorer.pages.widgets.problems import expected_errors
from explorer.pages.widgets.work_bar import is_stopped, telling, work_bar

if TYPE_CHECKING:  # it imports torch
    from explorer.pages.orbit.live import OrbitWork


def page() -> None:
    """The whole page, top to bottom."""
    open_what_was_asked_for()
    st.markdown("### Orbit: the error for every transform at once")
    view = controls()
    status = steady("orbit-work", height_rem=3).empty()
    if st.session_state.get("orbit-drawn") != repr(view):
        status.caption(f"Starting: {view.network.name} …")
    if not view.roles:
        status.caption("No network is switched on: choose one above.")
        return
    with expected_errors():
        from explorer.pages.orbit import live  # late: it imports torch, which takes seconds

        layer, shift_layer = _layer_control(view)
        work = live.work_of(view, layer, shift_layer)
        if not work.orbit.variants:
            status.caption(f"For {view.network.name} there is no such network: choose another one above.")
            return
        progress = _progress(status, work)
        _draw(work)
        st.session_state["orbit-drawn"] = repr(view)
        if work.left and not is_stopped("orbit", _subject(work)):
            live.measure_some(work, telling(progress, _state(work)))
            st.rerun()


def _layer_control(view: OrbitView) -> tuple[str, str]:
    """The layer of the plots, and that of the shifts."""
    from explorer.pages.orbit import live
    from explorer.studies.orbit import LOGITS

    names, first = live.layers_of(view)
    if st.session_state.get("layer_of_orbit") not in names:  # of another network, or of an old link
        st.session_state.pop("layer_of_orbit", None)
    left, right = st.columns([2, 1])
    layer = left.selectbox(
        "Layer",
        names,
        index=first,
        help="The layer at which errors are compared, beside the logits. At first it is one that breaks by itself.",
        key="layer_of_orbit",
    )
    where = right.segmented_control(
        "Shifts at",
        ("layer", LOGITS),
        default="layer",
        required=True,
        help="At the layer: its error. At the logits: how much they change.",
        **linked("shifts"),
    )
    return str(layer), LOGITS if where == LOGITS else str(layer)


# ------------------------------------------------------------------------------------------------------------ progress


def _progress(status: DeltaGenerator, work: "OrbitWork") -> DeltaGenerator:
    """The progress bar, or one line when all is measured."""
    if work.left:
        with status.container():
            return work_bar("orbit", _subject(work), work.fraction, _state(work))
    count = len(work.view.pictures)
    done = status.container(key="orbit-done")
    done.caption(f"All transforms are measured, on {count} picture{'s' * (count > 1)}.")
    return status


def _state(work: "OrbitWork") -> str:
    return f"{len(work.found)} of {len(work.found) + len(work.left)} batches of transforms are measured"


def _subject(work: "OrbitWork") -> str:
    return repr((work.view, work.layer, work.shift_layer))


def _draw(work: "OrbitWork") -> None:
    from explorer.pages.orbit.plots import polar_plots, shifts, turned_picture

    polar_plots(work)
    turned_picture(work)
    shifts(work)
    links(work)


page()
