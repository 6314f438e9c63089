"""The command line of a recipe means the same recipe."""

import shlex
from dataclasses import fields, replace

import pytest

from explorer.commands.main import _parser
from explorer.training.command import words_of
from explorer.training.recipe import Recipe

PLAIN = Recipe(data="mnist-12k")
CHANGED = Recipe(
    network="z2-resnet18",
    size_px=33,
    how="crop",
    subsampling="symmetric",
    head="no-pooling",
    dropout=0.3,
    minimum_width=True,
    data="folder:my pictures; rm -r $HOME",
    train_pictures=100,
    test_pictures=20,
    epochs=7,
    batch_size=8,
    optimizer="sgd",
    learning_rate=1e-5,
    weight_decay=0.1,
    schedule="constant",
    rotation="normal:-45,20",
    mirrors=True,
    augmentation="crop-flip",
    precision="mixed",
    deterministic=False,
    test_every=2,
    angles_every=0,
    seed=3,
    start="shipped:z2-cnn-28",
)


def read(command: str) -> Recipe:
    """As a shell and the command line read it."""
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "explorer", "train"]
    options = _parser().parse_args(words[3:])
    return Recipe(**{each.name: getattr(options, each.name) for each in fields(Recipe)})


def test_each_field_is_changed_in_the_recipe_that_is_tried() -> None:
    assert [each.name for each in fields(Recipe) if getattr(CHANGED, each.name) == each.default] == []


@pytest.mark.parametrize("recipe", [PLAIN, CHANGED, replace(PLAIN, seed=1, size_px=29)], ids=["plain", "all", "some"])
def test_the_command_line_means_the_recipe(recipe: Recipe) -> None:
    assert read(words_of(recipe)) == recipe


def test_what_is_at_its_default_is_left_out() -> None:
    assert words_of(PLAIN) == "python -m explorer train --network p4-cnn --size 28 --data mnist-12k --epochs 5"


def test_an_uploaded_file_is_asked_for() -> None:
    assert words_of(replace(PLAIN, start="file:" + "0" * 64)).endswith("--from WEIGHTS.safetensors")
