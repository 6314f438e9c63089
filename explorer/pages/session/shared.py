"""What all pages share without torch: settings, the name of the session and of the page, and text shown as it is."""

import logging
import os
import re

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.errors import SettingError
from explorer.settings import Settings, check_streamlit, settings_from, unknown_variables

# Threads of torch that wait for each other keep the cores busy: beside them, training takes ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded; workers inherit it
log = logging.getLogger("explorer")
_SIGNS = "\\`*_{}[]()#+-.!|<>$:~"  # of Markdown
# Where the browser would make links of bare addresses, whatever is escaped: an invisible sign parts them.
_LINKED = re.compile(r"https?\\:|www|@", re.IGNORECASE)
JOINER = "\u2060"


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """The settings of this process; raises SettingError for a value that is not accepted, Streamlit's own included."""
    for sentence in unknown_variables():
        log.warning(sentence)
    check_streamlit(st.get_option)
    return settings_from()


def start() -> None:
    """Read the settings, or say in one sentence which of them stops the app."""
    try:
        settings()
    except SettingError as error:
        log.error("%s", error)
        st.error(plain(str(error)))
        st.stop()


def session_name() -> str:
    """A name for this visitor's session, for the engine alone: a later request supersedes an earlier one."""
    context = st.runtime.scriptrunner.get_script_run_ctx()
    return context.session_id if context is not None else "no session"


def this_page() -> str:
    """A name for the page that is drawn."""
    context = st.runtime.scriptrunner.get_script_run_ctx()
    return context.page_script_hash if context is not None else ""


def steady(key: str, *, height_rem: float) -> DeltaGenerator:
    """A container of at least this height, so that what follows stays in place whatever comes and goes in it."""
    st.html(f"<style>.st-key-{key} {{min-height: {height_rem}rem}}</style>")
    return st.container(key=key)


def plain(text: str) -> str:
    """`text` as Markdown that shows it as it is, without a link: names of files, and what an address says."""
    escaped = "".join(f"\\{sign}" if sign in _SIGNS else sign for sign in text)
    return _LINKED.sub(lambda found: found[0] + JOINER, escaped)
