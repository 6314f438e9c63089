"""The figure of height × width: every pair of sides has the sign of what survives there."""

import plotly.graph_objects as go

from equivariance.theory.survivors import Survivors
from explorer.figures.survivors import surviving_elements


def named(figure: go.Figure) -> dict[str, go.Scatter]:
    return {trace.name: trace for trace in figure.data if trace.name}


def pairs() -> Survivors:
    """Survivors of 8 and 9 px where even sides are centred: turns by 90° ask for the width, by 270° for the height."""

    def statuses(height_px: int, width_px: int) -> dict[str, str]:
        fits = {"rot90": width_px % 2 == 0, "rot270": height_px % 2 == 0}
        return {name: "exact" if fit else "broken" for name, fit in fits.items()}

    return Survivors((8, 9), (8, 9), tuple(tuple(statuses(height, width) for width in (8, 9)) for height in (8, 9)))


def test_every_pair_of_sides_has_the_sign_of_what_survives() -> None:
    found = {
        name: [tuple(pair) for pair in trace.customdata] for name, trace in named(surviving_elements(pairs())).items()
    }
    assert found == {
        "all 2 survive: exact": [(8, 8)],
        "survive: ⟲ 270°": [(8, 9)],
        "survive: ⟲ 90°": [(9, 8)],
        "no sign: none survives": [(9, 9)],
    }


def test_signs_of_pairs_lie_at_width_and_height_and_differ() -> None:
    figure = surviving_elements(pairs())
    traces = named(figure)
    assert (list(traces["survive: ⟲ 90°"].x), list(traces["survive: ⟲ 90°"].y)) == ([8], [9])
    assert len({trace.marker.symbol for trace in traces.values()}) == 4
    assert len({value for row in figure.data[0].z for value in row}) == 4


def test_where_theory_cannot_tell_the_legend_says_so() -> None:
    undecided = Survivors((8,), (8,), (({"rot90": "undecided", "rot180": "exact"},),))
    assert list(named(surviving_elements(undecided))) == ["survive: ⟲ 180°, undecided: ⟲ 90°"]
