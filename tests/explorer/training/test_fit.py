"""The loop: it learns, it is deterministic, an interrupted run ends with the same bits, faults are told."""

import copy
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from equivariance.errors import SizeError, WeightsError
from explorer.errors import RecipeError, RunError
from explorer.serving.weights import Weights, weights_of
from explorer.training.draws import changed
from explorer.training.fit import Stopped, fit, steps_of
from explorer.training.metrics import Epoch, Progress, epoch_of
from explorer.training.recipe import Recipe
from tests.support.small_data import small_dataset

CPU = torch.device("cpu")
DATA = small_dataset()
SMALL = Recipe(network="p4-cnn", minimum_width=True, epochs=2, batch_size=16, angles_every=0)


def trained(
    recipe: Recipe, *, checkpoint: Path | None = None, stop_at: int | None = None, start: Weights | None = None
) -> tuple[nn.Module, list[Epoch]]:
    """The network and the figures told; Stopped after `stop_at` steps, told after every batch."""
    epochs: list[Epoch] = []

    def on_step(progress: Progress) -> None:
        if stop_at is not None and progress.step >= stop_at:
            raise Stopped

    network = fit(
        recipe,
        DATA,
        device=CPU,
        checkpoint=checkpoint,
        start=start,
        on_step=on_step,
        on_epoch=lambda epoch, network: epochs.append(epoch),
        report_every_s=0.0,
    )
    return network, epochs


def weights(network: nn.Module) -> Weights:
    return Weights("", {name: value.detach().clone() for name, value in weights_of(network).items()})


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    ours, theirs = weights_of(one), weights_of(other)
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def without_clocks(epochs: list[Epoch]) -> list[Epoch]:
    return [replace(epoch, pictures_per_s=0.0, elapsed_s=0.0) for epoch in epochs]


def test_a_network_learns() -> None:
    """Long enough that the seed does not matter: eight of eight read every test picture."""
    recipe = replace(SMALL, network="z2-cnn", epochs=24, learning_rate=0.02, schedule="constant", test_every=24)
    _, epochs = trained(recipe)

    assert [epoch.epoch for epoch in epochs] == [0, 24]
    assert epochs[0].train_loss is None
    assert epochs[-1].test_loss < epochs[0].test_loss / 2
    assert epochs[-1].accuracy["identity"] > 0.9


def test_an_exact_network_answers_alike_at_all_turns_and_an_approximate_one_is_found_out() -> None:
    _, exact = trained(SMALL)
    _, approximate = trained(replace(SMALL, size_px=29))
    _, mended = trained(replace(SMALL, size_px=29, subsampling="symmetric"))

    for epochs in (exact, mended):
        assert epochs[-1].agreement == 1.0
        assert epochs[-1].errors["logits"] < 1e-5
        assert len({epochs[-1].accuracy[name] for name in ("identity", "rot90", "rot180", "rot270")}) == 1
    assert approximate[-1].errors["logits"] > 1e-3
    assert approximate[-1].errors["layer2.conv"] < 1e-5 < approximate[-1].errors["pool"]


@pytest.mark.parametrize(("changes", "stops"), [({}, (0, 1, 4)), ({"optimizer": "sgd", "schedule": "constant"}, (5,))])
def test_an_interrupted_run_ends_with_the_same_bits(
    tmp_path: Path, changes: dict[str, str], stops: tuple[int, ...]
) -> None:
    recipe = replace(SMALL, rotation="uniform", mirrors=True, augmentation="crop", learning_rate=0.003, **changes)
    whole, told = trained(recipe)
    path = tmp_path / "checkpoint.safetensors"
    told_in_parts: list[Epoch] = []
    for stop in stops:
        with pytest.raises(Stopped):
            trained_in_part(recipe, path, stop, told_in_parts)
    network, rest = trained(recipe, checkpoint=path)

    assert_same_weights(whole, network)
    assert without_clocks([*told_in_parts, *rest]) == without_clocks(told)
    assert sorted(tmp_path.iterdir()) == [path]


def trained_in_part(recipe: Recipe, path: Path, stop: int, told: list[Epoch]) -> None:
    def on_step(progress: Progress) -> None:
        if progress.step >= stop:
            raise Stopped

    fit(
        recipe,
        DATA,
        device=CPU,
        checkpoint=path,
        on_step=on_step,
        on_epoch=lambda epoch, network: told.append(epoch),
        report_every_s=0.0,
    )


def test_a_run_that_is_finished_is_not_trained_again(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    network, _ = trained(SMALL, checkpoint=path)
    again, told = trained(SMALL, checkpoint=path)

    assert told == []
    assert_same_weights(network, again)


def test_the_seed_decides() -> None:
    first, _ = trained(replace(SMALL, epochs=1))
    again, _ = trained(replace(SMALL, epochs=1))
    other, _ = trained(replace(SMALL, epochs=1, seed=1))

    assert_same_weights(first, again)
    with pytest.raises(AssertionError):
        assert_same_weights(first, other)


def test_fine_tuning_starts_where_the_weights_are(tmp_path: Path) -> None:
    first, epochs = trained(SMALL)
    _, tuned = trained(replace(SMALL, seed=9, epochs=1), start=weights(first))

    assert tuned[0].accuracy == epochs[-1].accuracy
    assert tuned[0].test_loss == pytest.approx(epochs[-1].test_loss, rel=1e-6)


def test_fine_tuning_to_other_classes_keeps_all_but_the_classifier() -> None:
    first, _ = trained(replace(SMALL, epochs=1))
    given = weights(first)
    fewer = {name: value[:2] if name.startswith("head.classifier.") else value for name, value in given.tensors.items()}
    still = replace(SMALL, epochs=1, optimizer="sgd", learning_rate=1e-9)
    network, _ = trained(still, start=Weights("", fewer))

    ours = weights_of(network)
    assert ours["head.classifier.weight"].shape == (3, *fewer["head.classifier.weight"].shape[1:])
    assert all(
        torch.allclose(ours[name], given.tensors[name], atol=1e-6)
        for name in ours
        if name.endswith(".weight") and "classifier" not in name
    )


def test_a_steerable_network_trains() -> None:
    _, epochs = trained(replace(SMALL, network="c4-cnn", epochs=1))

    assert epochs[-1].errors["logits"] < 1e-4
    assert epochs[-1].agreement == 1.0


def test_figures_survive_json() -> None:
    _, epochs = trained(replace(SMALL, epochs=1, angles_every=1))

    assert epoch_of(epochs[-1].document()) == epochs[-1]
    assert epochs[-1].angles is not None and len(epochs[-1].angles) == 36
    assert epochs[0].angles is None


def test_a_batch_of_one_picture_is_left_out() -> None:
    assert steps_of(replace(SMALL, batch_size=47), 48) == 2  # 47 and a last batch of one picture
    assert steps_of(replace(SMALL, batch_size=46), 48) == 4
    trained(replace(SMALL, batch_size=47, epochs=1))


# -------------------------------------------------------------------------------------------------------------- faults


def test_a_size_that_is_too_small_names_the_smallest() -> None:
    with pytest.raises(SizeError, match=r"p4-cnn cannot take 7 px: give at least 8 px\."):
        trained(replace(SMALL, size_px=7))


@pytest.mark.parametrize("report_every_s", [0.0, 1e9], ids=["seen at once", "seen late"])
def test_a_loss_that_is_not_a_number_ends_the_run_and_leaves_its_last_good_checkpoint(
    report_every_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fifth batch, of three in an epoch, is of no numbers."""
    path, good = tmp_path / "checkpoint.safetensors", tmp_path / "good.safetensors"
    with pytest.raises(Stopped):
        trained(SMALL, checkpoint=good, stop_at=4)
    given = iter([1.0, 1.0, 1.0, 1.0, math.nan, math.nan])
    monkeypatch.setattr("explorer.training.fit.changed", lambda *arguments: changed(*arguments) * next(given))

    with pytest.raises(RecipeError, match=r"^The loss became NaN in epoch 2: .* smaller learning"):
        fit(SMALL, DATA, device=CPU, checkpoint=path, report_every_s=report_every_s, checkpoint_every_s=0.0)

    left, expected = load_file(path), load_file(good)
    assert left.keys() == expected.keys()
    assert [name for name in left if not torch.equal(left[name], expected[name])] == []


def test_weights_of_another_network_are_refused() -> None:
    network, _ = trained(replace(SMALL, network="z2-cnn", epochs=1))
    with pytest.raises(WeightsError, match="of another network"):
        trained(SMALL, start=weights(network))


def test_a_steerable_network_is_not_trained_with_other_subsampling() -> None:
    with pytest.raises(RecipeError, match="c4-cnn cannot be trained with symmetric subsampling"):
        trained(replace(SMALL, network="c4-cnn", subsampling="symmetric"))


def test_data_without_pictures_is_refused() -> None:
    empty = copy.copy(DATA)
    object.__setattr__(empty, "train", type(DATA.train)(DATA.train.pictures[:1], DATA.train.labels[:1]))
    with pytest.raises(RecipeError, match="has 1 training pictures: give at least 2"):
        fit(SMALL, empty, device=CPU)


@pytest.mark.parametrize("damage", ["other recipe", "torn", "no checkpoint"])
def test_a_checkpoint_that_does_not_fit_changes_nothing(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "checkpoint.safetensors"
    trained(replace(SMALL, epochs=1), checkpoint=path)
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:200])
    if damage == "no checkpoint":
        path.write_bytes(b"nothing of the kind")
    recipe = replace(SMALL, epochs=1, seed=3 if damage == "other recipe" else 0)
    with pytest.raises(RunError, match="start a new run"):
        trained(recipe, checkpoint=path)
