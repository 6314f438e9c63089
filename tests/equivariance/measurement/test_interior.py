"""Where a shifted picture's maps can be compared: held against the pixels that each sample depends on."""

import pytest
import torch

from equivariance.groups.transforms import Shift
from equivariance.measurement.interior import interior_of
from equivariance.theory.grids import AxisState

MAPS = torch.zeros(1, 2, 9, 9)


def axis(side: int = 9, **more: object) -> AxisState:
    return AxisState(9, side, **more)  # type: ignore[arg-type]


def rows(shift_px: int, state: AxisState) -> tuple[list[int], list[int]] | None:
    """(rows of the shifted maps, rows of the upright ones) that show the same pixels."""
    found = interior_of(Shift(down_px=shift_px, right_px=0), (state, axis()), MAPS)
    if found is None:
        return None
    (here, _), (there, _) = found
    every = list(range(state.side))
    return every[here], every[there]


def expected(shift_px: int, state: AxisState) -> tuple[list[int], list[int]] | None:
    """Samples whose pixels are all of the picture before and after it was shifted, one by one."""
    first = state.start - state.pending[0] * state.stride
    pairs = []
    for here in range(state.side):
        there = here - shift_px / state.stride
        pixels = [first + here * state.stride, first + here * state.stride + state.extent]
        inside = max(shift_px, 0) <= pixels[0] and pixels[1] <= state.picture_side + min(shift_px, 0)
        if inside and there == int(there) and 0 <= there < state.side:
            pairs.append((here, int(there)))
    return ([one for one, _ in pairs], [other for _, other in pairs]) if pairs else None


@pytest.mark.parametrize("shift_px", [-4, -3, -1, 0, 1, 2, 3, 8])
@pytest.mark.parametrize(
    "state",
    [
        axis(),
        axis(7, start=0.0, extent=3.0),
        axis(9, start=-1.0, extent=3.0),
        axis(4, stride=2.0, extent=2.0),
        axis(5, start=-1.0, stride=2.0, extent=3.0),
        axis(11, pending=(1, 1)),
        axis(4, stride=2.0, extent=2.0, start=2.0, pending=(1, 0)),
        axis(2, start=0.0, extent=8.0),
    ],
    ids=str,
)
def test_samples_are_compared_whose_pixels_all_moved_within_the_picture(shift_px: int, state: AxisState) -> None:
    assert rows(shift_px, state) == expected(shift_px, state)


def test_rows_go_down_and_columns_go_right() -> None:
    found = interior_of(Shift(down_px=1, right_px=2), (axis(), axis()), MAPS)
    assert found == ((slice(1, 9), slice(2, 9)), (slice(0, 8), slice(0, 7)))


def test_nothing_is_compared_without_a_grid_or_without_maps() -> None:
    assert interior_of(Shift(1, 1), None, MAPS) is None
    assert interior_of(Shift(1, 1), (axis(), axis()), torch.zeros(1, 9)) is None
