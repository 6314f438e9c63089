"""`python -m explorer filters …`: the mean filters of a network by layer, how lopsided they are, and to which side."""

import argparse
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equivariance.measurement.mean_filters import kernel_lopsidedness, lean_px, lopsidedness, mean_filters
from explorer.commands.options import add_named_network, network_of
from explorer.commands.terminal import all_finite, print_json, print_table
from explorer.serving.engine import Engine
from explorer.settings import Settings

DTYPE = "float32"  # of weights: filters are compared, not measured to rounding


@dataclass(frozen=True)
class Layer:
    """The mean filters of one convolution, (elements, h, w), and the lopsidedness of its single kernels.

    random: the mean filters of the network's random weights.
    """

    name: str
    filters: Tensor
    kernels: float
    random: Tensor | None


def add_filters(commands: Any) -> argparse.ArgumentParser:
    """Add the command to argparse's subparsers."""
    command: argparse.ArgumentParser = commands.add_parser(
        "filters", help="how lopsided the mean filter of each convolution is, and to which side it leans"
    )
    add_named_network(command)
    command.set_defaults(run=filters, head="")
    return command


def filters(options: argparse.Namespace, settings: Settings) -> int:
    """Run the command; its exit status."""
    network, weights = network_of(options, settings)
    engine = Engine(settings)
    served = engine.served(network, options.seed, DTYPE, weights).network
    found, kernels = mean_filters(served), kernel_lopsidedness(served)
    start = {} if weights is None else mean_filters(engine.served(network, options.seed, DTYPE).network)
    layers = [Layer(name, each, kernels[name], start.get(name)) for name, each in found.items()]
    if options.json:
        return print_json(all_finite([_document(layer) for layer in layers]))
    random = [] if weights is None else [f"random, seed {options.seed}"]
    print_table(
        ("layer", "filters", "lopsidedness", *random, "leans down px", "right px", "single kernels"),
        [_row(layer) for layer in layers],
    )
    print(
        "\nLopsidedness: the share of a mean filter that a half turn about its centre reverses, 0 to 1; mean over the"
        "\nfilters of a layer. Random filters are lopsided, too: compare with them, or with another network's."
        "\nSingle kernels: the same of each kernel by itself. Those that lean to different sides cancel in the mean."
    )
    return 0


def _row(layer: Layer) -> tuple[object, ...]:
    elements, height, width = layer.filters.shape
    down, right = lean_px(layer.filters).mean(0).tolist()
    random = [] if layer.random is None else [f"{_mean_lopsidedness(layer.random):.2f}"]
    return (
        layer.name,
        f"{elements} of {height}×{width}",
        f"{_mean_lopsidedness(layer.filters):.2f}",
        *random,
        *(f"{px:+.2f}".replace("-", "−") for px in (down, right)),
        f"{layer.kernels:.2f}",
    )


def _mean_lopsidedness(filters: Tensor) -> float:
    return float(lopsidedness(filters).mean())


def _document(layer: Layer) -> dict[str, Any]:
    return {
        "layer": layer.name,
        "filters": _numbers(layer.filters),
        "lopsidedness": _numbers(lopsidedness(layer.filters)),
        "lean_px": _numbers(lean_px(layer.filters)),
        "kernel_lopsidedness": layer.kernels,
        "random_lopsidedness": None if layer.random is None else _numbers(lopsidedness(layer.random)),
    }


def _numbers(values: Tensor) -> Any:
    return values.to(torch.float64).cpu().tolist()
