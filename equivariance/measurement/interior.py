"""Where shifted maps can be compared."""

from torch import Tensor

from equivariance.groups.transforms import Shift
from equivariance.theory.grids import AxisState


def interior_of(
    shift: Shift, grid: tuple[AxisState, AxisState] | None, output: Tensor
) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Where the shifted and the upright maps show the same pixels: rows and columns of each; None where nowhere."""
    if grid is None or output.dim() != 4:
        return None
    here, there = [], []
    for state, shift_px in zip(grid, (shift.down_px, shift.right_px), strict=True):
        if shift_px % state.stride:
            return None
        steps = int(shift_px / state.stride)
        low, high = max(shift_px, 0), state.picture_side + min(shift_px, 0)
        first = state.start - state.pending[0] * state.stride
        inside = [
            j
            for j in range(max(steps, 0), state.side + min(steps, 0))
            if low <= first + j * state.stride and first + j * state.stride + state.extent <= high
        ]
        if not inside:
            return None
        here.append(slice(inside[0], inside[-1] + 1))
        there.append(slice(inside[0] - steps, inside[-1] + 1 - steps))
    return (here[0], here[1]), (there[0], there[1])
