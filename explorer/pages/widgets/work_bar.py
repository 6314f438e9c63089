"""The bar of a page that measures for long: how far it is, with Stop beside it, or Continue.

The page's runs measure for a moment and draw in between. A visitor who stops one subject (the view as text) has
stopped only that one: after any change of the view, measuring continues.
"""

import time
from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

_BETWEEN_UPDATES_S = 0.2


def is_stopped(page: str, subject: str) -> bool:
    """Whether the visitor has stopped this very subject on the page of that name."""
    return bool(st.session_state.get(f"{page}-stopped") == subject)


def work_bar(page: str, subject: str, fraction: float, state: str) -> DeltaGenerator:
    """Draw the bar, `fraction` 0..1, with `state` in words; returns its place, for `telling`."""
    stopped = is_stopped(page, subject)
    with st.container(horizontal=True, vertical_alignment="center"):
        place = st.empty()
        place.progress(fraction, text=f"Stopped: {state}" if stopped else state)
        label, icon = ("Continue", "play_arrow") if stopped else ("Stop", "stop")
        st.button(
            label,
            key=f"{page}-stop-or-continue",
            icon=f":material/{icon}:",
            on_click=_set_stopped,
            args=(page, None if stopped else subject),
            help="Everything measured so far is kept.",
        )
    return place


def _set_stopped(page: str, subject: str | None) -> None:
    st.session_state[f"{page}-stopped"] = subject


def telling(place: DeltaGenerator, state: str) -> Callable[[float], None]:
    """What moves the bar when it is told a fraction, a few times a second; each message lets Streamlit end the run."""
    last_s = 0.0

    def tell(fraction: float) -> None:
        nonlocal last_s
        if time.monotonic() - last_s > _BETWEEN_UPDATES_S:
            last_s = time.monotonic()
            place.progress(min(fraction, 1.0), text=state)

    return tell
