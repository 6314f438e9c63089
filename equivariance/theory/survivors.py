"""Theory for pictures of any height and width: which elements of the group survive. Nothing is measured.

A network's grids along height and along width are independent. So each side is followed once for each axis, and pairs
of sides whose last grids fare alike share one prediction.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from equivariance.theory.exactness import Structure, predict
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED, evaluate
from equivariance.theory.tracing import Trace

Statuses = Mapping[str, str]  # element's name: "exact", "broken" or "undecided"


@dataclass(frozen=True)
class Survivors:
    """`statuses[row][column]` are the elements' statuses at heights_px[row] × widths_px[column]."""

    heights_px: tuple[int, ...]
    widths_px: tuple[int, ...]
    statuses: tuple[tuple[Statuses, ...], ...]

    def at(self, *, height_px: int, width_px: int) -> Statuses:
        """The statuses at one size; raises ValueError for a size that is not covered."""
        return self.statuses[self.heights_px.index(height_px)][self.widths_px.index(width_px)]


def survivors(structure: Structure, *, heights_px: Sequence[int], widths_px: Sequence[int]) -> Survivors:
    """The statuses for every height with every width; raises SizeError where the network cannot take one of them.

    The network is recorded at a few sizes only. Where these recordings differ, every pair is recorded for itself,
    which is slow.
    """
    heights, widths = tuple(heights_px), tuple(widths_px)
    recorded = _shared_trace(structure, heights, widths)
    if recorded is None:
        rows = tuple(tuple(_predicted(structure, height, width) for width in widths) for height in heights)
        return Survivors(heights, widths, rows)
    row_ends = [_end(recorded, 0, side) for side in heights]
    column_ends = [_end(recorded, 1, side) for side in widths]
    judged = {
        (row_end, column_end): _predicted(structure, height, width)
        for row_end, height in dict(zip(row_ends, heights, strict=True)).items()
        for column_end, width in dict(zip(column_ends, widths, strict=True)).items()
    }
    rows = tuple(tuple(judged[row_end, column_end] for column_end in column_ends) for row_end in row_ends)
    return Survivors(heights, widths, rows)


def theory_of(statuses: Statuses) -> str:
    """One word for all elements: "exact", "broken" or, where theory cannot tell, "undecided"."""
    return next((status for status in (BROKEN, UNDECIDED) if status in statuses.values()), EXACT)


def _shared_trace(structure: Structure, heights_px: tuple[int, ...], widths_px: tuple[int, ...]) -> Trace | None:
    """The recording that holds for every size; None where recordings depend on the size.

    Looked at are the corners of the range and their neighbours, so that both parities of each side occur.
    """
    corners = itertools.product(_ends(heights_px), _ends(widths_px))
    traces = [structure.trace(height_px=height, width_px=width) for height, width in corners]
    return traces[0] if len({(each.steps, each.out_step) for each in traces}) == 1 else None


def _ends(sides_px: tuple[int, ...]) -> tuple[int, ...]:
    return (*sides_px[:2], *sides_px[-1:])


def _end(recorded: Trace, axis: int, side_px: int) -> str | None:
    """How the last grid along an axis fares: all that a prediction for the whole network asks of this axis."""
    if recorded.out_step is None:
        return None
    state = evaluate(recorded.steps, axis, side_px)[recorded.out_step].state
    return None if state is None else state.status


def _predicted(structure: Structure, height_px: int, width_px: int) -> Statuses:
    return predict(structure, height_px=height_px, width_px=width_px).elements
