"""`python -m explorer reproduce prediction`: the same grid, once for each network, and resumed from its file."""

import json
from pathlib import Path

import pytest

from explorer.commands.main import main
from explorer.reproduction import prediction as analysis
from explorer.reproduction import results as module
from explorer.reproduction.results import results_path, write_results
from explorer.reproduction.sample import BUDGETS, members
from explorer.runs.store import open_store
from explorer.settings import Settings
from tests.explorer.reproduction.test_prediction import grid

SAMPLE = members(BUDGETS["quick"])


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of the store; nothing is trained."""
    monkeypatch.setenv("EXPLORER_RUNS_FOLDER", str(tmp_path / "runs"))
    monkeypatch.setattr("explorer.runs.launch.pump", lambda store, settings: "")
    monkeypatch.setattr(module, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(analysis, "HALVINGS", 20)
    return tmp_path / "runs"


def test_networks_that_are_in_the_file_are_not_run_again(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results_path("prediction", "quick").parent.mkdir()
    write_results(grid(len(SAMPLE) - 2), results_path("prediction", "quick"))

    assert main(["reproduce", "prediction", "--budget", "quick"]) == 0

    queued = open_store(Settings(runs_folder=str(runs))).list(None)
    assert sorted(run.name for run in queued) == sorted(f"{member.key} seed 0" for member in SAMPLE[-2:])
    assert sorted(run.recipe.seed for run in queued) == sorted(member.number for member in SAMPLE[-2:])
    printed = capsys.readouterr().out
    assert "rank correlation ρ with what is lost" in printed and "it still ranks them on the other" in printed


def test_json_has_the_analysis(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "prediction", "--only", SAMPLE[0].key, "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["experiment"] == "prediction" and document["networks"] == []
    assert document["sentence"] == "0 approximate networks are trained: nothing is said of fewer than 8."
    assert [row["case"] for row in document["rows"]] == [SAMPLE[0].key]
