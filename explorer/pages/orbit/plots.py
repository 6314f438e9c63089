"""The plots of the Orbit page: polar plots and mirrors, the picture that turns along, and shifts. Imports torch."""

import streamlit as st

from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import transform_label
from explorer.pages.orbit import live
from explorer.pages.orbit.live import OrbitWork, Turned
from explorer.pages.widgets.charts import draw_chart
from explorer.pages.widgets.controls import linked
from explorer.studies.orbit import LOGITS, Variant

_READING = (
    "● Filled signs: turns and mirrors that move pixels to pixels. Only these decide whether a network is exact; an "
    "exact network stays in the grey disc of rounding.",
    "○ Open signs: all other angles **resample** the picture (bilinear) and are compared inside the disc that fits it. "
    "Even a perfect network shows an error there, because the turned picture has lost detail. The grey line shows "
    "what resampling costs the picture itself, turned there and back: a yardstick, not a bound.",
    "✕ Crosses at the rim: **no action**. The group of the network says nothing about this angle at this layer (45° on "
    "a layer of C4), so there is nothing to compare. Plain networks and pooled logits are compared everywhere.",
    "Another size changes the picture's own pixels: lines for different sizes compare networks on pictures that are "
    "similar, not identical.",
)


def polar_plots(work: OrbitWork) -> None:
    """Polar plot and mirrors of the chosen layer and of the logits, and how to read them."""
    kind = "mirrored turn" if work.view.with_mirror else "turn"
    for column, layer in zip(st.columns(2), (work.layer, LOGITS), strict=True):
        with column:
            st.markdown(
                f"**Error by {kind}: {layer}**" if layer == LOGITS else f"**Error by {kind}:** `{layer}`",
                help="‖Φ(g·x) − ρ(g)Φ(x)‖ / ‖Φ(x)‖ for every angle, 0° on top, counterclockwise as the picture turns.",
            )
            draw_chart(live.polar_chart(work, layer), key=f"polar-{layer == LOGITS}")
            st.markdown("**Mirrors**", help="The same for the four mirrors that move pixels to pixels.")
            draw_chart(live.mirrors_chart(work, layer), key=f"mirrors-{layer == LOGITS}")
    for variant in work.orbit.variants:
        if not _has_layer(work, variant):
            st.caption(f"{variant.title} has no layer {work.layer}: it is compared at the logits alone.")
    if len(work.view.pictures) > 1:
        st.caption(f"Mean over {len(work.view.pictures)} pictures; bands and bars go from the smallest to the largest.")
    with st.expander("How to read the polar plots", expanded=True):
        st.markdown("\n\n".join(_READING))


def _has_layer(work: OrbitWork, variant: Variant) -> bool:
    """Whether the network has the chosen layer, as far as is known."""
    return all(work.layer in errors.rows for batch, errors in work.found if batch.variant == variant)


def turned_picture(work: OrbitWork) -> None:
    """One turn: the picture, what each network answers, and the logits."""
    step_deg = work.view.step_deg
    st.markdown("**The picture turns along**", help="One transform: what the networks are given, and how they answer.")
    left, right = st.columns([2, 3])
    with left:
        angle_deg = st.slider(
            "Turn (°)",
            0,
            355,
            90,
            step=5,
            help="Counterclockwise, to the nearest angle of the plot; mirrored first if the plot is of mirrored turns.",
            **linked("turn"),
        )
        element = Element(round(angle_deg / step_deg) * step_deg, work.view.with_mirror)
        shown = live.turned(work, element)
        _pictures(shown, element)
        for sentence in _answers(shown, element):
            st.markdown(sentence)
    with right:
        if shown.logits is not None:
            st.markdown(f"Logits of {work.orbit.variants[0].title}")
            draw_chart(shown.logits, key="orbit-logits")


def _pictures(shown: Turned, element: Element) -> None:
    """Upright and transformed, side by side, every pixel a square."""
    disc = "" if element.moves_pixels else ", inside the disc"
    figures = "".join(
        f'<figure style="margin:0;flex:1;max-width:14rem"><img src="data:image/png;base64,{png}" alt="{words}" '
        f'aria-label="{words}" style="width:100%;image-rendering:pixelated;display:block"><figcaption>{words}'
        "</figcaption></figure>"
        for png, words in (
            (shown.upright_png, f"upright{disc}"),
            (shown.turned_png, f"{transform_label(element)}{disc}"),
        )
    )
    st.html(f'<div style="display:flex;gap:1rem">{figures}</div>')


def _answers(shown: Turned, element: Element) -> list[str]:
    if element.is_identity:
        return ["The upright picture itself."]
    return [
        f"- {title}: class {upright} upright, class {moved} transformed: "
        f"**{'the same' if upright == moved else 'another'}**; the logits change by {change:.1e}"
        for title, upright, moved, change in shown.answers
    ] or ["Not measured yet."]


def shifts(work: OrbitWork) -> None:
    """The errors of shifts, a map for each network."""
    st.markdown(
        f"**Shifts:** `{work.shift_layer}`",
        help="Shifts by whole pixels; vacated pixels are black. Maps are compared where the border has no influence.",
    )
    if work.shift_layer == LOGITS:
        st.caption(
            "The logits have no pixels, so no shift acts on them and nothing says what they should be. The plot shows "
            "how much they change, ‖f(g·x) − f(x)‖ / ‖f(x) − mean f(x)‖, which includes what leaves the picture and "
            "the black that enters."
        )
    else:
        st.caption(
            "A layer that keeps every n-th pixel can be compared for shifts by multiples of n in both directions; for "
            "all other shifts, and where the border influences every pixel, there is no action (✕)."
        )
    charts = live.shift_charts(work)
    for number, (column, (variant, chart)) in enumerate(zip(st.columns(len(charts)), charts, strict=True)):
        with column:
            st.markdown(variant.title)
            draw_chart(chart, key=f"orbit-shifts-{number}")
            st.caption(chart.alt.partition(": ")[2])
