"""Look: choose a network, a size and a transform; see the maps, the error and the verdict."""

import csv
import hashlib
import io
import secrets
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import numpy as np
import streamlit as st
from torch import Tensor

from explorer.engine import Inspection
from explorer.exactness import Prediction, predict
from explorer.figures import error_per_layer, label_of, large_map, logits_bars
from explorer.images import Picture
from explorer.packing import View as PackedView
from explorer.packing import pack_view
from explorer.pages.layer_view import Enlarge, layer_view, requested
from explorer.pages.look_controls import View, controls, request_for
from explorer.pages.shared import engine, expected_errors, visitor
from explorer.transforms import parse
from explorer.verdict import ROUNDING_LEVEL, explain, size_text
from models.catalog import GROUPS
from models.groups import Element

_SIGNS = {"exact": ":green[●]", "approximate": ":orange[◐]", "not equivariant": ":red[○]"}


def page() -> None:
    """The whole page, top to bottom."""
    view, near_size = controls()
    size = size_text(view.height_px, view.width_px)
    with expected_errors(), near_size, st.spinner(f"Measuring at {size}: any change stops it.", show_time=True):
        st.session_state["shown"] = _show(view)
    shown: Shown | None = st.session_state.get("shown")
    if shown is None:
        return
    if shown.view is not view:
        st.caption(f"Below: the last view that worked, {size_text(shown.view.height_px, shown.view.width_px)}.")
    near_size.caption(_exact_sizes(shown.inspection.prediction))
    _verdict(shown.view, shown.inspection)
    _layers(shown)
    _charts(shown.inspection)
    _links(shown.view)
    if len(shown.view.pictures) > 1:
        _table(shown.view)


# -------------------------------------------------------------------------------------------------------- measurement


@dataclass(frozen=True)
class Shown:
    """What a view shows: the numbers, and the maps of one layer as the browser takes them."""

    view: View
    inspection: Inspection
    payload: bytes


def _show(view: View) -> Shown:
    served = engine().served(view.network, view.seed, view.dtype)
    recorded = served.structure.trace(height_px=view.height_px, width_px=view.width_px)
    layer = _chosen_layer([call.name for call in recorded.calls], view)
    asked = requested("layers")
    first_field = asked.first_field if asked.layer == layer else 0
    inspection, payload = _inspection(_key(view), layer, first_field, view)
    return Shown(view, inspection, payload)


@st.cache_resource(max_entries=8, show_spinner=False)
def _inspection(key: tuple[object, ...], layer: str, first_field: int, _view: View) -> tuple[Inspection, bytes]:
    """The inspection without the maps of `layer`, which may be many times as large as the payload made of them."""
    request = request_for(_view, maps_of=layer)
    inspection = engine().inspect(request, owner=visitor())
    payload = _payload(key, first_field, _view, inspection, request.picture)
    return replace(inspection, measurement=replace(inspection.measurement, maps=None)), payload


def _key(view: View, picture: Picture | None = None) -> tuple[object, ...]:
    """What the numbers of a view depend on, for its own picture or another one."""
    names = tuple(transform.name for transform in view.extra)
    return (
        repr(view.network),
        view.seed,
        view.dtype,
        (picture or view.picture).sha256,
        view.height_px,
        view.width_px,
        view.how,
        names,
    )


def _chosen_layer(names: list[str], view: View) -> str:
    """The layer that the visitor chose, if the network has it; else the first that breaks, or would at other sizes."""
    wanted = requested("layers").layer or st.query_params.get("layer")
    if wanted in names:
        return str(wanted)
    structure = engine().served(view.network, view.seed, view.dtype).structure
    prediction = predict(structure, height_px=view.height_px, width_px=view.width_px)
    strided = (layer for layer in prediction.layers if layer.stride is not None and max(layer.stride) > 1)
    first = prediction.first_broken_layer or next(strided, None)
    return names[0] if first is None else first.name


# --------------------------------------------------------------------------------------------------------------- parts


def _verdict(view: View, inspection: Inspection) -> None:
    verdict = inspection.verdict
    with st.container(border=True):
        st.markdown(f"### {_SIGNS[verdict.kind]} {verdict.headline}")
        st.markdown(verdict.reason.replace("#", "\\#"))
        for name in verdict.disagreements:
            st.error(
                f"Theory calls {label_of(name)} exact and the measurement finds an error of "
                f"{inspection.measurement.largest_error(name):.1e}: a bug or a discovery. Please report it."
            )
        if verdict.unseen:
            shown = ", ".join(label_of(name) for name in verdict.unseen)
            st.info(f"This picture does not show the break under {shown}: it may be symmetric itself. Try another one.")
        with st.container(horizontal=True, vertical_alignment="center"):
            _size_buttons(view, inspection)
            with st.popover("What am I looking at?", icon=":material/help:"):
                for sentence in explain(view.network, inspection.prediction, inspection.measurement, verdict):
                    st.markdown(sentence)
            st.space("stretch")
            measured = f"{inspection.measurement.dtype} · {inspection.elapsed_s * 1000:.0f} ms"
            st.caption(f"{inspection.device} · {measured}", width="content")


def _size_buttons(view: View, inspection: Inspection) -> None:
    prediction, square = inspection.prediction, view.width_px == view.height_px
    choices = [("size", side) for side in prediction.exact_heights_px if square or not prediction.height_is_exact]
    if not square and not prediction.width_is_exact:
        choices += [("width", side) for side in prediction.exact_widths_px]
    for key, side in choices:
        if side is not None and side <= engine().settings.max_size_px:
            axis = "" if view.width_px == view.height_px else (" high" if key == "size" else " wide")
            st.button(
                f"{side} px{axis}: exact",
                key=f"exact-{key}-{side}",
                on_click=_set,
                args=(key, side),
                help="The nearest size at which every sampling grid is centred.",
            )


def _exact_sizes(prediction: Prediction) -> str:
    """Which sizes near this one are exact, with a dot as sign."""
    if prediction.verdict == "not equivariant":
        return "No size is exact for this network."
    this = [prediction.height_px] if prediction.height_is_exact else []
    near = sorted(side for side in (*prediction.exact_heights_px, *this) if side is not None)
    sides = [side for side in near if side <= engine().settings.max_size_px]
    axis = "" if prediction.height_px == prediction.width_px else " high"
    return f"Exact: {', '.join(f'● {side}' for side in sides)} px{axis}" if sides else "No exact size near."


def _set(key: str, value: object) -> None:
    st.session_state[key] = value


def _layers(shown: Shown) -> None:
    wanted = layer_view(shown.payload, key="layers")
    if wanted is not None:
        _enlarged(shown.view, wanted)


def _payload(key: tuple[object, ...], first_field: int, view: View, inspection: Inspection, picture: Tensor) -> bytes:
    measured = inspection.measurement
    transforms = tuple(parse(name) for name in measured.output_error)
    extra = next((each.name for each in view.extra if each != Element(mirrored=True)), transforms[0].name)
    return pack_view(
        PackedView(
            measured,
            inspection.prediction,
            transforms,
            picture,
            key=hashlib.sha256(repr((key, extra)).encode()).hexdigest(),
            nonce=secrets.token_hex(8),
            current=extra,
            tolerance=ROUNDING_LEVEL[measured.dtype],
            first_field=first_field,
            group=GROUPS[view.network.group].title,
        )
    )


@st.dialog("One map", width="large")
def _enlarged(view: View, wanted: Enlarge) -> None:
    """One channel of the shown layer in Plotly: upright, transformed, realigned and the difference."""
    shown: dict[str, Tensor] = {}
    with expected_errors():
        shown = _channel(_key(view), wanted, view)
    if not shown:
        st.write("This map is not there any more: close this and choose it again.")
        return
    choice = st.segmented_control("Map", list(shown), default="Φ(x)", required=True, key="enlarged")
    limit = max(float(values.abs().max()) for name, values in shown.items() if name != "difference") or 1.0
    chosen = shown[str(choice)]
    limit = float(chosen.abs().max()) or limit if choice == "difference" else limit
    st.plotly_chart(
        large_map(chosen, limit=limit),
        key="enlarged-map",
        alt=f"Channel {wanted.channel} of {wanted.layer}: {choice}, {chosen.shape[0]}×{chosen.shape[1]} px.",
    )
    where = f"`{wanted.layer}`, channel {wanted.channel}, {label_of(wanted.transform)}"
    st.caption(f"{where}. Colours run from −{limit:.2g} to {limit:.2g}.")


@st.cache_resource(max_entries=16, show_spinner=False)
def _channel(key: tuple[object, ...], wanted: Enlarge, _view: View) -> dict[str, Tensor]:
    """The maps (H, W) of one channel by what they are, measured anew; empty where there is no such map."""
    maps = engine().inspect(request_for(_view, maps_of=wanted.layer), own_errors=False).measurement.maps
    kept = None if maps is None else maps.transforms.get(wanted.transform)
    if kept is None or kept.upright.dim() != 3 or not 0 <= wanted.channel < len(kept.upright):
        return {}
    shown = {"Φ(x)": kept.upright[wanted.channel], "Φ(g·x)": kept.transformed[wanted.channel]}
    if kept.realigned is not None:
        shown["g⁻¹Φ(g·x)"] = kept.realigned[wanted.channel]
        shown["difference"] = kept.realigned[wanted.channel] - kept.upright[wanted.channel]
    return {name: values.clone() for name, values in shown.items()}  # the other channels may go


def _charts(inspection: Inspection) -> None:
    left, right = st.columns([3, 2])
    with left:
        st.markdown(
            "**Error per layer**",
            help="‖Φ(g·x) − ρ(g)Φ(x)‖ / ‖Φ(x)‖ for every layer Φ. Dotted lines: layers that break by themselves; "
            "all that follow inherit it.",
        )
        largest = {name: inspection.measurement.largest_error(name) for name in inspection.measurement.output_error}
        words = "; ".join(
            f"{label_of(name)} at most {error:.1e}" for name, error in largest.items() if error is not None
        )
        st.plotly_chart(
            error_per_layer(inspection.measurement, inspection.prediction),
            key="error-per-layer",
            alt=f"Errors: {words}.",
        )
    with right:
        st.markdown("**Logits**", help="What the network answers for the picture and for each transform of it.")
        logits = inspection.measurement.logits
        answers = "; ".join(f"{label_of(name)}: class {int(np.argmax(values))}" for name, values in logits.items())
        st.plotly_chart(logits_bars(logits), key="logits", alt=f"Largest logit: {answers}.")
        st.caption("Random weights: the classes mean nothing; what counts is whether the bars of a class agree.")


def _links(view: View) -> None:
    with st.container(horizontal=True):
        with st.popover("Copy as command", icon=":material/terminal:"):
            st.caption("The same numbers in a terminal:")
            st.code(command(view), language="bash", wrap_lines=True)
            if view.gallery is None:
                st.caption("Put the path of your picture in the place of PICTURE.")
        with st.popover("Share link", icon=":material/link:"):
            st.caption("The address bar holds this view; uploads are not part of it.")
            st.code(f"{st.context.url}?{urlencode(st.query_params.to_dict())}", language=None, wrap_lines=True)


def command(view: View) -> str:
    """The command line that gives the same numbers."""
    size = str(view.height_px) if view.height_px == view.width_px else f"{view.height_px}x{view.width_px}"
    parts = ["python -m explorer measure", f"--network {view.network.name}", f"--size {size}"]
    parts.append(f"--picture {view.gallery or 'PICTURE'}")
    parts += [f"--fit {view.how}"] if view.how != "resize" else []
    parts += [f"--seed {view.seed}"] if view.seed else []
    parts += [f"--dtype {view.dtype}"] if view.dtype != "float32" else []
    parts += ["--no-group-pooling"] if not view.network.group_pooling else []
    parts += [f"--group-elements all,{','.join(extra.name for extra in view.extra)}"] if view.extra else []
    return " ".join(parts)


def _table(view: View) -> None:
    """Error and flip rate of every uploaded picture."""
    st.markdown("**All pictures**", help="Flip rate: the share of transforms under which the largest logit is another.")
    rows = []
    progress = st.progress(0.0)
    for number, picture in enumerate(view.pictures):
        progress.progress((number + 1) / len(view.pictures), text=f"{number + 1} of {len(view.pictures)} pictures")
        with expected_errors():
            rows.append(_row(view, picture))
    progress.empty()
    st.dataframe(rows, hide_index=True, key="table")
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    st.download_button("Download as CSV", text.getvalue(), "pictures.csv", "text/csv", icon=":material/download:")


def _row(view: View, picture: Picture) -> dict[str, object]:
    return _table_row((_key(view, picture), "row"), view, picture)


@st.cache_resource(max_entries=256, show_spinner=False)
def _table_row(key: tuple[object, ...], _view: View, _picture: Picture) -> dict[str, object]:
    request = request_for(_view, picture=_picture)
    inspection = engine().inspect(request, own_errors=False)
    measured = inspection.measurement
    answers = {name: int(np.argmax(values)) for name, values in measured.logits.items()}
    upright = answers.pop("identity")
    return {
        "picture": _picture.name,
        "largest error": max(measured.largest_error(name) or 0.0 for name in inspection.verdict.elements),
        "logit error": max(measured.output_error[name] or 0.0 for name in inspection.verdict.elements),
        "flip rate": sum(answer != upright for answer in answers.values()) / len(answers),
    }


page()
