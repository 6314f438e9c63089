"""Runs of another results file: added where they are missing, refused where they are of anything else."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from explorer.errors import ResultsError
from explorer.reproduction.merging import merged, read_other
from explorer.reproduction.results import Results, SeedRun, Session, seed_run, write_results
from explorer.reproduction.studies import BUDGETS, mnist_studies
from explorer.training.metrics import ANGLES_DEG, TESTED, Epoch

CASES = {case.key: case for study in mnist_studies(BUDGETS["mnist"]["full"]) for case in study.cases}
HERE, THERE, LATER = (Session(f"command {name}", "2025-01-31", "cores", {"torch": "2"}) for name in "abc")
EXACT, PLAIN, TUNED = "upright/exact-28", "upright/plain-28", "tuned/mended-29-157"


def run(key: str, seed: int, share: float = 0.5, **changes: Any) -> SeedRun:
    """A finished run whose recipe has these changes; None takes a field away."""
    recipe = CASES[key].seeded(seed).document() | changes
    epochs = CASES[key].recipe.epochs
    accuracy, angles = dict.fromkeys(TESTED, share), (share,) * len(ANGLES_DEG)
    final = Epoch(epochs, 1, 0.1, 0.9, 0.2, accuracy, angles, 0.8, {"logits": 0.1}, 9.0, 1.0)
    return seed_run(seed, {name: value for name, value in recipe.items() if value is not None}, [final])


def ended(this: SeedRun, **changes: Any) -> SeedRun:
    """The run with another last epoch."""
    return replace(this, final=replace(this.final, **changes))


def results(*runs: tuple[str, SeedRun, Session], budget: str = "full") -> Results:
    found = Results("mnist", budget)
    for key, each, session in runs:
        found = found.with_run(key, each, session)
    return found


def test_missing_runs_are_added_with_their_sessions_and_the_others_stay() -> None:
    ours = results((EXACT, run(EXACT, 0, 0.1), HERE), (EXACT, run(EXACT, 2, 0.1), HERE))
    theirs = results(
        (PLAIN, run(PLAIN, 5, 0.2), LATER), (EXACT, run(EXACT, 1, 0.2), THERE), (EXACT, run(EXACT, 2, 0.2), THERE)
    )

    found = merged(ours, theirs, CASES.values(), source="theirs")

    assert (found.added, found.known) == (2, 1)
    assert found.results.percents(EXACT, "unseen") == pytest.approx((10.0, 20.0, 10.0))
    sessions = {
        (key, seed): found.results.sessions[each.session]
        for key, runs in found.results.cases.items()
        for seed, each in runs.items()
    }
    assert sessions == {(EXACT, 0): HERE, (EXACT, 1): THERE, (EXACT, 2): HERE, (PLAIN, 5): LATER}
    assert found.results.sessions == (HERE, LATER, THERE)  # in the order of the runs


def test_a_session_that_is_there_is_not_listed_twice() -> None:
    ours, theirs = results((EXACT, run(EXACT, 0), HERE)), results((EXACT, run(EXACT, 1), HERE))

    assert merged(ours, theirs, CASES.values(), source="theirs").results.sessions == (HERE,)


def test_merging_twice_adds_nothing() -> None:
    theirs = results((EXACT, run(EXACT, 0), HERE), (PLAIN, run(PLAIN, 0), THERE))
    once = merged(Results("mnist", "full"), theirs, CASES.values(), source="theirs")

    twice = merged(once.results, theirs, CASES.values(), source="theirs")

    assert (once.added, twice.added, twice.known) == (2, 0, 2) and twice.results == once.results == theirs


def test_only_the_cases_that_are_asked_for_are_taken() -> None:
    theirs = results((EXACT, run(EXACT, 0), HERE), (PLAIN, run(PLAIN, 0), THERE))

    found = merged(Results("mnist", "full"), theirs, CASES.values(), only={PLAIN}, source="theirs")

    assert set(found.results.cases) == {PLAIN} and found.results.sessions == (THERE,)


def test_fine_tuned_runs_are_taken_whatever_run_they_started_from() -> None:
    theirs = results((TUNED, run(TUNED, 0, start="run:abcd"), HERE))

    assert merged(Results("mnist", "full"), theirs, CASES.values(), source="theirs").added == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (run(EXACT, 3, batch_size=64), "with batch size 64 and not 256"),
        (run(EXACT, 3, data="mnist-12k"), "with data 'mnist-12k' and not 'mnist-swapped'"),
        (run(EXACT, 3, deterministic=None), "whose recipe lacks the field deterministic"),
        (run(EXACT, 3, invented=0.5), "whose recipe has the field invented"),
        (replace(run(EXACT, 2), seed=3), "with seed 2 and not 3"),
        (ended(run(EXACT, 3), epoch=40), "that was not tested after its 50 epochs"),
        (ended(run(EXACT, 3), angles=None), "that was not tested after its 50 epochs"),
    ],
)
@pytest.mark.parametrize("is_ours", [False, True])
def test_a_run_of_anything_else_refuses_the_whole_file(changed: SeedRun, words: str, is_ours: bool) -> None:
    good, bad = results((EXACT, run(EXACT, 0), HERE)), results((EXACT, run(EXACT, 1), HERE), (EXACT, changed, HERE))
    ours, theirs = (bad, good) if is_ours else (good, bad)

    with pytest.raises(ResultsError) as refused:
        merged(ours, theirs, CASES.values(), source="theirs.json")

    name = "The results file" if is_ours else "theirs.json"
    assert str(refused.value).startswith(f"{name} has a run of {EXACT}, seed 3, {words}")
    assert str(refused.value).endswith(": nothing was merged.")


def test_other_budgets_and_cases_are_refused() -> None:
    ours = results((EXACT, run(EXACT, 0), HERE))
    for theirs, words in (
        (results(budget="12k"), "budget '12k', and not of mnist, budget 'full'"),
        (Results("cifar10", "full"), "holds results of cifar10"),
        (results(("upright/other", run(EXACT, 0), HERE)), "which is no case of this budget"),
    ):
        with pytest.raises(ResultsError, match=words):
            merged(ours, theirs, CASES.values(), source="theirs.json")


def test_a_session_that_the_file_does_not_name_is_refused() -> None:
    theirs = replace(results((EXACT, run(EXACT, 0), HERE)), sessions=())

    with pytest.raises(ResultsError, match="of a session that the file does not name"):
        merged(Results("mnist", "full"), theirs, CASES.values(), source="theirs.json")


def test_a_file_to_merge_has_to_be_there(tmp_path: Path) -> None:
    write_results(results((EXACT, run(EXACT, 0), HERE)), tmp_path / "theirs.json")

    assert read_other(tmp_path / "theirs.json", "mnist").cases[EXACT][0].seed == 0
    with pytest.raises(ResultsError, match=r"There is no file .*none\.json': give a results file of mnist\."):
        read_other(tmp_path / "none.json", "mnist")
