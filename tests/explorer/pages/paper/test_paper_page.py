"""The Paper page: what it shows of results that are there, in part, damaged or absent, and where its links lead."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from explorer.reproduction import results as module
from explorer.reproduction.results import VERSION, read_results, write_results
from explorer.reproduction.studies import BUDGETS, GridBudget, Study, cifar10_studies, mnist_studies
from explorer.reproduction.words import number
from tests.explorer.reproduction.test_claims import PAPER, results
from tests.support import ROOT
from tests.support.pages import go_to
from tests.support.sentences import sentences

PAINT_LIMIT_MS = 60_000
LOOK = "from explorer.pages.look.controls import controls; controls()"
# What reads the parameters on each page, by the page's address; Mends has the controls of Look.
CONTROLS = {
    "": LOOK,
    "mends": LOOK,
    "sizes": LOOK.replace("look", "sizes"),
    "break_it": LOOK.replace("look", "break_it"),
    "train": "from explorer.pages.train.controls import controls; controls({})",
}


def open_page(name: str = "paper", **parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for key, value in parameters.items():
        app.query_params[key] = value
    return go_to(app, name).run()


def words(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.info, *app.error, *app.code, *app.caption])


def labels(app: AppTest) -> list[str]:
    return [expander.label for expander in app.expander]


def tables(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the page reads results from."""
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    return tmp_path


def test_nothing_is_shown_as_not_run_with_what_to_run(folder: Path) -> None:
    app = open_page()

    assert not app.exception
    assert [info.value.partition(".")[0] for info in app.info] == ["Not run yet"]  # of the one claim that is open
    assert [code.value.split()[4] for code in app.code] == [
        *("knight", "mnist", "mnist", "mnist", "cifar10", "mnist", "prediction", "mnist")
    ]
    assert words(app).count("**Open.**") == 4 and words(app).count(":gray[Here]  Not run yet.") == 4
    left = "mending, order of pooling, resampling or parity, photographs, lopsided filters and what predicts the loss"
    assert f"Not run yet: {left}" in labels(app)


@pytest.mark.parametrize(
    ("claim", "command"), [("One pixel", "sizes"), ("Unseen turns", "mnist"), ("Mismatched data", "mnist")]
)
def test_a_claim_that_was_not_run_says_what_to_run(folder: Path, claim: str, command: str) -> None:
    app = open_page(claim=claim)

    assert not app.exception
    assert len(app.info) == 1 and app.code[0].value.split()[4] == command


def test_results_are_shown_beside_the_authors(folder: Path) -> None:
    write_results(results(PAPER), folder / "mnist-quick.json")

    app = open_page(claim="Unseen turns")

    assert not app.exception
    assert "**Seen.** On turns that training did not show, the exact network reads 97.7 % of the digits" in words(app)
    here = ":gray[Here]  Exact 97.7\xa0%, approximate 71.0\xa0% and 70.2\xa0%, plain 26.5\xa0%."
    theirs = ":gray[Authors]  Exact 97.7\xa0%, approximate 70.6\xa0% and 70.9\xa0%, plain 26.6\xa0%."
    assert here in words(app) and theirs in words(app)
    assert "python -m explorer reproduce mnist --budget full --seeds 5 --wait" in words(app)  # was not run
    assert "20 runs of 5 seeds for each network, 12 epochs on all training pictures of mnist-12k" in words(app)
    table = tables(app)
    assert "authors, 100 runs" in table and "97.7 ± 0.2" in table
    assert re.search(r"Approximate, 29 px.*ours, 5 seeds.*−0\.7", table, re.DOTALL)  # 70.2 less their 70.9


def test_a_part_of_a_grid_is_said(folder: Path) -> None:
    part = {case: values for case, values in PAPER.items() if case != "upright/plain-28"}
    part["upright/exact-28"] = part["upright/exact-28"][:2]
    write_results(results(part), folder / "mnist-quick.json")

    app = open_page(claim="Unseen turns")

    assert "ours, 2 of 5 seeds" in tables(app)
    assert "Plain, 28 px" not in tables(app) and "Not run: Plain, 28 px." in words(app)
    assert "Two seeds. Two against two decide nothing by themselves" in words(app)


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_everything_is_drawn_with_few_seeds_or_many(folder: Path, seeds: int) -> None:
    every = [case.key for study in mnist_studies(BUDGETS["mnist"]["quick"]) for case in study.cases]
    values = (90.0, 91.0, 89.5, 90.5, 90.2)[:seeds]
    write_results(results(dict.fromkeys(every, values)), folder / "mnist-quick.json")

    for claim, finding in (("Unseen turns", "Mending"), ("Mismatched data", "Order of pooling")):
        app = open_page(claim=claim, finding=finding)
        assert not app.exception and not app.error
        assert f"{number(seeds).capitalize()} seed" in words(app)


def test_photographs_are_shown_with_what_was_not_run(folder: Path) -> None:
    write_results(results({"resnet44/p4-33": (50.0, 51.0)}, experiment="cifar10"), folder / "cifar10-quick.json")

    app = open_page(finding="Photographs")

    assert not app.exception
    assert "Not run: p4, 32 px, p4m, 32 px, p4m, 33 px, z2, 32 px and z2, 33 px." in words(app)
    assert "**Photographs**, quick budget: 2 runs of 2 seeds for each network, 4 epochs" in words(app)
    table = tables(app)
    assert re.search(r"p4, 33 px.*ours, 2 seeds", table, re.DOTALL) and "36 angles" not in table


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f'{{"experiment": "knight", "version": {VERSION + 1}}}', "were written by another version of the explorer"),
        ("nothing", "knight.json is not a results file of knight, or is damaged"),
        (f'{{"experiment": "knight", "version": {VERSION}}}', "knight.json is not a results file of knight"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(folder: Path, text: str, sentence: str) -> None:
    (folder / "knight.json").write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "assets" / "results" / "sizes.json", folder)

    app = open_page()

    assert not app.exception
    assert [sentence in error for error in sentences(app)] == [True]
    assert "python -m explorer reproduce knight" in sentences(app)[0]
    assert "Error at most 3·10⁻⁶ at exact sizes" in words(app)  # the others are shown


def test_the_committed_results_show_the_first_two_claims() -> None:
    shown = words(open_page())

    assert re.search(r"\*\*Seen\.\*\* At 32 px (\d+) of \1 trainings tell the knight .* At 33 px 0 of \1 ", shown)
    assert "**Seen.** Measured for 5 networks at 115 sizes" in words(open_page(claim="One pixel"))


def test_the_full_budget_is_shown_first(folder: Path) -> None:
    write_results(results(PAPER), folder / "mnist-quick.json")
    begun = results({"upright/exact-28": (97.0,)}, budget="full")
    write_results(begun, folder / "mnist.json")

    app = open_page(claim="Unseen turns")

    assert app.segmented_control(key="paper-budget").value == "full"
    assert "Not complete: approximate-27 and approximate-29 not run yet." in words(app)
    app.segmented_control(key="paper-budget").set_value("quick").run()
    assert "**Seen.** On turns that training did not show" in words(app)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"budget": "huge"}, "mnist-quick.json has an unknown budget, 'huge'"),
        ({"cases": {"upright/exact-28": {"epochs": 3}}}, "has runs of upright/exact-28 with epochs 3 and not 12"),
    ],
)
def test_runs_of_another_recipe_or_budget_are_not_shown(folder: Path, changed: dict[str, Any], sentence: str) -> None:
    found = results(PAPER)
    if "budget" in changed:
        found = replace(found, budget=changed["budget"])
    for case, fields in changed.get("cases", {}).items():
        for run in found.cases[case].values():
            run.recipe.update(fields)
    write_results(found, folder / "mnist-quick.json")

    app = open_page()

    assert not app.exception
    assert [sentence in error for error in sentences(app)] == [True]
    assert "python -m explorer reproduce mnist" in words(app)


@pytest.mark.parametrize("budget", ["full", "quick"])
@pytest.mark.parametrize(("experiment", "studies_of"), [("mnist", mnist_studies), ("cifar10", cifar10_studies)])
def test_committed_results_are_of_the_recipes_that_the_command_runs(
    experiment: str, studies_of: Callable[[GridBudget], tuple[Study, ...]], budget: str
) -> None:
    found = read_results(module.results_path(experiment, budget), experiment)
    if found is None:
        return
    for study in studies_of(BUDGETS[experiment][budget]):
        for case in study.cases:
            for run in found.cases.get(case.key, {}).values():
                assert run.recipe == module.comparable(case.seeded(run.seed).document())


def test_a_chosen_network_and_rotation_are_shown(folder: Path) -> None:
    shutil.copy(ROOT / "assets" / "results" / "sizes.json", folder)
    turned = {
        case.replace("upright", study): each for case, each in PAPER.items() for study in ("turned-40", "uniform")
    }
    write_results(results(turned), folder / "mnist-quick.json")

    app = open_page(claim="Mismatched data", turned_by="all angles")

    assert not app.exception
    assert "Trained at all angles, the approximate networks differ from the exact one" in words(app)
    assert "Trained at all angles: accuracy" in tables(app) and "unseen" not in tables(app)
    app.segmented_control(key="turned_by").set_value("45° ± 40°").run()
    said = next(each.value for each in app.markdown if each.value.startswith("Trained on digits turned by 45° ± 40°"))
    assert "p =" not in said and "points at 40°" in said  # beside the claim, and not a part of it
    app = open_page(claim="One pixel")
    app.segmented_control(key="paper-network").set_value("p4-cnn").run()
    assert not app.exception and "p4-cnn at 32 px: exact" in [link.proto.label for link in app.get("page_link")]


def test_links_open_what_they_say(folder: Path) -> None:
    """Every parameter of every link is the value of a control of its page."""
    for name in ("knight", "sizes"):
        shutil.copy(ROOT / "assets" / "results" / f"{name}.json", folder)
    turned = {case.replace("upright", "turned-20"): values for case, values in PAPER.items()}
    write_results(results({**PAPER, **turned, "mended/29": (97.0,)}), folder / "mnist-quick.json")
    write_results(results({"resnet44/p4-33": (50.0,)}, experiment="cifar10"), folder / "cifar10-quick.json")
    opened = [open_page(claim=claim) for claim in ("Learning", "One pixel", "Unseen turns", "Mismatched data")]
    opened.append(open_page(finding="Photographs"))
    links = {(link.proto.page, link.proto.query_string) for app in opened for link in app.get("page_link")}

    assert len(links) >= 10
    for page, query in sorted(links):
        app = AppTest.from_string(CONTROLS[page], default_timeout=60)
        wanted = {key: value for key, [value] in parse_qs(query).items()}
        app.query_params.update(wanted)
        app.run()
        assert not app.exception
        for key, value in wanted.items():
            shown = app.session_state[key]
            assert str(shown) == value or float(shown) == float(value), (page, key)


def test_every_control_has_an_explanation() -> None:
    for claim in ("One pixel", "Mismatched data"):
        assert [control.label for control in open_page(claim=claim).segmented_control if not control.help] == []


def test_the_page_opens_without_torch() -> None:
    program = f"""
import sys
from streamlit.testing.v1 import AppTest
from tests.support.pages import go_to
app = go_to(AppTest.from_file({str(ROOT / "app.py")!r}, default_timeout=120), "paper").run()
sys.exit("torch" in sys.modules or [each.value for each in app.exception] or not app.title)
"""

    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_a_visitor_reads_and_goes_on_to_look(open_page: Callable[..., Page]) -> None:
    page = open_page("/paper")
    page.get_by_role("radio", name="One pixel").click(timeout=PAINT_LIMIT_MS)
    expect(page.get_by_role("heading", name="2. One pixel decides")).to_be_visible(timeout=PAINT_LIMIT_MS)
    expect(page.locator(".st-key-paper-sides .js-plotly-plot")).to_be_visible(timeout=PAINT_LIMIT_MS)
    page.get_by_text("All five networks").click()
    expect(page.get_by_role("table", name="The largest relative error")).to_contain_text("1 mod 32")

    page.get_by_role("link", name="p4-resnet18 at 33 px: exact").click()

    page.wait_for_url(re.compile(r"/\?size=33$"), timeout=PAINT_LIMIT_MS)  # the network is the default one
