"""Survivors for every height and width: compared with a prediction, a recording and a measurement for single pairs."""

import pytest
import torch
from torch import Tensor, nn

from equivariance.groups.fields import regular, scalars
from equivariance.groups.point_groups import C4
from equivariance.layers.plain import typed
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.theory.exactness import Structure, predict
from equivariance.theory.survivors import survivors, theory_of
from explorer.serving.engine import Engine, Request
from explorer.settings import Settings
from models.build import serve
from models.catalog import spec

NETWORKS = {
    "published": spec("p4-resnet18", minimum_width=True),
    "mirrors": spec("p4m-resnet44", minimum_width=True),
    "mended": spec("p4-resnet18", minimum_width=True, subsampling="symmetric"),
    "mended in part": spec("p4-resnet18", minimum_width=True, subsampling="symmetric", only=("stage2.block1.conv1",)),
    "blurred": spec("p4-cnn", minimum_width=True, subsampling="antialiased"),
    "plain": spec("z2-cnn", minimum_width=True),
}
HEIGHTS, WIDTHS = range(24, 34), range(25, 42)
PAIRS = [(24, 25), (25, 33), (25, 32), (26, 33), (33, 41), (32, 32), (29, 37), (31, 29)]


def structure_of(name: str) -> Structure:
    network = NETWORKS[name]
    return Structure(serve(network, seed=0), network.point_group)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_pair_is_what_a_prediction_for_it_alone_says(name: str) -> None:
    structure = structure_of(name)
    table = survivors(structure, heights_px=HEIGHTS, widths_px=WIDTHS)

    for height_px, width_px in PAIRS:
        alone = predict(structure, height_px=height_px, width_px=width_px)
        assert table.at(height_px=height_px, width_px=width_px) == alone.elements


def test_each_axis_of_a_resnet_counts_modulo_8_by_itself() -> None:
    table = survivors(structure_of("published"), heights_px=HEIGHTS, widths_px=WIDTHS)

    for height_px in HEIGHTS:
        for width_px in WIDTHS:
            centred = {"height": height_px % 8 == 1, "width": width_px % 8 == 1}
            # A turn by 90° reverses the width of the upright picture, one by 270° its height, one by 180° both.
            expected = {"rot90": centred["width"], "rot180": all(centred.values()), "rot270": centred["height"]}
            found = table.at(height_px=height_px, width_px=width_px)
            assert {name: status == "exact" for name, status in found.items()} == expected


def test_a_mended_network_is_exact_at_every_pair() -> None:
    table = survivors(structure_of("mended"), heights_px=HEIGHTS, widths_px=WIDTHS)
    assert {theory_of(statuses) for row in table.statuses for statuses in row} == {"exact"}


@pytest.mark.parametrize(("height_px", "width_px"), [(25, 33), (25, 32), (26, 33), (26, 32)])
def test_the_measurement_finds_the_same_survivors(height_px: int, width_px: int) -> None:
    table = survivors(structure_of("published"), heights_px=HEIGHTS, widths_px=WIDTHS)
    picture = torch.rand(3, height_px, width_px, generator=torch.Generator().manual_seed(0))
    request = Request(NETWORKS["published"], 0, picture, dtype="float64")
    measured = Engine(Settings(device="cpu")).inspect(request, own_errors=False).measurement

    for name, status in table.at(height_px=height_px, width_px=width_px).items():
        error = measured.largest_error(name)
        assert error is not None
        assert (error <= ROUNDING_LEVEL["float64"]) == (status == "exact")


class _PadsOddSides(nn.Module):
    """Pads odd sides to even ones at the end, so that what is recorded depends on the size."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2)

    def forward(self, picture: Tensor) -> Tensor:
        height, width = picture.shape[-2:]
        return self.pool(nn.functional.pad(picture, (0, width % 2, 0, height % 2)))  # type: ignore[no-any-return]


def test_a_network_that_asks_for_the_size_is_recorded_for_each_pair() -> None:
    structure = Structure(_PadsOddSides(), C4)
    table = survivors(structure, heights_px=range(8, 12), widths_px=range(8, 13))

    for height_px in table.heights_px:
        for width_px in table.widths_px:
            alone = predict(structure, height_px=height_px, width_px=width_px)
            assert table.at(height_px=height_px, width_px=width_px) == alone.elements
    found = {theory_of(statuses) for row in table.statuses for statuses in row}
    assert "exact" in found and len(found) > 1


@pytest.mark.parametrize(
    ("statuses", "word"),
    [
        (("exact", "exact"), "exact"),
        (("exact", "undecided"), "undecided"),
        (("undecided", "broken"), "broken"),
    ],
)
def test_the_word_for_all_elements_is_the_worst(statuses: tuple[str, ...], word: str) -> None:
    assert theory_of(dict(zip(("rot90", "rot180"), statuses, strict=True))) == word


@pytest.mark.parametrize("stride", [(2, 1), (1, 2)], ids=["height", "width"])
def test_unlike_axes_are_each_followed_by_their_own_stride(stride: tuple[int, int]) -> None:
    conv = nn.Conv2d(3, 8, 3, stride, padding=1, bias=False).double()
    nn.init.ones_(conv.weight)
    structure = Structure(nn.Sequential(typed(conv, scalars(3), regular(C4, 2))), C4)

    table = survivors(structure, heights_px=range(8, 12), widths_px=range(8, 12))

    for height_px in range(8, 12):
        for width_px in range(8, 12):
            halved_px = height_px if stride == (2, 1) else width_px
            expected = "exact" if halved_px % 2 else "broken"
            assert table.at(height_px=height_px, width_px=width_px)["rot180"] == expected


def test_what_does_not_come_from_the_picture_is_undecided_at_every_size() -> None:
    class Constant(nn.Module):
        def forward(self, picture: Tensor) -> Tensor:
            return torch.zeros(1, 4)

    table = survivors(Structure(Constant(), C4), heights_px=(8, 9), widths_px=(8, 9))

    assert {theory_of(statuses) for row in table.statuses for statuses in row} == {"undecided"}
