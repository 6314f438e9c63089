"""The weights in assets: what the manifest says, checked against the files, the networks and the test digits."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from equivariance.errors import WeightsError
from explorer.data.datasets import brought
from explorer.pictures.digits import DATA, digit_pixels
from explorer.pictures.images import DIGITS
from explorer.reproduction.make_shipped import PLANS
from explorer.reproduction.model_cards import card_path, model_card
from explorer.serving.shipped import FOLDER, MANIFEST, MAX_BYTES, Shipped, find_shipped, shipped, shipped_bytes
from explorer.serving.weights import copy_weights, weights_from
from explorer.serving.weights_header import header_of
from explorer.training.recipe import recipe_of
from models.build import serve

TURNS = {"identity": 0, "rot90": 1, "rot180": 2, "rot270": 3}
COUNT = 200
EXACT = ("p4-cnn-28", "p4-cnn-29-mended")
ENTRIES = pytest.mark.parametrize("entry", shipped(), ids=lambda entry: entry.name)


@cache
def some_digits() -> tuple[Tensor, Tensor]:
    """(COUNT, 1, 28, 28) uint8, and their labels."""
    with np.load(DATA) as arrays:
        pictures, labels = arrays["test_images"][:COUNT], arrays["test_labels"][:COUNT]
    return torch.from_numpy(pictures)[:, None], torch.from_numpy(labels).long()


@cache
def network(name: str) -> nn.Module:
    """As it is served, in float32."""
    weights = weights_from(shipped_bytes(name), name)
    spec = recipe_of(find_shipped(name).recipe).network_spec(10)
    return serve(spec, prepare=partial(copy_weights, weights=weights)).float()


@torch.inference_mode()
def logits(name: str, digits: Tensor) -> dict[str, Tensor]:
    """Of each turn of digits (B, 1, 28, 28), uint8: (B, 10)."""
    recipe = recipe_of(find_shipped(name).recipe)
    pictures = brought(digits, size_px=recipe.size_px, how=recipe.how)
    return {turn: network(name)(pictures.rot90(times, (-2, -1))) for turn, times in TURNS.items()}


@cache
def answers_to_some(name: str) -> dict[str, Tensor]:
    """Logits of each turn of `some_digits`."""
    return logits(name, some_digits()[0])


def test_the_manifest_lists_what_was_planned_and_every_file_is_beside_it() -> None:
    plans = {plan.name: plan for plan in PLANS}
    names = [entry.name for entry in shipped()]

    assert names == [*plans]
    for entry in shipped():
        plan = plans[entry.name]
        assert (entry.title, entry.picture, recipe_of(entry.recipe)) == (plan.title, plan.picture, plan.recipe)
    assert {path.name for path in FOLDER.iterdir()} == {
        MANIFEST,
        *(entry.file for entry in shipped()),
        *(f"{entry.name}.md" for entry in shipped()),
    }


@ENTRIES
def test_a_file_is_small_and_says_what_the_manifest_says(entry: Shipped) -> None:
    data = (FOLDER / entry.file).read_bytes()
    header = header_of(data, entry.file)

    assert len(data) < MAX_BYTES
    assert hashlib.sha256(data).hexdigest() == entry.sha256
    assert json.loads(header.metadata["recipe"]) == dict(entry.recipe)
    assert header.classes == tuple("0123456789")
    assert entry.picture in {digit.name for digit in DIGITS}
    assert entry.command.endswith(entry.name) and entry.made


@ENTRIES
def test_a_model_card_says_what_the_manifest_says(entry: Shipped) -> None:
    assert card_path(entry, FOLDER).read_text(encoding="utf-8") == model_card(entry)


@pytest.mark.full
@ENTRIES
def test_accuracy_on_all_test_digits_is_that_of_the_manifest_to_the_last_digit(entry: Shipped) -> None:
    with np.load(DATA) as arrays:
        pictures, labels = torch.from_numpy(arrays["test_images"])[:, None], arrays["test_labels"]
    hits = dict.fromkeys(TURNS, 0)
    for start in range(0, len(labels), 50):
        for turn, answers in logits(entry.name, pictures[start : start + 50]).items():
            hits[turn] += int((answers.argmax(1).numpy() == labels[start : start + 50]).sum())

    assert {turn: hit / len(labels) for turn, hit in hits.items()} == {
        turn: entry.figures["accuracy"][turn] for turn in TURNS
    }


@ENTRIES
def test_accuracy_on_some_test_digits_is_that_of_the_manifest(entry: Shipped) -> None:
    for turn, answers in answers_to_some(entry.name).items():
        accuracy = float((answers.argmax(1) == some_digits()[1]).double().mean())
        assert accuracy == pytest.approx(entry.figures["accuracy"][turn], abs=0.08), turn


@ENTRIES
def test_exact_networks_answer_all_turns_alike_and_others_do_not(entry: Shipped) -> None:
    answers = answers_to_some(entry.name)
    differences = [float((answers[turn] - answers["identity"]).abs().max()) for turn in TURNS]
    agreement = torch.stack([answers[turn].argmax(1) == answers["identity"].argmax(1) for turn in TURNS]).all(0)

    is_exact = entry.name in EXACT
    assert (max(differences) < 1e-3) == is_exact
    assert bool(agreement.all()) == is_exact
    assert (entry.figures["errors"]["logits"] < 1e-4) == is_exact
    assert (entry.figures["agreement"] == 1.0) == is_exact


def test_all_read_nearly_every_upright_digit_and_only_exact_ones_do_when_turned() -> None:
    for entry in shipped():
        accuracy, is_exact = entry.figures["accuracy"], entry.name in EXACT
        assert accuracy["identity"] > 0.95
        assert (min(accuracy[turn] for turn in TURNS) > 0.95) == is_exact


@ENTRIES
def test_every_digit_of_the_gallery_is_read_rightly_upright(entry: Shipped) -> None:
    greys = np.stack([digit_pixels(digit)[:, :, 0] for digit in range(10)])

    answers = logits(entry.name, torch.from_numpy(greys)[:, None])["identity"]

    assert answers.argmax(1).tolist() == list(range(10))


@pytest.mark.parametrize("name", ["p4-cnn-27", "p4-cnn-29", "z2-cnn-28"])
def test_the_digit_to_show_it_with_is_answered_otherwise_when_turned(name: str) -> None:
    digit = next(each.digit for each in DIGITS if each.name == find_shipped(name).picture)
    assert digit is not None
    greys = torch.from_numpy(digit_pixels(digit)[:, :, 0].copy())[None, None]

    assert {int(answer.argmax()) for answer in logits(name, greys).values()} > {digit}


# ---------------------------------------------------------------------------------------------------------- bad input


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A copy of the weights, to be damaged."""
    yield Path(shutil.copytree(FOLDER, tmp_path / "weights"))
    shipped.cache_clear()


def test_an_unknown_name_is_one_sentence_with_those_there_are() -> None:
    with pytest.raises(WeightsError, match=r"^The app has no weights 'p4-cnn': use one of p4-cnn-28, .*\.$"):
        shipped_bytes("p4-cnn")


def test_a_damaged_file_is_one_sentence(folder: Path) -> None:
    path = folder / "p4-cnn-28.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    with pytest.raises(WeightsError, match=r"^The weights p4-cnn-28 .* are not what the manifest says: restore "):
        shipped_bytes("p4-cnn-28", folder)


def test_a_missing_file_is_one_sentence(folder: Path) -> None:
    (folder / "p4-cnn-28.safetensors").unlink()

    with pytest.raises(WeightsError, match=r"^The weights p4-cnn-28 .* are missing: restore assets/weights/"):
        shipped_bytes("p4-cnn-28", folder)


def test_without_a_manifest_there_are_none(tmp_path: Path) -> None:
    assert shipped(tmp_path) == ()
