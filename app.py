"""Start of the app: `streamlit run app.py`. Lists the pages; everything else is in `explorer.pages`."""

from pathlib import Path

import streamlit as st

from explorer.pages.shared import start

PAGES = Path(__file__).resolve().parent / "explorer" / "pages"  # also for a start from another folder

st.set_page_config(page_title="Equivariance Explorer", page_icon="◐", layout="wide")
start()
st.navigation(
    [
        st.Page(PAGES / "look.py", title="Look", icon=":material/visibility:", default=True),
        st.Page(PAGES / "sizes.py", title="Sizes", icon=":material/show_chart:"),
        st.Page(PAGES / "orbit.py", title="Orbit", icon=":material/radar:"),
        st.Page(PAGES / "mends.py", title="Mends", icon=":material/healing:"),
        st.Page(PAGES / "break_it.py", title="Break it", icon=":material/bolt:"),
        st.Page(PAGES / "train.py", title="Train", icon=":material/model_training:"),
        st.Page(PAGES / "paper.py", title="Paper", icon=":material/menu_book:"),
        st.Page(PAGES / "about.py", title="About", icon=":material/info:"),
    ],
    position="top",
).run()
