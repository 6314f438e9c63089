"""The part of the Look page that computes: views measured, single channels, and rows of the table. Imports torch."""

import base64
import hashlib
import io
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from torch import Tensor

from equivariance.groups.acting import transform_picture
from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import label_of, parse
from equivariance.kept import Kept
from equivariance.largest import largest_of
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.measurement.verdict import size_text
from equivariance.theory.exactness import Prediction, predict
from explorer.figures.layers import error_per_layer, large_map, logits_bars
from explorer.figures.reasons import draw_reasons
from explorer.layer_view.packing import PackedView, pack_view
from explorer.pages.look.controls import View
from explorer.pages.look.explaining import explain
from explorer.pages.look.sheet import Answers, Sheet, Turn
from explorer.pages.session.live import engine, freeze
from explorer.pages.session.shared import session_name
from explorer.pages.widgets.charts import Chart, chart_of
from explorer.pages.widgets.layer_view import Enlarge, requested
from explorer.pages.widgets.tensors import weights_of
from explorer.pictures.fitting import fit
from explorer.pictures.images import Picture
from explorer.serving.engine import Inspection, Request
from explorer.studies.answers import answer_changes, answers_in_words, answers_of
from explorer.training.metrics import TURNS
from models.build import parameters
from models.catalog import FAMILIES, GROUPS

Progress = Callable[[float], None]
Logits = dict[str, tuple[float, ...]]

_sheets: Kept[Sheet] = Kept(8)
_channels: Kept[dict[str, Tensor]] = Kept(16)
_rows: Kept[dict[str, object]] = Kept(256)


def sheet_of(view: View, wanted_layer: str | None, progress: Progress) -> Sheet:
    """The view measured, with the maps of `wanted_layer` if there is one; raises EquivarianceError, Superseded."""
    weights = weights_of(view.trained)
    structure = engine().structure(view.network, view.seed, view.dtype, weights, progress=progress)
    prediction = predict(structure, height_px=view.height_px, width_px=view.width_px)
    layer = _layer_to_show(prediction, wanted_layer)
    asked = requested("layers")
    first_field = asked.first_field if asked.layer == layer else 0
    sheet = _sheets.get((view.key(), layer, first_field), lambda: _sheet(view, layer, first_field, progress))
    freeze()
    return sheet


def _sheet(view: View, layer: str, first_field: int, progress: Progress) -> Sheet:
    """What is drawn; the maps it is made of may be many times as large."""
    request = _request(view, view.picture, maps_of=layer)
    inspection = engine().inspect(request, owner=session_name(), progress=progress)
    described = replace(_described(view, inspection), before=_before(view, progress))
    payload = _payload(first_field, view, inspection, request.picture)
    return replace(described, reasons=_reasons(view, inspection.prediction, progress), payload=payload)


def _reasons(view: View, prediction: Prediction, progress: Progress) -> tuple[str, ...]:
    """Drawings of the layer that decides."""
    if view.network.subsampling == "published":
        return draw_reasons(prediction, prediction)
    published = view.network.as_published
    weights = weights_of(view.trained)
    structure = engine().structure(published, view.seed, view.dtype, weights, progress=progress)
    return draw_reasons(prediction, predict(structure, height_px=view.height_px, width_px=view.width_px))


def _before(view: View, progress: Progress) -> str:
    """How a network with changed subsampling does as published; empty for one that is as published."""
    if view.network.subsampling == "published":
        return ""
    published = view.network.as_published
    request = replace(_request(view, view.picture), network=published)
    inspection = engine().inspect(request, owner=session_name(), own_errors=False, progress=progress)
    errors = [inspection.measurement.largest_error(name) for name in inspection.verdict.elements]
    largest = largest_of(errors) or 0.0
    changed = ", ".join(view.network.only) or "all layers"
    published_as = f"{inspection.verdict.kind}, largest error {largest:.1e}"
    return f"As published: {published_as}. Now {view.network.subsampling} subsampling in {changed}."


@dataclass(frozen=True)
class LargeMap:
    """One map of a channel, and the maps there are to choose from."""

    chart: Chart
    choices: tuple[str, ...]


def large_map_of(view: View, wanted: Enlarge, choice: str | None) -> LargeMap | None:
    """The map called `choice` (default: the first) of one channel, measured again; None where there is none."""
    maps = _channels.get((view.key(), wanted), lambda: _channel(view, wanted))
    if not maps:
        return None
    choice = choice if choice in maps else next(iter(maps))
    shared = max(float(values.abs().max()) for name, values in maps.items() if name != "difference")
    chosen = maps[choice]
    limit = (float(chosen.abs().max()) if choice == "difference" else shared) or shared or 1.0
    words = (
        f"{choice} of {wanted.layer}, channel {wanted.channel}, {label_of(wanted.transform)}, "
        f"{chosen.shape[0]}×{chosen.shape[1]} px. Colours run from −{limit:.2g} to {limit:.2g}."
    )
    return LargeMap(chart_of(large_map(chosen, limit=limit), words), tuple(maps))


def _channel(view: View, wanted: Enlarge) -> dict[str, Tensor]:
    """The maps (H, W) of one channel by what they are; empty where there is no such map."""
    request = _request(view, view.picture, maps_of=wanted.layer)
    maps = engine().inspect(request, own_errors=False).measurement.maps
    kept = None if maps is None else maps.transforms.get(wanted.transform)
    if kept is None or kept.upright.dim() != 3 or not 0 <= wanted.channel < len(kept.upright):
        return {}
    shown = {"Φ(x)": kept.upright[wanted.channel], "Φ(g·x)": kept.transformed[wanted.channel]}
    if kept.realigned is not None:
        shown["g⁻¹Φ(g·x)"] = kept.realigned[wanted.channel]
        shown["difference"] = kept.realigned[wanted.channel] - kept.upright[wanted.channel]
    return {name: values.clone() for name, values in shown.items()}  # the other channels may go


def row_of(view: View, picture: Picture) -> dict[str, object]:
    """Error and flip rate of one of the view's pictures."""
    return _rows.get(view.key(picture), lambda: _row(view, picture))


def _row(view: View, picture: Picture) -> dict[str, object]:
    inspection = engine().inspect(_request(view, picture), own_errors=False)
    measured = inspection.measurement
    answers = {name: int(np.argmax(values)) for name, values in measured.logits.items()}
    upright = answers.pop("identity")
    return {
        "picture": picture.name,
        "largest error": largest_of(map(measured.largest_error, inspection.verdict.elements)) or 0.0,
        "logit error": largest_of(measured.output_error[name] for name in inspection.verdict.elements) or 0.0,
        "flip rate": sum(answer != upright for answer in answers.values()) / len(answers),
    }


def subject_of(view: View) -> str:
    """Network, parameters and size in one line."""
    network = view.network
    return (
        f"{FAMILIES[network.family].title} · {network.name} · {parameters(network):,} parameters · "
        f"{size_text(view.height_px, view.width_px)}"
    )


def _request(view: View, picture: Picture, *, maps_of: str | None = None) -> Request:
    fitted = fit(picture, height_px=view.height_px, width_px=view.width_px, how=view.how)
    weights = weights_of(view.trained)
    return Request(view.network, view.seed, fitted, view.extra, view.dtype, maps_of=maps_of, weights=weights)


def _layer_to_show(prediction: Prediction, wanted: str | None) -> str:
    """The layer that the visitor chose, if the network has it; else the first that breaks, or would at other sizes."""
    names = [layer.name for layer in prediction.layers]
    if wanted in names:
        return str(wanted)
    first = prediction.first_broken_layer or prediction.first_strided_layer
    return names[0] if first is None else first.name


def _described(view: View, inspection: Inspection) -> Sheet:
    prediction, measured, verdict = inspection.prediction, inspection.measurement, inspection.verdict
    finest = inspection.again or measured
    problems = [
        f"Theory calls {label_of(name)} exact and the measurement finds an inherited error of "
        f"{finest.largest_error(name):.1e} in {finest.dtype}: a bug or a discovery. Please report it."
        for name in verdict.disagreements
    ]
    return Sheet(
        subject_of(view),
        verdict.kind,
        verdict.headline,
        verdict.reason.replace("#", "\\#"),
        tuple(problems),
        verdict.remarks,
        _mends(view, prediction),
        _to_mend(view, prediction),
        "",
        _exact_sizes(view, prediction),
        explain(view.network, prediction, measured, verdict),
        f"{inspection.device} · {measured.dtype} · {_duration(inspection.elapsed_s)}",
        _errors_chart(inspection),
        _logits_chart(_beside_answers(view, measured.logits), _classes(view)),
        _answers(view, measured.logits),
    )


def _mends(view: View, prediction: Prediction) -> tuple[tuple[str, int, str], ...]:
    square = view.width_px == view.height_px
    sides = [("size", side) for side in prediction.exact_heights_px if square or not prediction.height_is_exact]
    if not square and not prediction.width_is_exact:
        sides += [("width", side) for side in prediction.exact_widths_px]
    axis = {"size": "" if square else " high", "width": " wide"}
    return tuple((key, side, f"{side} px{axis[key]}: exact") for key, side in sides if side is not None)


def _to_mend(view: View, prediction: Prediction) -> str | None:
    first = prediction.first_broken_layer
    is_open = view.network.subsampling == "published" and prediction.verdict == "approximate"
    return first.module_name or None if is_open and first is not None else None


def _exact_sizes(view: View, prediction: Prediction) -> str:
    """Which sizes near this one are exact, with a dot as sign."""
    if prediction.verdict == "not equivariant":
        return "No size is exact for this network."
    if view.network.subsampling == "symmetric" and prediction.verdict == "exact":
        return "Exact at every size: symmetric subsampling."
    this = [prediction.height_px] if prediction.height_is_exact else []
    sides = sorted(side for side in (*prediction.exact_heights_px, *this) if side is not None)
    axis = "" if prediction.height_px == prediction.width_px else " high"
    return f"Exact: {', '.join(f'● {side}' for side in sides)} px{axis}" if sides else "No exact size nearby."


def _duration(elapsed_s: float) -> str:
    return f"{elapsed_s * 1000:.0f} ms" if elapsed_s < 1 else f"{elapsed_s:.1f} s"


def _errors_chart(inspection: Inspection) -> Chart:
    largest = {name: inspection.measurement.largest_error(name) for name in inspection.measurement.output_error}
    words = [f"{label_of(name)} at most {error:.1e}" for name, error in largest.items() if error is not None]
    figure = error_per_layer(inspection.measurement, inspection.prediction)
    return chart_of(figure, f"Errors: {'; '.join(words)}.")


def _logits_chart(logits: Logits, classes: tuple[str, ...]) -> Chart | None:
    """The bars; None for the upright picture alone."""
    if len(logits) == 1:
        return None
    said = {name: int(np.argmax(values)) for name, values in logits.items()}
    answers = [f"{label_of(name)}: class {classes[number] if classes else number}" for name, number in said.items()]
    return chart_of(logits_bars(logits, classes), f"Largest logit: {'; '.join(answers)}.")


def _classes(view: View) -> tuple[str, ...]:
    """Names for the logits; none for random weights, whose classes mean nothing."""
    return () if view.trained is None else view.trained.header.classes


def _beside_answers(view: View, logits: Logits) -> Logits:
    """The logits that the answers do not show: all, or those of upright and of what is no quarter turn."""
    if view.trained is None:
        return logits
    return {name: values for name, values in logits.items() if name == "identity" or name not in TURNS}


def _answers(view: View, logits: Logits) -> Answers | None:
    """What a trained network answers at the four turns; None for random weights."""
    if view.trained is None:
        return None
    classes = _classes(view)
    found = answers_of(logits, classes)
    fitted = fit(view.picture, height_px=view.height_px, width_px=view.width_px, how=view.how)
    turns = tuple(
        Turn(each.words, _png(transform_picture(fitted, Element.parse(each.turn))), each.top) for each in found
    )
    chart = _logits_chart({each.turn: logits[each.turn] for each in found}, classes)
    assert chart is not None
    return Answers(answers_in_words(found), answer_changes(found), turns, chart)


def _png(picture: Tensor) -> str:
    """A picture (3, H, W), 0..1, as PNG in base64."""
    pixels = (picture * 255).round().byte().permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _payload(first_field: int, view: View, inspection: Inspection, picture: Tensor) -> bytes:
    measured = inspection.measurement
    transforms = tuple(parse(name) for name in measured.output_error)
    extra = next((each.name for each in view.extra if each != Element(mirrored=True)), transforms[0].name)
    return pack_view(
        PackedView(
            measured,
            inspection.prediction,
            transforms,
            picture,
            key=hashlib.sha256(f"{view.key()}{extra}".encode()).hexdigest(),
            nonce=secrets.token_hex(8),
            current=extra,
            tolerance=ROUNDING_LEVEL[measured.dtype],
            first_field=first_field,
            group=GROUPS[view.network.group].title,
        )
    )
