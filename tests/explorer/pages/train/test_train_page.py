"""The Train page: what the server says and does (AppTest), and what a visitor's browser shows (Playwright)."""

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

from equivariance.errors import WeightsError
from equivariance.theory.exactness import Structure, predict
from explorer.errors import RunError
from explorer.pages.session.runs_here import store
from explorer.pages.train import live as train_live
from explorer.pages.train.controls import SIDES_PX, Plan
from explorer.pages.train.live import Timing, seconds_of
from explorer.pages.train.runs import duration, lanes_of, progress_of
from explorer.runs.run import Run
from explorer.runs.starts import resolve_start
from explorer.runs.store import Store
from explorer.serving.weights import save_weights
from explorer.settings import Settings
from explorer.training.recipe import Recipe
from models.build import build, serve
from models.catalog import spec
from tests.explorer.training.test_training_command import read
from tests.project.test_accessible import check_tab_walk, findings, make_narrow_and_dark
from tests.support import ROOT
from tests.support.charts import charts_of
from tests.support.pages import go_to
from tests.support.rest import settle
from tests.support.sentences import sentences
from tests.support.stores import FACTS, PROGRESS, TINY, an_epoch

LIMIT_MS = 90_000
POINTS = "document.querySelector('.st-key-train-accuracy-identity .js-plotly-plot')?.data?.[0]?.x.length"
COMPARED = [("p4-cnn", 28), ("p4-cnn", 29), ("z2-cnn", 28)]


@pytest.fixture(autouse=True)
def nothing_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials are of no length and no worker starts: what the page does without them."""
    monkeypatch.setattr(train_live, "_TRIAL_S", 0.0)
    for module in ("explorer.runs.launch", "explorer.pages.train.live"):  # the page is run, not imported
        monkeypatch.setattr(f"{module}.pump", lambda store, settings: "")


@pytest.fixture
def owner() -> str:
    """A visitor of this test alone."""
    return secrets.token_hex(32)


def open_app(owner: str | None, **parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    go_to(app, "train")
    if owner is not None:
        app.session_state["owner_key"] = owner
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def said(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption])


def recipes(owner: str) -> list[Recipe]:
    """Of the owner's runs, the first one first."""
    return [run.recipe for run in sorted(store().list(owner), key=lambda run: run.created_s)]


def finished(owner: str, recipe: Recipe = TINY, *, name: str = "", state: str = "finished") -> Run:
    """A run with two epochs and a file."""
    run = store().create(recipe, owner=owner, name=name)
    assert store().claim("a worker") == run.id, "another test has left a run in the queue"
    store().describe(run.id, device="CPU", facts=FACTS, worker="a worker")
    for number in range(2):
        store().add_epoch(run.id, an_epoch(number), worker="a worker")
    store().beat(run.id, PROGRESS, worker="a worker")
    store().weights_path(run.id).write_bytes(b"weights")
    if state != "running":
        store().finish(run.id, state, worker="a worker")
    return store().get(run.id, owner)


# ---------------------------------------------------------------------------------------------------------- first sight


def test_the_first_view_says_what_a_click_would_do_and_how_long_it_takes(owner: str) -> None:
    app = open_app(owner)

    assert not app.exception and not app.error
    (sentence,) = (text.value for text in app.markdown if text.value.startswith("Trains "))
    assert "`p4-cnn 28 px` (exact), `p4-cnn 29 px` (approximate) and `z2-cnn 28 px` (plain)" in sentence
    assert "Train 3 networks" in labels(app)
    assert any(re.fullmatch(r"about .* on CPU · \d+ threads?", caption.value) for caption in app.caption)


def test_the_folder_of_the_runs_is_walked_once_however_many_networks_are_compared(
    owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks: list[Store] = []
    walk = Store.used_bytes
    monkeypatch.setattr(Store, "used_bytes", lambda store: walks.append(store) or walk(store))

    app = open_app(owner, mended="true")

    assert "Train 4 networks" in labels(app)
    assert len(walks) == 1


def test_before_the_browser_has_told_who_it_is_the_form_is_there_and_nothing_can_be_started() -> None:
    app = open_app(None)

    assert not app.exception
    (button,) = (button for button in app.button if button.label == "Train 3 networks")
    assert button.disabled
    assert app.selectbox(key="data").value == "mnist-12k"


@pytest.mark.parametrize("family", SIDES_PX)
def test_the_compared_sides_are_exact_and_approximate_by_theory(family: str) -> None:
    network = spec(f"p4-{family}", minimum_width=True)
    structure = Structure(serve(network), network.point_group)

    kinds = [
        set(predict(structure, height_px=side_px, width_px=side_px).elements.values()) for side_px in SIDES_PX[family]
    ]

    assert kinds[0] == {"exact"}
    assert "broken" in kinds[1]


def test_every_control_has_an_explanation(owner: str) -> None:
    app = open_app(owner, train="one", family="knight", turned="normal", data="a folder", folder="digits")
    widgets = [*app.selectbox, *app.number_input, *app.toggle, *app.text_input, *app.segmented_control, *app.button]

    assert len(widgets) > 20
    assert [widget.label for widget in widgets if not widget.help] == []


@pytest.mark.parametrize(
    ("how", "words"),
    [("resize", "Resize resamples the pictures"), ("pad", "Only pictures larger"), ("crop", "")],
)
def test_what_is_resampled_is_said_as_training_does_it(owner: str, how: str, words: str) -> None:
    app = open_app(owner, fit=how)

    captions = [caption.value for caption in app.caption if "resample" in caption.value]
    assert [caption.startswith(words) for caption in captions] == [True] * bool(words)
    assert "puts black around smaller ones" in app.segmented_control(key="fit").help


def test_the_time_is_that_of_start_training_and_tests() -> None:
    timing = Timing(train_s=0.01, test_s=0.001, fixed_s=0.5)
    recipe = Recipe(epochs=4, test_every=2, angles_every=0)

    start_s = seconds_of(recipe, Timing(0.0, 0.0, 0.0), 100, 10)

    # 4 × 100 pictures; 3 tests (before, after two, after four epochs) of 10 pictures under 5 transforms
    assert seconds_of(recipe, timing, 100, 10) - start_s == pytest.approx(4.0 + 0.15 + 1.5)
    # and with 32 further angles after the second and the fourth
    assert seconds_of(replace(recipe, angles_every=2), timing, 100, 10) - start_s == pytest.approx(5.65 + 0.64)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0, "5 s"), (38.0, "40 s"), (59.0, "1 min"), (190.0, "3 min"), (5400.0, "1.5 h")]
)
def test_durations_are_said_in_round_numbers(seconds: float, words: str) -> None:
    assert duration(seconds) == words


# ---------------------------------------------------------------------------------------------------------------- start


def test_a_click_starts_the_three_networks_for_this_visitor_alone(owner: str) -> None:
    app = press(open_app(owner, epochs="3", pictures="200", tested="50", turned="quarter"), "Train 3 networks")

    started = recipes(owner)
    assert [(recipe.network, recipe.size_px) for recipe in started] == COMPARED
    assert {(recipe.epochs, recipe.train_pictures, recipe.test_pictures) for recipe in started} == {(3, 200, 50)}
    assert {recipe.rotation for recipe in started} == {"quarter"}
    assert labels(app).count("Cancel") == 3
    assert "Cancel" not in labels(open_app(secrets.token_hex(32)))
    for run in store().list(owner):
        store().cancel(run.id, owner)


def test_the_copied_commands_mean_what_a_press_starts(owner: str) -> None:
    app = open_app(owner, train="one", family="knight", size="20", fit="crop", turned="normal", mean="30", batch="8")
    (commands,) = (code.value for code in app.code if "explorer train" in code.value)

    press(app, "Train")

    assert [read(line) for line in commands.splitlines()] == recipes(owner)
    assert recipes(owner)[0].rotation == "normal:30,20"
    store().cancel(store().list(owner)[0].id, owner)


@pytest.mark.parametrize(("sd", "rotation"), [("0.00001", "normal:45,0.00001"), ("1e-9", "normal:45,0")])
def test_a_tiny_deviation_is_a_recipe_like_others(owner: str, sd: str, rotation: str) -> None:
    app = open_app(owner, turned="normal", sd=sd)

    assert not app.exception
    assert f"--rotation {rotation}" in "".join(code.value for code in app.code)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"train": "one", "family": "knight", "size": "100"},
            "100 px is more than this installation trains on: give at most 64 px",
        ),
        ({"train": "one", "family": "cnn", "size": "3"}, "cannot take 3 px"),
        ({"data": "a folder", "folder": "../elsewhere"}, "Visitors can train only on folders inside the data folder"),
        ({"data": "a folder"}, "There is no data set"),
        ({"data": "a folder", "folder": "a\0b"}, "The name of the folder has characters that cannot be shown"),
    ],
    ids=["large", "small", "elsewhere", "nameless", "unprintable"],
)
def test_what_is_not_allowed_is_one_sentence_and_nothing_is_made(
    owner: str, parameters: dict[str, str], sentence: str
) -> None:
    app = press(open_app(owner, **parameters), "Train" if "train" in parameters else "Train 3 networks")

    assert not app.exception
    assert [sentence in error for error in sentences(app)] == [True]
    assert recipes(owner) == []


def test_three_runs_where_two_are_left_are_refused_as_a_whole(owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.pages.train.live.settings", lambda: Settings(max_runs=2))

    app = press(open_app(owner), "Train 3 networks")

    assert sentences(app) == ["You have 0 runs and may have 2: delete some of them to start 3 more."]
    assert recipes(owner) == []


class Upload:
    """As Streamlit hands a file over."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self._data = name, data

    def getvalue(self) -> bytes:
        return self._data


def weights_of_knight(folder: Path) -> Upload:
    path = folder / "mine.safetensors"
    save_weights(build(TINY.network_spec(10)), path)
    return Upload(path.name, path.read_bytes())


def test_a_run_starts_from_an_uploaded_file_that_is_kept_under_its_checksum(owner: str, tmp_path: Path) -> None:
    upload: Any = weights_of_knight(tmp_path)

    (run,) = train_live.start(Plan((TINY,), False, upload), owner)

    assert recipes(owner)[0].start == f"file:{hashlib.sha256(upload.getvalue()).hexdigest()}"
    kept = resolve_start(recipes(owner)[0].start, store())
    assert kept is not None and "head.classifier.weight" in kept.tensors
    store().cancel(run, owner)


def test_the_sentence_says_what_a_run_starts_from_and_without_its_file_nothing_starts(
    owner: str, tmp_path: Path
) -> None:
    app = open_app(owner, train="one", family="knight", size="9")
    app.selectbox(key="start").set_value("shipped:p4-cnn-28").run()
    assert f", from the weights of {app.selectbox(key='start').options[1]}, on " in said(app).replace("\\", "")

    app.selectbox(key="start").set_value("a file of mine …").run()
    assert "**still have to choose**" in said(app) and "Add --from with the path of your weights." in said(app)
    assert train_button(app).disabled

    upload = weights_of_knight(tmp_path)
    app.file_uploader(key="start_file").upload(upload.name, upload.getvalue(), "application/octet-stream").run()
    assert ", from the weights of mine\\.safetensors, on " in said(app)
    assert not train_button(app).disabled


def train_button(app: AppTest) -> Any:
    return next(button for button in app.button if button.label == "Train")


def test_weights_of_another_network_and_what_is_none_are_refused(owner: str, tmp_path: Path) -> None:
    upload: Any = weights_of_knight(tmp_path)
    nonsense: Any = Upload("nonsense.safetensors", b"PK nonsense")

    before = kept_starts()
    with pytest.raises(WeightsError, match=r"These weights are of another network: .* is missing"):
        train_live.start(Plan((replace(TINY, network="p4-cnn", size_px=28),), False, upload), owner)
    with pytest.raises(WeightsError, match=r"'nonsense\.safetensors' is not a safetensors file"):
        train_live.start(Plan((TINY,), False, nonsense), owner)
    assert recipes(owner) == []
    upload._data += b" "  # not kept by another test
    with pytest.raises(RunError, match="999 epochs are more than this installation trains"):
        train_live.start(Plan((replace(TINY, epochs=999),), False, upload), owner)
    assert kept_starts() == before, "what is refused takes no room"


def kept_starts() -> set[Path]:
    return set((store().folder / "starts").glob("*"))


def test_weights_that_a_run_cannot_start_from_leave_those_of_other_pages_alone(owner: str) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.query_params["weights"] = "shipped:p4-cnn-28"
    app.session_state["owner_key"] = owner
    app.run()
    app.query_params.clear()
    app.query_params["train"] = "one"
    go_to(app, "train").run()
    app.selectbox(key="start").set_value("shipped:z2-cnn-28").run()

    press(app, "Train")

    assert ["do not fit p4-cnn" in error for error in sentences(app)] == [True]
    assert "Use random weights" not in labels(app)


def test_training_switched_off_is_one_sentence_and_runs_can_be_looked_at(
    owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(owner, state="cancelled")
    for module in ("session.shared", "train.runs"):
        monkeypatch.setattr(f"explorer.pages.{module}.settings", lambda: Settings(training="off"))

    app = open_app(owner)

    assert [info.value for info in app.info] == ["Training is switched off here. Earlier runs can still be viewed."]
    assert set(labels(app)).isdisjoint({"Train", "Train 3 networks", "Resume"})
    assert "train-transforms" in charts_of(app)
    assert not open_app(owner, run=run.id).exception


# ----------------------------------------------------------------------------------------------------------------- runs


def test_a_run_is_drawn_with_its_numbers(owner: str) -> None:
    finished(owner)
    app = open_app(owner)

    assert not app.exception and not app.error
    assert "upright **75.0%** · other turns **25.0%**" in said(app)
    assert ":green[●] exact" in said(app)  # all errors of these epochs are rounding
    charts = charts_of(app)
    assert charts["train-accuracy-rot90"]["figure"]["data"][0]["y"] == [0.25, 0.25]
    assert charts["train-accuracy-rot90"]["words"].endswith("p4-knight 9 px: 25.0% after epoch 1.")
    assert len(charts) == 12


def test_a_layer_is_chosen_and_its_error_drawn(owner: str) -> None:
    finished(owner)
    app = open_app(owner)

    app.selectbox(key="train_layer").set_value("conv").run()

    assert charts_of(app)["train-error"]["figure"]["data"][0]["y"] == [1e-7, 1e-7]


def test_others_see_a_run_by_its_id_and_cannot_change_it(owner: str) -> None:
    run = finished(owner)
    app = open_app(secrets.token_hex(32), run=run.id)

    assert [info.value for info in app.info] == [
        "You opened this run by its address: you can look at it, but not change it."
    ]
    assert "upright **75.0%** · other turns **25.0%**" in said(app)
    assert set(labels(app)).isdisjoint({"Cancel", "Resume", "Delete", "Details", "Train 3 networks"})
    assert not app.text_input and not app.dataframe
    assert run.id not in said(open_app(secrets.token_hex(32)))


def test_before_the_browser_has_told_who_it_is_nobody_controls_a_run(owner: str) -> None:
    run = finished(owner)

    app = open_app(None, run=run.id)

    assert "Delete" not in labels(app) and not app.text_input


def test_an_unknown_run_is_one_sentence(owner: str) -> None:
    app = open_app(owner, run="../../etc")

    assert sentences(app) == ["There is no run '../../etc': it may have been deleted, or its id is mistyped."]


def test_what_an_address_says_is_no_link(owner: str) -> None:
    (error,) = open_app(owner, run="[Log in](https://evil.example) www.evil.example a@evil.example").error

    assert r"\[Log in\]\(https\:" in error.value
    assert re.findall(r"https?:(?=/)|www(?=\.)|@(?=\w)", error.value.replace("\\", "")) == []  # of bare ones


def test_a_run_is_renamed_deleted_and_brought_back(owner: str) -> None:
    run = finished(owner)
    app = press(open_app(owner), "Details")
    assert app.session_state["train_opened"] == run.id

    app.text_input(key=f"train-name-{run.id}").set_value("the *best*").run()
    assert store().get(run.id, owner).name == "the *best*"

    press(app, "Delete")
    assert store().list(owner) == ()
    assert "train_opened" not in app.session_state
    assert "Deleted; you can undo this" in said(app.run())

    press(app, "the \\*best\\*")
    assert [each.id for each in store().list(owner)] == [run.id]


def test_a_waiting_run_is_cancelled_and_resumed(owner: str) -> None:
    run = store().create(TINY, owner=owner)
    app = open_app(owner)
    assert "… waiting, next in the queue" in progress_texts(app)
    assert "The time is estimated once none of your runs is training." in said(app)

    press(app, "Cancel")
    assert store().get(run.id).state == "cancelled"

    press(app.run(), "Resume")
    assert store().get(run.id).state == "queued"
    store().cancel(run.id, owner)


def progress_texts(app: AppTest) -> list[str]:
    return [bar.proto.text for bar in app.get("progress")]


@pytest.mark.parametrize("where", ["all runs", "its own page"])
def test_what_a_button_is_refused_for_is_one_sentence(owner: str, where: str) -> None:
    run = store().create(TINY, owner=owner)
    app = open_app(owner, **({"run": run.id} if where == "its own page" else {}))
    store().cancel(run.id, owner)  # in another tab

    press(app, "Cancel")

    assert [f"The run {run.id} is cancelled and cannot be cancelled" in error for error in sentences(app)] == [True]


def test_the_time_left_is_that_of_the_epochs_that_are_left(owner: str) -> None:
    run = finished(owner, replace(TINY, epochs=20), state="running")
    lane = lanes_of([run])[0]
    halfway = replace(run, progress=replace(PROGRESS, step=40, steps=80, epoch=10))

    assert progress_of(halfway, lane.epochs) == (0.5, "▶ epoch 11 of 20 · 20 s left")  # ten epochs of 2 s
    assert progress_of(replace(run, progress=None), ()) == (0.0, "▶ starting: the data, the network …")
    store().finish(run.id, "cancelled", worker="a worker")


def test_the_table_lists_all_runs_and_is_filtered(owner: str) -> None:
    for number in range(8):
        finished(owner, name=f"run {number}")
    app = open_app(owner)
    assert len(app.dataframe[0].value) == 8
    assert list(app.dataframe[0].value["course"][0]) == [0.25, 0.25]

    app.text_input(key="train_filter").set_value("KNIGHT 7").run()
    assert list(app.dataframe[0].value["run"]) == ["run 7"]


def ticked(app: AppTest, *rows: int) -> AppTest:
    """The page after a visitor has ticked these rows of the table alone, as the browser tells it."""
    key, _ = app.session_state["train_rows"]
    app.session_state[key] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    return app.run()


def test_exactly_the_ticked_rows_are_deleted_and_all_of_them_can_be_brought_back(owner: str) -> None:
    runs = [finished(owner, name=f"run {number}").id for number in range(8)]
    app = open_app(owner)
    delete = next(button for button in ticked(app).button if button.label == "Delete the chosen")
    assert delete.disabled  # though some runs are shown

    press(ticked(app, 0, 1, 2, 3, 5, 6, 7), "Delete the chosen")

    assert [run.id for run in store().list(owner)] == [runs[4]]
    undone = [button.label for button in app.button if button.key.startswith("train-undo-")]
    assert undone == [f"run {number}" for number in (7, 6, 5, 3, 2, 1, 0)]
    press(app, "run 0")
    assert {run.id for run in store().list(owner)} == {runs[0], runs[4]}


def test_an_unreachable_store_is_one_sentence_and_the_form_stays(
    owner: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    broken = Store("", tmp_path / "file" / "runs")
    for module in ("session.runs_here", "train.runs", "train.live", "train.details"):
        monkeypatch.setattr(f"explorer.pages.{module}.store", lambda: broken)

    app = open_app(owner)

    assert not app.exception
    assert len(app.error) == 1 and "runs" in sentences(app)[0]
    assert app.selectbox(key="data").value == "mnist-12k"


# -------------------------------------------------------------------------------------------------------------- browser


def test_a_run_is_watched_without_losing_the_zoom_and_cancelled(open_page: Callable[..., Page]) -> None:
    page = open_page("/train?train=one&family=knight&size=20&pictures=200&tested=20&epochs=200&batch=4&angles=0")
    page.get_by_role("button", name="Train", exact=True).click(timeout=LIMIT_MS)
    page.wait_for_function(f"() => {POINTS} > 1", timeout=LIMIT_MS)
    chart = page.locator(".st-key-train-accuracy-identity .js-plotly-plot")
    chart.evaluate("(graph) => { graph.isFirst = true; }")
    whole = chart.evaluate("(graph) => graph._fullLayout.xaxis.range")
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 120, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 220, box["y"] + 120, steps=4)
    page.mouse.up()
    zoomed = chart.evaluate("(graph) => graph._fullLayout.xaxis.range")
    assert zoomed != whole

    page.wait_for_function(f"(points) => {POINTS} > points", arg=page.evaluate(POINTS), timeout=LIMIT_MS)
    assert chart.evaluate("(graph) => [graph.isFirst, graph._fullLayout.xaxis.range]") == [True, zoomed]

    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("cancelled after")).to_be_visible(timeout=LIMIT_MS)


@pytest.mark.full
def test_runs_can_be_used_without_sight_and_without_a_mouse(open_page: Callable[..., Page]) -> None:
    page = open_page("/train", apart=True)
    expect(page.get_by_role("button", name="Train 3 networks")).to_be_enabled(timeout=LIMIT_MS)
    finished(page.evaluate("localStorage.getItem('equivariance-explorer-owner')"), name="a finished run")
    make_narrow_and_dark(page)
    page.reload()
    expect(page.get_by_text("a finished run").first).to_be_visible(timeout=LIMIT_MS)
    settle(page)

    assert findings(page) == []
    check_tab_walk(page)


def test_a_visitor_is_known_by_a_key_of_the_browser_that_no_address_has(open_page: Callable[..., Page]) -> None:
    address = "/train?train=one&family=knight"  # its time is estimated quickly
    page, other = open_page(address, apart=True), open_page(address, apart=True)
    for each in (page, other):
        expect(each.get_by_role("button", name="Train", exact=True)).to_be_enabled(timeout=LIMIT_MS)
    key, of_other = (each.evaluate("localStorage.getItem('equivariance-explorer-owner')") for each in (page, other))
    assert re.fullmatch(r"[0-9a-f]{64}", key) and key != of_other
    run = finished(key, name="the first visitor's")

    page.reload()
    other.reload()

    expect(page.get_by_text("the first visitor's").first).to_be_visible(timeout=LIMIT_MS)
    settle(page)
    assert findings(page) == []
    page.get_by_role("button", name="Details").click()
    address = page.get_by_role("dialog").get_by_text(f"?run={run.id}").inner_text(timeout=LIMIT_MS)
    assert key not in address + page.url + page.content()
    expect(other.get_by_role("button", name="Train", exact=True)).to_be_enabled(timeout=LIMIT_MS)
    expect(other.get_by_text("the first visitor's")).to_have_count(0)
    other.goto(address)
    expect(other.get_by_text("you can look at it, but not change it")).to_be_visible(timeout=LIMIT_MS)
    expect(other.get_by_text("the first visitor's").first).to_be_visible()
    expect(other.get_by_role("button", name="Delete")).to_have_count(0)


def test_a_browser_that_stores_nothing_gets_a_warning(browser: Browser, app_url: str) -> None:
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied'); } });")
    page = context.new_page()
    page.goto(f"{app_url}/train")

    expect(page.get_by_text("Your browser does not store anything for this page")).to_be_visible(timeout=LIMIT_MS)
    expect(page.get_by_role("button", name="Train 3 networks")).to_be_enabled()
    context.close()
