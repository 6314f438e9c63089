"""Trained weights on every page: chosen in the control, by a link, from a run, from a file; and what does not fit."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from explorer.pages.widgets.trained import FOLLOWING, _of_run
from explorer.runs.store import Store
from explorer.serving.networks import Key, Networks
from explorer.serving.shipped import find_shipped
from explorer.serving.weights import save_weights
from explorer.settings import Settings
from explorer.training.recipe import Recipe
from models.build import build
from tests.support import ROOT
from tests.support.pages import go_to
from tests.support.sentences import sentences

PAGES = {
    "look": {},
    "sizes": {"from": "28", "to": "29"},
    "orbit": {"step": "45°", "size_near": "false", "mended": "false"},
    "mends": {},
    "break_it": {"break": "Change the picture"},
}
NARROW = Recipe(network="p4-cnn", size_px=20, how="crop", minimum_width=True, data="fashion-mnist")


def page(name: str, **parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for key, value in parameters.items():
        app.query_params[key] = value
    return app if name == "look" else go_to(app, name)


def headline(app: AppTest) -> str:
    return next(text.value for text in app.markdown if text.value.startswith("### "))


def click(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()


def address(app: AppTest) -> str | None:
    """What the address says of the weights."""
    given = app.query_params.get("weights")
    return given[0] if isinstance(given, list) else given


def controls(app: AppTest) -> dict[str, Any]:
    """The values of the controls that follow weights, by key."""
    widgets = [*app.selectbox, *app.number_input, *app.toggle, *app.segmented_control]
    return {widget.key: widget.value for widget in widgets if widget.key in FOLLOWING}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Key]:
    """The keys of all networks that a page asked for."""
    keys: list[Key] = []
    for method in ("kept", "served", "structure"):
        original = getattr(Networks, method)

        def noting(self: Networks, key: Key, *rest: Any, original: Any = original) -> Any:
            keys.append(key)
            return original(self, key, *rest)

        monkeypatch.setattr(Networks, method, noting)
    return keys


def file_of(recipe: Recipe, path: Path, classes: int = 10) -> bytes:
    """A weights file as a run writes it."""
    texts = {"recipe": json.dumps(recipe.document()), "classes": json.dumps([f"kind {n}" for n in range(classes)])}
    save_weights(build(recipe.network_spec(classes), seed=3), path, texts)
    return path.read_bytes()


# ---------------------------------------------------------------------------------------------------------------- links


@pytest.mark.parametrize("name", PAGES)
def test_every_page_takes_weights_by_a_link_with_their_network_and_size(name: str, asked: list[Key]) -> None:
    app = page(name, **PAGES[name], weights="shipped:p4-cnn-29").run()

    assert not app.exception and not app.error
    assert app.selectbox(key="weights").value == "shipped:p4-cnn-29"
    assert address(app) == "shipped:p4-cnn-29"
    wanted = {"family": "cnn", "group": "C4", "filters": "full", "size": 29, "fit": "resize", "pool": True}
    wanted |= {"picture": "digit-6", "subject": "digit-6", "learner": "p4-cnn"}
    shown = controls(app)
    assert {key: wanted[key] for key in shown if key in wanted} == {key: shown[key] for key in shown if key in wanted}
    own, plain = find_shipped("p4-cnn-29").sha256, find_shipped("z2-cnn-28").sha256
    assert {key[1] for key in asked} == ({own, plain} if name == "orbit" else {own})
    if name not in ("mends", "break_it"):
        assert any("--weights shipped:p4-cnn-29" in code.value for code in app.code)


def test_training_to_break_starts_from_them_and_so_does_its_command() -> None:
    app = page("break_it", weights="shipped:p4-cnn-29").run()

    assert "It starts from the trained weights, with a new classifier of two classes." in [
        caption.value for caption in app.caption
    ]
    assert "--weights shipped:p4-cnn-29" in app.code[0].value


def test_what_a_link_says_beside_the_weights_counts_more_than_their_recipe() -> None:
    app = page("look", weights="shipped:p4-cnn-28", size="30", picture="digit-4", fit="pad").run()

    view = app.session_state["shown"].view
    assert (view.height_px, view.gallery, view.how, view.network.name) == (30, "digit-4", "pad", "p4-cnn")


def test_a_link_of_another_page_counts_more_than_what_was_chosen_before() -> None:
    app = page("look", family="cnn", group="D4", size="40").run()

    app.query_params.clear()
    app.query_params["weights"] = "shipped:z2-cnn-28"
    go_to(app, "look").run()

    view = app.session_state["shown"].view
    assert (view.network.name, view.height_px, view.gallery) == ("z2-cnn", 28, "digit-6")
    assert view.trained is not None and not app.error


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("nonsense", "There are no weights 'nonsense': use random, shipped:NAME or run:ID."),
        ("shipped:none", "The app has no weights 'none': use one of p4-cnn-28, "),
        ("run:none", "There is no run 'none'"),
    ],
)
def test_a_link_to_weights_that_are_not_there_is_one_sentence_with_a_way_out(
    key: str, sentence: str, settings: Settings
) -> None:
    app = page("look", family="cnn", weights=key).run()
    assert len(app.error) == 1 and sentences(app)[0].startswith(sentence)

    click(app, "Use random weights")

    assert not app.error and not app.exception
    assert address(app) is None
    assert headline(app).endswith("Exactly equivariant to quarter turns at 32 px")


# ---------------------------------------------------------------------------------------------------------- the control


def test_choosing_weights_sets_the_controls_and_random_ones_leave_them() -> None:
    app = page("look", family="cnn", picture="cat").run()
    app.selectbox(key="weights").set_value("shipped:z2-cnn-28").run()
    assert (app.session_state["shown"].view.network.name, app.number_input(key="size").value) == ("z2-cnn", 28)
    assert app.session_state["shown"].view.gallery == "digit-6"

    app.selectbox(key="weights").set_value("random").run()

    view = app.session_state["shown"].view
    assert (view.network.name, view.height_px, view.gallery, view.trained) == ("z2-cnn", 28, "digit-6", None)
    assert address(app) is None


def test_another_network_is_one_sentence_and_a_button_takes_that_of_the_weights() -> None:
    app = page("look", weights="shipped:p4-cnn-29").run()
    app.number_input(key="size").set_value(31).run()
    before = headline(app)

    app.segmented_control(key="group").set_value("D4").run()
    assert sentences(app) == ["These weights belong to p4-cnn and do not fit p4m-cnn."]
    assert headline(app) == before
    click(app, "Take the network of these weights")

    assert not app.error and headline(app) == before
    assert (app.segmented_control(key="group").value, app.number_input(key="size").value) == ("C4", 31)


def test_weights_bring_their_head_and_say_which() -> None:
    app = page("look", weights="shipped:p4-cnn-29", head="no-pooling").run()

    assert sentences(app) == []
    assert not [control for control in app.selectbox if control.key == "head"]
    assert any("Its head" in caption.value for caption in app.caption)


def test_heads_of_random_networks_are_chosen_and_old_links_still_say_theirs() -> None:
    by_link = page("look", family="cnn", size="28", pool="false").run()
    by_name = page("look", family="cnn", size="28", head="no-pooling").run()
    usual = page("look", family="cnn", size="28").run()

    heads = [app.selectbox(key="head").value for app in (by_link, by_name, usual)]
    said = [[c.value for c in app.caption if c.value.startswith("This head")] for app in (by_link, by_name, usual)]
    assert heads == ["no-pooling", "no-pooling", "usual"]
    assert said == [
        ["This head: no pooling of the group."],
        ["This head: no pooling of the group."],
        ["This head: mean over space, then maximum over the group."],
    ]


def test_weights_hold_on_the_next_page() -> None:
    app = page("look", weights="shipped:p4-cnn-28").run()
    go_to(app, "mends").run()

    assert app.selectbox(key="weights").value == "shipped:p4-cnn-28"
    assert headline(app) == "### Mends for `p4-cnn` at 28 px"


# ---------------------------------------------------------------------------------------------------------------- files


def upload(app: AppTest, name: str, data: bytes) -> None:
    app.selectbox(key="weights").set_value("file").run()
    app.file_uploader(key="weights_file").upload(name, data, "application/octet-stream").run()


def test_an_uploaded_file_brings_its_network_its_classes_and_its_size_and_stays_out_of_the_address(
    tmp_path: Path,
) -> None:
    app = page("look", family="cnn", picture="cat").run()

    upload(app, "mine.safetensors", file_of(NARROW, tmp_path / "mine.safetensors", classes=3))

    view = app.session_state["shown"].view
    assert not app.error and not app.exception
    assert (view.network.classes, view.network.minimum_width, view.height_px, view.how) == (3, True, 20, "crop")
    assert view.gallery == "cat"  # no picture of its kind comes with the app
    assert {name for turn in app.session_state["shown"].sheet.answers.turns for name, _ in turn.top} <= {
        "kind 0",
        "kind 1",
        "kind 2",
    }
    assert address(app) is None
    assert "--weights WEIGHTS --minimum-width" in app.code[0].value


@pytest.mark.parametrize(("size_px", "shown"), [(29, "crop"), (28, "pad"), (20, "pad")])
def test_a_network_that_had_black_around_its_digits_is_shown_them_so(size_px: int, shown: str, tmp_path: Path) -> None:
    recipe = replace(NARROW, data="mnist-12k", how="pad", size_px=size_px)
    app = page("look", family="cnn").run()

    upload(app, "mine.safetensors", file_of(recipe, tmp_path / "mine.safetensors"))

    view = app.session_state["shown"].view
    assert (view.height_px, view.how, view.gallery) == (size_px, shown, "digit-6")


def test_a_file_that_is_not_a_weights_file_gives_one_sentence_and_the_page_goes_on() -> None:
    app = page("look", family="cnn").run()

    upload(app, "mine.safetensors", b"\x80\x04K\x01.")

    assert len(app.error) == 1 and "is not a safetensors file" in sentences(app)[0]
    assert headline(app).endswith("at 32 px") and not app.exception


def test_a_file_without_a_recipe_is_tried_on_the_chosen_network(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_weights(build(Recipe(network="z2-cnn").network_spec(10)), path)
    app = page("look", family="cnn").run()

    upload(app, path.name, path.read_bytes())
    assert len(app.error) == 1 and sentences(app)[0].startswith("These weights are of another network: ")
    app.segmented_control(key="group").set_value("Z2").run()

    assert not app.error and "Not equivariant" in headline(app)


# ----------------------------------------------------------------------------------------------------------------- runs


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Of an app whose runs are in a folder of this test."""
    chosen = Settings(runs_folder=str(tmp_path / "runs"))
    monkeypatch.setattr("explorer.pages.session.shared.settings_from", lambda: chosen)
    st.cache_resource.clear()
    yield chosen
    st.cache_resource.clear()


@pytest.fixture
def store(settings: Settings) -> Store:
    return Store("", settings.runs_path)


KEY = "1" * 64


def trained_run(store: Store) -> str:
    run = store.create(NARROW, owner=KEY, name="garments").id
    file_of(NARROW, store.weights_path(run))
    return run


def test_a_run_opens_by_its_public_id_for_everybody(store: Store) -> None:
    run = trained_run(store)

    app = page("look", weights=f"run:{run}").run()

    view = app.session_state["shown"].view
    assert not app.error and not app.exception
    assert view.trained is not None and view.trained.title == "garments"
    assert (view.network.minimum_width, view.height_px) == (True, 20)
    assert address(app) == f"run:{run}"
    assert f"--weights {run} --minimum-width" in app.code[0].value


def test_the_visitors_own_runs_are_offered_and_no_others(store: Store) -> None:
    mine, waiting = trained_run(store), store.create(NARROW, owner=KEY).id
    other = store.create(NARROW, owner="2" * 64).id
    file_of(NARROW, store.weights_path(other))

    app = page("mends", family="knight")
    app.session_state["owner_key"] = KEY
    offered = " ".join(app.run().selectbox(key="weights").options)

    assert "my run: garments" in offered
    assert not [run for run in (waiting, other) if run in offered]
    app.selectbox(key="weights").set_value(f"run:{mine}").run()
    assert not app.error and headline(app) == "### Mends for `p4-cnn` at 20 px"


def test_a_run_without_weights_is_one_sentence(store: Store) -> None:
    run = store.create(NARROW, owner=None).id

    app = page("look", weights=f"run:{run}").run()

    assert sentences(app) == [f"The run {run} is queued and has no weights yet: wait for its first epoch."]


def test_weights_written_anew_by_their_run_are_read_anew(store: Store) -> None:
    run = trained_run(store)
    app = page("look", weights=f"run:{run}").run()
    first = app.session_state["shown"].view.trained.sha256

    texts = {"recipe": json.dumps(NARROW.document())}
    save_weights(build(NARROW.network_spec(10), seed=4), store.weights_path(run), texts)
    _of_run.cache_clear()  # as after a second

    assert app.run().session_state["shown"].view.trained.sha256 != first
