"""The states of the random number generators, which are others' too."""

import random
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

Result = TypeVar("Result")


def untouched(work: Callable[[], Result]) -> Result:
    """What `work` gives; random numbers of torch, numpy and Python go on as if it had not run, also after an error."""
    states = torch.random.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        return work()
    finally:
        torch.random.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
