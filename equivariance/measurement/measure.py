"""Measurement: the equivariance error of every layer under every transform of a picture.

One batched pass runs the network on the picture and all its transforms. A hook compares each layer's output with the
transformed output of the upright picture and lets it go, so that no more than one layer's maps are held at a time.
(A picture that is not square needs a second pass for the elements that swap its axes; the upright maps wait for it.)

    ε_l(g; x)  = ‖Φ_l(g·x) − ρ_l(g) Φ_l(x)‖₂ / ‖Φ_l(x)‖₂          inherited: everything after a break looks broken
    own_l(g; x) = ‖L(ρ_in(g) h) − ρ_out(g) L(h)‖₂ / ‖L(h)‖₂        the layer's own, h its input from the upright picture
    ε(g; x)   = ‖f(g·x) − f(x)‖₂ / ‖f(x) − mean f(x)‖₂             of the logits f, as softmax sees them

Resampled angles are compared inside the disc, on a picture masked to it; shifts on the interior that no border reaches.
"""

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from equivariance.errors import TransformError
from equivariance.following.calls import CallNames
from equivariance.following.shapes import side_of
from equivariance.groups.acting import disc_mask, transform_fields, transform_picture
from equivariance.groups.fields import FieldType
from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import Shift, Transform
from equivariance.largest import largest_of
from equivariance.layers.export import layers_of, types_of
from equivariance.measurement.facts import PictureFacts, facts_of
from equivariance.measurement.interior import interior_of
from equivariance.measurement.outputs import output_error
from equivariance.measurement.passes import Pass, elements_of, passes_of
from equivariance.relative import relative_error
from equivariance.theory.grids import AxisState

Grids = Mapping[str, tuple[AxisState, AxisState]]


@dataclass(frozen=True)
class LayerMeasurement:
    """One call of one layer; errors by transform name, None where the group has no action on its fields."""

    name: str
    kind: str
    module_name: str
    in_hw: tuple[int, int]
    out_hw: tuple[int, int]
    error: dict[str, float | None]
    own_error: dict[str, float | None]


@dataclass(frozen=True)
class TransformedMaps:
    """Φ(g·x) and g⁻¹Φ(g·x), the latter None where the group has no action; `upright` is Φ(x) of the same pass.

    Each (C, H, W) or (C,), float32, on the CPU. `realigned` equals `upright` where nothing is compared.
    """

    upright: Tensor
    transformed: Tensor
    realigned: Tensor | None


@dataclass(frozen=True)
class LayerMaps:
    """The maps of one layer call, by transform name."""

    name: str
    field_type: FieldType | None
    transforms: dict[str, TransformedMaps]


@dataclass(frozen=True)
class Measurement:
    """All layers of one pass. `logits`: (classes,) by transform name, `identity` first, float64 on the CPU."""

    height_px: int
    width_px: int
    dtype: str
    device: str
    layers: tuple[LayerMeasurement, ...]
    output_error: dict[str, float | None]
    logits: dict[str, tuple[float, ...]]
    maps: LayerMaps | None = None
    picture: PictureFacts | None = None

    def largest_error(self, transform: str) -> float | None:
        """The largest error of any layer or the logits, NaN if one is; None where nothing could be compared."""
        return largest_of([*(layer.error[transform] for layer in self.layers), self.output_error[transform]])


def measure(
    network: nn.Module,
    picture: Tensor,
    transforms: Sequence[Transform],
    *,
    grids: Grids | None = None,
    maps_of: str | None = None,
    own_errors: bool = True,
    transforms_per_pass: int | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Measurement:
    """The errors of all layers of `network` for `picture` (C, H, W), on the picture's device and in its dtype.

    `network` is a served network (plain layers with field types) on the same device and in the same dtype; it may be
    shared between threads. `grids` (see `exactness.Structure.grids`) are needed for shifts. `maps_of` names a layer
    call whose maps are kept. `progress` is called before each layer with the fraction that is done, and may raise to
    stop the work.
    """
    if any(isinstance(transform, Shift) for transform in transforms) and grids is None:
        raise TransformError("Shifts need the grids of the network: pass grids=structure.grids(…).")
    passes = list(passes_of(picture, transforms, transforms_per_pass or max(len(transforms), 1)))
    own_copy = _private_copy(network)
    steps = itertools.count()
    total = len(passes) * len(list(layers_of(own_copy)))  # of a layer that is called twice, less than all

    def check() -> None:
        progress(min(next(steps) / total, 1.0))

    recorder = _Recorder(own_copy, picture, grids or {}, maps_of, own_errors, check)
    try:
        with torch.inference_mode():
            for each in passes:
                recorder.run(each)
        return replace(
            recorder.result([transform.name for transform in transforms]),
            picture=facts_of(picture.cpu(), elements_of(transforms)),
        )
    finally:
        recorder.release()


@dataclass
class _Layer:
    kind: str
    module_name: str
    in_hw: tuple[int, int]
    out_hw: tuple[int, int]
    error: dict[str, Tensor | None] = field(default_factory=dict)
    own_error: dict[str, Tensor | None] = field(default_factory=dict)


def _private_copy(network: nn.Module) -> nn.Module:
    """The same tensors in modules of our own, so that hooks of other threads never meet."""
    tensors = [*network.parameters(), *network.buffers()]
    return copy.deepcopy(network, {id(tensor): tensor for tensor in tensors})


class _Recorder:
    """Runs passes and turns what the hooks see into errors."""

    def __init__(
        self,
        network: nn.Module,
        picture: Tensor,
        grids: Grids,
        maps_of: str | None,
        own_errors: bool,
        check: Callable[[], None],
    ) -> None:
        self._network, self._picture, self._grids = network, picture, grids
        self._maps_of, self._own_errors, self._check = maps_of, own_errors, check
        self._handles: list[RemovableHandle] = []
        self._layers: dict[str, _Layer] = {}
        self._upright: dict[str, Tensor] = {}  # kept for a non-square picture only
        self._logits: dict[str, Tensor] = {}
        self._output_error: dict[str, Tensor | None] = {}
        self._out_type: FieldType | None = None
        self._maps: dict[str, TransformedMaps] = {}
        self._maps_type: FieldType | None = None
        for name, layer in layers_of(network):
            self._handles.append(layer.register_forward_hook(self._hook(name or "network")))
            self._out_type = types_of(layer)[1]

    def run(self, this: Pass) -> None:
        """One pass: its pictures through the network, its errors noted by the hooks."""
        self._pass, self._names = this, CallNames()
        self._keep = this.reference is not None and self._picture.shape[-1] != self._picture.shape[-2]
        source = self._picture if this.reference is None else this.reference
        pictures = [transform_picture(source, transform) for transform in this.transforms]
        logits = self._network(torch.stack(pictures if this.reference is None else [source, *pictures]))
        if this.reference is not None:
            self._logits.setdefault("identity", logits[0])
            self._reference_logits = logits[:1]
            logits = logits[1:]
        for transform, row in zip(this.transforms, _rows(logits), strict=True):
            self._logits[transform.name] = row[0]
            acts = isinstance(transform, Element) and _acts(self._out_type, transform)
            self._output_error[transform.name] = output_error(row, self._reference_logits) if acts else None

    def _hook(self, module_name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            self._check()
            this, call = self._pass, self._names.next(module_name)
            if this.reference is None:
                reference, rows = self._upright[call], output
            else:
                reference, rows = output[:1], output[1:]
            if self._keep and call not in self._upright:
                self._upright[call] = reference.clone()  # a view would keep the maps of all transforms
            layer = self._layers.setdefault(
                call, _Layer(type(module).__name__, module_name, side_of(inputs[0]), side_of(reference))
            )
            in_type, out_type = types_of(module)
            expected = {
                element: transform_fields(reference, out_type, element)  # type: ignore[arg-type]  # see _acts
                for element in dict.fromkeys((*elements_of(this.transforms), *this.own))
                if _acts(out_type, element)
            }
            upright = _plain(reference) if self._maps_of == call else None  # one copy for all transforms of the pass
            for transform, row in zip(this.transforms, _rows(rows), strict=True):
                if isinstance(transform, Shift):
                    layer.error[transform.name] = self._shift_error(call, transform, reference, row)
                elif transform in expected:
                    mask = _mask(transform, row)
                    layer.error[transform.name] = relative_error(row, expected[transform], mask=mask)
                if upright is not None:
                    kept = self._kept_maps(call, transform, out_type, reference, row, upright)
                    self._maps_type, self._maps[transform.name] = out_type, kept
            if self._own_errors and in_type is not None:
                self._note_own_errors(module, layer, in_type, inputs[0][:1], expected)

        return hook

    def _shift_error(self, call: str, shift: Shift, reference: Tensor, output: Tensor) -> Tensor | None:
        interior = interior_of(shift, self._grids.get(call), output)
        if interior is None:
            return None
        here, there = interior
        return relative_error(output[:, :, here[0], here[1]], reference[:, :, there[0], there[1]])

    def _note_own_errors(
        self,
        module: nn.Module,
        layer: _Layer,
        in_type: FieldType,
        features: Tensor,
        expected: Mapping[Element, Tensor],
    ) -> None:
        """Errors of the layer alone: its input from the upright picture, transformed exactly."""
        acting = [element for element in self._pass.own if element in expected and in_type.has_action(element)]
        square = features.dim() != 4 or features.shape[-1] == features.shape[-2]
        for swaps in (False, True):
            batch = [element for element in acting if (element.swaps_axes and not square) == swaps]
            if batch:
                outputs = module.forward(torch.cat([transform_fields(features, in_type, element) for element in batch]))
                for element, row in zip(batch, outputs.split(1), strict=True):
                    layer.own_error[element.name] = relative_error(row, expected[element], mask=_mask(element, row))

    def _kept_maps(
        self,
        call: str,
        transform: Transform,
        out_type: FieldType | None,
        reference: Tensor,
        output: Tensor,
        upright: Tensor,
    ) -> TransformedMaps:
        realigned = None
        if isinstance(transform, Shift):
            interior = interior_of(transform, self._grids.get(call), output)
            if interior is not None:
                here, there = interior
                realigned = reference.clone()
                realigned[:, :, there[0], there[1]] = output[:, :, here[0], here[1]]
        elif out_type is not None and out_type.has_action(transform):
            realigned = transform_fields(output, out_type, transform.inverse)
            mask = _mask(transform, realigned)
            realigned = realigned if mask is None else torch.where(mask, realigned, reference)
            realigned = realigned if realigned.shape == reference.shape else None
        return TransformedMaps(upright, _plain(output), None if realigned is None else _plain(realigned))

    def release(self) -> None:
        """Cut the circle of network, hooks and recorder, so that all maps are freed now and not some time later."""
        for handle in self._handles:
            handle.remove()
        self._upright.clear()

    def result(self, names: list[str]) -> Measurement:
        """Everything measured, as numbers."""
        layers = tuple(
            LayerMeasurement(
                name,
                layer.kind,
                layer.module_name,
                layer.in_hw,
                layer.out_hw,
                _numbers(layer.error, names),
                _numbers(layer.own_error, names) if self._own_errors else {},
            )
            for name, layer in self._layers.items()
        )
        return Measurement(
            int(self._picture.shape[-2]),
            int(self._picture.shape[-1]),
            str(self._picture.dtype).removeprefix("torch."),
            str(self._picture.device),
            layers,
            _numbers(self._output_error, names),
            {name: tuple(self._logits[name].double().tolist()) for name in ("identity", *names)},
            LayerMaps(self._maps_of, self._maps_type, self._maps) if self._maps_of and self._maps else None,
        )


def _rows(batch: Tensor) -> list[Tensor]:
    """Each picture's maps, (1, …); of an empty batch none, where `split` gives one that is empty."""
    return [batch[at : at + 1] for at in range(len(batch))]


def _acts(field_type: FieldType | None, element: Element) -> bool:
    return field_type is not None and field_type.has_action(element)


def _mask(transform: Transform, maps: Tensor) -> Tensor | None:
    if transform.moves_pixels or maps.dim() != 4:
        return None
    return disc_mask(*maps.shape[-2:], device=maps.device)


def _plain(maps: Tensor) -> Tensor:
    return maps[0].detach().float().cpu()


def _numbers(errors: Mapping[str, Tensor | None], names: list[str]) -> dict[str, float | None]:
    return {name: None if errors.get(name) is None else float(errors[name]) for name in names}  # type: ignore[arg-type]
