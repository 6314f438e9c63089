"""Drawings of sampling grids: the SVG read back against torch, its words, and that everything lies within it."""

from xml.etree import ElementTree

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from equivariance.groups.point_groups import D4, Element
from equivariance.layers.windows import AxisWindow
from equivariance.theory.grids import AxisSampling
from equivariance.theory.places import SampledGrid, mended_grid, sampled_grid
from explorer.figures.drawing import describe, draw_figure, draw_grid, headline

DRAWN = settings(max_examples=150, deadline=None, derandomize=True, database=None)
ROUNDING = 0.02  # of lengths written with two decimals
STRIDED = AxisWindow("conv", 3, 2, pad=1)


def published(window: AxisWindow, height_px: int, width_px: int, turn: str = "rot90") -> SampledGrid:
    height, width = (
        AxisSampling(window, side, window.out_side(side), window.pad, window.pad) for side in (height_px, width_px)
    )
    return sampled_grid((height, width), (height_px, width_px), Element.parse(turn))


def mended(window: AxisWindow, height_px: int, width_px: int, turn: str = "rot90") -> SampledGrid:
    grid = published(window, height_px, width_px, turn)
    return mended_grid((grid.axes[0].sampling, grid.axes[1].sampling), (height_px, width_px), grid.element)


def parse(grid: SampledGrid) -> ElementTree.Element:
    return ElementTree.fromstring(draw_grid(grid, name="grid"))


def columns(drawing: ElementTree.Element, kind: str) -> set[float]:
    """The columns that circles of a kind are drawn on, in pixels, read by the numbers below the drawing alone."""
    labels = [(float(part.get("x")), int(part.text) - 1) for part in parts(drawing, "number") if part.text.isdigit()]
    ends = [labels[:2], labels[-2:]]
    return {_pixel(float(circle.get("cx")), ends) for circle in parts(drawing, kind)}


def _pixel(x: float, ends: list[list[tuple[float, int]]]) -> float:
    """A place by the nearer end, between whose two numbers it is interpolated."""
    (x1, first), (x2, last) = min(ends, key=lambda end: min(abs(x - at) for at, _ in end))
    return round(2 * (first + (x - x1) * (last - first) / (x2 - x1))) / 2


def parts(drawing: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [part for part in drawing if part.get("class") == kind]


def mean_places(window: AxisWindow, side_px: int, *, reverse: bool) -> set[float]:
    """Where torch samples a row: a convolution of means over a row of coordinates that goes on into the padding."""
    row = torch.arange(-window.pad, side_px + window.pad, dtype=torch.float64)
    row = side_px - 1 - row if reverse else row
    conv = nn.Conv1d(1, 1, window.kernel, window.stride, dilation=window.dilation, bias=False, dtype=torch.float64)
    nn.init.constant_(conv.weight, 1 / window.kernel)
    with torch.no_grad():
        return {round(float(value), 6) for value in conv(row[None, None]).flatten()}


@pytest.mark.parametrize(
    "window", [STRIDED, AxisWindow("conv", 7, 2, pad=3), AxisWindow("conv", 2, 2), AxisWindow("conv", 3, 3, 2, 2)]
)
@pytest.mark.parametrize("side_px", [6, 12, 13, 32, 33, 57, 224])
def test_dots_and_rings_lie_where_torch_samples(window: AxisWindow, side_px: int) -> None:
    upright, returned = (mean_places(window, side_px, reverse=reverse) for reverse in (False, True))

    drawing = parse(published(window, side_px, side_px, "rot180"))

    dots, rings = columns(drawing, "dot"), columns(drawing, "ring")
    assert dots <= upright
    assert rings <= returned
    assert {min(dots), max(dots)} == {min(upright), max(upright)}
    assert {min(rings), max(rings)} == {min(returned), max(returned)}
    assert side_px > 12 or (dots, rings) == (upright, returned)


def test_a_drawing_with_a_wrong_offset_is_told_from_torch() -> None:
    shifted = AxisSampling(STRIDED, 32, 16, 0, 2)
    drawing = parse(sampled_grid((shifted, shifted), (32, 32), Element.parse("rot180")))

    assert not columns(drawing, "dot") <= mean_places(STRIDED, 32, reverse=False)


def test_mended_dots_lie_on_the_borders_of_pixels_and_within_the_rings() -> None:
    drawing = parse(mended(STRIDED, 32, 32))

    assert columns(drawing, "dot") == columns(drawing, "ring") == {0.5, 2.5, 26.5, 28.5, 30.5}


def test_what_is_left_over_is_hatched_and_padding_dashed() -> None:
    drawing = parse(published(STRIDED, 8, 8))

    padding = parts(drawing, "padding")
    hatched = [part for part in drawing if "hatch" in (part.get("style") or "")]
    assert len(parts(drawing, "pixel")) == 64
    assert len(padding) == 36
    assert len(hatched) == 19  # the last row and column of padding
    assert all(part in padding for part in hatched)


def test_pixels_left_over_are_hatched() -> None:
    drawing = parse(published(AxisWindow("max", 2, 2), 6, 7))

    assert len(parts(drawing, "pixel")) == 42
    assert sum("hatch" in (part.get("style") or "") for part in drawing) == 6


@pytest.mark.parametrize(("side_px", "pixels_a_side"), [(12, 12), (13, 9), (224, 9)])
def test_long_sides_are_drawn_at_both_ends(side_px: int, pixels_a_side: int) -> None:
    drawing = parse(published(STRIDED, side_px, side_px))

    assert len(parts(drawing, "pixel")) == pixels_a_side**2
    numbers = [part.text for part in parts(drawing, "number")]
    assert numbers[0] == "1"
    assert str(side_px) in numbers
    assert ("⋯" in numbers) == (side_px > 12)


@DRAWN
@given(
    kernel=st.integers(1, 11),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 2),
    pad=st.integers(0, 3),
    ceil_mode=st.booleans(),
    height_px=st.integers(1, 300),
    width_px=st.integers(1, 300),
    element=st.sampled_from(D4.pixel_exact_elements[1:]),
    is_mended=st.booleans(),
)
def test_everything_lies_within_the_drawing(
    kernel: int,
    stride: int,
    dilation: int,
    pad: int,
    ceil_mode: bool,
    height_px: int,
    width_px: int,
    element: Element,
    is_mended: bool,
) -> None:
    window = AxisWindow("max", kernel, stride, dilation, pad, ceil_mode)
    assume(min(window.out_side(height_px), window.out_side(width_px)) >= 1)

    drawing = parse((mended if is_mended else published)(window, height_px, width_px, element.name))

    width, height = (float(value) for value in drawing.get("viewBox").split()[2:])
    assert width == 308
    for cell in (*parts(drawing, "pixel"), *parts(drawing, "padding")):
        x, y, w, h = (float(cell.get(name)) for name in ("x", "y", "width", "height"))
        assert w > 0
        assert h > 0
        assert x >= 0
        assert x + w <= width + ROUNDING
        assert y + h <= height + ROUNDING
    for circle in (*parts(drawing, "dot"), *parts(drawing, "ring")):
        x, y, r = (float(circle.get(name)) for name in ("cx", "cy", "r"))
        assert r <= x <= width - r
        assert r <= y <= height - r


def test_a_drawing_says_what_it_shows() -> None:
    grid = published(STRIDED, 32, 32)

    drawing = parse(grid)

    assert drawing.get("role") == "img"
    assert [part.text for part in drawing[:2]] == [headline(grid), describe(grid)]
    assert [part.get("id") for part in drawing[:2]] == drawing.get("aria-labelledby").split()


@pytest.mark.parametrize(
    ("grid", "title", "words"),
    [
        (
            published(STRIDED, 32, 32),
            "32 px: 1 row and 1 column left over",
            "16 windows a side, kernel 3, stride 2, padding 1, remainder 1, displacement −½ px. "
            "The transform (⟲ 90°) is sampled at places shifted by 1 px along the width.",
        ),
        (
            published(STRIDED, 33, 33),
            "33 px: the windows fit",
            "17 windows a side, kernel 3, stride 2, padding 1, remainder 0, displacement 0 px. "
            "The picture and its transform (⟲ 90°) are sampled at the same places.",
        ),
        (
            mended(STRIDED, 32, 32),
            "32 px: centred between the pixels",
            "16 windows a side, kernel 3, stride 2, on the means of neighbours, padding 1, remainder 0, displacement "
            "0 px. The picture and its transform (⟲ 90°) are sampled at the same places.",
        ),
        (
            published(AxisWindow("max", 3, 4, 2), 12, 13, "rot180"),
            "12×13 px: 3 rows left over",
            "2 (height) and 3 (width) windows a side, kernel 3, stride 4, dilation 2, remainder 3 (height) and 0 "
            "(width), displacement −1½ (height) and 0 (width) px. "
            "The transform (⟲ 180°) is sampled at places shifted by 3 px along the height.",
        ),
        (
            published(AxisWindow("max", 3, 2, ceil_mode=True), 8, 8, "mirror"),
            "8 px: a window reaches past the end",
            "4 windows a side, kernel 3, stride 2, remainder −1, displacement ½ px. "
            "The transform (mirror) is sampled at places shifted by 1 px along the width.",
        ),
        (
            published(AxisWindow("max", 2, 2, ceil_mode=True), 1, 1),
            "1 px: a window reaches past the end",
            "1 window a side, kernel 2, stride 2, remainder −1, displacement ½ px. "
            "The transform (⟲ 90°) is sampled at places shifted by 1 px along the width. "
            "Yet the windows read the same pixels.",
        ),
    ],
    ids=["left over", "fits", "mended", "not square", "ceil mode", "harmless"],
)
def test_words_say_the_numbers(grid: SampledGrid, title: str, words: str) -> None:
    assert headline(grid) == title
    assert describe(grid) == words


def test_a_figure_has_its_words_below_and_no_markup_of_others() -> None:
    figure = ElementTree.fromstring(
        f"<figure>{draw_figure(published(STRIDED, 9, 9), name='grid', words='a<b:')}</figure>"
    )

    assert [part.tag for part in figure] == ["svg", "figcaption"]
    assert figure[1][0].text == "a<b:"
