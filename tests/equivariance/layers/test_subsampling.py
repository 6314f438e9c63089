"""Symmetric subsampling: exact for every stack and size, the same weights and sides; and the published alternative."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from equivariance.groups.fields import FieldType, average_kernel, move_pixels, regular, scalars
from equivariance.groups.point_groups import C4, D4, PointGroup
from equivariance.layers.export import layers_of
from equivariance.layers.plain import FieldMaxPool2d, typed
from equivariance.layers.subsampling import Centred, antialiased, symmetric, with_larger_kernels
from equivariance.layers.windows import AxisWindow, Centring

ROUNDING, BROKEN = 1e-10, 1e-4  # relative, float64
DRAWN = settings(
    max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


# ------------------------------------------------------------------------------------------------------- one layer


@pytest.mark.parametrize(
    ("window", "side", "centring"),
    [
        (AxisWindow("conv", 3, 2, pad=1), 33, Centring(averages=False, pad=1)),  # exact as published: nothing changes
        (AxisWindow("conv", 3, 2, pad=1), 32, Centring(averages=True, pad=1)),  # 31 pixels and one on each side: 33
        (AxisWindow("conv", 1, 2), 32, Centring(averages=True, pad=0)),
        (AxisWindow("conv", 1, 2), 33, Centring(averages=False, pad=0)),
        (AxisWindow("max", 2, 2), 33, Centring(averages=True, pad=0)),
        (AxisWindow("conv", 3, 4), 9, Centring(averages=False, pad=-1)),  # 7 of 9 pixels are covered
        (AxisWindow("max", 2, 2, ceil_mode=True), 5, Centring(averages=True, pad=1)),  # 4 means, two more make 6
        (AxisWindow("conv", 1, extra_pad=1), 4, Centring(averages=True, pad=1)),
        (AxisWindow("conv", 2, 2, pad=1), 1, Centring(averages=True, pad=0)),  # one pixel becomes two
    ],
)
def test_centring_is_what_the_formula_says(window: AxisWindow, side: int, centring: Centring) -> None:
    assert window.centring(side) == centring


def test_known_pixels_are_averaged_before_they_are_sampled() -> None:
    pool = symmetric(nn.MaxPool2d(2, 2))
    picture = torch.arange(25.0).reshape(1, 1, 5, 5)
    # the means of 2×2 pixels are 3 + column + 5 row; the maxima of 2×2 of these are at odd rows and columns
    assert torch.equal(pool(picture), torch.tensor([[[[9.0, 11.0], [19.0, 21.0]]]]))


@pytest.mark.parametrize(("kernel_size", "pad"), [(3, 1), (1, 0), (2, 0)])
def test_larger_kernel_is_the_mean_folded_into_the_weights(kernel_size: int, pad: int) -> None:
    conv = nn.Conv2d(2, 3, kernel_size, 2, pad, dtype=torch.float64)
    side = 32 if kernel_size % 2 else 33
    picture = torch.randn(1, 2, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    folded = sum(functional.pad(conv.weight, (right, 1 - right, down, 1 - down)) for right in (0, 1) for down in (0, 1))
    by_hand = functional.conv2d(picture, folded / 4, conv.bias, stride=2, padding=pad)

    larger = with_larger_kernels(conv)
    assert by_hand.shape == conv(picture).shape
    torch.testing.assert_close(larger(picture), by_hand, rtol=0, atol=1e-12)
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    torch.testing.assert_close(larger(picture)[inner], symmetric(conv)(picture)[inner], rtol=0, atol=1e-12)


def test_larger_max_pool_takes_the_largest_of_one_pixel_more() -> None:
    picture = torch.randn(1, 2, 33, 33, generator=torch.Generator().manual_seed(0))

    assert torch.equal(with_larger_kernels(nn.MaxPool2d(2, 2))(picture), functional.max_pool2d(picture, 3, 2))


def test_padding_of_a_max_pool_never_wins() -> None:
    whole = torch.randint(-100, 0, (1, 2, 32, 32), generator=torch.Generator().manual_seed(0))
    picture = whole.double()  # so that sums and quarters are exact
    means = functional.avg_pool2d(picture, 2, 1)  # 31 a side

    assert torch.equal(symmetric(nn.MaxPool2d(3, 2, 1))(picture), functional.max_pool2d(means, 3, 2, 1))


@pytest.mark.parametrize(
    ("layer", "value"),
    [
        (nn.Conv2d(1, 1, 2, 2, 1, bias=False), 8.0),  # of ones
        (nn.AvgPool2d(2, 2, 1), 2.0),
        (nn.AvgPool2d(2, 2, 1, count_include_pad=False), 8.0),
        (nn.MaxPool2d(2, 2, 1), 8.0),
    ],
    ids=["conv", "padded mean", "mean", "max"],
)
def test_one_pixel_stands_beside_zeros_where_padding_counts_and_beside_itself_elsewhere(
    layer: nn.Module, value: float
) -> None:
    """Of 2×2 means between the pixel and what lies outside, the window takes the sum, the mean or the largest."""
    if isinstance(layer, nn.Conv2d):
        nn.init.ones_(layer.weight)
    assert symmetric(layer)(torch.full((1, 1, 1, 1), 8.0)).flatten().tolist() == [value]


@pytest.mark.parametrize("stride", [2, (2, 2), (2, 3)])
def test_antialiased_pool_is_blurred_by_the_binomial_filter_before_it_is_sampled(
    stride: int | tuple[int, int],
) -> None:
    picture = torch.randn(1, 2, 13, 14, generator=torch.Generator().manual_seed(0))
    taps = torch.tensor([1.0, 2.0, 1.0]) / 4
    blurred = functional.conv2d(
        functional.max_pool2d(picture, 2, 1), (taps[:, None] * taps).expand(2, 1, 3, 3), padding=1, groups=2
    )
    down, right = (stride, stride) if isinstance(stride, int) else stride

    torch.testing.assert_close(antialiased(nn.MaxPool2d(2, stride))(picture), blurred[:, :, ::down, ::right])


def test_layer_that_is_centred_anyway_gives_the_same_bits() -> None:
    conv = nn.Conv2d(2, 3, 3, 2, 1)
    picture = torch.randn(1, 2, 33, 33, generator=torch.Generator().manual_seed(0))
    assert torch.equal(symmetric(conv)(picture), conv(picture))


@pytest.mark.parametrize(
    "layer",
    [nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 1), nn.MaxPool2d(3, 1, 1), nn.ReLU(), nn.ZeroPad2d(2)],
    ids=str,
)
def test_layer_without_stride_stays_what_it_is(layer: nn.Module) -> None:
    assert type(symmetric(layer)) is type(layer)


def test_changed_layer_is_still_one_of_its_kind_with_its_weights_and_their_names() -> None:
    conv = nn.Conv2d(2, 3, 3, 2, 1)
    for changed in (symmetric(conv), antialiased(conv), with_larger_kernels(conv)):
        assert isinstance(changed, nn.Conv2d) and type(changed).__name__ == "Conv2d"
        assert all(torch.equal(value, conv.state_dict()[name]) for name, value in changed.state_dict().items())
    assert type(conv) is nn.Conv2d and conv.padding == (1, 1)


@pytest.mark.parametrize("change", [symmetric, antialiased, with_larger_kernels])
def test_network_is_copied_unless_it_is_to_be_changed_in_place(change: Callable[..., nn.Sequential]) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3, 2, 1), nn.ReLU())
    picture = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    published, changed = network(picture), change(network)(picture)

    assert torch.equal(network(picture), published) and not torch.equal(changed, published)
    assert change(network, in_place=True) is network
    assert torch.equal(network(picture), changed)


def test_only_the_layers_that_are_named_change() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 3, 2), nn.ReLU(), nn.Conv2d(1, 1, 3, 2))
    assert [isinstance(layer, Centred) for layer in symmetric(network, only=["2"])] == [False, False, True]


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_of_other_kinds_is_centred_too(mode: str) -> None:
    conv = nn.Conv2d(1, 1, 3, 2, 1, padding_mode=mode, dtype=torch.float64)
    conv.requires_grad_(requires_grad=False)
    conv.weight.copy_((conv.weight + conv.weight.flip(-1)) / 2)
    picture = torch.randn(1, 1, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    published, mended = (
        float((layer(picture.flip(-1)) - layer(picture).flip(-1)).norm() / layer(picture).norm())
        for layer in (conv, symmetric(conv))
    )
    assert mended < ROUNDING and published > BROKEN


# -------------------------------------------------------------------------------------------------- random stacks


@dataclass(frozen=True)
class Plan:
    """A layer to make: kind, kernel, stride, padding before and after for height and width, dilation, ceil mode."""

    kind: str
    kernel: int
    stride: int
    pads: tuple[int, int]
    dilation: int
    ceil_mode: bool
    seed: int

    def layers(self, in_type: FieldType, out_type: FieldType) -> Iterator[nn.Module]:
        """One-sided padding is a layer of its own, as torch has it."""
        before, after = self.pads
        if before != after:
            yield typed(nn.ZeroPad2d((before, after, before, after)), in_type, in_type)
        pad = before if before == after else 0
        if self.kind == "conv":
            yield self._conv(in_type, out_type, pad)
        elif self.kind == "mean":
            yield typed(
                nn.AvgPool2d(self.kernel, self.stride, min(pad, self.kernel // 2), self.ceil_mode), in_type, in_type
            )
        elif self.kind == "real mean":
            pad = min(pad, self.kernel // 2)
            yield typed(
                nn.AvgPool2d(self.kernel, self.stride, pad, self.ceil_mode, count_include_pad=False), in_type, in_type
            )
        elif self.kind == "longest":
            size = in_type.channels // in_type.fields
            yield typed(FieldMaxPool2d(size, self.kernel, self.stride, min(pad, self.kernel // 2)), in_type, in_type)
        else:
            pad = min(pad, self.kernel // 2)
            yield typed(
                nn.MaxPool2d(self.kernel, self.stride, pad, self.dilation, ceil_mode=self.ceil_mode), in_type, in_type
            )

    def _conv(self, in_type: FieldType, out_type: FieldType, pad: int) -> nn.Module:
        """Full filters, averaged over the group."""
        conv = nn.Conv2d(
            in_type.channels, out_type.channels, self.kernel, self.stride, pad, self.dilation, dtype=torch.float64
        )
        generator = torch.Generator().manual_seed(self.seed)
        kernel = torch.randn(conv.weight.shape, generator=generator, dtype=torch.float64)
        group = out_type.runs[0][0].group  # type: ignore[attr-defined]  # regular fields
        with torch.no_grad():
            conv.weight.copy_(average_kernel(kernel, group, in_type=in_type, out_type=out_type))
            conv.bias.zero_()
        return typed(conv, in_type, out_type)


plans = st.builds(
    Plan,
    kind=st.sampled_from(["conv", "conv", "conv", "max", "mean", "real mean", "longest"]),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 4),
    pads=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.integers(1, 2),
    ceil_mode=st.booleans(),
    seed=st.integers(0, 99),
)


def stack(plan: list[Plan], group: PointGroup) -> nn.Sequential:
    """A first convolution from the picture, then the layers of the plan, with ReLUs between."""
    fields = regular(group, 2)
    first = Plan("conv", 3, 1, (1, 1), 1, False, 0)
    layers = list(first.layers(scalars(1), fields))
    for each in plan:
        layers += [typed(nn.ReLU(), fields, fields), *each.layers(fields, fields)]
    return nn.Sequential(*layers).double().eval()


def sides(network: nn.Module, picture: Tensor) -> list[torch.Size]:
    """The shape of every layer's output."""
    shapes = []
    handles = [
        layer.register_forward_hook(lambda module, inputs, output: shapes.append(output.shape))
        for _, layer in layers_of(network)
    ]
    network(picture)
    for handle in handles:
        handle.remove()
    return shapes


@torch.no_grad()
def largest_error(network: nn.Sequential, picture: Tensor, group: PointGroup) -> float | None:
    """Over all elements, relative; None where the output is zero or not finite."""
    upright, fields = network(picture), network[-1].out_type
    if not upright.isfinite().all() or float(upright.norm()) == 0:
        return None
    errors = []
    for element in group.elements[1:]:
        expected = move_pixels(fields.act(upright, element), element)
        turned = network(move_pixels(picture, element))
        errors.append(float((turned - expected).norm() / expected.norm()) if turned.shape == expected.shape else 1.0)
    return max(errors)


@DRAWN
@given(
    plan=st.lists(plans, min_size=1, max_size=4),
    group=st.sampled_from([C4, D4]),
    height_px=st.integers(4, 40),
    width_px=st.integers(4, 40),
    seed=st.integers(0, 99),
)
def test_any_stack_is_exact_once_mended_with_the_same_sides(
    plan: list[Plan], group: PointGroup, height_px: int, width_px: int, seed: int
) -> None:
    published = stack(plan, group)
    picture = torch.randn(1, 1, height_px, width_px, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    try:
        shapes = sides(published, picture)
    except RuntimeError:
        event("skipped: the published stack does not take this size")
        return

    mended = symmetric(published), with_larger_kernels(published)

    assert all(sides(each, picture) == shapes for each in mended)
    errors = [largest_error(each, picture, group) for each in mended]
    if None in errors:
        event("skipped: the output is zero or not finite")
        return
    event("broken as published" if (largest_error(published, picture, group) or 0) > BROKEN else "exact as published")
    assert all(error is not None and error < ROUNDING for error in errors)
