"""The store of the runs, as all pages share it. Imports no torch."""

import streamlit as st

from explorer.pages.session.shared import settings
from explorer.runs.run import Run
from explorer.runs.store import Store, open_store
from explorer.training.recipe import Recipe
from models.catalog import SUBSAMPLING_WORDS


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """The one store of this process."""
    return open_store(settings())


def title_of(run: Run) -> str:
    """The run's name, or what it trains."""
    return run.name or label_of(run.recipe)


def label_of(recipe: Recipe) -> str:
    """`p4-cnn 29 px`, and how it is subsampled if not as published."""
    return ", ".join(filter(None, (f"{recipe.network} {recipe.size_px} px", SUBSAMPLING_WORDS[recipe.subsampling])))
