"""The digits of the paper on a card, many runs at once: `python benchmarks/on_gpu.py --data FOLDER --to FILE`.

Needs torch, numpy and this checkout's library alone. In `--seconds` seconds, on a CUDA card where there is one, it

1. checks that the card gives the CPU's verdicts: `check` of networks that lie there, and what is measured there;
2. times a check, a measurement and training, as ratios of the CPU to the card;
3. trains as many runs of the grid `reproduce mnist --budget full` as fit, the seeds of a case stacked along the
   channels. After each stack the results file is written; the same command goes on where it stopped, and
   `python -m explorer reproduce mnist --budget full --merge FILE` takes the runs up.

FOLDER holds the four files of MNIST. Without them the digits of mnist-12k are used, and recipes, budget and name of the
file say so: such runs are never taken for those of the full budget.

Initial weights, order of the pictures, angles, batches, optimizer and schedule of a run are those of explorer's own
`fit` with the same seed (`tests/benchmarks/test_training.py`). What differs:

- Grey digits stay one channel: the first kernels are summed over their three. All sums have another order, and a card
  does not take the same one each time, so a run comes out alike, and not with the same bits.
- Tested are the weights after the last epoch; at every tenth as well with `--curve`. Batch norm is folded into the
  kernels for that, in float64. The equivariance error is that of the logits.
- `pictures_per_s` and `elapsed_s` of a run are those of the whole stack, divided by its runs.
- A run whose loss becomes NaN or infinite is left out, and said.
"""

import argparse
import os
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, only its own folder is searched

from benchmarks.gpu.cases import AUTHORS_RUNS, CASES, NETWORKS, TURNS, Budget, Case
from benchmarks.gpu.digits import PUBLISHED, Data, Digits, read_digits, read_mnist
from benchmarks.gpu.networks import WAYS
from benchmarks.gpu.results import Results, session_of
from benchmarks.gpu.timing import Choice, choose, time_checks, time_training
from benchmarks.gpu.training import Training, train
from benchmarks.gpu.verdicts import compare


def groups_of(
    results: Results, studies: Sequence[str], seeds: int, most: Callable[[str], int]
) -> Iterator[tuple[Case, list[int]]]:
    """What is to be trained next: a case and seeds that are not there, seeds outside, until `most(study)` says 0.

    What was tried and is still not there is not tried again.
    """
    for study in studies:
        left = list(range(min(seeds, AUTHORS_RUNS[study])))
        while left := [seed for seed in left if not all(results.has(case, seed) for case in CASES[study])]:
            count = most(study)
            if count < 1:
                return
            for case in CASES[study]:
                if lacking := [seed for seed in left[:count] if not results.has(case, seed)]:
                    yield case, lacking
            left = left[count:]


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, time, train; 1 where the card's verdicts differ from the CPU's, or something could not be measured."""
    begun = time.monotonic()
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _options(arguments)
    device = torch.device(options.device)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    digits, budget = _digits(options)
    results = Results(options.to or Path(f"mnist-{budget.name}.json"), budget)
    faults = 0 if "check" in options.skip else _attempted(lambda: compare(device))
    if "time" not in options.skip:
        faults += _attempted(lambda: time_checks(device))
    data = {side: Data.of(digits, side, budget, device) for side in sorted({side for _, side in NETWORKS.values()})}
    choice = choose(data[28], budget, device, [options.at_once] if options.at_once else [4, 8, 16], options.ways)
    if "time" not in options.skip:
        faults += _attempted(lambda: time_training(data[28], budget, device, choice))
    if "train" not in options.skip:
        _train(results, options, data, choice, begun + options.seconds, session_of(arguments, device))
    for study in options.studies:
        counts = (sum(results.has(case, seed) for seed in range(AUTHORS_RUNS[study])) for case in CASES[study])
        print(f"{study}: {', '.join(f'{count} {name}' for count, name in zip(counts, NETWORKS, strict=True))}")
    print(f"{time.monotonic() - begun:.0f} s. Faults of the card: {faults}. Results: {results.path}", flush=True)
    return 1 if faults else 0


def _attempted(work: Callable[[], int | None]) -> int:
    """Its number of faults; one where it fails: whatever a card cannot do, the rest is worth doing."""
    try:
        return work() or 0
    except Exception:
        traceback.print_exc()
        return 1


def _train(
    results: Results,
    options: argparse.Namespace,
    data: Mapping[int, Data],
    choice: Choice,
    end: float,
    session: dict[str, Any],
) -> None:
    costs: dict[str, float] = {}  # seconds of a run, by case

    def most(study: str) -> int:
        """How many seeds of the study's cases there is time for at once, with a margin of a sixth."""
        a_seed_s = 1.2 * sum(
            costs.get(case.key, max(costs.values(), default=choice.seconds_of_run)) for case in CASES[study]
        )
        return min(choice.at_once, int((end - time.monotonic()) / a_seed_s))

    print("\nAccuracy upright, at unseen turns and at 36 angles (%), means of the runs that were trained")
    for case, seeds in groups_of(results, options.studies, options.seeds, most):
        started = time.monotonic()
        training = Training(case, seeds, results.budget, data[case.size_px], choice.train_way)
        runs = train(training, test_way=choice.test_way, curve=options.curve)
        results.add(case, runs, session)
        costs[case.key] = (time.monotonic() - started) / len(seeds)
        if lost := [seed for seed in seeds if seed not in runs]:
            print(f"{case.key}: the loss of seeds {lost} became NaN or infinite: left out.", file=sys.stderr)
        if runs:
            found = [statistics.mean(values) * 100 for values in zip(*map(_shown, runs.values()), strict=True)]
            percents = " ".join(f"{value:6.2f}" for value in found)
            print(f"{case.key:25} seeds {seeds[0]}-{seeds[-1]}: {percents}   {costs[case.key]:.1f} s a run", flush=True)


def _shown(run: Mapping[str, Any]) -> tuple[float, float, float]:
    accuracy, angles = run["final"]["accuracy"], run["final"]["angles"]
    return accuracy["identity"], sum(accuracy[name] for name in TURNS[1:]) / 3, sum(angles) / len(angles)


def _digits(options: argparse.Namespace) -> tuple[Digits, Budget]:
    """The digits there are, and the budget that tells of them and of options that change it."""
    mnist = read_mnist(options.data)
    if mnist is not None and mnist.sha256 != PUBLISHED:
        raise SystemExit(f"The files in '{options.data}' are not those published as MNIST: replace them.")
    if mnist is None:
        print(
            f"No MNIST in '{options.data}': training on the digits of mnist-12k, NOT the full budget.", file=sys.stderr
        )
    budget = Budget() if mnist is not None else Budget(name="12k", data="mnist-12k")
    given = {name: getattr(options, name) for name in ("epochs", "train_pictures", "test_pictures", "batch_size")}
    given = {name: value for name, value in given.items() if value}
    if given:
        budget = replace(budget, name="try", **given)
    return (read_digits() if mnist is None else mnist.swapped), budget


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--seconds", type=float, default=600, help="for everything; no stack is begun that would take longer")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--data", type=Path, default=Path(os.environ.get("EXPLORER_DATA_FOLDER") or "data"), metavar="FOLDER")
    add("--to", type=Path, metavar="FILE", help="results; the same file is continued (default: ./mnist-BUDGET.json)")
    add("--seeds", type=int, default=100, help="of each case, and no more than the authors have (default 100)")
    add("--studies", type=_names(CASES), default=list(CASES), metavar="NAMES", help=f"in order, of {','.join(CASES)}")
    add("--at-once", type=int, default=0, metavar="N", help="runs in a stack (default: a trial decides)")
    add("--ways", type=_names(WAYS), default=list(WAYS), metavar="NAMES", help=f"to try, of {','.join(WAYS)}")
    add("--curve", action="store_true", help="test after each fifth of the epochs as well")
    add("--skip", type=_names(("check", "time", "train")), default=[], metavar="NAMES", help="of check,time,train")
    for name in ("epochs", "train-pictures", "test-pictures", "batch-size"):
        add(f"--{name}", type=int, default=0, metavar="N", help="to try it; such runs are never merged")
    return parser.parse_args(arguments)


def _names(known: Iterator[str] | Mapping[str, Any] | Sequence[str]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        found = text.split(",")
        if unknown := set(found) - set(known):
            raise argparse.ArgumentTypeError(
                f"there is no {', '.join(sorted(unknown))}: give some of {', '.join(known)}"
            )
        return found

    return names


if __name__ == "__main__":
    sys.exit(main())
