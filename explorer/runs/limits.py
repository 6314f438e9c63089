"""What an installation allows: each limit is a setting, each refusal one sentence with both numbers."""

from collections.abc import Sequence
from pathlib import Path

from explorer.data.known import FOLDER, KNOWN
from explorer.errors import RunError
from explorer.runs.store import Store
from explorer.settings import Settings
from explorer.training.fit import steps_of
from explorer.training.recipe import Recipe

MAX_WAITING = 100  # runs of all visitors in the queue
_MIB = 2**20


def check_limits(recipes: Sequence[Recipe], owner: str | None, store: Store, settings: Settings) -> None:
    """Raise RunError in one sentence where new runs of `recipes` by `owner` (None: the command line) are not allowed.

    The store is asked once, however many recipes there are. Raises StoreError where it cannot be used.
    """
    check_training(settings)
    for recipe in recipes:
        _check_recipe(recipe, owner, settings)
    if owner is not None:
        _check_number(len(recipes), owner, store, settings)
    if store.waiting() >= MAX_WAITING:
        raise RunError(f"{MAX_WAITING} runs are waiting already: try again when some of them are done.")
    check_disk(store, settings)


def _check_recipe(recipe: Recipe, owner: str | None, settings: Settings) -> None:
    """Raise RunError for what no store has to be asked about."""
    if recipe.size_px > settings.max_training_px:
        raise RunError(
            f"{recipe.size_px} px is more than this installation trains on: give at most {settings.max_training_px} "
            "px, or raise EXPLORER_MAX_TRAINING_PX."
        )
    if recipe.epochs > settings.max_epochs:
        raise RunError(
            f"{recipe.epochs} epochs are more than this installation trains: give at most {settings.max_epochs}, or "
            "raise EXPLORER_MAX_EPOCHS."
        )
    known = KNOWN.get(recipe.data)
    check_steps(recipe, recipe.train_pictures or (known.train_pictures if known else 0), settings)
    if owner is not None and recipe.data.startswith(FOLDER):
        _check_folder(recipe.data, settings)


def check_disk(store: Store, settings: Settings) -> None:
    """Raise RunError where the files of all runs take more than is allowed."""
    used = store.used_bytes()
    if used > settings.runs_disk_mb * _MIB:
        raise RunError(
            f"The runs take {used // _MIB} MB of the {settings.runs_disk_mb} MB allowed: delete some, or raise "
            f"EXPLORER_RUNS_DISK_MB."
        )


def check_training(settings: Settings) -> None:
    """Raise RunError where training is switched off."""
    if settings.training == "off":
        raise RunError("Training is switched off here: set EXPLORER_TRAINING to on to train networks.")


def check_steps(recipe: Recipe, pictures: int, settings: Settings) -> None:
    """Raise RunError where so many training pictures make more steps than are allowed."""
    steps = steps_of(recipe, pictures)
    if steps > settings.max_steps:
        raise RunError(
            f"{recipe.epochs} epochs of {pictures} pictures, {recipe.batch_size} at a time, are {steps} steps: at most "
            f"{settings.max_steps} are trained here, so give fewer epochs or raise EXPLORER_MAX_STEPS."
        )


def _check_folder(data: str, settings: Settings) -> None:
    """Raise RunError for a folder outside the data folder: a visitor could look at any folder of the host."""
    if not data.isprintable():
        raise RunError("The name of the folder has characters that cannot be shown: give a name without them.")
    allowed = settings.data_path.resolve()
    named = Path(data.removeprefix(FOLDER))
    if str(named).startswith("~") or not (allowed / named).resolve().is_relative_to(allowed):
        raise RunError(
            "Visitors can train only on folders inside the data folder: put yours there, see EXPLORER_DATA_FOLDER."
        )


def _check_number(new: int, owner: str, store: Store, settings: Settings) -> None:
    there = len(store.list(owner))
    if there >= settings.max_runs:
        raise RunError(
            f"You have {there} runs and may have {settings.max_runs}: delete some of them, or raise EXPLORER_MAX_RUNS."
        )
    if there + new > settings.max_runs:
        raise RunError(
            f"You have {there} runs and may have {settings.max_runs}: delete some of them to start {new} more."
        )
