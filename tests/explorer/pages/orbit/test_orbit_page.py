"""The Orbit page: its plots fill, its commands give the same numbers, and it follows the controls."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from equivariance.kept import Kept
from explorer.pages.orbit import controls as orbit_controls
from explorer.pages.orbit import live as orbit_live
from explorer.pictures.images import load_gallery
from tests.support import ROOT
from tests.support.charts import charts_of
from tests.support.commands import document_of
from tests.support.pages import go_to
from tests.support.sentences import sentences

PAINT_LIMIT_MS = 60_000
QUICK = {"family": "cnn", "step": "45°"}


def only(*roles: str) -> dict[str, str]:
    """Parameters that switch on these networks alone."""
    return {role: "false" for role in ("as_chosen", "size_near", "plain", "mended") if role not in roles}


def open_orbit(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in {**QUICK, **parameters}.items():
        app.query_params[name] = value
    return go_to(app, "orbit").run()


def charts(app: AppTest) -> list[tuple[str, list[dict[str, Any]]]]:
    """(words, traces) of every chart, in order: polar and mirrors of the layer, of the logits, logits, shifts."""
    return [(chart["words"], chart["figure"]["data"]) for chart in charts_of(app).values()]


def polar_points(traces: list[dict[str, Any]], title: str) -> dict[float, str]:
    """What hovering says, by angle, of one network."""
    shown = [trace for trace in traces if trace.get("name") in (title, f"{title}: exact transforms")]
    return {
        angle_deg: said
        for trace in shown
        for angle_deg, said in zip(trace["theta"], trace.get("customdata", []), strict=False)
        if angle_deg is not None
    }


def same(error: float) -> Any:
    """Rounding depends on what shares a batch; the page shows three digits."""
    return pytest.approx(error, rel=6e-3, abs=1e-5)


def test_the_page_compares_four_networks_at_a_layer_and_at_the_logits() -> None:
    app = open_orbit(size="33")

    assert not app.exception
    words = [alt for alt, _ in charts(app)]
    titles = ("p4-cnn, 33 px", "p4-cnn, 32 px", "z2-cnn, 33 px", "p4-cnn, 33 px, symmetric")
    assert [alt.partition(":")[0] for alt in words[:2]] == [
        "Error by angle at pool. p4-cnn, 33 px",
        "Error of the mirrors at pool. p4-cnn, 33 px",
    ]
    assert all(
        f"{title}: exact transforms" in words[0] and f"{title}: exact transforms" in words[2] for title in titles
    )
    exact = dict(re.findall(r"(\S+ \d+ px(?:, symmetric)?): exact transforms (\S+?)(?: to \S+)?,", words[0]))
    assert float(exact["p4-cnn, 32 px"]) < 3e-5 < float(exact["p4-cnn, 33 px"])
    assert float(exact["p4-cnn, 33 px, symmetric"]) < 3e-5 < float(exact["z2-cnn, 33 px"])
    assert "p4-cnn, 33 px: exact transforms" in words[0] and "resampled no action" in words[0]


def test_the_copied_command_gives_the_numbers_of_the_polar_plots() -> None:
    app = open_orbit(size="33", group="C8", **only("as_chosen"))
    (_, layer), _, (_, logits), *_ = charts(app)

    document = document_of(app.code[0].value)

    errors = next(each["error"] for each in document["layers"] if each["name"] == "pool")
    for traces, expected in ((layer, errors), (logits, document["output_error"])):
        shown = polar_points(traces, "c8-cnn, 33 px")
        assert set(shown) == {45, 90, 135, 180, 225, 270, 315}
        for angle_deg, said in shown.items():
            assert float(said) == same(expected[f"rot{angle_deg:g}"])


@pytest.mark.parametrize("where", ["layer", "logits"])
def test_the_copied_command_gives_the_numbers_of_the_shifts(where: str) -> None:
    app = open_orbit(**only("as_chosen"), shifts=where)
    *_, (_, (heat, crosses)) = charts(app)

    document = document_of(app.code[1].value)

    upright = document["logits"]["identity"]
    mean = sum(upright) / len(upright)
    pool = next(each["error"] for each in document["layers"] if each["name"] == "pool")
    for row, down in enumerate(heat["y"]):
        for column, right in enumerate(heat["x"]):
            said, name = heat["customdata"][row][column], f"shift_{down}_{right}"
            if where == "layer" and said:
                assert float(said) == same(pool[name])
            elif said:
                moved = document["logits"][name]
                change = sum((a - b) ** 2 for a, b in zip(moved, upright, strict=True)) ** 0.5
                assert float(said) == same(change / sum((value - mean) ** 2 for value in upright) ** 0.5)
    assert len(crosses["x"]) == (17 * 17 - 9 * 9 if where == "layer" else 0)


def test_mirrored_turns_are_plotted_on_demand() -> None:
    app = open_orbit(kind="mirrored turns", group="D4", **only("as_chosen"))
    (_, layer), (mirrors, _), *_ = charts(app)

    assert set(polar_points(layer, "p4m-cnn, 32 px")) == {0, 90, 180, 270}
    assert "no action" not in mirrors
    assert "mirror_rot45" in app.code[0].value


def test_a_set_of_pictures_has_a_mean_and_a_band(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = (load_gallery("astronaut"), load_gallery("cat"))
    monkeypatch.setattr(orbit_controls, "_gallery", lambda *, of_digits: pictures)
    app = open_orbit(over="all pictures", **only("plain"), shifts="layer")

    (_, layer), *_ = charts(app)
    said = polar_points(layer, "z2-cnn, 32 px")[90]
    mean, smallest, largest = (float(number) for number in re.findall(r"\d\.\d+e[-+]\d+", said))
    assert smallest < mean < largest
    assert any(caption.value.startswith("Mean over 2 pictures;") for caption in app.caption)


def test_the_picture_turns_along_with_the_answers() -> None:
    app = open_orbit(turn="90", **only("as_chosen", "plain"))

    answers = [text.value for text in app.markdown if "transformed: **" in text.value]
    assert [answer.partition(":")[0] for answer in answers] == ["- p4-cnn, 32 px", "- z2-cnn, 32 px"]
    change = re.search(r"the logits change by (\S+)", answers[0])
    assert change is not None and float(change[1]) < 3e-5
    app.slider(key="turn").set_value(50).run()
    assert not app.exception
    assert any("⟲ 45°, inside the disc" in element.proto.body for element in app.get("html"))


def test_the_layer_follows_the_network() -> None:
    app = open_orbit(**only("as_chosen"))
    assert app.selectbox(key="layer_of_orbit").value == "pool"

    app.selectbox(key="layer_of_orbit").set_value("layer1.conv").run()
    assert charts(app)[0][0].startswith("Error by angle at layer1.conv.")
    app.selectbox(key="family").set_value("knight").run()

    assert not app.exception
    assert app.selectbox(key="layer_of_orbit").value != "layer1.conv"


def test_without_a_network_the_page_says_so() -> None:
    app = open_orbit(**only("plain"))

    app.checkbox(key="plain").uncheck().run()

    assert "No network is switched on: choose one above." in [caption.value for caption in app.caption]
    assert not app.exception


def test_a_network_that_there_is_not_is_one_sentence() -> None:
    app = open_orbit(group="Z2", **only("mended"))

    assert any(caption.value.startswith("There is no such network beside z2-cnn") for caption in app.caption)
    assert not app.exception


def test_a_size_that_is_too_small_is_one_sentence() -> None:
    app = open_orbit(size="5")

    assert sentences(app) == ["The network cannot take 5×5 px: give at least 8 px a side."]
    assert not app.exception


def test_what_was_stopped_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orbit_live, "BETWEEN_DRAWINGS_S", 0.0)  # one batch a run
    seen: list[float] = []
    measure_some = orbit_live.measure_some

    def stop_after_two(work: Any, progress: Any) -> None:
        seen.append(work.fraction)
        measure_some(work, progress)
        if len(seen) == 2:
            st.session_state["orbit-stopped"] = repr((work.view, work.layer, work.shift_layer))

    monkeypatch.setattr(orbit_live, "measure_some", stop_after_two)
    app = open_orbit(**only("as_chosen"), seed="77")

    assert len(seen) == 2 and seen[0] == 0.0 < seen[1]
    app.button(key="orbit-stop-or-continue").click().run()
    assert any(caption.value.startswith("All transforms are measured") for caption in app.caption)


def test_a_view_with_more_batches_than_all_visitors_share_comes_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orbit_live, "_measured", Kept(2))
    monkeypatch.setattr(orbit_live, "BETWEEN_DRAWINGS_S", 0.0)  # one batch a run
    measured: list[str] = []
    measure_batch = orbit_live.measure_batch

    def noting(engine: Any, batch: Any, **options: Any) -> Any:
        assert batch.key not in measured, "what was measured is lost"
        measured.append(batch.key)
        return measure_batch(engine, batch, **options)

    monkeypatch.setattr(orbit_live, "measure_batch", noting)
    app = open_orbit(**only("as_chosen"), seed="78")

    assert not app.exception and len(measured) > 2
    assert any(caption.value.startswith("All transforms are measured") for caption in app.caption)


def test_every_control_has_an_explanation() -> None:
    app = open_orbit(**only("as_chosen"))
    widgets = [*app.selectbox, *app.number_input, *app.slider, *app.segmented_control, *app.checkbox]

    assert len(widgets) >= 12
    assert [widget.label for widget in widgets if not widget.help] == []


# ------------------------------------------------------------------------------------------------------------- browser


def test_a_visitor_sees_the_orbit_on_a_phone_and_opens_a_network_in_look(open_page: Callable[..., Page]) -> None:
    page = open_page("/orbit?family=cnn&step=45°&size=33&plain=false&mended=false", width_px=390, height_px=844)
    expect(page.get_by_text("All transforms are measured")).to_be_visible(timeout=PAINT_LIMIT_MS)
    expect(page.locator(".js-plotly-plot .polar")).to_have_count(2)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390

    page.get_by_role("button", name="Look at p4-cnn, 32 px").click()

    headline = page.get_by_role("heading", name="Exactly equivariant to quarter turns at 32 px")
    expect(headline).to_be_visible(timeout=PAINT_LIMIT_MS)
