"""Mean filters of any network, read off single pixels as an oracle; and how lopsided filters are, and to which side."""

import math
from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from equivariance.groups.fields import regular, scalars
from equivariance.groups.point_groups import C4, D4
from equivariance.layers.escnn import escnn_nn as enn
from equivariance.layers.escnn import gspaces
from equivariance.layers.export import plain_layer
from equivariance.layers.group_conv import GroupConv2d
from equivariance.measurement.mean_filters import kernel_lopsidedness, lean_px, lopsidedness, mean_filters
from models.build import build, serve
from models.catalog import NetworkSpec, spec

PX = 9  # of the pictures that filters are read off

Layer = Callable[[], nn.Module]


def escnn_type(order: int, fields: int) -> enn.FieldType:
    space = gspaces.rot2dOnR2(order)
    return enn.FieldType(space, fields * [space.regular_repr])


# Layer, elements of the input's and the output's fields, groups. All keep the side of PX.
LAYERS: dict[str, tuple[Layer, int, int, int]] = {
    "plain": (lambda: nn.Conv2d(3, 8, 3, padding=1, bias=False), 1, 1, 1),
    "grouped": (lambda: nn.Conv2d(4, 8, 5, padding=2, bias=False, groups=2), 1, 1, 2),
    "depthwise": (lambda: nn.Conv2d(4, 4, 3, padding=1, bias=False, groups=4), 1, 1, 4),
    "transposed": (lambda: nn.ConvTranspose2d(3, 8, 3, padding=1, bias=False), 1, 1, 1),
    "transposed, grouped": (lambda: nn.ConvTranspose2d(4, 6, 3, padding=1, bias=False, groups=2), 1, 1, 2),
    "p4 on a picture": (lambda: GroupConv2d(scalars(3), regular(C4, 5), 3, padding=1, bias=False), 1, 4, 1),
    "p4": (lambda: GroupConv2d(regular(C4, 3), regular(C4, 5), 3, padding=1, bias=False), 4, 4, 1),
    "p4m": (lambda: GroupConv2d(regular(D4, 2), regular(D4, 3), 3, padding=1, bias=False), 8, 8, 1),
    "escnn": (lambda: enn.R2Conv(escnn_type(4, 2), escnn_type(4, 3), 3, padding=1, bias=False), 4, 4, 1),
    "escnn, eight turns": (lambda: enn.R2Conv(escnn_type(8, 2), escnn_type(8, 3), 5, padding=2, bias=False), 8, 8, 1),
    "escnn, grouped": (
        lambda: enn.R2Conv(escnn_type(4, 2), escnn_type(4, 4), 3, padding=1, bias=False, groups=2),
        4,
        4,
        2,
    ),
    "escnn, transposed": (
        lambda: enn.R2ConvTransposed(escnn_type(4, 2), escnn_type(4, 3), 3, padding=1, bias=False),
        4,
        4,
        1,
    ),
}


@torch.no_grad()
def read_off(layer: nn.Module, elements: int, out_elements: int, groups: int, size: int) -> Tensor:
    """What the first element of each output field answers to one lit pixel in all fields' channel h: (elements, k, k).

    A layer that reads one pixel further right answers one pixel further left, so the answers are turned around.
    """
    declared = getattr(layer, "in_type", None)
    channels = getattr(layer, "in_channels", 0) or getattr(declared, "channels", 0) or getattr(declared, "size", 0)
    found = []
    for element in range(elements):
        picture = torch.zeros(1, channels, PX, PX)
        picture[:, element::elements, PX // 2, PX // 2] = 1.0
        given = enn.GeometricTensor(picture, declared) if isinstance(declared, enn.FieldType) else picture
        answer = layer.eval()(given)
        answer = getattr(answer, "tensor", answer)[0, ::out_elements].mean(0) / (channels / elements / groups)
        start = PX // 2 - size // 2
        found.append(answer.flip((0, 1))[start : start + size, start : start + size])
    return torch.stack(found)


@pytest.mark.parametrize("name", LAYERS)
def test_mean_filters_are_those_that_a_lit_pixel_shows(name: str) -> None:
    torch.manual_seed(0)
    make, elements, out_elements, groups = LAYERS[name]
    layer = make()
    ((found_name, found),) = mean_filters(nn.Sequential(layer)).items()

    expected = read_off(layer, elements, out_elements, groups, found.shape[-1])

    assert found_name == "0" and found.shape == expected.shape and expected.norm() > 0.01
    torch.testing.assert_close(found.float(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["p4-cnn", "p4m-resnet18", "c4-cnn", "d4-wide-resnet-10-4", "so2-cnn", "z2-resnet18"])
def test_networks_as_built_and_as_served_have_the_same(name: str) -> None:
    network = spec(name, minimum_width=True)
    built, served = mean_filters(build(network)), mean_filters(serve(network))

    assert built.keys() == served.keys() and len(built) >= 7
    for layer, filters in built.items():
        torch.testing.assert_close(filters.double(), served[layer], rtol=1e-5, atol=1e-7)


def test_containers_of_escnn_are_opened() -> None:
    types = escnn_type(4, 1), escnn_type(4, 2)
    network = enn.SequentialModule(enn.R2Conv(*types, 3), enn.ReLU(types[1]), enn.R2Conv(types[1], types[0], 3))

    assert {name: tuple(filters.shape) for name, filters in mean_filters(network).items()} == {
        "0": (4, 3, 3),
        "2": (4, 3, 3),
    }


def test_layers_without_a_planar_filter_are_left_out() -> None:
    network = nn.ModuleDict(
        {
            "one": nn.Conv2d(3, 4, 1),
            "line": nn.Conv1d(3, 4, 3),
            "volume": nn.Conv3d(3, 4, 3),
            "row": nn.Conv2d(3, 4, (1, 3)),
            "linear": nn.Linear(3, 4),
        }
    )

    assert {name: tuple(filters.shape) for name, filters in mean_filters(network).items()} == {"row": (1, 1, 3)}


def test_nothing_is_changed() -> None:
    network = build(NetworkSpec("c4", "cnn", minimum_width=True))
    before = deepcopy(network.state_dict())

    mean_filters(network)

    assert network.training and all(parameter.requires_grad for parameter in network.parameters())
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("group", [C4, D4])
def test_over_all_elements_the_mean_is_symmetric_whatever_the_weights(group: object) -> None:
    """So the mean of one element is taken, which need not be."""
    torch.manual_seed(0)
    conv = GroupConv2d(regular(group, 2), regular(group, 3), 3)  # type: ignore[arg-type]
    over_all = conv.kernel().detach().mean((0, 1))

    torch.testing.assert_close(over_all, over_all.rot90())
    assert lopsidedness(over_all) < 1e-6 < 0.2 < lopsidedness(mean_filters(conv)[""]).max()


def test_a_lopsided_kernel_is_found_among_symmetric_ones() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3))
    with torch.no_grad():
        for conv in network:
            conv.weight.add_(conv.weight.flip((-2, -1)).clone())  # each is its own half turn
        network[1].weight[..., -1] += 0.5  # the right column

    found = {name: float(lopsidedness(filters)) for name, filters in mean_filters(network).items()}
    down, right = lean_px(mean_filters(network)["1"])[0]

    assert found["0"] < 1e-6 and found["2"] < 1e-6 and found["1"] > 0.3
    assert abs(down) < 1e-6 and right > 0.2


@pytest.mark.parametrize("shape", [(3, 3), (4, 4), (5, 5), (1, 3)])
def test_lopsidedness_is_the_share_that_a_half_turn_reverses(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    filters = torch.randn(1000, *shape, dtype=torch.float64)
    even, odd = filters + filters.flip((-2, -1)), filters - filters.flip((-2, -1))

    assert (lopsidedness(even).max(), lopsidedness(odd).min()) == (0.0, pytest.approx(1.0))
    assert float(lopsidedness(torch.zeros(*shape))) == 0.0
    torch.testing.assert_close(lopsidedness(filters), lopsidedness(-3 * filters.flip((-2, -1))))
    free = shape[0] * shape[1]  # numbers of which a half turn reverses as many combinations as it keeps, but the centre
    expected = math.sqrt((free - free % 2) / (2 * free))
    assert lopsidedness(filters).square().mean().sqrt() == pytest.approx(expected, abs=0.03)


def test_filters_lean_to_where_their_weight_is_and_away_from_negative_ones() -> None:
    corner = torch.zeros(3, 3)
    corner[2, 2] = 2.0

    assert lean_px(corner).tolist() == [1.0, 1.0]
    assert lean_px(-corner).tolist() == [-1.0, -1.0]
    assert lean_px(corner.flip((0, 1)).expand(5, 3, 3)).tolist() == [[-1.0, -1.0]] * 5
    assert lean_px(torch.ones(4, 4)).tolist() == lean_px(torch.zeros(3, 3)).tolist() == [0.0, 0.0]
    even = torch.zeros(4, 4)
    even[:, 3] = 1.0
    assert lean_px(even).tolist() == [0.0, 1.5]


def test_kernels_that_lean_to_different_sides_are_seen_though_their_mean_is_not() -> None:
    conv = nn.Conv2d(1, 2, 3)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[0, 0, 1, 2] = conv.weight[1, 0, 1, 0] = 1.0  # one reads the right neighbour, the other the left

    assert float(lopsidedness(mean_filters(conv)[""])) == 0.0
    assert kernel_lopsidedness(conv)[""] == pytest.approx(0.5**0.5)


@pytest.mark.parametrize("name", LAYERS)
def test_lopsidedness_of_kernels_is_that_of_each_by_its_length(name: str) -> None:
    torch.manual_seed(0)
    layer = LAYERS[name][0]()
    with torch.no_grad():
        plain = layer if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) else plain_layer(layer, name, None)
    kernels = plain.weight.detach().flatten(0, 1)
    lengths = kernels.flatten(1).norm(dim=1)

    (found,) = kernel_lopsidedness(nn.Sequential(layer)).values()

    expected = ((lopsidedness(kernels) * lengths).square().sum() / lengths.square().sum()).sqrt()
    assert found == pytest.approx(float(expected), rel=1e-5) and 0.1 < found < 0.95
