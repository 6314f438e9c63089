"""Mends compared: which there are, what each does to a picture, and the figures against networks called by hand."""

import itertools
from dataclasses import replace

import pytest
import torch

from equivariance.layers.windows import AxisWindow
from equivariance.theory.exactness import predict
from equivariance.theory.grids import AxisSampling
from explorer.figures.mends import mends_chart
from explorer.serving.engine import Engine
from explorer.settings import Settings
from explorer.studies.mends import QUARTER_TURNS, SHIFTS, Mend, compare, mends_of, other_padding
from models.build import serve
from models.catalog import NetworkSpec, spec
from tests.support.seeded_weights import weights_of_seed

CNN = spec("p4-cnn", minimum_width=True)
RESNET = spec("p4-resnet18", minimum_width=True)
ROUNDING, BROKEN = 1e-10, 1e-4  # relative, float64


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Settings(device="cpu", max_size_px=64))


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    """(3, 32, 32), 0..1."""
    return torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))


def named(engine: Engine, network: object, side_px: int) -> dict[str, Mend]:
    return {mend.name: mend for mend in mends_of(engine, network, 0, side_px)}


def test_every_way_is_offered_where_a_network_is_not_exact(engine: Engine) -> None:
    assert list(named(engine, RESNET, 32)) == [
        "as published",
        "resize to 25 px",
        "resize to 33 px",
        "pad to 33 px",
        "crop to 25 px",
        "other padding",
        "larger kernels",
        "symmetric subsampling",
        "BlurPool",
    ]


def test_exact_and_plain_networks_are_offered_no_other_size(engine: Engine) -> None:
    for network, side_px in ((RESNET, 33), (spec("z2-cnn", minimum_width=True), 32)):
        assert list(named(engine, network, side_px)) == ["as published", "symmetric subsampling", "BlurPool"]


def test_sizes_above_what_is_measured_are_not_offered(engine: Engine) -> None:
    assert not [name for name in named(engine, RESNET, 64) if "65" in name]


@pytest.mark.parametrize(
    ("pad_px", "first", "last"),
    [(1, 0, 4), (2, 1, 4), (3, 1, 4), (-1, 0, 3), (-2, 1, 3)],  # rows of the five that come first and last
)
def test_padding_and_cutting_put_the_odd_pixel_right_and_below(pad_px: int, first: int, last: int) -> None:
    rows = torch.arange(1.0, 6.0).reshape(1, 1, 5, 1).expand(1, 3, 5, 5)
    brought = Mend("", "", CNN, pad_px=pad_px).bring(rows)
    column = brought[0, 0, :, brought.shape[-1] // 2].tolist()
    assert len(column) == 5 + pad_px
    if pad_px > 0:
        assert column.index(1.0) == first and column[first : first + 5] == [1.0, 2.0, 3.0, 4.0, 5.0]
    else:
        assert (column[0], column[-1]) == (first + 1.0, last + 1.0)


def test_resizing_commutes_with_turns() -> None:
    mend = Mend("", "", CNN, resize_px=33)
    pictures = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    turned = mend.bring(pictures.rot90(1, (2, 3)))
    assert turned.shape[-2:] == (33, 33)
    torch.testing.assert_close(turned, mend.bring(pictures).rot90(1, (2, 3)), atol=1e-12, rtol=0)


def test_mends_that_centre_are_exact_and_odd_padding_is_not(engine: Engine, picture: torch.Tensor) -> None:
    found = {
        name: compare(engine, mend, picture, seed=0, dtype="float64").quarter_turns
        for name, mend in named(engine, RESNET, 32).items()
        if not mend.obstacle
    }
    exact = {"resize to 25 px", "resize to 33 px", "larger kernels", "symmetric subsampling"}
    assert {name for name, change in found.items() if change < ROUNDING} == exact
    assert all(change > BROKEN for name, change in found.items() if name not in exact)


def test_even_padding_is_exact(engine: Engine, picture: torch.Tensor) -> None:
    mend = Mend("pad to 33 px", "", RESNET, pad_px=2)
    assert compare(engine, mend, picture[:, :31, :31], seed=0, dtype="float64").quarter_turns < ROUNDING


def test_figures_are_those_of_the_network_called_by_hand(engine: Engine, picture: torch.Tensor) -> None:
    compared = compare(engine, Mend("as published", "", CNN), picture[:, :29, :29], seed=3, dtype="float64")

    network, x = serve(CNN, seed=3), picture[None, :, :29, :29].double()
    with torch.no_grad():
        upright = network(x)
        turned = [network(x.rot90(turns, (2, 3))) for turns in (1, 2, 3)]
        shifted = [network(shift_by_hand(x, shift.down_px, shift.right_px)) for shift in SHIFTS]
    length = (upright - upright.mean()).norm()
    changes = [[float((row - upright).norm() / length) for row in rows] for rows in (turned, shifted)]
    assert len(QUARTER_TURNS) == len(turned)
    assert compared.quarter_turns == pytest.approx(max(changes[0]), rel=1e-9)
    assert compared.shifts == pytest.approx(sum(changes[1]) / len(changes[1]), rel=1e-9)
    assert compared.angles > 0 and compared.elapsed_s > 0


def shift_by_hand(x: torch.Tensor, down: int, right: int) -> torch.Tensor:
    moved = torch.zeros_like(x)
    moved[..., down:, right:] = x[..., : x.shape[-2] - down, : x.shape[-1] - right]
    return moved


def test_sides_are_those_of_the_feature_maps(engine: Engine, picture: torch.Tensor) -> None:
    mends = named(engine, RESNET, 32)
    sides = {
        name: compare(engine, mend, picture, seed=0, dtype="float32").sides
        for name, mend in mends.items()
        if not mend.obstacle
    }
    same = ("as published", "larger kernels", "symmetric subsampling", "BlurPool")
    assert {sides[name] for name in same} == {(32, 16, 8, 4, 1)}
    assert sides["resize to 33 px"] == sides["pad to 33 px"] == (33, 17, 9, 5, 1)


@pytest.mark.parametrize(
    ("network", "side_px", "obstacle"),
    [
        (
            RESNET,
            32,
            "none: stage2.block1.conv1 has 1 pixel too few, and an odd number cannot be halved between two sides",
        ),
        (CNN, 33, "none: pool has 1 pixel too many, and an odd number cannot be halved between two sides"),
    ],
)
def test_no_other_padding_of_an_even_stride_is_exact_and_the_row_says_so(
    engine: Engine, network: NetworkSpec, side_px: int, obstacle: str
) -> None:
    mend = named(engine, network, side_px)["other padding"]
    assert mend.keeps == mend.obstacle == obstacle


@pytest.mark.parametrize("side", range(4, 40))
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (7, 2), (2, 2), (3, 3), (5, 3)])
def test_a_padding_of_one_kind_or_another_centres_a_grid_only_where_the_missing_pixels_are_even(
    kernel: int, stride: int, side: int
) -> None:
    published = AxisWindow("conv", kernel, stride, pad=kernel // 2)
    out_side = published.out_side(side)
    paddings = itertools.product(range(-2, kernel + 3), repeat=2)  # negative: cut off
    samplings = [AxisSampling(published, side, out_side, before, after) for before, after in paddings]
    fitting = [each for each in samplings if 0 <= each.remainder < stride]  # so many windows, neither fewer nor more

    is_centred = any(each.displacement_px == 0 for each in fitting)

    assert is_centred == ((published.span(side) - side) % 2 == 0)


def test_other_padding_is_measured_where_there_is_one(engine: Engine, picture: torch.Tensor) -> None:
    """No network of the catalog strides by 3: one layer of stride 3 that pads one pixel too many on each side."""
    window = AxisWindow("conv", 3, 3, pad=1)
    sampling = AxisSampling(window, 33, window.out_side(33), 1, 1)
    prediction = predict(engine.structure(RESNET, 0), height_px=32, width_px=32)
    layer = replace(prediction.broken_layers[0], in_hw=(33, 33), sampling=(sampling, sampling))

    mend = other_padding(replace(prediction, layers=(layer,)), RESNET)

    assert (mend.obstacle, mend.network.subsampling, mend.network.only) == ("", "symmetric", ("stage2.block1.conv1",))


def test_chart_has_a_bar_for_every_mend_and_kind_of_transform() -> None:
    changes = {
        "as published": {"quarter turns": 0.1, "other angles": 0.2, "shifts": 0.3},
        "BlurPool": {"quarter turns": 0.0, "other angles": 0.1, "shifts": 0.05},
    }
    figure = mends_chart(changes)
    assert list(figure.data[0].y) == ["as published", "BlurPool"]
    assert [trace.name for trace in figure.data] == ["quarter turns", "other angles", "shifts"]
    assert [list(trace.x) for trace in figure.data] == [[0.1, 1e-9], [0.2, 0.1], [0.3, 0.05]]
    assert len({trace.marker.pattern.shape for trace in figure.data}) == 3


def test_weights_take_the_place_of_the_seed(engine: Engine, picture: torch.Tensor) -> None:
    mend = mends_of(engine, CNN, 0, 32, weights_of_seed(CNN, 1))[0]

    given = compare(engine, mend, picture, seed=0, dtype="float64", weights=weights_of_seed(CNN, 1))
    drawn, other = (compare(engine, mend, picture, seed=seed, dtype="float64") for seed in (1, 0))

    assert given.angles == pytest.approx(drawn.angles, rel=1e-4)
    assert given.angles != pytest.approx(other.angles, rel=1e-2)
