"""The versions that a result depends on."""

import importlib.metadata
import platform


def versions() -> dict[str, str]:
    """{"equivariance", "python", "torch", "numpy", and escnn where it is installed}."""
    found = {"python": platform.python_version()}
    for name in ("torch", "numpy", "escnn"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
