"""What is written down of a run: CSV, configuration, report."""

import csv
import io
import json
from dataclasses import replace

from explorer.runs.report import Drawn, configuration_json, metrics_csv, report_html, summary
from explorer.runs.run import Run
from explorer.training.metrics import ANGLES_DEG, Epoch
from explorer.training.recipe import Recipe, recipe_of
from tests.support.stores import FACTS, TINY, an_epoch

ANGLES = tuple(number / 100 for number in range(len(ANGLES_DEG)))


def epochs() -> tuple[Epoch, ...]:
    return an_epoch(0), an_epoch(1, loss=0.1 + 0.2), replace(an_epoch(2), angles=ANGLES, errors={"logits": 1e-30})


def a_run(recipe: Recipe = TINY, name: str = "mine") -> Run:
    return Run(
        id="abc",
        name=name,
        state="finished",
        recipe=recipe,
        created_s=0.0,
        started_s=1.0,
        ended_s=86_461.0,
        progress=None,
        device="CPU · 2 threads",
        facts=FACTS,
        error="",
        position=None,
        is_mine=True,
        is_stopping=False,
        is_deleted=False,
    )


def test_the_csv_has_every_number_of_every_epoch_in_all_digits() -> None:
    rows = list(csv.DictReader(io.StringIO(metrics_csv(epochs()))))

    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert [row["train_loss"] for row in rows] == ["", repr(0.1 + 0.2), "1.5"]
    assert (rows[0]["accuracy_identity"], rows[0]["accuracy_unseen_turns"]) == ("0.75", "0.25")
    assert [row["accuracy_20_deg"] for row in rows] == ["", "", "0.02"]
    assert float(rows[2]["accuracy_36_angles"]) == sum(ANGLES) / 36
    assert [row["error_logits"] for row in rows] == ["2e-07", "2e-07", "1e-30"]
    assert [row["error_conv"] for row in rows] == ["1e-07", "1e-07", ""]


def test_the_configuration_gives_the_recipe_back_and_says_what_was_found() -> None:
    document = json.loads(configuration_json(a_run()))

    assert recipe_of(document["recipe"]) == TINY
    assert document["facts"]["data_sha256"] == FACTS.data_sha256
    assert (document["started"], document["ended"]) == ("1970-01-01 00:00:01 UTC", "1970-01-02 00:01:01 UTC")
    assert "is_mine" not in document


def test_the_report_says_the_numbers_and_takes_no_text_as_markup() -> None:
    text = report_html(
        a_run(name="<b>mine"),
        "<b>mine",
        epochs(),
        [Drawn("A figure", "<svg></svg>", "Words & more")],
        command="run <it>",
    )

    assert text.count("<b>") == 0 and "&lt;b&gt;mine" in text
    assert "<svg></svg>" in text and "Words &amp; more" in text and "run &lt;it&gt;" in text
    assert "<td class='number'>75.0%</td>" in text
    assert "recipe.network" in text and "One picture was skipped." in text


def test_a_run_without_epochs_is_summed_up_too() -> None:
    assert summary(a_run(), ()).endswith("No epoch has been evaluated yet.")
    assert "upright 75.0%, mean of the three other quarter turns 25.0%" in summary(a_run(), epochs())


def test_a_loss_that_is_not_a_number_is_shown_as_nan_or_infinite() -> None:
    lost = an_epoch(1, loss=float("nan")), an_epoch(2, loss=float("inf"))

    html = report_html(a_run(), "mine", lost, [], command="")

    assert [html.count(f">{word}</td>") for word in ("NaN", "infinite")] == [1, 1]
