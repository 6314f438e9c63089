"""Elements, groups and exact moves of pixels, against escnn's groups and by brute force."""

import pytest
import torch
from torch import Tensor

from equivariance.groups.fields import move_pixels
from equivariance.groups.point_groups import C4, C8, D4, D8, IDENTITY, O2, SO2, Z2, Element, PointGroup
from models.steerable import escnn_nn, gspaces

ESCNN_SPACES = {
    "c4": gspaces.rot2dOnR2(4),
    "d4": gspaces.flipRot2dOnR2(4),
    "c8": gspaces.rot2dOnR2(8),
    "d8": gspaces.flipRot2dOnR2(8),
}
FINITE = (Z2, C4, D4, C8, D8)


def ids(value: object) -> str:
    return str(getattr(value, "name", value))


def numbered(*shape: int) -> Tensor:
    """Pixels that all differ."""
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float64).reshape(shape)


def position(maps: Tensor) -> tuple[int, int]:
    """Row and column of the one pixel that is not zero."""
    ((row, column),) = maps.nonzero().tolist()
    return row, column


def lit(height: int, width: int, at: tuple[int, int]) -> Tensor:
    picture = torch.zeros(height, width)
    picture[at] = 1.0
    return picture


@pytest.mark.parametrize("group", FINITE, ids=ids)
def test_name_of_every_element_is_unique_and_parses_back(group: PointGroup) -> None:
    names = [element.name for element in group.elements]

    assert len(set(names)) == group.order
    assert [Element.parse(name) for name in names] == list(group.elements)


@pytest.mark.parametrize("angle_deg", [0.1, 12.34, 90.0000001, 123.4567891, 1e-7, 359.999])
@pytest.mark.parametrize("mirrored", [False, True])
def test_name_of_any_angle_parses_back(angle_deg: float, mirrored: bool) -> None:
    element = Element(angle_deg, mirrored)
    assert Element.parse(element.name) == element


@pytest.mark.parametrize(
    ("name", "element"),
    [
        ("identity", IDENTITY),
        ("rot0", IDENTITY),
        ("rot360", IDENTITY),
        ("rot90", Element(90.0)),
        ("rot22.5", Element(22.5)),
        ("mirror", Element(mirrored=True)),
        ("mirror_rot90", Element(90.0, mirrored=True)),
    ],
)
def test_names_read_as_documented(name: str, element: Element) -> None:
    assert Element.parse(name) == element


@pytest.mark.parametrize("name", ["", "rot", "90", "rot-90", "rot90_mirror", "mirrorrot90", "rot90 ", "rotx", "rot1e2"])
def test_name_that_is_not_an_element_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}$"):
        Element.parse(name)


def test_angles_are_taken_modulo_a_full_turn() -> None:
    assert Element(-90.0) == Element(270.0) == Element(630.0)
    assert Element(-1e-20) == IDENTITY  # the remainder of a tiny negative number rounds to a full turn


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
    ],
)
def test_known_pixel_moves_where_it_should(name: str, row_column: tuple[int, int]) -> None:
    moved = move_pixels(lit(3, 4, at=(0, 1)), Element.parse(name))
    assert position(moved) == row_column


@pytest.mark.parametrize("second", D4.elements, ids=ids)
@pytest.mark.parametrize("first", D4.elements, ids=ids)
def test_composition_moves_pixels_as_one_element_after_the_other(first: Element, second: Element) -> None:
    picture = numbered(2, 3, 5)
    torch.testing.assert_close(
        move_pixels(picture, second.after(first)), move_pixels(move_pixels(picture, first), second), atol=0, rtol=0
    )


@pytest.mark.parametrize("element", D4.elements, ids=ids)
def test_inverse_undoes_the_move(element: Element) -> None:
    picture = numbered(2, 3, 5)
    back = move_pixels(move_pixels(picture, element), element.inverse)
    assert torch.equal(back, picture)


@pytest.mark.parametrize("group", FINITE, ids=ids)
def test_element_composed_with_its_inverse_is_the_identity(group: PointGroup) -> None:
    for element in group.elements:
        assert element.after(element.inverse) == element.inverse.after(element) == IDENTITY
        assert element.is_identity == (element == IDENTITY)


@pytest.mark.parametrize("group", [C4, D4, C8, D8], ids=ids)
def test_order_of_elements_and_products_are_those_of_escnn(group: PointGroup) -> None:
    theirs = ESCNN_SPACES[group.name].fibergroup.elements
    table = [[theirs.index(a @ b) for b in theirs] for a in theirs]
    inverses = [theirs.index(~a) for a in theirs]

    assert [[group.index(a.after(b)) for b in group.elements] for a in group.elements] == table
    assert [group.index(a.inverse) for a in group.elements] == inverses


@pytest.mark.parametrize("element", D4.elements, ids=ids)
def test_element_is_reversed_axes_and_then_a_transposition(element: Element) -> None:
    picture = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    height_reversed, width_reversed = element.reversed_axes
    expected = picture.flip(
        [axis for axis, is_reversed in ((-2, height_reversed), (-1, width_reversed)) if is_reversed]
    )
    expected = expected.transpose(-1, -2) if element.swaps_axes else expected

    assert torch.equal(move_pixels(picture, element), expected)


def test_reversed_axes_tell_the_elements_of_d4_apart() -> None:
    assert len({(element.reversed_axes, element.swaps_axes) for element in D4.elements}) == D4.order


@pytest.mark.parametrize("side", [4, 5])
@pytest.mark.parametrize("index", range(D4.order))
def test_move_of_pixels_is_escnn_s_transform_of_scalars(index: int, side: int) -> None:
    space = ESCNN_SPACES["d4"]
    picture = torch.randn(1, 2, side, side, generator=torch.Generator().manual_seed(index))
    scalars = escnn_nn.GeometricTensor(picture, escnn_nn.FieldType(space, [space.trivial_repr] * 2))

    moved = move_pixels(picture, D4.elements[index])

    expected = scalars.transform(space.fibergroup.elements[index]).tensor
    torch.testing.assert_close(moved, expected, atol=1e-6, rtol=0)  # escnn interpolates, in float32


def test_identity_moves_nothing() -> None:
    picture = numbered(2, 3, 5)
    assert torch.equal(move_pixels(picture, IDENTITY), picture)


@pytest.mark.parametrize("angle_deg", [45.0, 22.5, 90.0000001])
def test_other_angles_cannot_move_pixels(angle_deg: float) -> None:
    assert not Element(angle_deg).moves_pixels
    with pytest.raises(ValueError, match="does not move pixels"):
        move_pixels(numbered(4, 4), Element(angle_deg))


@pytest.mark.parametrize(("group", "order", "exact"), [(Z2, 1, 1), (C4, 4, 4), (D4, 8, 8), (C8, 8, 4), (D8, 16, 8)])
def test_group_has_its_order_and_the_elements_that_move_pixels(group: PointGroup, order: int, exact: int) -> None:
    assert group.order == len(set(group.elements)) == order
    assert group.pixel_exact_elements == tuple(e for e in group.elements if e.moves_pixels)
    assert len(group.pixel_exact_elements) == exact
    assert group.elements[0] == group.pixel_exact_elements[0] == IDENTITY


def test_group_contains_its_elements_and_no_others() -> None:
    assert Element(45.0) in C8 and Element(45.0) not in C4
    assert Element(90.0, mirrored=True) in D4 and Element(90.0, mirrored=True) not in C4
    assert Element(17.3) in SO2 and Element(17.3, mirrored=True) not in SO2
    assert Element(17.3) in O2 and Element(17.3, mirrored=True) in O2
    assert [e for e in D8.elements if e in Z2] == [IDENTITY]


def test_so2_has_no_list_of_elements_but_its_quarter_turns_move_pixels() -> None:
    assert SO2.pixel_exact_elements == C4.elements
    with pytest.raises(ValueError, match=r"^SO\(2\) has no list of elements"):
        _ = SO2.elements


def test_o2_has_the_quarter_turns_and_mirrors_of_d4_and_no_list_of_elements() -> None:
    assert O2.pixel_exact_elements == D4.elements
    with pytest.raises(ValueError, match=r"^O\(2\) has no list of elements"):
        _ = O2.elements
