"""What a picture can show: its contrast, and how much transforms change it."""

import math

import pytest
import torch

from equivariance.groups.point_groups import Element
from equivariance.measurement.facts import facts_of

TURN, MIRROR, ODD = Element(90.0), Element(mirrored=True), Element(30.0)
PICTURE = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0))


def test_contrast_is_the_deviation_from_each_channel_s_mean() -> None:
    expected = (PICTURE.double() - PICTURE.double().mean((1, 2), keepdim=True)).square().mean().sqrt()
    assert facts_of(PICTURE, []).contrast == pytest.approx(float(expected))
    assert not facts_of(PICTURE, []).is_constant and not facts_of(PICTURE, []).is_black


def test_changes_are_relative_to_what_the_picture_shows() -> None:
    double = PICTURE.double()
    shown = (double - double.mean((1, 2), keepdim=True)).norm()
    changes = facts_of(PICTURE, [TURN, MIRROR, ODD]).changes
    assert changes == {
        "rot90": pytest.approx(float((double.rot90(1, (1, 2)) - double).norm() / shown)),
        "mirror": pytest.approx(float((double.flip(2) - double).norm() / shown)),
    }


def test_sides_that_change_places_change_without_end() -> None:
    changes = facts_of(PICTURE[:, :3], [TURN, MIRROR]).changes
    assert changes["rot90"] == math.inf and math.isfinite(changes["mirror"])


def test_a_picture_that_is_its_own_mirror_image_does_not_change() -> None:
    even = PICTURE + PICTURE.flip(2)
    assert facts_of(even, [MIRROR]).changes == {"mirror": 0.0}


@pytest.mark.parametrize(("value", "is_black"), [(0.0, True), (0.1, False)])
def test_one_value_for_each_channel_has_no_contrast(value: float, is_black: bool) -> None:
    picture = torch.full((2, 3, 4), value)
    facts = facts_of(picture, [MIRROR, TURN])
    assert facts.is_constant and facts.contrast == 0.0 and facts.is_black == is_black
    assert facts.changes == {"mirror": 0.0, "rot90": math.inf}
    unlike = torch.tensor([0.0, 0.7]).reshape(2, 1, 1).expand(2, 3, 4)
    assert facts_of(unlike, []).is_constant and not facts_of(unlike, []).is_black


def test_one_pixel_that_differs_is_contrast() -> None:
    picture = torch.zeros(1, 3, 3)
    picture[0, 1, 1] = 1
    assert facts_of(picture, []).contrast == pytest.approx((8 / 81) ** 0.5)
