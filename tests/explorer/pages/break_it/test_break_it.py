"""The Break it page: what the server computes and says (AppTest), and what a visitor's browser shows (Playwright)."""

import re
from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from equivariance.groups.point_groups import Element
from explorer.pages.break_it.controls import BreakItView
from explorer.pages.break_it.live import SearchedSize, SearchJob, TrainedSize, TrainingJob
from explorer.pictures.fitting import fit
from explorer.pictures.images import load_gallery
from explorer.serving.memory import Budget
from explorer.studies.breaking import LN_2, Attempt, TrainedStep, Training
from models.catalog import spec
from tests.support import ROOT
from tests.support.charts import charts_of
from tests.support.commands import document_of
from tests.support.pages import go_to
from tests.support.sentences import sentences

PAINT_LIMIT_MS = 60_000


def open_app(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    go_to(app, "break_it")
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


def captions(app: AppTest) -> list[str]:
    return [caption.value for caption in app.caption]


def click(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()


def attempt_of(view: BreakItView) -> Attempt:
    """Of the first size."""
    side_px = view.sizes_px[0]
    picture = fit(view.picture, height_px=side_px, width_px=side_px, how="resize")
    return Attempt(view.network, picture, view.element, view.seed, view.steps, view.learning_rate)


def texts(app: AppTest, start: str) -> list[str]:
    return [text.value for text in app.markdown if text.value.startswith(start)]


def losses(app: AppTest) -> list[list[float]]:
    """Of both sizes, as they are drawn."""
    return [list(line["y"]) for line in charts_of(app)["break-0"]["figure"]["data"]]


def test_the_first_view_trains_the_knight_and_one_size_learns() -> None:
    app = open_app()

    assert not app.exception and not app.error
    assert texts(app, "#### p4") == ["#### p4-knight at 32 px", "#### p4-knight at 33 px"]
    broken, unbreakable = texts(app, "**Training**")
    assert broken.startswith("**Training** ○ broken: loss 0.6")
    assert re.fullmatch(r"\*\*Training\*\* ● unbreakable: loss 0\.69\d\d → 0\.6931, accuracy 50%", unbreakable), (
        unbreakable
    )
    assert [text.split("** ")[1].split(" ", 1)[1] for text in texts(app, "**Theory**")] == [
        "approximate under ⟲ 90°",
        "exact under ⟲ 90°",
    ]
    assert "600 steps." in captions(app)
    assert not app.button
    assert "break_job" not in app.session_state  # its networks are let go


def test_a_mended_knight_is_unbreakable_at_both_sizes() -> None:
    app = open_app(sampling="symmetric", steps="300")

    assert [text.split(":")[0] for text in texts(app, "**Training**")] == ["**Training** ● unbreakable"] * 2
    assert [text.endswith("exact under ⟲ 90°") for text in texts(app, "**Theory**")] == [True, True]


def test_the_copied_command_gives_the_same_numbers() -> None:
    app = open_app(steps="100", seed="2", subject="cat", told="rot180")
    assert app.code[0].value.startswith("python -m explorer break ")

    assert document_of(app.code[0].value)["losses"] == pytest.approx(losses(app)[0], rel=1e-4)


def test_deep_networks_wait_for_the_visitor_and_can_be_trained() -> None:
    app = open_app(learner="p4-cnn", deep_steps="2")
    assert texts(app, "**Training**") == []

    click(app, "Train")

    assert len(texts(app, "**Training**")) == 2
    assert "2 steps." in captions(app)


def test_what_was_stopped_is_kept_and_goes_on_where_it_stopped() -> None:
    app = open_app(learner="p4-cnn", deep_steps="3")
    sizes_px, rate = (32, 33), 0.001
    view = BreakItView(spec("p4-cnn"), "knight", load_gallery("knight"), sizes_px, Element(90.0), 0, 3, rate)
    job = TrainingJob(view)
    job.advance(lambda: True)
    job.advance(lambda: True)
    before = list(job.parts[0].steps)
    app.session_state["break_job"] = (f"Train {view.key}", job)

    app.run()
    assert "Stopped after 1 of 3 steps." in captions(app)
    assert len(losses(app)[0]) == 2

    click(app, "Continue")
    assert "3 steps." in captions(app)
    assert job.parts[0].steps[:2] == before
    assert losses(app)[0] == [step.loss for step in Training(attempt_of(view))]


def test_work_waits_where_all_places_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.pages.break_it.live._WAIT_S", 0.01)
    monkeypatch.setattr("explorer.pages.break_it.live._places", lambda: taken)
    taken = BoundedSemaphore(1)
    job = SearchJob(
        BreakItView(spec("p4-knight"), "knight", load_gallery("knight"), (32, 33), Element(90.0), 0, 3, 0.1), None
    )

    with taken:
        job.advance(lambda: False)
        assert job.parts[0].errors == []
    job.advance(lambda: False)
    assert job.made == job.total


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"learner": "c4-knight", "sampling": "symmetric"}, "choose a p4 or p4m network"),
        ({"learner": "p4-cnn", "size": "3"}, "cannot take 3×3 px"),
        ({"size": "512", "steps": "600"}, "600 steps of p4-knight at 512 px are not accepted: give 1 to 381."),
    ],
    ids=["steerable", "small", "long"],
)
def test_what_cannot_be_trained_is_one_sentence(parameters: dict[str, str], words: str) -> None:
    app = open_app(**parameters)
    for button in [button for button in app.button if button.label == "Train"]:
        button.click().run()

    assert not app.exception
    assert len(app.error) == 1 and words in sentences(app)[0]
    assert not [button for button in app.button if button.label == "Stop"]


def test_a_loss_that_is_not_a_number_ends_the_training_with_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "explorer.studies.breaking.functional.cross_entropy", lambda logits, right: logits.sum() * float("nan")
    )

    app = open_app(seed="11")

    assert sentences(app) == ["The loss became NaN after 0 steps: give a smaller learning rate."]
    assert "break_job" not in app.session_state


def test_the_search_finds_a_picture_for_the_broken_size_only() -> None:
    app = open_app(**{"break": "Change the picture"})

    assert not app.exception
    found = [re.findall(r"\d\.\de[-+]\d\d", text) for text in texts(app, "**Search**")]
    (start, largest), (_, exact) = [[float(number) for number in numbers] for numbers in found]
    assert largest > 2 * start > 1e-3
    assert exact < 1e-10
    assert "The search found nothing but rounding." in captions(app)
    assert app.code[0].value.startswith("python -m explorer worst ")
    document = document_of(app.code[0].value)
    assert (document["predicted"], document["layer"]) == ("approximate", None)
    assert f"{document['first_error']:.1e}" == f"{start:.1e}" and f"{document['largest_error']:.1e}" == f"{largest:.1e}"


@pytest.mark.parametrize("mode", ["Train the network", "Change the picture"])
def test_work_that_memory_cannot_hold_is_one_sentence(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setattr(Budget, "left_bytes", property(lambda budget: 1000))

    app = open_app(seed="12", **{"break": mode})

    (error,) = sentences(app)
    assert re.fullmatch(
        r"Breaking p4-knight at 33 px needs \d+ MB of memory, and 0 MB are left: choose a smaller size or a narrower "
        r"network\.",
        error,
    )
    assert not app.exception


def test_a_contradiction_is_said_loudly() -> None:
    lane = TrainedSize(
        33, "exact", "", 0.0, [TrainedStep(0, 0.7, 0.5, (0.5, 0.5)), TrainedStep(1, 0.1, 1.0, (0.1, 0.9))]
    )
    hunt: Any = SearchedSize(33, "exact", None, [1e-16, 1e-2])  # type: ignore[arg-type]  # the picture is not looked at

    assert lane.outcome.contradicts
    assert hunt.contradicts
    assert not TrainedSize(33, "exact", "", 0.0, [TrainedStep(0, LN_2, 0.5, (0.5, 0.5))]).outcome.contradicts


def test_every_control_has_an_explanation() -> None:
    app = open_app(steps="1")
    widgets = [*app.selectbox, *app.number_input, *app.segmented_control]

    assert len(widgets) >= 8
    assert [widget.label for widget in widgets if not widget.help] == []


# ------------------------------------------------------------------------------------------------------------- browser


def test_a_visitor_sees_one_size_learn_and_the_other_not(open_page: Callable[..., Page]) -> None:
    page = open_page("/break_it")

    expect(page.get_by_text("broken: loss")).to_be_visible(timeout=PAINT_LIMIT_MS)
    expect(page.get_by_text("unbreakable: loss")).to_be_visible(timeout=PAINT_LIMIT_MS)
    expect(page.get_by_text("600 steps.", exact=True)).to_be_visible()


def test_training_can_be_stopped(open_page: Callable[..., Page]) -> None:
    page = open_page("/break_it?learner=p4-cnn&deep_steps=1500")
    page.get_by_role("button", name="Train", exact=True).click(timeout=PAINT_LIMIT_MS)
    expect(page.get_by_text(re.compile(r"^\d+ of 1500 steps\. Any change stops it\."))).to_be_visible(
        timeout=PAINT_LIMIT_MS
    )

    page.get_by_test_id("stMain").get_by_role("button", name="Stop", exact=True).click()

    expect(page.get_by_text(re.compile(r"^Stopped after \d+ of 1500 steps\."))).to_be_visible(timeout=PAINT_LIMIT_MS)
    expect(page.get_by_role("button", name="Continue")).to_be_visible()


def test_a_run_of_the_page_meanwhile_sees_no_steps_without_their_insight(monkeypatch: pytest.MonkeyPatch) -> None:
    view = BreakItView(spec("p4-knight"), "knight", load_gallery("knight"), (32, 33), Element(90.0), 0, 3, 0.03)
    job = TrainingJob(view)
    seen: list[list[int]] = []
    insight = Training.insight

    def noted(training: Training) -> Any:
        seen.append([len(size.steps) for size in job.parts])
        return insight(training)

    monkeypatch.setattr(Training, "insight", noted)

    job.advance(lambda: True)

    assert seen[0] == [0, 0]
    assert [(len(size.steps), size.insight is not None) for size in job.parts] == [(1, True), (1, True)]
