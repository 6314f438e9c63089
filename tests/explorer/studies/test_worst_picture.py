"""The worst picture: found for broken networks, not to be found for exact ones."""

import math

import pytest
import torch
from torch import Tensor

from equivariance.errors import EquivarianceError
from equivariance.groups.point_groups import Element
from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.pictures.fitting import fit
from explorer.pictures.images import load_gallery
from explorer.serving.engine import Engine, Request, Served, network_spec
from explorer.settings import Settings
from explorer.studies.worst_picture import Found, Search, layers_to_push, worst_picture

QUARTER_TURN = Element(90.0)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Settings(device="cpu"))


def served(engine: Engine, name: str = "p4-cnn") -> Served:
    return engine.served(network_spec(name, minimum_width=True), 0, "float64")


def cat(size_px: int) -> Tensor:
    return fit(load_gallery("cat"), height_px=size_px, width_px=size_px, how="resize")


def search(engine: Engine, size_px: int, layer: str | None = None, name: str = "p4-cnn") -> list[Found]:
    return list(worst_picture(served(engine, name), Search(cat(size_px), QUARTER_TURN, layer, steps=15)))


def measured(engine: Engine, picture: Tensor, layer: str | None, name: str = "p4-cnn") -> float:
    request = Request(network_spec(name, minimum_width=True), 0, picture, dtype="float64")
    measurement = engine.inspect(request, own_errors=False).measurement
    errors = {found.name: found.error["rot90"] for found in measurement.layers}
    return float((measurement.output_error["rot90"] if layer is None else errors[layer]) or 0.0)


@pytest.mark.parametrize("layer", [None, "pool", "layer5.activation"])
def test_the_search_starts_from_the_error_that_is_measured_and_raises_it(engine: Engine, layer: str | None) -> None:
    found = search(engine, 33, layer)

    assert found[0].error == pytest.approx(measured(engine, cat(33), layer), rel=1e-4)
    assert found[-1].error > 2 * found[0].error


@pytest.mark.parametrize("layer", [None, "pool", "layer5.activation"])
def test_in_an_exact_network_nothing_but_rounding_is_found(engine: Engine, layer: str | None) -> None:
    found = search(engine, 32, layer)

    assert found[-1].error < ROUNDING_LEVEL["float64"]


def test_the_picture_found_is_a_picture_and_shows_its_error(engine: Engine) -> None:
    found = search(engine, 33)[-1]

    assert found.picture.shape == (3, 33, 33) and found.picture.dtype == torch.float32
    assert float(found.picture.min()) >= 0.0 and float(found.picture.max()) <= 1.0
    assert not torch.equal(found.picture, cat(33))
    # The search divides by the larger of two norms, `measure` by that of the picture's own features.
    assert measured(engine, found.picture, None) >= found.error * (1 - 1e-4)


def test_the_error_never_falls_and_the_start_comes_first(engine: Engine) -> None:
    found = search(engine, 33)

    assert [each.step for each in found] == list(range(16))
    assert [each.error for each in found] == sorted(each.error for each in found)
    assert torch.equal(found[0].picture, cat(33))


def test_an_error_of_exactly_zero_does_not_end_the_search(engine: Engine) -> None:
    start = Search(torch.zeros(3, 33, 33), QUARTER_TURN, steps=5)
    network = engine.served(network_spec("p4-knight"), 0, "float64")

    found = list(worst_picture(network, start))

    assert found[0].error == 0.0
    assert found[-1].error < ROUNDING_LEVEL["float64"]
    assert found[-1].step == 5


def test_an_error_that_is_nan_stays_the_largest() -> None:
    own = Engine(Settings(device="cpu"))
    network = served(own)
    network.network.get_parameter("layer1.conv.weight").data[0, 0, 0, 0] = torch.nan

    found = list(worst_picture(network, Search(cat(33), QUARTER_TURN, steps=2)))

    assert all(math.isnan(each.error) for each in found)
    assert all(torch.equal(each.picture, cat(33)) for each in found)


def test_the_shared_network_is_left_as_it_was(engine: Engine) -> None:
    shared = served(engine).network
    before = {name: value.clone() for name, value in shared.state_dict().items()}
    search(engine, 33, "pool")

    assert all(torch.equal(value, before[name]) for name, value in shared.state_dict().items())
    assert all(not module._forward_hooks for module in shared.modules())
    assert all(parameter.grad is None for parameter in shared.parameters())


def test_layers_without_an_action_are_left_out(engine: Engine) -> None:
    unpooled = engine.served(network_spec("p4-cnn", minimum_width=True, head="no-pooling"), 0)

    layers = layers_to_push(unpooled, QUARTER_TURN)
    assert "pool" in layers
    assert "head.classifier" not in layers
    assert "pool" not in layers_to_push(unpooled, Element(mirrored=True))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Search(torch.rand(3, 32, 32), QUARTER_TURN, "layer99"), "no layer 'layer99'"),
        (Search(torch.rand(3, 32, 32), Element(mirrored=True)), "give one of rot90"),
        (Search(torch.rand(3, 32, 33), QUARTER_TURN), "give a square size"),
        (Search(torch.rand(3, 32, 32), QUARTER_TURN, None, 0), "0 steps"),
    ],
)
def test_what_cannot_be_searched_is_one_sentence(engine: Engine, asked: Search, words: str) -> None:
    with pytest.raises(EquivarianceError, match=words):
        worst_picture(served(engine), asked)
