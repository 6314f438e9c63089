"""The command line: `python -m explorer …`. Prints tables, or one JSON document with `--json`.

Errors are one line on stderr, with exit status 2 for bad input.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equivariance.errors import EquivarianceError
from explorer.commands.documents import break_document, finite, measure_document, worst_document
from explorer.commands.filters import add_filters
from explorer.commands.options import (
    add_named_network,
    add_network,
    add_picture,
    element_of,
    network_of,
    picture_of,
    size_of,
    transforms_of,
)
from explorer.commands.reproduce import add_reproduce
from explorer.commands.terminal import INTERRUPTED, Parser, print_json, print_table
from explorer.commands.training import add_training
from explorer.errors import PictureError
from explorer.pictures.fitting import fit, write_png
from explorer.serving.engine import Engine, Inspection, Request
from explorer.serving.memory import kept_bytes
from explorer.settings import Settings, settings_from
from explorer.studies.breaking import Attempt, Outcome, Training, check, predicted_by_theory, step_bytes
from explorer.studies.sweep import SizeResult, Sweep, sweep_sizes
from explorer.studies.worst_picture import STEPS, Search, copy_bytes, search_bytes, worst_picture
from models.build import parameters
from models.catalog import NAMES, NetworkSpec, spec


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, or 2 for bad input."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without × and → shows ?
    try:
        options = _parser().parse_args(arguments)
        settings = settings_from()
        status = int(options.run(options, settings))
        sys.stdout.flush()  # here, so that a reader who has left is noticed by the caller
        return status
    except EquivarianceError as error:
        print(f"explorer: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # Ctrl-C needs no explanation
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m explorer", description="Measure and explain the equivariance of networks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    networks = commands.add_parser("networks", help="list the networks with their numbers of parameters")
    networks.set_defaults(run=_networks)

    measure = commands.add_parser(
        "measure", help="measure the errors of every layer for one picture, and give the verdict"
    )
    add_network(measure)
    add_picture(measure)
    measure.add_argument("--size", required=True, metavar="PX", help="side in pixels: 32, or HEIGHTxWIDTH: 30x33")
    measure.add_argument(
        "--group-elements",
        default="all",
        metavar="NAMES",
        help="all elements of the group, or further transforms as well: rot45,shift_2_0",
    )
    measure.set_defaults(run=_measure)

    sizes = commands.add_parser(
        "sizes", help="list the sizes that are exact, by theory and (with --measure) by measurement"
    )
    add_network(sizes)
    add_picture(sizes)
    sizes.add_argument("--from", dest="first_px", type=int, required=True, metavar="PX", help="first size")
    sizes.add_argument("--to", dest="last_px", type=int, required=True, metavar="PX", help="last size, included")
    sizes.add_argument("--measure", action="store_true", help="also measure the largest error at every size")
    sizes.set_defaults(run=_sizes)

    breaking = commands.add_parser("break", help="train a network to tell a picture from its own transform")
    add_named_network(breaking)
    add_picture(breaking, default="knight")
    breaking.add_argument("--size", required=True, metavar="PX", help="side in pixels")
    breaking.add_argument(
        "--steps", type=int, default=600, metavar="N", help="number of updates of the weights (default 600)"
    )
    breaking.add_argument("--transform", default="rot90", metavar="NAME", help="an element of the group (rot90)")
    breaking.add_argument(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help="Adam's learning rate (default 0.03; 0.001 for deep networks)",
    )
    breaking.set_defaults(run=_break)

    worst = commands.add_parser("worst", help="change a picture until the equivariance error is as large as possible")
    add_network(worst)
    add_picture(worst, default="knight")
    worst.add_argument("--size", required=True, metavar="PX", help="side in pixels")
    worst.add_argument(
        "--steps", type=int, default=STEPS, metavar="N", help=f"changes of the picture (default {STEPS})"
    )
    worst.add_argument("--transform", default="rot90", metavar="NAME", help="an element of the group (rot90)")
    worst.add_argument(
        "--layer",
        metavar="NAME",
        help="the layer whose error is raised, by its name in `measure` (default: the logits)",
    )
    worst.add_argument("--to", type=Path, metavar="FILE", help="write the picture that was found to this PNG file")
    worst.set_defaults(run=_worst)

    others = (*add_training(commands), add_reproduce(commands), add_filters(commands))
    for command in (networks, measure, sizes, breaking, worst, *others):
        command.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    return parser


def _networks(options: argparse.Namespace, settings: Settings) -> int:
    engine = Engine(settings)
    rows = []
    for name in NAMES:
        network = spec(name)
        plain = NetworkSpec("z2", network.family, minimum_width=True)  # the group does not change the grids
        rows.append(
            {
                "name": name,
                "group": network.point_group.name,
                "family": network.family,
                "parameters": parameters(network),
                "smallest_px": engine.served(plain, 0).structure.smallest_px,
            }
        )
    if options.json:
        return print_json(rows)
    print_table(
        ("network", "group", "parameters", "smallest px"),
        [(row["name"], row["group"], f"{row['parameters']:,}", row["smallest_px"]) for row in rows],
    )
    return 0


def _measure(options: argparse.Namespace, settings: Settings) -> int:
    network, weights = network_of(options, settings)
    height_px, width_px = size_of(options.size)
    engine = Engine(settings)
    engine.check_size(height_px=height_px, width_px=width_px)  # before a picture of that size is made
    picture = fit(picture_of(options.picture), height_px=height_px, width_px=width_px, how=options.fit)
    transforms = transforms_of(options.group_elements)
    request = Request(network, options.seed, picture, transforms, options.dtype, weights=weights)
    inspection = engine.inspect(request)
    if options.json:
        return print_json(measure_document(network, inspection))
    names = list(inspection.measurement.output_error)
    print("\n".join((f"{inspection.verdict.headline}.", inspection.verdict.reason, *inspection.verdict.remarks)) + "\n")
    rows: list[tuple[object, ...]] = [
        (layer.name, _side(layer.in_hw), _side(layer.out_hw), *(_error(layer.error[name]) for name in names))
        for layer in inspection.measurement.layers
    ]
    rows.append(("logits", "", "", *(_error(inspection.measurement.output_error[name]) for name in names)))
    print_table(("layer", "in", "out", *names), rows)
    print(
        "\nErrors are inherited: of all layers up to this one, by transform. A layer's own are in --json."
        f"\nMeasured on {inspection.device} in {inspection.measurement.dtype}{_again(inspection)}."
    )
    return 0


def _again(inspection: Inspection) -> str:
    again = inspection.again
    return "" if again is None else f", and again in {again.dtype}: {inspection.elapsed_s:.1f} s in all"


def _sizes(options: argparse.Namespace, settings: Settings) -> int:
    network, weights = network_of(options, settings)
    sweep = Sweep(
        network,
        options.first_px,
        options.last_px,
        picture=picture_of(options.picture) if options.measure else None,
        how=options.fit,
        seed=options.seed,
        dtype=options.dtype,
        weights=weights,
    )
    results = sweep_sizes(Engine(settings), sweep)
    if options.json:
        return print_json([_size_document(result, measured=options.measure) for result in results])
    rows = [
        (
            result.size_px,
            "exact" if result.predicted else "not exact",
            result.first_broken_layer or "",
            *([_error(result.error)] if options.measure else []),
        )
        for result in results
    ]
    print_table(("size px", "predicted", "first broken layer", *(["error"] if options.measure else [])), rows)
    return 0


def _break(options: argparse.Namespace, settings: Settings) -> int:
    engine = Engine(settings)
    network, weights = network_of(options, settings)
    height_px, width_px = size_of(options.size)
    engine.check_size(height_px=height_px, width_px=width_px)
    picture = fit(picture_of(options.picture), height_px=height_px, width_px=width_px, how=options.fit)
    element = element_of(options.transform)
    attempt = Attempt(network, picture, element, options.seed, options.steps, options.learning_rate, weights)
    check(attempt)
    predicted, _ = predicted_by_theory(engine, attempt)
    needed_bytes = kept_bytes(network) + step_bytes(engine, attempt)
    with engine.room(needed_bytes, f"Breaking {network.name} at {attempt.size_px} px"):
        steps = list(Training(attempt))
    outcome = Outcome(predicted, tuple(step.loss for step in steps))
    if options.json:
        return print_json(break_document(attempt, outcome))
    shown = [*steps[:: max(1, options.steps // 12)], *steps[-1:]]
    rows = {step.step: (step.step, f"{step.loss:.4f}", f"{step.accuracy:.0%}") for step in shown}
    print(f"{network.name} at {attempt.size_px} px learns to tell a picture from its {element.name}.\n")
    print_table(("step", "loss", "accuracy"), list(rows.values()))
    print(f"\nPredicted: {predicted}. Training: {outcome.verdict}.\n{outcome.sentence}")
    return 0


def _worst(options: argparse.Namespace, settings: Settings) -> int:
    engine = Engine(settings)
    network, weights = network_of(options, settings)
    height_px, width_px = size_of(options.size)
    engine.check_size(height_px=height_px, width_px=width_px)
    if options.to and not options.to.parent.is_dir():
        raise PictureError(f"There is no folder {str(options.to.parent)!r}: give --to a path in a folder that exists.")
    picture = fit(picture_of(options.picture), height_px=height_px, width_px=width_px, how=options.fit)
    search = Search(picture, element_of(options.transform), options.layer, options.steps)
    served = engine.served(network, options.seed, options.dtype, weights)
    finds = worst_picture(served, search)
    attempt = Attempt(network, picture, search.element, options.seed, weights=weights)
    predicted, _ = predicted_by_theory(engine, attempt)
    needed_bytes = copy_bytes(served) + search_bytes(served, search)
    with engine.room(needed_bytes, f"Breaking {network.name} at {attempt.size_px} px"):
        found = list(finds)
    if options.to:
        write_png(found[-1].picture, options.to)
    errors = [each.error for each in found]
    if options.json:
        return print_json(worst_document(network, search, errors, predicted))
    where = search.layer or "the logits"
    print(f"{network.name} at {width_px} px: the error of {where} under {search.element.name}, as large as possible.\n")
    shown = {each.step: (each.step, _error(each.error)) for each in [*found[:: max(1, search.steps // 12)], found[-1]]}
    print_table(("step", "largest error"), list(shown.values()))
    print(f"\nPredicted: {predicted}. Measured in {options.dtype}.")
    return 0


def _size_document(result: SizeResult, *, measured: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "size_px": result.size_px,
        "predicted": result.predicted,
        "first_broken_layer": result.first_broken_layer,
    }
    return {**document, "error": finite(result.error)} if measured else document


def _side(side: tuple[int, int]) -> str:
    return str(side[0]) if side[0] == side[1] else f"{side[0]}×{side[1]}"


def _error(error: float | None) -> str:
    return "no action" if error is None else f"{error:.1e}"
