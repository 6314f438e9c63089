"""Measure, explain and mend the equivariance of convolutional networks."""

__version__ = "0.1.0"  # of the library and of the app: the one place; CHANGELOG.md and the tag follow it
