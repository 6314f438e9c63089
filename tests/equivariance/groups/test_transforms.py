"""Names of transforms: read, written, shown; which a group is measured under."""

import pytest

from equivariance.errors import TransformError
from equivariance.groups import transforms
from equivariance.groups.point_groups import C4, C8, D4, D8, IDENTITY, SO2, Z2, Element, PointGroup
from equivariance.groups.transforms import Shift, elements_to_measure, parse, transform_label


def ids(value: object) -> str:
    return str(getattr(value, "name", value))


@pytest.mark.parametrize(
    ("name", "transform"),
    [
        ("rot22.5", Element(22.5)),
        ("mirror_rot270", Element(270.0, mirrored=True)),
        ("shift_3_-4", Shift(3, -4)),
        ("shift_-1_0", Shift(-1, 0)),
        ("identity", IDENTITY),
    ],
)
def test_name_of_a_transform_is_read_and_written(name: str, transform: object) -> None:
    assert parse(name) == transform
    assert transform.name == name


@pytest.mark.parametrize(
    "name", ["", "rot", "turn90", "rot-90", "shift_1", "shift_1_2_3", "shift_1.5_0", "rot90 ", "ROT90"]
)
def test_name_that_cannot_be_read_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(TransformError) as refusal:
        parse(name)
    assert repr(name) in str(refusal.value) and transforms.ACCEPTED in str(refusal.value)


def test_label_says_the_order_and_the_directions() -> None:
    names = ("rot90", "mirror", "mirror_rot90", "shift_2_-1")
    assert [transform_label(parse(name)) for name in names] == ["⟲ 90°", "mirror", "mirror ⟲ 90°", "shift ↓ 2 ← 1"]


@pytest.mark.parametrize(("group", "elements"), [(Z2, D4), (C4, C4), (D4, D4), (C8, C4), (D8, D4), (SO2, C4)], ids=ids)
def test_elements_to_measure_move_pixels_and_leave_the_identity_out(group: PointGroup, elements: PointGroup) -> None:
    assert elements_to_measure(group) == elements.elements[1:]
    assert all(element.moves_pixels and not element.is_identity for element in elements_to_measure(group))
