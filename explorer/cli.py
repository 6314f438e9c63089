"""The command line: `python -m explorer …`. Prints tables, or one JSON document with `--json`.

Errors are one line on stderr, with exit status 2 for bad input.
"""

import argparse
import io
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from explorer.breaking import Attempt, Outcome, Training, predicted_by_theory
from explorer.engine import DTYPES, Engine, Request, network_spec
from explorer.errors import ExplorerError, SizeError, TransformError
from explorer.fitting import fit
from explorer.images import GALLERY, Picture, load_file, load_gallery
from explorer.report import break_document, finite, measure_document
from explorer.reproduction.command import add_reproduce
from explorer.settings import Settings, settings_from
from explorer.sweep import SizeResult, Sweep, sweep_sizes
from explorer.terminal import INTERRUPTED, Parser, print_json, print_table, seed
from explorer.training.runs import open_store
from explorer.training.starts import check_network, classes_of, weights_named
from explorer.training_cli import add_training
from explorer.transforms import Transform, parse
from explorer.weights import Weights
from models.build import parameters
from models.catalog import FAMILIES, NAMES, SUBSAMPLINGS, NetworkSpec, spec
from models.groups import Element

_SIZE = re.compile(r"(?P<height>0*[1-9]\d{0,8})(?:x(?P<width>0*[1-9]\d{0,8}))?", re.ASCII)


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
    except ExplorerError as error:
        print(f"explorer: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # Ctrl-C needs no explanation
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m explorer", description="Measure and explain the equivariance of networks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    networks = commands.add_parser("networks", help="list the networks with their numbers of parameters")
    networks.set_defaults(run=_networks)

    measure = commands.add_parser("measure", help="errors of every layer, and the verdict, for one picture")
    _add_network(measure)
    _add_picture(measure)
    measure.add_argument("--size", required=True, metavar="PX", help="side in pixels: 32, or HEIGHTxWIDTH: 30x33")
    measure.add_argument(
        "--group-elements",
        default="all",
        metavar="NAMES",
        help="all elements of the group, or these transforms as well: rot45,shift_2_0",
    )
    measure.set_defaults(run=_measure)

    sizes = commands.add_parser("sizes", help="which sizes are exact, by theory and (with --measure) by measurement")
    _add_network(sizes)
    _add_picture(sizes)
    sizes.add_argument("--from", dest="first_px", type=int, required=True, metavar="PX", help="first size")
    sizes.add_argument("--to", dest="last_px", type=int, required=True, metavar="PX", help="last size, included")
    sizes.add_argument("--measure", action="store_true", help="measure the largest error at every size as well")
    sizes.set_defaults(run=_sizes)

    breaking = commands.add_parser("break", help="train a network to tell a picture from its own transform")
    _add_named_network(breaking)
    _add_picture(breaking, default="knight")
    breaking.add_argument("--size", required=True, metavar="PX", help="side in pixels")
    breaking.add_argument("--steps", type=int, default=600, metavar="N", help="updates of the weights (default 600)")
    breaking.add_argument("--transform", default="rot90", metavar="NAME", help="an element of the group (rot90)")
    breaking.add_argument("--learning-rate", type=float, metavar="RATE", help="of Adam (0.03; deep networks 0.001)")
    breaking.set_defaults(run=_break, no_group_pooling=False)

    for command in (networks, measure, sizes, breaking, *add_training(commands), add_reproduce(commands)):
        command.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    return parser


def _add_network(command: argparse.ArgumentParser) -> None:
    """A network as it is measured."""
    _add_named_network(command)
    command.add_argument("--no-group-pooling", action="store_true", help="classify without pooling the group")
    command.add_argument("--dtype", choices=tuple(DTYPES), default="float32", help="precision (default float32)")


def _add_named_network(command: argparse.ArgumentParser) -> None:
    command.add_argument("--network", required=True, metavar="NAME", help="GROUP-FAMILY, for example p4-resnet18")
    command.add_argument("--seed", type=seed, default=0, metavar="N", help="seed of the random weights (default 0)")
    command.add_argument("--weights", metavar="FILE|RUN", help="a safetensors file, a run's id or shipped:NAME")
    command.add_argument("--symmetric-subsampling", action="store_true", help="mend it: --subsampling symmetric")
    command.add_argument(
        "--subsampling",
        choices=SUBSAMPLINGS,
        default=SUBSAMPLINGS[0],
        help="how layers sample: as published, about the centre (exact at every size), or with a blur",
    )
    command.add_argument("--only", metavar="LAYERS", help="change the subsampling of these layers alone: a,b")
    command.add_argument("--minimum-width", action="store_true", help="the narrow version that the tests use")


def _add_picture(command: argparse.ArgumentParser, *, default: str = GALLERY[0].name) -> None:
    names = ", ".join(picture.name for picture in GALLERY)
    command.add_argument("--picture", default=default, metavar="FILE", help=f"a file, or one of {names}")
    command.add_argument("--fit", choices=("resize", "crop", "pad"), default="resize", help="how it is brought to size")


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
    network, weights = _trained(options, settings)
    height_px, width_px = _size(options.size)
    engine = Engine(settings)
    engine.check_size(height_px=height_px, width_px=width_px)  # before a picture of that size is made
    picture = fit(_picture(options.picture), height_px=height_px, width_px=width_px, how=options.fit)
    transforms = _transforms(options.group_elements)
    request = Request(network, options.seed, picture, transforms, options.dtype, weights=weights)
    inspection = engine.inspect(request)
    if options.json:
        return print_json(measure_document(network, inspection))
    names = list(inspection.measurement.output_error)
    print(f"{inspection.verdict.headline}.\n{inspection.verdict.reason}\n")
    rows: list[tuple[object, ...]] = [
        (layer.name, _side(layer.in_hw), _side(layer.out_hw), *(_error(layer.error[name]) for name in names))
        for layer in inspection.measurement.layers
    ]
    rows.append(("logits", "", "", *(_error(inspection.measurement.output_error[name]) for name in names)))
    print_table(("layer", "in", "out", *names), rows)
    print(f"\nMeasured on {inspection.device} in {inspection.measurement.dtype}.")
    return 0


def _sizes(options: argparse.Namespace, settings: Settings) -> int:
    network, weights = _trained(options, settings)
    sweep = Sweep(
        network,
        options.first_px,
        options.last_px,
        picture=_picture(options.picture) if options.measure else None,
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
    network, weights = _trained(options, settings)
    height_px, width_px = _size(options.size)
    engine.check_size(height_px=height_px, width_px=width_px)
    picture = fit(_picture(options.picture), height_px=height_px, width_px=width_px, how=options.fit)
    element = _element(options.transform)
    attempt = Attempt(network, picture, element, options.seed, options.steps, options.learning_rate, weights)
    training = Training(attempt)
    predicted, _ = predicted_by_theory(engine, attempt)
    steps = list(training)
    outcome = Outcome(predicted, tuple(step.loss for step in steps))
    if options.json:
        return print_json(break_document(attempt, outcome))
    shown = [*steps[:: max(1, options.steps // 12)], *steps[-1:]]
    rows = {step.step: (step.step, f"{step.loss:.4f}", f"{step.accuracy:.0%}") for step in shown}
    print(f"{network.name} at {attempt.size_px} px learns to tell a picture from its {element.name}.\n")
    print_table(("step", "loss", "accuracy"), list(rows.values()))
    print(f"\nPredicted: {predicted}. Training: {outcome.verdict}.\n{outcome.sentence}")
    return 0


def _network(options: argparse.Namespace) -> NetworkSpec:
    return network_spec(
        options.network,
        group_pooling=not options.no_group_pooling,
        minimum_width=options.minimum_width,
        subsampling="symmetric" if options.symmetric_subsampling else options.subsampling,
        only=tuple(options.only.split(",")) if options.only else (),
    )


def _size_document(result: SizeResult, *, measured: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "size_px": result.size_px,
        "predicted": result.predicted,
        "first_broken_layer": result.first_broken_layer,
    }
    return {**document, "error": finite(result.error)} if measured else document


def _size(text: str) -> tuple[int, int]:
    sides = _SIZE.fullmatch(text)
    if sides is None:
        raise SizeError(f"The size {text!r} cannot be read: give a side in pixels (32) or HEIGHTxWIDTH (30x33).")
    return int(sides["height"]), int(sides["width"] or sides["height"])


def _picture(name: str) -> Picture:
    if name in {picture.name for picture in GALLERY} and not Path(name).exists():
        return load_gallery(name)
    return load_file(name)


def _transforms(names: str) -> tuple[Transform, ...]:
    return () if names == "all" else tuple(parse(name.strip()) for name in names.split(",") if name.strip() != "all")


def _element(name: str) -> Element:
    transform = parse(name)
    if not isinstance(transform, Element):
        raise TransformError(f"{name} is a shift, and no element of a group: give rot90, mirror, …")
    return transform


def _trained(options: argparse.Namespace, settings: Settings) -> tuple[NetworkSpec, Weights | None]:
    """The network with as many classes as its weights have, and the weights; None for random ones."""
    network = _network(options)
    if options.weights is None:
        return network, None
    weights = weights_named(options.weights, lambda: open_store(settings))
    check_network(weights, network.name)
    classes = classes_of(weights)
    usual = classes is None or classes == FAMILIES[network.family].classes
    return (network if usual else replace(network, classes=classes)), weights


def _side(side: tuple[int, int]) -> str:
    return str(side[0]) if side[0] == side[1] else f"{side[0]}×{side[1]}"


def _error(error: float | None) -> str:
    return "no action" if error is None else f"{error:.1e}"
