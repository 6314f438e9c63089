"""The commands of training: `train`, `runs`, `run`, `cancel`, `resume`, `delete`, `restore`.

They share their runs with the app.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from tqdm import tqdm

from explorer.commands.options import add_head, start_given
from explorer.commands.terminal import INTERRUPTED, all_finite, print_json, print_table, seed
from explorer.data.known import FOLDER
from explorer.errors import RunError
from explorer.pictures.images import Fit
from explorer.runs.launch import pump
from explorer.runs.limits import check_limits, check_training
from explorer.runs.store import UNDO_S, Run, Store, open_store
from explorer.serving.engine import network_spec
from explorer.settings import Settings
from explorer.training.fit import check_recipe
from explorer.training.metrics import Epoch
from explorer.training.recipe import AUGMENTATIONS, OPTIMIZERS, PRECISIONS, SCHEDULES, Recipe
from models.catalog import SUBSAMPLINGS

_POLL_S = 0.3
_CANCEL_LIMIT_S = 15.0  # for a worker that has to be ended
_DEFAULTS = Recipe()
_ENDS = {"failed": "has failed", "cancelled": "was cancelled", "interrupted": "was interrupted"}


def add_training(commands: Any) -> tuple[argparse.ArgumentParser, ...]:
    """Add the commands to argparse's subparsers, and return them."""
    train = commands.add_parser("train", help="train or fine-tune a network in the background")
    _add_recipe(train)
    train.add_argument("--name", default="", metavar="TEXT", help="a name for the run")
    train.set_defaults(run=_train)

    runs = commands.add_parser("runs", help="list the runs, the latest first")
    runs.set_defaults(run=_runs)

    run = commands.add_parser("run", help="show how far a run is, and the figures of its epochs")
    cancel = commands.add_parser("cancel", help="stop a run, or remove it from the queue")
    resume = commands.add_parser("resume", help="continue a run from its last checkpoint")
    delete = commands.add_parser("delete", help="delete a run; its files are removed ten minutes later")
    restore = commands.add_parser("restore", help="undo `delete`, within ten minutes")
    actions = ((run, _run), (cancel, _cancel), (resume, _resume), (delete, _delete), (restore, _restore))
    for command, action in actions:
        command.add_argument("id", metavar="ID", help="as `runs` lists it")
        command.set_defaults(run=action)
    for command in (train, run, resume):
        command.add_argument("--wait", action="store_true", help="wait until it has ended, with a progress bar")
    return train, runs, run, cancel, resume, delete, restore


def _add_recipe(command: argparse.ArgumentParser) -> None:
    """An option for each field of a recipe."""

    def choice(option: str, accepted: Iterable[str], meaning: str) -> None:
        default = getattr(_DEFAULTS, _field(option))
        command.add_argument(option, choices=tuple(accepted), default=default, help=f"{meaning} (default {default})")

    def number(option: str, metavar: str, meaning: str, kind: type[int] | type[float] = int) -> None:
        default = getattr(_DEFAULTS, _field(option))
        command.add_argument(
            option, type=kind, default=default, metavar=metavar, help=f"{meaning} (default {default:g})"
        )

    def text(option: str, metavar: str, meaning: str) -> None:
        default = getattr(_DEFAULTS, _field(option))
        command.add_argument(option, default=default, metavar=metavar, help=f"{meaning} (default {default})")

    text("--network", "NAME", "GROUP-FAMILY")
    command.add_argument("--size", dest="size_px", type=int, default=_DEFAULTS.size_px, metavar="PX", help="side")
    command.add_argument(
        "--fit", dest="how", choices=get_args(Fit), default=_DEFAULTS.how, help="how the pictures are brought to size"
    )
    choice("--subsampling", SUBSAMPLINGS, "how layers subsample")
    command.add_argument(
        "--symmetric-subsampling",
        dest="subsampling",
        action="store_const",
        const="symmetric",
        help="--subsampling symmetric",
    )
    add_head(command)
    number("--dropout", "RATE", "after four layers of a cnn", float)
    command.add_argument("--minimum-width", action="store_true", help="the narrowest version, which the tests use")
    text("--data", "DATA", "mnist-12k, mnist, fashion-mnist, cifar10, or folder:PATH with a sub-folder for each class")
    number("--train-pictures", "N", "the first N alone; 0: all")
    number("--test-pictures", "N", "the first N alone; 0: all")
    number("--epochs", "N", "passes over all training pictures")
    number("--batch-size", "N", "pictures in each step")
    choice("--optimizer", OPTIMIZERS, "how gradients update the weights")
    number("--learning-rate", "RATE", "its peak", float)
    number("--weight-decay", "RATE", "how strongly weights are pulled to zero", float)
    choice("--schedule", SCHEDULES, "of the learning rate")
    text("--rotation", "KIND", "how training pictures are turned: none, quarter, uniform, or normal:MEAN,SD in degrees")
    command.add_argument(
        "--mirrors", action="store_true", help="mirror half of the training pictures, chosen at random"
    )
    choice("--augmentation", AUGMENTATIONS, "further changes to the training pictures")
    choice("--precision", PRECISIONS, "mixed: bfloat16 where the device supports it well")
    command.add_argument(
        "--deterministic",
        action=argparse.BooleanOptionalAction,
        default=_DEFAULTS.deterministic,
        help="the same weights in every run, bit for bit (default)",
    )
    number("--test-every", "N", "epochs between tests")
    number("--angles-every", "N", "epochs between tests at 36 angles; 0: never")
    command.add_argument("--seed", type=seed, default=_DEFAULTS.seed, metavar="N", help="seed of everything random")
    command.add_argument(
        "--from",
        dest="start",
        default=_DEFAULTS.start,
        metavar="RUN|FILE",
        help="weights to fine-tune: the id of a run, a safetensors or state_dict (.pt) file, or shipped:NAME",
    )


def _field(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def _train(options: argparse.Namespace, settings: Settings) -> int:
    store = open_store(settings)
    network_spec(options.network)  # says which names are near
    values = {each.name: getattr(options, each.name) for each in fields(Recipe)}
    values["data"] = _absolute(options.data)
    values["start"] = start_given(options.start, options.network, store)
    recipe = Recipe(**values).checked()
    check_recipe(recipe)
    check_limits((recipe,), None, store, settings)
    run = store.create(recipe, owner=None, name=options.name)
    return _go(run.id, options, store, settings)


def _resume(options: argparse.Namespace, settings: Settings) -> int:
    check_training(settings)
    store = open_store(settings)
    pump(store, settings)  # a worker that is lost is noticed first
    store.resume(options.id, None)
    return _go(options.id, options, store, settings)


def _go(run: str, options: argparse.Namespace, store: Store, settings: Settings) -> int:
    """Have the run trained, and show it: at once, or when it has ended."""
    fault = pump(store, settings)
    if fault:
        raise RunError(f"The run {run} waits. {fault}")
    if options.wait:
        return _wait(run, options, store, settings)
    if options.json:
        return print_json(_document(store, store.get(run)))
    print(f"{_headline(store.get(run))}\n`python -m explorer run {run}` shows how far it is.")
    return 0


def _wait(run: str, options: argparse.Namespace, store: Store, settings: Settings) -> int:
    try:
        ended = _watch(run, store, settings)
    except KeyboardInterrupt:
        print(f"\nThe run {run} continues: `python -m explorer cancel {run}` stops it.", file=sys.stderr)
        return INTERRUPTED
    if ended.state != "finished":
        again = f" `python -m explorer resume {run}` continues it." if ended.state == "interrupted" else ""
        raise RunError(f"The run {run} {_ENDS[ended.state]}. {ended.error}{again}".strip())
    return _show(ended, options, store)


def _watch(run: str, store: Store, settings: Settings) -> Run:
    """The run when it has ended; a bar shows how far it is where somebody looks."""
    with tqdm(file=sys.stderr, disable=not sys.stderr.isatty(), unit=" steps", dynamic_ncols=True) as bar:
        while (seen := store.get(run)).is_active:
            fault = pump(store, settings)
            if fault and seen.state == "queued":
                raise RunError(f"The run {run} waits. {fault}")
            _draw(bar, seen)
            time.sleep(_POLL_S)
        _draw(bar, seen)
    return seen


def _draw(bar: Any, run: Run) -> None:
    if run.progress is None:
        bar.set_description_str(f"{run.id} {_standing(run)}")
        return
    if bar.total is None:  # the clock of the time left starts with the training that is seen
        bar.reset(total=run.progress.steps)
        bar.initial = run.progress.step
    bar.n = run.progress.step
    bar.set_description_str(f"{run.id} epoch {min(run.progress.epoch + 1, run.recipe.epochs)}", refresh=False)
    bar.set_postfix_str(f"loss {run.progress.loss:.3f}", refresh=False)
    bar.refresh()


def _runs(options: argparse.Namespace, settings: Settings) -> int:
    store = open_store(settings)
    pump(store, settings)
    runs = store.list(None)
    if options.json:
        return print_json(all_finite([run.document() for run in runs]))
    epochs = store.epochs_of(run.id for run in runs)
    print_table(
        ("run", "state", "network", "size px", "data", "epochs", "upright", "other turns", "made", "name"),
        [_row(run, epochs[run.id]) for run in runs],
    )
    return 0


def _row(run: Run, epochs: Sequence[Epoch]) -> tuple[object, ...]:
    recipe, last = run.recipe, epochs[-1] if epochs else None
    return (
        run.id,
        _standing(run),
        recipe.network,
        recipe.size_px,
        recipe.data,
        f"{last.epoch if last else 0} of {recipe.epochs}",
        f"{last.accuracy['identity']:.1%}" if last else "",
        f"{last.unseen_accuracy:.1%}" if last else "",
        datetime.fromtimestamp(run.created_s, UTC).strftime("%Y-%m-%d %H:%M"),
        run.name,
    )


def _run(options: argparse.Namespace, settings: Settings) -> int:
    store = open_store(settings)
    if options.wait:
        return _wait(options.id, options, store, settings)
    pump(store, settings)
    return _show(store.get(options.id), options, store)


def _cancel(options: argparse.Namespace, settings: Settings) -> int:
    store = open_store(settings)
    pump(store, settings)
    store.cancel(options.id, None)
    deadline_s = time.monotonic() + _CANCEL_LIMIT_S
    while store.get(options.id).is_active and time.monotonic() < deadline_s:
        time.sleep(_POLL_S)
        pump(store, settings)
    run = store.get(options.id)
    if options.json:
        return print_json(_document(store, run))
    print(_headline(run))
    return 0


def _delete(options: argparse.Namespace, settings: Settings) -> int:
    store = open_store(settings)
    store.delete(options.id, None)
    pump(store, settings)  # stops it, if it trains
    if options.json:
        return print_json({"id": options.id, "deleted": True, "restorable_s": UNDO_S})
    print(f"The run {options.id} is deleted. For ten minutes, `python -m explorer restore {options.id}` undoes this.")
    return 0


def _restore(options: argparse.Namespace, settings: Settings) -> int:
    store = open_store(settings)
    store.restore(options.id, None)
    if options.json:
        return print_json(_document(store, store.get(options.id)))
    print(_headline(store.get(options.id)))
    return 0


def _show(run: Run, options: argparse.Namespace, store: Store) -> int:
    """Print the run with its epochs."""
    if options.json:
        return print_json(_document(store, run))
    print(_headline(run))
    if run.device:
        print(f"On {run.device}.", *(run.facts.notes if run.facts else ()))
    if run.error:
        print(run.error)
    epochs = store.epochs(run.id)
    if epochs:
        print()
        print_table(
            ("epoch", "loss", "test loss", "0°", "90°", "180°", "270°", "mirror", "36 angles", "agree", "logits error"),
            [_epoch_row(epoch) for epoch in epochs],
        )
    if store.weights_path(run.id).exists():
        print(f"\nWeights: {store.weights_path(run.id)}")
    return 0


def _epoch_row(epoch: Epoch) -> tuple[object, ...]:
    angles = epoch.angles_accuracy
    return (
        epoch.epoch,
        "" if epoch.train_loss is None else f"{epoch.train_loss:.4f}",
        f"{epoch.test_loss:.4f}",
        *(f"{accuracy:.1%}" for accuracy in epoch.accuracy.values()),
        "" if angles is None else f"{angles:.1%}",
        f"{epoch.agreement:.1%}",
        f"{epoch.errors['logits']:.1e}",
    )


def _headline(run: Run) -> str:
    recipe = run.recipe
    rotation = "" if recipe.rotation == "none" else f", {recipe.rotation} rotation"
    return f"Run {run.id} ({_standing(run)}): {recipe.network} at {recipe.size_px} px on {recipe.data}{rotation}."


def _standing(run: Run) -> str:
    """The state with what belongs to it."""
    if run.position is not None:
        return f"queued, number {run.position}"
    if run.state == "running" and run.progress is not None:
        return f"{'stopping' if run.is_stopping else 'running'}, {run.progress.step} of {run.progress.steps} steps"
    return run.state


def _document(store: Store, run: Run) -> dict[str, Any]:
    """The document of `run --json`: the run, where its weights are (null before the first epoch), and its epochs."""
    path = store.weights_path(run.id)
    return dict(
        all_finite(
            {
                **run.document(),
                "weights": str(path) if path.exists() else None,
                "epochs": [epoch.document() for epoch in store.epochs(run.id)],
            }
        )
    )


def _absolute(data: str) -> str:
    """A folder as seen from here: the worker looks from elsewhere, and first in the data folder."""
    path = Path(data.removeprefix(FOLDER)).expanduser()
    return f"{FOLDER}{path.resolve()}" if data.startswith(FOLDER) and path.is_dir() else data
