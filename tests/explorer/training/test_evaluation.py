"""The figures of an epoch, against counts made one picture at a time."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.data.bring import brought
from explorer.training.evaluation import evaluate, layer_errors, served
from explorer.training.metrics import ANGLES_DEG, TESTED
from explorer.training.recipe import Recipe
from models.build import build
from tests.support.small_data import small_dataset

SPLIT = small_dataset(test=12).test
CPU = torch.device("cpu")
RECIPE = Recipe(network="p4-cnn", minimum_width=True, size_px=29)
SPEC = RECIPE.network_spec(3)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return served(build(SPEC, seed=4), SPEC, CPU)


class Template(nn.Module):
    """Compares a picture with three random ones: gives other answers to other turns."""

    def __init__(self) -> None:
        super().__init__()
        templates = torch.randn(3, 3, RECIPE.size_px, RECIPE.size_px, generator=torch.Generator().manual_seed(1))
        self.templates = nn.Parameter(templates)

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.einsum("bchw,nchw->bn", pictures, self.templates)


def answers(network: nn.Module, name: str) -> list[int]:
    """By NumPy's turns and mirrors, picture by picture."""
    found = []
    for picture in SPLIT.pictures:
        pixels = brought(picture[None], size_px=RECIPE.size_px, how=RECIPE.how)[0].numpy()  # (3, S, S)
        turns = {"rot90": 1, "rot180": 2, "rot270": 3}.get(name, 0)
        moved = pixels[..., ::-1] if name == "mirror" else np.rot90(pixels, turns, axes=(1, 2))
        with torch.no_grad():
            found.append(int(network(torch.from_numpy(moved.copy())[None])[0].argmax()))
    return found


def test_accuracy_and_agreement_are_counted_right() -> None:
    network = Template()
    labels = SPLIT.labels.tolist()
    by_name = {name: answers(network, name) for name in TESTED}

    found = evaluate(network, SPEC, SPLIT, RECIPE, with_angles=True)

    for name, given in by_name.items():
        assert found.accuracy[name] == np.mean([a == b for a, b in zip(given, labels, strict=True)])
    turns = zip(*(by_name[name] for name in ("identity", "rot90", "rot180", "rot270")), strict=True)
    assert found.agreement == np.mean([len(set(four)) == 1 for four in turns])
    assert 0.0 < found.agreement < 1.0  # or the count would show little
    assert found.angles is not None
    for name, angle in {"identity": 0, "rot90": 90, "rot180": 180, "rot270": 270}.items():
        assert found.angles[ANGLES_DEG.index(angle)] == found.accuracy[name]


def test_loss_is_the_mean_cross_entropy(network: nn.Module) -> None:
    pictures = brought(SPLIT.pictures, size_px=RECIPE.size_px, how=RECIPE.how)
    with torch.no_grad():
        chances = network(pictures).double().softmax(1).numpy()
    expected = -np.log(chances[np.arange(len(SPLIT)), SPLIT.labels.numpy()]).mean()

    assert evaluate(network, SPEC, SPLIT, RECIPE, with_angles=False).loss == pytest.approx(expected, rel=1e-6)


def test_errors_name_the_layer_that_breaks(network: nn.Module) -> None:
    errors = layer_errors(network, SPEC, SPLIT, RECIPE)

    assert list(errors)[-1] == "logits"
    assert errors["layer2.activation"] < 1e-5
    assert errors["pool"] > 1e-3 and errors["logits"] > 1e-3


def test_one_weight_that_is_nan_shows_in_every_later_layer() -> None:
    spoilt = served(build(SPEC, seed=4), SPEC, CPU)
    spoilt.get_submodule("layer2.conv").weight.data[0, 0, 0, 0] = torch.nan

    errors = layer_errors(spoilt, SPEC, SPLIT, RECIPE)

    assert errors["layer1.conv"] < 1e-5
    assert all(np.isnan(errors[name]) for name in ("layer2.conv", "layer3.conv", "logits"))


def test_a_network_that_ignores_turns_agrees_with_itself() -> None:
    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor([1.0, -1.0, 0.1]))

        def forward(self, pictures: Tensor) -> Tensor:
            return pictures.mean((1, 2, 3))[:, None] * self.scale

    found = evaluate(Mean(), SPEC, SPLIT, RECIPE, with_angles=False)

    assert found.agreement == 1.0
    assert set(found.accuracy.values()) == {found.accuracy["identity"]}
    assert found.angles is None


def test_the_work_can_be_stopped_between_batches(network: nn.Module) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(network, SPEC, SPLIT, RECIPE, with_angles=False, check=stop)
