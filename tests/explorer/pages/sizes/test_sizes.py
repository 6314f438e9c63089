"""The Sizes page: it fills, says what the computation says, stops, and leads to Look."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from equivariance.kept import Kept
from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.pages.sizes import live as sizes_live
from explorer.pages.sizes.controls import Range
from explorer.pictures.images import load_gallery
from explorer.serving.engine import Engine
from explorer.studies.sweep import SizeResult
from models.catalog import spec
from tests.support import ROOT
from tests.support.commands import document_of
from tests.support.pages import go_to
from tests.support.sentences import sentences

PAINT_LIMIT_MS = 60_000
FEW = {"family": "cnn", "from": "24", "to": "27"}
LAYERS = 25  # of the CNN: seven times three, the pool, and three of the head


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes_live, "_measured", Kept(32))


@pytest.fixture
def measured_px(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes that were measured, in order."""
    sizes_px: list[int] = []
    inspect = Engine.inspect

    def noted(self: Engine, request: object, **options: object) -> object:
        sizes_px.append(request.picture.shape[-1])  # type: ignore[attr-defined]
        return inspect(self, request, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "inspect", noted)
    return sizes_px


def open_sizes(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in {**FEW, **parameters}.items():
        app.query_params[name] = value
    return go_to(app, "sizes").run()


def words(app: AppTest) -> list[str]:
    return [text.value for text in (*app.markdown, *app.caption)]


def downloaded(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The rows of the CSV that the page offers."""
    offered: list[str] = []
    monkeypatch.setattr("streamlit.download_button", lambda label, data, *_, **__: offered.append(data))
    app.run()
    return list(csv.DictReader(io.StringIO(offered[-1])))


def test_the_page_fills_and_names_the_exact_sizes() -> None:
    app = open_sizes()

    assert not app.exception and not app.error
    assert ":green[●] By theory 2 of 4 sizes are exact: **24, 26** px." in words(app)
    assert "All sizes are measured." in words(app)


def test_the_numbers_are_those_of_the_command_that_the_page_offers(monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_sizes()
    rows = downloaded(app, monkeypatch)

    assert app.code[0].value.startswith("python -m explorer sizes ")
    documents = document_of(app.code[0].value)
    assert [int(row["size_px"]) for row in rows] == [document["size_px"] for document in documents] == [24, 25, 26, 27]
    for row, document in zip(rows, documents, strict=True):
        assert (row["predicted"] == "exact") == document["predicted"]
        assert (row["first_broken_layer"] or None) == document["first_broken_layer"]
        assert float(row["error"]) == pytest.approx(document["error"], rel=1e-3, abs=1e-5)


def test_the_table_has_a_column_for_each_layer_and_its_largest_number_is_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for row in downloaded(open_sizes(dtype="float64"), monkeypatch):
        size_px, predicted, first_broken, error = (
            row.pop(name) for name in ("size_px", "predicted", "first_broken_layer", "error")
        )
        is_even = int(size_px) % 2 == 0  # the pool of 2×2 fits
        assert (predicted, first_broken) == (("exact", "") if is_even else ("broken", "pool"))
        assert (float(error) < ROUNDING_LEVEL["float64"]) == is_even
        assert len(row) == LAYERS
        assert max(float(value) for value in row.values()) <= float(error)


def test_a_second_network_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = downloaded(open_sizes(compare="symmetric"), monkeypatch)

    level = ROUNDING_LEVEL["float32"]
    exact = {(row["subsampling"], int(row["size_px"])) for row in rows if float(row["error"]) < level}
    assert len(rows) == 8
    assert exact == {("published", 24), ("published", 26), *(("symmetric", side) for side in range(24, 28))}


def test_what_was_measured_is_kept(measured_px: list[int]) -> None:
    app = open_sizes()
    assert measured_px == [24, 25, 26, 27]

    app.number_input(key="to").set_value(28).run()
    assert measured_px == [24, 25, 26, 27, 28]


def few() -> Range:
    """The range of `open_sizes`."""
    picture = load_gallery("astronaut")
    return Range(spec("p4-cnn"), None, 0, "float32", "astronaut", picture, 24, 27, "resize")


def test_after_stop_nothing_is_measured_until_continue(measured_px: list[int]) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.session_state["sizes-stopped"] = few().identity
    app.query_params.update(FEW)
    go_to(app, "sizes").run()
    assert measured_px == []
    assert ":green[●] By theory 2 of 4 sizes are exact: **24, 26** px." in words(app)

    app.button(key="sizes-stop-or-continue").click().run()
    assert measured_px == [24, 25, 26, 27]


def test_work_that_is_ended_from_outside_keeps_what_was_measured(measured_px: list[int]) -> None:
    series = sizes_live.series_of(few())

    def leave(fraction: float) -> None:
        if len(measured_px) == 2:
            raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        sizes_live.measure_some(series, leave)

    assert series[0].left == [25, 26, 27]


def test_two_visitors_of_a_view_measure_each_size_once_and_its_time_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine, other = sizes_live.series_of(few()), sizes_live.series_of(few())
    clock_s, seen_px = iter(range(1000)), []

    def takes_a_while(engine: object, sweep: object, size_px: int, **options: object) -> object:
        seen_px.append(size_px)
        if len(seen_px) == 1:  # in the middle of the first visitor's first size
            sizes_live.measure_some(other, lambda fraction: None)
        return SimpleNamespace(size_px=size_px)

    monkeypatch.setattr(sizes_live, "size_result", takes_a_while)
    monkeypatch.setattr(sizes_live, "time", SimpleNamespace(monotonic=lambda: next(clock_s)))
    monkeypatch.setattr(sizes_live, "BETWEEN_DRAWINGS_S", 1000)
    sizes_live.measure_some(mine, lambda fraction: None)

    assert seen_px == [24, 24, 25, 26, 27]  # the first by both, at the same time
    assert mine[0].kept is other[0].kept and mine[0].left == []
    assert 0 < mine[0].kept.elapsed_s < next(clock_s)


def test_progress_grows_with_the_pixels_and_ends_at_one() -> None:
    told: list[float] = []
    series = sizes_live.series_of(few())
    while series[0].left:
        sizes_live.measure_some(series, told.append)

    assert told == sorted(told) and told[0] == 0
    assert told[-1] <= 1 and sizes_live.report_of(series).done == 1


def test_a_disagreement_is_an_error_that_names_size_and_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    right = sizes_live.size_result

    def wrong(*arguments: object, **options: object) -> SizeResult:
        result = right(*arguments, **options)  # type: ignore[arg-type]
        return replace(result, disagreements={"⟲ 90°": 0.25} if result.size_px == 26 else {})

    monkeypatch.setattr(sizes_live, "size_result", wrong)
    (error,) = open_sizes().error

    assert error.value.startswith("**Theory and measurement disagree at 26 px**")
    assert "more than rounding (at most 3e-05): ⟲ 90° 2.5e-01." in error.value


@pytest.mark.parametrize(
    ("first_px", "last_px", "sentence"),
    [
        ("40", "24", "The range 40 to 24 px is empty or too long"),
        ("2", "7", "The network cannot take 7 px: give a range that reaches at least 8 px."),
        ("100", "400", "at most 1,000,000 pixels in all, so end at 158 px or below."),
    ],
)
def test_a_range_that_cannot_be_measured_is_one_sentence_with_the_bound(
    first_px: str, last_px: str, sentence: str, measured_px: list[int]
) -> None:
    app = open_sizes(**{"from": first_px, "to": last_px})

    (error,) = sentences(app)
    assert sentence in error
    assert not app.exception and measured_px == []


def drawings(app: AppTest) -> str:
    (view,) = (each for each in app.get("bidi_component") if each.proto.component_name == "sampling_view")
    return str(json.loads(view.proto.json))


def test_the_chosen_size_is_drawn_with_the_layer_that_decides() -> None:
    app = open_sizes()
    assert "24 px" in drawings(app) and "pool, as published:" in drawings(app)

    app.selectbox(key="size-to-open").set_value(25).run()

    assert "25 px" in drawings(app) and "24 px" not in drawings(app)
    assert "pool:" in drawings(app) and "With symmetric subsampling:" in drawings(app)


def test_the_button_opens_the_chosen_size_in_look() -> None:
    app = open_sizes()

    app.selectbox(key="size-to-open").set_value(26).run()
    next(button for button in app.button if button.label == "Open in Look").click().run()

    assert app.number_input(key="size").value == 26
    view = app.session_state["shown"].view
    assert (view.network.name, view.height_px, view.width_px) == ("p4-cnn", 26, 26)


def test_every_control_has_an_explanation() -> None:
    app = open_sizes()
    widgets = [*app.selectbox, *app.number_input, *app.toggle, *app.segmented_control, *app.file_uploader, *app.button]
    assert len(widgets) >= 10
    assert [widget.label for widget in widgets if not widget.help] == []


# ------------------------------------------------------------------------------------------------------------- browser


def test_a_visitor_saves_the_chart_and_opens_a_size_by_a_click(open_page: Callable[..., Page], tmp_path: Path) -> None:
    page = open_page("/sizes?family=cnn&from=24&to=29")
    expect(page.get_by_text("All sizes are measured.")).to_be_visible(timeout=PAINT_LIMIT_MS)
    chart = page.locator(".st-key-sizes-curve")

    with page.expect_download() as download:
        chart.locator("[data-title^='Download plot']").click()
    download.value.save_as(tmp_path / "chart.png")
    assert download.value.suggested_filename == "p4-cnn-errors-by-size.png"
    with Image.open(tmp_path / "chart.png") as saved:
        assert saved.format == "PNG" and saved.width > 1000

    chart.locator(".scatterlayer .trace").nth(2).locator(".point").first.click(force=True)  # the first broken size
    expect(page.get_by_text("Approximately equivariant to quarter turns at 25 px")).to_be_visible(
        timeout=PAINT_LIMIT_MS
    )
    assert "size=25" in page.url


def test_a_visitor_stops_and_the_page_goes_on(open_page: Callable[..., Page]) -> None:
    page = open_page("/sizes?family=resnet18&from=24&to=120")
    page.get_by_test_id("stMain").get_by_role("button", name="Stop").click(timeout=PAINT_LIMIT_MS)

    expect(page.get_by_role("button", name="Continue")).to_be_visible(timeout=PAINT_LIMIT_MS)
    expect(page.get_by_text("Stopped: ")).to_be_visible()
    page.get_by_role("link", name="About").click()
    expect(page.get_by_role("heading", name="About Equivariance Explorer")).to_be_visible(timeout=PAINT_LIMIT_MS)
