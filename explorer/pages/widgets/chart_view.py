"""Plotly charts that stay where they are: given a new figure in place, where Streamlit's own would vanish and return.

The browser loads Plotly from the installed package, through Streamlit's route for the files of components.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import plotly
import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest

from explorer.layer_view.modules import one_script

_FOLDER = Path(__file__).parent
_LIBRARY = "plotly_library"
_SCRIPT = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
_component = st.components.v2.component(
    "chart_view",
    html='<div class="chart" role="figure"></div>',
    css=(_FOLDER / "chart_view.css").read_text(encoding="utf-8"),
    js=one_script(_FOLDER / "chart_view.js"),
    isolate_styles=False,
)


def chart_view(
    figure: Mapping[str, object],
    words: str,
    *,
    key: str,
    about: str = "",
    file_name: str = "chart",
    on_click: Callable[[], None] | None = None,
) -> None:
    """Draws a figure, as of `go.Figure.to_json`, that says in words what it shows; its layout gives the height.

    What a visitor zoomed stays as long as `about` does, or the figure's own `layout.uirevision`. With `on_click`, the
    `customdata` of the mark that was clicked is `clicked(key)` in the run after the click.
    """
    _component(
        data={
            "figure": {"data": figure["data"], "layout": figure["layout"]},
            "words": words,
            "about": about,
            "library": _library(),
            "file": file_name,
            "clicks": on_click is not None,
        },
        key=key,
        on_clicked_change=on_click or _nothing,
    )


def clicked(key: str) -> object:
    """What was clicked in the chart called `key`, None if nothing; it comes from the browser, so check it."""
    state = st.session_state.get(key)
    return state.get("clicked") if isinstance(state, Mapping) else None


def _nothing() -> None:
    pass


def _library() -> str:
    """The address of plotly.js below the root of the app; only Plotly's own scripts and templates lie there."""
    manager = get_bidi_component_manager()
    name = f"{_LIBRARY}.script"
    if manager.get_component_path(name) is None:
        script = ComponentConfig(name="script", asset_dir=_SCRIPT.parent.name)
        manifest = ComponentManifest(name=_LIBRARY, version=plotly.__version__, components=[script])
        manager.register_from_manifest(manifest, _SCRIPT.parents[1])
    return f"_stcore/bidi-components/{name}/{_SCRIPT.name}?version={plotly.__version__}"
