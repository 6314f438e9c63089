"""`python -m explorer reproduce …`: run a grid, write its results file, print ours beside the authors'."""

import argparse
import datetime
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from explorer.commands.terminal import INTERRUPTED
from explorer.errors import RecipeError, RunError
from explorer.reproduction import prediction_report, sample, tables
from explorer.reproduction.knight import SIZES_PX, STEPS, KnightRun, KnightRuns, run_knight, write_knight
from explorer.reproduction.results import (
    Results,
    Session,
    check_writable,
    read_results,
    results_path,
    session_of,
    write_results,
)
from explorer.reproduction.sides import NetworkSides, Sides, count_sides, run_sides, write_sides
from explorer.reproduction.statistics import summarise
from explorer.reproduction.studies import BUDGETS, STUDIES, GridBudget, Study
from explorer.settings import Settings

EXPERIMENTS = ("mnist", "cifar10", "knight", "sizes", sample.EXPERIMENT)
_STUDIES = {**STUDIES, sample.EXPERIMENT: sample.prediction_studies}
_BUDGETS = {**BUDGETS, sample.EXPERIMENT: sample.BUDGETS}
SEEDS = 3
_CHANGES = ("epochs", "train_pictures", "test_pictures")  # options that change the budget
_POLL_S = 1.0


def add_reproduce(commands: Any) -> argparse.ArgumentParser:
    """Add the command to argparse's subparsers."""
    command: argparse.ArgumentParser = commands.add_parser(
        "reproduce", help="repeat the paper's experiments, and print our figures beside the authors'"
    )
    command.add_argument(
        "experiment",
        choices=EXPERIMENTS,
        help="digits (mnist), photographs (cifar10), the knight, errors by size (sizes), or whether errors predict "
        "what is lost (prediction)",
    )
    command.add_argument(
        "--seeds",
        type=_count,
        metavar="N",
        help=f"number of runs for each case (default {SEEDS}; prediction: {sample.SEEDS}, the networks are the sample)",
    )
    command.add_argument(
        "--budget",
        choices=("quick", "full"),
        default="quick",
        help="quick: for two cores, 12 epochs on mnist-12k (cifar10: 4 on 10,000 pictures); full: the authors' own",
    )
    how = command.add_mutually_exclusive_group()
    how.add_argument("--wait", action="store_true", help="wait until everything is done, with a progress bar")
    how.add_argument(
        "--merge",
        type=Path,
        action="append",
        metavar="FILE",
        help="train nothing: take up the runs of another results file of the same budget; may be repeated",
    )
    command.add_argument("--only", metavar="NAMES", help="only these studies or cases: upright,parity/padded-29")
    command.add_argument("--epochs", type=_count, metavar="N", help="number of epochs, instead of the budget's")
    command.add_argument("--train-pictures", type=_count, metavar="N", help="train on only the first N pictures")
    command.add_argument("--test-pictures", type=_count, metavar="N", help="test on only the first N pictures")
    command.add_argument(
        "--to", type=Path, metavar="FILE", help="the file for the results (default: the one that the app shows)"
    )
    command.set_defaults(run=reproduce)
    return command


def reproduce(options: argparse.Namespace, settings: Settings) -> int:
    """Run the command; its exit status."""
    if options.merge:
        return _merge(options)
    options.seeds = options.seeds or (sample.SEEDS if options.experiment == sample.EXPERIMENT else SEEDS)
    if options.experiment == "knight":
        return _knight(options, settings)
    if options.experiment == "sizes":
        return _sides(options, settings)
    return _grid(options, settings)


# ------------------------------------------------------------------------------------------------ the grids of training


def _grid(options: argparse.Namespace, settings: Settings) -> int:
    from explorer.reproduction.runner import Grid  # with the store, which the other experiments do without
    from explorer.runs.limits import MAX_WAITING, check_disk
    from explorer.runs.store import open_store

    experiment, budget = options.experiment, _budget(options)
    everything = _STUDIES[experiment](budget)
    studies = _chosen(everything, options.only)
    path = _path(options, "try" if _is_reduced(options) else budget.name)
    _have(budget.data, settings)
    results = read_results(path, experiment) or Results(experiment, budget.name)
    store = open_store(settings)
    grid = Grid(
        store,
        studies,
        options.seeds,
        results,
        bases=[case for study in everything for case in study.cases],
        command=_command(options),
        on_results=lambda found: write_results(found, path),
        ahead=2 * settings.workers if options.wait else MAX_WAITING // 2,
        check_room=lambda: check_disk(store, settings),
    )
    try:
        failures = _run(grid, settings, wait=options.wait)
    except KeyboardInterrupt:
        print("\nThe runs continue; the same command waits for them and collects finished ones.", file=sys.stderr)
        return INTERRUPTED
    _show(options, grid.results, studies, path, seeds=options.seeds, failures=failures)
    for failure in failures:
        print(f"explorer: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _merge(options: argparse.Namespace) -> int:
    """Add the runs of other files to the results; nothing is written where one of the files is refused."""
    from explorer.reproduction.merging import merged, read_other

    experiment = options.experiment
    if experiment not in _STUDIES:
        raise RecipeError(f"The results of {experiment} cannot be merged: give {' or '.join(_STUDIES)}.")
    budget = _budget(options)
    everything = _STUDIES[experiment](budget)
    studies = _chosen(everything, options.only)
    path = _path(options, "try" if _is_reduced(options) else budget.name)
    results = read_results(path, experiment) or Results(experiment, budget.name)
    cases = [case for study in everything for case in study.cases]
    wanted = {case.key for study in studies for case in study.cases}
    said = []
    for source in options.merge:
        other = read_other(source, experiment)
        found = merged(results, other, cases, only=wanted, source=source.name)
        results = found.results
        said.append(f"{source}: {found.added} runs added, {found.known} were there.")
    write_results(results, path)
    print("\n".join(said), file=sys.stderr)
    _show(options, results, studies, path, seeds=max((len(runs) for runs in results.cases.values()), default=0))
    return 0


def _show(
    options: argparse.Namespace,
    results: Results,
    studies: tuple[Study, ...],
    path: Path,
    *,
    seeds: int,
    failures: tuple[str, ...] = (),
) -> None:
    """Print ours beside the authors'."""
    rows = list(tables.rows_of(results, studies))
    is_sample = options.experiment == sample.EXPERIMENT
    if options.json:
        document = {"experiment": options.experiment, "failures": failures, "rows": tables.document(rows)}
        print(json.dumps(document | (prediction_report.document(results) if is_sample else {}), indent=1))
    else:
        print(tables.text(rows, seeds=seeds))
        if is_sample:
            print(f"\n{prediction_report.text(results)}")
        print("\nAccuracy in percent: mean ± standard deviation over seeds.")
        print(f"* the 95 % interval of the difference (Welch) leaves out zero. Results: {path}")


def _run(grid: Any, settings: Settings, *, wait: bool) -> tuple[str, ...]:
    """Advance the grid, once or until it is over; the sentences of runs that failed."""
    from explorer.runs.launch import pump
    from explorer.runs.limits import check_training

    check_training(settings)
    standing = grid.advance()
    if not wait:
        later = f" Run the same command again to queue {standing.later} of them later." if standing.later else ""
        print(
            f"Runs finished: {standing.finished}; training: {standing.running}; waiting: {standing.waiting}.{later}",
            file=sys.stderr,
        )
        if (fault := pump(grid.store, settings)) and standing.waiting:
            raise RunError(f"The runs are waiting. {fault}")
        return tuple(standing.failures)
    with _bar(standing.epochs, "epochs") as show:
        while not standing.is_over:
            fault = pump(grid.store, settings)
            if fault and not standing.running:
                raise RunError(fault)
            time.sleep(_POLL_S)
            standing = grid.advance()
            show(standing.epochs_done)
    return tuple(standing.failures)


def _have(data: str, settings: Settings) -> None:
    """Fetch the data set if it is not there: once, before many workers ask for it. Raises DataError."""
    from explorer.data.datasets import bytes_to_fetch, load

    if bytes_to_fetch(data, folder=settings.data_path):
        with _bar(100, "%") as show:
            load(data, folder=settings.data_path, progress=lambda fraction, _: show(100 * fraction))


def _is_reduced(options: argparse.Namespace) -> bool:
    """Whether options change the budget."""
    return any(getattr(options, name) for name in _CHANGES)


def _budget(options: argparse.Namespace) -> GridBudget:
    budget = _BUDGETS[options.experiment][options.budget]
    given = {name: getattr(options, name) for name in _CHANGES if getattr(options, name)}
    return replace(budget, **given)


def _chosen(studies: tuple[Study, ...], names: str | None) -> tuple[Study, ...]:
    """The studies and cases called so."""
    if names is None:
        return studies
    wanted = {name.strip() for name in names.split(",")}
    names_of_studies = [study.name for study in studies]
    for name in sorted(wanted - {case.key for study in studies for case in study.cases} - set(names_of_studies)):
        cases = ", ".join(case.key for case in studies[0].cases)
        raise RecipeError(
            f"There is no study or case {name!r}: give some of {', '.join(names_of_studies)}, or cases such as {cases}."
        )
    reduced = (
        study if study.name in wanted else replace(study, cases=tuple(c for c in study.cases if c.key in wanted))
        for study in studies
    )
    return tuple(study for study in reduced if study.cases)


# ------------------------------------------------------------------------------------------ what runs here and at once


def _knight(options: argparse.Namespace, settings: Settings) -> int:
    path = _path(options, "full")
    total = options.seeds * len(SIZES_PX) * (STEPS + 1)
    with _bar(total, "steps") as show:
        done = _Counter(show)
        runs = run_knight(settings, range(options.seeds), done.add)
    write_knight(KnightRuns(runs, (_session(options),)), path)
    if options.json:
        print(json.dumps({"experiment": "knight", "runs": [_knight_document(run) for run in runs]}, indent=1))
        return 0
    for size_px in SIZES_PX:
        lowest = summarise([run.lowest for run in runs if run.size_px == size_px])
        spread = "" if lowest.sd is None else f" ± {lowest.sd:.4f}"
        verdicts = [run.verdict for run in runs if run.size_px == size_px]
        broken = f"{verdicts.count('broken')} of {len(verdicts)} seeds broke it"
        print(f"{size_px} px: lowest loss {lowest.mean:.4f}{spread}, {broken} (ln 2 = 0.6931)")
    print(f"\nThe authors: 0.0923 at 32 px after 400 steps; ln 2 at 33 px. Results: {path}")
    return 0


def _sides(options: argparse.Namespace, settings: Settings) -> int:
    path = _path(options, "full")
    with _bar(count_sides(), "sizes") as show:
        done = _Counter(show)
        networks = run_sides(settings, done.add)
    write_sides(Sides(networks, (_session(options),)), path)
    if options.json:
        print(json.dumps({"experiment": "sizes", "networks": [_sides_document(each) for each in networks]}, indent=1))
        return 0
    for network in networks:
        exact = ", ".join(str(side.size_px) for side in network.sides if side.is_exact)
        largest = max(side.error for side in network.sides if side.is_exact)
        smallest = min(side.error for side in network.sides if not side.is_exact)
        print(f"{network.network}: exact ({network.condition}) at {exact}.")
        print(f"  error at most {largest:.1e} there, at least {smallest:.1e} at all other sizes")
    print(f"\nResults: {path}")
    return 0


def _knight_document(run: KnightRun) -> dict[str, Any]:
    return {"size_px": run.size_px, "seed": run.seed, "lowest": run.lowest, "verdict": run.verdict}


def _sides_document(network: NetworkSides) -> dict[str, Any]:
    errors = {side.size_px: side.error for side in network.sides}
    return {"network": network.network, "exact": [s.size_px for s in network.sides if s.is_exact], "errors": errors}


def _session(options: argparse.Namespace) -> Session:
    from explorer.runs.machine import hardware

    today = datetime.datetime.now(datetime.UTC).date()
    return session_of(_command(options), date=today.isoformat(), hardware=hardware("CPU"))


# ------------------------------------------------------------------------------------------------------------- helpers


def _path(options: argparse.Namespace, budget: str) -> Path:
    """The results file; raises ResultsError where it cannot be written."""
    path: Path = options.to or results_path(options.experiment, budget)
    check_writable(path)
    return path


class _Counter:
    """Counts up and tells the sum."""

    def __init__(self, show: Callable[[float], None]) -> None:
        self._show, self._sum = show, 0

    def add(self, count: int) -> None:
        self._sum += count
        self._show(self._sum)


@contextmanager
def _bar(total: int, unit: str) -> Iterator[Callable[[float], None]]:
    """A progress bar on stderr, as a function that is told how much is done."""
    from tqdm import tqdm

    with tqdm(total=total, unit=unit, file=sys.stderr, bar_format=_BAR, disable=None) as bar:

        def show(done: float) -> None:
            bar.update(round(done, 2) - bar.n)

        yield show


_BAR = "{percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} {unit}, {elapsed} passed, {remaining} left"


def _command(options: argparse.Namespace) -> str:
    """The command as it would be typed again; without the path of the file."""
    parts = [f"python -m explorer reproduce {options.experiment}"]
    if options.experiment != "sizes":
        parts.append(f"--seeds {options.seeds}")
    if options.experiment in _BUDGETS:
        parts.append(f"--budget {options.budget}")
    for name in ("only", *_CHANGES):
        value = getattr(options, name)
        parts += [f"--{name.replace('_', '-')} {value}"] if value else []
    return " ".join([*parts, *(["--wait"] if options.wait else [])])


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 8 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not accepted: give a whole number from 1")
    return int(text)
