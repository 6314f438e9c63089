"""Command lines that give the numbers of a page."""

from explorer.images import Fit
from models.catalog import NetworkSpec


def options(network: NetworkSpec, *, picture: str, how: Fit, seed: int, dtype: str) -> list[str]:
    """The options of network and picture that all commands share; those at their defaults are left out."""
    parts = [f"--picture {picture}"]
    parts += [f"--fit {how}"] if how != "resize" else []
    parts += [f"--seed {seed}"] if seed else []
    parts += [f"--dtype {dtype}"] if dtype != "float32" else []
    parts += [f"--subsampling {network.subsampling}"] if network.subsampling != "published" else []
    parts += [f"--only {','.join(network.only)}"] if network.only else []
    return parts + (["--no-group-pooling"] if not network.group_pooling else [])
