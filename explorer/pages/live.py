"""What all pages share that computes: the engine of this process. Imports torch, so pages import this late."""

import atexit
import gc
import importlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

import streamlit as st

from explorer.engine import Engine
from explorer.errors import WeightsError
from explorer.pages.leaving import end_scripts
from explorer.pages.shared import settings
from explorer.pages.trained import Trained
from explorer.weights import Weights, weights_from

atexit.register(end_scripts)
importlib.import_module("pandas")  # all of it, before a figure is made: Plotly takes for ready what a thread imports

Result = TypeVar("Result")


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    """The one engine of this process; raises DeviceError for a device that is absent."""
    return Engine(settings())


@st.cache_resource(show_spinner=False)
def freeze() -> None:
    """Once per process, after the imports and the first network: take what is there out of the garbage collection.

    Streamlit collects garbage after every run: with torch loaded that took 294 ms, frozen 52 ms.
    """
    gc.collect()
    gc.freeze()


class Kept(Generic[Result]):
    """The results used last, by key, for all visitors; unlike st.cache_resource, making one may show its progress."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._results: OrderedDict[Hashable, Result] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Result]) -> Result:
        """The result kept under `key`, or a new one; two visitors may make the same one at the same time."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
        made = make()
        with self._lock:
            self._results[key] = made
            while len(self._results) > self._entries:
                self._results.popitem(last=False)
        return made


_weights: Kept[Weights] = Kept(4)


def weights_of(trained: Trained | None) -> Weights | None:
    """The tensors of the chosen weights; None for random ones. Raises WeightsError for those that cannot be used."""
    if trained is None:
        return None
    if trained.problem:
        raise WeightsError(trained.problem)
    return _weights.get(trained.sha256, lambda: weights_from(trained.read(), trained.title))
