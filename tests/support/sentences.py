"""The errors that a page shows, as they read."""

import re

from streamlit.testing.v1 import AppTest

from explorer.pages.session.shared import JOINER


def sentences(app: AppTest) -> list[str]:
    """Of all errors that are shown, without what `shared.plain` adds."""
    return [as_read(error.value) for error in app.error]


def as_read(markdown: str) -> str:
    """Plain text as the browser shows it."""
    return re.sub(r"\\([^\w\s]|_)", r"\1", markdown).replace(JOINER, "")
