"""Where Streamlit finds the pages. Their addresses in the browser are the keys: links depend on them."""

from pathlib import Path

PAGES = ("look", "sizes", "orbit", "mends", "break_it", "train", "paper", "about")
COMPARE, ONE = "compare three", "one"  # values of `train` in links to the Train page


def address_of(page: str) -> Path:
    """The script of a page, as `st.Page`, `st.page_link` and `st.switch_page` take it."""
    return Path(__file__).parents[1] / page / "page.py"
