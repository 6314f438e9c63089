"""Where layers sample, against torch itself: pictures with one lit pixel show which pixels each window reads."""

from collections import Counter

import pytest
import torch
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from equivariance.groups.point_groups import D4, Element
from equivariance.layers.subsampling import symmetric, windows_of
from equivariance.layers.windows import AxisWindow
from equivariance.theory.grids import AxisSampling
from equivariance.theory.places import AxisPlaces, SampledGrid, Samplings, mended_grid, sampled_grid

DRAWN = settings(max_examples=300, deadline=None, derandomize=True, database=None)
TURNS = {element.name: element for element in D4.pixel_exact_elements}
Reads = frozenset[tuple[int, int]]
Cropped = tuple[tuple[int, int], tuple[int, int]]  # pixels before and after, of height and width
NOTHING: Cropped = ((0, 0), (0, 0))


def moved(pictures: Tensor, element: Element) -> Tensor:
    """(B, 1, H, W) mirrored left-right, then turned counterclockwise."""
    mirrored = pictures.flip(-1) if element.mirrored else pictures
    return torch.rot90(mirrored, round(element.angle_deg / 90), dims=(-2, -1))


def reads_of(layer: nn.Module, hw: tuple[int, int], element: Element) -> list[Reads]:
    """For each out pixel of the layer on the transformed picture, the (row, column) of the upright one it reads."""
    height, width = hw
    lit = torch.eye(height * width, dtype=torch.float64).reshape(-1, 1, height, width)
    with torch.no_grad():
        values = layer(moved(lit, element)).flatten(1)  # (pictures, out pixels)
    return [frozenset(divmod(int(pixel), width) for pixel in column.nonzero()) for column in (values > 1e-9).T]


def predicted(
    grid: SampledGrid, centres: tuple[tuple[float, ...], ...], axes: tuple[AxisPlaces, ...], cropped: Cropped = NOTHING
) -> list[Reads]:
    """The same from the centres alone: taps about each, and pixels beside a tap that lies between two.

    What was cropped before is not read, though a window lies there, on padding or in ceil mode.
    """
    rows, columns = (
        [
            read_about(centre, axis.sampling.window, side=original.side_px).intersection(
                range(before, original.side_px - after)
            )
            for centre in places
        ]
        for places, axis, original, (before, after) in zip(centres, axes, grid.axes, cropped, strict=True)
    )
    return [frozenset((row, column) for row in down for column in across) for down in rows for across in columns]


def cropped_from_the_upright(padded: tuple[int, int], element: Element) -> Cropped:
    """How many pixels negative padding of the transform takes from each end of the upright picture's axes."""
    before, after = (max(0, -pad) for pad in padded)
    height, width = ((after, before) if is_reversed else (before, after) for is_reversed in element.reversed_axes)
    return height, width


def read_about(centre: float, window: AxisWindow, *, side: int) -> set[int]:
    taps = [centre - window.dilation * (window.kernel - 1) / 2 + window.dilation * tap for tap in range(window.kernel)]
    pairs = [{int(tap // 1), int(-(-tap // 1))} for tap in taps]
    inside = set(range(side))
    return {pixel for pair in pairs if pair <= inside or side == 1 for pixel in pair & inside}


def samplings(layer: nn.Module, hw: tuple[int, int], padded: tuple[int, int] = (0, 0)) -> Samplings:
    """What theory makes of a layer that may have one-sided padding before it."""
    before, after = padded
    windows = windows_of(layer)
    assert windows is not None
    height, width = (
        AxisSampling(window, side, window.out_side(side + before + after), window.pad + before, window.pad + after)
        for window, side in zip(windows, hw, strict=True)
    )
    return height, width


def conv_of_ones(kernel: int | tuple[int, int], *numbers: int | tuple[int, int]) -> nn.Conv2d:
    """A convolution of one channel; `numbers` are its stride, padding and dilation."""
    conv = nn.Conv2d(1, 1, kernel, *numbers, bias=False, dtype=torch.float64)
    nn.init.ones_(conv.weight)
    return conv


@st.composite
def layers(draw: st.DrawFn) -> nn.Module:
    """A convolution of ones, a mean or a maximum, whose numbers differ for height and width."""
    kind = draw(st.sampled_from(["conv", "mean", "max"]))
    pair = st.tuples(st.integers(1, 5), st.integers(1, 5))
    kernel, stride = draw(pair), draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    pad = tuple(draw(st.integers(0, 3 if kind == "conv" else side // 2)) for side in kernel)
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    if kind == "mean":
        return nn.AvgPool2d(kernel, stride, pad, ceil_mode=draw(st.booleans()))
    if kind == "max":
        return nn.MaxPool2d(kernel, stride, pad, dilation, ceil_mode=draw(st.booleans()))
    return conv_of_ones(kernel, stride, pad, dilation)


paddings = st.tuples(st.integers(-1, 2), st.integers(-1, 2))
hws = st.tuples(st.integers(1, 11), st.integers(1, 11))
elements = st.sampled_from(list(TURNS.values()))


@DRAWN
@given(layer=layers(), hw=hws, padded=paddings, element=elements)
@example(nn.AvgPool2d((1, 2), ceil_mode=True), (2, 1), (1, -1), Element())  # its window reaches what was cropped
@example(conv_of_ones(3, 1, 1), (5, 5), (-1, 0), Element(90))  # padded where a pixel was cropped
def test_places_are_those_that_torch_samples(
    layer: nn.Module, hw: tuple[int, int], padded: tuple[int, int], element: Element
) -> None:
    padding = nn.ZeroPad2d((*padded, *padded))
    try:
        upright, turned = (reads_of(nn.Sequential(padding, layer), hw, each) for each in (Element(), element))
    except RuntimeError:
        reject()

    grid = sampled_grid(samplings(layer, hw, padded), hw, element)

    of_upright, of_turned = (cropped_from_the_upright(padded, each) for each in (Element(), element))
    assert predicted(grid, grid.upright, grid.axes, of_upright) == upright
    assert Counter(predicted(grid, grid.returned, grid.turned, of_turned)) == Counter(turned)


@DRAWN
@given(layer=layers(), hw=hws, element=elements)
def test_mended_places_are_those_of_symmetric_subsampling(
    layer: nn.Module, hw: tuple[int, int], element: Element
) -> None:
    mended = symmetric(layer)
    try:
        layer(torch.zeros(1, 1, *hw, dtype=torch.float64))
        upright, turned = (reads_of(mended, hw, each) for each in (Element(), element))
    except RuntimeError:
        reject()

    grid = mended_grid(samplings(layer, hw), hw, element)

    assert predicted(grid, grid.upright, grid.axes) == upright
    assert Counter(predicted(grid, grid.returned, grid.turned)) == Counter(turned)
    windows = windows_of(layer)
    assert grid.agrees or (element.swaps_axes and windows is not None and windows[0] != windows[1])


@pytest.mark.parametrize("offset_px", [-1, -0.5, 0.5, 1])
def test_places_with_a_wrong_offset_are_told_from_those_of_torch(offset_px: float) -> None:
    conv = conv_of_ones(3, 2, 1)
    grid = sampled_grid(samplings(conv, (8, 9)), (8, 9), TURNS["rot90"])

    wrong = tuple(tuple(centre + offset_px for centre in centres) for centres in grid.upright)

    assert predicted(grid, grid.upright, grid.axes) == reads_of(conv, (8, 9), Element())
    assert predicted(grid, wrong, grid.axes) != reads_of(conv, (8, 9), Element())


@DRAWN
@given(layer=layers(), hw=hws, padded=paddings, element=elements, is_mended=st.booleans())
@example(nn.AvgPool2d((1, 2), ceil_mode=True), (2, 1), (1, -1), Element(), False)
@example(conv_of_ones(3, 1, 1), (5, 5), (-1, 0), Element(), False)
def test_cells_that_no_window_reaches_are_those_that_torch_never_reads(
    layer: nn.Module, hw: tuple[int, int], padded: tuple[int, int], element: Element, is_mended: bool
) -> None:
    padded = (0, 0) if is_mended else padded
    try:
        layer(torch.zeros(1, 1, *hw, dtype=torch.float64))
        chain = symmetric(layer) if is_mended else nn.Sequential(nn.ZeroPad2d((*padded, *padded)), layer)
        read = frozenset().union(*reads_of(chain, hw, Element()))
    except RuntimeError:
        reject()

    grid = (mended_grid if is_mended else sampled_grid)(samplings(layer, hw, padded), hw, element)

    rows, columns = (axis.reached & frozenset(range(axis.side_px)) for axis in grid.axes)
    assert frozenset((row, column) for row in rows for column in columns) == read


@DRAWN
@given(layer=layers(), hw=hws, element=elements)
def test_an_exact_layer_reads_the_same_pixels_on_the_transform(
    layer: nn.Module, hw: tuple[int, int], element: Element
) -> None:
    try:
        upright, turned = (reads_of(layer, hw, each) for each in (Element(), element))
    except RuntimeError:
        reject()

    if sampled_grid(samplings(layer, hw), hw, element).is_exact:
        assert Counter(turned) == Counter(upright)


def test_a_stride_that_leaves_one_pixel_over_slips_by_one_on_the_transform() -> None:
    window = AxisWindow("conv", 3, 2, pad=1)
    even, odd = (AxisSampling(window, side, window.out_side(side), 1, 1) for side in (32, 33))

    half_turn = sampled_grid((even, odd), (32, 33), TURNS["rot180"])

    assert half_turn.upright[0] == tuple(range(0, 32, 2))
    assert half_turn.returned[0] == tuple(range(1, 33, 2))
    assert half_turn.apart_px == (1, 0)
    assert not half_turn.is_exact
    assert sampled_grid((odd, odd), (33, 33), TURNS["rot90"]).is_exact


def test_a_mended_layer_samples_between_the_pixels_of_an_even_side() -> None:
    window = AxisWindow("conv", 3, 2, pad=1)
    published = AxisSampling(window, 32, 16, 1, 1)

    grid = mended_grid((published, published), (32, 32), TURNS["rot90"])

    assert grid.upright[0] == tuple(pixel + 0.5 for pixel in range(0, 32, 2))
    assert grid.agrees
    assert grid.is_exact


def test_places_may_agree_where_padding_counts_differently() -> None:
    mean = AxisWindow("padded mean", 2, 2, ceil_mode=True)
    one_sided = AxisSampling(mean, 2, 2, 1, 0)  # windows -1..0 and 1..2: zeros before count, nothing after does

    grid = sampled_grid((one_sided, one_sided), (2, 2), TURNS["rot180"])

    assert grid.agrees
    assert not grid.is_exact


def test_unlike_windows_have_no_distance_after_a_quarter_turn() -> None:
    height, width = AxisWindow("conv", 3, 2), AxisWindow("conv", 3, 3)
    pair = AxisSampling(height, 9, 4, 0, 0), AxisSampling(width, 9, 3, 0, 0)

    assert sampled_grid(pair, (9, 9), TURNS["rot90"]).apart_px == (None, None)
    assert sampled_grid(pair, (9, 9), TURNS["rot180"]).is_exact


@pytest.mark.parametrize(
    ("window", "side", "padded", "windows", "extent"),
    [
        (AxisWindow("conv", 3, 2, pad=1), 5, (0, 0), ((-1, 2), (1, 4), (3, 6)), (-1, 6)),
        (AxisWindow("conv", 2, 3, dilation=2), 7, (0, 0), ((0, 3), (3, 6)), (0, 7)),  # one pixel is never reached
        (AxisWindow("max", 2, 2, ceil_mode=True), 3, (0, 0), ((0, 2), (2, 4)), (0, 4)),  # beyond the end
        (AxisWindow("mean", 2, 2), 3, (2, 1), ((-2, 0), (0, 2), (2, 4)), (-2, 4)),
        (AxisWindow("mean", 2, 2), 5, (-1, 0), ((1, 3), (3, 5)), (0, 5)),  # what is cropped is still shown
    ],
)
def test_windows_and_the_extent_are_counted_from_the_edge_of_the_first_pixel(
    window: AxisWindow,
    side: int,
    padded: tuple[int, int],
    windows: tuple[tuple[float, float], ...],
    extent: tuple[float, float],
) -> None:
    before, after = padded
    out_side = window.out_side(side + before + after)
    axis = AxisPlaces(AxisSampling(window, side, out_side, window.pad + before, window.pad + after), side)

    assert axis.windows_px == windows
    assert axis.extent_px == extent


def test_windows_of_a_mended_layer_begin_and_end_between_pixels() -> None:
    """31 means of the 32 pixels and one cell of padding on each side."""
    window = AxisWindow("conv", 3, 2, pad=1)
    published = AxisSampling(window, 32, 16, 1, 1)

    axis, _ = mended_grid((published, published), (32, 32), TURNS["rot180"]).axes

    assert (axis.windows_px[0], axis.windows_px[-1]) == ((-0.5, 2.5), (29.5, 32.5))
    assert axis.extent_px == (-0.5, 32.5)
