"""Command lines that give the numbers of a page."""

from explorer.pages.widgets.trained import FILE, Trained
from explorer.pictures.images import Fit
from explorer.training.recipe import RUN
from models.catalog import NetworkSpec


def options(
    network: NetworkSpec, *, picture: str, how: Fit, seed: int, dtype: str, trained: Trained | None = None
) -> list[str]:
    """The options of network and picture that all commands share; those at their defaults are left out."""
    parts = [f"--picture {picture}"]
    parts += [f"--fit {how}"] if how != "resize" else []
    parts += weights_options(seed, trained)
    parts += [f"--dtype {dtype}"] if dtype != "float32" else []
    parts += [f"--subsampling {network.subsampling}"] if network.subsampling != "published" else []
    parts += [f"--only {','.join(network.only)}"] if network.only else []
    return parts + ([f"--head {network.head}"] if network.head and not _says_head(trained) else [])


def _says_head(trained: Trained | None) -> bool:
    """Whether the command finds the head with the weights."""
    return trained is not None and trained.recipe is not None


def weights_options(seed: int, trained: Trained | None) -> list[str]:
    """The options that name the weights; WEIGHTS stands for the path of an uploaded file."""
    if trained is None:
        return [f"--seed {seed}"] if seed else []
    narrow = ["--minimum-width"] if trained.recipe is not None and trained.recipe.minimum_width else []
    return [f"--weights {'WEIGHTS' if trained.key == FILE else trained.key.removeprefix(RUN)}", *narrow]
