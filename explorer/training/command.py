"""The command line that trains a recipe."""

import shlex
from dataclasses import fields

from explorer.training.recipe import FILE, Recipe

_ALWAYS = ("network", "size_px", "data", "epochs")
_OPTIONS = {"size_px": "--size", "how": "--fit", "start": "--from"}  # the others are called as their fields
_WEIGHTS = "WEIGHTS.safetensors"  # in the place of a file that was uploaded


def words_of(recipe: Recipe) -> str:
    """`python -m explorer train …`: network, size, data and epochs, and what is not at its default."""
    ordered = sorted(fields(Recipe), key=lambda each: each.name not in _ALWAYS)
    words = [
        _option(each.name, value)
        for each in ordered
        if (value := getattr(recipe, each.name)) != each.default or each.name in _ALWAYS
    ]
    return " ".join(["python -m explorer train", *words])


def _option(name: str, value: str | float) -> str:
    option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
    if isinstance(value, bool):
        return option if value else option.replace("--", "--no-", 1)
    text = _WEIGHTS if str(value).startswith(FILE) else f"{value}"
    return f"{option} {shlex.quote(text)}"
