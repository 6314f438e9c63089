"""The results file of `reproduce mnist`, continued: as `explorer.reproduction.results` writes and reads it."""

import datetime
import json
import os
import platform
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import equivariance as eq
from benchmarks.gpu.cases import CASES, Budget, Case, recipe_of

_NOT_KEPT: dict[str, Any] = {"agreement": [], "errors": {}, "filters": {}}  # along the curve


class Results:
    """A results file of `reproduce mnist`: what is there stays there. Raises SystemExit for runs of other recipes."""

    def __init__(self, path: Path, budget: Budget) -> None:
        self.path, self.budget = path, budget
        self.document: dict[str, Any] = {"version": 1, "experiment": "mnist", "sessions": [], "budget": budget.name}
        self.document |= {"seeds": [], "cases": {}}
        if path.exists():
            self._read()

    def has(self, case: Case, seed: int) -> bool:
        """Whether the run is there."""
        return any(run["seed"] == seed for run in self.document["cases"].get(case.key, ()))

    def add(self, case: Case, runs: Mapping[int, dict[str, Any]], session: dict[str, Any]) -> None:
        """Add runs of a session and write the file, whole or not at all."""
        if not runs:
            return
        sessions, cases = self.document["sessions"], self.document["cases"]
        if session not in sessions:
            sessions.append(session)
        there = {run["seed"]: run for run in cases.get(case.key, ())}
        there |= {seed: {**run, "session": sessions.index(session), **_NOT_KEPT} for seed, run in runs.items()}
        cases[case.key] = [there[seed] for seed in sorted(there)]
        self.document["seeds"] = sorted({run["seed"] for runs in cases.values() for run in runs})
        part = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.part")
        part.write_text(_text(self.document), encoding="utf-8")
        os.replace(part, self.path)

    def _read(self) -> None:
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            frame = {name: document[name] for name in ("version", "experiment", "budget")}
            theirs = {(key, run["seed"]): run["recipe"] for key, runs in document["cases"].items() for run in runs}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise SystemExit(f"'{self.path}' is no results file of mnist: name another with --to.") from None
        if frame != {name: self.document[name] for name in frame}:
            raise SystemExit(f"'{self.path}' holds results of {frame}: name another file with --to.")
        cases = {case.key: case for cases in CASES.values() for case in cases}
        for (key, seed), recipe in theirs.items():
            if key in cases and recipe != recipe_of(cases[key], self.budget, seed):
                raise SystemExit(f"'{self.path}' has a run of {key} of another recipe: name another file with --to.")
        self.document = document


def _text(document: Mapping[str, Any]) -> str:
    """JSON with a line for each run and session, as explorer writes it."""
    sessions = ",".join(f"\n  {_line(session)}" for session in document["sessions"])
    cases = [
        f"\n  {_line(key)}: [{','.join(f'{chr(10)}   {_line(run)}' for run in runs)}\n  ]"
        for key, runs in document["cases"].items()
    ]
    parts = {name: _line(document[name]) for name in ("version", "experiment")}
    parts |= {"sessions": f"[{sessions}\n ]", "budget": _line(document["budget"]), "seeds": _line(document["seeds"])}
    parts["cases"] = f"{{{','.join(cases)}\n }}"
    return "{" + ",".join(f"\n {_line(name)}: {text}" for name, text in parts.items()) + "\n}\n"


def _line(value: object) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def session_of(arguments: Sequence[str], device: torch.device) -> dict[str, Any]:
    """Where the runs come from: command without its paths, day, hardware, versions."""
    kept, skip = [], False
    for argument in arguments:
        is_path = argument.split("=")[0] in ("--to", "--data")
        if not (skip or is_path):
            kept.append(argument)
        skip = is_path and "=" not in argument
    versions = {"explorer": eq.__version__, "python": platform.python_version()}
    return {
        "command": " ".join(["python benchmarks/on_gpu.py", *kept]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "hardware": f"{device_name(device)}, {os.cpu_count()} cores",
        "versions": {**versions, "torch": torch.__version__, "numpy": np.__version__},
        "precision": "float32",
    }


def device_name(device: torch.device) -> str:
    """What computes."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU ({platform.machine()})"
