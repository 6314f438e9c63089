"""The part of the Train page that computes: how long a plan takes here, and starting it. Imports torch."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from threading import Lock

import torch

from equivariance.kept import Kept
from explorer.data.datasets import Dataset, Split
from explorer.pages.session.live import engine, freeze
from explorer.pages.session.runs_here import label_of, store
from explorer.pages.session.shared import settings
from explorer.pages.train.controls import Plan, without_files
from explorer.runs.launch import pump
from explorer.runs.limits import check_limits, check_training
from explorer.runs.room import check_room
from explorer.runs.starts import check_network, keep_start, resolve_start
from explorer.serving.weights import Weights, weights_from
from explorer.training.fit import Stopped, check_recipe, fit, start_from
from explorer.training.metrics import ANGLES_DEG, TESTED, TURNS, Epoch, Progress
from explorer.training.recipe import Recipe
from models.build import build

_TRIAL_S, _LONG_TRIAL_S = 1.0, 3.0
_SMALL_BATCH = 4
_TRIAL_STEPS, _MOST_TRIAL_STEPS, _TRIAL_TESTS = 3, 200, 4
_START_S = 6.0  # of a process: torch, the data
_CLASSES = 10  # of every data set that is known before it is read
_FORWARD_SHARE = 1 / 3  # of a training step's time


@dataclass(frozen=True)
class Timing:
    """How quickly a network is trained and tested here: seconds for a picture, and for a test apart from pictures."""

    train_s: float
    test_s: float
    fixed_s: float


@dataclass(frozen=True)
class Estimate:
    """How long a plan takes; None where the number of pictures is unknown. waiting: runs that come before."""

    seconds: float | None
    device: str
    waiting: int


_timings: Kept[Timing] = Kept(entries=64)
_trial = Lock()


def estimate(plan: Plan, owner: str, tell: Callable[[str], object] = lambda words: None) -> Estimate:
    """From a trial of each network for a second; raises an error for what is not allowed or cannot be trained.

    tell: told again and again what is tried; what it raises stops the trial.
    """
    _check(plan, owner)
    device = engine().device_name()
    timings = [
        _timing(recipe, partial(tell, f"How long will it take? Trying {label_of(recipe)} …")) for recipe in plan.recipes
    ]
    if plan.pictures is None:
        return Estimate(None, device, store().waiting())
    train, test = plan.pictures
    each = [seconds_of(recipe, timing, train, test) for recipe, timing in zip(plan.recipes, timings, strict=True)]
    at_once = min(settings().workers, len(each))
    return Estimate(sum(each) / at_once, device, store().waiting())


def seconds_of(recipe: Recipe, timing: Timing, train_pictures: int, test_pictures: int) -> float:
    """Start, training and tests of one run."""
    tests = 1 + -(-recipe.epochs // recipe.test_every)
    with_angles = -(-recipe.epochs // recipe.angles_every) if recipe.angles_every else 0
    tested = test_pictures * (tests * len(TESTED) + with_angles * (len(ANGLES_DEG) - len(TURNS)))
    return _START_S + recipe.epochs * train_pictures * timing.train_s + tested * timing.test_s + tests * timing.fixed_s


def start(plan: Plan, owner: str) -> tuple[str, ...]:
    """The ids of new runs, which begin when a worker is free.

    Raises an error in one sentence where one of them is not allowed or cannot be trained; then none is made.
    """
    check_training(settings())
    _check(plan, owner)
    given = None if plan.upload is None else weights_from(plan.upload.getvalue(), plan.upload.name)
    for recipe in plan.recipes:
        _check_network(recipe, given)
    if plan.upload is not None:  # last: what is refused takes no room on the disk
        plan = without_files(plan, keep_start(plan.upload.getvalue(), plan.upload.name, store()))
    runs = [store().create(recipe, owner=owner, name=label_of(recipe)) for recipe in plan.recipes]
    pump(store(), settings())
    return tuple(run.id for run in runs)


def _check(plan: Plan, owner: str) -> None:
    """Raise an error for a plan that is not allowed here; quick."""
    for recipe in plan.recipes:
        recipe.checked()
    check_limits(plan.recipes, owner, store(), settings())


def _check_network(recipe: Recipe, given: Weights | None) -> None:
    """Raise an error for a network that does not take the size, or other weights than those it is to start from."""
    check_recipe(recipe)
    check_room(recipe, _noise(recipe.batch_size, 1), engine())
    weights = given or resolve_start(recipe.start, store())
    if weights is not None:
        check_network(weights, recipe.network)
        start_from(weights, build(recipe.network_spec(_CLASSES)))


def _timing(recipe: Recipe, tell: Callable[[], object]) -> Timing:
    key = (
        *(recipe.network, recipe.size_px // 2, recipe.subsampling, recipe.head, recipe.minimum_width),
        *(recipe.batch_size, recipe.optimizer, recipe.precision),
    )
    return _timings.get(key, lambda: _tried(recipe, tell))


def _tried(recipe: Recipe, tell: Callable[[], object]) -> Timing:
    """Of small batches, where those of the recipe would take too long to try."""
    timing = _trained(replace(recipe, batch_size=min(recipe.batch_size, _SMALL_BATCH)), tell, least_s=0.0)
    if timing.train_s * recipe.batch_size * _TRIAL_STEPS > _LONG_TRIAL_S:
        return timing
    check_room(recipe, _noise(recipe.batch_size, 1), engine())
    return _trained(recipe, tell, least_s=_TRIAL_S)


def _trained(recipe: Recipe, tell: Callable[[], object], *, least_s: float) -> Timing:
    """Trains on noise for `least_s` and some steps: the same code, the same network.

    The first batch is left out, for it waits for what is made once; of the others one of the quicker ones counts, for
    the slow ones say how busy the machine is at this moment.
    """
    trial = replace(recipe, start="", data="mnist-12k", epochs=1, angles_every=0, deterministic=False, rotation="none")
    epochs: list[Epoch] = []
    steps: list[float] = []  # when each was done

    def on_step(progress: Progress) -> None:
        tell()
        if not epochs or progress.step == 0:
            return
        steps.append(time.monotonic())
        if len(steps) >= _TRIAL_STEPS and steps[-1] - steps[0] > least_s:
            raise Stopped

    with _trial, suppress(Stopped):
        fit(
            trial,
            _noise(recipe.batch_size * _MOST_TRIAL_STEPS, _TRIAL_TESTS),
            device=engine().device,
            on_step=on_step,
            on_epoch=lambda epoch, network: epochs.append(epoch),
            report_every_s=0,
        )
    freeze()
    lasted_s = sorted(after - before for before, after in pairwise(steps))
    train_s = lasted_s[len(lasted_s) // 4] / recipe.batch_size
    return Timing(train_s, train_s * _FORWARD_SHARE, epochs[0].elapsed_s)


def _noise(train_pictures: int, test_pictures: int) -> Dataset:
    """Pictures of which only the number matters."""
    counts = train_pictures, test_pictures
    train, test = (
        Split(torch.randint(256, (1, 1, 28, 28), dtype=torch.uint8).expand(count, 1, 28, 28), torch.zeros(count).long())
        for count in counts
    )
    classes = tuple(map(str, range(_CLASSES)))
    return Dataset("noise", "noise", classes, train, test, (), "")
