"""Plotly figures of runs: accuracy by epoch, by transform and by angle, errors of layers, losses. No Streamlit.

Each run has a colour, a symbol and a dash of its own, the same in all figures. Fonts and the colours of axes are the
page's. Imports no torch, so that runs are seen at once.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from equivariance.groups.transforms import label_of
from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.figures.style import BLUE, DARKENING, FLOORS, GREY, OCHRE, ORANGE, PURPLE, TEAL, shade
from explorer.runs.report import Drawn, report_html
from explorer.runs.run import Run
from explorer.training.metrics import ANGLES_DEG, TESTED, Epoch
from explorer.training.recipe import Recipe

MOST_RUNS = 6  # side by side
UNSEEN = "unseen"  # the mean over the three turns, beside the transforms' own names
LOGITS = "logits"
COLOURS = (BLUE, ORANGE, GREY, PURPLE, TEAL, OCHRE)
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star")
DASHES = ("solid", "dash", "dot", "longdash", "dashdot", "longdashdot")
ROUNDING = ROUNDING_LEVEL["float32"]  # networks are evaluated in it
_FLOOR = FLOORS["float32"]  # what an error of zero is drawn as
_EXPONENTS = tuple(range(-9, 1, 3))
# Below rounding the page shines through grey, above it from pale to dark orange.
_ROUNDING, _BEYOND = (shade(0.2), shade(0.45)), DARKENING
_MARGIN = {"l": 48, "r": 10, "t": 10, "b": 40}
_SMALL_PX, _MIDDLE_PX, _TALL_PX, _ROW_PX = 200, 250, 340, 15
_MOST_LABELS = 28  # of layers
_GUESS = 0.04  # of the share axis, below 0 and above 1, so that marks at the ends are whole


@dataclass(frozen=True)
class Lane:
    """A run in a comparison: its name, the place that gives it its style (0 .. MOST_RUNS - 1), and its epochs."""

    title: str
    number: int
    recipe: Recipe
    epochs: tuple[Epoch, ...]

    @property
    def last(self) -> Epoch | None:
        """The latest epoch, if there is one."""
        return self.epochs[-1] if self.epochs else None

    @property
    def last_with_angles(self) -> Epoch | None:
        """The latest epoch that was tested at all angles."""
        return next((epoch for epoch in reversed(self.epochs) if epoch.angles is not None), None)


def accuracy(lanes: Sequence[Lane], name: str) -> go.Figure:
    """Accuracy under one of TESTED, or UNSEEN, epoch by epoch; 0 is before training."""
    figure = go.Figure()
    for lane in lanes:
        shares = [accuracy_of(epoch, name) for epoch in lane.epochs]
        figure.add_scatter(**_line(lane), y=shares, hovertemplate="epoch %{x}: %{y:.1%}<extra>%{fullData.name}</extra>")
    _share_axis(figure)
    return _by_epoch(figure, lanes)


def accuracy_of(epoch: Epoch, name: str) -> float:
    """Of one of TESTED, or the mean over the turns that an upright training has not shown."""
    return epoch.unseen_accuracy if name == UNSEEN else epoch.accuracy[name]


def by_transform(lanes: Sequence[Lane]) -> go.Figure:
    """Accuracy of the last epoch under each transform, and over all angles: bars from 0, each with its run's sign.

    The bars of the angles say of which epoch they are where that is an earlier one.
    """
    figure = go.Figure()
    names = (*TESTED, "36 angles")
    width = 0.8 / max(len(lanes), 1)
    for place, lane in enumerate(lanes):
        if lane.last is None:
            continue
        angles = lane.last_with_angles
        shares = [*(lane.last.accuracy[name] for name in TESTED), angles.angles_accuracy if angles else None]
        offset = (place - (len(lanes) - 1) / 2) * width
        places = [number + offset for number in range(len(names))]
        labels = (*map(_label, TESTED), _angles_label([lane], ", "))
        said = [f"{label}: {_percent(share)}" for label, share in zip(labels, shares, strict=True)]
        bars = {"color": COLOURS[lane.number], "opacity": 0.35}
        figure.add_bar(x=places, y=shares, width=width * 0.86, marker=bars, showlegend=False, hoverinfo="skip")
        figure.add_scatter(
            x=places,
            y=shares,
            name=_name(lane),
            mode="markers+text" if len(lanes) <= 3 else "markers",
            marker={"symbol": SYMBOLS[lane.number], "size": 9, "color": COLOURS[lane.number]},
            text=["" if share is None else f"{100 * share:.0f}" for share in shares],
            textposition="top center",
            textfont={"size": 11},
            customdata=said,
            hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
        )
    ticks = [*map(_label, TESTED), _angles_label(lanes, "<br>")]
    figure.update_xaxes(tickvals=list(range(len(names))), ticktext=ticks, showgrid=False, tickangle=0)
    figure.update_xaxes(range=[-0.55, len(names) - 0.45], zeroline=False)
    _share_axis(figure, top=0.1)
    figure.update_yaxes(title="accuracy")
    return _framed(figure, _TALL_PX, barmode="overlay")


def by_angle(lanes: Sequence[Lane]) -> go.Figure:
    """Accuracy at each of 36 angles, of the last epoch tested there; 0° on top, counterclockwise; 100 % at the rim."""
    figure = go.Figure()
    for lane in lanes:
        epoch = lane.last_with_angles
        angles = () if epoch is None else epoch.angles or ()
        figure.add_scatterpolar(
            r=[*angles, *angles[:1]],
            theta=[*ANGLES_DEG, 0] if angles else [],
            name=_name(lane),
            mode="lines+markers",
            line=_stroke(lane),
            marker={"symbol": SYMBOLS[lane.number], "size": 4, "color": COLOURS[lane.number]},
            hovertemplate="⟲ %{theta}: %{r:.1%}<extra>%{fullData.name}</extra>",
        )
    figure.update_polars(
        radialaxis={
            "range": [0, 1],
            "tickformat": ".0%",
            "tickvals": [0.25, 0.5, 0.75, 1],
            "angle": 22.5,
            "tickangle": 22.5,
        },
        angularaxis={"rotation": 90, "direction": "counterclockwise", "dtick": 45, "ticksuffix": "°"},
    )
    return _framed(figure, _TALL_PX, margin={"l": 36, "r": 36, "t": 26, "b": 22})


def error_by_epoch(lanes: Sequence[Lane], layer: str) -> go.Figure:
    """The equivariance error at one layer, epoch by epoch, log axis; the grey band is rounding."""
    figure = go.Figure()
    for lane in lanes:
        known = [(epoch.epoch, epoch.errors[layer]) for epoch in lane.epochs if layer in epoch.errors]
        figure.add_scatter(
            **{**_line(lane), "x": [epoch for epoch, _ in known]},
            y=[max(error, _FLOOR) for _, error in known],
            customdata=[error for _, error in known],
            hovertemplate="epoch %{x}: %{customdata:.1e}<extra>%{fullData.name}</extra>",
        )
    figure.add_hrect(y0=_FLOOR / 3, y1=ROUNDING, fillcolor=shade(0.16), line_width=0, layer="below")
    figure.add_annotation(
        x=1,
        xref="paper",
        y=math.log10(ROUNDING),
        text="rounding",
        showarrow=False,
        xanchor="right",
        yanchor="top",
    )
    figure.update_yaxes(type="log", range=[math.log10(_FLOOR / 3), 1], exponentformat="power", dtick=2)
    figure.update_yaxes(title="relative error")
    return _by_epoch(figure, lanes, height_px=_MIDDLE_PX)


def error_map(lane: Lane, *, rows: int = 0) -> go.Figure:
    """The equivariance error of every layer (rows, the picture above) after every epoch (columns): grey is rounding.

    rows: for how many layers there is room, if more than there are.
    """
    names = layers_of([lane])
    errors = [[epoch.errors.get(name) for epoch in lane.epochs] for name in names]
    drawn = [[None if error is None else math.log10(max(error, _FLOOR)) for error in row] for row in errors]
    figure = go.Figure(
        go.Heatmap(
            x=[epoch.epoch for epoch in lane.epochs],
            y=list(range(len(names))),
            z=drawn,
            zmin=math.log10(_FLOOR),
            zmax=0,
            colorscale=_two_part_scale(),
            colorbar={
                "thickness": 10,
                "tickvals": list(_EXPONENTS),
                "ticktext": [f"10<sup>{exponent}</sup>" if exponent else "1" for exponent in _EXPONENTS],
            },
            xgap=1,
            ygap=1,
            customdata=[
                [
                    f"{name}, epoch {epoch.epoch}: {_number(error)}"
                    for epoch, error in zip(lane.epochs, row, strict=True)
                ]
                for name, row in zip(names, errors, strict=True)
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    step = -(-len(names) // _MOST_LABELS) or 1
    figure.update_yaxes(range=[max(len(names), 1) - 0.5, -0.5], tickvals=list(range(0, len(names), step)))
    figure.update_yaxes(ticktext=names[::step], tickfont_size=10)
    figure.update_yaxes(showgrid=False, zeroline=False)
    height_px = min(max(_ROW_PX * max(len(names), rows) + 60, 200), 520)
    _by_epoch(figure, [lane], height_px=height_px)
    return figure.update_xaxes(range=[-0.5, lane.recipe.epochs + 0.5], zeroline=False)


def losses(lanes: Sequence[Lane]) -> go.Figure:
    """The loss of the upright test pictures (with signs) and of the training pictures (thin), epoch by epoch."""
    figure = go.Figure()
    for lane in lanes:
        trained = [epoch for epoch in lane.epochs if epoch.train_loss is not None]
        hover = "epoch %{x}: %{y:.4g}<extra>%{fullData.name}</extra>"
        figure.add_scatter(
            x=[epoch.epoch for epoch in trained],
            y=[epoch.train_loss for epoch in trained],
            name=f"{_name(lane)}, training",
            mode="lines",
            line={**_stroke(lane), "width": 1},
            hovertemplate=hover,
        )
        figure.add_scatter(
            **{**_line(lane), "name": f"{_name(lane)}, test"},
            y=[epoch.test_loss for epoch in lane.epochs],
            hovertemplate=hover,
        )
    figure.update_yaxes(title="loss", rangemode="tozero")
    return _by_epoch(figure, lanes, height_px=_MIDDLE_PX)


def agreement(lanes: Sequence[Lane]) -> go.Figure:
    """The share of test pictures with the same answer at all four quarter turns, right or wrong, epoch by epoch."""
    figure = go.Figure()
    for lane in lanes:
        shares = [epoch.agreement for epoch in lane.epochs]
        figure.add_scatter(**_line(lane), y=shares, hovertemplate="epoch %{x}: %{y:.1%}<extra>%{fullData.name}</extra>")
    _share_axis(figure)
    return _by_epoch(figure, lanes, height_px=_MIDDLE_PX)


def layers_of(lanes: Iterable[Lane]) -> list[str]:
    """The layers whose error was measured, in the order of the network, LOGITS last; those of all lanes."""
    names = dict.fromkeys(name for lane in lanes for epoch in lane.epochs for name in epoch.errors)
    return [*(name for name in names if name != LOGITS), *([LOGITS] if LOGITS in names else [])]


def report(run: Run, title: str, epochs: Sequence[Epoch], *, command: str) -> str:
    """The report of one run as an HTML document that needs no other file, Plotly's script in it."""
    lane = Lane(title, 0, run.recipe, tuple(epochs))
    layers = layers_of([lane])
    drawn = {
        "Accuracy by transform, last epoch": (by_transform([lane]), "In percent; the angles are resampled."),
        "Accuracy by angle": (by_angle([lane]), "Counterclockwise, 100 % at the rim."),
        "Loss": (losses([lane]), "With marks: upright test pictures; thin: training."),
        "Same answer at all four turns": (agreement([lane]), "Share of the test pictures, right or wrong."),
        "Equivariance error": (error_map(lane), "By layer and epoch; grey is rounding, orange is above it."),
    }
    if LOGITS in layers:
        drawn["Equivariance error of the logits"] = (error_by_epoch([lane], LOGITS), "By epoch; the band is rounding.")
    shown = [
        Drawn(name, _fragment(figure, with_script=number == 0), words)
        for number, (name, (figure, words)) in enumerate(drawn.items())
    ]
    return report_html(run, title, epochs, shown, command=command)


# --------------------------------------------------------------------------------------------------------------- parts


def _fragment(figure: go.Figure, *, with_script: bool) -> str:
    """The figure on a white page, with Plotly's script before it if it is the first."""
    figure.update_layout(template="plotly_white", width=760)
    return str(
        figure.to_html(full_html=False, include_plotlyjs=with_script, config={"displaylogo": False, "responsive": True})
    )


def _line(lane: Lane) -> dict[str, Any]:
    return {
        "x": [epoch.epoch for epoch in lane.epochs],
        "name": _name(lane),
        "mode": "lines+markers",
        "line": _stroke(lane),
        "marker": {"symbol": SYMBOLS[lane.number], "size": 7, "color": COLOURS[lane.number]},
    }


def _name(lane: Lane) -> str:
    """Plotly reads some markup in names."""
    return escape(lane.title, quote=False)


def _stroke(lane: Lane) -> dict[str, Any]:
    return {"color": COLOURS[lane.number], "dash": DASHES[lane.number], "width": 2}


def _share_axis(figure: go.Figure, *, top: float = _GUESS) -> None:
    figure.update_yaxes(range=[-_GUESS if top == _GUESS else 0, 1 + top], tickformat=".0%", dtick=0.25, zeroline=False)


def _by_epoch(figure: go.Figure, lanes: Sequence[Lane], *, height_px: int = _SMALL_PX) -> go.Figure:
    """The whole range of epochs from the start, so that nothing moves while they come in."""
    most = max((lane.recipe.epochs for lane in lanes), default=1)
    figure.update_xaxes(title="epoch", range=[-0.03 * most, 1.03 * most], tickformat="d", nticks=min(most + 1, 7))
    figure.update_xaxes(showgrid=False, zeroline=False)
    return _framed(figure, height_px)


def _framed(figure: go.Figure, height_px: int, **layout: Any) -> go.Figure:
    """Runs are named above the figures, once for all of them."""
    return figure.update_layout(**{"margin": _MARGIN, "height": height_px, "showlegend": False, **layout})


def _two_part_scale() -> list[tuple[float, str]]:
    """Colours over decades with a step where rounding ends."""
    low = math.log10(_FLOOR)
    step = (math.log10(ROUNDING) - low) / -low
    return [(0.0, _ROUNDING[0]), (step, _ROUNDING[1]), (step, _BEYOND[0]), (1.0, _BEYOND[1])]


def _label(name: str) -> str:
    return name if name not in TESTED else label_of(name)


def _angles_label(lanes: Sequence[Lane], apart: str) -> str:
    """ "36 angles", and which epoch was tested there if not the last one."""
    tested = [(epoch, epoch is lane.last) for lane in lanes if (epoch := lane.last_with_angles) is not None]
    if all(is_last for _, is_last in tested):
        return "36 angles"
    epochs = {epoch.epoch for epoch, _ in tested}
    return f"36 angles{apart}of {f'epoch {epochs.pop()}' if len(epochs) == 1 else 'earlier epochs'}"


def _percent(share: float | None) -> str:
    return "not tested" if share is None else f"{share:.1%}"


def _number(error: float | None) -> str:
    return "no action" if error is None else f"{error:.1e}"
