"""How long theory takes beside the network itself: python -m benchmarks.theory [--runs 5]

Three residual networks of symmetric kernels, on one core. Printed are the medians of the CPU seconds of theory alone at
a new size, of one further size whose operations are the same, of a whole check, and of the bare passes that a check has
to make (three pictures in four turns); then what theory costs in passes.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import equivariance as eq
from equivariance.groups.point_groups import C4
from equivariance.theory.program import Program

SIDE_PX = 33
LAYERS = (25, 50, 100)
WIDTH = 16
COLUMNS = ("layers", "theory", "further size", "check", "passes", "theory/pass", "check/passes")


class Block(nn.Module):
    """Two convolutions with batch norm, and a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(2))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same shape."""
        out = torch.relu(self.norms[0](self.first(maps)))
        return torch.relu(maps + self.norms[1](self.second(out)))


def network_of(layers: int) -> nn.Module:
    """So many convolutions: a stem of stride 2, blocks, one more before the mean."""
    blocks = [Block(WIDTH) for _ in range((layers - 1) // 2)]
    network = nn.Sequential(nn.Conv2d(3, WIDTH, 3, 2, 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 4:
                turns = torch.stack([torch.rot90(parameter.double(), turn, (2, 3)) for turn in range(4)])
                parameter.copy_(turns.mean(0))
    return network.eval().double()


def seconds_of(work: Callable[[], Any], runs: int) -> float:
    """The median of some runs, after one that does not count."""
    work()
    found = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return statistics.median(found)


def row_of(layers: int, runs: int) -> tuple[float, ...]:
    """The numbers of one network, in the order of COLUMNS."""
    network = network_of(layers)
    program = Program(network, C4)
    picture = torch.rand(1, 3, SIDE_PX, SIDE_PX, dtype=torch.float64)

    def passes() -> None:
        with torch.no_grad():
            for _ in range(12):
                network(picture)

    theory = seconds_of(lambda: eq.predict(network, SIDE_PX), runs)
    further = seconds_of(lambda: program.is_exact(SIDE_PX + 2, SIDE_PX + 2), runs)
    check, bare = seconds_of(lambda: eq.check(network, SIDE_PX), runs), seconds_of(passes, runs)
    return layers, theory, further, check, bare, theory / (bare / 12), check / bare


def main() -> None:
    """Print one line for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    print("  ".join(f"{column:>12}" for column in COLUMNS))
    for layers in LAYERS:
        count, *seconds, theory, check = row_of(layers, runs)
        cells = [f"{count:>12.0f}", *(f"{value:>10.3f} s" for value in seconds), f"{theory:>12.1f}", f"{check:>12.2f}"]
        print("  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
