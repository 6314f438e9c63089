"""The charts of the runs that are shown, with their words. Imports no torch."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape

import streamlit as st

from equivariance.groups.transforms import label_of
from equivariance.largest import largest_of
from explorer.figures import training as figures
from explorer.figures.training import COLOURS, DASHES, LOGITS, ROUNDING, UNSEEN, Lane
from explorer.pages.session.shared import plain
from explorer.pages.widgets.charts import Chart, chart_of, draw_chart
from explorer.training.metrics import TESTED, TURNS
from models.catalog import GROUPS

_PANELS = (*TURNS, "mirror", UNSEEN)
_KEPT, _LAYER = "train_charts", "train_layer"
_KINDS = {"exact": ":green[●] exact", "approximate": ":orange[◐] approximate", "plain": ":red[○] plain"}
# Paths about 0, 0: what Plotly draws for its symbols, as large.
_SIGNS = {
    "circle": "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0",
    "diamond": "M0,-5.2L5.2,0L0,5.2L-5.2,0Z",
    "square": "M-4,-4H4V4H-4Z",
    "triangle-up": "M0,-5L4.6,3.4H-4.6Z",
    "cross": "M-1.6,-4.6H1.6V-1.6H4.6V1.6H1.6V4.6H-1.6V1.6H-4.6V-1.6H-1.6Z",
    "star": "M0,-5.4L1.4,-1.6L5.2,-1.6L2.2,0.8L3.3,4.6L0,2.3L-3.3,4.6L-2.2,0.8L-5.2,-1.6L-1.4,-1.6Z",
}
_STROKES = {
    "solid": "",
    "dash": "6 4",
    "dot": "2 3",
    "longdash": "10 4",
    "dashdot": "6 3 2 3",
    "longdashdot": "10 3 2 3",
}


def kind_of(lane: Lane) -> str:
    """ "exact", "approximate" or "plain", as measured in the last epoch; empty before there is one."""
    if lane.last is None:
        return ""
    if GROUPS[lane.recipe.network_spec(2).group].filters == "plain":
        return "plain"
    return "exact" if (largest_of(lane.last.errors.values()) or 0.0) <= ROUNDING else "approximate"


def kind_words(lane: Lane) -> str:
    """The same with its sign and colour, as Markdown."""
    return _KINDS.get(kind_of(lane), "")


def sign_of(number: int) -> str:
    """The line and the mark of a run in the charts, as an HTML image."""
    colour = COLOURS[number]
    path = _SIGNS[figures.SYMBOLS[number]]
    dashes = _STROKES[DASHES[number]]
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="34" height="12" viewBox="-17 -6 34 12">'
        f'<path d="M-17,0H17" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}" fill="none"/>'
        f'<path d="{path}" fill="{colour}"/></svg>'
    )
    address = f"data:image/svg+xml;base64,{b64encode(drawing.encode()).decode()}"
    return f'<img src="{address}" alt="" aria-hidden="true" width="34" height="12" style="vertical-align: -1px">'


def legend(lanes: Sequence[Lane]) -> None:
    """Which line is which run, once for all charts."""
    entries = "".join(
        f'<span style="white-space: nowrap">{sign_of(lane.number)} {escape(lane.title)}</span>' for lane in lanes
    )
    st.html(f'<div style="display: flex; flex-wrap: wrap; gap: 2px 20px; font-size: 0.9rem">{entries}</div>')


def draw_runs(lanes: Sequence[Lane]) -> None:
    """All charts of the runs; those of earlier epochs stay where they are, with the zoom they have."""
    st.markdown(
        "**Accuracy by epoch**",
        help="Of the test pictures, upright, turned and mirrored; epoch 0 is before training. Networks that are not "
        "exact lose what they have learned upright when the picture is turned. Drag across a chart to zoom, "
        "double-click to zoom out.",
    )
    legend(lanes)
    charts = _charts(lanes)
    for row in (_PANELS[:3], _PANELS[3:]):
        for column, name in zip(st.columns(3), row, strict=True):
            with column:
                st.caption(_label(name))
                draw_chart(charts[f"accuracy-{name}"], key=f"train-accuracy-{name}")
    left, right = st.columns([3, 2])
    with left:
        st.markdown(
            "**Accuracy by transform, last epoch**",
            help="The mean over 36 angles includes angles that resample the picture; it is from the last epoch that "
            "was tested at these angles, which may be an earlier one.",
        )
        draw_chart(charts["transforms"], key="train-transforms")
    with right:
        st.markdown(
            "**Accuracy by angle**",
            help="Counterclockwise, with 100 % at the rim, for the last epoch that was tested at these angles. Angles "
            "other than quarter turns resample the picture.",
        )
        draw_chart(charts["angles"], key="train-angles")
    left, middle, right = st.columns(3)
    with left:
        _draw_layer(lanes)
    with middle:
        st.markdown("**Loss**", help="Lines with marks: upright test pictures. Thin lines: training pictures.")
        draw_chart(charts["losses"], key="train-losses")
    with right:
        st.markdown(
            "**Same answer at all four turns**",
            help="The share of test pictures that get the same answer, right or wrong, at all four quarter turns.",
        )
        draw_chart(charts["agreement"], key="train-agreement")
    st.markdown(
        "**Equivariance error by layer and epoch**", help="One row per layer. Grey is rounding, orange is above it."
    )
    for start in range(0, len(lanes), 3):
        for column, lane in zip(st.columns(3), lanes[start : start + 3], strict=False):
            with column:
                st.caption(plain(lane.title))
                draw_chart(charts[f"map-{lane.number}"], key=f"train-map-{lane.number}")


def draw_figures_of_last(lanes: Sequence[Lane]) -> None:
    """What can be drawn where only the last epoch is known."""
    legend(lanes)
    charts = _drawn(lanes)
    left, right = st.columns([3, 2])
    with left:
        st.markdown("**Accuracy by transform**")
        draw_chart(charts["transforms"], key="train-transforms")
    with right:
        st.markdown("**Accuracy by angle**")
        draw_chart(charts["angles"], key="train-angles")


def _draw_layer(lanes: Sequence[Lane]) -> None:
    """The error of a layer that the visitor chooses."""
    layers = figures.layers_of(lanes) or [LOGITS]
    if st.session_state.get(_LAYER) not in (None, *layers):
        del st.session_state[_LAYER]
    layer = st.session_state.get(_LAYER, LOGITS if LOGITS in layers else layers[0])
    st.markdown(
        "**Equivariance error**",
        help="‖Φ(g·x) − ρ(g)Φ(x)‖ / ‖Φ(x)‖ at the layer Φ chosen below: the largest over the group's quarter turns "
        "and mirrors, averaged over a few test pictures. Training makes the error of an approximate network grow.",
    )
    said = "; ".join(
        f"{lane.title}: {lane.last.errors[layer]:.1e}" for lane in lanes if lane.last and layer in lane.last.errors
    )
    words = f"Equivariance error at {layer} by epoch. Last: {said or 'nothing yet'}."
    draw_chart(chart_of(figures.error_by_epoch(lanes, layer), words), key="train-error")
    st.selectbox(
        "Layer",
        layers,
        index=layers.index(layer),
        key=_LAYER,
        help="Shows the error of this layer, epoch by epoch, for all runs above.",
    )


# --------------------------------------------------------------------------------------------------------------- parts


def _charts(lanes: Sequence[Lane]) -> dict[str, Chart]:
    """All charts but the chosen layer's, kept until there is another epoch: making them takes a tenth of a second."""
    state = tuple((lane.title, lane.number, lane.recipe, lane.epochs) for lane in lanes)
    kept_state, charts = st.session_state.get(_KEPT, (None, {}))
    if kept_state != state:
        charts = _drawn(lanes)
        st.session_state[_KEPT] = (state, charts)
    return charts


def _drawn(lanes: Sequence[Lane]) -> dict[str, Chart]:
    panels = {
        f"accuracy-{name}": chart_of(figures.accuracy(lanes, name), _accuracy_words(lanes, name)) for name in _PANELS
    }
    maps = {
        f"map-{lane.number}": chart_of(figures.error_map(lane, rows=len(figures.layers_of(lanes))), _map_words(lane))
        for lane in lanes
    }
    return {
        **panels,
        **maps,
        "transforms": chart_of(figures.by_transform(lanes), _transform_words(lanes)),
        "angles": chart_of(figures.by_angle(lanes), _angle_words(lanes)),
        "losses": chart_of(figures.losses(lanes), _words(lanes, "Loss of the test pictures", "test_loss", "{:.3f}")),
        "agreement": chart_of(
            figures.agreement(lanes), _words(lanes, "Same answer at all four turns", "agreement", "{:.1%}")
        ),
    }


def _label(name: str) -> str:
    return "mean of 90°, 180° and 270°" if name == UNSEEN else label_of(name)


def _accuracy_words(lanes: Sequence[Lane], name: str) -> str:
    said = [
        f"{lane.title}: {figures.accuracy_of(lane.last, name):.1%} after epoch {lane.last.epoch}"
        for lane in lanes
        if lane.last
    ]
    return f"Accuracy by epoch, {_label(name)}. {'; '.join(said) or 'Nothing yet'}."


def _transform_words(lanes: Sequence[Lane]) -> str:
    said = [
        f"{lane.title}: {', '.join(f'{label_of(name)} {lane.last.accuracy[name]:.1%}' for name in TESTED)}"
        for lane in lanes
        if lane.last
    ]
    return f"Accuracy by transform. {'; '.join(said) or 'Nothing yet'}."


def _angle_words(lanes: Sequence[Lane]) -> str:
    tested = [(lane, lane.last_with_angles) for lane in lanes]
    said = [
        f"{lane.title}: mean {epoch.angles_accuracy or 0:.1%}, from {min(epoch.angles or [0]):.1%} to "
        f"{max(epoch.angles or [0]):.1%}"
        for lane, epoch in tested
        if epoch is not None
    ]
    return f"Accuracy at 36 angles. {'; '.join(said) or 'Not tested yet'}."


def _map_words(lane: Lane) -> str:
    if lane.last is None or not lane.last.errors:
        return f"Equivariance error of {lane.title} by layer and epoch. Nothing yet."
    largest = largest_of(lane.last.errors.values())
    name = next(name for name, error in lane.last.errors.items() if error is largest)
    return (
        f"Equivariance error of {lane.title} by layer and epoch. Largest after epoch {lane.last.epoch}: "
        f"{largest:.1e} at {name}."
    )


def _words(lanes: Sequence[Lane], what: str, name: str, form: str) -> str:
    said = [f"{lane.title}: {form.format(getattr(lane.last, name))}" for lane in lanes if lane.last]
    return f"{what} by epoch. {'; '.join(said) or 'Nothing yet'}."
