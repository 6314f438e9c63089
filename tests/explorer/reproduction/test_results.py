"""Results files: what is written is what is read; other versions, damage and other files are one sentence."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from explorer.errors import ResultsError
from explorer.reproduction.results import (
    FOLDER,
    VERSION,
    Results,
    Session,
    read_results,
    results_path,
    seed_run,
    session_of,
    write_results,
)
from explorer.training.metrics import ANGLES_DEG, TESTED, Epoch
from explorer.training.recipe import Recipe

SESSION = Session("python -m explorer reproduce mnist", "2025-01-31", "one core", {"torch": "2"})


def epoch(number: int, *, unseen: float = 0.5, is_last: bool = False) -> Epoch:
    accuracy = {**dict.fromkeys(TESTED, unseen), "identity": 0.98}
    angles = tuple(0.01 * place for place in range(len(ANGLES_DEG))) if is_last else None
    return Epoch(number, 10 * number, 0.1, 0.9, 0.2, accuracy, angles, 0.8, {"pool": 1.0, "logits": 0.1}, 99.0, 1.0)


def results(*unseen: float) -> Results:
    """One run for each of `unseen`."""
    found = Results("mnist", "quick")
    for seed, each in enumerate(unseen):
        epochs = [epoch(0), epoch(1), epoch(2, unseen=each, is_last=True)]
        found = found.with_run("upright/exact-28", seed_run(seed, Recipe(seed=seed).document(), epochs), SESSION)
    return found


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = results(0.25, 0.75)
    write_results(written, tmp_path / "mnist.json")

    read = read_results(tmp_path / "mnist.json", "mnist")

    assert read == written
    assert read.percents("upright/exact-28", "unseen") == (25.0, 75.0)
    assert read.sessions == (SESSION,) and [file.name for file in tmp_path.iterdir()] == ["mnist.json"]


def test_a_case_that_was_not_run_has_no_figures() -> None:
    assert results(0.5).percents("upright/plain-28", "unseen") == ()


def test_a_run_takes_the_place_of_the_one_with_its_seed() -> None:
    again = seed_run(0, Recipe().document(), [epoch(0), epoch(2, unseen=0.1)])
    later = Session("the same", "2025-02-01", "another", {})

    found = results(0.9, 0.8).with_run("upright/exact-28", again, later)

    assert found.percents("upright/exact-28", "unseen") == pytest.approx((10.0, 80.0))
    assert [run.session for run in found.cases["upright/exact-28"].values()] == [1, 0]


def test_only_runs_that_start_from_others_keep_their_first_epoch() -> None:
    epochs = [epoch(0, unseen=0.3), epoch(2)]

    assert seed_run(0, Recipe().document(), epochs).first is None
    tuned = seed_run(0, Recipe(start="run:abcd").document(), epochs)
    found = Results("mnist", "quick").with_run("tuned/29", tuned, SESSION)
    assert found.percents("tuned/29", "unseen", first=True) == (30.0,)
    assert found.percents("tuned/29", "unseen") == (50.0,)


def test_curves_are_short_and_end_with_the_last_epoch() -> None:
    run = seed_run(0, Recipe().document(), [epoch(number) for number in range(51)])

    assert len(run.curve) <= 12 and run.curve[-1][0] == 50
    assert [point[0] for point in seed_run(0, {}, [epoch(0), epoch(5)]).curve] == [0, 5]


def test_a_missing_file_gives_no_results(tmp_path: Path) -> None:
    assert read_results(tmp_path / "none.json", "mnist") is None


def test_another_version_is_one_sentence_with_what_to_run(tmp_path: Path) -> None:
    path = tmp_path / "mnist.json"
    write_results(results(0.5), path)
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**document, "version": VERSION + 1}), encoding="utf-8")

    with pytest.raises(ResultsError, match=r"another version .* reproduce mnist --budget full --wait\.$"):
        read_results(path, "mnist")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"experiment": "knight", "version": 1}', '"mnist"'])
def test_another_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mnist.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ResultsError, match=r"not a results file of mnist, or is damaged: remove it and run"):
        read_results(path, "mnist")


@pytest.mark.parametrize("lost", ["budget", "sessions", "cases"])
def test_a_file_without_a_part_is_one_sentence(tmp_path: Path, lost: str) -> None:
    path = tmp_path / "mnist.json"
    write_results(results(0.5), path)
    document = json.loads(path.read_text(encoding="utf-8"))
    del document[lost]
    path.write_text(json.dumps(document), encoding="utf-8")

    with pytest.raises(ResultsError, match="damaged"):
        read_results(path, "mnist")


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(ResultsError, match=r"cannot be written .*: name another file with --to\.$"):
        write_results(results(0.5), tmp_path / "file" / "mnist.json")


def test_budgets_have_files_of_their_own() -> None:
    assert results_path("mnist") == FOLDER / "mnist.json"
    assert results_path("mnist", "quick") == FOLDER / "mnist-quick.json"


def test_a_session_names_what_computed() -> None:
    session = session_of("a command", date="2025-01-31", hardware="one core")

    assert set(session.versions) == {"explorer", "python", "torch", "numpy"}
    assert session.versions["torch"].startswith("2.")


@pytest.mark.parametrize("error", [float("inf"), float("nan")])
def test_errors_that_json_has_no_word_for_are_kept_as_none(tmp_path: Path, error: float) -> None:
    """Of a layer that answers nothing to a picture, and something to its turn; the run is written all the same."""
    last = replace(epoch(5), errors={"layer1.conv": error, "logits": error})
    first = replace(epoch(0), errors={"layer1.conv": 0.25, "logits": 0.125})
    found = Results("mnist", "quick").with_run("upright/exact-28", seed_run(0, {}, [first, last]), SESSION)

    write_results(found, tmp_path / "mnist.json")

    read = read_results(tmp_path / "mnist.json", "mnist")
    assert read == found and read is not None
    assert read.cases["upright/exact-28"][0].errors == {"layer1.conv": (0.25, None), "logits": (0.125, None)}
    assert read.cases["upright/exact-28"][0].final.errors == {}
