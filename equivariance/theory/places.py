"""Where a layer samples a picture, and where the transformed picture, turned back. Pure arithmetic, no tensors.

Places are in pixels of the layer's input, 0 at the centre of the first; cells reach from their number to the next.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

from equivariance.groups.point_groups import Element
from equivariance.layers.windows import AxisWindow
from equivariance.theory.grids import AxisSampling, Step, evaluate

Samplings = tuple[AxisSampling, AxisSampling]  # of height and width


@dataclass(frozen=True)
class AxisPlaces:
    """One axis of the input, `side_px` pixels, as a layer samples it."""

    sampling: AxisSampling
    side_px: int

    @property
    def between_px(self) -> float:
        """How far samples lie from the pixels that count them: ½ where neighbours are averaged first, else 0."""
        return (self.side_px - self.sampling.side) / 2

    @cached_property
    def centres_px(self) -> tuple[float, ...]:
        """The centre of each window."""
        window = self.sampling.window
        first = self.between_px - self.sampling.pad_before + window.reach / 2
        return tuple(first + number * window.stride for number in range(self.sampling.out_side))

    @property
    def windows_px(self) -> tuple[tuple[float, float], ...]:
        """(start, end) of each window, from the edge of the first pixel."""
        half = (self.sampling.window.reach + 1) / 2
        return tuple((centre + 0.5 - half, centre + 0.5 + half) for centre in self.centres_px)

    @property
    def extent_px(self) -> tuple[float, float]:
        """(start, end) of the pixels with their padding, and of what the windows reach beyond it, from that edge."""
        start, end = self.between_px - self.sampling.pad_before, self.sampling.side + self.sampling.pad_after
        return min(0.0, start), max(self.side_px, self.between_px + end, self.windows_px[-1][1])

    @cached_property
    def reached(self) -> frozenset[int]:
        """Numbers of the cells that windows read: pixels from 0 on, and cells of padding before and after them.

        Of pixels that were cropped none is read, though a window lies there, on padding or in ceil mode.
        """
        window, cells = self.sampling.window, set()
        cropped = set() if window.centred else {*range(self.sampling.side)} - {*self.sampling.given}
        for number, tap in product(range(self.sampling.out_side), range(window.kernel)):
            sample = number * window.stride - self.sampling.pad_before + tap * window.dilation
            if sample in cropped:
                continue
            if sample < self.sampling.side:
                cells.add(math.floor(sample + self.between_px))
            if sample >= 0:
                cells.add(math.ceil(sample + self.between_px))
        return frozenset(cells)


@dataclass(frozen=True)
class SampledGrid:
    """A layer on its input and on the input's transform; pairs are (height, width) of the upright input.

    `turned`: what the layer does along these axes once `element` has moved them, before they are reversed back.
    """

    axes: tuple[AxisPlaces, AxisPlaces]
    turned: tuple[AxisPlaces, AxisPlaces]
    element: Element

    @property
    def upright(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The rows and the columns that windows are centred on."""
        return self.axes[0].centres_px, self.axes[1].centres_px

    @cached_property
    def returned(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The same on the transform, turned back, in ascending order."""
        rows, columns = (
            tuple(sorted(axis.side_px - 1 - centre for centre in axis.centres_px)) if is_reversed else axis.centres_px
            for axis, is_reversed in zip(self.turned, self.element.reversed_axes, strict=True)
        )
        return rows, columns

    @property
    def agrees(self) -> bool:
        """Whether the picture and its transform are sampled at the same places."""
        return self.upright == self.returned

    @property
    def apart_px(self) -> tuple[float | None, float | None]:
        """How far the places of the transform lie from those of the picture; None where they are not a shifted copy."""
        height, width = (_shift_px(*places) for places in zip(self.upright, self.returned, strict=True))
        return height, width

    @property
    def is_exact(self) -> bool:
        """Whether the layer commutes with the element, if its weights do."""
        reversals = [
            axis.sampling.commutes_with_reversal
            for axis, is_reversed in zip(self.turned, self.element.reversed_axes, strict=True)
            if is_reversed
        ]
        return self.turned == self.axes and all(reversals)


def sampled_grid(samplings: Samplings, in_hw: tuple[int, int], element: Element) -> SampledGrid:
    """The layer that samples an input of `in_hw` so, on the input and on its transform by a quarter turn or mirror."""
    height, width = (_places(sampling, side_px) for sampling, side_px in zip(samplings, in_hw, strict=True))
    moved = (_along(width, height), _along(height, width)) if element.swaps_axes else (height, width)
    return SampledGrid((height, width), moved, element)


def mended_grid(samplings: Samplings, in_hw: tuple[int, int], element: Element) -> SampledGrid:
    """The same layer with symmetric subsampling."""
    height, width = (_centred(sampling.window, side) for sampling, side in zip(samplings, in_hw, strict=True))
    return sampled_grid((height, width), in_hw, element)


def _places(sampling: AxisSampling, side_px: int) -> AxisPlaces:
    """A layer that is not centred merges earlier padding with its own, which then does not count as pixels."""
    return AxisPlaces(sampling, side_px if sampling.window.centred else sampling.side)


def _along(axis: AxisPlaces, other: AxisPlaces) -> AxisPlaces:
    """What is done along `axis`, done along the pixels of the other axis."""
    sampling, window = axis.sampling, axis.sampling.window
    if window.centred:
        return AxisPlaces(_centred(window, other.side_px), other.side_px)
    merged = sampling.pad_before + sampling.pad_after - 2 * window.pad
    out_side = window.out_side(other.side_px + merged)
    return AxisPlaces(replace(sampling, side=other.side_px, out_side=out_side), other.side_px)


def _centred(window: AxisWindow, side_px: int) -> AxisSampling:
    centred = replace(window, centred=True)
    steps = Step("picture"), Step("window", (0,), windows=(centred, centred))
    sampling = evaluate(steps, 0, side_px)[1].sampling
    assert sampling is not None  # a window always has one
    return sampling


def _shift_px(places: tuple[float, ...], others: tuple[float, ...]) -> float | None:
    """The one distance between two rows of places, if it is one."""
    if len(places) != len(others):
        return None
    distances = {abs(other - place) for place, other in zip(places, others, strict=True)}
    return distances.pop() if len(distances) == 1 else None
