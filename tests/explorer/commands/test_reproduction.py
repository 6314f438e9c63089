"""`python -m explorer reproduce`: what it runs, prints and writes, and what it says of input that is not accepted."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from explorer.commands.main import main
from explorer.errors import DataError
from explorer.reproduction import results as module
from explorer.reproduction.results import Results, Session, read_results, seed_run, write_results
from explorer.reproduction.studies import BUDGETS, mnist_studies
from explorer.reproduction.tables import rows_of, signed, text
from explorer.runs.store import open_store
from explorer.settings import Settings
from explorer.training.metrics import TESTED, Epoch
from tests.explorer.reproduction.test_claims import PAPER, results
from tests.support import ROOT

STUDIES = mnist_studies(BUDGETS["mnist"]["quick"])
ABSENT = ("escnn", "streamlit", "plotly")  # on a machine that only trains

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """The command in this process: (status, stdout, stderr). It starts no workers; its store is `tmp_path / "runs"`."""
    monkeypatch.setenv("EXPLORER_RUNS_FOLDER", str(tmp_path / "runs"))
    monkeypatch.setattr("explorer.runs.launch.pump", lambda store, settings: "")
    monkeypatch.setattr(module, "FOLDER", tmp_path / "results")

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = main(["reproduce", *arguments])
        except SystemExit as ended:
            status = int(str(ended.code))
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


def queued(tmp_path: Path) -> list[str]:
    runs = open_store(Settings(runs_folder=str(tmp_path / "runs"))).list(None)
    return sorted(run.name for run in runs)


def test_a_part_of_the_grid_is_queued(call: Call, tmp_path: Path) -> None:
    status, out, err = call("mnist", "--seeds", "2", "--only", "heads, upright/plain-28")

    assert (status, err) == (0, "Runs finished: 0; training: 0; waiting: 10.\n")
    assert queued(tmp_path) == [
        f"{case} seed {seed}"
        for case in (
            "heads/maximum-first-28",
            "heads/maximum-first-29",
            "heads/no-pooling-28",
            "heads/no-pooling-29",
            "upright/plain-28",
        )
        for seed in (0, 1)
    ]
    assert out.count("not run") == 5 and "42.8 ± 0.9" in out  # the authors' are shown all the same


def test_the_grid_is_queued_once(call: Call, tmp_path: Path) -> None:
    for _ in range(2):
        assert call("mnist", "--seeds", "2", "--only", "mended")[0] == 0

    assert queued(tmp_path) == ["mended/29 seed 0", "mended/29 seed 1"]


def test_options_change_the_recipes(call: Call, tmp_path: Path) -> None:
    options = ("--epochs", "3", "--train-pictures", "100", "--test-pictures", "50")

    assert call("mnist", "--seeds", "1", "--only", "mended/29", *options)[0] == 0

    (run,) = open_store(Settings(runs_folder=str(tmp_path / "runs"))).list(None)
    assert (run.recipe.epochs, run.recipe.train_pictures, run.recipe.test_pictures) == (3, 100, 50)


@pytest.mark.parametrize("option", ["--epochs", "--train-pictures", "--test-pictures"])
def test_runs_of_a_reduced_budget_stay_out_of_the_results_that_the_app_shows(option: str, call: Call) -> None:
    assert "mnist-try.json" in call("mnist", "--seeds", "1", "--only", "mended/29", option, "3")[1]
    assert "mnist-quick.json" in call("mnist", "--seeds", "1", "--only", "mended/29")[1]


def test_workers_that_cannot_start_are_said(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.runs.launch.pump", lambda store, settings: "Training cannot start: no process.")

    status, out, err = call("mnist", "--seeds", "1", "--only", "mended/29")

    assert (status, out) == (2, "") and err.endswith(
        "\nexplorer: The runs are waiting. Training cannot start: no process.\n"
    )


def test_a_grid_that_may_take_no_more_disk_is_not_queued(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.runs.store.Store.used_bytes", lambda store: 2**40)

    status, _, err = call("mnist", "--seeds", "1", "--only", "mended/29")

    assert (status, queued(tmp_path)) == (2, []) and err.startswith("explorer: The runs take 1048576 MB of the 2048 MB")


@pytest.mark.parametrize("experiment", ["knight", "sizes", "mnist"])
def test_a_file_that_cannot_be_written_is_said_before_the_work(
    experiment: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for work in ("run_knight", "run_sides", "_have"):
        monkeypatch.setattr(f"explorer.commands.reproduce.{work}", lambda *_: pytest.fail("worked in vain"))
    (tmp_path / "file").touch()
    for unwritable in (tmp_path / "file" / "results.json", tmp_path):
        status, out, err = call(experiment, "--to", str(unwritable))

        assert (status, out) == (2, "") and err.startswith(f"explorer: The results cannot be written to '{unwritable}'")
    assert list(tmp_path.rglob("*.part")) == []


def test_an_interrupted_wait_says_how_to_go_on(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("explorer.commands.reproduce.time.sleep", interrupt)

    status, out, err = call("mnist", "--seeds", "1", "--only", "mended", "--wait")

    assert (status, out) == (130, "") and err == (
        "\nThe runs continue; the same command waits for them and collects finished ones.\n"
    )


def test_json_is_one_document_with_ours_and_theirs(call: Call, tmp_path: Path) -> None:
    other = results(PAPER)
    other.cases["upright/exact-28"][0].recipe["epochs"] = 3
    write_results(other, tmp_path / "mine.json")

    # The results are of other recipes than the budget's: they are refused, not mixed with.
    status, out, err = call("mnist", "--only", "upright", "--to", str(tmp_path / "mine.json"), "--json")
    assert (status, out) == (2, "") and "with epochs 3 and not 12: remove it and run python -m explorer" in err

    status, out, _ = call("mnist", "--only", "upright", "--json")
    rows = {row["case"]: row for row in json.loads(out)["rows"]}
    assert rows["upright/exact-28"]["figures"]["unseen"]["authors"]["mean"] == 97.69
    assert rows["upright/exact-28"]["figures"]["unseen"]["ours"] is None and rows["upright/exact-28"]["seeds"] == 0


def test_the_table_has_ours_theirs_and_the_difference() -> None:
    table = text(list(rows_of(results(PAPER), STUDIES[:1])), seeds=6).splitlines()

    assert table[0].split() == [
        "Trained",
        "upright",
        "0°",
        "90°",
        "180°",
        "270°",
        "unseen",
        "turns",
        "40°",
        "36",
        "angles",
    ]
    exact = next(number for number, line in enumerate(table) if line.startswith("Exact, 28 px"))
    assert "ours (5 of 6)" in table[exact] and "97.7 ± 0.2" in table[exact]
    assert "authors" in table[exact + 1] and "74.4 ± 2.4" in table[exact + 1]
    assert table[exact + 2].split() == ["difference", "+0.3*", "+0.0", "+0.0", "+0.0", "+0.0", "+22.8*", "+10.5*"]


@pytest.mark.parametrize(("value", "shown"), [(1.26, "+1.3"), (-0.34, "−0.3"), (-0.04, "+0.0"), (0.0, "+0.0")])
def test_differences_have_signs(value: float, shown: str) -> None:
    assert signed(value) == shown


def test_no_turn_is_called_unseen_where_training_turned_the_digits() -> None:
    (row, *_) = rows_of(results(PAPER), STUDIES[1:2])

    assert "unseen" not in [cell.measure for cell in row.cells]


def test_the_knight_is_trained_and_written(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("reproduction.knight", "commands.reproduce"):
        monkeypatch.setattr(f"explorer.{name}.STEPS", 120)

    status, out, _ = call("knight", "--seeds", "1", "--json")

    assert status == 0
    at_32, at_33 = json.loads(out)["runs"]
    assert at_32["verdict"] == "broken" and at_33["verdict"] == "unbreakable"
    written = json.loads((tmp_path / "results" / "knight.json").read_text(encoding="utf-8"))
    assert [len(run["losses"]) for run in written["runs"]] == [13, 13]
    assert written["sessions"][0]["command"] == "python -m explorer reproduce knight --seeds 1"


def test_sizes_are_measured_and_written(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.reproduction.sides.NETWORKS", (("p4-knight", 32, 33, "odd"),))

    status, out, _ = call("sizes")

    assert status == 0 and "p4-knight: exact (odd) at 33." in out
    written = json.loads((tmp_path / "results" / "sizes.json").read_text(encoding="utf-8"))
    exact = {side["size_px"]: side["is_exact"] for side in written["networks"][0]["sides"]}
    assert exact == {32: False, 33: True}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("mnist", "--only", "uprigt"),
            "explorer: There is no study or case 'uprigt': give some of upright,",
        ),
        (("mnist", "--seeds", "0"), "'0' is not accepted: give a whole number from 1"),
        (("mnist", "--seeds", "many"), "'many' is not accepted"),
        (("imagenet",), "invalid choice: 'imagenet'"),
        (("mnist", "--budget", "huge"), "invalid choice: 'huge'"),
    ],
)
def test_bad_input_is_one_line(call: Call, arguments: tuple[str, ...], sentence: str) -> None:
    status, out, err = call(*arguments)

    assert (status, out) == (2, "") and err.count("\n") == 1
    assert sentence in err


def test_a_missing_data_set_is_said_before_anything_is_queued(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str, **options: Any) -> None:
        raise DataError(f"{name} is not there: put it there.")

    monkeypatch.setenv("EXPLORER_DATA_FOLDER", str(tmp_path))
    monkeypatch.setattr("explorer.data.datasets.load", load)

    status, _, err = call("mnist", "--budget", "full", "--seeds", "1")

    assert (status, err) == (2, "explorer: mnist-swapped is not there: put it there.\n")
    assert not (tmp_path / "runs").exists()


def test_training_that_is_switched_off_is_one_line(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_TRAINING", "off")

    status, _, err = call("mnist", "--seeds", "1")

    assert status == 2 and err.startswith("explorer: Training is switched off here")


def test_a_machine_that_only_trains_needs_no_escnn_streamlit_or_plotly() -> None:
    modules = "explorer.commands.main, explorer.reproduction.runner, explorer.runs.worker, explorer.runs.launch"
    program = f"import sys, {modules}; print(*[name for name in {ABSENT} if name in sys.modules])"

    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)

    assert ended.stdout == "\n"


@pytest.mark.full
def test_a_small_grid_is_run_by_workers(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("EXPLORER_RUNS_FOLDER", str(tmp_path / "runs"))
    path = tmp_path / "mnist.json"
    only = "upright/approximate-29,tuned/mended-29-50"
    options = f"--seeds 1 --epochs 1 --train-pictures 64 --test-pictures 40 --only {only} --wait"

    for _ in range(2):  # the second finds all there
        assert main(["reproduce", "mnist", *options.split(), "--to", str(path)]) == 0

    found = read_results(path, "mnist")
    assert found is not None
    assert set(found.cases) == {"upright/approximate-29", "tuned/mended-29-50"}
    assert len(found.percents("tuned/mended-29-50", "unseen", first=True)) == 1
    assert len(found.angles("upright/approximate-29")[0]) == 36
    assert "Mended, 29 px, at once" in capsys.readouterr().out


# --------------------------------------------------------------------------------------------- runs of other files


def test_runs_of_another_file_are_taken_up_and_nothing_is_queued(call: Call, tmp_path: Path) -> None:
    write_results(full_results(EXACT, 0, 2), tmp_path / "card.json")
    write_results(full_results(EXACT, 0, 1), tmp_path / "another.json")

    files = (str(tmp_path / "card.json"), "--merge", str(tmp_path / "another.json"))
    status, out, err = call("mnist", "--budget", "full", "--only", "upright", "--merge", *files)

    assert status == 0 and "ours (3)" in out.replace(" of 3", "")
    assert err == f"{files[0]}: 2 runs added, 0 were there.\n{files[2]}: 1 runs added, 1 were there.\n"
    read = read_results(tmp_path / "results" / "mnist.json", "mnist")
    assert read is not None and list(read.cases[EXACT]) == [0, 1, 2]
    assert not (tmp_path / "runs").exists()  # no store


def test_a_file_that_is_refused_changes_nothing(call: Call, tmp_path: Path) -> None:
    write_results(full_results(EXACT, 0), tmp_path / "card.json")
    other = full_results(EXACT, 1)
    other.cases[EXACT][1].recipe["weight_decay"] = 0.5
    write_results(other, tmp_path / "other.json")

    for more in ("other.json", "none.json"):
        files = ("--merge", str(tmp_path / "card.json"), "--merge", str(tmp_path / more))
        status, out, err = call("mnist", "--budget", "full", *files)

        assert (status, out) == (2, "") and err.startswith("explorer: ") and err.count("\n") == 1
        assert not (tmp_path / "results" / "mnist.json").exists()


def test_merging_belongs_to_the_grids_and_waits_for_nothing(call: Call, tmp_path: Path) -> None:
    file = str(tmp_path / "card.json")

    assert "cannot be merged: give mnist or cifar10 or prediction" in call("knight", "--merge", file)[2]
    assert "not allowed with" in call("mnist", "--wait", "--merge", file)[2]


EXACT = "upright/exact-28"


def full_results(key: str, *seeds: int) -> Results:
    """Finished runs of a case of the full budget."""
    (case,) = (each for study in mnist_studies(BUDGETS["mnist"]["full"]) for each in study.cases if each.key == key)
    found = Results("mnist", "full")
    for seed in seeds:
        final = Epoch(50, 1, 0.1, 0.9, 0.2, dict.fromkeys(TESTED, 0.5), (0.5,) * 36, 0.8, {"logits": 0.1}, 9.0, 1.0)
        run = seed_run(seed, case.seeded(seed).document(), [final])
        found = found.with_run(key, run, Session("on a card", "2025-01-31", "a card", {"torch": "2"}))
    return found
