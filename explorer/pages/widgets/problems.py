"""How expected errors are shown."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from equivariance.errors import EquivarianceError, WeightsError
from explorer.errors import Superseded
from explorer.pages.session.shared import plain
from explorer.pages.widgets.weights_controls import offer_way_out


@contextmanager
def expected_errors() -> Iterator[None]:
    """Show an expected error in one sentence, and end a superseded run quietly; bugs pass through to the log."""
    try:
        yield
    except Superseded:
        st.stop()
    except EquivarianceError as error:
        st.error(plain(str(error)), icon=":material/error:")  # it may quote the address
        if isinstance(error, WeightsError):
            offer_way_out()
