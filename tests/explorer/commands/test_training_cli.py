"""The commands of training: run in this process, with a stand-in for the workers that trains at once."""

import argparse
import io
import json
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from explorer.commands import training as training_cli
from explorer.commands.main import main
from explorer.commands.training import add_training
from explorer.runs import launch, worker
from explorer.runs import store as runs
from explorer.runs.store import Run, Store
from explorer.settings import Settings
from explorer.training.recipe import Recipe
from tests.explorer.commands.test_cli import Ran, strictly
from tests.support import ROOT
from tests.support.stores import PROGRESS, TINY, an_epoch

TRAIN = (
    "train", "--network", "p4-knight", "--minimum-width", "--size", "9", "--train-pictures", "64", "--test-pictures",
    "20", "--epochs", "2", "--batch-size", "16",
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store that the commands use."""
    monkeypatch.setenv("EXPLORER_RUNS_FOLDER", str(tmp_path))
    monkeypatch.setenv("EXPLORER_DEVICE", "cpu")
    return Store("", tmp_path)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], store: Store, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command; nothing is trained, unless a test says so."""
    monkeypatch.setattr(training_cli, "pump", lambda store, settings: "")

    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        try:
            status = main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        return Ran(status, *capsys.readouterr())

    return call


@pytest.fixture
def trains(monkeypatch: pytest.MonkeyPatch, call: Any) -> None:
    """What waits is trained at once."""

    def pump(store: Store, settings: Settings) -> str:
        while run := store.claim("w"):
            worker.train(store, run, "w", settings, Event())
        return ""

    monkeypatch.setattr(training_cli, "pump", pump)


def refused(ran: Ran) -> str:
    """The one line of a command that was refused."""
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1), ran
    return ran.err.rstrip("\n").removeprefix("explorer: ")


# ------------------------------------------------------------------------------------------------------------- options


def parsed(*options: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_training(parser.add_subparsers())
    return vars(parser.parse_args(["train", *options]))


def test_every_field_of_a_recipe_has_an_option_with_its_default() -> None:
    options = parsed()
    assert Recipe(**{each.name: options[each.name] for each in fields(Recipe)}) == Recipe()


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        ("--network z2-cnn", "network", "z2-cnn"),
        ("--size 29", "size_px", 29),
        ("--fit pad", "how", "pad"),
        ("--subsampling antialiased", "subsampling", "antialiased"),
        ("--symmetric-subsampling", "subsampling", "symmetric"),
        ("--no-group-pooling", "head", "no-pooling"),
        ("--head maximum-first", "head", "maximum-first"),
        ("--dropout 0.3", "dropout", 0.3),
        ("--minimum-width", "minimum_width", True),
        ("--data cifar10", "data", "cifar10"),
        ("--train-pictures 7", "train_pictures", 7),
        ("--test-pictures 7", "test_pictures", 7),
        ("--epochs 7", "epochs", 7),
        ("--batch-size 7", "batch_size", 7),
        ("--optimizer sgd", "optimizer", "sgd"),
        ("--learning-rate 0.5", "learning_rate", 0.5),
        ("--weight-decay 1e-5", "weight_decay", 1e-5),
        ("--schedule step", "schedule", "step"),
        ("--rotation normal:90,10", "rotation", "normal:90,10"),
        ("--mirrors", "mirrors", True),
        ("--augmentation crop-flip", "augmentation", "crop-flip"),
        ("--precision mixed", "precision", "mixed"),
        ("--no-deterministic", "deterministic", False),
        ("--test-every 7", "test_every", 7),
        ("--angles-every 7", "angles_every", 7),
        ("--seed 7", "seed", 7),
    ],
)
def test_option_sets_its_field_and_no_other(
    options: str, field: str, value: Any, call: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = call("train", *options.split(), "--json")
    assert (ran.status, ran.err) == (0, "")
    (run,) = store.list(None)
    assert run.recipe == replace(Recipe(), **{field: value})


# ------------------------------------------------------------------------------------------------------------ commands


def test_run_is_queued_listed_cancelled_and_resumed(call: Any, store: Store) -> None:
    queued = strictly(call(*TRAIN, "--name", "a try", "--json").out)
    assert (queued["state"], queued["position"], queued["name"], queued["epochs"]) == ("queued", 1, "a try", [])
    assert (queued["recipe"], queued["weights"]) == (TINY.document(), None)
    run = queued["id"]

    assert call(*TRAIN).out.startswith("Run ")
    listed = strictly(call("runs", "--json").out)
    assert [each["position"] for each in listed] == [2, 1]
    assert listed[1] == {key: value for key, value in queued.items() if key not in ("epochs", "weights")}
    header, *rows = call("runs").out.splitlines()
    assert header.split()[:3] == ["run", "state", "network"]
    assert rows[1].startswith(f"{run}  queued, number 1  p4-knight") and rows[1].endswith("a try")

    assert strictly(call("cancel", run, "--json").out)["state"] == "cancelled"
    assert refused(call("cancel", run)) == (
        f"The run {run} is cancelled and cannot be cancelled: only one that is queued or running can."
    )
    assert call("resume", run).out == (
        f"Run {run} (queued, number 2): p4-knight at 9 px on mnist-12k.\n"
        f"`python -m explorer run {run}` shows how far it is.\n"
    )
    assert call("run", run).out == f"Run {run} (queued, number 2): p4-knight at 9 px on mnist-12k.\n"


def test_deleted_run_is_restored_for_ten_minutes_and_then_takes_no_disk(
    call: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_cli, "pump", launch.pump)
    monkeypatch.setenv("EXPLORER_TRAINING", "off")  # nothing is started
    run = store.create(TINY, owner=None).id
    assert call("delete", run).out == (
        f"The run {run} is deleted. For ten minutes, `python -m explorer restore {run}` undoes this.\n"
    )
    assert store.list(None) == () and refused(call("delete", run)).startswith(f"There is no run '{run}'")
    assert strictly(call("restore", run, "--json").out)["state"] == "cancelled"

    assert strictly(call("delete", run, "--json").out) == {"id": run, "deleted": True, "restorable_s": 600}
    monkeypatch.setattr(runs, "UNDO_S", -1)
    call("runs")
    assert not store.folder_of(run).exists()
    assert refused(call("restore", run)).startswith(f"There is no run '{run}'")


def test_waiting_shows_the_epochs_of_the_finished_run(call: Any, store: Store, trains: None) -> None:
    printed = call(*TRAIN, "--rotation", "quarter", "--wait")
    (run,) = store.list(None)
    assert (printed.status, printed.err) == (0, "")
    first, device, _, header, *rows, _, weights = printed.out.splitlines()
    assert first == f"Run {run.id} (finished): p4-knight at 9 px on mnist-12k, quarter rotation."
    assert device.startswith("On CPU") and header.split()[0] == "epoch" and len(rows) == 3
    assert weights == f"Weights: {store.weights_path(run.id)}"

    document = strictly(call("run", run.id, "--json").out)
    assert [epoch["epoch"] for epoch in document["epochs"]] == [0, 1, 2]
    assert (document["facts"]["train_pictures"], document["weights"]) == (64, str(store.weights_path(run.id)))
    assert rows[-1].split()[2] == f"{document['epochs'][-1]['test_loss']:.4f}"


def test_document_has_null_for_what_is_not_a_number(call: Any, store: Store) -> None:
    run = store.create(TINY, owner=None).id
    store.claim()
    store.beat(run, replace(PROGRESS, loss=float("nan")))
    store.add_epoch(run, an_epoch(1, loss=float("inf")))
    document = strictly(call("run", run, "--json").out)
    assert (document["progress"]["loss"], document["epochs"][0]["train_loss"]) == (None, None)


def test_running_run_says_how_far_it_is(call: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.create(TINY, owner="a visitor of the app").id
    store.claim()
    store.beat(run, PROGRESS)
    assert "(running, 3 of 8 steps)" in call("run", run).out
    monkeypatch.setattr(training_cli, "pump", lambda *_: store.get(run).is_stopping and store.finish(run, "cancelled"))
    assert call("cancel", run).out == f"Run {run} (cancelled): p4-knight at 9 px on mnist-12k.\n"


def test_fine_tuning_and_measuring_take_a_run_or_its_file(
    call: Any, store: Store, trains: None, tmp_path: Path
) -> None:
    call(*TRAIN)
    (first,) = store.list(None)
    file = tmp_path / "mine.safetensors"
    file.write_bytes(store.weights_path(first.id).read_bytes())
    starts = []
    for source in (first.id, f"run:{first.id}", str(file)):
        starts.append(strictly(call(*TRAIN, "--from", source, "--json").out)["recipe"]["start"])
    assert starts[:2] == [f"run:{first.id}"] * 2 and starts[2].startswith("file:")
    assert {run.state for run in store.list(None)} == {"finished"}

    measure = ("measure", "--network", "p4-knight", "--minimum-width", "--size", "9", "--json", "--weights")
    by_run, by_file = (strictly(call(*measure, source).out) for source in (first.id, str(file)))
    assert by_run == by_file
    assert by_run["logits"] != strictly(call(*measure[:-1]).out)["logits"]
    other = ("--network", "z2-knight")
    for command in (("measure", *other, "--size", "9", "--weights", first.id), ("train", *other, "--from", first.id)):
        assert refused(call(*command)) == (
            "These weights belong to p4-knight and do not fit z2-knight: give --network p4-knight."
        )


def test_weights_with_other_classes_bring_their_number(
    call: Any, store: Store, trains: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = worker.load

    def three_classes(name: str, **options: Any) -> Any:
        data = load(name, **options)
        parts = {}
        for split in ("train", "test"):
            part = getattr(data, split)
            few = part.labels < 3
            parts[split] = replace(part, pictures=part.pictures[few], labels=part.labels[few])
        return replace(data, classes=("a", "b", "c"), **parts)

    monkeypatch.setattr(worker, "load", three_classes)
    run = strictly(call(*TRAIN, "--wait", "--json").out)
    assert run["facts"]["classes"] == ["a", "b", "c"]
    measure = ("measure", "--network", "p4-knight", "--minimum-width", "--size", "9", "--json", "--weights", run["id"])
    assert len(strictly(call(*measure).out)["logits"]["identity"]) == 3


# ------------------------------------------------------------------------------------------------------- what is said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "--network", "p4-cn"), "There is no network 'p4-cn': did you mean p4-cnn"),
        (("train", "--rotation", "some"), "The rotation 'some' is not known"),
        (("train", "--data", "nothing"), "There is no data set 'nothing'"),
        (("train", "--batch-size", "1"), "Batch size is 1: give 2 to 65536."),
        (("train", "--epochs", "999"), "999 epochs are more than this installation trains: give at most 200"),
        (("train", "--size", "x"), "argument --size: invalid int value: 'x'"),
        (("train", "--size", "5"), "p4-cnn cannot take 5 px: give at least"),
        (("train", "--network", "c4-cnn", "--symmetric-subsampling"), "c4-cnn cannot be trained with symmetric"),
        (("delete", "nothing4here2see"), "There is no run 'nothing4here2see'"),
        (("restore", "nothing4here2see"), "There is no run 'nothing4here2see'"),
        (("train", "--from", "nothing4here2see"), "There is no run 'nothing4here2see'"),
        (("train", "--from", "no.safetensors"), "The weights 'no.safetensors' cannot be read"),
        (("train", "--from", "shipped:no"), "The app has no weights 'no'"),
        (("run", "nothing4here2see"), "There is no run 'nothing4here2see'"),
        (("cancel", "../.."), "There is no run '../..'"),
        (("resume", "nothing4here2see"), "There is no run 'nothing4here2see'"),
        (("run",), "the following arguments are required: ID"),
        (("measure", "--network", "p4-cnn", "--size", "28", "--weights", "nothing"), "There is no run 'nothing'"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], said: str, call: Any, store: Store) -> None:
    assert said in refused(call(*arguments))
    assert store.list(None) == ()


def test_training_that_is_off_is_said(call: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.create(TINY, owner=None).id
    store.cancel(run, None)
    monkeypatch.setenv("EXPLORER_TRAINING", "off")
    for command in (TRAIN, ("resume", run)):
        assert refused(call(*command)).startswith("Training is switched off here")
    assert call("runs").status == 0


def test_unreachable_database_is_one_line(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_DATABASE", "postgresql://me:secret@127.0.0.1:1/runs")
    said = refused(call("runs"))
    assert said.startswith("The database of the runs postgresql://me:***@") and "secret" not in said


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        ("failed", "The labels do not match.", "The run {} has failed. The labels do not match."),
        ("cancelled", "", "The run {} was cancelled."),
        ("interrupted", "Lost.", "The run {} was interrupted. Lost. `python -m explorer resume {}` continues it."),
    ],
)
def test_waiting_for_a_run_that_does_not_finish_is_one_line(
    state: str, error: str, said: str, call: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pump(store: Store, settings: Settings) -> str:
        if run := store.claim():
            store.finish(run, state, error)
        return ""

    monkeypatch.setattr(training_cli, "pump", pump)
    line = refused(call(*TRAIN, "--wait", "--json"))
    run = store.list(None)[0].id
    assert line == said.format(run, run)


def test_worker_that_cannot_start_is_said(call: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_cli, "pump", lambda store, settings: "Training cannot start: no process.")
    line = refused(call(*TRAIN))
    assert line == f"The run {store.list(None)[0].id} waits. Training cannot start: no process."


def test_ctrl_c_leaves_the_run_and_says_how_to_cancel_it(
    call: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training_cli.time, "sleep", interrupt)
    ran = call(*TRAIN, "--wait")
    (run,) = store.list(None)
    assert (ran.status, ran.out, run.state) == (130, "", "queued")
    assert ran.err == f"\nThe run {run.id} continues: `python -m explorer cancel {run.id}` stops it.\n"


def test_terminal_sees_a_bar_with_how_far_it_is(call: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", screen)
    seen: list[Run] = []

    def pump(store: Store, settings: Settings) -> str:
        run = store.list(None)[0]
        if seen and not run.started_s:
            store.claim()
            store.beat(run.id, PROGRESS)
        elif run.started_s:
            store.finish(run.id, "finished")
        seen.append(run)
        return ""

    monkeypatch.setattr(training_cli, "pump", pump)
    monkeypatch.setattr(training_cli.time, "sleep", lambda seconds: None)
    assert call(*TRAIN, "--wait").status == 0
    assert "epoch 1:" in screen.getvalue() and "3/8" in screen.getvalue() and "loss 2.500" in screen.getvalue()


@pytest.mark.full
def test_real_run_from_the_command_line_to_its_document(tmp_path: Path) -> None:
    environment = os.environ | {"EXPLORER_RUNS_FOLDER": str(tmp_path), "EXPLORER_DEVICE": "cpu"}
    ran = subprocess.run(
        [sys.executable, "-m", "explorer", *TRAIN, "--wait", "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    document = json.loads(ran.stdout)
    assert (document["state"], len(document["epochs"])) == ("finished", 3)
    assert Path(document["weights"]).is_file()
