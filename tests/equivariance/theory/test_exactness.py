"""Theory: the sizes at which a network is exact, the layers that break it and why, from the network's own calls."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from equivariance.errors import SizeError
from equivariance.groups.fields import FieldType, Harmonics, regular, scalars
from equivariance.groups.point_groups import C4, D4, SO2, PointGroup
from equivariance.groups.transforms import elements_to_measure
from equivariance.layers.export import export
from equivariance.layers.plain import typed
from equivariance.theory.exactness import Structure, is_exact_side, predict, weight_errors
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED, evaluate
from models import catalog
from models.blocks import FullKit
from models.build import serve

PLANES = 4
ALL_EXACT = {"rot90": EXACT, "rot180": EXACT, "rot270": EXACT}
ALL_BROKEN = dict.fromkeys(ALL_EXACT, BROKEN)

FULL = pytest.mark.full
GROUPS = ("p4m", "c4", "d4", "c8", "d8", "so2")
DEEP = [f"{group}-{family}" for group in GROUPS for family in ("cnn", "resnet18", "resnet18-large")]
OTHER_GROUPS = {*(f"{group}-cnn" for group in GROUPS), "c4-resnet18", "p4m-resnet18-large"}

# PAPER.md, "The condition": which sides are exact.
CONDITION: dict[str, Callable[[int], bool]] = {
    "cnn": lambda side: side % 2 == 0,
    "knight": lambda side: side % 2 == 1,
    "resnet18": lambda side: side % 8 == 1,
    "resnet44": lambda side: side % 4 == 1,
    "resnet18-large": lambda side: side % 32 == 1,
    "wide-resnet-10-4": lambda side: side % 4 == 1,
}


@cache
def structure(name: str) -> Structure:
    network = catalog.spec(name, minimum_width=True)
    return Structure(serve(network), network.point_group)


class Net(nn.Module):
    """A network of two planes of full filters whose forward pass is the given function of itself and the picture."""

    def __init__(self, forward: Callable[["Net", Tensor], Tensor], group: PointGroup = C4, **layers: nn.Module) -> None:
        super().__init__()
        self.run = forward
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.group = group

    def forward(self, picture: Tensor) -> Tensor:
        return self.run(self, picture)


def conv(in_type: FieldType, kernel_size: int, stride: int = 1, padding: int = 0, group: PointGroup = C4) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return FullKit(group).conv(in_type, regular(group, 2), kernel_size, stride=stride, padding=padding)


def lift(kernel_size: int = 3, stride: int = 1, padding: int = 1) -> nn.Module:
    return conv(scalars(3), kernel_size, stride, padding)


def inner(kernel_size: int = 3, stride: int = 1, padding: int = 1) -> nn.Module:
    return conv(regular(C4, 2), kernel_size, stride, padding)


def theory(net: Net) -> Structure:
    return Structure(export(net, net.group), net.group)


def elements_at(net: Net, height_px: int, width_px: int | None = None) -> dict[str, str]:
    return predict(theory(net), height_px=height_px, width_px=width_px or height_px).elements


def exact_sides(net: Net, sides: range) -> list[int]:
    recorded = theory(net).trace(height_px=32, width_px=32)
    return [side for side in sides if is_exact_side(recorded, 0, side)]


def test_every_family_has_its_condition() -> None:
    assert set(CONDITION) == set(catalog.FAMILIES)


@pytest.mark.parametrize("axis", [0, 1], ids=["height", "width"])
@pytest.mark.parametrize("family", CONDITION)
def test_exact_sides_are_those_of_the_paper(family: str, axis: int) -> None:
    recorded = structure(f"p4-{family}").trace(height_px=48, width_px=47)
    sides = range(16, 71)
    assert [side for side in sides if is_exact_side(recorded, axis, side)] == [s for s in sides if CONDITION[family](s)]


@pytest.mark.parametrize("side", [24, 28, 32, 33, 41, 65])
@pytest.mark.parametrize("family", CONDITION)
def test_verdict_follows_from_the_condition(family: str, side: int) -> None:
    prediction = predict(structure(f"p4-{family}"), height_px=side, width_px=side)
    exact = CONDITION[family](side)
    assert prediction.verdict == ("exact" if exact else "approximate")
    assert prediction.elements == (ALL_EXACT if exact else ALL_BROKEN)
    assert (prediction.first_broken_layer is None) == exact == (not prediction.broken_layers)


@pytest.mark.parametrize("name", [name if name in OTHER_GROUPS else pytest.param(name, marks=FULL) for name in DEEP])
def test_condition_does_not_depend_on_the_group(name: str) -> None:
    recorded = structure(name).trace(height_px=48, width_px=48)
    family, sides = name.partition("-")[2], range(16, 71)
    assert [side for side in sides if is_exact_side(recorded, 0, side)] == [s for s in sides if CONDITION[family](s)]


def test_two_pools_and_padding_are_exact_at_multiples_of_four() -> None:
    def forward(net: Net, picture: Tensor) -> Tensor:
        features = functional.max_pool2d(net.first(picture), 2)
        return functional.max_pool2d(net.second(features), 2).mean((2, 3))

    assert exact_sides(Net(forward, first=lift(), second=inner()), range(16, 50)) == list(range(16, 50, 4))


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_one_layer_is_exact_iff_the_paper_s_remainder_vanishes(kernel_size: int, stride: int, padding: int) -> None:
    net = Net(lambda net, picture: net.first(picture), first=lift(kernel_size, stride, padding))
    expected = [side for side in range(8, 30) if (side + 2 * padding - kernel_size) % stride == 0]
    assert exact_sides(net, range(8, 30)) == expected


def test_layer_that_breaks_is_named_with_its_numbers() -> None:
    prediction = predict(structure("p4-resnet18"), height_px=32, width_px=32)
    first = prediction.first_broken_layer
    assert (first.name, first.kind, first.module_name) == ("stage2.block1.conv1", "Conv2d", "stage2.block1.conv1")
    assert (first.in_hw, first.out_hw) == ((32, 32), (16, 16))
    assert (first.kernel, first.stride, first.padding) == ((3, 3), (2, 2), (1, 1))
    assert (first.remainder, first.displacement_px) == ((1, 1), (-0.5, -0.5))
    assert first.weight_error == 0.0
    shortcuts = [f"stage{stage}.block1.{layer}" for stage in (2, 3, 4) for layer in ("conv1", "shortcut.conv")]
    assert [layer.name for layer in prediction.broken_layers] == shortcuts
    assert prediction.exact_heights_px == prediction.exact_widths_px == (25, 33)


@pytest.mark.parametrize(
    ("family", "side", "neighbours"),
    [
        ("resnet18-large", 224, (193, 225)),
        ("resnet18-large", 225, (193, 257)),
        ("cnn", 27, (26, 28)),
        ("resnet44", 96, (93, 97)),
        ("knight", 8, (None, 9)),  # 7 is exact, but smaller than of use
    ],
)
def test_nearest_exact_sides_below_and_above(family: str, side: int, neighbours: tuple[int | None, int]) -> None:
    prediction = predict(structure(f"p4-{family}"), height_px=side, width_px=side)
    assert prediction.exact_heights_px == prediction.exact_widths_px == neighbours


def test_picture_of_30_by_33_keeps_the_quarter_turn_that_reverses_the_width() -> None:
    prediction = predict(structure("p4-resnet18"), height_px=30, width_px=33)
    assert prediction.elements == {"rot90": EXACT, "rot180": BROKEN, "rot270": BROKEN}
    assert prediction.first_broken_layer.elements == prediction.elements
    assert prediction.verdict == "approximate"
    turned = predict(structure("p4-resnet18"), height_px=33, width_px=30)
    assert turned.elements == {"rot90": BROKEN, "rot180": BROKEN, "rot270": EXACT}
    assert prediction.exact_heights_px == (25, 33) and prediction.exact_widths_px == (25, 41)


def test_mirrors_break_by_the_axes_that_they_reverse() -> None:
    at_30_33 = predict(structure("p4m-resnet18"), height_px=30, width_px=33).elements
    assert {name for name, status in at_30_33.items() if status == EXACT} == {"rot90", "mirror", "mirror_rot90"}
    at_32_32 = predict(structure("p4m-resnet18"), height_px=32, width_px=32).elements
    assert {name for name, status in at_32_32.items() if status == EXACT} == {"mirror_rot90"}  # a transposition


def test_kernels_of_unlike_axes_break_whatever_swaps_them() -> None:
    """Sizes are no cure: only elements that keep the axes can be exact."""
    kernel = torch.ones(8, 3, 3, 3)
    net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=(1, 2), padding=1, bias=False))
    net[0].weight = nn.Parameter(kernel)
    typed(net[0], scalars(3), regular(C4, 2))
    prediction = predict(Structure(net.double(), C4), height_px=9, width_px=9)
    assert prediction.elements == {"rot90": BROKEN, "rot180": EXACT, "rot270": BROKEN}


def test_numbers_of_a_layer_are_those_of_height_and_of_width() -> None:
    conv = nn.Conv2d(3, 8, (3, 5), stride=(1, 2), padding=(1, 2), bias=False).double()
    nn.init.ones_(conv.weight)
    typed(conv, scalars(3), regular(C4, 2))
    prediction = predict(Structure(nn.Sequential(conv), C4), height_px=9, width_px=10)

    (layer,) = prediction.layers
    assert (layer.kernel, layer.stride, layer.padding) == ((3, 5), (1, 2), (1, 2))
    assert (layer.remainder, layer.displacement_px) == ((0, 1), (0, -0.5))
    assert (layer.in_hw, layer.out_hw) == ((9, 10), (9, 5))
    assert prediction.elements == {"rot90": BROKEN, "rot180": BROKEN, "rot270": BROKEN}
    assert layer.weight_error == 1.0  # a kernel that is not square has another shape after a quarter turn


@pytest.mark.parametrize(
    "first",
    [nn.ZeroPad2d((1, 1, 0, 0)), nn.AdaptiveAvgPool2d((3, 5)), nn.Upsample(scale_factor=(2, 1), mode="bilinear")],
    ids=["padding", "pooling", "resizing"],
)
def test_unlike_treatment_of_the_axes_is_not_called_exact_for_what_swaps_them(first: nn.Module) -> None:
    net = Net(lambda net, x: net.second(net.first(x)), first=typed(first, scalars(3), scalars(3)), second=lift())
    prediction = predict(theory(net), height_px=8, width_px=8)
    assert prediction.elements == {"rot90": UNDECIDED, "rot180": EXACT, "rot270": UNDECIDED}
    assert prediction.layers[0].elements == prediction.elements


def test_padding_of_one_axis_is_undecided_for_what_reverses_it_or_swaps_it() -> None:
    pad = typed(nn.ZeroPad2d((0, 1, 0, 0)), scalars(3), scalars(3))
    net = Net(lambda net, x: net.first(net.pad(x)), D4, pad=pad, first=conv(scalars(3), 3, 1, 0, D4))
    elements = predict(theory(net), height_px=8, width_px=8).layers[0].elements
    assert {name for name, status in elements.items() if status == EXACT} == {"mirror_rot180"}  # it reverses the height


@pytest.mark.parametrize("family", CONDITION)
def test_recording_of_one_size_gives_the_grids_of_all(family: str) -> None:
    recorded = structure(f"p4-{family}").trace(height_px=64, width_px=64)
    for height_px, width_px in ((17, 17), (23, 40), (28, 28), (33, 30), (61, 62)):
        fresh = structure(f"p4-{family}").trace(height_px=height_px, width_px=width_px)
        rows, columns = evaluate(recorded.steps, 0, height_px), evaluate(recorded.steps, 1, width_px)
        assert [call.name for call in fresh.calls] == [call.name for call in recorded.calls]
        assert rows == evaluate(fresh.steps, 0, height_px) and columns == evaluate(fresh.steps, 1, width_px)
        for call in recorded.calls:
            fresh_call = next(each for each in fresh.calls if each.name == call.name)
            assert (rows[call.out_step].state.side, columns[call.out_step].state.side) == fresh_call.out_hw, call.name


@pytest.mark.parametrize("name", ["p4-resnet18", "c4-cnn", "so2-resnet18-large"])
def test_recording_does_not_depend_on_the_weights(name: str) -> None:
    network = catalog.spec(name, minimum_width=True)
    other = Structure(serve(network, seed=1), network.point_group)
    assert other.trace(height_px=32, width_px=31) == structure(name).trace(height_px=32, width_px=31)


def test_recording_used_longest_ago_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equivariance.theory.exactness.KEPT_TRACES", 2)
    fresh = Structure(served_cnn(), C4)
    first, second = (fresh.trace(height_px=side, width_px=side) for side in (20, 24))
    assert fresh.trace(height_px=20, width_px=20) is first
    fresh.trace(height_px=28, width_px=28)

    assert fresh.trace(height_px=20, width_px=20) is first
    assert fresh.trace(height_px=24, width_px=24) is not second


def test_recording_leaves_no_hooks_and_no_weights_behind() -> None:
    network = catalog.spec("p4-cnn", minimum_width=True)
    served = serve(network)
    before = {name: value.clone() for name, value in served.state_dict().items()}
    predict(Structure(served, network.point_group), height_px=28, width_px=28)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in served.modules())
    assert all(torch.equal(value, before[name]) for name, value in served.state_dict().items())


def test_two_threads_record_the_same_structure_at_once() -> None:
    network = catalog.spec("p4-cnn", minimum_width=True)
    shared = Structure(serve(network), network.point_group)
    sides = list(range(24, 48))
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda side: predict(shared, height_px=side, width_px=side), sides))
    assert at_once == [predict(structure("p4-cnn"), height_px=side, width_px=side) for side in sides]


def test_branches_that_are_displaced_alike_are_broken_once_each() -> None:
    net = Net(lambda net, x: net.b(net.first(x)) + net.c(net.first(x)), first=lift(), b=inner(3, 2), c=inner(1, 2, 0))
    prediction = predict(theory(net), height_px=16, width_px=16)
    assert prediction.elements == ALL_BROKEN
    assert [layer.name for layer in prediction.broken_layers] == ["b", "c"]
    assert elements_at(net, 17) == ALL_EXACT


def test_one_displaced_branch_breaks_the_sum() -> None:
    net = Net(lambda net, x: net.b(x) + net.c(x), b=lift(3, 2, 1), c=conv(scalars(3), 4, 2, 1))
    prediction = predict(theory(net), height_px=16, width_px=16)
    assert prediction.elements == ALL_BROKEN
    assert [layer.name for layer in prediction.broken_layers] == ["b"]


def test_reused_layers_are_counted_call_by_call() -> None:
    def forward(net: Net, picture: Tensor) -> Tensor:
        features = net.first(picture)
        for _ in range(3):
            features = net.pool(net.act(net.again(features)))
        return features

    pool = typed(nn.MaxPool2d(2), regular(C4, 2), regular(C4, 2))
    act = typed(nn.ReLU(), regular(C4, 2), regular(C4, 2))
    net = Net(forward, first=lift(), again=inner(), act=act, pool=pool)
    prediction = predict(theory(net), height_px=20, width_px=20)  # 20 → 10 → 5 → 2
    assert [layer.name for layer in prediction.layers if layer.module_name == "pool"] == ["pool", "pool#2", "pool#3"]
    assert [layer.name for layer in prediction.broken_layers] == ["pool#3"]
    assert exact_sides(net, range(16, 41)) == [16, 24, 32, 40]


@pytest.mark.parametrize(
    ("pool", "kind", "exact"),
    [
        (lambda x: functional.max_pool2d(x, 2), "max_pool2d_with_indices", lambda side: side % 2 == 0),
        (lambda x: functional.avg_pool2d(x, 2), "avg_pool2d", lambda side: side % 2 == 0),
        (lambda x: functional.max_pool2d(x, 3, 2, 1), "max_pool2d_with_indices", lambda side: side % 2 == 1),
        (lambda x: functional.max_pool2d(x, 2, ceil_mode=True), "max_pool2d_with_indices", lambda side: side % 2 == 0),
        (
            lambda x: functional.max_pool2d(x, 3, 2, ceil_mode=True),
            "max_pool2d_with_indices",
            lambda side: side % 2 == 1,
        ),
        (
            lambda x: functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
            "avg_pool2d",
            lambda side: side % 2 == 1,
        ),
    ],
    ids=["max 2", "mean 2", "max 3", "max 2 ceil", "max 3 ceil", "mean 3"],
)
def test_functional_pools_are_seen_and_named(
    pool: Callable[[Tensor], Tensor], kind: str, exact: Callable[[int], bool]
) -> None:
    net = Net(lambda net, picture: pool(net.first(picture)), first=lift())
    assert exact_sides(net, range(8, 30)) == [side for side in range(8, 30) if exact(side)]
    broken = predict(theory(net), height_px=16 + exact(16), width_px=16 + exact(16))
    assert [(layer.name, layer.module_name) for layer in broken.broken_layers] == [(f"functional.{kind}", "")]


def test_pools_of_single_pixels_break_nothing() -> None:
    """A leftover that is padding alone, and windows that see the one pixel each."""
    net = Net(lambda net, x: functional.max_pool2d(x.mean((2, 3), keepdim=True), 2, 2, 1).relu())
    assert elements_at(net, 16) == elements_at(net, 17) == ALL_EXACT


def test_global_pooling_leaves_the_verdict_to_what_came_before() -> None:
    for pool in (nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1), nn.AdaptiveAvgPool2d(3)):
        net = Net(lambda net, picture: net.pool(net.first(picture)), first=lift(3, 2), pool=pool)
        assert elements_at(net, 17) == ALL_EXACT
        assert elements_at(net, 16) == ALL_BROKEN


def test_one_sided_padding_that_the_next_layer_drops_is_exact() -> None:
    net = Net(lambda net, picture: net.first(functional.pad(picture, (0, 1, 0, 1))), first=lift(3, 2, 0))
    assert exact_sides(net, range(8, 20)) == [side for side in range(8, 20) if side % 2 == 1]
    assert elements_at(net, 9) == ALL_EXACT and elements_at(net, 8) == ALL_BROKEN


def test_layer_whose_own_padding_waits_for_the_next_is_undecided_by_itself() -> None:
    pad = typed(nn.ZeroPad2d((0, 1, 0, 1)), scalars(3), scalars(3))
    net = Net(lambda net, picture: net.first(net.pad(picture)), pad=pad, first=lift(3, 2, 0))
    layers = {layer.name: layer.elements for layer in predict(theory(net), height_px=9, width_px=9).layers}
    assert layers == {"pad": dict.fromkeys(ALL_EXACT, UNDECIDED), "first": dict.fromkeys(ALL_EXACT, UNDECIDED)}


def flipped(net: Net, x: Tensor) -> Tensor:
    return net.first(x).flip(-1)


def shuffled(net: Net, x: Tensor) -> Tensor:
    return functional.pixel_shuffle(net.first(x), 2)


def cropped(net: Net, x: Tensor) -> Tensor:
    return net.first(x)[:, :, 1:, 1:]


def reflected(net: Net, x: Tensor) -> Tensor:
    return net.first(functional.pad(x, (1, 1, 1, 1), mode="reflect"))


def padded_with_ones(net: Net, x: Tensor) -> Tensor:
    return net.first(functional.pad(x, (0, 1, 0, 1), value=1.0))


def zeros_beside_ones(net: Net, x: Tensor) -> Tensor:
    """The mean takes a one and a pixel at one end, a pixel and a zero at the other."""
    there = functional.pad(functional.pad(x, (0, 1, 0, 1)), (1, 1, 1, 1), value=1.0)
    return net.first(functional.avg_pool2d(there, 2, 2))


def with_positions_added(net: Net, x: Tensor) -> Tensor:
    return net.first(x + torch.arange(x.shape[-1]))


def with_positions_as_a_channel(net: Net, x: Tensor) -> Tensor:
    positions = torch.arange(float(x.shape[-1])).expand(1, 1, *x.shape[-2:])
    return net.first(torch.cat([x[:, :2], positions.to(x.dtype)], 1))


def padded_and_activated(net: Net, x: Tensor) -> Tensor:
    return net.first(functional.pad(x, (0, 1, 0, 1)).sigmoid())


def moved_there_and_back(net: Net, x: Tensor) -> Tensor:
    there = net.first(functional.pad(x, (2, 1, 2, 1)))
    return functional.avg_pool2d(functional.pad(there, (0, 1, 0, 1)), 3, 1)


@pytest.mark.parametrize(
    "forward",
    [
        flipped,
        shuffled,
        cropped,
        reflected,
        padded_with_ones,
        zeros_beside_ones,
        with_positions_added,
        with_positions_as_a_channel,
        padded_and_activated,
        moved_there_and_back,
    ],
    ids=lambda forward: forward.__name__,
)
def test_what_theory_cannot_follow_is_undecided(forward: Callable[[Net, Tensor], Tensor]) -> None:
    prediction = predict(theory(Net(forward, first=lift())), height_px=16, width_px=16)
    assert prediction.verdict == "undecided"
    assert UNDECIDED in prediction.elements.values()


@pytest.mark.parametrize(("family", "smallest_px"), [("cnn", 8), ("knight", 2), ("resnet18", 2), ("resnet18-large", 2)])
def test_size_that_is_too_small_is_refused_with_the_smallest(family: str, smallest_px: int) -> None:
    known = structure(f"p4-{family}")
    assert known.smallest_px == smallest_px
    predict(known, height_px=smallest_px, width_px=smallest_px)
    if family == "cnn":
        sentence = "cannot take 7×40 px: give at least 8 px a side"
        with pytest.raises(SizeError, match=sentence):
            predict(known, height_px=7, width_px=40)


@pytest.mark.parametrize("side", range(2, 12))
def test_smallest_size_is_where_the_network_itself_begins_to_run(side: int) -> None:
    served = serve(catalog.spec("p4-cnn", minimum_width=True))
    picture = torch.zeros(1, 3, side, side, dtype=torch.float64)
    if side < structure("p4-cnn").smallest_px:
        with pytest.raises(RuntimeError):
            served(picture)
    else:
        assert served(picture).isfinite().all()


@pytest.mark.parametrize("side", [32, 64])
def test_network_that_takes_one_size_alone_is_refused_with_torch_s_reason(side: int) -> None:
    net = Net(lambda net, x: net.linear(net.first(x).flatten(1)), first=lift(), linear=nn.Linear(8 * side**2, 2))
    with pytest.raises(SizeError, match="cannot take 33×33 px: "):
        predict(theory(net), height_px=33, width_px=33)
    assert predict(theory(net), height_px=side, width_px=side).height_px == side


def served_cnn() -> nn.Module:
    return serve(catalog.spec("p4-cnn", minimum_width=True))


def verdict_of(network: nn.Module, group: PointGroup = C4) -> tuple[str, list[str]]:
    prediction = predict(Structure(network, group), height_px=28, width_px=28)  # exact for the family
    return prediction.verdict, [layer.name for layer in prediction.broken_layers]


def test_intact_network_has_no_weight_errors() -> None:
    for name in catalog.NAMES:
        if name.endswith(("-cnn", "-knight")) and not name.startswith("z2"):
            assert structure(name).weight_errors == {}, name


class FirstChannelAlone(nn.Module):
    """An activation that treats one element of the group unlike the others."""

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([functional.elu(features[:, :1]), features[:, 1:].relu()], 1)


def test_kernel_turned_the_wrong_way_is_named() -> None:
    network = served_cnn()
    weight = network.layer3.conv.weight
    weight.copy_(weight.unflatten(0, (-1, 4))[:, [0, 3, 2, 1]].flatten(0, 1))  # clockwise
    assert verdict_of(network) == ("not equivariant", ["layer3.conv"])
    layer = predict(Structure(network, C4), height_px=28, width_px=28).first_broken_layer
    assert layer.weight_error > 0.1 and layer.displacement_px == (0, 0)


def test_smallest_change_of_one_weight_is_seen() -> None:
    network = served_cnn()
    network.layer3.conv.weight[0, 0, 0, 0] += 1e-6
    assert verdict_of(network) == ("not equivariant", ["layer3.conv"])


@pytest.mark.parametrize("layer", ["layer2.conv", "layer2.norm"])
def test_bias_of_one_channel_is_named(layer: str) -> None:
    network = served_cnn()
    network.get_submodule(layer).bias[1] += 0.5
    assert verdict_of(network) == ("not equivariant", [layer])


@pytest.mark.parametrize("part", ["weight", "bias"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_commute_with_nothing(part: str, value: float) -> None:
    network = served_cnn()
    getattr(network.layer2.conv, part).flatten()[0] = value
    assert verdict_of(network)[0] == "not equivariant"
    layer = predict(Structure(network, C4), height_px=28, width_px=28).first_broken_layer
    assert layer.name == "layer2.conv" and math.isnan(layer.weight_error)


def prelu() -> nn.Module:
    activation = nn.PReLU(12, dtype=torch.float64)
    activation.weight.data.copy_(torch.linspace(0, 1, 12))
    return activation


@pytest.mark.parametrize("activation", [prelu, FirstChannelAlone, nn.Tanh], ids=["prelu", "elu", "tanh"])
def test_activation_is_judged_by_what_it_does_to_the_group(activation: Callable[[], nn.Module]) -> None:
    network = served_cnn()
    network.layer4.activation = typed(activation(), regular(C4, 3), regular(C4, 3))
    fine = isinstance(network.layer4.activation, nn.Tanh)
    assert verdict_of(network) == (("exact", []) if fine else ("not equivariant", ["layer4.activation"]))


@pytest.mark.parametrize(("activation", "broken"), [(nn.ReLU, True), (nn.Identity, False)])
def test_relu_on_harmonics_is_named(activation: type[nn.Module], broken: bool) -> None:
    network = serve(catalog.spec("so2-cnn", minimum_width=True))
    network.layer1.activation = typed(activation(), *[FieldType(((Harmonics(3), 3),))] * 2)
    assert verdict_of(network, SO2) == (("not equivariant", ["layer1.activation"]) if broken else ("exact", []))


@pytest.mark.parametrize("family", catalog.FAMILIES)
def test_plain_network_is_not_equivariant_at_any_size(family: str) -> None:
    for side in (32, 33):
        prediction = predict(structure(f"z2-{family}"), height_px=side, width_px=side)
        assert prediction.verdict == "not equivariant"
        assert set(prediction.elements.values()) == {BROKEN} and len(prediction.elements) == 7
        assert prediction.exact_heights_px == prediction.exact_widths_px == (None, None)


def test_weights_that_break_mirrors_alone_are_told_from_those_that_break_turns() -> None:
    kernel = conv(scalars(3), 3, 1, 1).kernel().detach().double()  # commutes with quarter turns
    layer = nn.Conv2d(3, 8, 3, padding=1, bias=False, dtype=torch.float64)
    layer.weight = nn.Parameter(kernel)
    network = nn.Sequential(typed(layer, scalars(3), regular(C4, 2)), typed(nn.Identity(), regular(C4, 2), None))
    assert weight_errors(network, elements_to_measure(C4)) == {}
    network[0].in_type = network[0].out_type = None
    assert weight_errors(network, elements_to_measure(D4)) == {}  # nothing is known of what has no types


def test_weights_that_still_have_gradients_are_compared_too() -> None:
    layer = typed(nn.Conv2d(3, 8, 3, dtype=torch.float64), scalars(3), regular(C4, 2))
    errors = weight_errors(nn.Sequential(layer), elements_to_measure(C4))
    assert set(errors["0"]) == set(ALL_EXACT)


@pytest.mark.parametrize("broken", [False, True])
def test_linear_layers_are_compared_with_their_bias(broken: bool) -> None:
    layer = typed(nn.Linear(4, 8, dtype=torch.float64), scalars(4), regular(C4, 2))
    with torch.no_grad():
        layer.weight.copy_(layer.weight[::4].repeat_interleave(4, 0))
        layer.bias.copy_(layer.bias[::4].repeat_interleave(4))
        layer.bias[0] += float(broken)
    assert bool(weight_errors(nn.Sequential(layer), elements_to_measure(C4))) == broken


@pytest.mark.parametrize("groups", [1, 2])
def test_grouped_kernels_are_compared_as_if_dense(groups: int) -> None:
    dense = inner().kernel().detach().double()
    layer = nn.Conv2d(8, 8, 3, groups=groups, bias=False, dtype=torch.float64)
    parts = [dense[4 * at : 4 * at + 4, 4 * at : 4 * at + 4] for at in range(2)]
    layer.weight = nn.Parameter(dense if groups == 1 else torch.cat(parts))
    network = nn.Sequential(typed(layer, regular(C4, 2), regular(C4, 2)))
    assert weight_errors(network, elements_to_measure(C4)) == {}
    layer.weight.data[0] += 1.0
    layer.weight.data[0, 0, 0, 0] += 1.0
    assert set(weight_errors(network, elements_to_measure(C4))) == {"0"}


def test_logits_are_invariant_only_with_group_pooling() -> None:
    for head in catalog.HEADS:
        network = catalog.spec("p4-cnn", head=head, minimum_width=True)
        prediction = predict(Structure(serve(network), network.point_group), height_px=28, width_px=28)
        assert prediction.invariant_logits == (head != catalog.NO_POOLING)
        assert prediction.verdict == "exact"


def test_grids_say_where_the_samples_lie() -> None:
    grids = structure("p4-resnet18").grids(height_px=32, width_px=33)
    row, column = grids["stage2.block1.conv1"]
    assert (row.side, row.stride, column.side, column.stride) == (16, 2, 17, 2)
    assert row.displacement_px == -0.5 and column.displacement_px == 0
    stem = grids["stem.conv"][0]
    assert (stem.start, stem.extent, stem.stride) == (-1, 3, 1)


def rows(prediction: object) -> Iterator[tuple[str, dict[str, str]]]:
    yield from ((layer.name, layer.elements) for layer in prediction.layers)


def test_layer_without_an_action_says_so() -> None:
    network = catalog.spec("p4-cnn", head="no-pooling", minimum_width=True)
    prediction = predict(Structure(serve(network), C4), height_px=28, width_px=28)
    assert dict(rows(prediction))["head.classifier"] == dict.fromkeys(ALL_EXACT, "no action")
