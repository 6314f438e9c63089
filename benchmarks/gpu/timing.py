"""How long analysis and training take, on the CPU and on a card; and the quickest way to train there."""

import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import torch
from torch import Tensor

import equivariance as eq
from benchmarks.gpu.cases import ANGLES_DEG, CASES, TESTED, Budget, Case
from benchmarks.gpu.digits import Data
from benchmarks.gpu.networks import WAYS, Networks
from benchmarks.gpu.testing import name_of, pictures_at_once
from benchmarks.gpu.training import Training
from benchmarks.gpu.verdicts import network_of
from equivariance.groups.point_groups import C4
from equivariance.groups.transforms import elements_to_measure
from equivariance.layers.export import export
from equivariance.measurement.measure import measure

_NO_WAY = "No way of --ways trains or tests that many runs on this device: give a smaller --at-once."


def seconds_of(work: Callable[[], Any], device: torch.device, rounds: int = 3) -> float:
    """The median of some rounds, after one that does not count."""
    found = []
    for number in range(rounds + 1):
        begun = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if number:
            found.append(time.perf_counter() - begun)
    return statistics.median(found)


def time_checks(device: torch.device, sides: Sequence[int] = (33, 225)) -> None:
    """Print what a measurement costs on the CPU and on the device, and a whole check, which is the CPU's."""
    print("\nAnalysis of the p4 resnet: seconds, and how many times as fast as on the CPU")
    cpu = torch.device("cpu")
    network, elements = network_of("p4 resnet"), elements_to_measure(C4)
    for side_px in sides:
        check_s = seconds_of(partial(eq.check, network, side_px, group=C4, dtype="float32"), cpu, rounds=1)
        seconds = []
        for each in (cpu, device):
            there = export(network, C4).to(each, torch.float32)
            picture = torch.rand(3, side_px, side_px, generator=torch.Generator().manual_seed(1)).to(each)
            seconds.append(seconds_of(partial(measure, there, picture, elements), each))
        print(
            f"{side_px:4} px: check {check_s:.3f} s; measurement {seconds[0]:.3f} s on the CPU, {seconds[1]:.3f} s "
            f"there: × {seconds[0] / seconds[1]:.1f}",
            flush=True,
        )


@dataclass(frozen=True)
class Choice:
    """How to train: the way, how many runs at once, how to test, and what a run of `exact-28` takes by that."""

    train_way: str
    test_way: str
    at_once: int
    seconds_of_run: float


def choose(
    data: Data, budget: Budget, device: torch.device, counts: Sequence[int], ways: Sequence[str] = tuple(WAYS)
) -> Choice:
    """Try each way with each number of runs at once; the smallest number within a twentieth of the quickest."""
    case = CASES["upright"][0]
    rates: dict[tuple[str, int], float] = {}
    print("\nTraining: pictures per second of all runs together, and of testing")
    for count in counts:
        for way in ways:
            step_s = _tried(partial(_step_s, case, count, way, budget, data, device), way)
            if step_s is not None:
                rates[way, count] = count * _batch(budget, data) / step_s
                print(f"  {way:9} {count:3} at once: {rates[way, count]:12,.0f}", flush=True)
    best = max(rates.values(), default=math.inf)
    good = [pair for pair, rate in rates.items() if rate >= 0.95 * best]
    if not good:
        raise SystemExit(_NO_WAY)
    train_way, at_once = min(good, key=lambda pair: pair[1])
    networks = Networks.of(case, range(at_once)).to(device)
    pictures = data.test_pictures[: pictures_at_once(case.size_px, at_once)]
    tests = {way: _tried(partial(_pass_s, networks, pictures, way, device), way) for way in ways}
    known = {way: found for way, found in tests.items() if found is not None}
    if not known:
        raise SystemExit(_NO_WAY)
    test_way = min(known, key=lambda way: known[way])
    tested = at_once * len(pictures) / known[test_way]
    print(f"  {test_way:9} {at_once:3} at once: {tested:12,.0f} in tests", flush=True)
    transforms = len({*TESTED, *map(name_of, ANGLES_DEG)})
    shown = budget.epochs * len(data.train_labels)
    seconds = shown / rates[train_way, at_once] + transforms * len(data.test_labels) / tested
    return Choice(train_way, test_way, at_once, seconds)


def _tried(work: Callable[[], float], way: str) -> float | None:
    """Seconds; None where the device cannot do it that way."""
    try:
        return work()
    except RuntimeError as error:  # out of memory, or no algorithm for it
        print(f"  {way}: {str(error).splitlines()[0]}", file=sys.stderr)
        return None
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _batch(budget: Budget, data: Data) -> int:
    return min(budget.batch_size, len(data.train_labels))


def _step_s(case: Case, count: int, way: str, budget: Budget, data: Data, device: torch.device) -> float:
    training = Training(case, range(count), budget, data, way)
    which = torch.arange(_batch(budget, data), device=device).expand(count, -1)
    return seconds_of(lambda: training.step(which), device)


@torch.inference_mode()
def _pass_s(networks: Networks, pictures: Tensor, way: str, device: torch.device) -> float:
    logits_of = networks.folded(way)
    return seconds_of(lambda: logits_of(pictures), device)


def time_training(data: Data, budget: Budget, device: torch.device, choice: Choice) -> None:
    """Print how many pictures per second one run trains on, on the CPU and on the device, alone and stacked."""
    cpu, case = torch.device("cpu"), CASES["upright"][0]
    batch = _batch(budget, data)
    few = Data(*(getattr(data, each.name)[:batch].cpu() for each in fields(Data)))
    alone_s = _step_s(case, 1, "grouped", budget, few, cpu)
    there_s = _step_s(case, 1, "grouped", budget, data, device)
    stacked_s = _step_s(case, choice.at_once, choice.train_way, budget, data, device) / choice.at_once
    print(f"  one run on the CPU ({torch.get_num_threads()} threads): {batch / alone_s:,.0f} pictures per second")
    print(
        f"  one run there: × {alone_s / there_s:.1f};  {choice.at_once} at once: × {alone_s / stacked_s:.1f}",
        flush=True,
    )
