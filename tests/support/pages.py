"""The pages of the app, run without a browser."""

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from explorer.pages.session.addresses import PAGES
from tests.support import ROOT


def app_at(page: str) -> AppTest:
    """The app, about to be run at a page."""
    return go_to(AppTest.from_file(str(ROOT / "app.py"), default_timeout=120), page)


def go_to(app: AppTest, page: str) -> AppTest:
    """The same app, about to be run at another page.

    `AppTest.switch_page` finds a page by its file only once the app has run, and all our files are called page.py; so
    the page is named by its address, as the browser does.
    """
    assert page in PAGES
    app._page_hash = calc_hash("" if page == PAGES[0] else page)
    return app
