"""Ways out of the Orbit page: commands, its address, its numbers, and Look with one of its networks."""

import csv
import io
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import streamlit as st

from explorer.pages.session.addresses import address_of
from explorer.pages.widgets.trained import choose, chosen, plain_beside
from models.catalog import GROUPS

if TYPE_CHECKING:  # they import torch
    from explorer.pages.orbit.live import OrbitWork
    from explorer.studies.orbit import Variant


def links(work: "OrbitWork") -> None:
    """Commands, the address, the table, and a button for each network that opens it in Look."""
    from explorer.pages.orbit import live

    with st.container(horizontal=True):
        with st.popover(
            "Copy as command", icon=":material/terminal:", help="Commands that give the same numbers in a terminal."
        ):
            st.caption("For the picture shown: one command for turns and mirrors and one for shifts, for each network.")
            for variant in work.orbit.variants:
                for names in (_turn_names(work), work.planned_shifts[variant]):
                    if names:
                        command = work.view.command(variant.network, variant.size_px, list(names))
                        st.code(command, language="bash", wrap_lines=True)
            if work.view.gallery is None:
                st.caption("Replace PICTURE with the path of your picture.")
        with st.popover("Share link", icon=":material/link:", help="An address that opens this view."):
            st.caption(
                "The address bar always shows the address of this view, except for the layer; uploads are not "
                "part of it."
            )
            pairs = [(key, value) for key in st.query_params for value in st.query_params.get_all(key)]
            st.code(f"{st.context.url}?{urlencode(pairs)}", language=None, wrap_lines=True)
        st.download_button(
            "Download as CSV",
            _csv(live.rows_of(work)),
            f"orbit-{work.view.network.name}-{work.view.size_px}px.csv",
            "text/csv",
            icon=":material/download:",
            help="The errors of turns and mirrors with all digits.",
        )
        for variant in work.orbit.variants:
            st.button(
                f"Look at {variant.title}",
                on_click=_ask_for_look,
                args=(variant,),
                icon=":material/visibility:",
                help="Opens this network on the Look page.",
            )


def _turn_names(work: "OrbitWork") -> tuple[str, ...]:
    from explorer.pages.orbit import live

    return tuple(dict.fromkeys((*(element.name for element in work.orbit.turns), *live.MIRRORS)))


def _ask_for_look(variant: "Variant") -> None:
    st.session_state["look-at"] = variant


def open_what_was_asked_for() -> None:
    """Go to Look with the network whose button was pressed; its controls are set before any of them is drawn."""
    variant = st.session_state.pop("look-at", None)
    if variant is None:
        return
    network = variant.network
    trained = plain_beside(chosen()) if variant.role == "plain" else None
    if trained is not None:
        choose(trained.key)
    values = {"group": GROUPS[network.group].title, "size": variant.size_px, "subsampling": network.subsampling}
    st.session_state.update(values | {"oblong": False})
    st.switch_page(address_of("look"), query_params={"only": network.only[0]} if network.only else {})


def _csv(rows: list[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
