"""What a picture cannot show is said beside the verdict, and why."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from equivariance.groups.point_groups import D4, Element
from equivariance.measurement.facts import PictureFacts, facts_of
from equivariance.measurement.remarks import remarks as remarks_of
from explorer.serving.engine import Engine, Request
from explorer.settings import Settings
from models.catalog import spec

TURNS = D4.pixel_exact_elements[1:4]


@pytest.fixture(scope="module")
def remarks() -> Callable[[Tensor], tuple[str, ...]]:
    """The remarks of p4-cnn on a picture: approximate at 29 px, exact at 28 px."""
    engine = Engine(Settings(device="cpu"))

    def remarks(picture: Tensor) -> tuple[str, ...]:
        network = spec("p4-cnn", minimum_width=True)
        return engine.inspect(Request(network, 0, picture, dtype="float64")).verdict.remarks

    return remarks


def noise(side_px: int) -> Tensor:
    return torch.rand(3, side_px, side_px, generator=torch.Generator().manual_seed(0))


def symmetric(picture: Tensor) -> Tensor:
    """The mean of a picture's four quarter turns; of 8 bits, so that no order of adding them matters."""
    picture = (picture * 255).round() / 256
    return torch.stack([torch.rot90(picture, turns, (-2, -1)) for turns in range(4)]).mean(0)


def test_an_ordinary_picture_needs_no_remark(remarks: Callable[[Tensor], tuple[str, ...]]) -> None:
    assert remarks(noise(29)) == remarks(noise(28)) == ()


def test_a_black_picture_is_said_to_be_black(remarks: Callable[[Tensor], tuple[str, ...]]) -> None:
    assert remarks(torch.zeros(3, 29, 29)) == (
        "This picture does not show the break under ⟲ 90°, ⟲ 180°, ⟲ 270°: it is black. Try another one.",
    )


def test_a_picture_of_one_colour_is_said_to_be_so(remarks: Callable[[Tensor], tuple[str, ...]]) -> None:
    assert "of one colour" in " ".join(remarks(torch.full((3, 28, 28), 0.5)))


def test_a_picture_that_is_its_own_transform_is_measured_to_be(remarks: Callable[[Tensor], tuple[str, ...]]) -> None:
    assert remarks(symmetric(noise(28))) == (
        "This picture is its own transform under ⟲ 90°, ⟲ 180°, ⟲ 270°: the errors there say little.",
    )


def test_a_picture_that_is_nearly_its_own_transform_is_said_to_be_so_with_a_number(
    remarks: Callable[[Tensor], tuple[str, ...]],
) -> None:
    (said,) = remarks(0.99 * symmetric(noise(29)) + 0.001 * noise(29))
    assert said.startswith(
        "This picture is nearly its own transform under ⟲ 90°, ⟲ 180°, ⟲ 270°: the two differ by at "
    )
    assert 1e-3 < float(said.split("most ")[1].split(" of")[0]) < 0.02


def test_a_picture_is_too_faint_to_show_a_break() -> None:
    facts = PictureFacts(False, 1e-9, {"rot90": 1.4})
    exact = Engine(Settings(device="cpu")).inspect(
        Request(spec("p4-cnn", minimum_width=True), 0, noise(28), dtype="float64")
    )
    said = remarks_of(replace(exact.measurement, picture=facts), {"rot90": "broken"}, ["rot90"])

    assert said == (
        "This picture does not show the break under ⟲ 90°: it is too faint, its contrast is 1.0e-09 of the full range. "
        "Try another one.",
    )


# ------------------------------------------------------------------------------------------------------------- numbers


def test_change_is_measured_against_the_contrast() -> None:
    picture = torch.full((1, 2, 2), 100.0)
    picture[0, 0, 0] = 104.0  # a turn moves it to the next corner: √2 · 4, beside √(3² + 3 · 1²) of contrast
    facts = facts_of(picture, TURNS)

    assert facts.changes["rot90"] == pytest.approx((2 * 16) ** 0.5 / 12**0.5)
    assert facts.contrast == pytest.approx(3**0.5) and not facts.is_constant and not facts.is_black


def test_a_turn_that_changes_the_sides_is_no_symmetry() -> None:
    changes = facts_of(torch.rand(3, 4, 6), TURNS).changes
    assert changes["rot90"] == changes["rot270"] == float("inf") and changes["rot180"] < 10


def test_resampled_angles_are_not_compared() -> None:
    assert facts_of(torch.rand(3, 4, 4), [Element(45.0)]).changes == {}
