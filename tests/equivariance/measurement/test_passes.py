"""Which transforms share a pass, and with which picture they are compared."""

from collections.abc import Sequence

import pytest
import torch

from equivariance.groups.acting import disc_mask
from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import Shift, Transform
from equivariance.measurement.passes import elements_of, passes_of

TURN, HALF, MIRROR, SHIFT = Element(90.0), Element(180.0), Element(mirrored=True), Shift(1, 2)
ODD, OTHER = Element(30.0), Element(45.0)
SQUARE, WIDE = torch.rand(3, 5, 5), torch.rand(3, 5, 7)


def planned(
    picture: torch.Tensor, transforms: Sequence[Transform], per_pass: int = 9
) -> list[tuple[str, list[Transform], list[Element]]]:
    masked = picture * disc_mask(*picture.shape[-2:])
    found = []
    for each in passes_of(picture, transforms, per_pass):
        is_masked = each.reference is not None and torch.equal(each.reference, masked)
        name = "kept" if each.reference is None else "masked" if is_masked else "picture"
        assert each.reference is None or is_masked or each.reference is picture
        found.append((name, each.transforms, each.own))
    return found


def test_all_that_moves_pixels_of_a_square_shares_a_pass() -> None:
    assert planned(SQUARE, [TURN, SHIFT, MIRROR]) == [("picture", [TURN, SHIFT, MIRROR], [TURN, MIRROR])]


def test_what_swaps_the_axes_of_another_picture_comes_after() -> None:
    assert planned(WIDE, [TURN, HALF, SHIFT]) == [
        ("picture", [HALF, SHIFT], [HALF, TURN]),
        ("kept", [TURN], []),
    ]
    assert planned(WIDE, [TURN]) == [("picture", [], [TURN]), ("kept", [TURN], [])]


def test_what_resamples_is_compared_on_the_disc() -> None:
    assert planned(SQUARE, [ODD, TURN]) == [("picture", [TURN], [TURN]), ("masked", [ODD], [ODD])]
    assert planned(SQUARE, [ODD]) == [("picture", [], []), ("masked", [ODD], [ODD])]


@pytest.mark.parametrize("per_pass", [1, 2])
def test_passes_are_no_larger_than_asked(per_pass: int) -> None:
    other_turn = Element(270.0)
    found = planned(WIDE, [TURN, other_turn, HALF, MIRROR, SHIFT, ODD, OTHER], per_pass)
    assert all(len(transforms) <= per_pass for _, transforms, _ in found)
    for name, expected in (
        ("picture", [HALF, MIRROR, SHIFT]),
        ("kept", [TURN, other_turn]),
        ("masked", [ODD, OTHER]),
    ):
        assert [each for kind, transforms, _ in found if kind == name for each in transforms] == expected
    owns = [own for _, _, each in found for own in each]
    assert sorted(map(str, owns)) == sorted(map(str, [TURN, other_turn, HALF, MIRROR, ODD, OTHER]))
    assert set(found[0][2]) >= {TURN, other_turn}


def test_no_transforms_still_run_the_picture() -> None:
    assert planned(SQUARE, []) == [("picture", [], [])]


def test_shifts_are_no_elements() -> None:
    assert elements_of([TURN, SHIFT, ODD]) == [TURN, ODD]
