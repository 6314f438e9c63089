"""Start of the app: `streamlit run app.py`. Lists the pages; everything else is in `explorer.pages`."""

import streamlit as st

from explorer.pages.session.addresses import PAGES, address_of
from explorer.pages.session.shared import start

TITLES = ("Look", "Sizes", "Orbit", "Mends", "Break it", "Train", "Paper", "About")
ICONS = ("visibility", "show_chart", "radar", "healing", "bolt", "model_training", "menu_book", "info")

st.set_page_config(page_title="Equivariance Explorer", page_icon="◐", layout="wide")
start()
st.navigation(
    [
        st.Page(address_of(page), title=title, icon=f":material/{icon}:", url_path=page, default=page == PAGES[0])
        for page, title, icon in zip(PAGES, TITLES, ICONS, strict=True)
    ],
    position="top",
).run()
