"""The Break it page: a network is trained to tell a picture from its own transform, or the picture is changed.

This file imports no torch, so that the page appears at once; what computes is in `break_it_live`.
"""

import time
from abc import ABC, abstractmethod
from types import ModuleType
from typing import Any

import streamlit as st

from equivariance.errors import EquivarianceError
from equivariance.groups.transforms import label_of
from explorer.pages.break_it.controls import CHANGE, TRAIN, View, controls
from explorer.pages.look.sheet import SIGNS, Chart, draw_chart
from explorer.pages.session.shared import steady
from explorer.pages.widgets.commands import options
from explorer.pages.widgets.controls import linked
from explorer.pages.widgets.problems import expected_errors

_PIECE_S, _LONG_PIECE_S = 0.4, 1.0  # of work between two drawings
_STARTED, _STOPPED, _JOB = "break_started", "break_stopped", "break_job"
_LOGITS = "logits"
_IDEA = {
    TRAIN: "The network learns to tell the picture x from its transform g·x. If it is exactly equivariant, both always "
    "get the same answer: whatever it learns, the loss stays at ln 2 = 0.6931, a coin toss. If not, it will learn.",
    CHANGE: "The weights stay as they are. Gradient ascent changes the pixels to make the equivariance error "
    "‖Φ(g·x) − ρ(g)Φ(x)‖ / ‖Φ(x)‖ as large as possible. In an exact network nothing but rounding can be found.",
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
        help="Training changes the weights and keeps the picture; the other way round the weights are fixed.",
        **linked("break"),
    )
    st.markdown(_IDEA[str(mode)])
    if mode == TRAIN and view.trained is not None:
        st.caption("It starts from the trained weights, with a new classifier of two classes.")
    with st.spinner("Starting …"):
        _computing()
    with expected_errors():
        work = _Training(view) if mode == TRAIN else _Search(view)
        _links(view, work.command)
        work.draw()


def _computing() -> ModuleType:
    """What trains: torch takes seconds to import, so it comes after all that can be shown without."""
    from explorer.pages.break_it import live as break_it_live

    return break_it_live


class _Work(ABC):
    """Long work of one view, a piece in each run of the page: draw what there is, go on, and run the page again.

    Within one run no chart could be drawn twice under its key, and a chart without its key loses its place.
    """

    verb = ""

    def __init__(self, view: View) -> None:
        self.view = view
        self.key = f"{self.verb} {view.key}"

    def draw(self) -> None:
        """Show the work, and do a piece of it if it starts by itself or was started."""
        job_key, job = st.session_state.get(_JOB, (None, None))
        if job_key != self.key:
            job = None
        done = _computing().finished(self.key)
        is_started = self.view.is_quick or st.session_state.get(_STARTED) == self.key
        if done:
            self._show(done[0], f"{self.steps_of(done[0])} steps.", key="all-done")
        elif is_started and st.session_state.get(_STOPPED) != self.key:
            self._go_on(job)
        elif job is not None:
            self._show(job.parts, f"Stopped after {job.made} of {job.total} steps.", button=self._button("Continue"))
        else:
            self._show((), "It starts when you say so.", button=self._button(self.verb))

    def _go_on(self, job: Any) -> None:
        """A piece of the work; a fault in it ends the work."""
        stop = {"label": "Stop", "icon": ":material/stop:", "on_click": self._stop, "help": "Keeps what there is."}
        if job is None:
            job = self.job()
            st.session_state[_JOB] = (self.key, job)
        self._show(job.parts, f"{job.made} of {job.total} steps. Any change stops it.", button=stop)
        until_s = time.monotonic() + (_PIECE_S if self.view.is_quick else _LONG_PIECE_S)
        try:
            job.advance(lambda: time.monotonic() > until_s)
        except EquivarianceError:
            st.session_state[_STOPPED] = self.key
            del st.session_state[_JOB]
            raise
        if job.made == job.total:
            _computing().finished(self.key).append(job.parts)
            del st.session_state[_JOB]  # with the networks
        st.rerun()

    def _button(self, label: str) -> dict[str, Any]:
        return {
            "label": label,
            "icon": ":material/play_arrow:",
            "on_click": self._start,
            "help": "Any change stops it.",
        }

    def _start(self) -> None:
        st.session_state[_STARTED] = self.key
        st.session_state.pop(_STOPPED, None)

    def _stop(self) -> None:
        st.session_state[_STOPPED] = self.key

    def _show(self, parts: Any, line: str, *, button: dict[str, Any] | None = None, key: str | None = None) -> None:
        """Cards, the line below them with its button, charts and pictures."""
        for column, part in zip(st.columns(2), parts, strict=False):
            with column.container(border=True):
                self.card(part)
        place = steady("break-work", height_rem=2.75)
        with place, st.container(horizontal=True, vertical_alignment="center", key=key):
            if button is not None:
                st.button(key="break-button", **button)  # one key: a button, whatever it says
            st.caption(line)
        if not parts or self.steps_of(parts) < 0:
            return
        charts, pictures = self.charts(parts)
        for row, key in ((charts, "break"), (pictures, "break-pictures")):
            for number, (column, (title, chart)) in enumerate(zip(st.columns(len(row)), row.items(), strict=True)):
                with column:
                    st.markdown(f"**{title}**")
                    draw_chart(chart, key=f"{key}-{number}", about=self.key)
                    if row is pictures:
                        st.caption(chart.alt)

    @property
    @abstractmethod
    def command(self) -> str:
        """The command line that does the work of the first of the two sizes and gives the same numbers."""

    @abstractmethod
    def job(self) -> Any:
        """The work, before its first piece."""

    @abstractmethod
    def steps_of(self, parts: Any) -> int:
        """How many steps were made; −1 before the first result."""

    @abstractmethod
    def card(self, part: Any) -> None:
        """Draw what is said of one size."""

    @abstractmethod
    def charts(self, parts: Any) -> tuple[dict[str, Chart], dict[str, Chart]]:
        """Curves of both sizes together, and pictures of each, by title."""


class _Training(_Work):
    verb = "Train"

    @property
    def command(self) -> str:
        view = self.view
        return _command(view, f"break --steps {view.steps} --learning-rate {view.learning_rate:g}", "float32")

    def job(self) -> Any:
        return _computing().TrainingJob(self.view)

    def steps_of(self, parts: Any) -> int:
        return len(parts[0].steps) - 1

    def card(self, part: Any) -> None:
        _training_card(part, self.view)

    def charts(self, parts: Any) -> tuple[dict[str, Chart], dict[str, Chart]]:
        live = _computing()
        return live.training_charts(parts), {
            f"What it sees at {lane.label}": live.insight_chart(lane) for lane in parts
        }


class _Search(_Work):
    verb = "Search"

    def __init__(self, view: View) -> None:
        super().__init__(view)
        chosen = st.selectbox(
            "Error of",
            (_LOGITS, *_computing().layers_of_view(view)),
            help="The layer whose error is made as large as possible: Φ in the formula.",
            **linked("pushed"),
        )
        self.layer = None if chosen == _LOGITS else str(chosen)
        self.key += f" {chosen}"

    @property
    def command(self) -> str:
        return _command(self.view, f"worst --layer {self.layer}" if self.layer else "worst", "float64")

    def job(self) -> Any:
        return _computing().SearchJob(self.view, self.layer)

    def steps_of(self, parts: Any) -> int:
        return len(parts[0].errors) - 1

    def card(self, part: Any) -> None:
        _search_card(part, self.view)

    def charts(self, parts: Any) -> tuple[dict[str, Chart], dict[str, Chart]]:
        live = _computing()
        pictures = {f"The picture at {hunt.label}": live.pictures_chart(hunt) for hunt in parts}
        return {"Largest error": live.search_chart(parts)}, pictures


# --------------------------------------------------------------------------------------------------------------- parts


def _training_card(lane: Any, view: View) -> None:
    """Theory, measurement and training of one size, apart."""
    st.markdown(f"#### {view.network.name} at {lane.label}")
    st.markdown(f"**Theory** {SIGNS.get(lane.predicted, '')} {lane.predicted} under {label_of(view.element.name)}")
    st.caption(lane.reason)
    weights = "random" if view.trained is None else "trained"
    st.markdown(f"**Measurement** error of the logits {lane.measured_error:.1e}, {weights} weights")
    if not lane.steps:
        return
    first, last = lane.steps[0], lane.steps[-1]
    sign = "○" if lane.outcome.verdict == "broken" else "●"
    is_done = last.step == view.steps
    verdict = f"{sign} {lane.outcome.verdict}" if is_done or sign == "○" else "not broken so far"
    st.markdown(f"**Training** {verdict}: loss {first.loss:.4f} → {last.loss:.4f}, accuracy {last.accuracy:.0%}")
    if lane.outcome.contradicts:
        st.error(lane.outcome.sentence)
    elif is_done:
        st.caption(lane.outcome.sentence)


def _search_card(hunt: Any, view: View) -> None:
    """Theory and the search of one size, apart."""
    st.markdown(f"#### {view.network.name} at {hunt.label}")
    st.markdown(f"**Theory** {SIGNS.get(hunt.predicted, '')} {hunt.predicted} under {label_of(view.element.name)}")
    if not hunt.errors:
        return
    st.markdown(f"**Search** error {hunt.errors[0]:.1e} → {hunt.errors[-1]:.1e}, float64")
    if hunt.contradicts:
        st.error("Theory calls the network exact and the search broke it: a bug or a discovery. Please report it.")
    else:
        st.caption("Nothing but rounding was found." if hunt.is_rounding else "A picture shows how large it can get.")


def _links(view: View, command: str) -> None:
    with st.popover("Copy as command", icon=":material/terminal:", help="The same work in a terminal."):
        st.caption("The same numbers in a terminal, for one size:")
        st.code(command, language="bash", wrap_lines=True)
        if view.gallery is None:
            st.caption("Put the path of your picture in the place of PICTURE.")


def _command(view: View, verb: str, dtype: str) -> str:
    """The command line of `verb` for the first of the two sizes."""
    picture = view.gallery or "PICTURE"
    shared = options(view.network, picture=picture, how="resize", seed=view.seed, dtype=dtype, trained=view.trained)
    chosen = f"--network {view.network.name} --size {view.sizes_px[0]} --transform {view.element.name}"
    return " ".join([f"python -m explorer {verb} {chosen}", *shared])


page()
