"""Networks as people write them, held against plain torch: five random pictures in float64, turned and mirrored."""

from collections.abc import Callable

import pytest
from torch import nn

import equivariance as eq
from tests.equivariance import networks as made
from tests.equivariance.networks import MOVES, TURNS, ready, truth

Make = Callable[[], nn.Module]

# Each with the means of all turns and mirrors of its kernels as kernels: (network, side, first broken layer).
SYMMETRIC: dict[str, tuple[Make, dict[int, str | None]]] = {
    "ResNet-18": (lambda: made.ResNet(made.Basic, (2, 2, 2, 2)), {33: None, 32: "stem.0.0", 31: "stem.1"}),
    "ResNet-50": (lambda: made.ResNet(made.Bottleneck, (3, 4, 6, 3), width=2), {33: None, 32: "stem.0.0"}),
    "MobileNet": (made.mobile_net, {33: None, 32: "0.0"}),
    "DenseNet": (made.Dense, {16: None, 17: "transition.1"}),
    "U-Net, bilinear": (lambda: made.UNet(), {16: None, 18: "functional.max_pool2d_with_indices"}),
    "U-Net, nearest": (lambda: made.UNet(up="nearest"), {20: None, 18: "functional.max_pool2d_with_indices"}),
    "U-Net, transposed": (lambda: made.UNet(up="transposed"), {20: None, 17: "functional.max_pool2d_with_indices"}),
    "ConvNeXt": (made.conv_next, {16: None, 24: None, 20: "3.1"}),
    "vision transformer": (lambda: made.Vit(None), {16: None, 18: "patches"}),
    "HRNet": (made.HrNet, {16: "stem.0.0", 17: "functional.slice", 21: "low.0"}),
    "DETR": (made.Detr, {17: None, 16: "backbone.0.0"}),
    "FPN": (made.Fpn, {17: None, 16: "one.0"}),
    "blurred pools": (made.blur_net, {18: None, 16: "4", 17: "2"}),
}
CASES = [
    pytest.param(make, side_px, layer, id=f"{name}, {side_px} px")
    for name, (make, sides) in SYMMETRIC.items()
    for side_px, layer in sides.items()
]


@pytest.mark.parametrize(("make", "side_px", "layer"), CASES)
def test_symmetric_kernels_leave_it_to_the_grid(make: Make, side_px: int, layer: str | None) -> None:
    network = ready(make(), symmetric=True)
    report = eq.check(network, side_px)

    assert (truth(network, side_px, side_px) == "exact") == (layer is None)
    assert report.verdict == ("exact" if layer is None else "approximate")
    assert report.evidence == "theory and measurement"
    assert report.first_broken_layer == layer
    assert report.not_followed == ()


@pytest.mark.parametrize("name", SYMMETRIC)
def test_drawn_kernels_are_broken_by_weights_at_every_size(name: str) -> None:
    make, sides = SYMMETRIC[name]
    network, side_px = ready(make(), symmetric=False), next(iter(sides))
    report = eq.check(network, side_px)

    assert truth(network, side_px, side_px) == "broken"
    assert (report.verdict, report.evidence) == ("not equivariant", "theory and measurement")
    assert report.reason.startswith(f"First broken at {report.first_broken_layer} (")
    assert "its weights differ from their own transform by up to 1" in report.reason
    assert (report.advice, report.exact_sizes_px["height"]) == ("", (None, None))


OTHERS = {
    "P4 CNN": (lambda: made.GroupCnn(), "C4", {17: None, 16: "down"}),
    "P4M CNN": (lambda: made.GroupCnn(mirrors=True), "D4", {17: None, 16: "down"}),
    "P4 U-Net": (lambda: made.GroupUNet(), "C4", {16: None, 17: "functional.max_pool2d_with_indices"}),
    "P4M U-Net": (lambda: made.GroupUNet(mirrors=True), "D4", {16: None}),
    "P4 U-Net, its shortcut shifted": (lambda: made.GroupUNet(crooked=True), "C4", {16: "functional.roll"}),
}


@pytest.mark.parametrize(
    ("make", "group", "side_px", "layer"),
    [
        pytest.param(make, group, side_px, layer, id=f"{name}, {side_px} px")
        for name, (make, group, sides) in OTHERS.items()
        for side_px, layer in sides.items()
    ],
)
def test_convolutions_on_a_group_of_ones_own_need_no_types(
    make: Make, group: str, side_px: int, layer: str | None
) -> None:
    """Their features have a dimension for the group, and their masks turn and mirror with the picture."""
    network = ready(make(), symmetric=False)
    moves = tuple(MOVES) if group == "D4" else TURNS
    report = eq.check(network, side_px, group=group)

    assert (truth(network, side_px, side_px, moves=moves) == "exact") == (layer is None)
    assert (report.verdict, report.evidence) == ("approximate" if layer else "exact", "theory and measurement")
    assert report.first_broken_layer == layer
    assert set(report.elements) == set(moves)


def test_the_fields_of_group_convolutions_are_read_from_their_kernels() -> None:
    layers = eq.predict(ready(made.GroupCnn(), symmetric=False), 17).layers

    assert {layer["name"]: layer["fields"] for layer in layers} == {
        "lift": "3 regular",
        "down": "3 regular",
        "last": "4 regular",
    }
    assert {layer["fields_from"] for layer in layers} == {"fifth dimension"}


def test_a_group_that_is_not_pooled_is_said_to_be_so() -> None:
    network = ready(made.GroupCnn(pooled=False), symmetric=False)
    report = eq.check(network, 17)

    assert truth(network, 17, 17) == "broken"
    assert (report.verdict, report.first_broken_layer) == ("not equivariant", None)
    assert report.reason == "The output is a field whose channels the group exchanges: the group is not pooled."
    assert "Pool the group" in report.advice
    assert eq.check(network, 17, output="regular").verdict == "exact"
    assert eq.check(network, 17, output=eq.regular("C4", 4)).verdict == "exact"
    assert eq.check(network, 16, output="regular").verdict == "approximate"


def test_inception_is_broken_by_its_one_dimensional_kernels_where_its_grids_are_not() -> None:
    network = ready(made.Inception(), symmetric=True)
    report = eq.check(network, 17)

    assert truth(network, 17, 17) == "broken"
    assert (report.verdict, report.first_broken_layer) == ("not equivariant", "strips.0")


def test_flattened_maps_have_a_reason_of_their_own() -> None:
    network = ready(made.Vgg(16), symmetric=True)
    report = eq.check(network, 16)

    assert truth(network, 16, 16) == "broken"
    assert (report.verdict, report.first_broken_layer) == ("not equivariant", "classifier.0")
    assert "a linear layer on flattened maps, in which each pixel has weights of its own" in report.reason
    assert report.advice == "Take the mean over all places before it, or a convolution in its place."


def test_numbers_that_depend_on_the_place_have_a_reason_of_their_own() -> None:
    for network, name in ((made.CoordConv(), "functional.cat"), (made.Vit(16), "functional.add")):
        symmetric = ready(network, symmetric=True)
        report = eq.check(symmetric, 16)

        assert truth(symmetric, 16, 16) == "broken"
        assert (report.verdict, report.first_broken_layer) == ("not equivariant", name)
        assert "it works with numbers that depend on the place" in report.reason
        assert "networks.py:" in report.reason
        assert report.advice == "Make these numbers symmetric about the centre, or leave them out."


def test_exact_sizes_are_those_of_plain_torch() -> None:
    network = ready(made.Fpn(), symmetric=True)
    sides = [side for side in range(8, 35) if truth(network, side, side) == "exact"]

    assert eq.exact_sizes(network, 8, 34) == {"height": tuple(sides), "width": tuple(sides)}
    assert eq.check(network, 20).exact_sizes_px == {"height": (17, 25), "width": (17, 25)}
    assert {17, 25} <= set(sides)
    assert not set(sides) & set(range(18, 25))
