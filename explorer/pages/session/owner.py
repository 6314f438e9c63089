"""Who a visitor is: the login where one is configured, else a key that nobody can guess, kept by the browser.

The key is never part of an address, is shown nowhere and logged nowhere; the store of the runs keeps its SHA-256 alone.
"""

import re
import secrets
from collections.abc import Mapping

import streamlit as st

_KEY = re.compile(r"[0-9a-f]{64}", re.ASCII)
_COMPONENT, _KNOWN, _FLEETING = "owner_component", "owner_key", "owner_is_fleeting"
_NOBODY = secrets.token_hex(32)  # to the store, None is the command line, which may do everything
_component = st.components.v2.component(
    "owner",
    html="",
    js="""
const NAME = "equivariance-explorer-owner";
const GOOD = /^[0-9a-f]{64}$/;

export default function owner({ setStateValue }) {
  let key = read();
  let kept = GOOD.test(key);
  if (!kept) {
    key = [...crypto.getRandomValues(new Uint8Array(32))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    kept = write(key);
    if (kept) key = read(); // another tab may have been quicker
  }
  setStateValue("key", { key, kept });
}

function read() {
  try {
    return localStorage.getItem(NAME) ?? "";
  } catch {
    return ""; // a browser that keeps nothing
  }
}

function write(key) {
  try {
    localStorage.setItem(NAME, key);
    return GOOD.test(read());
  } catch {
    return false;
  }
}
""",
)


def key() -> str:
    """The key that the store finds the visitor's runs by; one without runs until the browser has sent its own."""
    return _login() or st.session_state.get(_KNOWN) or _NOBODY


def is_known() -> bool:
    """Whether the visitor can have runs."""
    return key() != _NOBODY


def is_fleeting() -> bool:
    """Whether the browser keeps nothing, so that the visitor's runs are lost to them with the page."""
    return bool(st.session_state.get(_FLEETING)) and _login() is None


def ask() -> None:
    """Have the browser tell its key, and run the page again with it; draws nothing."""
    if is_known():
        return
    st.html("<style>.st-key-owner {display: none}</style>")
    with st.container(key="owner"):
        _component(key=_COMPONENT, on_key_change=_take)


def can_log_in() -> bool:
    """Whether a login is configured that the visitor has not used."""
    return st.user.get("is_logged_in") is False


def _take() -> None:
    """Keep the browser's key for the session; anything else that a browser may send is ignored."""
    state = st.session_state.get(_COMPONENT)
    match state.get("key") if isinstance(state, Mapping) else None:
        case {"key": str(key), "kept": bool(is_kept)} if _KEY.fullmatch(key):
            st.session_state[_KNOWN], st.session_state[_FLEETING] = key, not is_kept


def _login() -> str | None:
    """The visitor's name with the login's provider; it cannot be mistaken for a browser's key."""
    user: Mapping[str, object] = st.user
    if not user.get("is_logged_in"):
        return None
    subject = user.get("sub") or user.get("email")
    return f"login {user.get('iss', '')} {subject}" if subject else None
