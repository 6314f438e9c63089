"""Packing: one measurement and the maps of one layer as bytes that the browser draws by itself.

    4 bytes     length N of the header, little-endian, a multiple of 4
    N bytes     header: JSON in UTF-8, padded with spaces
    the rest    buffers, each starting at a multiple of 4 bytes; every `offset` in the header counts from their start

Maps are float32, little-endian, (C, H, W) or (C,) row by row; pictures are uint8, (H, W, 3). The header:

    view, nonce, layer, current, group, tolerance
    layers      [{name, kind, in_hw, out_hw, kernel, stride, padding, remainder, displacement_px, weight_error,
                  status, error, own}]
                pairs as [height, width] or null; the last three by transform name; not finite: "Infinity" or "NaN"
    transforms  [{name, label, turn_deg, mirrored, shift_px}]   shift_px [down, right] or null; turn counterclockwise
    picture     {upright: {hw, offset}, transformed: {name: {hw, offset}}}   the latter where pixels do not just move
    maps        {layer, fields: [first, last], total_fields, first_channel, channels, hw, page,
                 runs: [{representation, size, count, columns}],
                 transforms: {name: {hw, offset, upright_offset, realign}}}
                `hw` is null where space is pooled; `last` is the last field shown, counted from 0; `page` is how many
                fields a page holds
    realign     null where the group has no action;
                {kind: "move", turns, mirrored, mix}: the browser realigns: mirror left-right if `mirrored`, then
                `turns` quarter turns counterclockwise, and out[i] = Σ_j mix[i, j] in[j] within each field;
                {kind: "given", offset, mix}: realigned maps are in the payload
    mix         one entry a run: {permutation: [j of each i]} or {matrix: [[…]]}, of ρ(g⁻¹); null where not known
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equivariance.groups.acting import disc_mask, transform_picture
from equivariance.groups.fields import FieldType, Harmonics, Regular, Representation, scalars
from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import Shift, Transform, transform_label
from equivariance.measurement.measure import LayerMaps, LayerMeasurement, Measurement, TransformedMaps
from equivariance.theory.exactness import LayerTheory, Prediction

VALUES_PER_PAYLOAD = 3_000_000  # 12 MB; a layer with more is sent in pages of whole fields
_ALIGNMENT = 4
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, eq=False)
class PackedView:
    """What to pack.

    measurement: with the maps of the layer to show (`measure(…, maps_of=…)`).
    prediction: theory's word on the same network and size.
    transforms: those to offer, in order; all of them measured.
    picture: (3, H, W) or (1, H, W), 0..1, upright.
    key: names the network, weights, size and picture: maps seen under the same key are not asked for again.
    nonce: anything that differs from run to run.
    current: name of the transform to show at first.
    tolerance: relative error that counts as rounding.
    first_field: of the page to show.
    group: the network's group as the page calls it, "C4"; empty where it has none.
    """

    measurement: Measurement
    prediction: Prediction
    transforms: tuple[Transform, ...]
    picture: Tensor
    key: str
    nonce: str
    current: str
    tolerance: float
    first_field: int = 0
    group: str = ""

    @property
    def maps(self) -> LayerMaps:
        """The maps of the layer to show; raises ValueError for a measurement that kept none."""
        if self.measurement.maps is None:
            raise ValueError("the measurement kept no maps: call measure(…, maps_of=LAYER)")
        return self.measurement.maps


@dataclass
class _Buffers:
    """Arrays one after the other; equal tensors are stored once."""

    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    stored: list[tuple[Tensor, int]] = field(default_factory=list)

    def add(self, array: np.ndarray) -> int:
        """The offset of `array` in bytes."""
        content = array.tobytes()
        content += bytes(-len(content) % _ALIGNMENT)
        offset, self.size = self.size, self.size + len(content)
        self.parts.append(content)
        return offset

    def add_once(self, maps: Tensor) -> int:
        """The offset of `maps` as float32, the old one where the same were added before."""
        for known, offset in self.stored:
            if known.shape == maps.shape and torch.equal(known, maps):
                return offset
        offset = self.add(maps.contiguous().numpy().astype("<f4", copy=False))
        self.stored.append((maps, offset))
        return offset


def pack_view(view: PackedView, *, values_per_payload: int = VALUES_PER_PAYLOAD) -> bytes:
    """The payload described above; raises ValueError where maps were not kept or a transform was not measured."""
    buffers = _Buffers()
    header = {
        "view": view.key,
        "nonce": view.nonce,
        "layer": view.maps.name,
        "current": view.current,
        "group": view.group,
        "tolerance": view.tolerance,
        "layers": _layers(view.measurement, view.prediction, view.transforms),
        "transforms": [_transform(transform) for transform in view.transforms],
        "picture": _pictures(view.picture, view.transforms, buffers),
        "maps": _maps(view, buffers, values_per_payload),
    }
    text = json.dumps(header, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return b"".join((len(text).to_bytes(4, "little"), text, *buffers.parts))


def column_labels(representation: Representation) -> list[str]:
    """What to write above the channels of one field: e, r, r², …, m, mr, …; 0, 1c, 1s, …; nothing for one channel."""
    if isinstance(representation, Regular):
        return [
            _element_label(element, 360.0 / (representation.group.rotations or 1))
            for element in representation.group.elements
        ]
    if isinstance(representation, Harmonics):
        return ["0", *(f"{k}{part}" for k in range(1, representation.maximum_frequency + 1) for part in "cs")]
    return [""] if representation.size == 1 else [str(channel) for channel in range(representation.size)]


def _element_label(element: Element, step_deg: float) -> str:
    turns = round(element.angle_deg / step_deg)
    turned = ("", "r")[turns] if turns < 2 else f"r{turns}".translate(_SUPERSCRIPTS)
    return ("m" if element.mirrored else "") + turned or "e"


def _layers(measurement: Measurement, prediction: Prediction, transforms: Sequence[Transform]) -> list[dict[str, Any]]:
    theory = {layer.name: layer for layer in prediction.layers}
    names = [transform.name for transform in transforms]
    return [_layer(layer, theory.get(layer.name), names) for layer in measurement.layers]


def _layer(measured: LayerMeasurement, theory: LayerTheory | None, names: list[str]) -> dict[str, Any]:
    sampling = ("kernel", "stride", "padding", "remainder", "displacement_px")
    return {
        "name": measured.name,
        "kind": measured.kind,
        "in_hw": measured.in_hw,
        "out_hw": measured.out_hw,
        **{what: getattr(theory, what, None) for what in sampling},
        "weight_error": 0.0 if theory is None else _number(theory.weight_error),
        "status": {} if theory is None else {name: theory.elements[name] for name in names if name in theory.elements},
        "error": _errors(measured.error, names),
        "own": _errors(measured.own_error, names),
    }


def _errors(errors: Mapping[str, float | None], names: Iterable[str]) -> dict[str, float | str | None]:
    """Rounded to three digits; JSON has no word for what is not finite, so it is written as a string."""
    return {name: _number(errors.get(name)) for name in names}


def _number(value: float | None) -> float | str | None:
    if value is None:
        return None
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity"
    return float(f"{value:.3g}")


def _transform(transform: Transform) -> dict[str, Any]:
    said = {"name": transform.name, "label": transform_label(transform)}
    if isinstance(transform, Shift):
        return said | {"turn_deg": 0.0, "mirrored": False, "shift_px": [transform.down_px, transform.right_px]}
    return said | {"turn_deg": transform.angle_deg, "mirrored": transform.mirrored, "shift_px": None}


def _pictures(picture: Tensor, transforms: Sequence[Transform], buffers: _Buffers) -> dict[str, Any]:
    transformed = {}
    for transform in transforms:
        if isinstance(transform, Shift):
            transformed[transform.name] = _picture(transform_picture(picture, transform), buffers)
        elif not transform.moves_pixels:
            inside = picture * disc_mask(*picture.shape[-2:], device=picture.device)  # as it was measured
            transformed[transform.name] = _picture(transform_picture(inside, transform), buffers)
    return {"upright": _picture(picture, buffers), "transformed": transformed}


def _picture(picture: Tensor, buffers: _Buffers) -> dict[str, Any]:
    colours = picture.detach().float().cpu().expand(3, -1, -1)
    pixels = (colours.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()  # (H, W, 3)
    return {"hw": list(pixels.shape[:2]), "offset": buffers.add(pixels.numpy())}


@dataclass(frozen=True)
class _Page:
    """Some consecutive fields of a layer: of `runs`, from field `first` and channel `channel`, `fields` of `total`."""

    runs: tuple[tuple[Representation, int], ...]
    first: int
    fields: int
    total: int
    channel: int
    channels: int
    fields_per_page: int

    def of(self, maps: Tensor) -> Tensor:
        """Its channels of `maps` (C, …)."""
        return maps[self.channel : self.channel + self.channels]


def _maps(view: PackedView, buffers: _Buffers, values_per_payload: int) -> dict[str, Any]:
    kept = view.maps.transforms
    missing = [transform.name for transform in view.transforms if transform.name not in kept]
    if missing or not view.transforms:
        raise ValueError(f"no maps were kept for {', '.join(missing) or 'any transform'}")
    upright = kept[view.transforms[0].name].upright
    field_type = view.maps.field_type or scalars(len(upright))
    chosen = {transform.name: kept[transform.name] for transform in view.transforms}
    page = _page(field_type, view.first_field, values_per_payload // _values_per_channel(view.transforms, chosen))
    return {
        "layer": view.maps.name,
        "fields": [page.first, page.first + page.fields - 1],
        "total_fields": page.total,
        "first_channel": page.channel,
        "channels": page.channels,
        "hw": list(upright.shape[1:]) if upright.dim() == 3 else None,
        "page": page.fields_per_page,
        "runs": [
            {"representation": r.name, "size": r.size, "count": count, "columns": column_labels(r)}
            for r, count in page.runs
        ],
        "transforms": {t.name: _transformed(t, chosen[t.name], page, buffers) for t in view.transforms},
    }


def _values_per_channel(transforms: Sequence[Transform], kept: Mapping[str, TransformedMaps]) -> int:
    """An upper bound: upright maps of two passes, and for each transform one map, or two where realigned is sent."""
    side = next(iter(kept.values())).upright[0].numel()
    return side * (2 + sum(1 if _browser_realigns(transform) else 2 for transform in transforms))


def _browser_realigns(transform: Transform) -> bool:
    return isinstance(transform, Element) and transform.moves_pixels


def _page(field_type: FieldType, first: int, channel_budget: int) -> _Page:
    """The fields from `first` (0 where there is no such field) whose channels fit the budget; at least one."""
    channels = field_type.field_channels()
    first = first if 0 <= first < len(channels) else 0
    fitting = sum(1 for of_field in channels[first:] if of_field.stop - channels[first].start <= channel_budget)
    last = first + max(fitting, 1) - 1
    runs, start = [], 0
    for representation, count in field_type.runs:
        shown = min(last + 1, start + count) - max(first, start)
        runs += [(representation, shown)] if shown > 0 else []
        start += count
    at = channels[first].start
    fields_per_page = max(1, channel_budget // max(len(of_field) for of_field in channels))
    return _Page(tuple(runs), first, last - first + 1, len(channels), at, channels[last].stop - at, fields_per_page)


def _transformed(transform: Transform, maps: TransformedMaps, page: _Page, buffers: _Buffers) -> dict[str, Any]:
    return {
        "hw": list(maps.transformed.shape[1:]) if maps.transformed.dim() == 3 else None,
        "offset": buffers.add_once(page.of(maps.transformed)),
        "upright_offset": buffers.add_once(page.of(maps.upright)),
        "realign": _realign(transform, maps, page, buffers),
    }


def _realign(transform: Transform, maps: TransformedMaps, page: _Page, buffers: _Buffers) -> dict[str, Any] | None:
    if maps.realigned is None:
        return None
    mix = [_mix(representation, transform) for representation, _ in page.runs]
    known = None if None in mix else mix
    if isinstance(transform, Element) and transform.moves_pixels and known is not None:
        undo = transform.inverse
        return {"kind": "move", "turns": round(undo.angle_deg / 90.0) % 4, "mirrored": undo.mirrored, "mix": known}
    return {"kind": "given", "offset": buffers.add_once(page.of(maps.realigned)), "mix": known}


def _mix(representation: Representation, transform: Transform) -> dict[str, Any] | None:
    """ρ(g⁻¹) of one field."""
    if isinstance(transform, Shift):
        return {"permutation": list(range(representation.size))}
    matrix = representation.matrix(transform.inverse)
    if matrix is None:
        return None
    source = matrix.argmax(axis=1)
    if np.array_equal(matrix, np.eye(len(matrix))[source]):
        return {"permutation": source.tolist()}
    return {"matrix": matrix.tolist()}
