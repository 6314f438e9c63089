"""Full-filter group convolutions and their normalization, against naive loops and torch's own layers."""

import math

import pytest
import torch
from torch import Tensor, nn

from equivariance.groups.fields import FieldType, Harmonics, move_pixels, regular, scalars
from equivariance.groups.point_groups import C4, C8, D4, SO2, PointGroup
from equivariance.layers.group_conv import FieldNorm2d, GroupConv2d

GROUPS = (C4, D4)
DTYPES = (torch.float32, torch.float64)


def ids(value: object) -> str:
    return str(getattr(value, "name", value)).removeprefix("torch.")


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def conv_of(group: PointGroup, in_type: FieldType, fields: int = 2, **options: int) -> GroupConv2d:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        conv = GroupConv2d(in_type, regular(group, fields), options.pop("kernel_size", 3), **options)
        nn.init.normal_(conv.bias)
    return conv


def transformed(features: Tensor, field_type: FieldType, element: object) -> Tensor:
    return field_type.act(move_pixels(features, element), element)


@torch.no_grad()
def commutation_error(
    layer: nn.Module, features: Tensor, in_type: FieldType, out_type: FieldType, element: object
) -> float:
    """Largest difference of L(g·h) and g·L(h), in units of the output's largest value."""
    upright = layer(features)
    difference = layer(transformed(features, in_type, element)) - transformed(upright, out_type, element)
    return float(difference.abs().max() / upright.abs().max())


def naive_kernel(conv: GroupConv2d) -> Tensor:
    """Cohen and Welling (2016), equations 10 and 11, entry by entry, with pixels as coordinates about the centre.

    out(g) = Σ_h Σ_y f_h(y) ψ(g⁻¹(y, h)): the value of the base filter at the pixel and element that g takes to (y, h).
    """
    group, k = conv.group, conv.kernel_size
    outs, ins, in_elements = conv.weight.shape[:3]
    kernel = torch.zeros(outs * group.order, ins * in_elements, k, k, dtype=conv.weight.dtype)
    for u, g in enumerate(group.elements):
        for h in range(in_elements):
            source = group.index(g.inverse.after(group.elements[h])) if in_elements > 1 else 0
            for row in range(k):
                for column in range(k):
                    x, y = column - (k - 1) / 2, (k - 1) / 2 - row  # x right, y up
                    angle = math.radians(-g.angle_deg)  # g⁻¹: first turn back, then mirror
                    x, y = math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y
                    x = -x if g.mirrored else x
                    at = round((k - 1) / 2 - y), round(x + (k - 1) / 2)
                    for out in range(outs):
                        for each in range(ins):
                            value = conv.weight[out, each, source, at[0], at[1]]
                            kernel[out * group.order + u, each * in_elements + h, row, column] = value
    return kernel


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4])
@pytest.mark.parametrize("lifting", [True, False], ids=["lifting", "regular"])
@pytest.mark.parametrize("group", GROUPS, ids=ids)
def test_kernel_is_cohen_and_welling_s(group: PointGroup, lifting: bool, kernel_size: int) -> None:
    conv = conv_of(group, scalars(2) if lifting else regular(group, 2), kernel_size=kernel_size)
    assert torch.equal(conv.kernel(), naive_kernel(conv))


def test_options_not_given_are_those_of_a_plain_convolution() -> None:
    features = drawn(1, 3, 9, 10)
    conv = GroupConv2d(scalars(3), regular(C4, 2), 3).double()

    assert conv(features).shape == nn.Conv2d(3, 8, 3).double()(features).shape
    assert conv.bias is not None


@pytest.mark.parametrize("dtype", DTYPES, ids=ids)
@pytest.mark.parametrize(
    ("options", "side"),
    [
        ({"padding": 1}, 8),
        ({"stride": 2, "padding": 1}, 9),
        ({"kernel_size": 7, "stride": 2, "padding": 3}, 9),
        ({"kernel_size": 4, "stride": 2}, 8),
        ({"padding": 2, "dilation": 2}, 8),
    ],
    ids=str,
)
@pytest.mark.parametrize("lifting", [True, False], ids=["lifting", "regular"])
@pytest.mark.parametrize("group", GROUPS, ids=ids)
def test_convolution_commutes_with_every_element(
    group: PointGroup, lifting: bool, options: dict[str, int], side: int, dtype: torch.dtype
) -> None:
    in_type = scalars(3) if lifting else regular(group, 2)
    conv = conv_of(group, in_type, **options).to(dtype)
    features = drawn(2, in_type.channels, side, side, dtype=dtype)
    for element in group.elements:
        error = commutation_error(conv, features, in_type, conv.out_type, element)
        assert error < 32 * torch.finfo(dtype).eps, element.name


@pytest.mark.parametrize("group", GROUPS, ids=ids)
def test_stride_two_on_an_even_side_commutes_with_no_element_that_reverses_an_axis(group: PointGroup) -> None:
    conv = conv_of(group, scalars(3), stride=2, padding=1).double()
    features = drawn(2, 3, 8, 8)
    errors = {e: commutation_error(conv, features, scalars(3), conv.out_type, e) for e in group.elements}
    for element, error in errors.items():  # a transposition alone survives
        assert error > 1e-2 if any(element.reversed_axes) else error < 1e-14, element.name


def test_kernel_turned_the_wrong_way_does_not_commute() -> None:
    conv = conv_of(C4, scalars(3), padding=1).double()
    wrong = nn.Conv2d(3, 8, 3, padding=1, dtype=torch.float64)
    kernel = conv.kernel().unflatten(0, (2, 4))
    wrong.weight = nn.Parameter(kernel[:, [0, 3, 2, 1]].flatten(0, 1))  # clockwise
    assert commutation_error(wrong, drawn(1, 3, 8, 8), scalars(3), conv.out_type, C4.elements[1]) > 1e-1


def test_convolution_is_a_planar_one_with_its_kernel_and_the_bias_of_each_field() -> None:
    conv = conv_of(D4, regular(D4, 2), stride=2, padding=1)
    features = drawn(2, 16, 9, 9, dtype=torch.float32)
    bias = torch.tensor([b for b in conv.bias.tolist() for _ in range(8)])
    expected = nn.functional.conv2d(features, naive_kernel(conv), bias, stride=2, padding=1)
    torch.testing.assert_close(conv(features), expected, atol=0, rtol=0)


@pytest.mark.parametrize("lifting", [True, False], ids=["lifting", "regular"])
def test_gradient_of_the_weight_gathers_all_copies(lifting: bool) -> None:
    conv = conv_of(C4, scalars(1) if lifting else regular(C4, 1), fields=1)
    conv.kernel().sum().backward()
    assert torch.equal(conv.weight.grad, torch.full_like(conv.weight, 4.0))  # each weight is there once per element


def test_gradients_are_those_of_finite_differences() -> None:
    conv = conv_of(D4, regular(D4, 1), fields=1, stride=2, padding=1).double()
    features = drawn(1, 8, 5, 5).requires_grad_()

    def output(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.func.functional_call(conv, {"weight": weight, "bias": bias}, features)

    assert torch.autograd.gradcheck(output, (features, conv.weight, conv.bias), fast_mode=True)


@pytest.mark.parametrize(
    ("group", "in_type", "fields", "kernel_size", "bias", "parameters"),
    [
        (C4, scalars(3), 10, 3, True, 3 * 10 * 9 + 10),
        (C4, regular(C4, 10), 10, 3, True, 10 * 10 * 4 * 9 + 10),
        (C4, regular(C4, 10), 10, 4, False, 10 * 10 * 4 * 16),
        (D4, regular(D4, 2), 3, 3, False, 2 * 3 * 8 * 9),
    ],
)
def test_every_pair_of_fields_and_relative_element_has_a_free_filter(
    group: PointGroup, in_type: FieldType, fields: int, kernel_size: int, bias: bool, parameters: int
) -> None:
    conv = GroupConv2d(in_type, regular(group, fields), kernel_size, bias=bias)
    assert sum(p.numel() for p in conv.parameters()) == parameters
    assert (conv.planar_bias() is not None) == bias


def test_weights_have_he_s_variance() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        conv = GroupConv2d(regular(C4, 20), regular(C4, 20), 3)
    expected = math.sqrt(2 / (20 * 4 * 9))
    assert float(conv.weight.detach().std()) == pytest.approx(
        expected, rel=4 / math.sqrt(2 * conv.weight.numel())
    )  # 4 σ
    assert not conv.bias.any()


@pytest.mark.parametrize(
    "out_type",
    [
        scalars(4),
        regular(C8, 1),
        FieldType(((Harmonics(1), 2),)),
        FieldType((*regular(C4, 1).runs, *scalars(1).runs)),
        FieldType((*regular(C4, 1).runs, *regular(D4, 1).runs)),
    ],
    ids=["scalars", "C8", "harmonics", "mixed", "two groups"],
)
def test_types_without_full_filters_are_refused(out_type: FieldType) -> None:
    with pytest.raises(ValueError, match="full filters need regular fields of a group that moves pixels"):
        GroupConv2d(scalars(3), out_type, 3)


@pytest.mark.parametrize(
    "in_type",
    [
        regular(D4, 1),
        regular(C8, 2),
        FieldType(((Harmonics(3), 1),)),
        FieldType((*regular(C4, 1).runs, *scalars(1).runs)),
    ],
    ids=["D4", "C8", "harmonics", "mixed"],
)
def test_input_that_is_neither_scalar_nor_regular_of_the_same_group_is_refused(in_type: FieldType) -> None:
    with pytest.raises(ValueError, match="full filters"):
        GroupConv2d(in_type, regular(C4, 1), 3)


def test_so2_is_refused_with_its_own_sentence() -> None:
    with pytest.raises(ValueError, match="no list of elements"):
        GroupConv2d(scalars(1), regular(SO2, 1), 3)


@pytest.mark.parametrize("training", [True, False])
def test_norm_is_batch_norm_over_fields_in_three_dimensions(training: bool) -> None:
    ours, theirs = FieldNorm2d(regular(D4, 3)), nn.BatchNorm3d(3)
    for norm in (ours, theirs):
        norm.train(training)
        norm.load_state_dict(
            {
                "weight": drawn(3, seed=1).float(),
                "bias": drawn(3, seed=2).float(),
                "running_mean": drawn(3, seed=3).float(),
                "running_var": drawn(3, seed=4).exp().float(),
                "num_batches_tracked": torch.tensor(5),
            }
        )
    features = drawn(4, 24, 5, 5, dtype=torch.float32)

    normed, expected = ours(features), theirs(features.reshape(4, 3, 8, 5, 5)).reshape(4, 24, 5, 5)

    torch.testing.assert_close(normed, expected, atol=0, rtol=0)
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value), name


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("group", GROUPS, ids=ids)
def test_norm_and_its_statistics_commute_with_every_element(group: PointGroup, training: bool) -> None:
    field_type = regular(group, 2)
    features = drawn(3, field_type.channels, 6, 6, seed=5) + drawn(1, field_type.channels, 1, 1, seed=6)
    upright = FieldNorm2d(field_type).double().train(training)
    upright(features)
    for element in group.elements:
        norm = FieldNorm2d(field_type).double().train(training)
        assert commutation_error(FieldNorm2d(field_type).double(), features, field_type, field_type, element) < 1e-14
        norm(transformed(features, field_type, element))
        torch.testing.assert_close(norm.running_mean, upright.running_mean, atol=1e-15, rtol=0)
        torch.testing.assert_close(norm.running_var, upright.running_var, atol=1e-14, rtol=0)


def test_norm_of_each_channel_alone_does_not_commute() -> None:
    field_type = regular(C4, 2)
    features = drawn(3, 8, 6, 6, seed=5) + drawn(1, 8, 1, 1, seed=6)
    norm = nn.BatchNorm2d(8, dtype=torch.float64)
    norm(features)
    assert commutation_error(norm.eval(), features, field_type, field_type, C4.elements[1]) > 1e-2
