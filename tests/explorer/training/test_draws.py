"""What chance decides: every picture once, angles as asked for, the same draws at every time."""

import pytest
import torch

from explorer.training.draws import Draws, border_of, changed, draw
from explorer.training.recipe import Recipe

MANY = 20_000


def test_every_picture_comes_once() -> None:
    draws = draw(Recipe(), pictures=100, epoch=3)

    assert sorted(draws.order.tolist()) == list(range(100))
    assert draws.order.tolist() != list(range(100))


def test_draws_depend_on_seed_and_epoch_alone() -> None:
    recipe = Recipe(rotation="uniform", mirrors=True, augmentation="crop")
    torch.manual_seed(5)
    first = draw(recipe, pictures=50, epoch=2)
    torch.manual_seed(6)
    again = draw(recipe, pictures=50, epoch=2)

    for name in Draws.__dataclass_fields__:
        assert torch.equal(getattr(first, name), getattr(again, name))
    other_seed = draw(Recipe(rotation="uniform", seed=1), pictures=50, epoch=2)
    other_epoch = draw(recipe, pictures=50, epoch=3)
    assert not torch.equal(first.angle_deg, other_seed.angle_deg)
    assert not torch.equal(first.angle_deg, other_epoch.angle_deg)


def test_nothing_is_turned_or_mirrored_unless_asked_for() -> None:
    draws = draw(Recipe(), pictures=100, epoch=0)

    assert not draws.angle_deg.any() and not draws.mirrored.any() and not draws.cut_px.any()


@pytest.mark.parametrize(
    ("rotation", "mean", "sd"), [("uniform", 180.0, 360 / 12**0.5), ("normal:45,20", 45, 20), ("normal:-30,5", -30, 5)]
)
def test_angles_have_the_moments_of_their_distribution(rotation: str, mean: float, sd: float) -> None:
    angles = draw(Recipe(rotation=rotation), pictures=MANY, epoch=0).angle_deg

    assert float(angles.mean()) == pytest.approx(mean, abs=4 * sd / MANY**0.5)
    assert float(angles.std()) == pytest.approx(sd, rel=0.03)


def test_quarter_turns_and_mirrors_come_equally_often() -> None:
    draws = draw(Recipe(rotation="quarter", mirrors=True), pictures=MANY, epoch=0)

    angles, counts = draws.angle_deg.unique(return_counts=True)
    assert angles.tolist() == [0.0, 90.0, 180.0, 270.0]
    assert counts.tolist() == pytest.approx([MANY / 4] * 4, rel=0.05)
    assert float(draws.mirrored.double().mean()) == pytest.approx(0.5, abs=0.02)


def _draws(count: int, *, angle_deg: float = 0.0, mirrored: bool = False, cut_px: tuple[int, int] = (0, 0)) -> Draws:
    return Draws(
        torch.arange(count),
        torch.full((count,), angle_deg, dtype=torch.float64),
        torch.full((count,), mirrored),
        torch.tensor([cut_px] * count),
    )


def test_pictures_that_are_not_changed_stay_as_they_are() -> None:
    pictures = torch.rand(3, 3, 8, 8)

    assert torch.equal(changed(pictures, _draws(3), Recipe(size_px=8, mirrors=True)), pictures)
    assert torch.equal(changed(pictures, _draws(3), Recipe(size_px=8, rotation="quarter")), pictures)
    assert torch.equal(changed(pictures, _draws(3, cut_px=(1, 1)), Recipe(size_px=8, augmentation="crop")), pictures)
    resampled = changed(pictures, _draws(3), Recipe(size_px=8, rotation="uniform"))
    assert torch.allclose(resampled, pictures, atol=1e-5)


@pytest.mark.parametrize("rotation", ["quarter", "uniform"])
def test_a_pixel_is_mirrored_first_and_then_turned_counterclockwise(rotation: str) -> None:
    pictures = torch.zeros(2, 1, 6, 6)
    pictures[:, :, 0, 1] = 1.0  # top row; mirrored to column 4; turned counterclockwise to row 1, column 0

    turned = changed(pictures, _draws(2, angle_deg=90.0, mirrored=True), Recipe(size_px=6, rotation=rotation))

    assert turned[:, 0, 1, 0].tolist() == pytest.approx([1.0, 1.0], abs=1e-5)
    assert float(turned.sum()) == pytest.approx(2.0, abs=1e-4)


def test_a_cut_moves_the_picture_by_what_was_drawn() -> None:
    recipe = Recipe(size_px=16, augmentation="crop")
    pictures = torch.zeros(1, 1, 16, 16)
    pictures[0, 0, 5, 6] = 1.0

    moved = changed(pictures, _draws(1, cut_px=(0, 3)), recipe)

    assert border_of(recipe) == 2
    assert moved.nonzero().tolist() == [[0, 0, 7, 5]]  # 2 − 0 down, 2 − 3 right
