"""Sampling grids of one axis, against torch itself on random layers that commute with a mirror by their weights.

Every tensor is one regular field of the mirror's group, two channels that the mirror exchanges, so that kernels are as
free as can be: reversing the taps of a kernel exchanges its channels.
"""

from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import HealthCheck, assume, example, given, reject, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from equivariance.layers.windows import AxisWindow
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED, AxisSampling, AxisState, AxisStep, Step, evaluate

DRAWN = settings(max_examples=100, deadline=None, derandomize=True, database=None)
MANY = 150
COMMUTES, DIFFERS = 1e-12, 1e-6  # relative, float64: seen are 1e-15 and 1e-2
CHANGES_SIDES, KEEPS_SIDES = ("pad", "fill", "adaptive", "double", "global mean"), ("pointwise", "zeros lost")
BATCH = 32  # pictures, so that a max-pool that could differ does


@dataclass(frozen=True)
class Layer:
    """A window with its own seed for weights, or a one-sided padding, a pointwise layer, …"""

    kind: str
    window: AxisWindow | None = None
    seed: int = 0
    pads: tuple[int, int] = (0, 0)
    sides: int = 0

    def step(self, number: int, *inputs: int) -> Step:
        call = f"layer{number}"
        if self.window is not None:
            return Step("window", inputs, call, windows=(self.window, self.window))
        if self.kind == "pad":
            return Step("pad", inputs, call, pads=(self.pads, self.pads))
        if self.kind == "fill":
            return Step("pad", inputs, call, pads=(self.pads, self.pads), fills=True)
        if self.kind == "adaptive":
            return Step("resize", inputs, call, sides=(self.sides, self.sides))
        if self.kind == "double":
            return Step("resize", inputs, call, factors=(2.0, 2.0))
        return Step("mean" if self.kind == "global mean" else "together", inputs, call)

    def __call__(self, maps: Tensor) -> Tensor:
        w = self.window
        if w is not None and w.kind == "conv":
            weight, bias = mirror_kernel(w.kernel, self.seed)
            return functional.conv1d(maps, weight, bias, w.stride, w.pad, w.dilation)
        if w is not None and w.kind == "max":
            return functional.max_pool1d(maps, w.kernel, w.stride, w.pad, w.dilation, w.ceil_mode)
        if w is not None:
            return functional.avg_pool1d(maps, w.kernel, w.stride, w.pad, w.ceil_mode, w.kind == "padded mean")
        if self.kind == "pad":
            return functional.pad(maps, self.pads)
        if self.kind == "fill":
            return functional.pad(maps, self.pads, value=3)
        if self.kind == "adaptive":
            return functional.adaptive_avg_pool1d(maps, self.sides)
        if self.kind == "double":
            return functional.interpolate(maps, scale_factor=2, mode="linear")
        if self.kind == "global mean":
            return maps.mean(-1, keepdim=True)
        return functional.sigmoid(maps) if self.kind == "zeros lost" else functional.elu(maps)


def mirror_kernel(kernel: int, seed: int) -> tuple[Tensor, Tensor]:
    """(2, 2, k) weights that equal themselves with channels and taps reversed, and the bias of their one field."""
    generator = torch.Generator().manual_seed(seed)
    free = torch.randn(2, 2, kernel, generator=generator, dtype=torch.float64)
    bias = torch.randn(1, generator=generator, dtype=torch.float64).expand(2)
    return (free + mirrored(free).flip(0)) / 2, bias


def mirrored(maps: Tensor) -> Tensor:
    """The action of the mirror: (B, 2, side) with the axis reversed and the channels exchanged."""
    return maps.flip((1, 2))


def pictures(side: int, *, seed: int = 0) -> Tensor:
    return torch.randn(BATCH, 2, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def commutation_error(layer: object, side: int) -> float:
    """‖L(mirror x) − mirror L(x)‖ / ‖L(x)‖ over many random pictures."""
    maps = pictures(side)
    upright = layer(maps)
    if not bool(upright.isfinite().all()):
        reject()  # a max-pool gives −∞ where it sees padding alone
    return float((layer(mirrored(maps)) - mirrored(upright)).norm() / upright.norm().clamp_min(1e-30))


def takes(window: AxisWindow, side: int) -> bool:
    """Whether torch takes this side; padding counts for convolutions only once the kernel fits."""
    return (
        side >= 1 and side + 2 * window.pad >= window.dilation * (window.kernel - 1) + 1 and window.out_side(side) >= 1
    )


@st.composite
def windows(draw: st.DrawFn) -> AxisWindow:
    kind = draw(st.sampled_from(["conv", "max", "mean", "padded mean"]))
    kernel, stride = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    dilation = draw(st.integers(1, 2)) if kind in ("conv", "max") else 1
    pad = draw(st.integers(0, 4 if kind == "conv" else kernel // 2))  # torch allows pools no more
    ceil_mode = kind != "conv" and draw(st.booleans())
    return AxisWindow(kind, kernel, stride, dilation, pad, ceil_mode)


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    kind = draw(st.sampled_from(["window"] * 6 + [*CHANGES_SIDES, *KEEPS_SIDES]))
    seed = draw(st.integers(0, 999))
    if kind == "window":
        return Layer("window", draw(windows()), seed)
    if kind in ("pad", "fill"):
        return Layer(kind, pads=draw(st.tuples(st.integers(-1, 2), st.integers(-1, 2))))
    return Layer(kind, sides=draw(st.integers(1, 5)))


def sampling(window: AxisWindow, side: int) -> AxisSampling:
    return AxisSampling(window, side, window.out_side(side), window.pad, window.pad)


def stack(chosen: list[Layer], side: int) -> list[AxisStep]:
    """The layers one after the other, as `evaluate` sees them; rejects what torch would not run."""
    steps = [Step("picture")]
    for number, layer in enumerate(chosen):
        before = evaluate(tuple(steps), 0, side)[-1].state
        if not (layer.window is None or takes(layer.window, before.side)):
            reject()
        if layer.kind in ("pad", "fill") and before.side + min(sum(layer.pads), *layer.pads) < 1:
            reject()
        if (layer.kind == "adaptive" and layer.sides > before.side) or (layer.kind == "double" and before.side == 1):
            reject()  # copies of one pixel
        steps.append(layer.step(number, number))
    return evaluate(tuple(steps), 0, side)


def run(chosen: list[Layer], maps: Tensor) -> Tensor:
    for layer in chosen:
        maps = layer(maps)
    return maps


@DRAWN
@given(windows(), st.integers(1, 20))
def test_out_side_is_torch_s(window: AxisWindow, side: int) -> None:
    assume(takes(window, side))
    assert Layer("window", window)(pictures(side)).shape[-1] == window.out_side(side)


@DRAWN
@given(windows(), st.integers(1, 20), st.integers(0, 999))
def test_layer_commutes_with_reversal_iff_arithmetic_says_so(window: AxisWindow, side: int, seed: int) -> None:
    assume(takes(window, side))
    error = commutation_error(Layer("window", window, seed), side)
    assert error < COMMUTES if sampling(window, side).commutes_with_reversal else error > DIFFERS


@DRAWN
@given(windows(), st.integers(1, 30), st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_displacement_is_that_of_the_centres_of_the_grids(window: AxisWindow, side: int, more: tuple[int, int]) -> None:
    assume(takes(window, side + sum(more)))
    out_side = window.out_side(side + sum(more))
    padded = AxisSampling(window, side, out_side, window.pad + more[0], window.pad + more[1])

    reach = window.dilation * (window.kernel - 1)
    first = -padded.pad_before + reach / 2  # centre of the first window
    last = first + (out_side - 1) * window.stride
    assert padded.displacement_px == (first + last) / 2 - (side - 1) / 2
    assert padded.remainder == side + sum(more) + 2 * window.pad - ((out_side - 1) * window.stride + reach + 1)


def has_interior(results: list[AxisStep]) -> bool:
    """Whether every map has pixels that no border reaches, so that a displacement shows.

    Where windows lie wholly in the padding, or see all of a tiny map, theory may say broken of what no picture shows.
    """
    sampled = [result.sampling for result in results if result.sampling is not None]
    return all(result.state.side >= 4 for result in results) and all(
        max(each.pad_before, each.pad_after) <= each.window.dilation * (each.window.kernel - 1) for each in sampled
    )


@settings(DRAWN, max_examples=MANY)
@given(st.lists(layers(), min_size=1, max_size=4), st.integers(1, 30))
@example([Layer("pad", pads=(0, 1)), Layer("window", AxisWindow("conv", 3, 2))], 5)
@example([Layer("pad", pads=(0, 1)), Layer("window", AxisWindow("mean", 3, 2, pad=1))], 5)
@example([Layer("pad", pads=(1, 0)), Layer("window", AxisWindow("padded mean", 2, 2, ceil_mode=True))], 4)
@example([Layer("pad", pads=(0, 1)), Layer("pointwise"), Layer("window", AxisWindow("conv", 2, 2))], 4)
@example([Layer("pad", pads=(0, 1)), Layer("global mean")], 4)
@example([Layer("window", AxisWindow("conv", 2, 2)), Layer("window", AxisWindow("conv", 2, 2))], 7)
@example([Layer("fill", pads=(2, 2)), Layer("window", AxisWindow("conv", 3, 3, dilation=2, pad=1))], 1)
@example([Layer("pad", pads=(0, 1)), Layer("fill", pads=(1, 1)), Layer("window", AxisWindow("conv", 2, 2))], 4)
@example([Layer("pad", pads=(0, 1)), Layer("fill", pads=(2, 1))], 3)
@example([Layer("fill", pads=(1, 1)), Layer("pad", pads=(-1, 1)), Layer("pad", pads=(1, -1))], 3)
@example([Layer("pad", pads=(1, 1)), Layer("zeros lost"), Layer("window", AxisWindow("conv", 1, 3, pad=1))], 1)
@example([Layer("pad", pads=(1, -1)), Layer("window", AxisWindow("mean", 2, 2, ceil_mode=True))], 1)
def test_theory_of_a_stack_agrees_with_torch(chosen: list[Layer], side: int) -> None:
    """Exact stacks commute, broken ones do not; undecided ones may.

    The stacks given by hand drop padding, reach what was cropped, or mix zeros with a border of another number.
    """
    results = stack(chosen, side)
    status = results[-1].state.status
    error = commutation_error(lambda maps: run(chosen, maps), side)
    if status == EXACT:
        assert error < COMMUTES
    elif status == BROKEN and has_interior(results):
        assert error > DIFFERS


@settings(DRAWN, max_examples=MANY, suppress_health_check=[HealthCheck.filter_too_much])
@given(windows(), windows(), windows(), st.integers(1, 30))
def test_theory_of_two_branches_agrees_with_torch(
    one: AxisWindow, two: AxisWindow, last: AxisWindow, side: int
) -> None:
    """Two layers side by side, added, and one more."""
    assume(takes(one, side) and takes(two, side) and one.out_side(side) == two.out_side(side))
    assume(takes(last, one.out_side(side)))
    first, second, third = (Layer("window", window, seed) for seed, window in enumerate((one, two, last)))
    steps = (Step("picture"), first.step(1, 0), second.step(2, 0), Step("together", (1, 2)), third.step(4, 3))

    results = evaluate(steps, 0, side)

    def together(maps: Tensor) -> Tensor:
        return third(first(maps) + second(maps))

    error = commutation_error(together, side)
    if results[-1].state.status == EXACT:
        assert error < COMMUTES
    elif results[-1].state.status == BROKEN and has_interior(results):
        assert error > DIFFERS


def reads(chosen: list[Layer], side: int) -> Tensor:
    """(out side, side) bool: which pixels each sample depends on, by gradients of a stack without cancellation."""
    picture = torch.ones(side, dtype=torch.float64)

    def samples(picture: Tensor) -> Tensor:
        maps = picture[None, None]
        for layer in chosen:
            w = layer.window
            if w.kind == "conv":
                maps = functional.conv1d(
                    maps, torch.ones(1, 1, w.kernel, dtype=torch.float64), None, w.stride, w.pad, w.dilation
                )
            else:
                maps = layer(maps)
        return maps[0, 0]

    return torch.autograd.functional.jacobian(samples, picture) > 0


@DRAWN
@given(st.lists(windows().filter(lambda w: w.kind != "max"), min_size=1, max_size=3), st.integers(1, 40))
def test_sample_depends_on_the_pixels_of_its_window_and_no_others(chosen: list[AxisWindow], side: int) -> None:
    stacked = [Layer("window", window) for window in chosen]
    state = stack(stacked, side)[-1].state
    dependence = reads(stacked, side)

    assert len(dependence) == state.side
    pixels = torch.arange(side)
    for j, read in enumerate(dependence):
        start = state.start + j * state.stride
        inside = (pixels >= start) & (pixels < start + state.extent)
        assert not (read & ~inside).any()
        if start >= 0 and start + state.extent <= side:  # clear of all borders: the window's first and last pixel count
            assert read[int(start)] and read[int(start + state.extent) - 1]


@pytest.mark.parametrize(
    ("window", "side", "remainder", "displacement_px"),
    [
        (AxisWindow("conv", 3, 2, pad=1), 32, 1, -0.5),
        (AxisWindow("conv", 3, 2, pad=1), 33, 0, 0.0),
        (AxisWindow("conv", 7, 2, pad=3), 224, 1, -0.5),
        (AxisWindow("conv", 1, 2), 32, 1, -0.5),
        (AxisWindow("max", 2, 2), 27, 1, -0.5),
        (AxisWindow("max", 2, 2, ceil_mode=True), 27, -1, 0.5),
        (AxisWindow("conv", 3, 3, dilation=2), 12, 1, -0.5),
        (AxisWindow("conv", 4, 4), 31, 3, -1.5),
    ],
)
def test_known_layers_have_their_remainder_and_displacement(
    window: AxisWindow, side: int, remainder: int, displacement_px: float
) -> None:
    sampled = sampling(window, side)
    assert (sampled.remainder, sampled.displacement_px) == (remainder, displacement_px)


def state_of(chosen: list[Layer], side: int) -> AxisState:
    return stack(chosen, side)[-1].state


def conv(kernel: int, stride: int = 1, **options: int) -> Layer:
    return Layer("window", AxisWindow("conv", kernel, stride, **options))


def test_displacements_add_up_times_the_strides_before() -> None:
    state = state_of([conv(3, 2, pad=1), conv(3, 2, pad=1), conv(3, 2, pad=1)], 32)
    assert state.displacement_px == -0.5 * (1 + 2 + 4)
    assert state.broken_by == ("layer0", "layer1", "layer2")
    assert (state.side, state.stride) == (4, 8)


def test_one_sided_padding_that_the_next_layer_drops_is_exact() -> None:
    """Padding (0, 1) of 5 pixels, then a kernel of 3 with stride 2: the sixth column is never read."""
    dropped = [Layer("pad", pads=(0, 1)), conv(3, 2)]
    assert state_of(dropped, 5).status == EXACT
    assert state_of(dropped[:1], 5).status == BROKEN  # until then it is displaced
    assert stack(dropped, 5)[-1].sampling.displacement_px == 0


@pytest.mark.parametrize(
    ("pads", "status", "broken_by"),
    [
        ((0, 1), EXACT, ()),  # a zero more on any side is the same to a mean
        ((-1, -1), EXACT, ()),
        ((-1, 0), BROKEN, ("layer1",)),
        ((1, -1), BROKEN, ("layer1",)),
    ],
)
def test_mean_over_all_pixels_takes_padding_from_any_side_and_misses_what_is_cropped_from_one(
    pads: tuple[int, int], status: str, broken_by: tuple[str, ...]
) -> None:
    chosen = [Layer("pad", pads=pads), Layer("global mean")]
    state = state_of(chosen, 5)

    assert (state.status, state.broken_by, state.side) == (status, broken_by, 1)
    assert (commutation_error(lambda maps: run(chosen, maps), 5) < COMMUTES) == (status == EXACT)


def test_one_sided_padding_that_is_read_is_broken() -> None:
    assert state_of([Layer("pad", pads=(0, 1)), conv(3, 2)], 6).status == BROKEN


def test_one_sided_padding_that_is_made_even_is_exact() -> None:
    assert state_of([Layer("pad", pads=(0, 1)), Layer("pad", pads=(1, 0)), conv(3)], 6).status == EXACT


def test_displacement_that_a_later_layer_undoes_is_undecided() -> None:
    undone = [Layer("pad", pads=(2, 1)), conv(3), Layer("pad", pads=(0, 1)), conv(3)]
    assert state_of(undone[:2], 8).status == BROKEN
    assert state_of(undone, 8).status == UNDECIDED


def test_differently_displaced_branches_stay_broken() -> None:
    half = AxisWindow("conv", 3, 2, pad=1)
    steps = (
        Step("picture"),
        Step("window", (0,), "a", windows=(half, half)),
        Step("window", (0,), "b", windows=(replace(half, kernel=4), replace(half, kernel=4))),
        Step("together", (1, 2)),
    )
    results = evaluate(steps, 0, 8)
    assert [result.state.status for result in results] == [EXACT, BROKEN, EXACT, BROKEN]
    assert results[3].state.mixed


def test_unknown_step_is_undecided_and_so_is_all_that_follows() -> None:
    steps = (Step("picture"), Step("unknown", (0,)), conv(3).step(2, 1), Step("together", (0, 2)))
    assert [result.state for result in evaluate(steps, 0, 8)[1:]] == [None, None, None]
    assert {result.status for result in evaluate(steps, 0, 8)[1:]} == {UNDECIDED}


def test_axes_are_apart() -> None:
    half, whole = AxisWindow("conv", 3, 2, pad=1), AxisWindow("conv", 3, 1, pad=1)
    steps = (Step("picture"), Step("window", (0,), "a", windows=(half, whole)))
    assert evaluate(steps, 0, 8)[-1].state.status == BROKEN
    assert evaluate(steps, 1, 8)[-1].state.status == EXACT


CENTRED = AxisWindow("conv", 3, 2, pad=1, centred=True)


@pytest.mark.parametrize(
    ("side", "counted", "pad", "extent"),
    [(33, 33, 1, 3), (32, 31, 1, 4)],  # of an even side the means of neighbours are counted
)
def test_centred_window_is_exact_at_every_side(side: int, counted: int, pad: int, extent: int) -> None:
    centred = Layer("window", CENTRED)
    found = stack([centred], side)[-1]

    assert (found.sampling.side, found.sampling.pad_before, found.sampling.pad_after) == (counted, pad, pad)
    assert (found.state.status, found.state.displacement_px) == (EXACT, 0)
    assert (found.state.side, found.state.start, found.state.stride, found.state.extent) == (
        -(-side // 2),
        -1,
        2,
        extent,
    )


def test_centred_window_keeps_a_displacement_and_takes_one_sided_padding_for_pixels() -> None:
    displaced, centred = conv(3, 2, pad=1), Layer("window", CENTRED)
    assert state_of([displaced, centred], 32).displacement_px == state_of([displaced], 32).displacement_px == -0.5
    assert state_of([displaced, centred], 32).status == BROKEN

    padded = [Layer("pad", pads=(0, 1)), centred]
    assert (state_of(padded, 32).status, state_of(padded, 32).mixed) == (BROKEN, True)
    assert state_of([*padded, Layer("pad", pads=(1, 0)), conv(3)], 32).status == BROKEN, "nothing makes it even again"
    assert state_of([Layer("pad", pads=(1, 1)), centred], 32).status == EXACT


@pytest.mark.parametrize("pads", [(0, 0), (1, 1)], ids=["as it is", "padded"])
def test_mean_over_all_pixels_depends_on_what_they_depend_on_together(pads: tuple[int, int]) -> None:
    """Four samples two pixels apart, of three pixels each, the first one pixel before the picture."""
    state = state_of([conv(3, 2, pad=1), Layer("pad", pads=pads), Layer("global mean")], 8)
    assert (state.side, state.start, state.extent) == (1, -1, 9)


def test_one_pixel_stands_between_two_means() -> None:
    """It has no neighbours, so that it is averaged with what lies outside, before and after it."""
    centred = Layer("window", AxisWindow("conv", 2, 2, pad=1, centred=True))
    assert stack([centred], 1)[-1].sampling.side == 2
