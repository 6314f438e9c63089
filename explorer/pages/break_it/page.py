"""The Break it page: a network is trained to tell a picture from its own transform, or the picture is changed.

This file imports no torch, so that the page appears at once; what computes is in `live`, and drawn by `work`.
"""

import streamlit as st

from explorer.pages.break_it.controls import CHANGE, TRAIN, BreakItView, controls
from explorer.pages.widgets.controls import linked
from explorer.pages.widgets.problems import expected_errors

_IDEA = {
    TRAIN: "The network learns to tell the picture x from its transform g·x. If the network is exactly equivariant, "
    "both always get the same answer: whatever it learns, the loss stays at ln 2 = 0.6931, that of a coin toss. If it "
    "is not, it will learn.",
    CHANGE: "The weights stay as they are. Gradient ascent changes the pixels to make the equivariance error "
    "‖Φ(g·x) − ρ(g)Φ(x)‖ / ‖Φ(x)‖ as large as possible. In an exact network it can find nothing but rounding.",
}


def page() -> None:
    """The whole page, top to bottom."""
    view = controls()
    st.markdown("### Can it be broken?")
    mode = st.segmented_control(
        "What may change",
        (TRAIN, CHANGE),
        default=TRAIN,
        required=True,
        help="Either training changes the weights and the picture stays, or the picture changes and the weights stay.",
        **linked("break"),
    )
    st.markdown(_IDEA[str(mode)])
    if mode == TRAIN and view.trained is not None:
        st.caption("It starts from the trained weights, with a new classifier of two classes.")
    with st.spinner("Starting …"):
        from explorer.pages.break_it.work import work_on  # late: torch takes seconds to import
    with expected_errors():
        work = work_on(view, str(mode))
        _links(view, work.command)
        work.draw()


def _links(view: BreakItView, command: str) -> None:
    with st.popover("Copy as command", icon=":material/terminal:", help="A command that does the same in a terminal."):
        st.caption("This command gives the same numbers in a terminal, for one size:")
        st.code(command, language="bash", wrap_lines=True)
        if view.gallery is None:
            st.caption("Replace PICTURE with the path of your picture.")


page()
