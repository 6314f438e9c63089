"""Sampling grids: what convolutions and pools do to the pixels of one axis. Pure arithmetic, no tensors.

A network is a graph of steps on tensors (recorded by `tracing`); `evaluate` follows one axis of a picture of any side
through it. Height and width are independent, so each is evaluated on its own.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

from equivariance.layers.windows import AxisWindow

EXACT, BROKEN, UNDECIDED = "exact", "broken", "undecided"


def worst(statuses: Collection[str]) -> str:
    """BROKEN before UNDECIDED before EXACT, which none at all are."""
    return next((status for status in (BROKEN, UNDECIDED) if status in statuses), EXACT)


@dataclass(frozen=True)
class AxisSampling:
    """One operation on one axis: out pixel j reads pixels j·stride − pad_before + dilation·t, 0 ≤ t < kernel.

    Of a centred window, `side` counts the means of neighbours where it takes them.
    """

    window: AxisWindow
    side: int
    out_side: int
    pad_before: int
    pad_after: int

    @property
    def remainder(self) -> int:
        """Pixels, padding included, that no window reaches; negative where ceil mode adds a window."""
        w = self.window
        span = w.stride * (self.out_side - 1) + w.reach + 1
        return self.side + self.pad_before + self.pad_after - span

    @property
    def displacement_px(self) -> float:
        """δ = (pad_after − pad_before − remainder) / 2: centre of the out grid minus that of the in grid, in pixels."""
        return (self.pad_after - self.pad_before - self.remainder) / 2

    @property
    def given(self) -> range:
        """Places of the pixels and of earlier padding: not of the operation's own, nor of what was cropped before."""
        return range(self.window.pad - self.pad_before, self.side + self.pad_after - self.window.pad)

    @cached_property
    def commutes_with_reversal(self) -> bool:
        """Whether reversing the axis before the window equals reversing it afterwards, for all symmetric weights."""
        if self.displacement_px == 0 and self.pad_before == self.pad_after:
            return True
        last = self.out_side - 1
        return all(self._reads(j) == self._mirrored(self._reads(last - j)) for j in range(self.out_side))

    def _reads(self, j: int) -> tuple[frozenset[tuple[int, int]], int]:
        """The real pixels that out pixel j reads, and what padding does to it: its share of a mean, or of a maximum.

        Pixels are (tap, place): a convolution weighs each tap by itself, to a pool all are tap 0.
        """
        w = self.window
        start = j * w.stride - self.pad_before
        given = [(t, start + t * w.dilation) for t in range(w.kernel) if start + t * w.dilation in self.given]
        real = frozenset((t if w.kind == "conv" else 0, at) for t, at in given if 0 <= at < self.side)
        if w.kind == "padded mean":
            return real, min(start + w.kernel, self.side + self.pad_after) - start
        if w.kind == "mean":
            return real, len(given)
        return real, int(w.kind == "max" and len(given) > len(real))  # whether a zero takes part in the maximum

    def _mirrored(self, reads: tuple[frozenset[tuple[int, int]], int]) -> tuple[frozenset[tuple[int, int]], int]:
        real, padded = reads
        last_tap = self.window.kernel - 1 if self.window.kind == "conv" else 0
        return frozenset((last_tap - t, self.side - 1 - at) for t, at in real), padded


@dataclass(frozen=True)
class AxisState:
    """Where the samples of a tensor lie along one axis, in pixels of the picture.

    Sample j depends on pixels start + j·stride … start + j·stride + extent − 1 alone. `pending` is padding (negative:
    cropping) that the next operation merges with its own. `broken_by` names the calls that displaced the grid; `mixed`
    says that differently displaced tensors were combined, which nothing can undo.
    """

    picture_side: int
    side: int
    start: float = 0.0
    extent: float = 1.0
    stride: float = 1.0
    pending: tuple[int, int] = (0, 0)
    broken_by: tuple[str, ...] = ()
    mixed: bool = False
    undecided: bool = False

    @property
    def displacement_px(self) -> float:
        """Centre of this grid minus centre of the picture."""
        start = self.start - self.pending[0] * self.stride
        return start + ((self.side - 1) * self.stride + self.extent - self.picture_side) / 2

    @property
    def status(self) -> str:
        """Exact, broken, or undecided where a later layer has undone a displacement (borders may differ)."""
        if self.undecided:
            return UNDECIDED
        if self.pending[0] != self.pending[1] or self.mixed:
            return BROKEN
        if not self.broken_by:
            return EXACT
        return BROKEN if self.displacement_px != 0 else UNDECIDED


@dataclass(frozen=True)
class Step:
    """A step of the graph: `inputs` are the numbers of earlier steps; the picture itself is step 0.

    `kind`: "picture", "window" (height's and width's AxisWindow), "pad" ((before, after) for height, width),
    "mean" (over all pixels), "resize" (to sides, or by factors), "together" (pixel by pixel), "unknown".
    """

    kind: str
    inputs: tuple[int, ...] = ()
    call: str = ""
    windows: tuple[AxisWindow, AxisWindow] | None = None
    pads: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    sides: tuple[int, int] | None = None
    factors: tuple[float, float] | None = None
    linear: bool = False  # of "together": zeros stay zeros, so padding may still merge with what follows
    fills: bool = False  # of "pad": with another number than zero
    placed: bool = False  # of "together": with numbers that differ from place to place and do not move with the picture


@dataclass(frozen=True)
class AxisStep:
    """What a step does at a given side: the state of its result (None: not known) and, of windows, the sampling."""

    state: AxisState | None
    sampling: AxisSampling | None = None
    status: str = EXACT


def evaluate(steps: tuple[Step, ...], axis: int, picture_side: int) -> list[AxisStep]:
    """Every step for one axis (0 height, 1 width) of a picture of `picture_side` pixels."""
    results = [AxisStep(AxisState(picture_side, picture_side))]
    for step in steps[1:]:
        states = [results[number].state for number in step.inputs]
        known = [state for state in states if state is not None]
        if len(known) < len(states) or step.kind == "unknown":
            results.append(AxisStep(None, status=UNDECIDED))
        elif step.kind == "window":
            assert step.windows is not None
            results.append(_through_window(known[0], step.windows[axis], step.call))
        else:
            results.append(AxisStep(_through(known, step, axis)))
    return results


def _through_centred_window(before: AxisState, window: AxisWindow) -> AxisStep:
    """A layer that centres what it reads keeps the displacement that its input has, if any."""
    centring = window.centring(before.side)
    side = before.side - centring.averages if before.side > 1 or not centring.averages else 2
    out_side = window.out_side(before.side)
    sampling = AxisSampling(window, side, out_side, centring.pad, centring.pad)
    extent = before.extent + (window.reach + centring.averages) * before.stride
    after = replace(before, side=out_side, extent=extent, stride=before.stride * window.stride, pending=(0, 0))
    one_sided = before.pending[0] != before.pending[1]  # the layer takes it for pixels
    return AxisStep(
        replace(
            after, start=after.start + before.displacement_px - after.displacement_px, mixed=before.mixed or one_sided
        ),
        sampling,
    )


def _through_window(before: AxisState, window: AxisWindow, call: str) -> AxisStep:
    if window.centred:
        return _through_centred_window(before, window)
    out_side = window.out_side(before.side)
    pad_before, pad_after = before.pending
    sampling = AxisSampling(
        window, before.side - pad_before - pad_after, out_side, window.pad + pad_before, window.pad + pad_after
    )
    commutes, one_sided = sampling.commutes_with_reversal, pad_before != pad_after
    keeps_all = (
        window.stride == 1 and min(sampling.pad_before, sampling.pad_after) >= window.reach
    )  # a mean may still mend it
    doubtful = (
        one_sided and not commutes and (keeps_all or window.kind == "max")
    )  # padded zeros may lose to real values
    after = replace(
        before,
        side=out_side,
        start=before.start - sampling.pad_before * before.stride,
        extent=before.extent + window.reach * before.stride,
        stride=before.stride * window.stride,
        pending=(0, 0),
        broken_by=before.broken_by if commutes else (*before.broken_by, call),
        undecided=before.undecided or doubtful,
    )
    return AxisStep(after, sampling, UNDECIDED if one_sided else EXACT if commutes else BROKEN)


def _through(states: list[AxisState], step: Step, axis: int) -> AxisState:
    first = states[0]
    one_sided = first.pending[0] != first.pending[1]
    if step.kind == "pad":
        before, after = step.pads[axis]
        pending = (first.pending[0] + before, first.pending[1] + after)
        refilled = any(old < 0 < new for old, new in zip(first.pending, (before, after), strict=True))
        undecided = first.undecided or (refilled and (one_sided or before != after))  # zeros took the place of pixels
        undecided = undecided or (step.fills and (one_sided or before != after))  # one number here, another there
        padded = replace(first, side=first.side + before + after, pending=pending, undecided=undecided)
        return _with_border_as_pixels(padded) if step.fills else padded
    if step.kind == "mean":
        side = first.side - sum(first.pending)
        lost = one_sided and min(first.pending) < 0  # the mean takes padding from any side, but not cropping
        whole = replace(first, side=1, extent=first.extent + (side - 1) * first.stride, pending=(0, 0))
        return replace(whole, mixed=first.mixed or lost, broken_by=(*first.broken_by, *[step.call][: int(lost)]))
    if step.kind == "resize":
        side = (
            step.sides[axis] if step.sides else round(first.side * step.factors[axis]) if step.factors else first.side
        )
        stride = first.stride * first.side / side
        resized = replace(
            first,
            side=side,
            stride=stride,
            extent=first.extent + stride + first.stride,
            pending=(0, 0),
            undecided=first.undecided or one_sided,
        )
        return replace(resized, start=resized.start + first.displacement_px - resized.displacement_px)
    keeps_border = step.linear and len({state.pending for state in states}) == 1
    states = states if keeps_border else [_with_border_as_pixels(state) for state in states]
    displaced_apart = len({state.displacement_px for state in states}) > 1
    broken_by = tuple(dict.fromkeys(name for state in states for name in state.broken_by))
    return replace(
        states[0],
        start=min(state.start for state in states),
        extent=max(state.start + state.extent for state in states) - min(state.start for state in states),
        broken_by=broken_by,
        mixed=any(state.mixed for state in states) or (displaced_apart and bool(broken_by)),
        undecided=step.placed or any(state.undecided for state in states),
    )


def _with_border_as_pixels(state: AxisState) -> AxisState:
    """A border that is not zero, or not that of all tensors combined, does not merge with later padding.

    One on one side alone may or may not be dropped later.
    """
    before, after = state.pending
    start = state.start - before * state.stride
    return replace(state, start=start, pending=(0, 0), undecided=state.undecided or before != after)
