"""Results files: what was run, by which command, when, on what and with which versions; small enough for assets.

Every file has the same frame, with a version that reading checks. A file may hold a part of a grid, and runs of several
sessions on several machines: each run names its session.
"""

import json
import math
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer import __version__, whole_files
from explorer.checkout import ASSETS
from explorer.errors import ResultsError
from explorer.reproduction.statistics import Sample, percent_of, transforms_of
from explorer.training.metrics import Epoch, epoch_of, unpacked

VERSION = 1
FOLDER = ASSETS / "results"
_DIGITS = 5
_POINTS = 12  # of a learning curve, the last epoch among them


@dataclass(frozen=True)
class Session:
    """Where runs of a file come from. `date` is a day: 2025-01-31; `versions` by package.

    precision: in which networks were trained, float32 or bfloat16; empty where it was not kept.
    """

    command: str
    date: str
    hardware: str
    versions: dict[str, str]
    precision: str = ""


@dataclass(frozen=True)
class SeedRun:
    """One run: its last epoch, the one before training, and its curve (epoch, upright and unseen accuracy, 0..1).

    recipe: as trained, `start` left out. session: number of its session in the file.
    agreement, errors (by layer), filters (by layer; mean filters): at the points of the curve. An error is None where
    it is infinite (a layer that answers nothing to a picture, and something to its transform) or not a number.
    """

    seed: int
    recipe: dict[str, Any]
    first: Epoch | None
    final: Epoch
    curve: tuple[tuple[int, float, float], ...]
    session: int = 0
    agreement: tuple[float, ...] = ()
    errors: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    filters: dict[str, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """Runs by the key of their case, then by seed."""

    experiment: str
    budget: str
    sessions: tuple[Session, ...] = ()
    cases: dict[str, dict[int, SeedRun]] = field(default_factory=dict)

    def percents(self, case: str, measure: str, *, first: bool = False) -> tuple[float, ...]:
        """The figures of a case over its seeds, in percent; empty where nothing was run.

        first: before training, of runs that started from trained weights.
        """
        runs = self.cases.get(case, {}).values()
        epochs = [run.first if first else run.final for run in runs]
        found = [percent_of(epoch, measure) for epoch in epochs if epoch is not None]
        return tuple(value for value in found if value is not None)

    def sample(self, case: str, measure: str, *, first: bool = False) -> Sample:
        """The same by seed, with the answers to each test picture where they were kept."""
        runs = self.cases.get(case, {})
        epochs = {seed: run.first if first else run.final for seed, run in runs.items()}
        found = {seed: (epoch, percent_of(epoch, measure)) for seed, epoch in epochs.items() if epoch is not None}
        return Sample(
            {seed: percent for seed, (_, percent) in found.items() if percent is not None},
            {
                seed: by_picture(epoch.right, measure)
                for seed, (epoch, percent) in found.items()
                if percent is not None and epoch.right
            },
        )

    def angles(self, case: str) -> tuple[tuple[float, ...], ...]:
        """For each seed, the accuracy at each of ANGLES_DEG in percent."""
        epochs = [run.final for run in self.cases.get(case, {}).values()]
        return tuple(tuple(100 * value for value in epoch.angles) for epoch in epochs if epoch.angles is not None)

    def with_run(self, case: str, run: SeedRun, session: Session) -> "Results":
        """The same with one run more, or in place of the one with its seed."""
        sessions = self.sessions if session in self.sessions else (*self.sessions, session)
        run = replace(run, session=sessions.index(session))
        runs = {**self.cases.get(case, {}), run.seed: run}
        return replace(self, sessions=sessions, cases={**self.cases, case: dict(sorted(runs.items()))})


@lru_cache(maxsize=512)
def by_picture(right: str, measure: str) -> NDArray[np.float64]:
    """(P,): for each test picture the percent of the measure's transforms at which it was read right."""
    answers = unpacked(right)
    found: NDArray[np.float64] = 100 * np.mean([answers[name] for name in transforms_of(measure)], axis=0)
    return found


def results_path(experiment: str, budget: str = "full") -> Path:
    """Where the app looks for results."""
    return FOLDER / (f"{experiment}.json" if budget == "full" else f"{experiment}-{budget}.json")


def session_of(
    command: str,
    *,
    date: str,
    hardware: str,
    versions: Mapping[str, str] = MappingProxyType({}),
    precision: str = "",
) -> Session:
    """A session with the versions that computed; without any, with those that are installed here."""
    packages = {name: _version(name) for name in ("torch", "numpy")}
    here = {"explorer": __version__, "python": platform.python_version(), **packages}
    return Session(command, date, hardware, dict(versions) or here, precision)


def seed_run(seed: int, recipe: Mapping[str, Any], epochs: Sequence[Epoch]) -> SeedRun:
    """What is kept of a finished run with these epochs."""
    points = epochs[::-1][:: max(1, -(-len(epochs) // _POINTS))][::-1]
    curve = (
        (each.epoch, round(each.accuracy["identity"], _DIGITS), round(each.unseen_accuracy, _DIGITS)) for each in points
    )
    first = _kept(epochs[0]) if epochs[0].epoch == 0 and recipe.get("start") else None
    return SeedRun(
        seed,
        comparable(recipe),
        first,
        _kept(epochs[-1]),
        tuple(curve),
        agreement=tuple(round(each.agreement, _DIGITS) for each in points),
        errors={name: tuple(_short(each.errors[name]) for each in points) for name in points[-1].errors},
        filters={name: tuple(each.filters[name] for each in points) for name in points[-1].filters},
    )


def comparable(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a recipe that say whether two runs are of the same case; `start` names another run of the grid."""
    return {name: value for name, value in recipe.items() if name != "start"}


def check_same(results: Results, recipes: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise ResultsError where runs have another recipe than `recipes` has for their case now."""
    for case, recipe in recipes.items():
        expected = comparable(recipe)
        for run in results.cases.get(case, {}).values():
            changed = [name for name, value in expected.items() if name != "seed" and run.recipe.get(name) != value]
            if changed:
                name = changed[0]
                raise ResultsError(
                    f"The results file has runs of {case} with {name.replace('_', ' ')} {run.recipe.get(name)!r} and "
                    f"not {expected[name]!r}: remove it and run python -m explorer reproduce {results.experiment} "
                    f"--budget {results.budget} --wait, or name another file with --to."
                )


def read_results(path: Path, experiment: str) -> Results | None:
    """The results in the file; None where there is no file. Raises ResultsError for any other file."""
    document = read_document(path, experiment)
    if document is None:
        return None
    try:
        cases = {
            case: {run["seed"]: _run_of(run) for run in runs}  # one line each, for a readable history
            for case, runs in document["cases"].items()
        }
        return Results(experiment, document["budget"], sessions_of(document), cases)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise damaged(path, experiment) from None


def write_results(results: Results, path: Path) -> None:
    """Write the file, whole or not at all; raises ResultsError where it cannot be written."""
    cases = {case: [asdict(run) for run in runs.values()] for case, runs in results.cases.items()}
    write_document(
        path, results.experiment, results.sessions, {"budget": results.budget, "seeds": _seeds(results), "cases": cases}
    )


def read_document(path: Path, experiment: str) -> dict[str, Any] | None:
    """The JSON document of a results file; None where there is none. Raises ResultsError as `read_results`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise damaged(path, experiment) from None
    if not isinstance(document, dict) or document.get("experiment") != experiment:
        raise damaged(path, experiment)
    if document.get("version") != VERSION:
        raise ResultsError(
            f"The results in {path.name} were written by another version of the explorer (format "
            f"{document.get('version')}, this one reads {VERSION}): remove the file and run "
            f"{_command(path, experiment)}."
        )
    return document


def write_document(path: Path, experiment: str, sessions: Sequence[Session], parts: Mapping[str, Any]) -> None:
    """Write a results file of our frame, whole or not at all; raises ResultsError where it cannot be written."""
    frame = {"version": VERSION, "experiment": experiment, "sessions": [asdict(session) for session in sessions]}
    with _said(path):
        whole_files.write_whole(path, f"{_text({**frame, **parts})}\n".encode())


def check_writable(path: Path) -> None:
    """Raise ResultsError where a results file could not be written: before the work, and not after it."""
    with _said(path):
        whole_files.check_writable(path)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """The folder of `path` is made; errors of the system are one sentence."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ResultsError(
            f"The results cannot be written to {str(path)!r} ({error.strerror}): name another file with --to."
        ) from None


def sessions_of(document: Mapping[str, Any]) -> tuple[Session, ...]:
    """The sessions of a results file."""
    return tuple(Session(**session) for session in document["sessions"])


def _seeds(results: Results) -> list[int]:
    return sorted({seed for runs in results.cases.values() for seed in runs})


def _kept(epoch: Epoch) -> Epoch:
    figures = {name: round(value, _DIGITS) for name, value in epoch.accuracy.items()}
    return replace(
        epoch,
        train_loss=None if epoch.train_loss is None else round(epoch.train_loss, _DIGITS),
        train_accuracy=None if epoch.train_accuracy is None else round(epoch.train_accuracy, _DIGITS),
        test_loss=round(epoch.test_loss, _DIGITS),
        accuracy=figures,
        angles=None if epoch.angles is None else tuple(round(value, _DIGITS) for value in epoch.angles),
        agreement=round(epoch.agreement, _DIGITS),
        errors={name: short for name in ("logits",) if (short := _short(epoch.errors.get(name))) is not None},
        filters={},
        pictures_per_s=round(epoch.pictures_per_s, 1),
        elapsed_s=round(epoch.elapsed_s, 2),
    )


def _short(error: float | None) -> float | None:
    """To three digits; None of none and of what JSON has no word for."""
    return float(f"{error:.3g}") if error is not None and math.isfinite(error) else None


def _run_of(document: Mapping[str, Any]) -> SeedRun:
    first = document["first"]
    return SeedRun(
        document["seed"],
        document["recipe"],
        None if first is None else epoch_of(first),
        epoch_of(document["final"]),
        tuple((epoch, upright, unseen) for epoch, upright, unseen in document["curve"]),
        document["session"],
        tuple(document.get("agreement", ())),
        {name: tuple(errors) for name, errors in document.get("errors", {}).items()},
        {name: tuple(filters) for name, filters in document.get("filters", {}).items()},
    )


def _text(value: object, depth: int = 0) -> str:
    """JSON, indented for the outer parts and one line for each item of a list: small, and readable in a history."""
    indent = "\n" + " " * (depth + 1)
    if isinstance(value, dict) and depth < 2 and value:
        inside = ",".join(f"{indent}{json.dumps(name)}: {_text(each, depth + 1)}" for name, each in value.items())
        return f"{{{inside}\n{' ' * depth}}}"
    if isinstance(value, list) and any(isinstance(each, dict | list) for each in value) and depth < 3:
        return f"[{','.join(indent + _line(each) for each in value)}\n{' ' * depth}]"
    return _line(value)


def _line(value: object) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def damaged(path: Path, experiment: str) -> ResultsError:
    """What to say of a file that cannot be read."""
    return ResultsError(
        f"{path.name} is not a results file of {experiment}, or is damaged: remove it and run "
        f"{_command(path, experiment)}."
    )


def _command(path: Path, experiment: str) -> str:
    """The command that rewrites the file; trainings have a file for each budget."""
    budget = next((name for name in ("quick", "full") if results_path(experiment, name).name == path.name), "quick")
    is_training = experiment in ("mnist", "cifar10", "prediction")
    return f"python -m explorer reproduce {experiment}{f' --budget {budget} --wait' if is_training else ''}"
