"""What a training step costs, and what would change it: `python -m benchmarks.training [--network p4-cnn --size 28]`.

Ways are timed in turns in one process, so that a busy machine slows all of them alike; printed are medians and the
ratio to the first.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch.nn import functional

from explorer.serving.engine import choose_device
from explorer.training.draws import changed, draw
from explorer.training.fit import is_mixed
from explorer.training.recipe import Recipe
from models.build import build

ROUNDS, STEPS_PER_ROUND = 12, 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Time each way and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="p4-cnn")
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args(arguments)
    device = choose_device("auto")
    recipe = Recipe(network=options.network, size_px=options.size, batch_size=options.batch)
    ways: dict[str, Callable[[], None]] = {
        "as trained": _step(recipe, device),
        "channels last": _step(recipe, device, layout=torch.channels_last),
        "turned by any angle": _step(replace(recipe, rotation="uniform"), device),
    }
    if is_mixed(replace(recipe, precision="mixed"), device):
        ways["bfloat16"] = _step(recipe, device, mixed=True)
        ways["bfloat16, channels last"] = _step(recipe, device, mixed=True, layout=torch.channels_last)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, step in ways.items():
            seconds[name].append(_timed(step, device))
    print(f"{options.network} at {options.size} px, batches of {options.batch}, {device}, torch {torch.__version__}")
    first = statistics.median(next(iter(seconds.values())))
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{name:26} {1e3 * median:8.1f} ms a step   × {median / first:.2f}")


def _step(
    recipe: Recipe, device: torch.device, *, layout: torch.memory_format = torch.contiguous_format, mixed: bool = False
) -> Callable[[], None]:
    network = build(recipe.network_spec(10)).to(device)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, fused=device.type in ("cpu", "cuda"))
    draws = draw(recipe, pictures=recipe.batch_size, epoch=0)
    pictures = torch.rand(recipe.batch_size, 3, recipe.size_px, recipe.size_px, device=device)
    labels = torch.arange(recipe.batch_size, device=device) % 10

    def step() -> None:
        batch = changed(pictures, draws, recipe).contiguous(memory_format=layout)
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            logits = network(batch)
        loss = functional.cross_entropy(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    step()  # what the first one sets up is not counted
    return step


def _timed(step: Callable[[], None], device: torch.device) -> float:
    """Seconds of one step, mean over a round."""
    started_s = time.perf_counter()
    for _ in range(STEPS_PER_ROUND):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started_s) / STEPS_PER_ROUND


if __name__ == "__main__":
    main()
