"""What the Paper page shows, from the results files alone: read once for all visitors, anew when a file changes."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from explorer.errors import ResultsError
from explorer.pages.look_sheet import Chart
from explorer.reproduction import claims
from explorer.reproduction.knight import Knight, read_knight
from explorer.reproduction.results import Results, read_results, results_path
from explorer.reproduction.sides import Sides, read_sides
from explorer.reproduction.studies import BUDGETS, Study, cifar10_studies, mnist_studies

FULL, QUICK = "full", "quick"


@dataclass(frozen=True)
class Evidence:
    """All results that there are; None: not run. problems: a sentence for each file that cannot be read.

    mnist, cifar10: of the chosen budget. studies: as they were run, by name.
    """

    knight: Knight | None
    sides: Sides | None
    mnist: Results | None
    cifar10: Results | None
    problems: tuple[str, ...]

    @property
    def studies(self) -> dict[str, Study]:
        """Those of the digits, in the budget of the results that are shown."""
        budget = BUDGETS["mnist"][QUICK if self.mnist is None else self.mnist.budget]
        return {study.name: study for study in mnist_studies(budget)}

    @property
    def photographs(self) -> tuple[Study, ...]:
        """Those of CIFAR-10."""
        budget = BUDGETS["cifar10"][QUICK if self.cifar10 is None else self.cifar10.budget]
        return cifar10_studies(budget)


def budgets_there() -> list[str]:
    """The budgets of which there are results of digits, the authors' own first; the full one of none."""
    return [name for name in (FULL, QUICK) if results_path("mnist", name).exists()] or [FULL]


def evidence(budget: str) -> Evidence:
    """Everything that was run, the digits with this budget."""
    problems: list[str] = []

    def read(path: Path, how: Callable[..., Any], *arguments: str) -> Any:
        try:
            return _read(path, path.stat().st_mtime_ns if path.exists() else 0, how, *arguments)
        except ResultsError as error:
            problems.append(str(error))
            return None

    photographs = next((name for name in (FULL, QUICK) if results_path("cifar10", name).exists()), FULL)
    return Evidence(
        read(results_path("knight"), read_knight),
        read(results_path("sizes"), read_sides),
        read(results_path("mnist", budget), read_results, "mnist"),
        read(results_path("cifar10", photographs), read_results, "cifar10"),
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


def chart_of(figure: Any, words: str) -> Chart:
    """A figure of `reproduction.figures` as pages draw it."""
    return Chart(json.loads(figure.to_json()), words)


def provenance(found: Knight | Sides | Results | None) -> str:
    """Where the runs come from, in one line: on which days, on what, with which versions."""
    if found is None:
        return ""
    days: dict[str, list[str]] = {}
    for session in found.sessions:
        versions = ", ".join(f"{name} {version}" for name, version in session.versions.items() if name != "explorer")
        days.setdefault(f"{session.hardware}, {versions}", []).append(session.date)
    return "; ".join(f"{', '.join(dict.fromkeys(dates))}, {where}" for where, dates in days.items())


def has_runs(results: Results | None, study: Study) -> bool:
    """Whether any case of the study was run."""
    return results is not None and any(results.cases.get(case.key) for case in study.cases)


def made_how(results: Results, study: Study) -> str:
    """How the cases of a study that has runs were trained, and where: seeds, epochs, pictures, hardware, versions."""
    runs = next(runs for case in study.cases if (runs := results.cases.get(case.key)))
    recipe = next(iter(runs.values())).recipe
    trained = f"the first {recipe['train_pictures']:,} pictures" if recipe["train_pictures"] else "all pictures"
    tested = f", tested on the first {recipe['test_pictures']:,}" if recipe["test_pictures"] else ""
    seeds = f"{len(runs)} seed{'s' * (len(runs) > 1)}"
    return f"{seeds}, {recipe['epochs']} epochs on {trained} of {recipe['data']}{tested}. {provenance(results)}"


@st.cache_resource(show_spinner=False, max_entries=16)
def _read(path: Path, changed_ns: int, _how: Callable[..., Any], *arguments: str) -> Any:
    return _how(path, *arguments)
