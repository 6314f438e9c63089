"""Runs a grid through the store and the workers of the Train page: runs that are finished there are not repeated."""

import datetime
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from explorer.reproduction.results import Results, Session, check_same, seed_run, session_of
from explorer.reproduction.studies import Case, Study
from explorer.runs.limits import MAX_WAITING
from explorer.runs.machine import hardware, versions_in
from explorer.runs.store import Run, Store
from explorer.training.recipe import RUN, Recipe

_MOST_RESUMES = 3  # of a run whose worker goes away again and again


@dataclass(frozen=True)
class Wanted:
    """One run of the grid."""

    case: Case
    seed: int


@dataclass(frozen=True)
class Standing:
    """How far a grid is. `epochs_done` counts parts of epochs too; `failures` are sentences.

    later: those of the waiting that are not queued yet: there is no room, or they start from one that is not finished.
    """

    finished: int
    running: int
    waiting: int
    later: int
    failures: tuple[str, ...]
    epochs_done: float
    epochs: int

    @property
    def is_over(self) -> bool:
        """Whether nothing is left that could be run."""
        return not self.running and not self.waiting


class Grid:
    """Cases times seeds, in a store. `advance` does what can be done now and says how far it is.

    Runs of visitors are left alone. ahead: so many runs wait at once, so that visitors find room in the queue.
    check_room: called before each run that is made; may raise.
    results: those there are; runs that are in them are not run again. Raises ResultsError where they are of other
    recipes. bases: the cases that others start from. on_results: told the results after each run that finishes.
    """

    def __init__(
        self,
        store: Store,
        studies: Sequence[Study],
        seeds: int,
        results: Results,
        *,
        bases: Iterable[Case] = (),
        command: str,
        on_results: Callable[[Results], None],
        ahead: int = MAX_WAITING // 2,
        check_room: Callable[[], None] = lambda: None,
    ) -> None:
        self.results = results
        self._ahead, self._check_room = ahead, check_room
        self.store, self._command, self._on_results = store, command, on_results
        self._cases = {case.key: case for study in studies for case in study.cases}
        self._bases = {case.key: case for case in bases}
        # Seeds outside: whatever is cut off, all cases have the same seeds, but for one.
        self._wanted = [Wanted(case, seed) for seed in range(seeds) for study in studies for case in study.cases]
        self._resumes: dict[str, int] = {}
        self._begun_s, self._queued = time.time(), 0
        check_same(results, {key: case.recipe.document() for key, case in self._cases.items()})

    def advance(self) -> Standing:
        """Queue what is not there yet, resume what was interrupted, collect what is finished."""
        runs = _by_recipe(self.store.list(None, ownerless=True))
        self._queued = sum(run.state == "queued" for run in runs.values())
        finished, running, waiting, later, done = 0, 0, 0, 0, 0.0
        failures = []
        for wanted in self._wanted:
            if self._is_there(wanted):
                state, part, sentence = "finished", 1.0, ""
            else:
                state, part, sentence = self._handle(wanted, runs)
            finished += state == "finished"
            running += state == "running"
            waiting += state in ("queued", "later")
            later += state == "later"
            done += part * wanted.case.recipe.epochs
            failures += [sentence] if sentence else []
        epochs = sum(wanted.case.recipe.epochs for wanted in self._wanted)
        return Standing(finished, running, waiting, later, tuple(dict.fromkeys(failures)), done, epochs)

    def _is_there(self, wanted: Wanted) -> bool:
        return wanted.seed in self.results.cases.get(wanted.case.key, {})

    def _handle(self, wanted: Wanted, runs: dict[Recipe, Run]) -> tuple[str, float, str]:
        """(state, part done, sentence if it failed) of a run whose result is not there yet."""
        recipe = self._recipe(wanted, runs)
        if recipe is None:
            return self._handle_base(wanted, runs)
        run = runs.get(recipe)
        if run is None:
            if not self._may_queue():
                return "later", 0.0, ""
            self._check_room()
            runs[recipe] = self.store.create(recipe, owner=None, name=_name(wanted))
            return "queued", 0.0, ""
        if run.state == "finished":
            self._collect(wanted, run)
            return "finished", 1.0, ""
        if run.is_resumable and self._may_resume(run):
            if not self._may_queue():
                return "later", _part(run), ""
            self._resumes[run.id] = self._resumes.get(run.id, 0) + 1
            self.store.resume(run.id, None)
            runs[recipe] = replace(run, state="queued")
            return "queued", _part(run), ""
        if run.is_resumable:
            return run.state, _part(run), f"{_name(wanted)}: {run.state}. {run.error}".strip()
        return run.state, _part(run), ""

    def _recipe(self, wanted: Wanted, runs: dict[Recipe, Run]) -> Recipe | None:
        """What to train; None while the run that it starts from is not finished."""
        if not wanted.case.base:
            return wanted.case.seeded(wanted.seed)
        base = runs.get(self._bases[wanted.case.base].seeded(wanted.seed))
        if base is None or base.state != "finished":
            return None
        return wanted.case.seeded(wanted.seed, start=f"{RUN}{base.id}")

    def _handle_base(self, wanted: Wanted, runs: dict[Recipe, Run]) -> tuple[str, float, str]:
        """Take care of the run that `wanted` starts from: its weights are needed, even where its result is known."""
        _, _, sentence = self._handle(Wanted(self._bases[wanted.case.base], wanted.seed), runs)
        return ("failed", 0.0, sentence) if sentence else ("later", 0.0, "")

    def _may_queue(self) -> bool:
        """Whether one more may wait; it is counted."""
        if self._queued >= self._ahead:
            return False
        self._queued += 1
        return True

    def _may_resume(self, run: Run) -> bool:
        """What stopped before this command is taken up again; later, only what was interrupted."""
        if (run.ended_s or 0.0) < self._begun_s:
            return True
        return run.state == "interrupted" and self._resumes.get(run.id, 0) < _MOST_RESUMES

    def _collect(self, wanted: Wanted, run: Run) -> None:
        if self._is_there(wanted):
            return
        found = seed_run(wanted.seed, run.recipe.document(), self.store.epochs(run.id))
        self.results = self.results.with_run(wanted.case.key, found, self._session(run))
        self._on_results(self.results)

    def _session(self, run: Run) -> Session:
        ended = datetime.datetime.fromtimestamp(run.ended_s or run.created_s, datetime.UTC)
        return session_of(
            self._command,
            date=ended.date().isoformat(),
            hardware=(run.facts and run.facts.hardware) or hardware(run.device),
            versions=versions_in(run.facts.software if run.facts else ""),
            precision=run.facts.precision if run.facts else "",
        )


def _by_recipe(runs: Iterable[Run]) -> dict[Recipe, Run]:
    """The run of each recipe that is nearest to its end, the oldest of equals."""
    order = ("finished", "running", "queued", "interrupted", "cancelled", "failed")
    ordered = sorted(runs, key=lambda run: (order.index(run.state), run.created_s))
    found: dict[Recipe, Run] = {}
    for run in ordered:
        found.setdefault(run.recipe, run)
    return found


def _name(wanted: Wanted) -> str:
    return f"{wanted.case.key} seed {wanted.seed}"


def _part(run: Run) -> float:
    return 0.0 if run.progress is None or not run.progress.steps else run.progress.step / run.progress.steps
