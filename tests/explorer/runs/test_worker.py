"""What becomes of a run in a worker: finished, stopped, or failed in one sentence; real processes at the end."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from safetensors.torch import save

from explorer.data.datasets import head, load
from explorer.errors import DataError, RunError, StoreError
from explorer.runs import duty, room, worker
from explorer.runs.crew import Crew
from explorer.runs.duty import Duty
from explorer.runs.launch import pump
from explorer.runs.limits import MAX_WAITING, check_limits
from explorer.runs.processes import is_gone
from explorer.runs.starts import keep_start, resolve_start
from explorer.runs.store import Run, Store
from explorer.serving.weights import read_weights, save_weights, weights_of
from explorer.settings import Settings
from explorer.training.fit import Stopped, fit
from explorer.training.metrics import Progress
from explorer.training.recipe import Recipe
from models.build import build
from tests.support.stores import PROGRESS, TINY, an_epoch

DEADLINE_S = 60


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store("", tmp_path / "runs")


@pytest.fixture
def settings(store: Store) -> Settings:
    return Settings(runs_folder=str(store.folder), device="cpu")


def trained(store: Store, settings: Settings, recipe: Recipe = TINY, *, asked: bool = False) -> Run:
    """A run of `recipe` after `worker.train`; asked: the system asks the worker to end."""
    run = store.create(recipe, owner=None).id
    return go_on(store, settings, run, asked=asked)


def go_on(store: Store, settings: Settings, run: str, *, asked: bool = False) -> Run:
    assert store.claim("w") == run
    asked_to_end = Event()
    if asked:
        asked_to_end.set()
    worker.train(store, run, "w", settings, asked_to_end)
    return store.get(run)


def tensors_of(store: Store, run: str) -> dict[str, torch.Tensor]:
    return dict(read_weights(store.weights_path(run)).tensors)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# ------------------------------------------------------------------------------------------------------- one sentence


def test_run_is_trained_to_its_end_with_weights_figures_and_log(store: Store, settings: Settings) -> None:
    run = trained(store, settings)
    assert (run.state, run.error, run.device[:3]) == ("finished", "", "CPU")
    assert run.facts is not None
    assert (run.facts.train_pictures, run.facts.test_pictures, run.facts.classes) == (64, 20, tuple("0123456789"))
    assert [epoch.epoch for epoch in store.epochs(run.id)] == [0, 1, 2]
    lines = store.log(run.id).splitlines()
    assert "Begins: p4-knight at 9 px on 64 pictures of mnist-12k" in lines[0] and lines[-1].endswith(" Finished.")

    alone = fit(TINY, head(load(TINY.data, folder=settings.data_path), 64, 20), device=torch.device("cpu"))
    assert same(tensors_of(store, run.id), {name: value.detach() for name, value in weights_of(alone).items()})
    metadata = read_weights(store.weights_path(run.id)).metadata
    assert (metadata["run"], metadata["classes"]) == (run.id, '["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]')
    assert {path.name for path in store.folder_of(run.id).iterdir()} == {"log.txt", "weights.safetensors"}


def test_fine_tuning_starts_from_a_run_a_file_or_what_comes_with_the_app(store: Store, settings: Settings) -> None:
    first = trained(store, settings)
    data = store.weights_path(first.id).read_bytes()
    kept = keep_start(data, "mine.safetensors", store)
    assert keep_start(data, "again.safetensors", store) == kept
    for start in (f"run:{first.id}", kept):
        weights = resolve_start(start, store)
        assert weights is not None and same(dict(weights.tensors), tensors_of(store, first.id))

    path = store.folder / "starts" / f"{kept.removeprefix('file:')}.safetensors"
    os.utime(path, (0, 0))
    in_use = keep_start(save({"other": torch.zeros(1)}), "other.safetensors", store)
    assert not path.exists(), "nobody starts from it, and it is old"
    store.create(replace(TINY, start=in_use), owner=None)
    other = store.folder / "starts" / f"{in_use.removeprefix('file:')}.safetensors"
    os.utime(other, (0, 0))
    assert keep_start(data, "mine.safetensors", store) == kept and other.exists()
    store.cancel(store.list(None)[0].id, None)

    tuned = trained(store, settings, replace(TINY, start=f"run:{first.id}", epochs=1))
    assert store.epochs(tuned.id)[0].test_loss == pytest.approx(store.epochs(first.id)[-1].test_loss, rel=1e-6)
    assert resolve_start("", store) is None


@pytest.mark.parametrize("links", [True, False], ids=["link", "copy"])
def test_run_keeps_what_it_starts_from(
    links: bool, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base trains on and is then deleted for good: that changes nothing, neither at the start nor after one."""
    first = trained(store, settings)
    figures = store.epochs(first.id)[-1]
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "no links")))
    recipe = replace(TINY, start=f"run:{first.id}", epochs=1)
    tuned = store.create(recipe, owner=None).id
    save_weights(fit_untrained(), store.weights_path(first.id))
    store.delete(first.id, None)
    shutil.rmtree(store.folder_of(first.id))

    with monkeypatch.context() as patch:
        patch.setattr(worker, "fit", fit_stopping_at(2))
        assert go_on(store, settings, tuned, asked=True).state == "interrupted"
    assert store.epochs(tuned)[0].test_loss == pytest.approx(figures.test_loss, rel=1e-6)
    store.start_path(tuned).unlink()  # a checkpoint needs it no more
    store.resume(tuned, None)
    assert go_on(store, settings, tuned).state == "finished"


def fit_untrained() -> torch.nn.Module:
    return build(TINY.network_spec(10), seed=99)


def test_a_new_classifier_for_other_classes_is_said_in_the_log(store: Store, settings: Settings) -> None:
    weights = weights_of(build(TINY.network_spec(3)))
    start = keep_start(save({name: value.detach() for name, value in weights.items()}), "three.safetensors", store)
    run = trained(store, settings, replace(TINY, start=start, epochs=1))
    assert run.state == "finished"
    assert "The weights tell 3 classes apart and the data have 10: the classifier is new" in store.log(run.id)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"network": "p4-cnn", "size_px": 5}, "p4-cnn cannot take 5 px: give at least "),
        ({"data": "folder:missing-folder"}, "missing-folder"),
        ({"start": "run:abcdefgh23456789"}, "There is no run 'abcdefgh23456789'"),
        ({"start": "file:" + "0" * 64}, "cannot be read"),
        ({"start": "shipped:nothing"}, "The app has no weights 'nothing'"),
        ({"train_pictures": 1}, "1 training pictures: give at least 2"),
    ],
)
def test_what_cannot_be_trained_fails_with_one_sentence(
    changed: dict[str, Any], sentence: str, store: Store, settings: Settings
) -> None:
    run = trained(store, settings, replace(TINY, **changed))
    assert run.state == "failed" and sentence in run.error and "\n" not in run.error
    assert (store.epochs(run.id), store.weights_path(run.id).exists()) == ((), False)
    assert run.error in store.log(run.id)


def test_weights_of_another_network_are_named(store: Store, settings: Settings) -> None:
    start = keep_start(save({"conv.weight": torch.zeros(3)}), "other.safetensors", store)
    run = trained(store, settings, replace(TINY, start=start))
    assert run.state == "failed" and run.error.startswith("These weights are of another network: ")


def test_batch_that_needs_more_memory_than_there_is_fails_with_one_sentence(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "training_bytes", lambda *_: 2**50)
    run = trained(store, settings)
    assert run.state == "failed" and run.error.startswith("16 pictures of 9 px at once need about 1073741824 MB of ")


def test_too_many_steps_are_refused_when_the_data_is_known(store: Store, settings: Settings) -> None:
    run = trained(store, replace(settings, max_steps=7))
    assert (run.state, run.error) == (
        "failed",
        "2 epochs of 64 pictures, 16 at a time, are 8 steps: at most 7 are trained here, so give fewer epochs or raise "
        "EXPLORER_MAX_STEPS.",
    )


def test_error_of_the_app_is_one_calm_line_and_a_traceback_for_who_runs_the_app(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(worker, "fit", broken)
    run = trained(store, settings)
    assert (run.state, run.error) == (
        "failed",
        "The run ended because of a bug in the app: workers.log in the folder of the runs says where.",
    )
    assert "KeyError: 'a bug'" in capsys.readouterr().err
    assert "Traceback" not in store.log(run.id)


@pytest.mark.parametrize("during", ["weights", "checkpoint"])
def test_full_disk_fails_the_run_and_leaves_nothing_half_written(
    during: str, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def no_room(path: Path, data: bytes) -> int:
        write(path, data[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def no_room_for_checkpoint(*_: object, **__: object) -> None:
        raise RuntimeError("I/O error: No space left on device (os error 28)")  # as safetensors says it

    with monkeypatch.context() as patch:
        if during == "weights":
            patch.setattr(Path, "write_bytes", no_room)
        else:
            patch.setattr("explorer.training.checkpoint.save_file", no_room_for_checkpoint)
        run = trained(store, settings)
    assert (run.state, run.error) == (
        "failed",
        "The disk of the runs is full: make room on it or delete runs, then resume.",
    )
    whole = {"weights": "checkpoint.safetensors", "checkpoint": "weights.safetensors"}[during]
    assert {path.name for path in store.folder_of(run.id).iterdir()} == {"log.txt", whole}
    read_weights(store.folder_of(run.id) / whole)
    assert [epoch.epoch for epoch in store.epochs(run.id)] == [0] if during == "weights" else [0, 1, 2]

    store.resume(run.id, None)
    assert go_on(store, settings, run.id).state == "finished"
    assert same(tensors_of(store, run.id), tensors_of(store, trained(store, settings).id))


def test_data_error_in_the_middle_of_reading_is_the_runs_error(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(name: str, *, folder: Path, progress: Callable[[float, str], None]) -> None:
        progress(0.5, "Fetching")
        raise DataError("The labels do not match.")

    monkeypatch.setattr(worker, "load", unreadable)
    run = trained(store, settings)
    assert (run.state, run.error) == ("failed", "The labels do not match.")
    assert " Fetching (50%)\n" in store.log(run.id)


# ------------------------------------------------------------------------------------------------------------ stopping


def until_stopped(recipe: Recipe, dataset: object, **options: Any) -> None:
    """In place of `fit`: steps without end."""
    deadline_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline_s:
        options["on_step"](PROGRESS)
        time.sleep(0.01)


def test_worker_that_is_asked_to_end_leaves_a_run_that_goes_on_bit_for_bit(store: Store, settings: Settings) -> None:
    step = fit_stopping_at(5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "fit", step)
        run = trained(store, settings, asked=True)
    assert (run.state, run.error) == ("interrupted", "Its process was asked to end: resume continues from here.")
    assert store.checkpoint_path(run.id).exists()

    store.resume(run.id, None)
    assert go_on(store, settings, run.id).state == "finished"
    assert "Goes on from its checkpoint" in store.log(run.id)
    assert same(tensors_of(store, run.id), tensors_of(store, trained(store, settings).id))


def fit_stopping_at(step: int) -> Callable[..., Any]:
    """`fit`, held at a step until the worker's duty stops it."""

    def stopping(recipe: Recipe, dataset: Any, *, on_step: Callable[[Progress], None], **options: Any) -> Any:
        def held(progress: Progress) -> None:
            on_step(progress)
            while progress.step == step:
                on_step(progress)
                time.sleep(0.01)

        return fit(recipe, dataset, on_step=held, report_every_s=0, **options)

    return stopping


def test_cancelled_run_stops_and_tells_how_far_it_came(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "fit", until_stopped)
    run = store.create(TINY, owner=None).id
    monkeypatch.setattr(worker, "check_fit", lambda recipe, dataset: store.cancel(run, None))
    ended = go_on(store, settings, run)
    assert (ended.state, ended.error, ended.progress) == ("cancelled", "", PROGRESS)


def test_step_that_takes_too_long_ends_with_its_process(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duty, "CANCEL_GRACE_S", 0.1)
    run = store.create(TINY, owner=None).id
    store.claim("w")
    left = Event()
    with Duty(store, run, "w", Event(), leave=left.set):
        store.cancel(run, None)
        assert left.wait(DEADLINE_S)
    assert store.get(run).state == "cancelled"


def test_worker_that_lost_its_run_ends_at_once_and_writes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duty, "BEAT_S", 0.01)
    monkeypatch.setattr(duty, "END_GRACE_S", 2 * DEADLINE_S)  # at once: it does not wait for that
    run = store.create(TINY, owner=None).id
    store.claim("w")
    assert store.give_up(store.at_work()[0], "Lost.")  # before the first sign of life, so that none comes between
    left = Event()
    with Duty(store, run, "w", Event(), leave=left.set) as kept:
        assert left.wait(DEADLINE_S)
        with pytest.raises(Stopped):
            kept.check(PROGRESS)
    assert (store.get(run).state, store.get(run).error, store.get(run).progress) == ("interrupted", "Lost.", None)


def test_database_that_is_away_for_a_moment_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duty, "BEAT_S", 0.01)
    run = store.create(TINY, owner=None).id
    store.claim("w")
    asked: list[bool] = []

    def away(**_: object) -> None:
        asked.append(True)
        raise StoreError("The database cannot be reached.")

    with Duty(store, run, "w", Event(), leave=pytest.fail) as kept, monkeypatch.context() as patch:
        patch.setattr(store.database, "writing", away)
        patch.setattr(duty.time, "sleep", lambda seconds: patch.undo() if len(asked) > 2 else None)
        kept.check(PROGRESS)
        duty.persistently(lambda: store.add_epoch(run, an_epoch(0), worker="w"))
    store.finish(run, "finished", worker="w")
    assert (store.epochs(run), store.get(run).state) == ((an_epoch(0),), "finished")


# -------------------------------------------------------------------------------------------------------------- limits


def refusal(recipe: Recipe, store: Store, settings: Settings, owner: str | None = "visitor") -> str:
    with pytest.raises(RunError) as caught:
        check_limits((recipe,), owner, store, settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_each_limit_is_one_sentence_with_both_numbers(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_limits((TINY,), "visitor", store, settings)
    assert refusal(TINY, store, replace(settings, training="off"), None).startswith("Training is switched off here")
    assert refusal(replace(TINY, size_px=65), store, settings) == (
        "65 px is more than this installation trains on: give at most 64 px, or raise EXPLORER_MAX_TRAINING_PX."
    )
    assert refusal(replace(TINY, epochs=201), store, settings) == (
        "201 epochs are more than this installation trains: give at most 200, or raise EXPLORER_MAX_EPOCHS."
    )
    whole = replace(TINY, train_pictures=0)
    assert "2 epochs of 10000 pictures, 16 at a time, are 1250 steps: at most 99 " in refusal(
        whole, store, replace(settings, max_steps=99)
    )

    few = replace(settings, max_runs=1)
    store.create(TINY, owner="visitor")
    assert refusal(TINY, store, few) == (
        "You have 1 runs and may have 1: delete some of them, or raise EXPLORER_MAX_RUNS."
    )
    check_limits((TINY,), "another", store, few)
    check_limits((TINY,), None, store, few)

    monkeypatch.setattr(store, "used_bytes", lambda: 65 * 2**20)
    assert refusal(TINY, store, replace(settings, runs_disk_mb=64)).startswith(
        "The runs take 65 MB of the 64 MB allowed:"
    )
    monkeypatch.setattr(store, "waiting", lambda: MAX_WAITING)
    assert refusal(TINY, store, settings).startswith("100 runs are waiting already:")


@pytest.mark.parametrize("path", ["{outside}", "../secret", "~", "~root"])
def test_visitor_trains_on_folders_in_the_data_folder_alone(
    path: str, store: Store, settings: Settings, tmp_path: Path
) -> None:
    inside = replace(settings, data_folder=str(tmp_path / "data"))
    asked = replace(TINY, data=f"folder:{path.format(outside=tmp_path)}")
    assert refusal(asked, store, inside).startswith("Visitors can train only on folders inside the data folder")
    check_limits((asked,), None, store, inside)
    for good in ("birds", str(tmp_path / "data" / "birds")):
        check_limits((replace(TINY, data=f"folder:{good}"),), "visitor", store, inside)


# ------------------------------------------------------------------------------------------------------ real processes

LONG = replace(TINY, epochs=200, train_pictures=512, test_every=100, angles_every=0)


def watched(store: Store, settings: Settings, run: str, until: Callable[[Run], bool]) -> Run:
    """The run once it is so; everything is looked after meanwhile."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not until(seen := store.get(run)):
        assert pump(store, settings) == ""
        assert time.monotonic() < deadline_s, f"{seen.state} at {seen.progress}: {store.log(run)}"
        time.sleep(0.05)
    return seen


def has_begun(run: Run) -> bool:
    assert run.is_active, run.error
    return run.progress is not None and run.progress.step > 0


def has_done(step: int, run: Run) -> bool:
    return has_begun(run) and run.progress is not None and run.progress.step >= step


def test_real_worker_is_cancelled_while_it_trains_and_ends(store: Store, settings: Settings) -> None:
    run = store.create(LONG, owner=None).id
    watched(store, settings, run, has_begun)
    process = Crew(store.database).members()[0].process
    store.cancel(run, None)
    ended = watched(store, settings, run, lambda seen: not seen.is_active)
    assert (ended.state, store.checkpoint_path(run).exists()) == ("cancelled", True)
    assert process is not None
    watched(store, settings, run, lambda seen: is_gone(process) and Crew(store.database).members() == ())


@pytest.mark.full
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no signals here")
def test_killed_run_goes_on_under_a_restarted_server_and_ends_with_the_same_bits(
    store: Store, settings: Settings
) -> None:
    recipe = replace(LONG, epochs=40, test_every=40)
    whole, killed = store.create(recipe, owner=None).id, store.create(recipe, owner=None).id
    watched(store, settings, whole, lambda seen: seen.state == "finished")
    moments = (137, 803)  # of 1280 steps, at the earliest
    for step in moments:
        watched(store, settings, killed, partial(has_done, step))
        (worker_here,) = Crew(store.database).members()
        assert worker_here.process is not None
        os.kill(worker_here.process.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)

        restarted = Store("", store.folder)  # knows nothing but what is on the disk
        lost = watched(restarted, settings, killed, lambda seen: not seen.is_active)
        assert lost.state == "interrupted", f"killed at one of {moments}"
        restarted.resume(killed, None)
        store = restarted
    watched(store, settings, killed, lambda seen: seen.state == "finished")
    assert same(tensors_of(store, killed), tensors_of(store, whole)), f"killed at {moments}"


@pytest.mark.full
def test_server_that_ends_leaves_its_workers_training(store: Store, settings: Settings) -> None:
    """The process that starts the worker ends at once; the run is finished all the same."""
    run = store.create(replace(TINY, epochs=3), owner=None).id
    server = (
        "import sys; from pathlib import Path; from explorer.settings import Settings;"
        "from explorer.runs.launch import pump; from explorer.runs.store import Store;"
        "folder = sys.argv[1];"
        "pump(Store('', Path(folder)), Settings(runs_folder=folder, device='cpu'))"
    )
    subprocess.run([sys.executable, "-c", server, str(store.folder)], check=True, timeout=DEADLINE_S)
    off = replace(settings, training="off")  # nothing is started from here
    assert watched(store, off, run, lambda seen: not seen.is_active).state == "finished"
