"""What `check` says of single steps between two convolutions on the group, held against plain torch."""

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import equivariance as eq
from equivariance.groups.fields import move_pixels, scalars
from equivariance.groups.point_groups import C4, D4
from equivariance.layers.plain import typed
from tests.equivariance.networks import GroupConv, ready, truth

Step = Callable[[Any, Tensor], Any]


class Between(nn.Module):
    """Lifted to four turns, a step on (B, 8, H, W), a convolution on the group, its largest value: (B, 3, H, W)."""

    def __init__(self, step: Step, *, channels: int = 3, head: Step | None = None, **layers: nn.Module) -> None:
        super().__init__()
        self.lift, self.last = GroupConv(channels, 2, lifting=True), GroupConv(2, 3)
        self.step, self.head = step, head or (lambda net, maps: maps.mean((2, 3)))
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Any:
        maps = self.step(self, torch.relu(self.lift(x)).flatten(1, 2))
        return self.head(self, self.last(maps.unflatten(1, (2, 4))).amax(2))


def between(step: Step, **more: Any) -> nn.Module:
    """Its kernels drawn; numbers of `step` that are no weights stay."""
    return ready(Between(step, **more), symmetric=False)


def drawn(*shape: int) -> Tensor:
    """float64 numbers of a seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def disc(centre_px: float, side_px: int = 16) -> Tensor:
    """(H, W): 1 within 7 px of a point on the diagonal."""
    places = torch.arange(side_px, dtype=torch.float64) - centre_px
    return ((places[:, None] ** 2 + places**2) <= 49).double()


class Scaled(nn.Module):
    """Maps times numbers that it holds."""

    def __init__(self, numbers: Tensor) -> None:
        super().__init__()
        self.register_buffer("numbers", numbers)

    def forward(self, maps: Tensor) -> Tensor:
        numbers: Any = self.numbers
        return maps * numbers


def symmetric_norm() -> nn.Module:
    """A layer norm over channels, rows and columns, with no weights of its own."""
    return nn.LayerNorm([8, 16, 16], elementwise_affine=False)


EXACT: dict[str, tuple[Step, int, dict[str, nn.Module]]] = {
    "nothing": (lambda n, y: y, 16, {}),
    "half the size, bilinear": (lambda n, y: functional.interpolate(y, scale_factor=0.5, mode="bilinear"), 16, {}),
    "half the size of an odd one, its factor worked out again": (
        lambda n, y: functional.interpolate(y, scale_factor=0.5, mode="bilinear", recompute_scale_factor=True),
        17,
        {},
    ),
    "to 14 px": (lambda n, y: functional.interpolate(y, size=(14, 14), mode="bilinear"), 16, {}),
    "twice the size, nearest": (lambda n, y: functional.interpolate(y, scale_factor=2), 15, {}),
    "a centred disc": (lambda n, y: y * disc(7.5), 16, {}),
    "a layer's centred disc": (lambda n, y: n.mask(y), 16, {"mask": Scaled(disc(7.5))}),
    "a centred crop": (lambda n, y: y[:, :, 2:-2, 2:-2], 16, {}),
    "a layer norm of fixed size": (lambda n, y: n.norm(y), 16, {"norm": symmetric_norm()}),
    "a pool of a fixed window": (lambda n, y: n.pool(y), 16, {"pool": nn.MaxPool2d(5, 1, 0, 2)}),
    "a global largest value": (lambda n, y: y / (1 + y.amax((1, 2, 3), keepdim=True)), 16, {}),
    "hard swish": (lambda n, y: functional.hardswish(y), 16, {}),
    "reflected borders": (lambda n, y: functional.pad(y, (2, 2, 2, 2), mode="reflect"), 16, {}),
    "circular borders": (lambda n, y: functional.pad(y, (1, 1, 1, 1), mode="circular"), 16, {}),
    "written in place, all of it": (lambda n, y: y.clone().mul_(2).add_(1), 16, {}),
    "a symmetric part written to": (lambda n, y: _set(y, (..., slice(3, -3), slice(3, -3)), 0.0), 16, {}),
}
BROKEN: dict[str, tuple[Step, int, str]] = {
    "half the size of an odd one": (
        lambda n, y: functional.interpolate(y, scale_factor=0.5, mode="bilinear"),
        17,
        "functional.upsample_bilinear2d",
    ),
    "cubic by a factor": (
        lambda n, y: functional.interpolate(y, scale_factor=1.5, mode="bicubic"),
        17,
        "functional.upsample_bicubic2d",
    ),
    "nearest to another size": (
        lambda n, y: functional.interpolate(y, size=(24, 24)),
        16,
        "functional.upsample_nearest2d",
    ),
    "a crop at one end": (lambda n, y: y[:, :, 1:, 1:], 16, "functional.slice"),
    "every second pixel": (lambda n, y: y[:, :, ::2, ::2], 16, "functional.slice"),
    "shifted": (lambda n, y: y * y.roll(1, 3), 16, "functional.roll"),
    "a position embedding": (lambda n, y: y + drawn(1, 8, 16, 16), 16, "functional.add"),
    "a disc off centre": (lambda n, y: y * disc(8.0), 16, "functional.mul"),
    "one side padded": (lambda n, y: functional.pad(y, (1, 0, 1, 0)), 16, "functional.constant_pad_nd"),
    "a row written to": (lambda n, y: _set(y, (..., 0, slice(None)), 0.0), 16, "functional.select"),
    "one half doubled": (lambda n, y: _doubled(y, (..., slice(8))), 16, "functional.slice"),
    "channels shifted in place": (lambda n, y: _shifted(y), 16, "functional.slice"),
    "written into zeros": (lambda n, y: y + _into_zeros(y), 16, "functional.slice"),
    "the largest of each column": (lambda n, y: y * y.amax(2, keepdim=True), 16, "functional.amax"),
    "a fixed filter": (lambda n, y: functional.conv2d(y, _sobel(), padding=1, groups=8), 16, "functional.convolution"),
}


def _set(maps: Tensor, where: Any, number: float) -> Tensor:
    maps = maps.clone()
    maps[where] = number
    return maps


def _doubled(maps: Tensor, where: Any) -> Tensor:
    maps = maps.clone()
    maps[where] *= 2
    return maps


def _shifted(maps: Tensor) -> Tensor:
    maps = maps.clone()
    maps[:, :4, :, 1:] = maps[:, :4, :, :-1].clone()
    return maps


def _into_zeros(maps: Tensor) -> Tensor:
    zeros = torch.zeros(maps.shape, dtype=maps.dtype, device=maps.device)
    zeros[..., 1:] = maps[..., :-1]
    return zeros


def _sobel() -> Tensor:
    return torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]], dtype=torch.float64).expand(8, 1, 3, 3)


@pytest.mark.parametrize("name", EXACT)
def test_steps_that_commute_are_proven_and_measured(name: str) -> None:
    step, side_px, layers = EXACT[name]
    network = between(step, **layers)
    report = eq.check(network, side_px)

    assert truth(network, side_px, side_px) == "exact"
    assert (report.verdict, report.evidence) == ("exact", "theory and measurement")
    assert set(report.elements.values()) == {"exact"}
    assert (report.first_broken_layer, report.broken_layers, report.not_followed) == (None, (), ())
    assert "rounding" in report.reason


@pytest.mark.parametrize("name", BROKEN)
def test_steps_that_do_not_commute_are_named_with_their_line(name: str) -> None:
    step, side_px, operation = BROKEN[name]
    network = between(step)
    report = eq.check(network, side_px)

    assert truth(network, side_px, side_px) == "broken"
    assert report.verdict in ("approximate", "not equivariant")
    assert report.evidence == "theory and measurement"
    assert report.first_broken_layer == operation
    assert report.broken_layers == (operation,)
    assert f"First broken at {operation} (" in report.reason
    assert "test_check.py:" in report.reason


def test_one_axis_alone_is_no_pixel_however_many_channels_there_are() -> None:
    """8 channels and 8 px: the sides that are left are as long as the channels."""
    network = ready(Between(lambda n, y: y, head=lambda n, y: y.amax(2).unsqueeze(1).mean((2, 3))), symmetric=False)
    for side_px in (3, 8, 9):
        assert truth(network, side_px, side_px) == "broken"
        report = eq.check(network, side_px)
        assert (report.verdict, report.elements["rot180"]) == ("approximate", "exact")
        assert report.broken_layers == ("functional.amax",)


# ------------------------------------------------------------------------------------------------------------- outputs

Pair = namedtuple("Pair", ("logits", "maps"))


@dataclass
class Answer:
    """An output with names."""

    logits: Tensor
    maps: Tensor


HEADS: dict[str, tuple[Step, set[str]]] = {
    "tuple": (lambda n, y: (y.mean((2, 3)), y), {"0", "1"}),
    "list": (lambda n, y: [y.mean((2, 3)), [y]], {"0", "1.0"}),
    "dictionary": (lambda n, y: {"logits": y.mean((2, 3)), "maps": y}, {"logits", "maps"}),
    "named tuple": (lambda n, y: Pair(y.mean((2, 3)), y), {"logits", "maps"}),
    "dataclass": (lambda n, y: Answer(y.mean((2, 3)), y), {"logits", "maps"}),
}


@pytest.mark.parametrize("name", HEADS)
def test_each_tensor_of_an_output_is_compared_as_what_it_is(name: str) -> None:
    head, paths = HEADS[name]
    report = eq.check(between(lambda n, y: y, head=head), 16)

    assert report.verdict == "exact"
    assert set(report.outputs) == paths
    assert [report.outputs[path]["compared as"] for path in sorted(paths)] == ["invariant", "maps"]
    assert all(error < 1e-12 for each in report.outputs.values() for error in each["error"].values())


def test_one_output_that_breaks_is_enough() -> None:
    report = eq.check(between(lambda n, y: y, head=lambda n, y: (y.mean((2, 3)), y[..., 1:])), 16)

    assert report.verdict == "approximate"
    assert set(report.outputs["0"]["theory"].values()) == {"exact"}
    assert report.outputs["1"]["theory"]["rot90"] == "broken"


def test_maps_turn_and_are_therefore_not_invariant() -> None:
    network = between(lambda n, y: y, head=lambda n, y: y)

    assert truth(network, 16, 16) == "exact"
    assert eq.check(network, 16).verdict == "exact"
    assert eq.check(network, 16, output="maps").verdict == "exact"
    report = eq.check(network, 16, output="invariant")
    assert report.verdict == "not equivariant"
    assert report.reason == "The output has height and width, and turns with the picture: it is not invariant."


# ---------------------------------------------------------------------------------------------- what cannot be followed

DEPENDENT: dict[str, tuple[Step, str]] = {
    "a number taken out": (lambda n, y: y / y.max().item(), "item"),
    "a branch": (lambda n, y: y if float(y.mean()) > 0 else -y, "item"),
    "a branch on a tensor": (lambda n, y: y if (y.mean() > 0) else -y, "item"),
    "NumPy": (lambda n, y: torch.from_numpy(y.detach().numpy() * 2.0), "tensor"),
    "a list": (lambda n, y: torch.tensor(y.tolist(), dtype=torch.float64), "tensor"),
}


@pytest.mark.parametrize("name", DEPENDENT)
def test_code_that_reads_the_picture_is_measured_and_named(name: str) -> None:
    step, operation = DEPENDENT[name]
    network = between(step)
    report = eq.check(network, 16)

    assert truth(network, 16, 16) == "exact"
    assert (report.verdict, report.evidence) == ("exact", "measurement alone")
    assert "as measured on 3 random pictures and not proven" in report.sentence
    assert f"{operation} at test_check.py:" in report.sentence
    assert report.not_followed[0]["operation"] == operation
    assert report.not_followed[0]["file"].endswith("test_check.py")
    assert eq.predict(network, 16).verdict == "undecided"


def test_a_branch_that_breaks_is_found_by_measurement() -> None:
    network = between(lambda n, y: y if float(y[..., 0].mean()) > float(y[..., -1].mean()) else y.roll(1, 2))

    assert truth(network, 16, 16) == "broken"
    report = eq.check(network, 16)
    assert (report.verdict in ("approximate", "not equivariant"), report.evidence) == (True, "measurement alone")


@pytest.mark.parametrize("crooked", [False, True])
def test_an_undecided_step_and_a_last_layer_without_types_are_measured_at_the_output(crooked: bool) -> None:
    def step(net: Any, maps: Tensor) -> Tensor:
        scaled = maps / maps.max().item()
        return scaled.roll(1, 3) * scaled if crooked else scaled

    network = between(step, head=lambda n, y: n.fc(y.mean((2, 3))), fc=nn.Linear(3, 5))
    report = eq.check(network, 16)

    assert truth(network, 16, 16) == ("broken" if crooked else "exact")
    assert (report.verdict == "exact") == (not crooked)
    assert report.evidence == "measurement alone" or crooked


# ----------------------------------------------------------------------------------------------------- sizes and types


def test_windows_worked_out_from_the_picture_are_judged_at_each_size() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lift, self.last = GroupConv(3, 2, lifting=True, stride=2), GroupConv(2, 3)

        def forward(self, x: Tensor) -> Tensor:
            maps = self.last(torch.relu(self.lift(x))).amax(2)
            return functional.avg_pool2d(maps, maps.shape[-2:]).flatten(1)

    network = ready(Net(), symmetric=False)
    sides = tuple(side for side in range(8, 40) if truth(network, side, side) == "exact")

    assert sides == tuple(range(9, 40, 2))
    assert eq.exact_sizes(network, 8, 39)["height"] == sides
    assert eq.check(network, 32).exact_sizes_px == {"height": (31, 33), "width": (31, 33)}
    assert eq.check(network, 33).exact_sizes_px == {"height": (31, 35), "width": (31, 35)}


def test_sizes_that_a_network_cannot_take_are_not_offered() -> None:
    network = between(lambda n, y: y, head=lambda n, y: n.pool(y).mean((2, 3)), pool=nn.AvgPool2d(14))

    assert truth(network, 28, 28) == "exact"
    assert (eq.check(network, 14).verdict, eq.check(network, 14).exact_sizes_px["height"]) == ("exact", (None, 28))
    listed = between(lambda n, y: y, head=lambda n, y: n.pool(y).flatten(1), pool=nn.AvgPool2d(14))
    assert truth(listed, 28, 28) == "broken"  # four places, which turns exchange
    assert (eq.check(listed, 14).verdict, eq.check(listed, 14).exact_sizes_px["height"]) == ("exact", (None, None))
    fixed = between(lambda n, y: n.norm(y), norm=symmetric_norm())
    assert eq.check(fixed, 16).exact_sizes_px == {"height": (None, None), "width": (None, None)}
    with pytest.raises(eq_errors(), match=r"^The network cannot take 3×15×15: "):
        eq.check(fixed, 15)


def eq_errors() -> type[Exception]:
    """Of the library's own."""
    from equivariance.errors import EquivarianceError

    return EquivarianceError


def test_a_fixed_filter_in_a_layer_that_declares_scalars_is_broken_by_its_numbers() -> None:
    class Sobel(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return functional.conv2d(x, _sobel()[:3].to(x.device), padding=1, groups=3)

    network = nn.Sequential(typed(Sobel(), scalars(3), scalars(3)), nn.AdaptiveAvgPool2d(1), nn.ReLU()).double()
    report = eq.check(network, 16, channels=3)

    assert (report.verdict, report.first_broken_layer) == ("not equivariant", "0")
    assert report.layers[0]["fields_from"] == "typed"


def test_declared_fields_are_taken_by_name_and_by_pattern() -> None:
    network = between(lambda n, y: y)
    by_name = eq.check(network, 16, fields={"lift": eq.regular("C4", 2), "last": eq.regular(C4, 3)})
    by_pattern = eq.check(network, 16, fields={"l*t": eq.regular("C4", 2)})
    sources = {layer["name"]: layer["fields_from"] for layer in by_name.layers}

    assert (by_name.verdict, by_pattern.verdict) == ("exact", "exact")
    assert sources == {"lift": "declared", "last": "declared"}


def test_plain_kernels_are_broken_whatever_the_size() -> None:
    network = ready(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3)), symmetric=False)
    report = eq.check(network, 16)

    assert truth(network, 16, 16) == "broken"
    assert (report.verdict, report.broken_layers) == ("not equivariant", ("0", "2"))


def test_weights_that_are_equivariant_to_the_rounding_of_their_precision_are_so() -> None:
    """A sum of four float32 kernels depends on their order, which a turn changes."""
    conv = nn.Conv2d(3, 4, 3, 2)
    generator = torch.Generator().manual_seed(1)
    kernel = torch.randn(4, 3, 3, 3, generator=generator)
    with torch.no_grad():
        conv.weight.copy_(sum(torch.rot90(kernel, turns, (2, 3)) for turns in range(4)) / 4)  # type: ignore[arg-type]
    network = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1))
    exact, approximate, double = eq.check(network, 9), eq.check(network, 10), eq.check(network.double(), 9)

    assert not torch.equal(conv.weight, torch.rot90(conv.weight, 1, (2, 3)))
    assert (exact.verdict, exact.evidence) == ("exact", "theory and measurement")
    assert exact.reason.endswith(", is the rounding of the weights.")
    assert 1e-10 < (exact.output_error["rot90"] or 0) < 1e-6
    assert (approximate.verdict, approximate.evidence) == ("approximate", "theory and measurement")
    assert (double.verdict, double.first_broken_layer) == ("not equivariant", "0")


def test_two_layers_that_break_alone_and_undo_each_other_are_named_together() -> None:
    """Both windows of 2 px are half a pixel off; one is padded at the top left, the other at the bottom right."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.after = nn.ZeroPad2d((1, 0, 1, 0)), nn.ZeroPad2d((0, 1, 0, 1))

        def forward(self, x: Tensor) -> Tensor:
            return self.after(self.before(x)).mean((2, 3))

    report = eq.check(Net(), 9, channels=2)

    assert truth(Net(), 9, 9, channels=2) == "exact"
    assert report.verdict == "exact"
    assert report.together == ("before", "after")
    assert report.reason.endswith("; before and after do not alone, and undo each other.")


# -------------------------------------------------------------------------------------------------------------- groups


def smoothed(group: str) -> nn.Module:
    """One convolution whose kernel is a bump, and the mean."""
    return ready(nn.Sequential(nn.Conv2d(1, 2, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1)), symmetric=True)


@pytest.mark.parametrize(
    ("group", "elements"),
    [
        ("C2", {"rot180"}),
        ("C4", {"rot90", "rot180", "rot270"}),
        ("C8", {"rot90", "rot180", "rot270"}),
        ("SO2", {"rot90", "rot180", "rot270"}),
        ("D1", {"mirror"}),
        ("D2", {"rot180", "mirror", "mirror_rot180"}),
    ],
)
def test_the_elements_of_a_group_that_move_pixels_are_decided(group: str, elements: set[str]) -> None:
    report = eq.check(smoothed(group), 11, group=group)

    assert (report.verdict, set(report.elements), report.group) == ("exact", elements, group)


@pytest.mark.parametrize("group", ["D4", "D8", "O2", "Z2"])
def test_all_turns_and_mirrors_are_decided(group: str) -> None:
    assert len(eq.check(smoothed(group), 11, group=group).elements) == 7


def test_a_mirror_is_decided_by_itself() -> None:
    network = smoothed("D1")
    kernel: Any = network.get_parameter("0.weight")
    with torch.no_grad():
        kernel += torch.linspace(0, 1, 5, dtype=torch.float64)[:, None]  # from top to bottom

    assert truth(network, 11, 11, channels=1, moves=("mirror",)) == "exact"
    assert eq.check(network, 11, group="D1").verdict == "exact"
    assert eq.check(network, 11, group="D2").elements == {
        "rot180": "broken",
        "mirror": "exact",
        "mirror_rot180": "broken",
    }


def test_a_group_without_quarter_turns_says_so_and_is_measured_with_resampling() -> None:
    report = eq.check(smoothed("C3"), 33, group="C3")

    assert (report.verdict, report.evidence) == ("undecided", "measurement alone")
    assert "C3 has no quarter turn, half turn or mirror that moves pixels to pixels" in report.sentence
    assert set(report.output_error) == {"rot120", "rot240"}
    errors = [error for error in report.output_error.values() if error is not None]
    assert f"errors are up to {max(errors):.1e}" in report.sentence
    assert 1e-6 < max(errors) < 0.3
    assert report.exact_sizes_px == {"height": (None, None), "width": (None, None)}


def test_no_sizes_are_offered_beside_a_picture_that_is_not_square_where_channels_are_not_known() -> None:
    elements = D4.elements
    kernel = drawn(1, 3, 3)

    class OneOfField(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, len(elements), 3, bias=False).double()
            self.conv.weight.data = torch.stack([move_pixels(kernel, element) for element in elements])

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x)[:, :1]

    report = eq.check(OneOfField(), (8, 13), group="D4", channels=1)

    assert report.elements["mirror"] == "broken"
    assert report.exact_sizes_px == {"height": (None, None), "width": (None, None)}
