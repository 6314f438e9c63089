"""Transforms of pictures and fields: known pixels, identities, inverses, compositions, and escnn's own transform."""

import math

import pytest
import torch
from torch import Tensor

from equivariance.errors import TransformError
from equivariance.groups import acting as symmetry
from equivariance.groups.acting import disc_mask, transform_fields, transform_picture
from equivariance.groups.fields import FieldType, Harmonics, Regular, Scalar, regular, scalars
from equivariance.groups.point_groups import C4, C8, D4, D8, IDENTITY, SO2, Element, PointGroup
from equivariance.groups.transforms import Shift, parse
from models.steerable import SteerableKit, escnn_nn

GROUPS = (C4, D4, C8, D8)
EPS32, EPS64 = torch.finfo(torch.float32).eps, torch.finfo(torch.float64).eps


def ids(value: object) -> str:
    return str(getattr(value, "name", value))


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def lit(height: int, width: int, at: tuple[int, int], *, dtype: torch.dtype = torch.float64) -> Tensor:
    """(1, H, W): black but for one white pixel."""
    picture = torch.zeros(1, height, width, dtype=dtype)
    picture[0, *at] = 1.0
    return picture


def smooth(side: int) -> Tensor:
    """(1, side, side): a bump away from the centre that bilinear interpolation reproduces well; 0 at the border."""
    at = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    y, x = at[:, None] / side, at[None, :] / side
    return torch.exp(-((x - 0.12) ** 2 + (y + 0.08) ** 2) / 0.015)[None] * (1 + x)


@pytest.mark.parametrize(
    ("name", "row_column"),
    [  # of the pixel at row 0, column 1 of a 3×4 picture
        ("identity", (0, 1)),
        ("rot90", (2, 0)),  # counterclockwise: the top goes to the left
        ("rot180", (2, 2)),
        ("rot270", (1, 2)),
        ("mirror", (0, 2)),
        ("mirror_rot90", (1, 0)),
        ("mirror_rot180", (2, 1)),
        ("mirror_rot270", (2, 2)),
        ("shift_1_2", (1, 3)),
        ("shift_2_-1", (2, 0)),
        ("shift_0_0", (0, 1)),
    ],
)
def test_known_pixel_moves_where_it_should(name: str, row_column: tuple[int, int]) -> None:
    moved = transform_picture(lit(3, 4, at=(0, 1)), parse(name))
    assert [tuple(at) for at in moved[0].nonzero().tolist()] == [row_column]
    assert moved[0, *row_column] == 1.0


def bilinear(at: tuple[float, float], height: int, width: int) -> Tensor:
    """The picture of a unit of light at fractional row and column under bilinear weights."""
    rows = torch.arange(height, dtype=torch.float64)[:, None]
    columns = torch.arange(width, dtype=torch.float64)[None, :]
    return ((1 - (rows - at[0]).abs()).clamp(min=0) * (1 - (columns - at[1]).abs()).clamp(min=0))[None]


@pytest.mark.parametrize(("height", "width"), [(9, 9), (8, 8), (7, 11), (12, 8)])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle_deg", [45.0, 30.0, 200.5])
def test_angle_samples_each_pixel_where_it_comes_from(
    angle_deg: float, mirrored: bool, height: int, width: int
) -> None:
    """Against sampling written out for one target pixel at a time, about the centre, counterclockwise."""
    picture = drawn(1, height, width)
    angle = math.radians(angle_deg)

    moved = transform_picture(picture, Element(angle_deg, mirrored))

    for row in range(height):
        for column in range(width):
            x, y = column - (width - 1) / 2, (height - 1) / 2 - row  # x right, y up
            x, y = math.cos(angle) * x + math.sin(angle) * y, -math.sin(angle) * x + math.cos(angle) * y
            x = -x if mirrored else x
            source = ((height - 1) / 2 - y, x + (width - 1) / 2)
            expected = (bilinear(source, height, width) * picture).sum()
            assert float(moved[0, row, column]) == pytest.approx(float(expected), abs=1e3 * EPS64)


def test_eighth_of_a_turn_moves_a_pixel_counterclockwise() -> None:
    moved = transform_picture(lit(9, 9, at=(4, 8)), Element(45.0))  # from the right …
    row, column = (moved[0] == moved.max()).nonzero()[0].tolist()
    assert (row, column) == (1, 7)  # … to the upper right: 4 ∓ 4/√2 is 1.17 and 6.83
    # there (3, 3) from the centre comes from (√18, 0): between the columns 4 + 4 = 8 and 9, outside
    assert float(moved[0, 1, 7]) == pytest.approx(1 - (math.sqrt(18) - 4), abs=1e3 * EPS64)


@pytest.mark.parametrize("transform", [IDENTITY, Shift(0, 0)], ids=ids)
def test_zero_is_the_identity(transform: object) -> None:
    picture = drawn(3, 6, 7)
    assert torch.equal(transform_picture(picture, transform), picture)


def test_resampling_by_zero_is_the_identity() -> None:
    picture = drawn(3, 6, 7)
    torch.testing.assert_close(symmetry._move(picture, Element(1e-9)), picture, atol=1e-8, rtol=0)


@pytest.mark.parametrize("element", D4.elements, ids=ids)
def test_inverse_undoes_an_element_of_d4_exactly(element: Element) -> None:
    picture = drawn(3, 6, 7)
    assert torch.equal(transform_picture(transform_picture(picture, element), element.inverse), picture)


@pytest.mark.parametrize("shift", [Shift(1, 2), Shift(-2, 1), Shift(0, -3)], ids=ids)
def test_opposite_shift_undoes_a_shift_where_nothing_left_the_picture(shift: Shift) -> None:
    picture = drawn(3, 6, 7)
    back = transform_picture(transform_picture(picture, shift), Shift(-shift.down_px, -shift.right_px))
    kept = transform_picture(transform_picture(torch.ones_like(picture), shift), Shift(-shift.down_px, -shift.right_px))
    assert torch.equal(back, picture * kept)
    assert kept.sum() == 3 * (6 - abs(shift.down_px)) * (7 - abs(shift.right_px))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle_deg", [10.0, 45.0, 100.0])
def test_inverse_undoes_an_angle_up_to_interpolation(angle_deg: float, mirrored: bool) -> None:
    picture, element = smooth(64), Element(angle_deg, mirrored)
    back = transform_picture(transform_picture(picture, element), element.inverse)
    assert (back - picture).norm() < 0.02 * picture.norm()
    assert (transform_picture(picture, element) - picture).norm() > 0.1 * picture.norm()


@pytest.mark.parametrize("first", [Element(20.0), Element(20.0, mirrored=True)], ids=ids)
@pytest.mark.parametrize("second", [Element(25.0), Element(90.0), Element(33.0, mirrored=True)], ids=ids)
def test_angles_compose_up_to_interpolation(first: Element, second: Element) -> None:
    picture = smooth(64)
    one_by_one = transform_picture(transform_picture(picture, first), second)
    at_once = transform_picture(picture, second.after(first))
    assert (one_by_one - at_once).norm() < 0.02 * picture.norm()


@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize("element", D4.elements, ids=ids)
def test_resampling_at_a_hair_from_a_quarter_turn_is_the_exact_move(element: Element, side: int) -> None:
    picture = drawn(2, side, side)
    resampled = transform_picture(picture, Element(element.angle_deg + 1e-7, element.mirrored))
    # 1e-7 degrees move the outermost pixel by 1e-8 px; values differ by up to 7 from pixel to pixel
    torch.testing.assert_close(resampled, transform_picture(picture, element), atol=1e-6, rtol=0)


def test_resampling_keeps_the_dtype_and_leading_dimensions() -> None:
    pictures = drawn(2, 5, 3, 8, 6, dtype=torch.float32)
    moved = transform_picture(pictures, Element(30.0))
    assert (moved.shape, moved.dtype) == (pictures.shape, torch.float32)
    torch.testing.assert_close(moved[1, 4], transform_picture(pictures[1, 4], Element(30.0)), atol=0, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 2), (8, 8), (9, 9), (7, 10)])
def test_disc_mask_is_symmetric_under_d4(height: int, width: int) -> None:
    mask = disc_mask(height, width)
    for element in D4.elements:
        expected = disc_mask(width, height) if element.swaps_axes else mask
        assert torch.equal(transform_picture(mask[None].float(), element)[0].bool(), expected)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 9), (7, 10)])
def test_disc_mask_holds_the_pixels_whose_centres_are_in_the_disc(height: int, width: int) -> None:
    radius = min(height, width) / 2
    expected = [
        [math.hypot(row - (height - 1) / 2, column - (width - 1) / 2) <= radius for column in range(width)]
        for row in range(height)
    ]
    assert disc_mask(height, width).tolist() == expected


@pytest.mark.parametrize("shift", [Shift(5, 0), Shift(-5, 0), Shift(0, 7), Shift(0, -7), Shift(100, 100)], ids=ids)
def test_shift_that_leaves_nothing_is_refused(shift: Shift) -> None:
    with pytest.raises(TransformError, match="leaves nothing of a picture of 5×7 px"):
        transform_picture(drawn(3, 5, 7), shift)


def test_shift_that_leaves_one_pixel_is_not() -> None:
    picture = drawn(1, 5, 7)
    moved = transform_picture(picture, Shift(4, -6))
    assert moved[0, 4, 0] == picture[0, 0, 6] and moved.count_nonzero() == 1


def escnn_type(group: PointGroup) -> tuple[escnn_nn.FieldType, FieldType]:
    """Two regular fields, a scalar one, one more regular: escnn's type and ours."""
    space = SteerableKit(group).space
    one, many = space.trivial_repr, space.regular_repr
    ours = FieldType(((Regular(group), 2), (Scalar(), 1), (Regular(group), 1)))
    return escnn_nn.FieldType(space, [many, many, one, many]), ours


@pytest.mark.parametrize("side", [5, 6])
@pytest.mark.parametrize("group", GROUPS, ids=ids)
def test_fields_are_transformed_as_escnn_does_for_every_element_that_moves_pixels(group: PointGroup, side: int) -> None:
    theirs, ours = escnn_type(group)
    features = drawn(2, ours.channels, side, side, dtype=torch.float32)
    tensor = escnn_nn.GeometricTensor(features, theirs)
    for element, escnn_element in zip(group.elements, theirs.fibergroup.elements, strict=True):
        if element.moves_pixels:
            moved, expected = transform_fields(features, ours, element), tensor.transform(escnn_element).tensor
            torch.testing.assert_close(moved, expected, atol=8 * EPS32, rtol=0, msg=element.name)


@pytest.mark.parametrize("angle_deg", [0.0, 90.0, 180.0, 270.0])
def test_harmonics_are_transformed_as_escnn_does(angle_deg: float) -> None:
    theirs = SteerableKit(SO2).hidden(4)
    ours = FieldType(((Harmonics(3), len(theirs)),))
    features = drawn(2, ours.channels, 5, 5, dtype=torch.float32)
    expected = escnn_nn.GeometricTensor(features, theirs).transform(theirs.fibergroup.element(math.radians(angle_deg)))
    moved = transform_fields(features, ours, Element(angle_deg))
    torch.testing.assert_close(moved, expected.tensor, atol=16 * EPS32, rtol=0)


@pytest.mark.parametrize("group", [C8, D8], ids=ids)
def test_channels_of_fields_are_mixed_as_escnn_does_for_every_element(group: PointGroup) -> None:
    theirs, ours = escnn_type(group)
    features = drawn(2, ours.channels, dtype=torch.float32)  # space is pooled
    for element, escnn_element in zip(group.elements, theirs.fibergroup.elements, strict=True):
        expected = features @ torch.tensor(theirs.representation(escnn_element), dtype=torch.float32).T
        torch.testing.assert_close(transform_fields(features, ours, element), expected, atol=8 * EPS32, rtol=0)


@pytest.mark.parametrize("group", [C8, D8], ids=ids)
def test_fields_under_other_angles_are_resampled_and_mixed(group: PointGroup) -> None:
    features, field_type = drawn(2, group.order, 9, 9), regular(group, 1)
    for element in group.elements:
        if not element.moves_pixels:
            expected = field_type.act(torch.stack([transform_picture(each, element) for each in features]), element)
            moved = transform_fields(features, field_type, element)
            torch.testing.assert_close(moved, expected, atol=0, rtol=0)


@pytest.mark.parametrize("group", GROUPS, ids=ids)
def test_transforms_of_fields_compose_and_invert(group: PointGroup) -> None:
    field_type = escnn_type(group)[1]
    features = drawn(1, field_type.channels, 4, 6)
    for g in group.pixel_exact_elements:
        assert torch.equal(transform_fields(transform_fields(features, field_type, g), field_type, g.inverse), features)
        for h in group.pixel_exact_elements:
            one_by_one = transform_fields(transform_fields(features, field_type, h), field_type, g)
            assert torch.equal(one_by_one, transform_fields(features, field_type, g.after(h)))


@pytest.mark.parametrize(
    ("field_type", "element"),
    [
        (regular(C4, 1), Element(45.0)),
        (regular(C4, 1), Element(mirrored=True)),
        (FieldType(((Harmonics(3), 1),)), Element(0.0, True)),
    ],
    ids=ids,
)
def test_element_without_an_action_is_refused(field_type: FieldType, element: Element) -> None:
    with pytest.raises(ValueError, match="has no action"):
        transform_fields(drawn(1, field_type.channels, 4, 4), field_type, element)


def test_scalars_move_like_a_picture() -> None:
    features = drawn(2, 3, 6, 7)
    for element in (*D4.elements, Element(30.0)):
        assert torch.equal(transform_fields(features, scalars(3), element), transform_picture(features, element))
