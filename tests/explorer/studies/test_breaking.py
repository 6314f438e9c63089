"""Training to break: what is exact cannot be told apart, what is not can; and the one sentence for each refusal."""

import importlib.util
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from equivariance.errors import EquivarianceError, WeightsError
from equivariance.groups.acting import transform_picture
from equivariance.groups.point_groups import D4, Element
from equivariance.groups.transforms import elements_to_measure
from explorer.commands.main import main
from explorer.figures.breaking import accuracies, answers, errors, insight, limits, losses, pictures
from explorer.pictures.fitting import fit
from explorer.pictures.images import load_gallery
from explorer.serving.engine import Engine, network_spec
from explorer.serving.weights import Weights
from explorer.settings import Settings
from explorer.studies.breaking import (
    LN_2,
    Attempt,
    Outcome,
    TrainedStep,
    Training,
    default_learning_rate,
    most_steps,
    pair_of,
    predicted_by_theory,
)
from tests.support import ROOT
from tests.support.seeded_weights import weights_of_seed

SEEDS = (0, 1, 2, 3)
LEARNT = 0.62


def knight(size_px: int) -> Tensor:
    return fit(load_gallery("knight"), height_px=size_px, width_px=size_px, how="resize")


def attempt(
    name: str = "p4-knight",
    size_px: int = 32,
    *,
    seed: int = 0,
    steps: int = 600,
    element: str = "rot90",
    rate: float | None = None,
    weights: Weights | None = None,
    **options: Any,
) -> Attempt:
    network = network_spec(name, **options)
    return Attempt(network, knight(size_px), Element.parse(element), seed, steps, rate, weights)


def losses_of(tried: Attempt) -> list[float]:
    return [step.loss for step in Training(tried)]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Settings(device="cpu"))


# ------------------------------------------------------------------------------------------------------------- weights


def test_training_starts_from_given_weights_with_a_classifier_of_its_own() -> None:
    network = network_spec("p4-cnn", minimum_width=True)
    weights = weights_of_seed(network, 1)  # of ten classes

    def first_filters(tried: Attempt) -> Tensor:
        training = Training(tried)
        next(iter(training))
        return training.insight().filters

    given, drawn, other = (
        first_filters(Attempt(network, knight(28), seed=seed, steps=1, weights=each))
        for seed, each in ((0, weights), (1, None), (0, None))
    )
    assert torch.equal(given, drawn) and not torch.equal(given, other)
    first = next(iter(Training(Attempt(network, knight(28), steps=1, weights=weights))))
    assert first.loss == pytest.approx(LN_2, abs=0.1)


def test_weights_of_another_network_are_one_sentence() -> None:
    tried = attempt(weights=weights_of_seed(network_spec("p4-cnn", minimum_width=True), 0))
    with pytest.raises(WeightsError, match=r"another network: conv\.weight is missing"):
        Training(tried)


# ------------------------------------------------------------------------------------------------------ what is learnt


@pytest.mark.parametrize("seed", SEEDS)
def test_an_approximate_network_learns_to_break(seed: int) -> None:
    assert losses_of(attempt(seed=seed, steps=300))[-1] < LEARNT


@pytest.mark.parametrize("seed", SEEDS)
def test_an_exact_network_never_falls_below_ln_2_and_ends_there(seed: int) -> None:
    found = losses_of(attempt(size_px=33, seed=seed, steps=300))

    assert min(found) >= math.log(2) - 1e-6
    assert found[-1] == pytest.approx(math.log(2), abs=1e-4)


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_a_mended_network_is_unbreakable_at_the_size_that_breaks_it(seed: int) -> None:
    found = losses_of(attempt(seed=seed, steps=300, subsampling="symmetric"))

    assert min(found) >= math.log(2) - 1e-6
    assert found[-1] == pytest.approx(math.log(2), abs=1e-4)


@pytest.mark.parametrize(
    ("tried", "breaks"),
    [
        (attempt("p4m-knight", 32, steps=300, element="mirror"), True),
        (attempt("p4m-knight", 32, steps=300, element="mirror_rot90"), False),  # a transposition reverses no axis
        (attempt("p4m-knight", 33, steps=300, element="mirror"), False),
        (attempt("z2-knight", 33, steps=300), True),
        (attempt("c4-knight", 33, steps=300), False),
        (attempt("p4-resnet18", 32, steps=40, rate=0.003, minimum_width=True), True),
        (attempt("p4-resnet18", 33, steps=40, rate=0.003, minimum_width=True), False),
        (attempt("p4-resnet18", 32, steps=40, rate=0.003, minimum_width=True, subsampling="symmetric"), False),
    ],
    ids=lambda value: (
        f"{value.network.name}-{value.size_px}-{value.element.name}-{value.network.subsampling}"
        if isinstance(value, Attempt)
        else ""
    ),
)
def test_training_breaks_what_theory_calls_broken_and_nothing_else(
    tried: Attempt, breaks: bool, engine: Engine
) -> None:
    predicted, _ = predicted_by_theory(engine, tried)
    found = losses_of(tried)

    assert (predicted != "exact") == breaks
    assert (found[-1] < LEARNT) == breaks
    assert breaks or min(found) >= math.log(2) - 1e-6
    assert Outcome(predicted, tuple(found)).verdict == ("broken" if breaks else "unbreakable")


def test_the_first_result_comes_before_any_update_and_starts_near_ln_2() -> None:
    steps = list(Training(attempt(steps=3)))

    assert [step.step for step in steps] == [0, 1, 2, 3]
    assert steps[0].loss == pytest.approx(0.7, abs=0.01)  # the paper's 0.700


def test_the_loss_is_the_cross_entropy_of_the_two_answers() -> None:
    for step in Training(attempt(seed=1, steps=100)):
        upright, transformed = step.answers
        assert step.loss == pytest.approx(-(math.log(1 - upright) + math.log(transformed)) / 2, rel=1e-4)
        assert step.accuracy == ((upright < 0.5) + (transformed > 0.5)) / 2


def test_an_exact_network_guesses_at_every_step() -> None:
    assert {step.accuracy for step in Training(attempt(size_px=33, steps=600))} == {0.5}


def test_the_same_seed_gives_the_same_losses_and_leaves_the_global_generator() -> None:
    state = torch.get_rng_state()

    assert losses_of(attempt(steps=5)) == losses_of(attempt(steps=5))
    assert losses_of(attempt(steps=5)) != losses_of(attempt(steps=5, seed=1))
    assert torch.equal(torch.get_rng_state(), state)


# ------------------------------------------------------------------------------------------------ what the network sees


@pytest.mark.parametrize(
    ("network", "head"), [("p4-cnn", ""), ("p4-cnn", "maximum-first"), ("so2-cnn", ""), ("z2-cnn", "")]
)
def test_the_means_of_the_evidence_are_the_differences_of_the_logits(network: str, head: str) -> None:
    training = Training(attempt(network, 33, steps=3, minimum_width=True, head=head))
    for step in training:
        seen = training.insight()
        odds = [math.log(answer / (1 - answer)) for answer in step.answers]
        assert seen.evidence.mean((1, 2)).tolist() == pytest.approx(odds, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize(("size_px", "agrees"), [(33, True), (32, False)])
def test_evidence_turned_back_agrees_in_exact_networks_only(size_px: int, agrees: bool) -> None:
    training = Training(attempt(size_px=size_px, steps=100))
    for _ in training:
        upright, returned = training.insight().evidence

    difference = float((upright - returned).norm() / upright.norm())
    assert difference < 1e-5 if agrees else difference > 0.1


@pytest.mark.parametrize(
    ("name", "count"), [("p4-knight", 4), ("p4m-knight", 8), ("z2-knight", 2), ("c4-knight", 4), ("so2-knight", 7)]
)
def test_filters_of_every_kind_are_shown(name: str, count: int) -> None:
    training = Training(attempt(name, steps=1))
    next(iter(training))
    filters = training.insight().filters

    assert filters.shape == (count, 3, 3)
    if name == "p4-knight":
        assert torch.equal(filters[1], filters[0].rot90())
    assert insight(training.insight()).to_json()  # drawn, whatever their number


# --------------------------------------------------------------------------------------------------- theory and verdict


@pytest.mark.parametrize(
    ("predicted", "last", "verdict", "words"),
    [
        ("approximate", 0.1, "broken", "as theory says"),
        ("exact", LN_2, "unbreakable", "no weights can"),
        ("approximate", LN_2, "unbreakable", "proves nothing"),
        ("exact", 0.1, "broken", "a bug or a discovery"),
    ],
)
def test_theory_and_training_are_compared(predicted: str, last: float, verdict: str, words: str) -> None:
    outcome = Outcome(predicted, (0.7, last))

    assert outcome.verdict == verdict
    assert words in outcome.sentence
    assert outcome.contradicts == ("discovery" in words)


def test_a_plain_network_is_predicted_not_equivariant(engine: Engine) -> None:
    assert predicted_by_theory(engine, attempt("z2-knight", 33))[0] == "not equivariant"


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: attempt(steps=0), "give 1 to"),
        (lambda: attempt(steps=10**9), "give 1 to 20000"),
        (lambda: attempt("p4-resnet18", 224), "600 steps of p4-resnet18 at 224 px are not accepted: give 1 to 39."),
        (lambda: attempt(rate=0.0), "learning rate of 0 is not accepted"),
        (lambda: attempt(rate=math.nan), "learning rate of nan is not accepted"),
        (lambda: attempt(element="mirror"), "give one of rot90, rot180, rot270"),
        (lambda: attempt(element="rot45"), "give one of rot90, rot180, rot270"),
        (lambda: attempt(head="no-pooling"), "leave group pooling on"),
        (lambda: attempt("c4-knight", subsampling="symmetric"), "choose a p4 or p4m network"),
        (lambda: Attempt(network_spec("p4-knight"), torch.full((3, 32, 32), 0.5)), "does not change under rot90"),
        (lambda: Attempt(network_spec("p4-knight"), torch.rand(3, 32, 33)), "give a square size"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_sentence(make: Callable[[], Attempt], words: str) -> None:
    with pytest.raises(EquivarianceError) as refusal:
        Training(make())

    message = str(refusal.value)
    assert words in message and message.endswith(".") and "\n" not in message


@pytest.mark.parametrize(("value", "words"), [(math.nan, "NaN"), (math.inf, "infinite")])
def test_a_loss_that_is_not_a_number_is_one_sentence(value: float, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "explorer.studies.breaking.functional.cross_entropy", lambda logits, right: 0 * logits.sum() + value
    )

    with pytest.raises(EquivarianceError, match=f"^The loss became {words} after 0 steps: give a smaller learning"):
        next(iter(Training(attempt())))


def test_deep_networks_have_a_tighter_bound_and_a_smaller_rate() -> None:
    shallow, deep = network_spec("p4-knight"), network_spec("p4-resnet18")

    assert (most_steps(shallow, 32), most_steps(deep, 32)) == (20_000, 1953)
    assert most_steps(deep, 4096) == 1
    assert (default_learning_rate(shallow), default_learning_rate(deep)) == (0.03, 0.001)


# ------------------------------------------------------------------------------------------------------------- figures


RUN = [TrainedStep(0, 0.7, 0.5, (0.5, 0.5)), TrainedStep(1, 0.3, 1.0, (0.2, 0.9))]


def test_curves_show_the_numbers_of_the_steps() -> None:
    runs = {"32 px": RUN, "33 px": RUN[:1]}

    assert list(losses(runs).data[0].y) == [0.7, 0.3]
    assert losses(runs).layout.shapes[0].y0 == LN_2
    assert list(accuracies(runs).data[0].y) == [0.5, 1.0]
    assert [list(line.y) for line in answers(runs).data[:2]] == [[0.5, 0.2], [0.5, 0.9]]
    assert {line.line.dash for line in losses(runs).data} == {"solid", "dash"}


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    steps = [TrainedStep(number, 0.7, 0.5, (0.5, 0.5)) for number in range(5001)]
    shown = losses({"32 px": steps}).data[0].x

    assert len(shown) < 500
    assert (shown[0], shown[-1]) == (0, 5000)


def test_evidence_shares_one_scale_and_filters_another() -> None:
    training = Training(attempt(steps=1))
    next(iter(training))
    seen = training.insight()
    maps = [trace for trace in insight(seen).data if trace.type == "heatmap"]

    evidence_limit, filters_limit = limits(seen)
    assert evidence_limit == float(seen.evidence.abs().max())
    assert [trace.zmax for trace in maps] == [evidence_limit] * 2 + [filters_limit] * 4
    assert np.array_equal(np.asarray(maps[0].z), seen.evidence[0].flip(0).numpy())


def test_an_error_of_zero_is_drawn_at_the_floor() -> None:
    assert list(errors({"33 px": [0.0, 1e-3]}).data[0].y) == [1e-17, 1e-3]


def test_two_pictures_are_drawn_as_they_are() -> None:
    start, found = pictures(torch.zeros(3, 4, 4), torch.ones(3, 4, 4)).data

    assert np.asarray(start.z).max() == 0 and np.asarray(found.z).min() == 255


# ----------------------------------------------------------------------------------------------------------- the knight


def test_the_knight_is_the_drawing_of_its_script() -> None:
    path = ROOT / "assets" / "drawings" / "knight.py"
    module_spec = importlib.util.spec_from_file_location("knight", path)
    assert module_spec is not None and module_spec.loader is not None
    drawing = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(drawing)

    with Image.open(ROOT / "assets" / "pictures" / "knight.png") as stored:
        assert stored.mode == "L"
        difference = np.abs(np.asarray(stored, dtype=int) - np.asarray(drawing.draw(), dtype=int))
    assert difference.max() <= 2  # other versions of Pillow may round otherwise


@pytest.mark.parametrize("element", D4.pixel_exact_elements[1:], ids=lambda element: element.name)
def test_the_knight_differs_from_each_of_its_transforms(element: Element) -> None:
    picture = knight(32)

    assert float((transform_picture(picture, element) - picture).abs().mean()) > 0.1


def test_the_pair_is_the_picture_and_its_transform() -> None:
    picture = knight(8)
    pair = pair_of(picture, Element(90.0))

    assert torch.equal(pair[0], picture)
    assert torch.equal(pair[1], picture.rot90(dims=(1, 2)))


def test_every_group_offers_a_transform() -> None:
    for name in ("z2", "p4", "p4m", "c4", "d4", "c8", "d8", "so2"):
        assert elements_to_measure(network_spec(f"{name}-knight").point_group)[0] == Element(90.0)


# ---------------------------------------------------------------------------------------------------------- the command


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(("break", *arguments))
    return (status, *capsys.readouterr())


@pytest.mark.parametrize(
    ("size", "predicted", "verdict"), [("32", "approximate", "broken"), ("33", "exact", "unbreakable")]
)
def test_the_command_prints_one_document(
    capsys: pytest.CaptureFixture[str], size: str, predicted: str, verdict: str
) -> None:
    status, out, _ = run(capsys, "--network", "p4-knight", "--size", size, "--steps", "300", "--json")

    document = json.loads(out)
    assert status == 0
    assert (document["network"], document["size_px"], document["steps"]) == ("p4-knight", int(size), 300)
    assert (document["predicted"], document["verdict"]) == (predicted, verdict)
    assert (document["first_loss"], document["last_loss"]) == (document["losses"][0], document["losses"][-1])
    assert len(document["losses"]) == 301
    assert document["losses"] == losses_of(attempt(size_px=int(size), steps=300))


def test_the_command_without_json_is_a_table_with_both_words(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--network", "p4-knight", "--size", "33", "--steps", "20", "--transform", "rot180")

    assert status == 0
    assert "step  loss    accuracy" in out
    assert "Predicted: exact. Training: unbreakable." in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--network", "net.py:make", "--size", "32"), "'net.py:make'"),
        (("--network", "p4-knight", "--size", "30x33"), "give a square size"),
        (("--network", "p4-knight", "--size", "32", "--transform", "shift_1_1"), "shift_1_1 is a shift"),
        (("--network", "p4-knight", "--size", "32", "--steps", "0"), "0 steps"),
        (("--network", "p4-cnn", "--size", "4", "--steps", "1"), "cannot take 4×4 px"),
        (("--network", "p4-knight", "--size", "9999"), "at most 512 px"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    status, out, problem = run(capsys, *arguments)

    assert (status, out) == (2, "")
    assert words in problem and problem.count("\n") == 1
