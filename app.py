"""Start of the app: `streamlit run app.py`. Lists the pages; everything else is in `explorer.pages`."""

import streamlit as st

from explorer.pages.shared import start

st.set_page_config(page_title="Equivariance Explorer", page_icon="◐", layout="wide")
start()
st.navigation(
    [st.Page("explorer/pages/look.py", title="Look", icon=":material/visibility:", default=True)], position="top"
).run()
