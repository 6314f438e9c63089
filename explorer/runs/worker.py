"""A worker: `python -m explorer.runs.worker` trains the runs that wait, one after the other, and ends.

`launch.pump` starts it with the place it has taken; started by hand, it takes one if the settings leave one.
"""

import errno
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from threading import Event
from typing import NoReturn

import torch
from torch import nn

from equivariance.errors import EquivarianceError
from explorer.data.datasets import Dataset, head, load
from explorer.errors import RunError
from explorer.runs.crew import Crew
from explorer.runs.duty import INTERRUPTED, LOST, Duty, persistently
from explorer.runs.launch import pump
from explorer.runs.limits import check_steps, check_training
from explorer.runs.machine import hardware, software
from explorer.runs.processes import process_of, this_host
from explorer.runs.room import check_room
from explorer.runs.run import Facts
from explorer.runs.starts import start_of
from explorer.runs.store import Store, open_store
from explorer.serving.engine import Engine
from explorer.serving.weights import classes_of, save_weights
from explorer.settings import Settings, settings_from
from explorer.training.fit import Stopped, check_fit, fit, is_mixed
from explorer.training.metrics import Epoch
from explorer.training.recipe import Recipe

_NICENESS = 10  # who looks at pages goes first
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FULL_WORDS = ("No space left", "StorageFull", "is full")  # of errors that come without a number
_ASKED = "Its process was asked to end: resume continues from here."
_BUG = "The run ended because of a bug in the app: workers.log in the folder of the runs says where."
_FULL_DISK = "The disk of the runs is full: make room on it or delete runs, then resume."


def train(store: Store, run: str, worker: str, settings: Settings, asked_to_end: Event) -> None:
    """Train a claimed run to its end, whatever that is, and record it."""
    duty = Duty(store, run, worker, asked_to_end, leave=lambda: _leave_at_once(store, worker, settings, asked_to_end))
    with duty:
        state, error = _outcome(store, run, worker, settings, duty)
    if state == LOST:
        return
    store.say(run, error or f"{state.capitalize()}.")
    try:
        persistently(lambda: store.finish(run, state, error, worker=worker))
    except RunError:  # given up meanwhile
        return
    if state == "finished":
        for path in (store.checkpoint_path(run), store.start_path(run)):
            path.unlink(missing_ok=True)


def _outcome(store: Store, run: str, worker: str, settings: Settings, duty: Duty) -> tuple[str, str]:
    """State and error of the run after training it."""
    try:
        _train(store, run, worker, settings, duty)
    except Stopped:
        return duty.stop, _ASKED if duty.stop == INTERRUPTED else ""
    except Exception as error:
        if duty.stop == LOST:
            return LOST, ""
        said = _sentence(error)
        if said == _BUG:
            traceback.print_exc()  # for whoever runs the app; visitors read the run's own log
        return "failed", said
    return "finished", ""


def _train(store: Store, run: str, worker: str, settings: Settings, duty: Duty) -> None:
    recipe = store.get(run).recipe
    for unfinished in store.folder_of(run).glob("*.part"):
        unfinished.unlink(missing_ok=True)
    dataset = _data(store, run, recipe, settings, duty)
    check_fit(recipe, dataset)
    check_steps(recipe, len(dataset.train.labels), settings)
    checkpoint = store.checkpoint_path(run)
    start = None if checkpoint.exists() else start_of(store.get(run), store)  # a checkpoint has weights of its own
    engine = Engine(settings)
    check_room(recipe, dataset, engine)
    facts = _facts(recipe, dataset, engine)
    persistently(lambda: store.describe(run, device=engine.device_name(), facts=facts, worker=worker))
    store.say(run, _opening(recipe, facts, engine.device_name(), goes_on=checkpoint.exists()))
    if start is not None and classes_of(start) not in (None, len(dataset.classes)):
        store.say(
            run,
            f"The weights tell {classes_of(start)} classes apart and the data have {len(dataset.classes)}: the "
            "classifier is new, everything else comes from the weights.",
        )
    metadata = {"recipe": json.dumps(recipe.document()), "classes": json.dumps(dataset.classes), "run": run}

    def on_epoch(epoch: Epoch, network: nn.Module) -> None:
        if epoch.epoch:
            save_weights(network, store.weights_path(run), metadata)
        persistently(lambda: store.add_epoch(run, epoch, worker=worker))
        store.say(run, _epoch_line(epoch))

    fit(
        recipe,
        dataset,
        device=engine.device,
        checkpoint=checkpoint,
        start=start,
        on_step=duty.check,
        on_epoch=on_epoch,
    )


def _data(store: Store, run: str, recipe: Recipe, settings: Settings, duty: Duty) -> Dataset:
    """The recipe's data set, its progress in the log at every tenth."""
    told = -1

    def progress(fraction: float, sentence: str) -> None:
        nonlocal told
        duty.check()
        if int(fraction * 10) != told:
            told = int(fraction * 10)
            store.say(run, f"{sentence} ({fraction:.0%})")

    dataset = load(recipe.data, folder=settings.data_path, progress=progress)
    duty.check()
    return head(dataset, recipe.train_pictures, recipe.test_pictures)


def _facts(recipe: Recipe, dataset: Dataset, engine: Engine) -> Facts:
    return Facts(
        data_sha256=dataset.sha256,
        classes=dataset.classes,
        train_pictures=len(dataset.train.labels),
        test_pictures=len(dataset.test.labels),
        notes=dataset.notes,
        software=software(),
        hardware=hardware(engine.device_name()),
        precision="bfloat16" if is_mixed(recipe, engine.device) else "float32",
    )


def _opening(recipe: Recipe, facts: Facts, device: str, *, goes_on: bool) -> str:
    beginning = "Goes on from its checkpoint" if goes_on else "Begins"
    return (
        f"{beginning}: {recipe.network} at {recipe.size_px} px on {facts.train_pictures} pictures of {recipe.data}, "
        f"{device}, {facts.software}."
    )


def _epoch_line(epoch: Epoch) -> str:
    loss = "" if epoch.train_loss is None else f"training loss {epoch.train_loss:.4f}, "
    return (
        f"Epoch {epoch.epoch}: {loss}test loss {epoch.test_loss:.4f}, accuracy upright "
        f"{epoch.accuracy['identity']:.1%}, at the other quarter turns {epoch.unseen_accuracy:.1%}."
    )


def _sentence(error: BaseException) -> str:
    """What is said of an error that ends a run."""
    if _is_full_disk(error):
        return _FULL_DISK
    if isinstance(error, EquivarianceError):
        return str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
        return "Training needs more memory than there is: give a smaller batch, a smaller size or a narrower network."
    return _BUG


def _is_full_disk(error: BaseException) -> bool:
    return any(
        (isinstance(each, OSError) and each.errno in _FULL) or any(words in str(each) for words in _FULL_WORDS)
        for each in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _leave_at_once(store: Store, worker: str, settings: Settings, asked_to_end: Event) -> NoReturn:
    """End this process from any of its threads; others take over what waits."""
    try:
        Crew(store.database).leave(worker)
        if not asked_to_end.is_set():
            pump(store, settings)
    finally:
        os._exit(1)


def main(arguments: Sequence[str]) -> int:
    """Work until no run waits or the system asks to end; the exit status."""
    try:
        settings = settings_from()
        check_training(settings)
        store = open_store(settings)
        crew = Crew(store.database)
        worker = arguments[0] if arguments else crew.join(this_host(), limit=settings.workers)
        if worker is None or not crew.arrive(worker, process_of(os.getpid())):
            print("There are already as many workers as EXPLORER_WORKERS allows.", file=sys.stderr)
            return 0
        _work(store, worker, settings)
    except EquivarianceError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _work(store: Store, worker: str, settings: Settings) -> None:
    asked_to_end = Event()
    signal.signal(signal.SIGTERM, lambda number, frame: asked_to_end.set())
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    try:
        while not asked_to_end.is_set() and (run := store.claim(worker)):
            train(store, run, worker, settings, asked_to_end)
    finally:
        Crew(store.database).leave(worker)
    if not asked_to_end.is_set():
        pump(store, settings)  # a run that came after the last look and found this worker still there


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
