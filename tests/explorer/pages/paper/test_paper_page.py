"""The Paper page: what it shows of results that are there, in part, damaged or absent, and where its links lead."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from explorer.reproduction import results as module
from explorer.reproduction.results import VERSION, read_results, write_results
from explorer.reproduction.studies import BUDGETS, GridBudget, Study, cifar10_studies, mnist_studies
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
    assert [info.value.partition(".")[0] for info in app.info] == ["Not run yet"] * 6
    assert [code.value.split()[4] for code in app.code] == ["knight", "sizes", "mnist", "mnist", "mnist", "cifar10"]
    assert words(app).count("**Open.**") == 4


def test_results_are_shown_beside_the_authors(folder: Path) -> None:
    write_results(results(PAPER), folder / "mnist-quick.json")

    app = open_page()

    assert not app.exception
    assert "**Seen.** On turns that training did not show, the exact network reads 97.7 % of the digits" in words(app)
    assert "python -m explorer reproduce mnist --budget full --wait" in words(app)  # the authors' split was not run
    assert "3 seeds, 12 epochs on all training pictures of mnist-12k, tested on all" in words(app)
    table = tables(app)
    assert "authors, 100 runs" in table and "97.7 ± 0.2" in table
    assert re.search(r"Approximate, 29 px.*ours, 3 seeds.*−0\.6", table, re.DOTALL)  # 70.3 less their 70.9


def test_a_part_of_a_grid_is_said(folder: Path) -> None:
    part = {case: values for case, values in PAPER.items() if case != "upright/plain-28"}
    part["upright/exact-28"] = part["upright/exact-28"][:2]
    write_results(results(part), folder / "mnist-quick.json")

    table = tables(open_page())

    assert "ours, 2 of 3 seeds" in table
    assert re.search(r"Plain, 28 px<span class=\"ours\">not run</span>", table)


def test_photographs_are_shown_with_what_was_not_run(folder: Path) -> None:
    write_results(results({"resnet44/p4-33": (50.0, 51.0)}, experiment="cifar10"), folder / "cifar10-quick.json")

    app = open_page()

    assert not app.exception
    assert "**ResNet-18**: not run." in words(app) and "--budget quick --only resnet44 --wait" in words(app)
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
    assert "Measured for 5 networks" in words(app)  # the others are shown


def test_the_committed_results_show_the_claims_and_what_was_tried() -> None:
    shown = words(open_page())

    assert re.search(r"\*\*Seen\.\*\* At 32 px (\d+) of \1 trainings tell the knight .* At 33 px 0 of \1 ", shown)
    assert "**Seen.** Measured for 5 networks at 115 sizes" in shown
    assert "**Seen.** On turns that training did not show" in shown and "**Seen.** Trained on digits turned by" in shown
    assert "- without padding in any convolution: 9" in shown


def test_a_grid_that_has_just_begun_hides_no_other(folder: Path) -> None:
    write_results(results(PAPER), folder / "mnist-quick.json")
    begun = results({"upright/exact-28": (97.0,)}, budget="full")
    write_results(begun, folder / "mnist.json")

    app = open_page()

    assert app.segmented_control(key="paper-budget").value == "quick"
    assert "**Seen.** On turns that training did not show" in words(app)
    app.segmented_control(key="paper-budget").set_value("full").run()
    assert "Not complete: approximate-27 and approximate-29 not run yet." in words(app)


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


def test_the_readme_has_the_committed_figures() -> None:
    found = read_results(module.results_path("mnist", "quick"), "mnist")
    assert found is not None
    line = " ".join((ROOT / "README.md").read_text(encoding="utf-8").partition("Seen with `reproduce mnist")[2].split())
    figures = [
        found.percents("upright/exact-28", "unseen"),
        found.percents("upright/approximate-29", "unseen"),
        found.percents("tuned/29", "unseen", first=True),
        found.percents("tuned/29", "unseen"),
    ]

    assert re.findall(r"([\d.]+) %", line.partition("epoch.")[0]) == [f"{fmean(each):.1f}" for each in figures]


def test_a_chosen_network_and_rotation_are_shown(folder: Path) -> None:
    shutil.copy(ROOT / "assets" / "results" / "sizes.json", folder)
    write_results(
        results({case.replace("upright", "uniform"): each for case, each in PAPER.items()}), folder / "mnist-quick.json"
    )

    app = open_page()
    app.segmented_control(key="paper-network").set_value("p4-cnn")
    app.segmented_control(key="paper-rotation").set_value("uniform").run()

    assert not app.exception
    assert "Trained at all angles, the approximate networks differ from the exact one" in words(app)
    assert "Trained at all angles: accuracy" in tables(app) and "unseen" not in tables(app)


def test_links_open_what_they_say(folder: Path) -> None:
    """Every parameter of every link is the value of a control of its page."""
    for name in ("knight", "sizes"):
        shutil.copy(ROOT / "assets" / "results" / f"{name}.json", folder)
    turned = {case.replace("upright", "turned-20"): values for case, values in PAPER.items()}
    write_results(results({**PAPER, **turned, "mended/29": (97.0,)}), folder / "mnist-quick.json")
    write_results(results({"resnet44/p4-33": (50.0,)}, experiment="cifar10"), folder / "cifar10-quick.json")
    links = {(link.proto.page, link.proto.query_string) for link in open_page().get("page_link")}

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
    app = open_page()

    assert [control.label for control in app.segmented_control if not control.help] == []


def test_the_page_opens_without_torch() -> None:
    program = f"""
import sys
from streamlit.testing.v1 import AppTest
page = "import runpy; runpy.run_path({str(ROOT / "explorer" / "pages" / "paper.py")!r})"
AppTest.from_string(page, default_timeout=60).run()
sys.exit("torch" in sys.modules)
"""

    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_a_visitor_reads_and_goes_on_to_look(open_page: Callable[..., Page]) -> None:
    page = open_page("/paper")
    expect(page.get_by_role("heading", name="2. One pixel decides")).to_be_visible(timeout=PAINT_LIMIT_MS)
    expect(page.locator(".st-key-paper-sides .js-plotly-plot")).to_be_visible(timeout=PAINT_LIMIT_MS)
    expect(page.get_by_role("table", name="The largest relative error")).to_contain_text("1 mod 32")

    page.get_by_role("link", name="p4-resnet18 at 33 px: exact").click()

    page.wait_for_url(re.compile(r"/\?size=33$"), timeout=PAINT_LIMIT_MS)  # the network is the default one
