"""Measure, explain and mend the equivariance of convolutional networks."""
