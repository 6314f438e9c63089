"""The Look page: what the server computes and says (AppTest), and what a visitor's browser shows (Playwright)."""

import gc
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest
from torch import Tensor

from equivariance.groups.transforms import label_of
from explorer.settings import Settings
from tests.support import ROOT
from tests.support.commands import document_of
from tests.support.sentences import sentences

PAINT_LIMIT_MS = 60_000
NARROW = {"family": "cnn"}  # the quickest family, for tests that are not about the first screen


def open_app(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


def headline(app: AppTest) -> str:
    return next(text.value for text in app.markdown if text.value.startswith("### "))


def png(height_px: int, width_px: int, seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_first_view_is_filled_and_names_the_breaking_layer() -> None:
    app = open_app()

    assert not app.exception
    assert headline(app) == "### :orange[◐] Approximately equivariant to quarter turns at 32 px"
    reasons = [text.value for text in app.markdown if text.value.startswith("First broken at")]
    assert len(reasons) == 1
    assert reasons[0].startswith("First broken at stage2.block1.conv1 (32 → 16 px): kernel 3, stride 2, padding 1")
    mends = ["25 px: exact", "33 px: exact", "Mend it", "one layer"]
    assert [button.label for button in app.button] == [*mends, "Use trained weights"]


def test_one_pixel_more_makes_the_network_exact_and_back() -> None:
    app = open_app(**NARROW)
    assert headline(app).endswith("Exactly equivariant to quarter turns at 32 px")

    app.number_input(key="size").increment().run()
    assert headline(app).endswith("Approximately equivariant to quarter turns at 33 px")

    app.button(key="exact-size-34").click().run()
    assert app.number_input(key="size").value == 34
    assert headline(app).endswith("Exactly equivariant to quarter turns at 34 px")


def test_a_link_opens_the_same_view() -> None:
    app = open_app(family="cnn", group="D4", size="29", picture="cat", seed="3")

    assert headline(app).endswith("Approximately equivariant to quarter turns and mirrors at 29 px")
    view = app.session_state["shown"].view
    assert (view.network.name, view.gallery, view.seed, view.height_px) == ("p4m-cnn", "cat", 3, 29)


@pytest.mark.parametrize(
    ("group", "network"),
    [("Z2", "z2-cnn"), ("C4", "p4-cnn"), ("D4", "p4m-cnn"), ("C8", "c8-cnn"), ("SO(2)", "so2-cnn")],
)
def test_group_and_filters_choose_the_network(group: str, network: str) -> None:
    app = open_app(family="cnn", group=group)

    assert app.session_state["shown"].view.network.name == network


def test_a_plain_network_is_not_equivariant_at_any_size() -> None:
    app = open_app(family="cnn", group="Z2")

    assert "Not equivariant to quarter turns and mirrors" in headline(app)
    assert [button.label for button in app.button] == ["Use trained weights"]


def test_a_size_that_is_too_small_is_one_sentence_and_keeps_what_was_shown() -> None:
    app = open_app(**NARROW)

    app.number_input(key="size").set_value(5).run()

    assert sentences(app) == ["The network cannot take 5×5 px: give at least 8 px a side."]
    assert headline(app).endswith("at 32 px")
    assert not app.exception
    app.number_input(key="size").set_value(30).run()
    assert not app.error
    assert headline(app).endswith("at 30 px")


def test_a_file_that_is_not_a_picture_gives_one_sentence_and_the_page_goes_on() -> None:
    app = open_app(**NARROW)

    app.file_uploader(key="uploads").upload("notes.png", b"these are words", "image/png").run()

    assert len(app.error) == 1
    assert "notes" in sentences(app)[0]
    assert headline(app).endswith("at 32 px")
    assert not app.exception


def test_an_uploaded_photograph_is_measured() -> None:
    app = open_app(**NARROW)

    app.file_uploader(key="uploads").upload("mine.png", png(50, 70), "image/png").run()

    shown = app.session_state["shown"]
    assert shown.view.gallery is None
    assert shown.view.picture.name == "mine.png"
    assert shown.sheet.kind == "exact"
    assert "--picture PICTURE" in app.code[0].value


def test_several_uploads_are_paged_and_tabled() -> None:
    app = open_app(**NARROW, size="33")

    uploader = app.file_uploader(key="uploads")
    uploader.set_value([(f"{number}.png", png(40, 40, number), "image/png") for number in range(3)]).run()
    app.number_input(key="picture_number").set_value(3).run()

    assert app.session_state["shown"].view.picture.name == "2.png"
    table = app.dataframe[0].value
    assert list(table["picture"]) == ["0.png", "1.png", "2.png"]
    assert (table["largest error"] > 1e-2).all()
    assert table["flip rate"].between(0, 1).all()


@pytest.mark.parametrize(
    "parameters",
    [
        {"family": "cnn"},
        {
            "family": "cnn",
            "size": "29",
            "oblong": "true",
            "width": "30",
            "picture": "retina",
            "fit": "crop",
            "seed": "2",
        },
        {"family": "cnn", "group": "C8", "transform": "angle", "angle": "45", "dtype": "float64", "pool": "false"},
        {"family": "cnn", "transform": "shift", "down": "2", "right": "-4", "fit": "pad"},
        {"family": "cnn", "size": "33", "subsampling": "symmetric", "only": "pool"},
        {"family": "cnn", "size": "33", "subsampling": "antialiased"},
        {"weights": "shipped:p4-cnn-29"},
    ],
    ids=["default", "oblong", "angle", "shift", "mended", "blurred", "trained"],
)
def test_the_copied_command_gives_the_same_numbers(parameters: dict[str, str]) -> None:
    app = open_app(**parameters)
    sheet = app.session_state["shown"].sheet
    drawn = {line["name"]: dict(line["customdata"]) for line in sheet.errors.figure["data"]}
    assert drawn

    assert app.code[0].value.startswith("python -m explorer measure ")
    document = document_of(app.code[0].value)
    assert document["verdict"] == sheet.kind
    for layer in document["layers"]:
        for name, error in layer["error"].items():
            expected = None if error is None else pytest.approx(error, rel=1e-3, abs=1e-5)
            assert drawn.get(label_of(name), {}).get(layer["name"]) == expected


def test_no_maps_are_kept_for_a_view_beyond_its_payload() -> None:
    sheet = open_app(**NARROW).session_state["shown"].sheet

    kept = [getattr(sheet, field) for field in sheet.__dataclass_fields__]
    assert not any(isinstance(value, Tensor) for value in kept)
    assert len(sheet.payload) < 16 * 2**20


def test_what_is_there_after_the_first_view_is_frozen() -> None:
    open_app(**NARROW)

    assert gc.get_freeze_count() > 100_000


def test_a_link_to_a_size_that_is_too_small_offers_another_one() -> None:
    app = open_app(**NARROW, size="5")
    assert sentences(app) == ["The network cannot take 5×5 px: give at least 8 px a side."]

    next(button for button in app.button if button.label == "Go to 32 px").click().run()

    assert not app.error
    assert headline(app).endswith("at 32 px")


def test_an_engine_that_cannot_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.pages.session.shared.settings_from", lambda: Settings(device="mps"))
    st.cache_resource.clear()
    try:
        app = open_app(**NARROW)
    finally:
        st.cache_resource.clear()

    assert sentences(app) == ["This machine has no mps device: set EXPLORER_DEVICE to auto or cpu."]
    assert not app.exception


def test_every_control_has_an_explanation() -> None:
    app = open_app(**NARROW)
    widgets = [*app.selectbox, *app.number_input, *app.toggle, *app.segmented_control, *app.file_uploader]

    assert len(widgets) >= 10
    assert [widget.label for widget in widgets if not widget.help] == []


def click(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()


def reason(app: AppTest) -> str:
    return app.session_state["shown"].sheet.reason


def test_mend_makes_the_network_exact_at_its_size_and_says_what_it_was() -> None:
    app = open_app(**NARROW, size="33")
    before = app.session_state["shown"].sheet.errors.alt

    click(app, "Mend it")

    sheet = app.session_state["shown"].sheet
    assert headline(app).endswith("Exactly equivariant to quarter turns at 33 px")
    assert re.fullmatch(
        r"As published: approximate, largest error \S+\. Now symmetric subsampling in all layers\.", sheet.before
    )
    largest = max(float(error) for error in re.findall(r"at most (\d\.\de[-+]\d\d)", before))
    assert f"largest error {largest:.1e}" in sheet.before
    assert "--subsampling symmetric" in app.code[0].value
    click(app, "As published")
    assert headline(app).endswith("Approximately equivariant to quarter turns at 33 px")


def test_one_layer_can_be_mended_alone() -> None:
    app = open_app(size="32")

    click(app, "one layer")

    assert app.session_state["shown"].view.network.only == ("stage2.block1.conv1",)
    assert reason(app).startswith("First broken at stage2.block1.shortcut.conv (32 → 16 px)")
    assert reason(app).endswith(" 5 layers break.")
    assert app.session_state["shown"].sheet.before.endswith("Now symmetric subsampling in stage2.block1.conv1.")
    click(app, "As published")
    assert reason(app).endswith(" 6 layers break.")


def test_a_link_to_a_layer_that_is_not_there_is_one_sentence() -> None:
    app = open_app(**NARROW, subsampling="symmetric", only="layer99")

    assert sentences(app) == ["p4-cnn has no layer layer99: see the first column of `measure`."]
    assert not app.exception


def test_an_exact_or_plain_network_is_not_offered_a_mend() -> None:
    for parameters in ({"size": "32"}, {"group": "Z2"}):
        labels = [button.label for button in open_app(family="cnn", **parameters).button]
        assert "Mend it" not in labels


# ------------------------------------------------------------------------------------------------------ trained weights


def test_random_weights_offer_trained_ones_and_have_no_answers() -> None:
    app = open_app(**NARROW)
    assert app.session_state["shown"].sheet.answers is None
    assert [caption.value for caption in app.caption if caption.value.startswith("Random weights:")]

    click(app, "Use trained weights")

    view = app.session_state["shown"].view
    assert (view.network.name, view.height_px, view.gallery) == ("p4-cnn", 29, "digit-6")
    assert app.session_state["shown"].sheet.answers is not None
    assert not [caption.value for caption in app.caption if caption.value.startswith("Random weights:")]


def test_an_approximate_network_answers_a_turned_digit_otherwise_and_an_exact_one_does_not() -> None:
    app = open_app(weights="shipped:p4-cnn-29")
    answers = app.session_state["shown"].sheet.answers
    assert answers.is_changing and re.fullmatch(r"Upright 6, turned by .*: the answer changes", answers.sentence)

    click(app, "Mend it")
    shares = [turn.top for turn in app.session_state["shown"].sheet.answers.turns]
    assert headline(app).endswith("Exactly equivariant to quarter turns at 29 px")
    assert all(shown == [pytest.approx(share, abs=1e-4) for _, share in shares[0]] for shown in map(shares_of, shares))

    app.selectbox(key="weights").set_value("shipped:p4-cnn-28").run()
    answers = app.session_state["shown"].sheet.answers
    assert answers.sentence == "Upright 6, and the same answer at all four turns" and not answers.is_changing
    assert [text.value for text in app.markdown if "same answer at all four turns" in text.value]


def shares_of(top: tuple[tuple[str, float], ...]) -> list[float]:
    return [share for _, share in top]


def test_answers_are_the_softmax_of_the_logits_that_are_drawn() -> None:
    sheet = open_app(weights="shipped:z2-cnn-28").session_state["shown"].sheet
    bars = sheet.answers.logits.figure["data"]

    assert [bar["name"] for bar in bars] == ["upright", "⟲ 90°", "⟲ 180°", "⟲ 270°"]
    for bar, turn in zip(bars, sheet.answers.turns, strict=True):
        assert list(bar["x"]) == list("0123456789")
        exponentials = np.exp(np.array(bar["y"]))
        expected = sorted(zip(exponentials / exponentials.sum(), bar["x"], strict=True), reverse=True)[:3]
        assert [name for name, _ in turn.top] == [name for _, name in expected]
        assert shares_of(turn.top) == pytest.approx([share for share, _ in expected])
    assert [bar["name"] for bar in sheet.logits.figure["data"]][:2] == ["upright", "mirror"]  # and no turn alone


# ------------------------------------------------------------------------------------------------------------- browser


def expect_headline(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", name=re.compile(text))).to_be_visible(timeout=PAINT_LIMIT_MS)


def test_a_visitor_sees_32_px_break_and_33_px_mend_it(open_page: Callable[..., Page]) -> None:
    page = open_page(width_px=1440, height_px=900)
    expect_headline(page, "Approximately equivariant to quarter turns at 32 px")
    broken = page.get_by_role("radio", name=re.compile("breaks by itself"))
    expect(broken).to_have_count(6)

    page.get_by_role("button", name="33 px: exact").click()

    expect_headline(page, "Exactly equivariant to quarter turns at 33 px")
    expect(broken).to_have_count(0)
    assert "size=33" in page.url


def test_a_map_opens_large(open_page: Callable[..., Page]) -> None:
    page = open_page("/?family=cnn")
    expect_headline(page, "Exactly equivariant")

    page.get_by_role("button", name="Open large").click()

    expect(page.get_by_role("dialog")).to_contain_text(
        "channel 0, ⟲ 90°, 16×16 px. Colours run from", timeout=PAINT_LIMIT_MS
    )
    page.get_by_role("dialog").get_by_text("difference", exact=True).click()
    expect(page.get_by_role("dialog").locator(".js-plotly-plot").first).to_be_visible()


def test_an_uploaded_photograph_appears(open_page: Callable[..., Page], tmp_path: Path) -> None:
    photograph = tmp_path / "holiday.png"
    photograph.write_bytes(png(90, 120))
    page = open_page("/?family=cnn")
    expect_headline(page, "Exactly equivariant")

    page.locator('input[type="file"]').set_input_files(photograph)

    expect(page.get_by_text("holiday.png").first).to_be_visible(timeout=PAINT_LIMIT_MS)
    expect_headline(page, "Exactly equivariant to quarter turns at 32 px")


def test_a_visitor_sees_what_a_trained_network_answers_for_the_four_turns(open_page: Callable[..., Page]) -> None:
    page = open_page("/?weights=shipped:p4-cnn-29", width_px=1440, height_px=900)
    expect_headline(page, "Approximately equivariant to quarter turns at 29 px")

    expect(page.get_by_role("heading", name=re.compile("the answer changes"))).to_be_in_viewport()
    turns = page.locator(".answers figure")
    expect(turns).to_have_count(4)
    expect(turns.first).to_contain_text(re.compile(r"upright\s*6\s*\d+\.\d%"))
    expect(page.locator(".st-key-answers .js-plotly-plot")).to_be_visible(timeout=PAINT_LIMIT_MS)
    page.get_by_role("button", name="Mend it").click()
    expect_headline(page, "Exactly equivariant to quarter turns at 29 px")
    assert "weights=shipped" in page.url
