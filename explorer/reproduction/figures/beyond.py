"""Mending with its controls over the steps of fine-tuning, and the error that each head unlearns, epoch by epoch."""

from collections.abc import Sequence

import plotly.graph_objects as go

from explorer.reproduction.beyond import HEAD_CASES, HEADS, TREATMENTS, tuned_case
from explorer.reproduction.figures.looks import (
    APPROXIMATE,
    BLURRED,
    EXACT,
    MAXIMUM_FIRST,
    MENDED,
    NO_POOLING,
    Look,
)
from explorer.reproduction.figures.parts import FAINT, framed, line_of, marker_of
from explorer.reproduction.results import Results
from explorer.reproduction.studies import MENDED_PX, TUNING_STEPS

_LOOKS = {"mended-29": MENDED, "as-it-was-29": APPROXIMATE, "blurred-28": BLURRED}
_HEAD_LOOKS = dict(zip(HEADS, (APPROXIMATE, MAXIMUM_FIRST, NO_POOLING), strict=True))
_STEPS = (0, *TUNING_STEPS)
_AS_TRAINED = -1  # where the weights stand before anything is changed


def tuning(results: Results, measure: str) -> go.Figure:
    """Accuracy at one of MEASURES as trained, at once, and after steps of fine-tuning: seeds as dots, means joined."""
    figure = go.Figure()
    for treatment, (title, base) in TREATMENTS.items():
        look, x, means = _LOOKS[treatment], list[int | None](), list[float | None]()
        for place, steps in enumerate((_AS_TRAINED, *_STEPS)):
            case = base if steps == _AS_TRAINED else tuned_case(treatment, steps)
            if steps == 0 and treatment == "as-it-was-29":
                continue
            key, is_first = (case, False) if isinstance(case, str) else case
            values = results.percents(key, measure, first=is_first)
            if not values or not any(f"tuned/{treatment}" in name for name in results.cases):
                continue
            x.append(place)
            means.append(sum(values) / len(values))
            before = EXACT if treatment == "blurred-28" else APPROXIMATE
            _dots(figure, place, values, before if steps == _AS_TRAINED else look)
        figure.add_scatter(
            x=x or [None],
            y=means or [None],
            name=f"{title}, {treatment[-2:]} px",
            mode="lines+markers",
            line=line_of(look),
            marker=marker_of(look, 9),
            hovertemplate="mean %{y:.2f} %<extra>%{fullData.name}</extra>",
        )
    ticks = ["as trained", "at once", *(f"{steps}" for steps in TUNING_STEPS)]
    figure.update_xaxes(tickvals=list(range(len(ticks))), ticktext=ticks, title="steps of fine-tuning", showgrid=False)
    figure.update_xaxes(range=[-0.3, len(ticks) - 0.7], zeroline=False)
    figure.update_yaxes(title="accuracy (%)", gridcolor=FAINT)
    return framed(figure, 300)


def head_errors(results: Results, layer: str) -> go.Figure:
    """The relative error of a layer by epoch: a thin line for each seed, a bold one for the mean of each head."""
    figure = go.Figure()
    for head in HEADS:
        look = _HEAD_LOOKS[head]
        runs = list(results.cases.get(HEAD_CASES[head, MENDED_PX], {}).values())
        curves = [run.errors[layer] for run in runs if layer in run.errors]
        if not curves or len({len(curve) for curve in curves}) != 1:
            continue
        epochs = [epoch for epoch, _, _ in runs[0].curve]
        for curve in curves if len(curves) > 1 else []:
            figure.add_scatter(
                x=epochs,
                y=curve,
                mode="lines",
                line={"color": look.colour, "width": 1},
                opacity=0.3,
                showlegend=False,
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=epochs,
            y=[sum(values) / len(values) for values in zip(*curves, strict=True)],
            name=head,
            mode="lines+markers",
            line=line_of(look),
            marker=marker_of(look, 9),
            hovertemplate="epoch %{x}: %{y:.2g}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="epoch", showgrid=False)
    figure.update_yaxes(title="relative error", gridcolor=FAINT, rangemode="tozero")
    return framed(figure, 300)


def _dots(figure: go.Figure, place: int, values: Sequence[float], look: Look) -> None:
    figure.add_scatter(
        x=[place] * len(values),
        y=list(values),
        mode="markers",
        marker=marker_of(look, 7, 0.45),
        showlegend=False,
        hovertemplate="%{y:.2f} %<extra></extra>",
    )
