"""What was stored, shared, scripted or set with version 0.1.0 keeps working: examples of each are in tests/stored."""

import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer import settings as settings_module
from explorer.pages.session import runs_here, shared
from explorer.pages.session.addresses import PAGES
from explorer.runs.store import Store, open_store
from explorer.runs.worker import train
from explorer.settings import Settings, settings_from
from explorer.training.recipe import recipe_of
from models.catalog import spec
from tests.support import ROOT
from tests.support.commands import document_of
from tests.support.pages import app_at

STORED = ROOT / "tests" / "stored"
FINISHED, VISITORS, INTERRUPTED, CANCELLED = (
    "shze8qdet5qgx2tv",
    "6w7jmguw725e2uva",
    "zcgpuhzun77pmr9m",
    "t2xr5v3ycwguasga",
)
VISITOR = "5e" * 32
RELATIVE = 1e-3  # what another processor may change of a number that is no rounding error
ABSOLUTE = 1e-5
SMALL_NUMBER = re.compile(r"\d\.\de-\d\d")  # in sentences: errors at the level of rounding
FREE = {"losses", "last_loss", "lowest_loss", "errors", "largest_error"}  # of training: rounding decides where it goes


def stored(name: str) -> Any:
    return json.loads((STORED / name).read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the stored runs, where this process finds them."""
    copied = tmp_path / "runs"
    shutil.copytree(STORED / "runs", copied)
    monkeypatch.setenv("EXPLORER_RUNS_FOLDER", str(copied))
    for kept in (shared.settings, runs_here.store):
        kept.clear()
    yield copied
    for kept in (shared.settings, runs_here.store):
        kept.clear()


def store_in(folder: Path) -> Store:
    return open_store(Settings(runs_folder=str(folder)))


# ------------------------------------------------------------------------------------------------- comparing documents


def differences(then: Any, now: Any, level: float = 0.0, at: str = "") -> list[str]:
    """Where a document of now is not as it was: keys, lengths, words, numbers. Keys may have been added.

    Numbers may differ by RELATIVE, and as they like while both are within `level`.
    """
    if isinstance(then, dict) and isinstance(now, dict):
        lost = [f"{at}.{key} is lost" for key in then if key not in now]
        return lost + [
            found
            for key in then
            if key in now and key not in FREE
            for found in differences(then[key], now[key], level, f"{at}.{key}")
        ]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        pairs = enumerate(zip(then, now, strict=True))
        return [found for number, (a, b) in pairs for found in differences(a, b, level, f"{at}[{number}]")]
    if isinstance(then, str) and isinstance(now, str):
        is_same = SMALL_NUMBER.sub("…", then) == SMALL_NUMBER.sub("…", now)
    elif isinstance(then, float) and isinstance(now, float | int):
        is_rounding = abs(then) <= level and abs(now) <= level
        is_same = is_rounding or math.isclose(then, now, rel_tol=RELATIVE, abs_tol=0.0 if level else ABSOLUTE)
    else:
        is_same = type(then) is type(now) and then == now
    return [] if is_same else [f"{at}: {then!r} was, {now!r} is"]


def names_in(document: Any) -> set[str]:
    """What a document says something of."""
    return set(document[0]) if isinstance(document, list) else set(document)


def level_of(command: str, document: Any) -> float:
    """The level of rounding of what a command measured."""
    dtype = document.get("dtype") if isinstance(document, dict) else None
    return ROUNDING_LEVEL[dtype or ("float64" if "float64" in command else "float32")]


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ({"a": 1}, {"b": 1}),
        ({"a": [1, 2]}, {"a": [1]}),
        ({"a": {"b": 0.5}}, {"a": {"b": 0.51}}),
        ({"a": 2e-5}, {"a": 4e-5}),
        ({"a": None}, {"a": 0.0}),
        ({"a": 3}, {"a": 4}),
        ({"a": "6 layers break."}, {"a": "5 layers break."}),
    ],
)
def test_a_document_that_is_not_as_it_was_is_caught(then: Any, now: Any) -> None:
    assert len(differences(then, now, level=3e-5)) == 1


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 2e-7}, {"a": 9e-6}),
        ({"a": 0.5}, {"a": 0.5001}),
        ({"a": "1.2e-07 is rounding"}, {"a": "3.4e-07 is rounding"}),
    ],
)
def test_what_another_processor_changes_passes(then: Any, now: Any) -> None:
    assert differences(then, now, level=3e-5) == []


# ------------------------------------------------------------------------------------------------------------ commands


def is_of_another_head(command: str) -> bool:
    """Whether its network took the maximum over the group first, and takes the mean over space first now."""
    return re.search(r"--network (?!z2)\w+-(cnn|knight)", command) is not None and "--no-group-pooling" not in command


@pytest.mark.parametrize("entry", stored("commands.json"), ids=lambda entry: entry["command"])
def test_command_prints_what_it_printed(entry: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # a command names a file of weights
    now = document_of(f"python -m explorer {entry['command']}")
    if "shipped:" in entry["command"] or "z2-knight" in entry["command"]:  # trained anew; without an activation
        assert names_in(now) >= names_in(entry["document"])
        return
    if is_of_another_head(entry["command"]):
        assert names_in(now) >= names_in(entry["document"])
        now = document_of(f"python -m explorer {entry['command']} --head maximum-first")
    level = level_of(entry["command"], entry["document"])

    assert differences(entry["document"], now, level) == []
    if "losses" in now:
        assert len(now["losses"]) == len(entry["document"]["losses"])


def test_earlier_networks_are_still_there_under_their_names() -> None:
    for network in stored("networks.json"):
        found = spec(network["name"])
        assert (found.name, found.point_group.name, found.family) == (
            network["name"],
            network["group"],
            network["family"],
        )


@pytest.mark.full
def test_networks_command_prints_what_it_printed() -> None:
    assert differences(stored("networks.json"), document_of("python -m explorer networks")) == []


def test_run_commands_print_what_they_printed(folder: Path) -> None:
    for entry in stored("run_commands.json"):
        if " resume " in entry["command"]:
            continue
        then = json.loads(json.dumps(entry["document"]).replace("FOLDER/", f"{folder.as_posix()}/"))
        now = json.loads(json.dumps(document_of(entry["command"])).replace(json.dumps(os.sep)[1:-1], "/"))
        for run in then if isinstance(then, list) else [then]:
            if "recipe" in run:
                run["recipe"] = recipe_of(run["recipe"]).document()  # which says what the head is in other words
        assert differences(then, now) == [], entry["command"]


# ---------------------------------------------------------------------------------------------------------------- runs


def test_stored_runs_are_read_with_all_that_they_were(folder: Path) -> None:
    store = store_in(folder)
    states = {run.id: run.state for run in store.list(None)}
    epochs = store.epochs_of(states)

    assert states == {
        FINISHED: "finished",
        VISITORS: "finished",
        INTERRUPTED: "interrupted",
        CANCELLED: "cancelled",
    }
    assert {run: len(of_run) for run, of_run in epochs.items()} == {
        FINISHED: 3,
        VISITORS: 3,
        INTERRUPTED: 2,
        CANCELLED: 0,
    }
    assert [run.id for run in store.list(VISITOR)] == [VISITORS]
    assert "Finished." in store.log(FINISHED)


def test_an_interrupted_run_goes_on_from_its_stored_checkpoint(folder: Path) -> None:
    store = store_in(folder)
    before = store.epochs(INTERRUPTED)
    store.resume(INTERRUPTED, None)
    assert store.claim("a worker") == INTERRUPTED
    train(store, INTERRUPTED, "a worker", settings_from(), Event())

    (then,) = (entry["document"] for entry in stored("run_commands.json") if " resume " in entry["command"])
    run, epochs = store.get(INTERRUPTED), store.epochs(INTERRUPTED)
    assert (run.state, run.error) == ("finished", "")
    assert "Goes on from its checkpoint" in store.log(INTERRUPTED)
    assert epochs[:2] == before
    assert [epoch.step for epoch in epochs] == [epoch["step"] for epoch in then["epochs"]]
    for epoch, was in zip(epochs, then["epochs"], strict=True):
        assert epoch.test_loss == pytest.approx(was["test_loss"], rel=0.05)


# --------------------------------------------------------------------------------------------------------------- links


def open_link(address: str) -> AppTest:
    """The app as a browser opens it at an address."""
    parts = urlsplit(address)
    app = app_at(parts.path.strip("/") or PAGES[0])
    for name, value in parse_qsl(parts.query):
        app.query_params[name] = value
    return app.run()


def controls_of(app: AppTest) -> dict[str, Any]:
    """What each control shows, by its key: the name of its parameter in an address."""
    kinds = ("selectbox", "number_input", "toggle", "checkbox", "slider", "text_input", "button_group")
    shown: list[Any] = [control for kind in kinds for control in app.get(kind)]
    return {control.key: control.value for control in shown if control.key}


LINKS = [*stored("links.json"), *stored("links_of_heads.json"), *stored("links_of_findings.json")]


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link["address"][:70])
def test_link_opens_the_view_that_it_opened(link: dict[str, Any], folder: Path) -> None:
    app = open_link(link["address"])
    shown = controls_of(app)
    offered = [line for code in app.code for line in code.value.splitlines()]

    assert not app.exception
    assert [error.value for error in app.error] == link.get("told", [])
    then = {key: value for key, value in link["controls"].items() if key != "pool"}
    if link["controls"].get("pool") is False:  # was a switch, and is one of three heads
        then["head"] = "no-pooling"
    commands = [command.replace("--no-group-pooling", "--head no-pooling") for command in link["commands"]]
    if "runs=" in link["address"] or "run=" in link["address"]:  # of a run that says its head
        offered = [line.replace(" --head maximum-first", "") for line in offered]
    assert {key: shown.get(key) for key in then} == then
    assert [command for command in commands if command not in offered] == []


def test_links_have_every_parameter_that_a_page_puts_into_its_address() -> None:
    """A control that is part of the address is declared by `linked("NAME")`, or by a name that the page makes up."""
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "explorer" / "pages").rglob("*.py")]
    declared = {name for source in pages for name in re.findall(r'linked\("(\w+)"\)', source)}
    opened = {name for link in LINKS for name, _ in parse_qsl(urlsplit(link["address"]).query)}

    assert len(declared) > 40
    assert {"weights", "only", "layer", "run", "as_chosen", "mended", "steps", "rate", "deep_steps"} <= opened
    assert declared - opened == set(), "a new parameter: add an address with it to a file of its own in tests/stored"


def test_every_page_has_a_stored_link() -> None:
    assert {urlsplit(link["address"]).path.strip("/") or "look" for link in stored("links.json")} == set(PAGES)


# ------------------------------------------------------------------------------------------------------------ settings


def test_environment_variables_mean_what_they_meant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = stored("settings.json")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("EXPLORER_")]:
        monkeypatch.delenv(name)
    assert settings_module.main() == 0
    defaults = capsys.readouterr().out.splitlines()
    for name, value in kept["given"].items():
        monkeypatch.setenv(name, value)
    assert settings_module.main() == 0
    printed = capsys.readouterr()

    assert [line for line in kept["defaults"] if line not in defaults] == []
    assert [line for line in kept["printed"] if line not in printed.out.splitlines()] == []
    assert printed.err == ""
    assert settings_from().database == kept["given"]["EXPLORER_DATABASE"]
