"""What all pages share: the engine of this process, the visitor, and how expected errors are shown."""

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from explorer.engine import Engine
from explorer.errors import ExplorerError, SettingError, Superseded
from explorer.settings import settings_from

log = logging.getLogger("explorer")


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    """The one engine of this process; raises SettingError or DeviceError for settings that are not accepted."""
    made = Engine(settings_from())
    gc.collect()
    gc.freeze()  # Streamlit collects garbage after every run: with torch loaded that took 294 ms, frozen 52 ms
    return made


def start() -> None:
    """Make the engine, or say in one sentence which setting stops the app."""
    try:
        engine()
    except ExplorerError as error:
        log.error("%s", error)
        st.error(str(error) if isinstance(error, SettingError) else f"The app cannot start: {error}")
        st.stop()


def visitor() -> str:
    """A name for this visitor's session, for the engine alone: a later request supersedes an earlier one."""
    context = st.runtime.scriptrunner.get_script_run_ctx()
    return context.session_id if context is not None else "no session"


@contextmanager
def expected_errors() -> Iterator[None]:
    """Show an expected error in one sentence, and end a superseded run quietly; bugs pass through to the log."""
    try:
        yield
    except Superseded:
        st.stop()
    except ExplorerError as error:
        st.error(str(error), icon=":material/error:")


def plain(text: str) -> str:
    """`text` with Markdown's signs escaped: names of files are shown as they are."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()#+-.!|<>$:~" else sign for sign in text)
