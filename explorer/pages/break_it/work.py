"""Long work of the Break it page, drawn and driven on a piece at a time: trainings and searches. Imports torch."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import streamlit as st

from equivariance.errors import EquivarianceError
from equivariance.groups.transforms import label_of
from explorer.pages.break_it import live
from explorer.pages.break_it.controls import TRAIN, BreakItView
from explorer.pages.break_it.live import SearchedSize, TrainedSize
from explorer.pages.session.shared import steady
from explorer.pages.widgets.charts import SIGNS, Chart, draw_chart
from explorer.pages.widgets.commands import options
from explorer.pages.widgets.controls import linked

_PIECE_S, _LONG_PIECE_S = 0.4, 1.0  # of work between two drawings
_STARTED, _STOPPED, _JOB = "break_started", "break_stopped", "break_job"
_LOGITS = "logits"

Part = TypeVar("Part")  # what is known of one size


class Job(Protocol[Part]):
    """Work on both sizes of a view that continues when told to."""

    parts: tuple[Part, ...]
    total: int

    @property
    def made(self) -> int:
        """Steps so far, of `total`."""

    def advance(self, is_due: Callable[[], bool]) -> None:
        """Continue until something `is_due`, or the end."""


@dataclass(frozen=True)
class _Button:
    """The one button of the work."""

    label: str
    icon: str
    press: Callable[[], None]
    help: str


class _Work(ABC, Generic[Part]):
    """Long work of one view, a piece in each run of the page: draw what there is, go on, and run the page again.

    Within one run no chart could be drawn twice under its key, and a chart without its key loses its place.
    """

    verb = ""

    def __init__(self, view: BreakItView) -> None:
        self.view = view
        self.key = f"{self.verb} {view.key}"

    def draw(self) -> None:
        """Show the work, and do a piece of it if it starts by itself or was started."""
        job_key, kept = st.session_state.get(_JOB, (None, None))
        job: Job[Part] | None = kept if job_key == self.key else None
        done = self.finished()
        is_started = self.view.is_quick or st.session_state.get(_STARTED) == self.key
        if done:
            self._show(done[0], f"{self.steps_of(done[0])} steps.", key="all-done")
        elif is_started and st.session_state.get(_STOPPED) != self.key:
            self._go_on(job)
        elif job is not None:
            self._show(job.parts, f"Stopped after {job.made} of {job.total} steps.", button=self._button("Continue"))
        else:
            self._show((), "It starts when you press the button.", button=self._button(self.verb))

    def _go_on(self, job: Job[Part] | None) -> None:
        """A piece of the work; a fault in it ends the work."""
        stop = _Button("Stop", "stop", self._stop, "Keeps everything so far.")
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
            self.finished().append(job.parts)
            del st.session_state[_JOB]  # with the networks
        st.rerun()

    def _button(self, label: str) -> _Button:
        return _Button(label, "play_arrow", self._start, "Any change stops it.")

    def _start(self) -> None:
        st.session_state[_STARTED] = self.key
        st.session_state.pop(_STOPPED, None)

    def _stop(self) -> None:
        st.session_state[_STOPPED] = self.key

    def _show(self, parts: Sequence[Part], line: str, *, button: _Button | None = None, key: str | None = None) -> None:
        """Cards, the line below them with its button, charts and pictures."""
        for column, part in zip(st.columns(2), parts, strict=False):
            with column.container(border=True):
                self.card(part)
        place = steady("break-work", height_rem=2.75)
        with place, st.container(horizontal=True, vertical_alignment="center", key=key):
            if button is not None:
                st.button(
                    button.label,
                    key="break-button",  # one key: a button, whatever it says
                    icon=f":material/{button.icon}:",
                    on_click=button.press,
                    help=button.help,
                )
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
        """The command line that does the same for the first of the two sizes, with the same numbers."""

    @abstractmethod
    def job(self) -> Job[Part]:
        """The work, before its first piece."""

    @abstractmethod
    def finished(self) -> list[tuple[Part, ...]]:
        """The finished result, shared by all visitors; empty until one has come to the end."""

    @abstractmethod
    def steps_of(self, parts: Sequence[Part]) -> int:
        """How many steps were made; −1 before the first result."""

    @abstractmethod
    def card(self, part: Part) -> None:
        """Draw what is known about one size."""

    @abstractmethod
    def charts(self, parts: Sequence[Part]) -> tuple[dict[str, Chart], dict[str, Chart]]:
        """Curves of both sizes together, and pictures of each, by title."""


class _Training(_Work[TrainedSize]):
    verb = "Train"

    @property
    def command(self) -> str:
        view = self.view
        return _command(view, f"break --steps {view.steps} --learning-rate {view.learning_rate:g}", "float32")

    def job(self) -> Job[TrainedSize]:
        return live.TrainingJob(self.view)

    def finished(self) -> list[tuple[TrainedSize, ...]]:
        return live.finished_trainings(self.key)

    def steps_of(self, parts: Sequence[TrainedSize]) -> int:
        return len(parts[0].steps) - 1

    def card(self, part: TrainedSize) -> None:
        _training_card(part, self.view)

    def charts(self, parts: Sequence[TrainedSize]) -> tuple[dict[str, Chart], dict[str, Chart]]:
        return live.training_charts(parts), {
            f"What it sees at {size.label}": live.insight_chart(size) for size in parts
        }


class _Search(_Work[SearchedSize]):
    verb = "Search"

    def __init__(self, view: BreakItView) -> None:
        super().__init__(view)
        chosen = st.selectbox(
            "Error of",
            (_LOGITS, *live.layers_of_view(view)),
            help="The layer Φ whose error is made as large as possible.",
            **linked("pushed"),
        )
        self.layer = None if chosen == _LOGITS else str(chosen)
        self.key += f" {chosen}"

    @property
    def command(self) -> str:
        return _command(self.view, f"worst --layer {self.layer}" if self.layer else "worst", "float64")

    def job(self) -> Job[SearchedSize]:
        return live.SearchJob(self.view, self.layer)

    def finished(self) -> list[tuple[SearchedSize, ...]]:
        return live.finished_searches(self.key)

    def steps_of(self, parts: Sequence[SearchedSize]) -> int:
        return len(parts[0].errors) - 1

    def card(self, part: SearchedSize) -> None:
        _search_card(part, self.view)

    def charts(self, parts: Sequence[SearchedSize]) -> tuple[dict[str, Chart], dict[str, Chart]]:
        pictures = {f"The picture at {size.label}": live.pictures_chart(size) for size in parts}
        return {"Largest error": live.search_chart(parts)}, pictures


# --------------------------------------------------------------------------------------------------------------- parts


# --------------------------------------------------------------------------------------------------------------- parts


def _training_card(size: TrainedSize, view: BreakItView) -> None:
    """Theory, measurement and training of one size, apart."""
    st.markdown(f"#### {view.network.name} at {size.label}")
    st.markdown(f"**Theory** {SIGNS.get(size.predicted, '')} {size.predicted} under {label_of(view.element.name)}")
    st.caption(size.reason)
    weights = "random" if view.trained is None else "trained"
    st.markdown(f"**Measurement** error of the logits {size.measured_error:.1e}, {weights} weights")
    if not size.steps:
        return
    first, last = size.steps[0], size.steps[-1]
    sign = "○" if size.outcome.verdict == "broken" else "●"
    is_done = last.step == view.steps
    verdict = f"{sign} {size.outcome.verdict}" if is_done or sign == "○" else "not broken so far"
    st.markdown(f"**Training** {verdict}: loss {first.loss:.4f} → {last.loss:.4f}, accuracy {last.accuracy:.0%}")
    if size.outcome.contradicts:
        st.error(size.outcome.sentence)
    elif is_done:
        st.caption(size.outcome.sentence)


def _search_card(size: SearchedSize, view: BreakItView) -> None:
    """Theory and the search of one size, apart."""
    st.markdown(f"#### {view.network.name} at {size.label}")
    st.markdown(f"**Theory** {SIGNS.get(size.predicted, '')} {size.predicted} under {label_of(view.element.name)}")
    if not size.errors:
        return
    st.markdown(f"**Search** error {size.errors[0]:.1e} → {size.errors[-1]:.1e}, float64")
    if size.contradicts:
        st.error("Theory calls the network exact and the search broke it: a bug or a discovery. Please report it.")
    else:
        st.caption(
            "The search found nothing but rounding."
            if size.is_rounding
            else "The picture shows how large the error can get."
        )


def _command(view: BreakItView, verb: str, dtype: str) -> str:
    """The command line of `verb` for the first of the two sizes."""
    picture = view.gallery or "PICTURE"
    shared = options(view.network, picture=picture, how="resize", seed=view.seed, dtype=dtype, trained=view.trained)
    chosen = f"--network {view.network.name} --size {view.sizes_px[0]} --transform {view.element.name}"
    return " ".join([f"python -m explorer {verb} {chosen}", *shared])


def work_on(view: BreakItView, mode: str) -> _Training | _Search:
    """The work of a view: TRAIN trains the network, CHANGE looks for the worst picture."""
    return _Training(view) if mode == TRAIN else _Search(view)
