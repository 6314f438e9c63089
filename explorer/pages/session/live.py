"""What all pages share that computes: the engine of this process. Imports torch, so pages import this late."""

import atexit
import gc
import importlib

import streamlit as st

from explorer.pages.session.leaving import end_scripts
from explorer.pages.session.shared import settings
from explorer.serving.engine import Engine

atexit.register(end_scripts)
importlib.import_module("pandas")  # all of it, before a figure is made: Plotly takes for ready what a thread imports


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
