"""The part of the Break it page that computes: trainings and searches of both sizes at once. Imports torch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import BoundedSemaphore

import plotly.graph_objects as go
import streamlit as st
from torch import Tensor

from equivariance.kept import Kept
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.relative import relative_error
from explorer.figures import breaking as breaking_figures
from explorer.pages.break_it.controls import BreakItView
from explorer.pages.session.live import engine, freeze
from explorer.pages.session.shared import settings
from explorer.pages.widgets.charts import Chart, chart_of
from explorer.pages.widgets.tensors import weights_of
from explorer.pictures.fitting import fit
from explorer.serving.engine import Request
from explorer.serving.memory import kept_bytes
from explorer.studies.breaking import (
    Attempt,
    Insight,
    Outcome,
    TrainedStep,
    Training,
    check,
    predicted_by_theory,
    step_bytes,
)
from explorer.studies.worst_picture import (
    STEPS,
    Search,
    copy_bytes,
    layers_to_push,
    search_bytes,
    worst_picture,
)

_DTYPE = "float64"  # of searches: rounding is then far below any break
_WAIT_S = 0.5


@dataclass
class TrainedSize:
    """One size while it is trained: what theory and measurement say, and the steps so far."""

    size_px: int
    predicted: str
    reason: str
    measured_error: float
    steps: list[TrainedStep] = field(default_factory=list)
    insight: Insight | None = None

    @property
    def label(self) -> str:
        """`32 px`."""
        return f"{self.size_px} px"

    @property
    def outcome(self) -> Outcome:
        """Of the steps so far; there is one at least."""
        return Outcome(self.predicted, tuple(step.loss for step in self.steps))


@dataclass
class SearchedSize:
    """One size while the worst picture is looked for."""

    size_px: int
    predicted: str
    start: Tensor
    errors: list[float] = field(default_factory=list)
    found: Tensor | None = None

    @property
    def label(self) -> str:
        """`32 px`."""
        return f"{self.size_px} px"

    @property
    def is_rounding(self) -> bool:
        """Whether the largest error so far is no more than rounding."""
        return self.errors[-1] <= ROUNDING_LEVEL[_DTYPE]

    @property
    def contradicts(self) -> bool:
        """Whether the search broke what theory calls exact."""
        return self.predicted == "exact" and not self.is_rounding


TrainedSizes = tuple[TrainedSize, ...]
SearchedSizes = tuple[SearchedSize, ...]


class TrainingJob:
    """Both sizes of a view, trained in turns, a piece at a time; raises EquivarianceError if they cannot be."""

    def __init__(self, view: BreakItView) -> None:
        attempts = [_attempt(view, size_px) for size_px in view.sizes_px]
        for attempt in attempts:
            check(attempt)
        self._room = partial(engine().room, max(step_bytes(engine(), each) for each in attempts), _work_of(view))
        with self._room(), engine().room(len(attempts) * kept_bytes(view.network), _work_of(view)):
            self._trainings = [Training(attempt) for attempt in attempts]
        self._steps = zip(*self._trainings, strict=True)
        self.parts: TrainedSizes = tuple(_untrained(view, size_px) for size_px in view.sizes_px)
        self.total = view.steps
        freeze()

    @property
    def made(self) -> int:
        """Steps so far."""
        return max(0, len(self.parts[0].steps) - 1)

    def advance(self, is_due: Callable[[], bool]) -> None:
        """Train until something `is_due`, or the end; at least one step where there is a place for it.

        Steps are shown with their insight or not at all: another run of the page may draw them meanwhile.
        """
        made: list[tuple[TrainedStep, ...]] = []
        with _place() as is_free:
            if not is_free:
                return
            with self._room():
                for steps in self._steps:
                    made.append(steps)
                    if is_due():
                        break
            for number, (size, training) in enumerate(zip(self.parts, self._trainings, strict=True)):
                size.insight = training.insight()
                size.steps.extend(steps[number] for steps in made)


class SearchJob:
    """The worst pictures of both sizes for the weights of a view, a piece at a time."""

    def __init__(self, view: BreakItView, layer: str | None) -> None:
        served = engine().served(view.network, view.seed, _DTYPE, weights_of(view.trained))
        self.parts: SearchedSizes = tuple(
            SearchedSize(size_px, predicted_by_theory(engine(), _attempt(view, size_px))[0], _fitted(view, size_px))
            for size_px in view.sizes_px
        )
        searches = [Search(size.start, view.element, layer) for size in self.parts]
        self._room = partial(engine().room, max(search_bytes(served, each) for each in searches), _work_of(view))
        with self._room(), engine().room(len(searches) * copy_bytes(served), _work_of(view)):
            self._steps = zip(*(worst_picture(served, search) for search in searches), strict=True)
        self.total = STEPS

    @property
    def made(self) -> int:
        """Steps so far."""
        return max(0, len(self.parts[0].errors) - 1)

    def advance(self, is_due: Callable[[], bool]) -> None:
        """Search until something `is_due`, or the end; at least one step where there is a place for it."""
        with _place() as is_free:
            if not is_free:
                return
            with self._room():
                for finds in self._steps:
                    for size, found in zip(self.parts, finds, strict=True):
                        size.errors.append(found.error)
                        size.found = found.picture
                    if is_due():
                        break


_finished_trainings: Kept[list[TrainedSizes]] = Kept(16)
_finished_searches: Kept[list[SearchedSizes]] = Kept(16)


def finished_trainings(key: str) -> list[TrainedSizes]:
    """A list for the finished training of `key`, shared by all visitors: empty until one has it."""
    return _finished_trainings.get(key, list)


def finished_searches(key: str) -> list[SearchedSizes]:
    """The same for searches."""
    return _finished_searches.get(key, list)


def layers_of_view(view: BreakItView) -> tuple[str, ...]:
    """The layers whose error can be raised."""
    served = engine().served(view.network, view.seed, _DTYPE, weights_of(view.trained))
    return layers_to_push(served, view.element)


def _work_of(view: BreakItView) -> str:
    return f"Breaking {view.network.name} at {max(view.sizes_px)} px"


def _untrained(view: BreakItView, size_px: int) -> TrainedSize:
    """One size before training: theory, and the error measured with the initial weights."""
    attempt = _attempt(view, size_px)
    predicted, _ = predicted_by_theory(engine(), attempt)
    request = Request(view.network, view.seed, attempt.picture, weights=attempt.weights)
    inspection = engine().inspect(request, own_errors=False)
    error = inspection.measurement.output_error[view.element.name]
    return TrainedSize(size_px, predicted, inspection.verdict.reason.replace("#", "\\#"), error or 0.0)


def _attempt(view: BreakItView, size_px: int) -> Attempt:
    engine().check_size(height_px=size_px, width_px=size_px)
    picture = _fitted(view, size_px)
    weights = weights_of(view.trained)
    return Attempt(view.network, picture, view.element, view.seed, view.steps, view.learning_rate, weights)


def _fitted(view: BreakItView, size_px: int) -> Tensor:
    return fit(view.picture, height_px=size_px, width_px=size_px, how="resize")


@st.cache_resource(show_spinner=False)
def _places() -> BoundedSemaphore:
    """As many pieces of work at once, over all visitors, as measurements."""
    return BoundedSemaphore(settings().concurrent_measurements)


@contextmanager
def _place() -> Iterator[bool]:
    """Whether one of the places became free in time; it is given back after each piece."""
    is_free = _places().acquire(timeout=_WAIT_S)
    try:
        yield is_free
    finally:
        if is_free:
            _places().release()


# -------------------------------------------------------------------------------------------------------------- charts


def training_charts(sizes: Sequence[TrainedSize]) -> dict[str, Chart]:
    """Loss, accuracy and the two outputs as curves, by title."""
    runs = {size.label: size.steps for size in sizes}
    ends = [(size.label, size.steps[-1]) for size in sizes]
    return {
        "Loss": _chart(
            breaking_figures.losses(runs), [f"{label}: {step.loss:.4f} after {step.step} steps" for label, step in ends]
        ),
        "Accuracy": _chart(
            breaking_figures.accuracies(runs), [f"{label}: {step.accuracy:.0%}" for label, step in ends]
        ),
        "The two outputs": _chart(
            breaking_figures.answers(runs),
            [f"{label}: x {step.answers[0]:.1%}, g·x {step.answers[1]:.1%}" for label, step in ends],
        ),
    }


def insight_chart(size: TrainedSize) -> Chart:
    """What the network sees at one size, after the first result."""
    assert size.insight is not None
    upright, returned = size.insight.evidence
    difference = float(relative_error(returned, upright))
    evidence, filters = breaking_figures.limits(size.insight)
    words = [
        "Evidence: how much each place speaks for “transformed” (blue) or against it (orange), for g·x turned back",
        f"the two maps differ by {difference:.1e} of their size",
        f"colours run from −{evidence:.2g} to {evidence:.2g}, for the filters from −{filters:.2g} to {filters:.2g}",
    ]
    return _chart(breaking_figures.insight(size.insight), words)


def search_chart(sizes: Sequence[SearchedSize]) -> Chart:
    """The errors of both sizes."""
    words = [f"{size.label}: {size.errors[0]:.1e} at the start, {size.errors[-1]:.1e} now" for size in sizes]
    return _chart(breaking_figures.errors({size.label: size.errors for size in sizes}), words)


def pictures_chart(size: SearchedSize) -> Chart:
    """Start and worst picture of one size, after the first result."""
    assert size.found is not None
    words = [f"{size.label}: the picture at the start and the one with the largest error"]
    return _chart(breaking_figures.pictures(size.start, size.found), words)


def _chart(figure: go.Figure, words: list[str]) -> Chart:
    return chart_of(figure, f"{'; '.join(words)}.")
