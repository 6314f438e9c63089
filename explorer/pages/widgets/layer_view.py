"""The interactive part of the Look page: the strip of layers and the maps of the chosen one, drawn in the browser."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from explorer.layer_view import style
from explorer.layer_view.modules import one_script

_component = st.components.v2.component(
    "layer_view",
    html='<div class="layer-view"></div>',
    css=style(),
    js=one_script(Path(__file__).with_suffix(".js")),
)


@dataclass(frozen=True)
class WantedMaps:
    """What the browser asks for: maps of a layer call, from a field on; `layer` is None as long as none was chosen."""

    layer: str | None = None
    first_field: int = 0


@dataclass(frozen=True)
class Enlarge:
    """A channel to open large, counted over the whole layer, and the transform that was shown."""

    layer: str
    channel: int
    transform: str


def _nothing() -> None:
    pass


def requested(key: str) -> WantedMaps:
    """What the view called `key` asks for; to be read before measuring. Names come from the browser: check them."""
    state = st.session_state.get(key)
    layer = _get(state, "layer")
    if not isinstance(layer, str):
        return WantedMaps(None, _first_field(state, None))
    return WantedMaps(layer, _first_field(state, layer))


def enlarged(key: str) -> Enlarge | None:
    """What the view called `key` asks to open large; for `on_enlarge_change`: a run that is cut short loses it."""
    match _get(st.session_state.get(key), "enlarge"):
        case {"layer": str(layer), "channel": int(channel), "transform": str(transform)}:
            return Enlarge(layer, channel, transform)
    return None


def layer_view(
    payload: bytes,
    *,
    key: str,
    on_layer_change: Callable[[], None] = _nothing,
    on_page_change: Callable[[], None] = _nothing,
    on_enlarge_change: Callable[[], None] = _nothing,
) -> None:
    """Draw `payload`, made by `packing.pack_view`."""
    _component(
        data=payload,
        key=key,
        on_layer_change=on_layer_change,
        on_page_change=on_page_change,
        on_enlarge_change=on_enlarge_change,
    )


def _first_field(state: object, layer: str | None) -> int:
    """The page asked for, if it is one of `layer` (None: of any layer)."""
    match _get(state, "page"):
        case {"layer": str(of_layer), "first": int(first)} if layer in (None, of_layer):
            return max(first, 0)
    return 0


def _get(state: object, name: str) -> object:
    return state.get(name) if isinstance(state, Mapping) else None
