"""The parts on what predicts the loss and on lopsided filters: of all runs, of some, of none, and of a damaged file."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer.reproduction import prediction as analysis
from explorer.reproduction import results as module
from explorer.reproduction.fingerprint import COMPARED, EXACT
from explorer.reproduction.results import Results, write_results
from explorer.reproduction.sample import BUDGETS, members
from tests.explorer.reproduction.test_fingerprint import grid as filters_grid
from tests.explorer.reproduction.test_prediction import grid

SAMPLE = members(BUDGETS["quick"])
PREDICTION = "from explorer.pages.paper.prediction import draw_prediction\ndraw_prediction()"
FINGERPRINT = """
from pathlib import Path
from explorer.pages.paper.fingerprint import draw_fingerprint
from explorer.reproduction.results import read_results
draw_fingerprint(read_results(Path({path!r}), "mnist"))
"""


def shown(script: str) -> AppTest:
    return AppTest.from_string(script, default_timeout=120).run()


def words(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.error])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that results are read from."""
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(analysis, "HALVINGS", 20)
    return tmp_path


def test_a_prediction_that_was_not_run_is_one_line(folder: Path) -> None:
    app = shown(PREDICTION)

    assert not app.exception
    assert words(app).count("\n") == 0 and "`python -m explorer reproduce prediction --budget quick --wait`" in words(
        app
    )


@pytest.mark.parametrize("count", [1, 5, len(SAMPLE)])
def test_networks_that_were_run_are_shown(folder: Path, count: int) -> None:
    write_results(grid(count), folder / "prediction-quick.json")

    app = shown(PREDICTION)

    assert not app.exception
    assert f"{count} of {len(SAMPLE)} networks" in words(app)
    assert ("it still ranks them on the other" in words(app)) == (count == len(SAMPLE))
    assert ("nothing is said of fewer than 8" in words(app)) == (count < len(SAMPLE))
    (table,) = app.dataframe
    assert table.value["predictor"].iloc[0] == "displacement of the last map (px)" and len(table.value) == 9


def test_a_damaged_prediction_is_one_sentence(folder: Path) -> None:
    (folder / "prediction-quick.json").write_text("nothing", encoding="utf-8")

    app = shown(PREDICTION)

    assert not app.exception
    assert [error.value for error in app.error] == [
        "prediction-quick.json is not a results file of prediction, or is damaged: remove it and run "
        "python -m explorer reproduce prediction --budget quick --wait."
    ]


def test_filters_that_were_not_kept_are_one_line(tmp_path: Path) -> None:
    for results in (Results("mnist", "quick"), filters_grid(0)):
        write_results(results, tmp_path / "mnist.json")
        app = shown(FINGERPRINT.format(path=str(tmp_path / "mnist.json")))
        assert not app.exception and not app.expander
        assert "Not run yet, or before mean filters were kept" in words(app)


@pytest.mark.parametrize("seeds", [1, 3])
def test_filters_are_compared_and_what_is_missing_is_said(tmp_path: Path, seeds: int) -> None:
    write_results(filters_grid(seeds, cases=(EXACT, COMPARED[1])), tmp_path / "mnist.json")

    app = shown(FINGERPRINT.format(path=str(tmp_path / "mnist.json")))

    assert not app.exception
    assert "Not run yet: Approximate, 27 px, Mended, 29 px, Plain, 28 px." in words(app)
    assert ("nothing is said of fewer than 3" in words(app)) == (seeds < 3)
    (table,) = app.dataframe
    assert len(table.value) == 9 and set(table.value["network"]) == {"Approximate, 29 px"}
