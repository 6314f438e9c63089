"""Drawings that explain: SVG as text, computed by the same arithmetic as the verdicts. Colours are left to the page."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from equivariance.groups.transforms import label_of
from equivariance.theory.places import AxisPlaces, SampledGrid

_WIDTH, _EDGE = 308, 1  # all lengths are units of the drawing: CSS pixels where it has its full width
_LARGEST_CELL, _LEVEL, _BELOW_HEADLINE, _FOOT = 34, 16, 36, 22
_WHOLE_PX = 12  # sides up to this are drawn whole; of longer ones both ends, with a gap of one cell
_FEWEST_AT_END, _MOST_AT_END = 4, 12
_MOST_LEVELS = 3
_AXES = ("height", "width")


@dataclass(frozen=True)
class _Ruler:
    """Which part of an axis is drawn: from `low` to `high` but for `gap`, in pixels from the picture's edge."""

    side_px: int
    low: float
    high: float
    gap: tuple[int, int] | None

    def at(self, edge: float) -> float:
        """Where a place lies, in cells from the drawing's edge."""
        if self.gap is None or edge <= self.gap[0]:
            return edge - self.low
        if edge >= self.gap[1]:
            return edge - self.low - (self.gap[1] - self.gap[0]) + 1
        return self.gap[0] - self.low + (edge - self.gap[0]) / (self.gap[1] - self.gap[0])

    def shows(self, edge: float) -> bool:
        """Whether a place is drawn, and not within the gap."""
        return self.gap is None or not self.gap[0] < edge < self.gap[1]

    @property
    def ends(self) -> tuple[int, ...]:
        """The pixels on both sides of what is not drawn, counted from 0."""
        inner = () if self.gap is None else (self.gap[0] - 1, self.gap[1])
        return tuple(dict.fromkeys((0, *inner, self.side_px - 1)))


def draw_grid(grid: SampledGrid, *, name: str) -> str:
    """The drawing as one SVG element with a title and a description, 308 wide; `name` is its own on a page."""
    rulers = _ruler(grid, 0), _ruler(grid, 1)
    cell = min(_LARGEST_CELL, (_WIDTH - 2 * _EDGE) / rulers[1].at(rulers[1].high))
    top = _BELOW_HEADLINE + _LEVEL * _levels(grid.axes[1]) + 4
    height = top + rulers[0].at(rulers[0].high) * cell + _FOOT
    title, description = headline(grid), describe(grid)
    sheet = _Sheet(rulers, cell, top)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_short(height)}" role="img" aria-labelledby="{name}-title {name}-text">',
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-text">{escape(description)}</desc>',
        f'<defs><pattern id="{name}-hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><path class="hatch" d="M 0 0 V 6"/></pattern></defs>',
        f'<text class="headline" x="{_EDGE}" y="18">{escape(title)}</text>',
        *sheet.windows(grid.axes[1]),
        *sheet.pixels(grid.axes, f"url(#{name}-hatch)"),
        *sheet.numbers(),
        *sheet.circles("dot", grid.upright, 0.18),
        *sheet.circles("ring", grid.returned, 0.31),
        "</svg>",
    ]
    return "".join(parts)


def draw_figure(grid: SampledGrid, *, name: str, words: str) -> str:
    """The drawing with `words` and its description below, as the inside of an HTML figure."""
    caption = f"<strong>{escape(words)}</strong> {escape(describe(grid))}"
    return f"{draw_grid(grid, name=name)}<figcaption>{caption}</figcaption>"


@dataclass(frozen=True)
class _Sheet:
    """Rulers for height and width, the side of a cell, and where the picture begins; gives SVG elements."""

    rulers: tuple[_Ruler, _Ruler]
    cell: float
    top: float

    def _x(self, edge: float) -> float:
        return _EDGE + self.rulers[1].at(edge) * self.cell

    def _y(self, edge: float) -> float:
        return self.top + self.rulers[0].at(edge) * self.cell

    def windows(self, axis: AxisPlaces) -> Iterator[str]:
        """One bracket for each window of a row, on levels, because neighbours overlap; an end in the gap has no hook.

        Of windows that overlap too much, the first and the last alone.
        """
        levels, inset, windows = _levels(axis), min(3.0, self.cell / 8), axis.windows_px
        for number, (start, end) in enumerate(windows if levels == _overlap(axis) else (windows[0], windows[-1])):
            hooks = [self.rulers[1].shows(edge) for edge in (start, end)]
            if any(hooks):
                y = _BELOW_HEADLINE + _LEVEL * (number % levels)
                x, width = self._x(start) + inset, self._x(end) - self._x(start) - 2 * inset
                first, second = (f"{_short(x)} {y + 7} v -7" if hooks[0] else f"{_short(x)} {y}"), " v 7" * hooks[1]
                yield f'<path class="window" d="M {first} h {_short(width)}{second}"/>'

    def pixels(self, axes: tuple[AxisPlaces, AxisPlaces], hatch: str) -> Iterator[str]:
        """The pixels and the padding around them; those that no window reaches are hatched."""
        rows, columns = (list(_cells(axis, ruler)) for axis, ruler in zip(axes, self.rulers, strict=True))
        for row, top, bottom in rows:
            for column, left, right in columns:
                inside = 0 <= row < axes[0].side_px and 0 <= column < axes[1].side_px
                reached = row in axes[0].reached and column in axes[1].reached
                x, y = self._x(left), self._y(top)
                yield (
                    f'<rect class="{"pixel" if inside else "padding"}" x="{_short(x)}" y="{_short(y)}" '
                    f'width="{_short(self._x(right) - x)}" height="{_short(self._y(bottom) - y)}"'
                    + ("/>" if reached else f' style="fill:{hatch}"/>')
                )

    def numbers(self) -> Iterator[str]:
        """The numbers of the columns at the ends, from 1, and dots where rows and columns are left out."""
        rows, columns = self.rulers
        below = self._y(rows.high) + 15
        for pixel in columns.ends:
            yield f'<text class="number" x="{_short(self._x(pixel + 0.5))}" y="{_short(below)}">{pixel + 1}</text>'
        if columns.gap is not None:
            x, y = self._x(sum(columns.gap) / 2), self._y(rows.ends[-1] + 0.5)
            yield f'<text class="number" x="{_short(x)}" y="{_short(y + 4)}">⋯</text>'
        if rows.gap is not None:
            x, y = self._x(columns.ends[-1] + 0.5), self._y(sum(rows.gap) / 2)
            yield f'<text class="number" x="{_short(x)}" y="{_short(y + 4)}">⋮</text>'

    def circles(self, kind: str, centres: tuple[tuple[float, ...], tuple[float, ...]], cells: float) -> Iterator[str]:
        """Dots or rings with a radius in cells; `centres` of rows and of columns, in pixels from the first one's."""
        rows, columns = (
            [at + 0.5 for at in places if ruler.shows(at + 0.5)]
            for places, ruler in zip(centres, self.rulers, strict=True)
        )
        for row in rows:
            for column in columns:
                x, y, radius = self._x(column), self._y(row), cells * self.cell
                yield f'<circle class="{kind}" cx="{_short(x)}" cy="{_short(y)}" r="{_short(radius)}"/>'


def _ruler(grid: SampledGrid, axis: int) -> _Ruler:
    """The whole axis, or so much of both its ends that the outermost places of both kinds are seen."""
    places, side = [at + 0.5 for at in (*grid.upright[axis], *grid.returned[axis])], grid.axes[axis].side_px
    low, high = grid.axes[axis].extent_px
    low, high = min(low, *(at - 0.5 for at in places)), max(high, *(at + 0.5 for at in places))
    outermost = max(min(grid.upright[axis]), min(grid.returned[axis])) + 0.5
    shown = min(max(_FEWEST_AT_END, math.ceil(outermost) + 1), _MOST_AT_END)
    whole = side <= max(_WHOLE_PX, 2 * shown + 2)
    return _Ruler(side, low, high, None if whole else (shown, side - shown - 1))


def _cells(axis: AxisPlaces, ruler: _Ruler) -> Iterator[tuple[int, float, float]]:
    """(number, start, end) of each pixel and each cell of padding that is drawn; the outermost may be half a cell."""
    low, high = axis.extent_px
    for number in range(math.floor(low), math.ceil(high)):
        if ruler.shows(number + 0.5):
            yield number, max(number, low), min(number + 1, high)


def _overlap(axis: AxisPlaces) -> int:
    """How many windows lie over one place at most."""
    window = axis.sampling.window
    return min(-(-(window.reach + 1) // window.stride), axis.sampling.out_side)


def _levels(axis: AxisPlaces) -> int:
    return _overlap(axis) if _overlap(axis) <= _MOST_LEVELS else 2


def _short(length: float) -> str:
    return f"{round(length, 2):g}"


# --------------------------------------------------------------------------------------------------------------- words


def headline(grid: SampledGrid) -> str:
    """What happens at this side, in a few words."""
    sides = tuple(axis.side_px for axis in grid.axes)
    return f"{sides[0] if sides[0] == sides[1] else f'{sides[0]}×{sides[1]}'} px: {_fit(grid)}"


def _fit(grid: SampledGrid) -> str:
    remainders = [axis.sampling.remainder for axis in grid.axes]
    left_over = [
        f"{remainder} {word}{'s' * (remainder > 1)}"
        for remainder, word in zip(remainders, ("row", "column"), strict=True)
        if remainder > 0
    ]
    if left_over:
        return f"{' and '.join(left_over)} left over"
    if min(remainders) < 0:
        return "a window reaches past the end"
    if any(axis.between_px for axis in grid.axes):
        return "centred between the pixels"
    displaced = any(axis.sampling.displacement_px for axis in grid.axes)
    return "more padding on one side" if displaced else "the windows fit"


def describe(grid: SampledGrid) -> str:
    """The drawing in words and numbers."""
    samplings = [axis.sampling for axis in grid.axes]
    windows = [sampling.window for sampling in samplings]
    counts = [sampling.out_side for sampling in samplings]
    facts = [
        f"{_both(counts)} window{'s' * (max(counts) > 1)} a side",
        f"kernel {_both([window.kernel for window in windows])}",
        f"stride {_both([window.stride for window in windows])}",
    ]
    if any(window.dilation > 1 for window in windows):
        facts.append(f"dilation {_both([window.dilation for window in windows])}")
    if any(axis.between_px for axis in grid.axes):
        facts.append("on the means of neighbours")
    if any(sampling.pad_before or sampling.pad_after for sampling in samplings):
        facts.append(f"padding {_both([_padding(sampling.pad_before, sampling.pad_after) for sampling in samplings])}")
    facts.append(f"remainder {_both([_number(sampling.remainder) for sampling in samplings])}")
    facts.append(f"displacement {_both([_number(sampling.displacement_px) for sampling in samplings])} px")
    return f"{', '.join(facts)}. {_agreement(grid)}"


def _agreement(grid: SampledGrid) -> str:
    """Whether the picture and its transform are sampled at the same places, and else how far apart."""
    transform = f"transform ({label_of(grid.element.name)})"
    if grid.agrees:
        same = f"The picture and its {transform} are sampled at the same places"
        return f"{same}." if grid.is_exact else f"{same}, but the windows read different pixels there."
    parts = [
        f"{_number(apart_px)} px along the {axis}"
        for apart_px, axis in zip(grid.apart_px, _AXES, strict=True)
        if apart_px
    ]
    beside = f"at places shifted by {' and '.join(parts)}."
    sentence = f"The {transform} is sampled {'at other places.' if None in grid.apart_px else beside}"
    return f"{sentence} Yet the windows read the same pixels." if grid.is_exact else sentence


def _padding(before: int, after: int) -> str:
    return _number(before) if before == after else f"{_number(before)} before, {_number(after)} after"


def _number(value: float) -> str:
    """`−1½` for −1.5: displacements are halves."""
    whole, half = divmod(abs(value), 1)
    return f"{'−' if value < 0 else ''}{'' if half and not whole else f'{whole:g}'}{'½' if half else ''}"


def _both(values: list[int] | list[str]) -> str:
    return f"{values[0]}" if values[0] == values[1] else f"{values[0]} (height) and {values[1]} (width)"
