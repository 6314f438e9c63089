"""What an installation allows: each limit is a setting, each refusal one sentence with both numbers."""

from pathlib import Path

from explorer.data.known import FOLDER, KNOWN
from explorer.errors import RunError
from explorer.runs.store import Store
from explorer.settings import Settings
from explorer.training.fit import steps_of
from explorer.training.recipe import Recipe

MAX_WAITING = 100  # runs of all visitors in the queue
_MIB = 2**20


def check_limits(recipe: Recipe, owner: str | None, store: Store, settings: Settings) -> None:
    """Raise RunError in one sentence where a new run of `recipe` by `owner` (None: the command line) is not allowed.

    Raises StoreError where the store cannot be used.
    """
    check_training(settings)
    if recipe.size_px > settings.max_training_px:
        raise RunError(
            f"{recipe.size_px} px is more than is trained on here: give at most {settings.max_training_px} px, or "
            f"raise EXPLORER_MAX_TRAINING_PX."
        )
    if recipe.epochs > settings.max_epochs:
        raise RunError(
            f"{recipe.epochs} epochs are more than are trained here: give at most {settings.max_epochs}, or raise "
            f"EXPLORER_MAX_EPOCHS."
        )
    known = KNOWN.get(recipe.data)
    check_steps(recipe, recipe.train_pictures or (known.train_pictures if known else 0), settings)
    if owner is not None:
        _check_visitor(recipe, owner, store, settings)
    if store.waiting() >= MAX_WAITING:
        raise RunError(f"{MAX_WAITING} runs are waiting already: try again when some of them are done.")
    check_disk(store, settings)


def check_disk(store: Store, settings: Settings) -> None:
    """Raise RunError where the files of all runs take more than is allowed."""
    used = store.used_bytes()
    if used > settings.runs_disk_mb * _MIB:
        raise RunError(
            f"The runs take {used // _MIB} MB of the {settings.runs_disk_mb} MB that they may: delete some, or raise "
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


def _check_visitor(recipe: Recipe, owner: str, store: Store, settings: Settings) -> None:
    if recipe.data.startswith(FOLDER):
        if not recipe.data.isprintable():
            raise RunError("The name of the folder has signs that cannot be shown: give it without them.")
        allowed = settings.data_path.resolve()
        named = Path(recipe.data.removeprefix(FOLDER))
        # A visitor could look at any folder of the host.
        if str(named).startswith("~") or not (allowed / named).resolve().is_relative_to(allowed):
            raise RunError(
                "Visitors train on folders in the data folder alone: put it there, see EXPLORER_DATA_FOLDER."
            )
    runs = len(store.list(owner))
    if runs >= settings.max_runs:
        raise RunError(
            f"You have {runs} runs and may have {settings.max_runs}: delete some of them, or raise EXPLORER_MAX_RUNS."
        )
