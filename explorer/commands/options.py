"""Options that commands share, and what they say: networks with their weights, pictures, sizes, transforms."""

import argparse
import re
from dataclasses import replace
from pathlib import Path

from equivariance.errors import SizeError, TransformError
from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import Transform, parse
from explorer.commands.terminal import seed
from explorer.commands.torch_files import is_torch_file, safetensors_of
from explorer.pictures.images import GALLERY, Picture, load_file, load_gallery
from explorer.runs.starts import check_network, keep_start, recipe_in, start_named, weights_named
from explorer.runs.store import Store, open_store
from explorer.serving.engine import DTYPES, network_spec
from explorer.serving.weights import Weights, classes_of, weights_from
from explorer.settings import Settings
from models.catalog import FAMILIES, HEADS, NO_POOLING, SUBSAMPLINGS, NetworkSpec

_SIZE = re.compile(r"(?P<height>0*[1-9]\d{0,8})(?:x(?P<width>0*[1-9]\d{0,8}))?", re.ASCII)


def add_network(command: argparse.ArgumentParser) -> None:
    """A network as it is measured."""
    add_named_network(command)
    command.add_argument("--dtype", choices=tuple(DTYPES), default="float32", help="precision (default float32)")


def add_head(command: argparse.ArgumentParser) -> None:
    """How the head pools; also as version 0.1 called it."""
    command.add_argument(
        "--head",
        choices=tuple(HEADS),
        default="",
        help="whether the head pools space or the group first (default: mean-first for cnn and knight, as in the "
        "paper, else maximum-first), or the group not at all",
    )
    command.add_argument(
        "--no-group-pooling", dest="head", action="store_const", const=NO_POOLING, help=f"--head {NO_POOLING}"
    )


def add_named_network(command: argparse.ArgumentParser) -> None:
    """A network with its weights and its subsampling."""
    command.add_argument("--network", required=True, metavar="NAME", help="GROUP-FAMILY, for example p4-resnet18")
    command.add_argument("--seed", type=seed, default=0, metavar="N", help="seed of the random weights (default 0)")
    command.add_argument(
        "--weights", metavar="FILE|RUN", help="a safetensors or state_dict (.pt) file, the id of a run, or shipped:NAME"
    )
    command.add_argument("--symmetric-subsampling", action="store_true", help="mend it: --subsampling symmetric")
    command.add_argument(
        "--subsampling",
        choices=SUBSAMPLINGS,
        default=SUBSAMPLINGS[0],
        help="how layers subsample: as published, about the centre (exact at every size), or with a blur",
    )
    command.add_argument("--only", metavar="LAYERS", help="change the subsampling of these layers only: a,b")
    command.add_argument("--minimum-width", action="store_true", help="the narrowest version, which the tests use")
    add_head(command)


def add_picture(command: argparse.ArgumentParser, *, default: str = GALLERY[0].name) -> None:
    """A picture, and how it is brought to size."""
    names = ", ".join(picture.name for picture in GALLERY)
    command.add_argument("--picture", default=default, metavar="FILE", help=f"a file, or one of {names}")
    command.add_argument("--fit", choices=("resize", "crop", "pad"), default="resize", help="how it is brought to size")


def _network(options: argparse.Namespace) -> NetworkSpec:
    return network_spec(
        options.network,
        head=options.head,
        minimum_width=options.minimum_width,
        subsampling="symmetric" if options.symmetric_subsampling else options.subsampling,
        only=tuple(options.only.split(",")) if options.only else (),
    )


def size_of(text: str) -> tuple[int, int]:
    """Height and width in pixels; raises SizeError."""
    sides = _SIZE.fullmatch(text)
    if sides is None:
        raise SizeError(f"The size {text!r} cannot be read: give a side in pixels (32) or HEIGHTxWIDTH (30x33).")
    return int(sides["height"]), int(sides["width"] or sides["height"])


def picture_of(name: str) -> Picture:
    """A file, or a picture of the gallery; raises PictureError."""
    if name in {picture.name for picture in GALLERY} and not Path(name).exists():
        return load_gallery(name)
    return load_file(name)


def transforms_of(names: str) -> tuple[Transform, ...]:
    """The transforms beyond the group's elements; raises TransformError."""
    return () if names == "all" else tuple(parse(name.strip()) for name in names.split(",") if name.strip() != "all")


def element_of(name: str) -> Element:
    """One element of a group; raises TransformError."""
    transform = parse(name)
    if not isinstance(transform, Element):
        raise TransformError(f"{name} is a shift, not an element of a group: give rot90, mirror, …")
    return transform


def start_given(name: str, network: str, store: Store) -> str:
    """`start_named`, and also for files of torch's own kind."""
    if not is_torch_file(name):
        return start_named(name, network, store)
    return keep_start(safetensors_of(Path(name)), Path(name).name, store)


def _weights(name: str, settings: Settings) -> Weights:
    if is_torch_file(name):
        return weights_from(safetensors_of(Path(name)), Path(name).name)
    return weights_named(name, lambda: open_store(settings))


def network_of(options: argparse.Namespace, settings: Settings) -> tuple[NetworkSpec, Weights | None]:
    """The network with as many classes as its weights have, and the weights; None for random ones."""
    network = _network(options)
    if options.weights is None:
        return network, None
    weights = _weights(options.weights, settings)
    check_network(weights, network.name)
    recipe = recipe_in(weights)
    if recipe is not None and not options.head:
        network = replace(network, head=recipe.head)
    classes = classes_of(weights)
    usual = classes is None or classes == FAMILIES[network.family].classes
    return (network if usual else replace(network, classes=classes)), weights
