"""What the Paper page shows, from the results files alone: read once for all visitors, again when a file changes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import streamlit as st

from explorer.errors import ResultsError
from explorer.reproduction import claims
from explorer.reproduction.knight import KnightRuns, read_knight
from explorer.reproduction.results import Results, Session, check_same, read_results, results_path
from explorer.reproduction.sides import Sides, read_sides
from explorer.reproduction.studies import BUDGETS, STUDIES, Study

Found = TypeVar("Found")
FULL, QUICK = "full", "quick"


@dataclass(frozen=True)
class Evidence:
    """All results that there are; None: not run. problems: a sentence for each file that cannot be read.

    mnist, cifar10: of the chosen budget. studies: as they were run, by name.
    """

    knight: KnightRuns | None
    sides: Sides | None
    mnist: Results | None
    cifar10: Results | None
    problems: tuple[str, ...]

    @property
    def budget(self) -> str:
        """Of the digits: that of the results that are shown, else the quick one."""
        return QUICK if self.mnist is None else self.mnist.budget

    @property
    def studies(self) -> dict[str, Study]:
        """Those of the digits, in the budget of the results that are shown."""
        return {study.name: study for study in STUDIES["mnist"](BUDGETS["mnist"][self.budget])}

    @property
    def photographs(self) -> tuple[Study, ...]:
        """Those of CIFAR-10."""
        budget = BUDGETS["cifar10"][QUICK if self.cifar10 is None else self.cifar10.budget]
        return STUDIES["cifar10"](budget)


def budgets_there(experiment: str = "mnist") -> list[str]:
    """The budgets of which there are results, the authors' own first; that one where there are none."""
    return [name for name in (FULL, QUICK) if results_path(experiment, name).exists()] or [FULL]


def evidence(budget: str) -> Evidence:
    """Everything that was run, the digits with this budget."""
    problems: list[str] = []

    def read(path: Path, how: Callable[[Path], Found | None]) -> Found | None:
        try:
            return _read(path, how)
        except ResultsError as error:
            problems.append(str(error))
            return None

    (photographs, *_) = budgets_there("cifar10")
    return Evidence(
        read(results_path("knight"), read_knight),
        read(results_path("sizes"), read_sides),
        read(results_path("mnist", budget), partial(_results, experiment="mnist")),
        read(results_path("cifar10", photographs), partial(_results, experiment="cifar10")),
        tuple(problems),
    )


def findings(found: Evidence) -> dict[str, claims.Finding]:
    """What is found of each claim, in the order of the page."""
    return claims.judged(
        {
            "breaking": claims.learns_to_break(found.knight),
            "one-pixel": claims.one_pixel_decides(found.sides),
            "unseen": claims.fails_unseen_turns(found.mnist),
            "mismatched": claims.relaxes_its_constraint(found.mnist),
        }
    )


def provenance(sessions: Iterable[Session]) -> str:
    """Where runs come from, in one line: on which days, on what, with which versions, in which precision."""
    days: dict[str, list[str]] = {}
    for session in sessions:
        versions = ", ".join(f"{name} {version}" for name, version in session.versions.items() if name != "explorer")
        precision = f", trained in {session.precision}" if session.precision else ""
        days.setdefault(f"{session.hardware}, {versions}{precision}", []).append(session.date)
    return "; ".join(f"{_days(dates)}, {where}" for where, dates in days.items())


def _days(dates: Iterable[str]) -> str:
    first, *_, last = [*(found := sorted(set(dates))), found[-1]]
    return first if first == last else f"{first} to {last}"


def has_runs(results: Results | None, study: Study) -> bool:
    """Whether any case of the study was run."""
    return results is not None and any(results.cases.get(case.key) for case in study.cases)


def made_how(results: Results) -> str:
    """How all runs of a file were trained, and where: numbers of runs and seeds, epochs, pictures, hardware."""
    runs = [run for runs in results.cases.values() for run in runs.values()]
    if not runs:
        return "no runs yet."
    seeds = _range(len(each) for each in results.cases.values() if each)
    recipes = [run.recipe for run in runs if not run.first]  # without fine-tuning
    recipe = (recipes or [runs[0].recipe])[0]
    trained, tested = (
        f"the first {recipe[name]:,}" if recipe[name] else "all" for name in ("train_pictures", "test_pictures")
    )
    return (
        f"{len(runs)} run{'s' * (len(runs) > 1)} of {seeds} seed{'s' * (seeds != '1')} for each network, "
        f"{recipe['epochs']} epochs on {trained} training pictures of {recipe['data']}, tested on {tested} of its test "
        f"pictures. {provenance(results.sessions)}."
    )


def _range(numbers: Iterable[int]) -> str:
    found = sorted(set(numbers))
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _results(path: Path, experiment: str) -> Results | None:
    """The results, of the recipes that are run now; raises ResultsError."""
    found = read_results(path, experiment)
    if found is not None:
        budget = BUDGETS[experiment].get(found.budget)
        if budget is None:
            raise ResultsError(f"{path.name} has an unknown budget, {found.budget!r}: remove the file.")
        studies = STUDIES[experiment](budget)
        check_same(found, {case.key: case.recipe.document() for study in studies for case in study.cases})
    return found


def _read(path: Path, how: Callable[[Path], Found | None]) -> Found | None:
    """What `how` reads, again when the file has changed; each file has one way to be read."""
    return _kept(path, path.stat().st_mtime_ns if path.exists() else 0, how)


@st.cache_resource(show_spinner=False, max_entries=16)
def _kept(path: Path, changed_ns: int, _how: Callable[[Path], Found | None]) -> Found | None:
    return _how(path)
