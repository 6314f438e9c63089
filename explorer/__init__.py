"""The app: measure, explain and mend the equivariance of convolutional networks, in pages and commands."""

from equivariance import __version__

__all__ = ["__version__"]
