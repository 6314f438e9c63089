"""The command: what it trains next, how, and where it stops; it needs torch, numpy and the library alone."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import on_gpu
from benchmarks.gpu.cases import AUTHORS_RUNS, CASES, NETWORKS, Budget, Case
from benchmarks.gpu.results import Results, session_of
from benchmarks.gpu.timing import choose
from explorer.reproduction.results import read_results
from tests.benchmarks.small import CPU, EVERY_CASE, TINY, data_of, run_of
from tests.support import ROOT


def test_seeds_are_the_outer_loop_and_stop_where_there_is_no_time(tmp_path: Path) -> None:
    results = Results(tmp_path / "runs.json", Budget())
    left = iter([2, 1, 0])
    case = EVERY_CASE["upright/approximate-27"]
    results.add(case, {0: run_of(case, Budget(), 0)}, session_of([], CPU))

    found = [(case.key, seeds) for case, seeds in on_gpu.groups_of(results, ["upright"], 5, lambda study: next(left))]

    keys = [f"upright/{key}" for key in NETWORKS]
    assert found == [(key, [1] if key == case.key else [0, 1]) for key in keys] + [(key, [2]) for key in keys]


def test_no_more_runs_are_trained_than_the_authors_have(tmp_path: Path) -> None:
    results = Results(tmp_path / "runs.json", Budget())

    found = list(on_gpu.groups_of(results, list(CASES), 100, lambda study: 100))

    assert [(case.key.split("/")[0], len(seeds)) for case, seeds in found[::4]] == list(AUTHORS_RUNS.items())


@pytest.fixture
def backends() -> Iterator[None]:
    """What `main` sets for the process is put back."""
    names = [(torch.backends.cudnn, "benchmark"), (torch.backends.cudnn, "allow_tf32")]
    names.append((torch.backends.cuda.matmul, "allow_tf32"))
    before = [getattr(owner, name) for owner, name in names]
    yield
    for (owner, name), value in zip(names, before, strict=True):
        setattr(owner, name, value)


@pytest.mark.usefixtures("backends")
def test_the_command_trains_and_goes_on_where_it_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--device", "cpu", "--studies", "upright", "--at-once", "2", "--ways", "grouped", "--skip", "check,time"]
    options += ["--epochs", "1", "--train-pictures", "6", "--test-pictures", "3", "--batch-size", "3"]
    options += ["--data", str(tmp_path), "--to", str(tmp_path / "runs.json")]

    def seeds_after(count: int) -> dict[str, list[int]]:
        assert on_gpu.main([*options, "--seeds", str(count)]) == 0
        document = json.loads((tmp_path / "runs.json").read_text(encoding="utf-8"))
        return {key: [run["seed"] for run in runs] for key, runs in document["cases"].items()}

    assert seeds_after(1) == {f"upright/{key}": [0] for key in NETWORKS}
    said = capsys.readouterr()
    assert "NOT the full budget" in said.err and said.out.count(" s a run") == 4
    assert seeds_after(2) == {f"upright/{key}": [0, 1] for key in NETWORKS}
    assert capsys.readouterr().out.count("seeds 1-1") == 4
    read = read_results(tmp_path / "runs.json", "mnist")
    assert read is not None and read.budget == "try" and len(read.sessions) == 2


def test_it_runs_from_anywhere_without_explorer_models_and_escnn(tmp_path: Path) -> None:
    code = (  # importing what stands for None fails
        "import runpy, sys\n"
        "sys.modules.update(dict.fromkeys(('explorer', 'models', 'escnn', 'streamlit', 'PIL')))\n"
        "path = sys.argv[1]; sys.argv = [path, '--help']\n"
        "runpy.run_path(path, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "benchmarks" / "on_gpu.py")],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 0 and "--at-once" in done.stdout, done.stderr


def test_the_smallest_stack_that_is_quick_enough_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {("grouped", 4): 0.9, ("grouped", 8): 1.0, ("looped", 4): 0.5, ("looped", 8): 0.98, ("looped", 16): 1.95}

    def step_s(case: Case, count: int, way: str, *rest: Any) -> float:
        if (way, count) not in seconds:
            raise RuntimeError("out of memory")
        return seconds[way, count]

    monkeypatch.setattr("benchmarks.gpu.timing._step_s", step_s)
    monkeypatch.setattr("benchmarks.gpu.timing._pass_s", lambda networks, pictures, way, device: len(way) / 100)

    case = EVERY_CASE["upright/exact-28"]
    found = choose(data_of(case, dtype=torch.float32), TINY, CPU, [4, 8, 16], ["grouped", "looped"])

    assert (found.train_way, found.test_way, found.at_once) == ("looped", "looped", 4)
    trained_s = 3 * 7 * 0.5 / (4 * 2)  # epochs, pictures, seconds of a step with so many pictures
    tested_s = 37 * 5 * 0.06 / (4 * 5)  # transforms, pictures, seconds of a pass with so many pictures
    assert found.seconds_of_run == pytest.approx(trained_s + tested_s)


def test_what_a_card_cannot_do_is_a_fault_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> int:
        raise RuntimeError("no such card")

    assert [on_gpu._attempted(work) for work in (fails, lambda: None, lambda: 3)] == [1, 0, 3]
    assert "no such card" in capsys.readouterr().err
