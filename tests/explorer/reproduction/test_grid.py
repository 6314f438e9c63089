"""The grid of the paper's runs in a store: queued once, resumed, collected, never run again. No training here."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from explorer.errors import ResultsError, RunError
from explorer.reproduction.results import Results
from explorer.reproduction.runner import Grid
from explorer.reproduction.studies import GridBudget, Study, mnist_studies
from explorer.runs.machine import hardware, software, versions_in
from explorer.runs.store import Store
from explorer.training.metrics import TESTED, Epoch, Progress
from tests.support.stores import FACTS

BUDGET = GridBudget("quick", "mnist-12k", epochs=2, batch_size=32)
STUDIES = {study.name: study for study in mnist_studies(BUDGET)}
CASES = tuple(case for study in STUDIES.values() for case in study.cases)
PAIR = replace(STUDIES["upright"], cases=STUDIES["upright"].cases[2:])  # approximate-29, plain-28
TUNED = replace(STUDIES["tuned"], cases=STUDIES["tuned"].cases[:1])  # starts from approximate-29


def epoch(number: int) -> Epoch:
    accuracy = {**dict.fromkeys(TESTED, 0.4), "identity": 0.98}
    return Epoch(number, number, None, None, 0.2, accuracy, None, 0.8, {"logits": 0.1}, 99.0, 1.0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "runs").mkdir()
    return Store("", tmp_path / "runs")


@pytest.fixture
def grid_of(store: Store) -> Callable[..., Grid]:
    """A grid in the store, which keeps each of its results in `grid_of.written`."""

    def grid_of(*studies: Study, seeds: int = 1, results: Results | None = None, **options: Any) -> Grid:
        return Grid(
            store,
            studies,
            seeds,
            results or Results("mnist", "quick"),
            bases=CASES,
            command="python -m explorer reproduce mnist",
            on_results=written.append,
            **options,
        )

    written: list[Results] = []
    grid_of.written = written  # type: ignore[attr-defined]
    return grid_of


def work(store: Store, state: str = "finished", error: str = "") -> str | None:
    """What a worker does with the next run, without the training."""
    run = store.claim()
    if run is not None:
        for number in (0, 1, 2):
            store.add_epoch(run, epoch(number))
        store.finish(run, state, error)
    return run


def names(store: Store) -> list[str]:
    return sorted(f"{run.name}: {run.state}" for run in store.list(None))


def test_every_run_is_queued_once(store: Store, grid_of: Callable[..., Grid]) -> None:
    grid = grid_of(PAIR, seeds=2)

    first, second = grid.advance(), grid.advance()

    assert (first.waiting, first.finished) == (second.waiting, second.finished) == (4, 0)
    assert names(store) == [
        "upright/approximate-29 seed 0: queued",
        "upright/approximate-29 seed 1: queued",
        "upright/plain-28 seed 0: queued",
        "upright/plain-28 seed 1: queued",
    ]


def test_first_seeds_of_all_cases_come_before_second_ones(store: Store, grid_of: Callable[..., Grid]) -> None:
    grid_of(PAIR, seeds=2).advance()

    order = sorted(store.list(None), key=lambda run: run.position or 0)

    assert [run.recipe.seed for run in order] == [0, 0, 1, 1]


def test_finished_runs_are_collected_as_they_come(store: Store, grid_of: Callable[..., Grid]) -> None:
    grid = grid_of(PAIR)
    grid.advance()
    work(store)

    standing = grid.advance()

    assert (standing.finished, standing.waiting, standing.epochs_done, standing.epochs) == (1, 1, 2.0, 4)
    (written,) = grid_of.written  # type: ignore[attr-defined]
    assert written.percents("upright/approximate-29", "unseen") == pytest.approx((40.0,))
    assert written.sessions[0].command == "python -m explorer reproduce mnist"
    work(store)
    assert grid.advance().is_over and len(grid_of.written) == 2  # type: ignore[attr-defined]


def test_finished_runs_of_the_store_are_not_run_again(store: Store, grid_of: Callable[..., Grid]) -> None:
    store.create(PAIR.cases[0].seeded(0), owner=None)
    work(store)

    standing = grid_of(PAIR).advance()

    assert (standing.finished, standing.waiting) == (1, 1)
    assert len(store.list(None)) == 2


def test_runs_of_visitors_are_left_alone(store: Store, grid_of: Callable[..., Grid]) -> None:
    theirs = store.create(PAIR.cases[0].seeded(0), owner="a visitor of the Train page").id
    store.cancel(theirs, None)

    assert grid_of(PAIR).advance().waiting == 2
    assert store.get(theirs).state == "cancelled"
    assert len(store.list(None, ownerless=True)) == 2


def test_a_few_runs_are_queued_ahead(store: Store, grid_of: Callable[..., Grid]) -> None:
    stopped = store.create(PAIR.cases[1].seeded(1), owner=None).id
    store.cancel(stopped, None)
    grid = grid_of(PAIR, seeds=2, ahead=2)

    first = grid.advance()
    assert (first.waiting, first.later, store.waiting()) == (4, 2, 2)
    work(store)
    assert (grid.advance().later, store.waiting()) == (1, 2)
    work(store)
    assert (grid.advance().later, store.waiting()) == (0, 2)
    assert store.get(stopped).state == "queued", "what was stopped before is resumed in its turn"
    work(store)
    work(store)
    assert grid.advance().is_over


def test_no_run_is_made_where_there_is_no_room(store: Store, grid_of: Callable[..., Grid]) -> None:
    def full() -> None:
        raise RunError("The runs take all that they may.")

    with pytest.raises(RunError, match="all that they may"):
        grid_of(PAIR, check_room=full).advance()
    assert store.list(None) == ()


def test_runs_of_the_results_file_are_not_run_again(store: Store, grid_of: Callable[..., Grid]) -> None:
    grid = grid_of(PAIR)
    grid.advance()
    work(store)
    grid.advance()
    elsewhere = Store("", store.folder.parent)

    again = Grid(elsewhere, [PAIR], 1, grid.results, command="", on_results=lambda results: None)

    assert again.advance().finished == 1
    assert names(elsewhere) == ["upright/plain-28 seed 0: queued"]


def test_what_was_stopped_before_is_resumed(store: Store, grid_of: Callable[..., Grid]) -> None:
    grid_of(PAIR).advance()
    work(store, "interrupted", "Its process ended.")
    work(store, "cancelled")

    assert grid_of(PAIR).advance().waiting == 2
    assert [run.state for run in store.list(None)] == ["queued", "queued"]


def test_what_is_cancelled_meanwhile_stays_so_and_is_said(store: Store, grid_of: Callable[..., Grid]) -> None:
    grid = grid_of(PAIR)
    grid.advance()
    work(store, "cancelled")
    work(store, "failed", "The disk is full.")

    standing = grid.advance()

    assert standing.is_over and standing.finished == 0
    assert standing.failures == (
        "upright/approximate-29 seed 0: cancelled.",
        "upright/plain-28 seed 0: failed. The disk is full.",
    )


def test_a_run_that_is_interrupted_again_and_again_is_given_up(store: Store, grid_of: Callable[..., Grid]) -> None:
    grid = grid_of(PAIR)
    grid.advance()
    for _ in range(8):
        work(store, "interrupted", "Its process ended.")
        standing = grid.advance()

    assert standing.is_over and len(standing.failures) == 2


def test_fine_tuning_waits_for_the_run_it_starts_from(store: Store, grid_of: Callable[..., Grid]) -> None:
    grid = grid_of(TUNED)

    assert grid.advance().waiting == 1
    assert names(store) == ["upright/approximate-29 seed 0: queued"]
    base = work(store)
    assert grid.advance().waiting == 1
    tuned = next(run for run in store.list(None) if run.state == "queued")
    assert tuned.recipe == TUNED.cases[0].seeded(0, start=f"run:{base}")
    work(store)
    assert grid.advance().is_over
    assert grid.results.percents("tuned/mended-29-50", "unseen", first=True) == pytest.approx((40.0,))


def test_fine_tuning_fails_with_the_run_it_starts_from(store: Store, grid_of: Callable[..., Grid]) -> None:
    grid = grid_of(TUNED)
    grid.advance()
    work(store, "failed", "The disk is full.")

    standing = grid.advance()

    assert standing.is_over and standing.failures == ("upright/approximate-29 seed 0: failed. The disk is full.",)


def test_progress_counts_parts_of_runs(store: Store, grid_of: Callable[..., Grid]) -> None:
    grid = grid_of(PAIR)
    grid.advance()
    run = store.claim()
    store.beat(str(run), Progress(step=1, steps=4, epoch=1, loss=0.1, pictures_per_s=9.0))

    standing = grid.advance()

    assert (standing.running, standing.epochs_done) == (1, 0.5)


def test_results_of_another_recipe_are_refused(store: Store, grid_of: Callable[..., Grid]) -> None:
    grid = grid_of(PAIR)
    grid.advance()
    work(store)
    grid.advance()
    longer = next(study for study in mnist_studies(replace(BUDGET, epochs=3)) if study.name == "upright")

    with pytest.raises(ResultsError, match=r"has runs of upright/approximate-29 with epochs 2 and not 3: .* --to\.$"):
        grid_of(longer, results=grid.results)


def test_sessions_name_what_trained_and_not_what_collects(store: Store, grid_of: Callable[..., Grid]) -> None:
    grid_of(PAIR).advance()
    run = str(store.claim())
    store.describe(run, device="CPU", facts=replace(FACTS, software="Python 3.99, torch 9.9+x", hardware="far away"))
    store.add_epoch(run, epoch(2))
    store.finish(run, "finished")

    grid = grid_of(PAIR)
    grid.advance()

    (session,) = grid.results.sessions
    assert (session.hardware, session.versions) == ("far away", {"python": "3.99", "torch": "9.9+x"})
    assert set(versions_in(software())) == {"python", "torch", "numpy", "explorer"}


def test_hardware_names_the_processor_or_the_card() -> None:
    assert re.fullmatch(r"CPU · 2 threads \(.+\), \d+ cores", hardware("CPU · 2 threads"))
    assert re.fullmatch(r"GPU · a card, \d+ cores", hardware("GPU · a card"))
