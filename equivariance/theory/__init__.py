"""What follows from a network's structure: sampling grids, exactness, exact sizes, surviving elements."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equivariance.following.handling import handle

__all__ = ["handle"]


def __getattr__(name: str) -> Any:
    """`handle`, imported when it is asked for: it needs torch, and grids do not."""
    if name != "handle":
        raise AttributeError(f"module 'equivariance.theory' has no attribute {name!r}")
    from equivariance.following.handling import handle

    return handle
