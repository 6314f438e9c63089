"""What the Paper page shows, from the results files alone: read once for all visitors, again when a file changes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import streamlit as st

from explorer.errors import ResultsError
from explorer.reproduction import claims
from explorer.reproduction.gap import Gap, read_gap
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
    gap: Gap | None
    mnist: Results | None
    cifar10: Results | None
    problems: tuple[str, ...]

    @property
    def studies(self) -> dict[str, Study]:
        """Those of the digits, in the budget of the results that are shown."""
        budget = BUDGETS["mnist"][QUICK if self.mnist is None else self.mnist.budget]
        return {study.name: study for study in STUDIES["mnist"](budget)}

    @property
    def photographs(self) -> tuple[Study, ...]:
        """Those of CIFAR-10."""
        budget = BUDGETS["cifar10"][QUICK if self.cifar10 is None else self.cifar10.budget]
        return STUDIES["cifar10"](budget)


def budgets_there() -> list[str]:
    """The budgets of which there are results of digits, the one with more runs first; the authors' own of none."""
    return _by_runs("mnist") or [FULL]


def _by_runs(experiment: str) -> list[str]:
    """The budgets that have files, most runs first: a grid that has just begun hides no finished one."""
    there = [name for name in (FULL, QUICK) if results_path(experiment, name).exists()]
    return sorted(there, key=lambda name: -_runs_in(results_path(experiment, name), experiment))


def _runs_in(path: Path, experiment: str) -> int:
    try:
        found = _read(path, partial(_results, experiment=experiment))
    except ResultsError:  # is said where the file is shown
        return 0
    return 0 if found is None else sum(map(len, found.cases.values()))


def evidence(budget: str) -> Evidence:
    """Everything that was run, the digits with this budget."""
    problems: list[str] = []

    def read(path: Path, how: Callable[[Path], Found | None]) -> Found | None:
        try:
            return _read(path, how)
        except ResultsError as error:
            problems.append(str(error))
            return None

    photographs = (_by_runs("cifar10") or [FULL])[0]
    return Evidence(
        read(results_path("knight"), read_knight),
        read(results_path("sizes"), read_sides),
        read(results_path("gap"), read_gap),
        read(results_path("mnist", budget), partial(_results, experiment="mnist")),
        read(results_path("cifar10", photographs), partial(_results, experiment="cifar10")),
        tuple(problems),
    )


def findings(found: Evidence) -> dict[str, claims.Finding]:
    """What is found of each claim, in the order of the page."""
    return {
        "breaking": claims.learns_to_break(found.knight),
        "one-pixel": claims.one_pixel_decides(found.sides),
        "unseen": claims.fails_unseen_turns(found.mnist),
        "mismatched": claims.relaxes_its_constraint(found.mnist),
    }


def provenance(sessions: Iterable[Session]) -> str:
    """Where runs come from, in one line: on which days, on what, with which versions."""
    days: dict[str, list[str]] = {}
    for session in sessions:
        versions = ", ".join(f"{name} {version}" for name, version in session.versions.items() if name != "explorer")
        days.setdefault(f"{session.hardware}, {versions}", []).append(session.date)
    return "; ".join(f"{', '.join(dict.fromkeys(dates))}, {where}" for where, dates in days.items())


def has_runs(results: Results | None, study: Study) -> bool:
    """Whether any case of the study was run."""
    return results is not None and any(results.cases.get(case.key) for case in study.cases)


def made_how(results: Results, *studies: Study) -> str:
    """How the runs of these studies were trained, and where: seeds, epochs, pictures, hardware, versions."""
    by_case = [runs for study in studies for case in study.cases if (runs := results.cases.get(case.key))]
    recipes = [run.recipe for runs in by_case for run in runs.values()]
    trained = f"the first {recipes[0]['train_pictures']:,}" if recipes[0]["train_pictures"] else "all"
    tested = f"the first {recipes[0]['test_pictures']:,}" if recipes[0]["test_pictures"] else "all"
    seeds, epochs = _range(map(len, by_case)), _range(recipe["epochs"] for recipe in recipes)
    sessions = sorted({run.session for runs in by_case for run in runs.values()})
    return (
        f"{seeds} seed{'s' * (seeds != '1')}, {epochs} epochs on {trained} training pictures of {recipes[0]['data']}, "
        f"tested on {tested} of its test pictures. {provenance(results.sessions[number] for number in sessions)}"
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
