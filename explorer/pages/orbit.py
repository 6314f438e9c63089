"""Orbit: the error for every transform at once, of up to four networks. Imports torch late, to open at once.

A run draws what is known and then measures for a moment; the next run draws again. So every control stays usable, and
a changed one, the Stop button, another page or a closed tab ends the work. What was measured is kept.
"""

import csv
import io
import time
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.pages.controls import linked
from explorer.pages.look_sheet import draw_chart
from explorer.pages.orbit_controls import View, controls
from explorer.pages.shared import expected_errors
from explorer.pages.trained import choose, chosen, plain_beside
from explorer.transforms import transform_label
from models.catalog import GROUPS
from models.groups import Element

_LOOK = Path(__file__).with_name("look.py")
_BETWEEN_UPDATES_S = 0.2
_LOGITS = "logits"
_READING = (
    "● Filled signs: turns and mirrors that move pixels to pixels. They alone decide whether a network is exact; an "
    "exact one stays in the grey disc of rounding.",
    "○ Open signs: all other angles **resample** the picture (bilinear) and are compared inside the disc that fits it. "
    "Even a perfect network shows an error there, for the turned picture has lost detail. The grey line shows what "
    "resampling costs the picture itself, turned there and back: a yardstick, no bound.",
    "✕ Crosses at the rim: **no action**. The group of the network says nothing about this angle at this layer (45° on "
    "a layer of C4), so there is nothing to compare. Plain networks and pooled logits are compared everywhere.",
    "Another size changes the picture's own pixels: lines of different sizes compare networks on pictures that are "
    "alike, not the same.",
)


def page() -> None:
    """The whole page, top to bottom."""
    _open_what_was_asked_for()
    st.markdown("### Orbit: the error for every transform at once")
    view = controls()
    status = st.empty()
    status.caption(f"Starting: {view.network.name} …")
    if not view.roles:
        status.caption("No network is switched on: choose one above.")
        return
    with expected_errors():
        live = _computing()
        layer, shift_layer = _layer_control(live, view)
        work = live.work_of(view, layer, shift_layer)
        if not work.orbit.variants:
            status.caption(f"There is no such network beside {view.network.name}: choose another one above.")
            return
        progress = _progress(status, work)
        _draw(live, work)
        if work.left and not _is_stopped(work):
            _measure(live, work, progress)
            st.rerun()


def _computing() -> ModuleType:
    """What measures: torch takes seconds to import, so it comes after all that can be shown without."""
    from explorer.pages import orbit_live

    return orbit_live


def _measure(live: ModuleType, work: Any, place: DeltaGenerator) -> None:
    """Measure for a moment; each message lets Streamlit end the run."""
    last_s = 0.0

    def progress(fraction: float) -> None:
        nonlocal last_s
        if time.monotonic() - last_s > _BETWEEN_UPDATES_S:
            last_s = time.monotonic()
            place.progress(min(fraction, 1.0), text=_state(work))

    live.measure_some(work, progress)


def _layer_control(live: ModuleType, view: View) -> tuple[str, str]:
    """The layer of the plots, and that of the shifts."""
    names, first = live.layers_of(view)
    if st.session_state.get("layer_of_orbit") not in names:  # of another network, or of an old link
        st.session_state.pop("layer_of_orbit", None)
    left, right = st.columns([2, 1])
    layer = left.selectbox(
        "Layer",
        names,
        index=first,
        help="Where errors are compared, beside the logits. At first, a layer that breaks by itself.",
        key="layer_of_orbit",
    )
    where = right.segmented_control(
        "Shifts at",
        ("layer", _LOGITS),
        default="layer",
        required=True,
        help="At the layer: its error. At the logits: how much they change.",
        **linked("shifts"),
    )
    return str(layer), _LOGITS if where == _LOGITS else str(layer)


# ------------------------------------------------------------------------------------------------------------ progress


def _progress(status: DeltaGenerator, work: Any) -> DeltaGenerator:
    """The progress bar with Stop or Continue beside it; one line when all is measured."""
    if not work.left:
        count = len(work.view.pictures)
        done = status.container(key="orbit-done")
        done.caption(f"All transforms are measured, on {count} picture{'s' * (count > 1)}.")
        return status
    is_stopped = _is_stopped(work)
    with status.container(horizontal=True, vertical_alignment="center"):
        progress = st.empty()
        progress.progress(work.fraction, text=f"Stopped: {_state(work)}" if is_stopped else _state(work))
        label, icon = ("Continue", "play_arrow") if is_stopped else ("Stop", "stop")
        st.button(
            label,
            key="orbit-stop-or-continue",
            icon=f":material/{icon}:",
            on_click=_set_stopped,
            args=(None if is_stopped else _subject(work),),
            help="What was measured is kept.",
        )
    return progress


def _state(work: Any) -> str:
    return f"{len(work.found)} of {len(work.found) + len(work.left)} batches of transforms are measured"


def _subject(work: Any) -> str:
    return repr((work.view, work.layer, work.shift_layer))


def _is_stopped(work: Any) -> bool:
    """Whether the visitor stopped this very work; any change goes on measuring."""
    return bool(st.session_state.get("orbit-stopped") == _subject(work))


def _set_stopped(subject: str | None) -> None:
    st.session_state["orbit-stopped"] = subject


# --------------------------------------------------------------------------------------------------------------- parts


def _draw(live: ModuleType, work: Any) -> None:
    _polar_plots(live, work)
    _turned_picture(live, work)
    _shifts(live, work)
    _links(live, work)


def _polar_plots(live: ModuleType, work: Any) -> None:
    kind = "mirrored turn" if work.view.with_mirror else "turn"
    for column, layer in zip(st.columns(2), (work.layer, _LOGITS), strict=True):
        with column:
            st.markdown(
                f"**Error by {kind}: {layer}**" if layer == _LOGITS else f"**Error by {kind}:** `{layer}`",
                help="‖Φ(g·x) − ρ(g)Φ(x)‖ / ‖Φ(x)‖ for every angle, 0° on top, counterclockwise as the picture turns.",
            )
            draw_chart(live.polar_chart(work, layer), key=f"polar-{layer == _LOGITS}")
            st.markdown("**Mirrors**", help="The same for the four mirrors that move pixels to pixels.")
            draw_chart(live.mirrors_chart(work, layer), key=f"mirrors-{layer == _LOGITS}")
    for variant in work.orbit.variants:
        if not _has_layer(work, variant):
            st.caption(f"{variant.title} has no layer {work.layer}: it is compared at the logits alone.")
    if len(work.view.pictures) > 1:
        st.caption(f"Mean over {len(work.view.pictures)} pictures; bands and bars go from the smallest to the largest.")
    with st.expander("How to read the polar plots", expanded=True):
        st.markdown("\n\n".join(_READING))


def _has_layer(work: Any, variant: Any) -> bool:
    """Whether the network has the chosen layer, as far as is known."""
    return all(work.layer in errors.rows for batch, errors in work.found if batch.variant == variant)


def _turned_picture(live: ModuleType, work: Any) -> None:
    step_deg = work.view.step_deg
    st.markdown("**The picture turns along**", help="One transform: what the networks are given, and what they answer.")
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


def _pictures(shown: Any, element: Element) -> None:
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


def _answers(shown: Any, element: Element) -> list[str]:
    if element.is_identity:
        return ["The upright picture itself."]
    return [
        f"- {title}: class {upright} upright, class {moved} transformed: "
        f"**{'the same' if upright == moved else 'another'}**; the logits change by {change:.1e}"
        for title, upright, moved, change in shown.answers
    ] or ["Not measured yet."]


def _shifts(live: ModuleType, work: Any) -> None:
    st.markdown(
        f"**Shifts:** `{work.shift_layer}`",
        help="Whole pixels; vacated ones are black. Compared where the border does not reach.",
    )
    if work.shift_layer == _LOGITS:
        st.caption(
            "The logits have no pixels, so no shift acts on them and nothing says what they should be. Shown is how "
            "much they change, ‖f(g·x) − f(x)‖ / ‖f(x)‖, with what leaves the picture and the black that enters."
        )
    else:
        st.caption(
            "A layer that keeps every n-th pixel can be compared for shifts by multiples of n in both directions; "
            "for all others, and where the border reaches every pixel, there is no action (✕)."
        )
    charts = live.shift_charts(work)
    for number, (column, (variant, chart)) in enumerate(zip(st.columns(len(charts)), charts, strict=True)):
        with column:
            st.markdown(variant.title)
            draw_chart(chart, key=f"orbit-shifts-{number}")
            st.caption(chart.alt.partition(": ")[2])


# --------------------------------------------------------------------------------------------------------------- links


def _links(live: ModuleType, work: Any) -> None:
    with st.container(horizontal=True):
        with st.popover("Copy as command", icon=":material/terminal:", help="The same numbers in a terminal."):
            st.caption("For the picture shown; one command for turns and mirrors, one for shifts, of each network.")
            for variant in work.orbit.variants:
                for names in (_turn_names(live, work), work.planned_shifts[variant]):
                    if names:
                        command = work.view.command(variant.network, variant.size_px, list(names))
                        st.code(command, language="bash", wrap_lines=True)
            if work.view.gallery is None:
                st.caption("Put the path of your picture in the place of PICTURE.")
        with st.popover("Share link", icon=":material/link:", help="An address that opens this view."):
            st.caption("The address bar holds this view, but for the layer; uploads are not part of it.")
            pairs = [(key, value) for key in st.query_params for value in st.query_params.get_all(key)]
            st.code(f"{st.context.url}?{urlencode(pairs)}", language=None, wrap_lines=True)
        st.download_button(
            "Download as CSV",
            _csv(live.rows_of(work)),
            f"orbit-{work.view.network.name}-{work.view.size_px}px.csv",
            "text/csv",
            icon=":material/download:",
            help="The errors of turns and mirrors with all digits.",
        )
        for variant in work.orbit.variants:
            st.button(
                f"Look at {variant.title}",
                on_click=_ask_for_look,
                args=(variant,),
                icon=":material/visibility:",
                help="Opens this network on the Look page.",
            )


def _turn_names(live: ModuleType, work: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(element.name for element in work.orbit.turns), *live.MIRRORS)))


def _ask_for_look(variant: Any) -> None:
    st.session_state["look-at"] = variant


def _open_what_was_asked_for() -> None:
    """Go to Look with the network whose button was pressed; its controls are set before any of them is drawn."""
    variant = st.session_state.pop("look-at", None)
    if variant is None:
        return
    network = variant.network
    trained = plain_beside(chosen()) if variant.role == "plain" else None
    if trained is not None:
        choose(trained.key)
    values = {"group": GROUPS[network.group].title, "size": variant.size_px, "subsampling": network.subsampling}
    st.session_state.update(values | {"oblong": False})
    st.switch_page(_LOOK, query_params={"only": network.only[0]} if network.only else {})


def _csv(rows: list[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


page()
