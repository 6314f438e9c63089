"""The file that a card writes is one of explorer's, continued and merged, never mixed."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.cases import Budget
from benchmarks.gpu.results import Results, session_of
from benchmarks.gpu.training import Training, train
from explorer.reproduction.merging import merged
from explorer.reproduction.results import Results as Read
from explorer.reproduction.results import read_results, write_results
from tests.benchmarks.small import CPU, EVERY_CASE, FULL, TINY, data_of, run_of


def test_the_file_is_one_of_explorers(tmp_path: Path) -> None:
    session = session_of(["--seconds", "9", "--to", "a place", "--data=b"], CPU)
    ours = Results(tmp_path / "ours.json", Budget())
    for key in ("upright/exact-28", "uniform/plain-28"):
        ours.add(EVERY_CASE[key], {seed: run_of(EVERY_CASE[key], Budget(), seed) for seed in (1, 0)}, session)

    read = read_results(tmp_path / "ours.json", "mnist")

    assert read is not None and read.budget == "full"
    assert read.sessions[0].command == "python benchmarks/on_gpu.py --seconds 9"
    assert read.percents("uniform/plain-28", "angles") == pytest.approx((50.0, 50.0))
    write_results(read, tmp_path / "theirs.json")
    assert (tmp_path / "theirs.json").read_bytes() == (tmp_path / "ours.json").read_bytes()


def test_what_is_written_is_continued_and_merged(tmp_path: Path) -> None:
    case = EVERY_CASE["upright/exact-28"]
    first, second = (session_of([word], CPU) for word in ("--seeds=1", "--seeds=2"))
    Results(tmp_path / "runs.json", Budget()).add(case, {0: run_of(case, Budget(), 0)}, first)
    again = Results(tmp_path / "runs.json", Budget())

    again.add(case, {1: run_of(case, Budget(), 1)}, second)

    assert again.has(case, 0) and again.has(case, 1) and not again.has(case, 2)
    assert not again.has(EVERY_CASE["upright/plain-28"], 0)
    read = read_results(tmp_path / "runs.json", "mnist")
    assert read is not None
    found = merged(Read("mnist", "full"), read, FULL.values(), source="runs.json")
    assert (found.added, found.known) == (2, 0)
    assert [run.session for run in found.results.cases[case.key].values()] == [0, 1]


def test_runs_of_another_recipe_are_never_continued(tmp_path: Path) -> None:
    case = EVERY_CASE["upright/exact-28"]
    path = tmp_path / "runs.json"
    Results(path, Budget()).add(case, {0: run_of(case, Budget(), 0)}, session_of([], CPU))

    with pytest.raises(SystemExit, match="name another file"):
        Results(path, replace(Budget(), epochs=3))
    with pytest.raises(SystemExit, match="holds results of"):
        Results(path, replace(Budget(), name="12k"))
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(SystemExit, match="is no results file"):
        Results(path, Budget())


def test_a_run_whose_loss_is_not_finite_is_left_out() -> None:
    case = EVERY_CASE["upright/plain-28"]
    budget = replace(TINY, epochs=1, test_pictures=2)
    training = Training(case, [0, 1], budget, data_of(case, budget))
    with torch.no_grad():
        training.networks.classifier.bias[0] = torch.nan  # of the first

    assert list(train(training)) == [1]
