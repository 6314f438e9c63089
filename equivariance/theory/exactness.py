"""Theory: whether a network is exactly equivariant at a size, which layers break it and why, and the exact sizes.

Two things decide. The *grids*: a layer whose sampling grid is displaced (δ ≠ 0, see `grids`) does not commute with a
reversal of that axis. The *weights*: a kernel that differs from its own transform, or an activation or pool that does
not commute with the channels' action, breaks at every size. Nothing is taken from a table: grids are recorded from the
network's own modules as they are called, and weights are compared with their transforms.
"""

from dataclasses import dataclass
from functools import cached_property
from threading import RLock

import torch
from torch import Tensor, nn

from equivariance.errors import SizeError, first_line
from equivariance.following.blank import blank_copy
from equivariance.following.windows import dense
from equivariance.groups.acting import transform_fields
from equivariance.groups.fields import FieldType, kernel_parts, transformed_kernel
from equivariance.groups.point_groups import Element, PointGroup
from equivariance.groups.transforms import elements_to_measure
from equivariance.kept import Kept
from equivariance.largest import largest_of
from equivariance.layers.export import layers_of, types_of
from equivariance.relative import relative_error, relative_error_in_parts
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED, AxisSampling, AxisState, AxisStep, Step, evaluate, worst
from equivariance.theory.tracing import Call, Trace, trace

NO_ACTION = "no action"
PROBE_TOLERANCE = 1e-5  # of modules that run as they are, in float32
WEIGHT_TOLERANCE = 1e-9  # relative; kernels are compared in float64, after projection they agree to 1e-15
KEPT_TRACES = 64  # recordings kept for each network
SMALLEST_EXACT_PX = 8  # smaller exact sides are true but of no use
SEARCH_PX = 128  # how far from a side the nearest exact sides are looked for
_PROBE_SIDE = 64  # the side at which a network is recorded to find out which sides it can take

Pair = tuple[int, int]
Axes = tuple[list[AxisStep], list[AxisStep]]  # every step of the graph, for height and for width


@dataclass(frozen=True)
class LayerTheory:
    """One call of one layer; pairs are (height, width), None where the layer samples nothing.

    `elements`: for each element, whether the layer by itself commutes with it: "exact", "broken", "undecided" (its
    padding merges with the next layer's) or "no action". `weight_error` is the largest relative difference between
    the kernel (or output) and its transform. `sampling` has all numbers of its grid, for drawing it.
    """

    name: str
    kind: str
    module_name: str
    in_hw: Pair
    out_hw: Pair
    kernel: Pair | None
    stride: Pair | None
    padding: Pair | None
    remainder: Pair | None
    displacement_px: tuple[float, float] | None
    elements: dict[str, str]
    weight_error: float
    sampling: tuple[AxisSampling, AxisSampling] | None = None

    @property
    def is_broken(self) -> bool:
        """Whether any element is broken by this layer itself."""
        return BROKEN in self.elements.values()


@dataclass(frozen=True)
class Prediction:
    """Theory for one network at one size. `verdict`: "exact", "approximate", "not equivariant" or "undecided".

    `elements` are those of `group` (its name) that move pixels to pixels. Where there are none nothing is decided, and
    no side is exact.
    """

    height_px: int
    width_px: int
    verdict: str
    elements: dict[str, str]
    layers: tuple[LayerTheory, ...]
    exact_heights_px: tuple[int | None, int | None]
    exact_widths_px: tuple[int | None, int | None]
    invariant_logits: bool
    height_is_exact: bool
    width_is_exact: bool
    group: str = ""

    @property
    def broken_layers(self) -> tuple[LayerTheory, ...]:
        """Every layer that breaks an element by itself, in order."""
        return tuple(layer for layer in self.layers if layer.is_broken)

    @property
    def first_broken_layer(self) -> LayerTheory | None:
        """The first of them, if any."""
        return next(iter(self.broken_layers), None)

    @property
    def first_strided_layer(self) -> LayerTheory | None:
        """The first that keeps fewer pixels, if any: it would break at other sizes."""
        return next((layer for layer in self.layers if layer.stride is not None and max(layer.stride) > 1), None)


class Structure:
    """A served network as theory sees it: its shape without its weights, and what its weights break. Thread-safe.

    `errors` are its `weight_errors` where they are known already: taken from each layer before it was cast.
    """

    def __init__(
        self, network: nn.Module, group: PointGroup, errors: dict[str, dict[str, float]] | None = None
    ) -> None:
        self.group = group
        self.elements = elements_to_measure(group)
        self.types = {name: types_of(layer) for name, layer in layers_of(network)}
        self.weight_errors = weight_errors(network, self.elements) if errors is None else errors
        self._blank = blank_copy(network)
        self._recording = RLock()  # recording hooks the shared copy
        self._traces: Kept[Trace] = Kept(KEPT_TRACES)

    def trace(self, *, height_px: int, width_px: int) -> Trace:
        """The recorded pass for height × width; raises SizeError where the network cannot take it."""
        with self._recording:
            return self._traces.get((height_px, width_px), lambda: self._record(height_px, width_px))

    def _record(self, height_px: int, width_px: int) -> Trace:
        try:
            return trace(self._blank, height_px=height_px, width_px=width_px)
        except (RuntimeError, ValueError) as error:
            if height_px < self.smallest_px or width_px < self.smallest_px:
                raise SizeError(
                    f"The network cannot take {height_px}×{width_px} px: give at least {self.smallest_px} px a side."
                ) from None
            raise SizeError(f"The network cannot take {height_px}×{width_px} px: {first_line(error)}") from None

    def grids(self, *, height_px: int, width_px: int) -> dict[str, tuple[AxisState, AxisState]]:
        """For each call whose grid is known, where its samples lie along height and width; for comparing shifts."""
        recorded = self.trace(height_px=height_px, width_px=width_px)
        rows, columns = evaluate(recorded.steps, 0, height_px), evaluate(recorded.steps, 1, width_px)
        grids = {}
        for call in recorded.calls:
            if call.out_step is not None:
                row, column = rows[call.out_step].state, columns[call.out_step].state
                if row is not None and column is not None:
                    grids[call.name] = (row, column)
        return grids

    @cached_property
    def smallest_px(self) -> int:
        """The smallest side at which every layer has at least one pixel to give; at least 2, also where unknown."""
        with self._recording:
            try:
                steps = trace(self._blank, height_px=_PROBE_SIDE, width_px=_PROBE_SIDE).steps
            except (RuntimeError, ValueError):  # it takes only one side: none is too small
                return 2
        return next((side for side in range(2, _PROBE_SIDE) if _fits(evaluate(steps, 0, side))), _PROBE_SIDE)


def predict(structure: Structure, *, height_px: int, width_px: int) -> Prediction:
    """Theory's verdict for a picture of height × width; raises SizeError where the network cannot take it."""
    recorded = structure.trace(height_px=height_px, width_px=width_px)
    axes = evaluate(recorded.steps, 0, height_px), evaluate(recorded.steps, 1, width_px)
    layers = tuple(_layer(call, axes, recorded, structure) for call in recorded.calls)
    elements = {element.name: _network_status(element, axes, recorded, layers) for element in structure.elements}
    by_weights = bool(structure.weight_errors)
    swaps = any(element.swaps_axes for element in structure.elements)
    unlike = swaps and any(_axes_status(step) == BROKEN for step in recorded.steps)
    none_exact = by_weights or unlike or not elements
    rows, columns = (_Sides(structure, recorded, axis) for axis in (0, 1))
    return Prediction(
        height_px,
        width_px,
        _verdict(elements, by_weights=by_weights),
        elements,
        layers,
        (None, None) if none_exact else rows.nearest(height_px),
        (None, None) if none_exact else columns.nearest(width_px),
        all(out_type is not None for _, out_type in structure.types.values()),
        not none_exact and rows.is_exact(height_px),
        not none_exact and columns.is_exact(width_px),
        structure.group.name,
    )


def weight_errors(network: nn.Module, elements: tuple[Element, ...]) -> dict[str, dict[str, float]]:
    """{layer: `layer_errors`} for layers whose weights or channels do not commute with an element."""
    errors = {name: layer_errors(layer, elements) for name, layer in layers_of(network)}
    return {name: of_layer for name, of_layer in errors.items() if of_layer}


@torch.no_grad()
def layer_errors(layer: nn.Module, elements: tuple[Element, ...]) -> dict[str, float]:
    """{element: relative difference} for the elements that the weights or channels of a layer do not commute with.

    Convolutions and linear layers: ‖ρ_out(g) W ρ_in(g)⁻¹ − W‖ / ‖W‖. Other layers act pixel by pixel or pool: probed
    with random fields on which only the channels are transformed, ‖L(ρ_in(g) v) − ρ_out(g) L(v)‖ / ‖L(v)‖, float64.
    """
    in_type, out_type = types_of(layer)
    if in_type is None or out_type is None or not _layer_errors(layer, _generators(elements), in_type, out_type):
        return {}  # where the generators commute, all their products do
    return _layer_errors(layer, elements, in_type, out_type)


def _layer_errors(
    layer: nn.Module, elements: tuple[Element, ...], in_type: FieldType, out_type: FieldType
) -> dict[str, float]:
    acting = [element for element in elements if in_type.has_action(element) and out_type.has_action(element)]
    errors = {element.name: _weight_error(layer, element, in_type, out_type) for element in acting}
    tolerance = PROBE_TOLERANCE if getattr(layer, "runs_as_it_is", False) else WEIGHT_TOLERANCE
    return {name: error for name, error in errors.items() if not error <= tolerance}  # NaN included


def _generators(elements: tuple[Element, ...]) -> tuple[Element, ...]:
    """A few of `elements` whose products give all of them."""
    turns = [element for element in elements if not element.mirrored]
    mirrors = [element for element in elements if element.mirrored]
    return (*turns[:1], *mirrors[:1])


def _weight_error(layer: nn.Module, element: Element, in_type: FieldType, out_type: FieldType) -> float:
    if isinstance(layer, nn.Conv2d):
        if layer.kernel_size[0] != layer.kernel_size[1] and element.swaps_axes:
            return 1.0  # the transposed kernel has another shape
        kernel_error = _kernel_error(dense(layer.weight.detach(), layer.groups), element, in_type, out_type)
        return largest_of((kernel_error, _bias_error(layer, element, out_type))) or 0.0
    if isinstance(layer, nn.Linear):
        weight = layer.weight.detach()
        moved = out_type.act(in_type.act(weight, element, dim=1), element, dim=0)
        weight_error = float(relative_error(moved, weight))
        return largest_of((weight_error, _bias_error(layer, element, out_type))) or 0.0
    if getattr(layer, "runs_as_it_is", False):
        return min(_moved_error(layer, element, in_type, out_type, *how) for how in _PROBES)
    probe = _probe(layer, in_type)
    output = layer.forward(probe)
    return float(relative_error(layer.forward(in_type.act(probe, element)), out_type.act(output, element)))


def _moved_error(
    layer: nn.Module, element: Element, in_type: FieldType, out_type: FieldType, side: int, moves: bool
) -> float:
    """Of a module that runs as it is, of which nothing is known: on moved maps, or on maps with moved channels."""
    probe = _probe(layer, in_type, side)
    if moves:
        there, expected = (transform_fields(probe, in_type, element), layer.forward(probe))
        return float(relative_error(layer.forward(there), transform_fields(expected, out_type, element)))
    return float(
        relative_error(layer.forward(in_type.act(probe, element)), out_type.act(layer.forward(probe), element))
    )


# (side, whether pixels are moved too): a function of each pixel commutes with channels alone, one of windows where they
# fit; what breaks by its windows alone passes one of them, and following its operations tells the rest.
_PROBES = ((8, False), (8, True), (9, True))


def _kernel_error(kernel: Tensor, element: Element, in_type: FieldType, out_type: FieldType) -> float:
    parts = (
        (transformed_kernel(kernel[rows], element, in_type=in_type, out_type=fields), kernel[rows])
        for rows, fields in kernel_parts(out_type)
    )
    return float(relative_error_in_parts(parts))


def _bias_error(layer: nn.Conv2d | nn.Linear, element: Element, out_type: FieldType) -> float:
    return 0.0 if layer.bias is None else float(relative_error(out_type.act(layer.bias, element, dim=0), layer.bias))


def _probe(layer: nn.Module, in_type: FieldType, side: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    floating = (tensor.dtype for tensor in (*layer.parameters(), *layer.buffers()) if tensor.is_floating_point())
    dtype = next(floating, torch.float32 if getattr(layer, "runs_as_it_is", False) else torch.float64)
    return torch.randn(2, in_type.channels, side, side, generator=generator, dtype=torch.float64).to(dtype)


def _layer(call: Call, axes: Axes, recorded: Trace, structure: Structure) -> LayerTheory:
    sampling = _shown_sampling(call, axes)
    errors = structure.weight_errors.get(call.module_name, {})
    in_type, out_type = structure.types.get(call.module_name, (None, None))
    elements = {}
    for element in structure.elements:
        acts = in_type is not None and in_type.has_action(element) and out_type and out_type.has_action(element)
        if call.module_name and not acts:  # a call outside any layer has no types, yet its grid is known
            elements[element.name] = NO_ACTION
        elif element.name in errors:
            elements[element.name] = BROKEN
        else:
            elements[element.name] = _grid_status(element, call, axes, recorded)
    return LayerTheory(
        call.name,
        call.kind,
        call.module_name,
        call.in_hw,
        call.out_hw,
        None if sampling is None else (sampling[0].window.kernel, sampling[1].window.kernel),
        None if sampling is None else (sampling[0].window.stride, sampling[1].window.stride),
        None if sampling is None else (sampling[0].window.pad, sampling[1].window.pad),
        None if sampling is None else (sampling[0].remainder, sampling[1].remainder),
        None if sampling is None else (sampling[0].displacement_px, sampling[1].displacement_px),
        elements,
        largest_of(errors.values()) or 0.0,
        sampling,
    )


def _shown_sampling(call: Call, axes: Axes) -> tuple[AxisSampling, AxisSampling] | None:
    """The operation that names a layer, with the largest stride, kernel and padding; None for one that only mixes."""
    pairs = [(axes[0][number].sampling, axes[1][number].sampling) for number in call.windows]
    samplings = [(height, width) for height, width in pairs if height is not None and width is not None]
    shown = max(samplings, key=_prominence, default=None)
    return shown if shown is not None and (call.kind == "Conv2d" or _prominence(shown) > (1, 1, 0)) else None


def _prominence(pair: tuple[AxisSampling, AxisSampling]) -> tuple[int, int, int]:
    return max((each.window.stride, each.window.kernel, each.window.pad) for each in pair)


def _grid_status(element: Element, call: Call, axes: Axes, recorded: Trace) -> str:
    """Whether the sampling of one call commutes with `element`."""
    statuses = [EXACT]
    for number in call.windows:
        statuses += [axes[axis][number].status for axis in (0, 1) if element.reversed_axes[axis]]
        if element.swaps_axes:
            statuses.append(_axes_status(recorded.steps[number]))
    if call.out_step is not None:
        if element.swaps_axes:
            statuses.append(_axes_status(recorded.steps[call.out_step]))
        for axis in (0, 1):
            state = axes[axis][call.out_step].state
            if element.reversed_axes[axis] and (state is None or state.pending[0] != state.pending[1]):
                statuses.append(UNDECIDED)
    return worst(statuses)


def _axes_status(step: Step) -> str:
    """Whether a step treats height and width alike; what does not breaks every element that swaps them.

    Unlike padding may still be dropped, and unlike factors may come from one fixed side: these are undecided.
    """
    if step.windows is not None and step.windows[0] != step.windows[1]:
        return BROKEN
    pairs = (step.pads, step.sides or (0, 0), step.factors or (1.0, 1.0))
    return UNDECIDED if any(height != width for height, width in pairs) else EXACT


def _network_status(
    element: Element,
    axes: Axes,
    recorded: Trace,
    layers: tuple[LayerTheory, ...],
) -> str:
    weights_break = any(layer.elements[element.name] == BROKEN and layer.weight_error for layer in layers)
    axes_status = worst([_axes_status(step) for step in recorded.steps]) if element.swaps_axes else EXACT
    if weights_break or axes_status == BROKEN:
        return BROKEN
    if recorded.out_step is None or axes_status == UNDECIDED:
        return UNDECIDED
    states = [axes[axis][recorded.out_step].state for axis in (0, 1)]
    if None in states:
        return UNDECIDED
    return worst([state.status for axis, state in enumerate(states) if state and element.reversed_axes[axis]])


def _verdict(elements: dict[str, str], *, by_weights: bool) -> str:
    if by_weights:
        return "not equivariant"
    if not elements:
        return UNDECIDED
    return {EXACT: "exact", BROKEN: "approximate", UNDECIDED: "undecided"}[worst(list(elements.values()))]


class _Sides:
    """Which sides along `axis` (0 height, 1 width) are exact for the elements of a network.

    An axis that no element reverses or swaps may have any side: the mirror left-right asks nothing of the height.
    """

    def __init__(self, structure: Structure, recorded: Trace, axis: int) -> None:
        self._recorded, self._axis, self._smallest_px = recorded, axis, structure.smallest_px
        self._matters = any(each.swaps_axes or each.reversed_axes[axis] for each in structure.elements)

    def is_exact(self, side_px: int) -> bool:
        if self._matters:
            return is_exact_side(self._recorded, self._axis, side_px)
        return _fits(evaluate(self._recorded.steps, self._axis, side_px))

    def nearest(self, side_px: int) -> tuple[int | None, int | None]:
        """The nearest exact sides below and above `side_px`."""
        below = range(side_px - 1, max(self._smallest_px, SMALLEST_EXACT_PX, side_px - SEARCH_PX) - 1, -1)
        above = range(side_px + 1, side_px + SEARCH_PX + 1)
        return next(filter(self.is_exact, below), None), next(filter(self.is_exact, above), None)


def is_exact_side(recorded: Trace, axis: int, side_px: int) -> bool:
    """Whether a picture of `side_px` along `axis` (0 height, 1 width) leaves every grid centred."""
    if recorded.out_step is None:
        return False
    steps = evaluate(recorded.steps, axis, side_px)
    state = steps[recorded.out_step].state
    return state is not None and state.status == EXACT and _fits(steps)


def _fits(steps: list[AxisStep]) -> bool:
    return all(step.state is None or step.state.side >= 1 for step in steps)
