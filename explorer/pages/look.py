"""Look: choose a network, a size and a transform; see the maps, the error and the verdict."""

import csv
import hashlib
import io
import secrets
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.engine import Inspection, Request
from explorer.errors import PictureError
from explorer.exactness import Prediction, predict
from explorer.figures import error_per_layer, label_of, large_map, logits_bars
from explorer.images import GALLERY, Fit, Picture, decode, fit, load_gallery
from explorer.measure import LayerMaps
from explorer.packing import View as PackedView
from explorer.packing import pack_view
from explorer.pages.layer_view import Enlarge, layer_view, requested
from explorer.pages.shared import engine, expected_errors, plain, visitor
from explorer.symmetry import Shift, Transform, elements_to_measure, parse
from explorer.verdict import ROUNDING_LEVEL, explain, size_text
from models.catalog import FAMILIES, GROUPS, NetworkSpec, parameters, spec
from models.groups import Element

GROUP_TITLES = ("Z2", "C4", "D4", "C8", "D8", "SO(2)")
FILTERS = ("full", "steerable")
FITS: tuple[Fit, ...] = ("resize", "crop", "pad")
DTYPES = ("float32", "float64")
MODES = ("turns", "angle", "shift")
MAX_UPLOADS = 50
_SIGNS = {"exact": ":green[●]", "approximate": ":orange[◐]", "not equivariant": ":red[○]"}


@dataclass(frozen=True)
class View:
    """Everything that the controls choose."""

    network: NetworkSpec
    seed: int
    dtype: str
    gallery: str | None
    pictures: tuple[Picture, ...]
    picture_number: int
    height_px: int
    width_px: int
    how: Fit
    extra: tuple[Transform, ...]

    @property
    def picture(self) -> Picture:
        """The picture that is shown."""
        return self.pictures[self.picture_number]


def page() -> None:
    """The whole page, top to bottom."""
    view, near_size = _controls()
    with expected_errors():
        st.session_state["shown"] = (view, _inspect(view))
    if "shown" not in st.session_state:
        return
    shown: tuple[View, Inspection] = st.session_state["shown"]
    if shown[0] is not view:
        st.caption(f"Below: the last view that worked, {size_text(shown[0].height_px, shown[0].width_px)}.")
    view, inspection = shown
    near_size.caption(_exact_sizes(inspection.prediction))
    _verdict(view, inspection)
    _layers(view, inspection)
    _charts(inspection)
    _links(view)
    if len(view.pictures) > 1:
        _table(view)


# ---------------------------------------------------------------------------------------------------------- controls


def _controls() -> tuple[View, DeltaGenerator]:
    """The view, and the place under the size for what theory says of it."""
    with st.sidebar:
        st.markdown("#### ◐ Equivariance Explorer")
        gallery, pictures, number = _picture_controls()
        network = _network_controls()
        height_px, width_px = _size_controls()
        near_size = st.empty()
        how = st.segmented_control(
            "Fit",
            FITS,
            default="resize",
            required=True,
            key="fit",
            bind="query-params",
            help="How the picture is brought to size. Resize cuts the centre to the right shape and resamples it; crop "
            "takes the pixels of the centre as they are; pad scales the whole picture and fills up with black.",
        )
        extra = _transform_controls(network)
        seed, dtype, pooling = _further_controls()
    network = spec(network.name, group_pooling=pooling)
    view = View(network, seed, dtype, gallery, pictures, number, height_px, width_px, how, extra)
    return view, near_size


def _picture_controls() -> tuple[str | None, tuple[Picture, ...], int]:
    """(name in the gallery, None for uploads; the pictures; number of the one to show)."""
    name = st.selectbox(
        "Picture",
        [picture.name for picture in GALLERY],  # links carry what is shown here: names, not titles
        key="picture",
        bind="query-params",
        help="Real pictures that come with the app. Upload your own below.",
    )
    files = st.file_uploader(
        "Upload pictures",
        type=["png", "jpg", "jpeg", "webp"],
        accept_multiple_files=True,
        key="uploads",
        help="PNG, JPEG or WebP, up to 20 MB each. They stay in this session's memory and are seen by nobody else.",
    )
    uploaded = _decoded(files or [])
    if not uploaded:
        return name, (load_gallery(name),), 0
    if len(uploaded) == 1:
        return None, uploaded, 0
    number = st.number_input(f"Picture 1 to {len(uploaded)}", 1, len(uploaded), key="picture_number")
    st.caption(plain(uploaded[int(number) - 1].name))
    return None, uploaded, int(number) - 1


def _decoded(files: list) -> tuple[Picture, ...]:  # type: ignore[type-arg]  # UploadedFile is not exported
    """The uploads that are pictures, decoded once each; one sentence for every other."""
    kept: dict[str, Picture | str] = st.session_state.setdefault("decoded", {})
    for gone in set(kept) - {file.file_id for file in files}:
        del kept[gone]
    if len(files) > MAX_UPLOADS:
        st.warning(f"Only the first {MAX_UPLOADS} of {len(files)} pictures are used: remove some.")
    for file in files[:MAX_UPLOADS]:
        if file.file_id not in kept:
            try:
                kept[file.file_id] = decode(file.getvalue(), name=file.name)
            except PictureError as error:
                kept[file.file_id] = str(error)
    for problem in (entry for entry in kept.values() if isinstance(entry, str)):
        st.error(plain(problem), icon=":material/error:")
    return tuple(entry for entry in kept.values() if isinstance(entry, Picture))


def _network_controls() -> NetworkSpec:
    family = st.selectbox(
        "Network",
        list(FAMILIES),
        index=list(FAMILIES).index("resnet18"),
        key="family",
        bind="query-params",
        help="The architecture. All are built for every group, with comparable numbers of parameters.",
    )
    title = st.segmented_control(
        "Group",
        GROUP_TITLES,
        default="C4",
        required=True,
        key="group",
        bind="query-params",
        help="The symmetry built into the network: Z2 shifts only (a plain CNN), C4 quarter turns, D4 also mirrors, C8 "
        "and D8 eighth turns, SO(2) all turns.",
    )
    has_choice = title in ("C4", "D4")
    filters = st.segmented_control(
        "Filters",
        FILTERS,
        default="full",
        required=True,
        key="filters",
        bind="query-params",
        disabled=not has_choice,
        help="Full: every k×k weight is free, copies are turned by quarter turns (p4 and p4m, the paper's). Steerable: "
        "smooth, band-limited filters of escnn. Z2 is always plain; C8, D8 and SO(2) are always steerable.",
    )
    wanted = {"Z2": "plain", "C4": filters, "D4": filters}.get(str(title), "steerable")
    group = next(group for group in GROUPS.values() if group.title == title and group.filters == wanted)
    network = spec(f"{group.name}-{family}")
    st.caption(f"{FAMILIES[family].title}: `{network.name}`, {parameters(network):,} parameters")
    return network


def _size_controls() -> tuple[int, int]:
    largest = engine().settings.max_size_px
    size_px = st.number_input(
        "Size (px)",
        2,
        largest,
        value=32,
        step=1,
        key="size",
        bind="query-params",
        help="Side of the picture that the network gets. One pixel more or less can make the network exact.",
    )
    width_px = size_px
    if st.toggle("Not square", key="oblong", bind="query-params", help="Give the picture a width of its own."):
        width_px = st.number_input("Width (px)", 2, largest, value=33, step=1, key="width", bind="query-params")
    return int(size_px), int(width_px)


def _transform_controls(network: NetworkSpec) -> tuple[Transform, ...]:
    mode = st.segmented_control(
        "Transform",
        MODES,
        default=MODES[0],
        required=True,
        key="transform",
        bind="query-params",
        help="Turns: all quarter turns and mirrors; choose one beside the maps. They and shifts by whole pixels move "
        "pixels exactly. Any other angle resamples the "
        "picture (bilinear, inside a disc), which adds an error of its own.",
    )
    if mode == "angle":
        angle_deg = st.slider("Angle (°)", 0, 359, 45, key="angle", bind="query-params")
        if angle_deg % 90:
            st.caption("Resampled: compared inside the disc.")
        return (Element(float(angle_deg)),) if angle_deg else ()
    if mode == "shift":
        columns = st.columns(2)
        down = columns[0].number_input("Down (px)", -64, 64, 0, key="down", bind="query-params")
        right = columns[1].number_input("Right (px)", -64, 64, 8, key="right", bind="query-params")
        return (Shift(int(down), int(right)),) if down or right else ()
    mirror = Element(mirrored=True)
    return () if mirror in elements_to_measure(network.point_group) else (mirror,)


def _further_controls() -> tuple[int, str, bool]:
    seed = st.number_input(
        "Weights: random, seed",
        0,
        9999,
        key="seed",
        bind="query-params",
        help="The network is untrained: its weights are drawn from this seed. Exactness does not depend on it.",
    )
    with st.expander("More"):
        dtype = st.segmented_control(
            "Precision",
            DTYPES,
            default=DTYPES[0],
            required=True,
            key="dtype",
            bind="query-params",
            help="float64 pushes the rounding level from 1e-6 down to 1e-15.",
        )
        pooling = st.toggle(
            "Pool the group",
            value=True,
            key="pool",
            bind="query-params",
            help="Take the largest value over the group before the classifier. Without it the logits are not "
            "invariant, even of an exactly equivariant network.",
        )
    return int(seed), str(dtype), bool(pooling)


# -------------------------------------------------------------------------------------------------------- measurement


def _inspect(view: View) -> Inspection:
    picture = fit(view.picture, height_px=view.height_px, width_px=view.width_px, how=view.how)
    served = engine().served(view.network, view.seed, view.dtype)
    recorded = served.structure.trace(height_px=view.height_px, width_px=view.width_px)
    names = [call.name for call in recorded.calls]
    layer = _chosen_layer(names, view)
    request = Request(view.network, view.seed, picture, view.extra, view.dtype, maps_of=layer)
    return _inspection(_key(view, layer), request)


@st.cache_resource(max_entries=8, show_spinner=False)
def _inspection(key: tuple[object, ...], _request: Request) -> Inspection:
    return engine().inspect(_request, owner=visitor())


def _key(view: View, layer: str | None) -> tuple[object, ...]:
    names = tuple(transform.name for transform in view.extra)
    return (
        repr(view.network),
        view.seed,
        view.dtype,
        view.picture.sha256,
        view.height_px,
        view.width_px,
        view.how,
        names,
        layer,
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
    prediction = inspection.prediction
    choices = [("size", side) for side in prediction.exact_heights_px]
    if view.width_px != view.height_px:
        choices += [("width", side) for side in prediction.exact_widths_px]
    for key, side in choices:
        if side is not None:
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
    below_px, above_px = prediction.exact_heights_px
    this = [prediction.height_px] if prediction.verdict == "exact" else []
    sides = [side for side in (below_px, *this, above_px) if side is not None]
    return "Exact: " + ", ".join(f"● {side}" for side in sides) + " px" if sides else "No exact size near."


def _set(key: str, value: object) -> None:
    st.session_state[key] = value


def _layers(view: View, inspection: Inspection) -> None:
    maps = inspection.measurement.maps
    if maps is None:
        return
    asked = requested("layers")
    first_field = asked.first_field if asked.layer == maps.name else 0
    wanted = layer_view(_payload(_key(view, maps.name), first_field, view, inspection), key="layers")
    if wanted is not None:
        _enlarged(maps, wanted)


@st.cache_resource(max_entries=8, show_spinner=False)
def _payload(key: tuple[object, ...], first_field: int, _view: View, _inspection: Inspection) -> bytes:
    measured = _inspection.measurement
    transforms = tuple(parse(name) for name in measured.output_error)
    picture = fit(_view.picture, height_px=_view.height_px, width_px=_view.width_px, how=_view.how)
    current = (_view.extra[0] if _view.extra and _view.extra[0].name not in ("mirror",) else transforms[0]).name
    digest = hashlib.sha256(repr((key[:-1], current)).encode()).hexdigest()
    return pack_view(
        PackedView(
            measured,
            _inspection.prediction,
            transforms,
            picture,
            key=digest,
            nonce=secrets.token_hex(8),
            current=current,
            tolerance=ROUNDING_LEVEL[measured.dtype],
            first_field=first_field,
            group=GROUPS[_view.network.group].title,
        )
    )


@st.dialog("One map", width="large")
def _enlarged(maps: LayerMaps, wanted: Enlarge) -> None:
    """One channel of the shown layer in Plotly: upright, transformed, realigned and the difference."""
    kept, channel = maps.transforms.get(wanted.transform), wanted.channel
    if kept is None or not 0 <= channel < len(kept.upright) or kept.upright.dim() != 3:
        st.write("This map is not there any more: close this and choose it again.")
        return
    shown = {"Φ(x)": kept.upright[channel], "Φ(g·x)": kept.transformed[channel]}
    if kept.realigned is not None:
        shown["g⁻¹Φ(g·x)"] = kept.realigned[channel]
        shown["difference"] = kept.realigned[channel] - kept.upright[channel]
    choice = st.segmented_control("Map", list(shown), default="Φ(x)", required=True, key="enlarged")
    limit = max(float(values.abs().max()) for name, values in shown.items() if name != "difference") or 1.0
    chosen = shown[str(choice)]
    limit = float(chosen.abs().max()) or limit if choice == "difference" else limit
    st.plotly_chart(
        large_map(chosen, limit=limit),
        key="enlarged-map",
        alt=f"Channel {channel} of {maps.name}: {choice}, {chosen.shape[0]}×{chosen.shape[1]} px.",
    )
    st.caption(
        f"`{maps.name}`, channel {channel}, {label_of(wanted.transform)}. Colours run from −{limit:.2g} to {limit:.2g}."
    )


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
    return _table_row((*_key(view, None), picture.sha256), view, picture)


@st.cache_resource(max_entries=256, show_spinner=False)
def _table_row(key: tuple[object, ...], _view: View, _picture: Picture) -> dict[str, object]:
    fitted = fit(_picture, height_px=_view.height_px, width_px=_view.width_px, how=_view.how)
    request = Request(_view.network, _view.seed, fitted, _view.extra, _view.dtype)
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
