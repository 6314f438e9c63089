"""Measure, explain and mend the equivariance of convolutional networks."""

__version__ = "0.1.0"
