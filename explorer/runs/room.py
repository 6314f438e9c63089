"""The memory that a step of training takes, asked for before it is taken."""

from explorer.data.datasets import Dataset
from explorer.errors import RunError
from explorer.serving.engine import Engine
from explorer.serving.memory import Budget, kept_bytes, limit_bytes, megabytes
from explorer.training.recipe import Recipe
from models.build import kernel_sizes
from models.catalog import NetworkSpec

_ITEM_BYTES = 4  # float32


def check_room(recipe: Recipe, dataset: Dataset, engine: Engine) -> None:
    """Raise RunError where a batch needs more memory than this process may still take. A GPU's is not known."""
    if engine.device.type != "cpu":
        return
    left = Budget(engine.settings.memory_mb * 2**20 or limit_bytes()).left_bytes
    pictures = min(recipe.batch_size, len(dataset.train.labels))
    needed = training_bytes(recipe.network_spec(len(dataset.classes)), recipe.size_px, pictures, engine)
    if left is not None and needed > left:
        raise RunError(
            f"{pictures} pictures of {recipe.size_px} px at once need about {megabytes(needed)} of memory with "
            f"{recipe.network}, and {megabytes(left)} are left: choose a smaller batch, a smaller size or a narrower "
            f"network."
        )


def training_bytes(network: NetworkSpec, size_px: int, pictures: int, engine: Engine) -> int:
    """Bytes of the network, its gradients, Adam's moments, and what a step with so many pictures keeps, roughly.

    Each layer keeps one map for the way back; beside them there are input, output and gradient of the one at work. The
    peaks of seven networks were 0.8 to 1.3 times as much.
    """
    recorded = engine.structure(network, 0).trace(height_px=size_px, width_px=size_px)
    kept = sum(call.out_numbers for call in recorded.calls)
    numbers = pictures * (kept + recorded.working_numbers + recorded.largest_numbers) + 2 * sum(kernel_sizes(network))
    return _ITEM_BYTES * numbers + kept_bytes(network)
