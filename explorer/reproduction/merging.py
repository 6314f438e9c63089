"""Takes up runs of another results file of the same experiment and budget: from another machine, or from a benchmark.

Runs are of a case if their whole recipe is the case's, field by field; a file with any other run is refused.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from explorer.errors import ResultsError
from explorer.reproduction.results import Results, SeedRun, comparable, read_results
from explorer.reproduction.studies import Case


@dataclass(frozen=True)
class Merged:
    """The results with the runs that were added; `known` is how many were there already and stayed as they were."""

    results: Results
    added: int
    known: int


def read_other(path: Path, experiment: str) -> Results:
    """The results of a file to take runs from; raises ResultsError, as `read_results` does and where there is none."""
    results = read_results(path, experiment)
    if results is None:
        raise ResultsError(f"There is no file {str(path)!r}: give a results file of {experiment}.")
    return results


def merged(
    results: Results, other: Results, cases: Iterable[Case], *, only: Collection[str] | None = None, source: str
) -> Merged:
    """`results` with the runs of `other` that are not there yet, each with its session.

    cases: those of the budget; both hold runs of these alone. only: the cases whose runs are taken, by key; None takes
    all. source: what to call `other`.

    Raises ResultsError, in one sentence, and adds nothing, where a run is of another budget, case or recipe, or was not
    trained and tested to its end.
    """
    known = {case.key: case for case in cases}
    _check(results, known, "The results file")
    if (other.experiment, other.budget) != (results.experiment, results.budget):
        raise ResultsError(
            f"{source} holds results of {other.experiment}, budget {other.budget!r}, and not of {results.experiment}, "
            f"budget {results.budget!r}: nothing was merged."
        )
    _check(other, known, source)
    added = there = 0
    for key, runs in other.cases.items():
        for seed, run in runs.items() if only is None or key in only else ():
            if seed in results.cases.get(key, {}):
                there += 1
            else:
                results = results.with_run(key, run, other.sessions[run.session])
                added += 1
    return Merged(results, added, there)


def _check(results: Results, cases: dict[str, Case], name: str) -> None:
    for key, runs in results.cases.items():
        for run in runs.values():
            fault = _fault(run, cases.get(key), len(results.sessions))
            if fault:
                raise ResultsError(f"{name} has a run of {key}, seed {run.seed}, {fault}: nothing was merged.")


def _fault(run: SeedRun, case: Case | None, sessions: int) -> str:
    """Why a run is not one of the case, in words that follow "a run"; empty where it is."""
    if case is None:
        return "which is no case of this budget"
    if not 0 <= run.session < sessions:
        return "of a session that the file does not name"
    expected = comparable(case.seeded(run.seed).document())
    for name in sorted({*expected, *run.recipe}):
        if name not in expected or name not in run.recipe:
            return f"whose recipe {'lacks' if name in expected else 'has'} the field {name}"
        if run.recipe[name] != expected[name]:
            return f"with {name.replace('_', ' ')} {run.recipe[name]!r} and not {expected[name]!r}"
    if run.final.epoch != case.recipe.epochs or (case.recipe.angles_every and run.final.angles is None):
        return f"that was not tested after its {case.recipe.epochs} epochs"
    return ""
