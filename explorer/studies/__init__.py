"""Measurements repeated: over sizes, over the orbit, over mends, over training."""
