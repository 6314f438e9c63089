"""The Mends page: its table fills, says what the computation says, and follows the controls."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from explorer.pages.mends.live import MendRow, csv_of, table_of
from explorer.studies.mends import Compared, Mend
from models.catalog import spec
from tests.support import ROOT
from tests.support.pages import go_to
from tests.support.sentences import sentences

PAINT_LIMIT_MS = 60_000


def open_mends(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in parameters.items():
        app.query_params[name] = value
    return go_to(app, "mends").run()


def test_table_has_every_mend_with_its_figures() -> None:
    app = open_mends(family="cnn", size="33")

    assert not app.exception
    table = app.table[0].value.set_index("mend")
    assert list(table.index) == [
        "as published", "resize to 32 px", "resize to 34 px", "pad to 34 px", "crop to 32 px", "other padding",
        "larger kernels", "symmetric subsampling", "BlurPool",
    ]  # fmt: skip
    assert list(table.loc["other padding"][:-1]) == ["–"] * 5
    assert table.loc["other padding", "keeps"].startswith("none: pool has 1 pixel too many")
    turns = table["quarter turns"].drop("other padding").astype(float)
    assert max(turns["symmetric subsampling"], turns["larger kernels"]) < 1e-5 < turns["as published"]
    assert table.loc["as published", "time"] == "1.00 ×"
    assert table.loc["symmetric subsampling", "sides"] == table.loc["as published", "sides"]


def test_a_size_that_is_too_small_is_one_sentence() -> None:
    app = open_mends(family="cnn", size="5")

    assert sentences(app) == ["The network cannot take 5×5 px: give at least 8 px a side."]
    assert not app.exception


def test_every_control_has_an_explanation() -> None:
    app = open_mends(family="cnn")
    widgets = [*app.selectbox, *app.number_input, *app.toggle, *app.segmented_control, *app.file_uploader]
    assert len(widgets) >= 8
    assert [widget.label for widget in widgets if not widget.help] == []


def test_rows_say_what_is_open_and_what_there_is_not() -> None:
    mend = Mend("as published", "everything", spec("p4-cnn"))
    measured = MendRow(mend, Compared(mend, 0.25, 0.5, 1e-3, (32, 16), 2.0), 1.5)
    there_is_none = MendRow(replace(mend, obstacle="none: a pixel too many", keeps="none"))
    rows = [measured, MendRow(mend), there_is_none]

    assert [row.is_open for row in rows] == [False, True, False]
    figures = [list(line.values())[1:-1] for line in table_of(rows)]
    assert figures == [["2.5e-01", "0.50", "0.00", "32, 16", "1.50 ×"], ["…"] * 5, ["–"] * 5]
    assert csv_of([measured, there_is_none]).splitlines()[1:] == [
        'as published,0.25,0.5,0.001,"32, 16",1.5,everything',
        "as published,,,,,,none",
    ]


def test_a_visitor_compares_the_mends(open_page: Callable[..., Page]) -> None:
    page = open_page("/mends?family=cnn&size=33")
    expect(page.get_by_role("heading", name="Mends for p4-cnn at 33 px")).to_be_visible(timeout=PAINT_LIMIT_MS)
    expect(page.locator(".js-plotly-plot")).to_be_visible(timeout=PAINT_LIMIT_MS)

    with page.expect_download() as download:
        page.get_by_test_id("stDownloadButton").get_by_role("button").click()

    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "mend,quarter turns,other angles,shifts,sides,time,keeps" and len(lines) == 10
