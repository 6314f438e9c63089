"""Drawings that explain: SVG as text, computed by the same arithmetic as the verdicts. Colours are left to the page."""

from dataclasses import dataclass
from html import escape

from explorer.grids import AxisSampling
from models.windows import AxisWindow

TURNS = {"⟲ 90°": (1, False), "⟲ 180°": (2, False), "⟲ 270°": (3, False), "mirror": (0, True)}
_KERNEL, _STRIDE = 3, 2

_CELL = 34  # all lengths are units of the drawing: CSS pixels where it has its full width
_LEFT, _TOP = 1, 72
_WIDTH = 308


@dataclass(frozen=True)
class SampledGrid:
    """Where a convolution without padding looks on a square picture, and where on its transform, turned back.

    `upright` and `returned`: (row, column) of the centres of the windows, in pixels of the picture.
    """

    side_px: int
    turn: str
    sampling: AxisSampling
    upright: tuple[tuple[float, float], ...]
    returned: tuple[tuple[float, float], ...]

    @property
    def agrees(self) -> bool:
        """Whether the picture and its transform are sampled at the same places."""
        return set(self.upright) == set(self.returned)


def sampled_grid(side_px: int, turn: str) -> SampledGrid:
    """The grid of a 3×3 convolution with stride 2 on `side_px` pixels, at least 3; `turn` is one of TURNS."""
    window = AxisWindow("conv", _KERNEL, _STRIDE)
    sampling = AxisSampling(window, side_px, window.out_side(side_px), 0, 0)
    centres = [number * _STRIDE + (_KERNEL - 1) / 2 for number in range(sampling.out_side)]
    places = tuple((row, column) for row in centres for column in centres)
    return SampledGrid(side_px, turn, sampling, places, tuple(_turned_back(place, turn, side_px) for place in places))


def _turned_back(place: tuple[float, float], turn: str, side_px: int) -> tuple[float, float]:
    """The place of the picture that lies at `place` of its transform: mirrored left-right, then turned."""
    quarter_turns, mirrored = TURNS[turn]
    row, column = place
    for _ in range(quarter_turns):
        row, column = column, side_px - 1 - row
    return row, (side_px - 1 - column if mirrored else column)


def draw_grid(grid: SampledGrid) -> str:
    """The drawing as one SVG element with a title and a description; 308 wide (9 px), as high as its side needs."""
    side, name = grid.side_px, f"grid-{grid.side_px}"
    title, description = headline(grid), describe(grid)
    height = _TOP + side * _CELL + 12
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="{name}-title {name}-text">',
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-text">{escape(description)}</desc>',
        f'<defs><pattern id="{name}-hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><path class="hatch" d="M 0 0 V 6"/></pattern></defs>',
        f'<text class="headline" x="{_LEFT}" y="18">{escape(title)}</text>',
        *_windows(grid),
        *_pixels(grid, f"url(#{name}-hatch)"),
        *(f'<circle class="dot" cx="{_at(x)}" cy="{_at(y, _TOP)}" r="6"/>' for y, x in grid.upright),
        *(f'<circle class="ring" cx="{_at(x)}" cy="{_at(y, _TOP)}" r="10.5"/>' for y, x in grid.returned),
        "</svg>",
    ]
    return "".join(parts)


def headline(grid: SampledGrid) -> str:
    """What happens at this side, in a few words."""
    return f"{grid.side_px} px: {'one row and one column left over' if grid.sampling.remainder else 'the windows fit'}"


def describe(grid: SampledGrid) -> str:
    """The drawing in words and numbers."""
    sampling = grid.sampling
    displacement = {0.0: "0", -0.5: "−½"}[sampling.displacement_px]  # stride 2 leaves one pixel over at most
    fit = f"{sampling.out_side} windows a side, remainder {sampling.remainder}, displacement {displacement} px."
    if grid.agrees:
        return f"{fit} The picture and its transform are sampled at the same places."
    return (
        f"{fit} The transform is sampled {2 * abs(sampling.displacement_px):.0f} px beside the places of the picture."
    )


def _windows(grid: SampledGrid) -> list[str]:
    """One bracket for each window of a row of pixels, on two levels, because neighbours overlap."""
    return [
        f'<path class="window" d="M {_LEFT + number * _STRIDE * _CELL + 3} {y + 7} v -7 h {_KERNEL * _CELL - 6} v 7"/>'
        for number in range(grid.sampling.out_side)
        for y in [36 + 16 * (number % 2)]
    ]


def _pixels(grid: SampledGrid, hatch: str) -> list[str]:
    """The pixels; those that no window reaches are hatched."""
    side, reached = grid.side_px, grid.side_px - grid.sampling.remainder
    return [
        f'<rect class="pixel" x="{_LEFT + x * _CELL}" y="{_TOP + y * _CELL}" width="{_CELL}" height="{_CELL}"'
        + (f' style="fill:{hatch}"/>' if max(x, y) >= reached else "/>")
        for y in range(side)
        for x in range(side)
    ]


def _at(pixel: float, start: int = _LEFT) -> float:
    return start + (pixel + 0.5) * _CELL
