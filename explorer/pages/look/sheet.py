"""What the Look page shows of a view, as plain values: made by a measurement, or read from the stored opening view."""

from dataclasses import dataclass, field

import streamlit as st

from explorer.pages.look.controls import View
from explorer.pages.session.shared import settings
from explorer.pages.widgets.charts import SIGNS, Chart, draw_chart, set_control
from explorer.pages.widgets.sampling_view import reasons_popover
from explorer.pages.widgets.trained import choose
from explorer.serving.shipped import shipped
from explorer.training.recipe import SHIPPED

TO_SHOW = "p4-cnn-29"  # of the weights in assets: one pixel from exact


@dataclass(frozen=True)
class Turn:
    """The answer for one turn: words for it, the picture as PNG in base64, and the likeliest (class, share)."""

    words: str
    png: str = field(repr=False)
    top: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Answers:
    """The answers of a trained network for the four turns: in a sentence, for each, and the logits as bars."""

    sentence: str
    is_changing: bool
    turns: tuple[Turn, ...]
    logits: Chart


@dataclass(frozen=True)
class Sheet:
    """All that is drawn of one view. `payload` is what `packing.pack_view` made; texts are Markdown.

    subject: network, parameters and size, in one line.
    kind, headline, reason: the verdict.
    problems, remarks: what contradicts the theory; what this picture does not show.
    mends: (key of the control, side in pixels, label) of each exact size near.
    first_broken: the layer that symmetric subsampling would mend first, if any.
    before: what a mended network was as published.
    exact_sizes: the same in one line, for the place under the size.
    sentences: the explanation.
    made: device, precision and time.
    logits: of all transforms; of trained networks those that `answers` leaves out, None where there are none.
    answers: of trained networks alone.
    reasons: drawings of the layer that decides, as `sampling_view` takes them.
    """

    subject: str
    kind: str
    headline: str
    reason: str
    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    mends: tuple[tuple[str, int, str], ...]
    first_broken: str | None
    before: str
    exact_sizes: str
    sentences: tuple[str, ...]
    made: str
    errors: Chart
    logits: Chart | None
    answers: Answers | None = None
    reasons: tuple[str, ...] = field(repr=False, default=())
    payload: bytes = field(repr=False, default=b"")


@dataclass(frozen=True)
class Shown:
    """A view and what was found."""

    view: View
    sheet: Sheet


def draw_verdict(sheet: Sheet, *, made: str) -> None:
    """The card at the top: headline, reason, exact sizes as buttons, explanation."""
    st.html("<style>.st-key-reason {min-height: 3.2em}</style>")  # two lines, so that what follows stays where it is
    with st.container(border=True):
        st.markdown(f"### {SIGNS[sheet.kind]} {sheet.headline}")
        with st.container(key="reason"):
            st.markdown("  \n".join(filter(None, (sheet.reason, sheet.before))))
        for problem in sheet.problems:
            st.error(problem)
        for remark in sheet.remarks:
            st.info(remark)
        is_mended = bool(sheet.before) and sheet.kind == "exact"  # at every size
        with st.container(horizontal=True, vertical_alignment="center"):
            for key, side_px, label in sheet.mends:
                if side_px <= settings().max_size_px and not is_mended:
                    st.button(
                        label,
                        key=f"exact-{key}-{side_px}",
                        on_click=set_control,
                        args=(key, side_px),
                        help="The nearest size at which every sampling grid is centred.",
                    )
            _mend_buttons(sheet)
            reasons_popover(sheet.reasons, key="reasons")
            with st.popover(
                "What am I looking at?", icon=":material/help:", help="This view explained in five sentences."
            ):
                for sentence in sheet.sentences:
                    st.markdown(sentence)
            st.space("stretch")
            st.caption(made, width="content")


def _mend_buttons(sheet: Sheet) -> None:
    """Switch symmetric subsampling on, for all layers or the first that breaks, or off again."""
    if sheet.before:
        st.button("As published", on_click=_subsample, args=("published",), help="Switches the mend off.")
    elif sheet.first_broken:
        st.button(
            "Mend it",
            icon=":material/healing:",
            on_click=_subsample,
            args=("symmetric",),
            help="Switches on symmetric subsampling: exact at this size, with the same weights and feature sizes.",
        )
        st.button(
            "one layer",
            on_click=_subsample,
            args=("symmetric", sheet.first_broken),
            help=f"Mend only {sheet.first_broken}, and see what is left.",
        )


def _subsample(subsampling: str, only: str | None = None) -> None:
    st.session_state["subsampling"] = subsampling
    st.query_params.pop("only", None)
    if only is not None:
        st.query_params["only"] = only


def draw_charts(sheet: Sheet) -> None:
    """Error per layer, and the logits."""
    left, right = st.columns([3, 2]) if sheet.logits is not None else (st.container(), None)
    with left:
        st.markdown(
            "**Error by layer**",
            help="‖Φ(g·x) − ρ(g)Φ(x)‖ / ‖Φ(x)‖ for every layer Φ. Dotted lines mark layers that break by themselves; "
            "all later layers inherit their error.",
        )
        draw_chart(sheet.errors, key="error-per-layer", about=sheet.subject)
    if right is not None and sheet.logits is not None:
        with right:
            st.markdown("**Logits**", help="The network's answers for the picture and for each of its transforms.")
            draw_chart(sheet.logits, key="logits")
            _about_logits(sheet)


def _about_logits(sheet: Sheet) -> None:
    if sheet.answers is not None:
        st.caption("The transforms other than the four turns.")
        return
    st.caption("Random weights: the classes mean nothing; what counts is whether the bars of a class agree.")
    if shipped():
        st.button(
            "Use trained weights",
            key="use-trained",
            icon=":material/model_training:",
            on_click=choose,
            args=(f"{SHIPPED}{TO_SHOW}",),
            help="A network that reads handwritten digits, with a digit: what does it answer when the digit is turned?",
        )
