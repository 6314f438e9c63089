"""Whether a card gives the CPU's verdicts, of small networks with random weights: exact and approximate ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import equivariance as eq
from benchmarks.gpu.cases import CLASSES
from benchmarks.gpu.networks import conv_of, fields_of, norm_of
from benchmarks.gpu.results import device_name
from equivariance.groups.fields import FieldType, scalars
from equivariance.groups.point_groups import C4, D4, Z2, PointGroup
from equivariance.layers.export import export
from equivariance.layers.plain import GroupMaxPool, SpatialMean, typed
from equivariance.measurement.measure import measure
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.measurement.verdict import judge
from equivariance.theory.exactness import Structure, predict


class Block(nn.Module):
    """Two convolutions, the first with a stride, and a shortcut."""

    def __init__(self, group: PointGroup, in_type: FieldType, out_type: FieldType, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = conv_of(group, in_type, out_type, 3, stride), norm_of(out_type)
        self.conv2, self.norm2 = conv_of(group, out_type, out_type, 3), norm_of(out_type)
        self.shortcut = conv_of(group, in_type, out_type, 1, stride)
        self.relu1, self.relu2 = _relu(out_type), _relu(out_type)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', H/stride, W/stride)."""
        residual = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(maps)))))
        return self.relu2(residual + self.shortcut(maps))


def _relu(field_type: FieldType) -> nn.Module:
    return typed(nn.ReLU(), field_type, field_type)


def _pool(field_type: FieldType, side: int, stride: int, padding: int = 0) -> nn.Module:
    return typed(nn.MaxPool2d(side, stride, padding), field_type, field_type)


def _head(hidden: FieldType, fields: int, group: PointGroup) -> list[nn.Module]:
    pool = [] if group.is_trivial else [typed(GroupMaxPool(group.order), hidden, scalars(fields))]
    mean = typed(SpatialMean(), scalars(fields), scalars(fields))
    return [*pool, mean, typed(nn.Linear(fields, CLASSES), scalars(fields), scalars(CLASSES))]


def small_cnn(group: PointGroup, fields: int = 4) -> nn.Module:
    """Three convolutions and a 2×2 max-pool: with a group exact at even sides."""
    hidden, in_type, layers = fields_of(group, fields), scalars(3), list[nn.Module]()
    for number in range(3):
        layers += [conv_of(group, in_type, hidden, 3), norm_of(hidden), _relu(hidden)]
        layers += [_pool(hidden, 2, 2)] if number == 0 else []
        in_type = hidden
    return nn.Sequential(*layers, *_head(hidden, fields, group))


def residual_net(group: PointGroup, fields: int = 4) -> nn.Module:
    """A 7×7 stem with stride 2, a 3×3 max-pool with stride 2, two blocks: exact where the side is 1 mod 8."""
    hidden = fields_of(group, fields)
    stem = [conv_of(group, scalars(3), hidden, 7, 2), norm_of(hidden), _relu(hidden), _pool(hidden, 3, 2, 1)]
    return nn.Sequential(
        *stem, Block(group, hidden, hidden, 1), Block(group, hidden, hidden, 2), *_head(hidden, fields, group)
    )


def symmetric_net() -> nn.Module:
    """The plain residual network with each kernel averaged over the turns and mirrors of D4."""
    network = residual_net(Z2, 12)
    for conv in (module for module in network.modules() if isinstance(module, nn.Conv2d)):
        kernel = (conv.weight.detach() * 1024).round() / 1024  # so that averages are symmetric to the last bit
        turns = [torch.rot90(kernel, turn, (2, 3)) for turn in range(4)]
        conv.weight.data = torch.stack([*turns, *(turn.flip(3) for turn in turns)]).mean(0)
    return network


CHECKED: dict[str, tuple[Callable[[], nn.Module], PointGroup, tuple[int, ...]]] = {
    "p4 cnn": (lambda: small_cnn(C4), C4, (28, 27)),
    "p4m cnn": (lambda: small_cnn(D4), D4, (28, 29)),
    "p4 resnet": (lambda: residual_net(C4), C4, (33, 32, 35)),
    "symmetric resnet": (symmetric_net, D4, (33, 32)),
    "plain cnn": (lambda: small_cnn(Z2, 12), D4, (28,)),
}
ALIKE = {"float64": 1e-8, "float32": 1e-3}  # relative difference of two errors that are no rounding


@dataclass(frozen=True)
class Seen:
    """A verdict and what it rests on; errors by "layer element", the output's by "output element"."""

    verdict: str
    elements: dict[str, str]
    broken: tuple[str, ...]
    broken_as_measured: tuple[str, ...]
    errors: dict[str, float]


def network_of(name: str) -> nn.Module:
    """A network of CHECKED with random weights that are always the same, and statistics of batch norm too."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = CHECKED[name][0]().train()
        for _ in range(3):
            network(torch.rand(8, 3, 33, 33))
    return network.eval()


def measured(network: nn.Module, group: PointGroup, side_px: int, dtype: str, device: torch.device) -> Seen:
    """Theory, a measurement on the device, and the verdict on both."""
    exported = export(network, group)
    structure = Structure(exported, group)
    prediction = predict(structure, height_px=side_px, width_px=side_px)
    picture = torch.rand(3, side_px, side_px, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    numbers = getattr(torch, dtype)
    found = measure(exported.to(device, numbers), picture.to(device, numbers), structure.elements)
    verdict = judge(prediction, found)
    own = {layer.name: [error for error in layer.own_error.values() if error is not None] for layer in found.layers}
    errors = {f"{layer.name} {name}": error for layer in found.layers for name, error in layer.error.items()}
    errors |= {f"output {name}": error for name, error in found.output_error.items()}
    return Seen(
        verdict.kind,
        verdict.elements,
        tuple(layer.name for layer in prediction.broken_layers),
        tuple(name for name, each in own.items() if any(not error <= ROUNDING_LEVEL[dtype] for error in each)),
        {name: error for name, error in errors.items() if error is not None},
    )


def differences(here: Seen, there: Seen, dtype: str) -> list[str]:
    """What differs between CPU and card, one short sentence each.

    Errors up to the rounding level are alike; those above may differ by the part of ALIKE.
    """
    found = []
    for name in ("verdict", "elements", "broken", "broken_as_measured"):
        if getattr(here, name) != getattr(there, name):
            found.append(f"{name}: {getattr(here, name)} on the CPU, {getattr(there, name)} on the card")
    if here.errors.keys() != there.errors.keys():
        found.append("other layers were measured")
    for name in here.errors.keys() & there.errors.keys():
        one, other = here.errors[name], there.errors[name]
        if not abs(one - other) <= max(ROUNDING_LEVEL[dtype], ALIKE[dtype] * max(one, other)):
            found.append(f"error of {name}: {one:.3e} on the CPU, {other:.3e} on the card")
    return found


def compare(device: torch.device, names: Sequence[str] = tuple(CHECKED)) -> int:
    """Print a line for each network, side and precision; how many differ, or cannot be compared."""
    print(f"\nVerdicts: the CPU, and {device_name(device)}")
    faults = 0
    for name in names:
        for side_px in CHECKED[name][2]:
            for dtype in ("float64", "float32"):
                try:
                    found, said = _compared(name, side_px, dtype, device)
                except Exception as error:  # the others are compared all the same
                    found, said = [f"{type(error).__name__}: {error}"], "not compared"
                word = "same" if not found else "DIFFERS"
                line = f"{name:17} {side_px:3} px {dtype}: {said:25} {word}"
                print("\n    ".join([line, *found]), flush=True)
                faults += bool(found)
    return faults


def _compared(name: str, side_px: int, dtype: str, device: torch.device) -> tuple[list[str], str]:
    """What differs, and in words what was seen on the device.

    `check` measures on the CPU alone: of a network that lies on the card it has to say the same.
    """
    network, group = network_of(name), CHECKED[name][1]
    here, there = (measured(network, group, side_px, dtype, each) for each in (torch.device("cpu"), device))
    found = differences(here, there, dtype)
    reports = [eq.check(each, side_px, group=group, dtype=dtype) for each in (network, network_of(name).to(device))]
    one, other = ((each.verdict, each.elements, each.broken_layers) for each in reports)
    found += [] if one == other else [f"check: {one} of a network on the CPU, {other} of one on the card"]
    largest = max((error for key, error in there.errors.items() if key.startswith("output")), default=0.0)
    return found, f"{there.verdict:15} {largest:8.1e}"
