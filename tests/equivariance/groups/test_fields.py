"""How fields mix under elements, against escnn's representations; kernels that commute, against naive means."""

import numpy as np
import pytest
import torch
from torch import Tensor

from equivariance.groups.fields import (
    FieldType,
    Harmonics,
    Regular,
    Representation,
    Scalar,
    _action,
    average_kernel,
    kernel_parts,
    move_pixels,
    regular,
    scalars,
    transformed_kernel,
)
from equivariance.groups.point_groups import C4, C8, D4, D8, SO2, Element, PointGroup
from models.steerable import SteerableKit

ANGLES_DEG = (0.0, 12.5, 45.0, 90.0, 135.7, 180.0, 270.0, 359.0)
ROUNDING = 8 * np.finfo(np.float64).eps
HARMONICS = FieldType(((Harmonics(3), 2),))
MIXED = FieldType(((Scalar(), 2), (Regular(D4), 2), (Scalar(), 1)))


def ids(value: object) -> str:
    return str(getattr(value, "name", value))


def matrix_of(field_type: FieldType, element: Element) -> Tensor:
    """The matrix of the action on all channels: columns are the images of the unit vectors."""
    return field_type.act(torch.eye(field_type.channels, dtype=torch.float64), element, dim=0)


def random_kernel(in_type: FieldType, out_type: FieldType, *, side: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(out_type.channels, in_type.channels, side, side, generator=generator, dtype=torch.float64)


def naive_average(weight: Tensor, group: PointGroup, in_type: FieldType, out_type: FieldType) -> Tensor:
    """(1/|G|) Σ_g ρ_out(g) (g moves W) ρ_in(g)ᵀ with dense matrices, over the elements that move pixels."""
    total = torch.zeros_like(weight)
    for element in group.pixel_exact_elements:
        rho_out, rho_in = matrix_of(out_type, element), matrix_of(in_type, element)
        total += torch.einsum("oa,abhw,ib->oihw", rho_out, move_pixels(weight, element), rho_in)
    return total / len(group.pixel_exact_elements)


@pytest.mark.parametrize("group", [C4, D4, C8, D8], ids=ids)
def test_action_on_regular_fields_is_escnn_s_for_every_element(group: PointGroup) -> None:
    fiber_group = SteerableKit(group).space.fibergroup
    for element, theirs in zip(group.elements, fiber_group.elements, strict=True):
        np.testing.assert_allclose(
            Regular(group).matrix(element), fiber_group.regular_representation(theirs), atol=ROUNDING
        )


@pytest.mark.parametrize("angle_deg", ANGLES_DEG)
def test_action_on_harmonics_is_escnn_s(angle_deg: float) -> None:
    kit = SteerableKit(SO2)
    (theirs,) = set(kit.hidden(4).representations)
    expected = theirs(kit.space.fibergroup.element(np.deg2rad(angle_deg)))
    np.testing.assert_allclose(Harmonics(3).matrix(Element(angle_deg)), expected, atol=ROUNDING)


@pytest.mark.parametrize("frequency", [1, 2, 3])
def test_quarter_turn_of_harmonics_has_no_rounding(frequency: int) -> None:
    matrix = Harmonics(3).matrix(Element(90.0))
    assert set(np.unique(matrix)) <= {-1.0, 0.0, 1.0}
    turned = {1: [0.0, 1.0], 2: [-1.0, 0.0], 3: [0.0, -1.0]}[frequency]  # where the cosine goes
    np.testing.assert_array_equal(matrix[2 * frequency - 1 : 2 * frequency + 1, 2 * frequency - 1], turned)


@pytest.mark.parametrize(
    ("representation", "elements"),
    [
        *[(Regular(group), group.elements) for group in (C4, D4, C8, D8)],
        (Harmonics(3), tuple(Element(angle) for angle in ANGLES_DEG)),
        (Scalar(), D8.elements),
    ],
    ids=ids,
)
def test_action_is_an_orthogonal_homomorphism(representation: Representation, elements: tuple[Element, ...]) -> None:
    matrices = {element: representation.matrix(element) for element in elements}
    identity = np.eye(representation.size)

    np.testing.assert_array_equal(matrices[Element()], identity)
    for g in elements:
        np.testing.assert_allclose(matrices[g] @ matrices[g].T, identity, atol=ROUNDING)
        for h in elements:
            np.testing.assert_allclose(representation.matrix(g.after(h)), matrices[g] @ matrices[h], atol=4 * ROUNDING)


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("element", [Element(90.0), Element(180.0, mirrored=True)], ids=ids)
def test_act_multiplies_each_field_by_its_matrix(element: Element, dim: int) -> None:
    values = torch.randn(19, 19, 19, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    blocks = [representation.matrix(element) for representation, count in MIXED.runs for _ in range(count)]
    dense = torch.block_diag(*map(torch.from_numpy, blocks))

    acted = MIXED.act(values, element, dim)

    torch.testing.assert_close(acted, torch.tensordot(dense, values.movedim(dim, 0), 1).movedim(0, dim), atol=0, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_act_on_harmonics_keeps_the_dtype_and_is_the_matrix(dtype: torch.dtype) -> None:
    values = torch.randn(2, HARMONICS.channels, 3, 3, generator=torch.Generator().manual_seed(2), dtype=dtype)
    matrix = torch.from_numpy(Harmonics(3).matrix(Element(33.0))).to(dtype)

    acted = HARMONICS.act(values, Element(33.0))

    expected = torch.einsum("ij,bfjhw->bfihw", matrix, values.unflatten(1, (2, 7))).flatten(1, 2)
    assert acted.dtype == dtype
    torch.testing.assert_close(acted, expected, atol=16 * torch.finfo(dtype).eps, rtol=0)


@pytest.mark.parametrize("field_type", [regular(D4, 3), MIXED], ids=["regular", "mixed"])
def test_act_composes_and_is_undone_by_the_inverse(field_type: FieldType) -> None:
    values = torch.randn(2, field_type.channels, generator=torch.Generator().manual_seed(3))
    for g in D4.elements:
        assert torch.equal(field_type.act(field_type.act(values, g), g.inverse), values)
        for h in D4.elements:
            assert torch.equal(field_type.act(field_type.act(values, h), g), field_type.act(values, g.after(h)))


def test_known_channel_of_a_regular_field_moves_to_the_product() -> None:
    values = torch.arange(8.0)[None]  # channel h holds h
    acted = regular(D4, 1).act(values, Element(90.0))
    assert acted.tolist() == [[3, 0, 1, 2, 7, 4, 5, 6]]


@pytest.mark.parametrize(
    ("field_type", "element"),
    [
        (regular(C4, 2), Element(45.0)),
        (regular(C4, 2), Element(mirrored=True)),
        (regular(D4, 1), Element(45.0, mirrored=True)),
        (regular(C8, 1), Element(30.0)),
        (HARMONICS, Element(mirrored=True)),
        (MIXED, Element(45.0)),
    ],
    ids=ids,
)
def test_element_outside_the_group_has_no_action(field_type: FieldType, element: Element) -> None:
    assert not field_type.has_action(element)
    with pytest.raises(ValueError, match=f"{element.name} has no action on"):
        field_type.act(torch.zeros(1, field_type.channels), element)


def test_scalars_stay_as_they_are_under_every_element() -> None:
    values = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(4))
    for element in (Element(45.0), Element(90.0), Element(10.0, mirrored=True)):
        assert scalars(3).has_action(element)
        assert torch.equal(scalars(3).act(values, element), values)


@pytest.mark.parametrize("channels", [7, 9, 16])
def test_wrong_number_of_channels_is_refused(channels: int) -> None:
    with pytest.raises(ValueError, match=f"{channels} channels given to a type of 8"):
        regular(D4, 1).act(torch.zeros(1, channels, 2, 2), Element(90.0))


def test_channels_and_fields_are_counted_in_order() -> None:
    assert (MIXED.channels, MIXED.fields) == (19, 5)
    assert MIXED.field_channels() == [range(1), range(1, 2), range(2, 10), range(10, 18), range(18, 19)]
    assert scalars(3).is_scalar and not MIXED.is_scalar and not HARMONICS.is_scalar


KERNELS = {
    "scalars to regular C4": (C4, scalars(2), regular(C4, 2)),
    "regular C4": (C4, regular(C4, 2), regular(C4, 1)),
    "regular D4": (D4, regular(D4, 1), regular(D4, 2)),
    "mixed D4": (D4, MIXED, regular(D4, 1)),
    "regular C8": (C8, regular(C8, 1), regular(C8, 1)),
    "regular D8": (D8, regular(D8, 1), scalars(2)),
    "harmonics": (SO2, HARMONICS, HARMONICS),
}


@pytest.mark.parametrize("side", [3, 4])
@pytest.mark.parametrize("name", KERNELS)
def test_average_kernel_is_the_mean_over_all_elements_that_move_pixels(name: str, side: int) -> None:
    group, in_type, out_type = KERNELS[name]
    weight = random_kernel(in_type, out_type, side=side)
    averaged = average_kernel(weight, group, in_type=in_type, out_type=out_type)
    torch.testing.assert_close(averaged, naive_average(weight, group, in_type, out_type), atol=8 * ROUNDING, rtol=0)


def test_kernel_of_many_fields_is_averaged_part_by_part_in_float64() -> None:
    out_type = FieldType(((Scalar(), 3), (Regular(C4), 40), (Scalar(), 70)))
    weight = random_kernel(regular(C4, 2), out_type).float()
    parts = list(kernel_parts(out_type))

    assert len(parts) > 4 and [fields.channels for _, fields in parts] == [rows.stop - rows.start for rows, _ in parts]
    assert torch.equal(torch.cat([weight[rows] for rows, _ in parts]), weight)
    averaged = average_kernel(weight, C4, in_type=regular(C4, 2), out_type=out_type)
    expected = naive_average(weight.double(), C4, regular(C4, 2), out_type)
    torch.testing.assert_close(averaged, expected, atol=8 * ROUNDING, rtol=0)


@pytest.mark.parametrize("name", KERNELS)
def test_average_kernel_equals_its_transform_by_every_element_and_its_own_average(name: str) -> None:
    group, in_type, out_type = KERNELS[name]
    weight = random_kernel(in_type, out_type)
    averaged = average_kernel(weight, group, in_type=in_type, out_type=out_type)

    again = average_kernel(averaged, group, in_type=in_type, out_type=out_type)
    torch.testing.assert_close(again, averaged, atol=ROUNDING, rtol=0)
    for element in group.pixel_exact_elements:
        moved = transformed_kernel(averaged, element, in_type=in_type, out_type=out_type)
        torch.testing.assert_close(moved, averaged, atol=ROUNDING, rtol=0)


@pytest.mark.parametrize("name", KERNELS)
def test_random_kernel_differs_from_its_transforms(name: str) -> None:
    group, in_type, out_type = KERNELS[name]
    weight = random_kernel(in_type, out_type)
    for element in group.pixel_exact_elements[1:]:
        moved = transformed_kernel(weight, element, in_type=in_type, out_type=out_type)
        assert (moved - weight).norm() > 0.1 * weight.norm()


def test_transformed_kernel_is_the_action_on_both_sides_of_a_convolution() -> None:
    in_type, out_type = regular(D4, 1), regular(D4, 1)
    weight = random_kernel(in_type, out_type)
    features = torch.randn(1, 8, 7, 7, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    conv = torch.nn.functional.conv2d
    for g in D4.elements:
        # ρ_out(g) L(ρ_in(g)⁻¹ h) is the layer with the transformed kernel
        back = in_type.act(move_pixels(features, g.inverse), g.inverse)
        around = out_type.act(move_pixels(conv(back, weight), g), g)
        moved = transformed_kernel(weight, g, in_type=in_type, out_type=out_type)
        torch.testing.assert_close(conv(features, moved), around, atol=1e3 * ROUNDING, rtol=0)


@pytest.mark.parametrize(
    ("field_type", "element"), [(regular(C8, 1), Element(45.0)), (HARMONICS, Element(33.0))], ids=["order", "matrix"]
)
def test_an_action_first_used_in_inference_mode_lets_gradients_through_later(
    field_type: FieldType, element: Element
) -> None:
    _action.cache_clear()
    with torch.inference_mode():
        field_type.act(torch.zeros(1, field_type.channels, 1, 1), element)
    values = torch.zeros(1, field_type.channels, 1, 1, requires_grad=True)

    field_type.act(values, element).sum().backward()

    assert values.grad is not None
