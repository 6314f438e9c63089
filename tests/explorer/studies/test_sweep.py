"""Sweeps over sizes: theory's exact sizes, measured, and ranges that are refused."""

import dataclasses

import pytest

from equivariance.errors import SizeError
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.measurement.verdict import judge
from equivariance.theory.exactness import predict
from explorer.pictures.images import GALLERY, Picture, load_gallery
from explorer.serving.engine import Engine, Inspection
from explorer.settings import Settings
from explorer.studies.sweep import MAX_SIZES, SizeResult, Sweep, check_work, size_result, sweep_sizes
from models.catalog import spec

NETWORK = spec("p4-resnet18", minimum_width=True)
CNN = spec("p4-cnn", minimum_width=True)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Settings(device="cpu", max_size_px=64))


@pytest.fixture(scope="module")
def picture() -> Picture:
    return load_gallery(GALLERY[0].name)


@pytest.fixture(scope="module")
def results(engine: Engine, picture: Picture) -> list[SizeResult]:
    return list(sweep_sizes(engine, Sweep(NETWORK, 24, 40, picture, dtype="float64")))


def test_there_is_one_result_for_every_size_in_order(results: list[SizeResult]) -> None:
    assert [result.size_px for result in results] == list(range(24, 41))


def test_exactly_25_and_33_px_are_predicted_exact(results: list[SizeResult]) -> None:
    # Three strides of 2, kernel 3, padding 1: a side n stays centred if n is odd, (n + 1) / 2 is odd, and once more.
    expected = [side for side in range(24, 41) if side % 8 == 1]
    assert [result.size_px for result in results if result.predicted] == expected == [25, 33]


def test_measured_errors_are_rounding_where_predicted_and_far_above_elsewhere(results: list[SizeResult]) -> None:
    for result in results:
        assert result.error is not None
        assert result.error < ROUNDING_LEVEL["float64"] if result.predicted else result.error > 1e-4, result


def test_first_broken_layer_is_the_first_stride_that_meets_an_even_side(results: list[SizeResult]) -> None:
    first = {result.size_px: result.first_broken_layer for result in results}

    assert first[32] == "stage2.block1.conv1"  # 32 is even
    assert first[31] == "stage3.block1.conv1"  # 31 → 16
    assert first[29] == "stage4.block1.conv1"  # 29 → 15 → 8
    assert first[33] is None


def test_without_a_picture_nothing_is_measured(engine: Engine, results: list[SizeResult]) -> None:
    predicted = sweep_sizes(engine, Sweep(NETWORK, 24, 40, dtype="float64"))
    assert list(predicted) == [dataclasses.replace(result, error=None, layer_errors={}) for result in results]


def test_one_size_is_a_range(engine: Engine, picture: Picture) -> None:
    (result,) = sweep_sizes(engine, Sweep(CNN, 28, 28, picture, dtype="float64"))
    assert (result.size_px, result.predicted, result.first_broken_layer) == (28, True, None)


@pytest.mark.parametrize(("first_px", "last_px"), [(33, 32), (0, 8), (-4, 8), (8, 8 + MAX_SIZES)])
def test_empty_or_overlong_range_names_the_range_and_the_bound(engine: Engine, first_px: int, last_px: int) -> None:
    with pytest.raises(SizeError, match=rf"The range {first_px} to {last_px} px .* at most {MAX_SIZES} sizes\.$"):
        sweep_sizes(engine, Sweep(CNN, first_px, last_px))


def test_longest_range_is_accepted(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.studies.sweep.MAX_SIZES", 5)
    assert len(list(sweep_sizes(engine, Sweep(CNN, 8, 12)))) == 5


def test_sizes_below_the_smallest_are_left_out(engine: Engine) -> None:
    assert [result.size_px for result in sweep_sizes(engine, Sweep(CNN, 1, 9))] == [8, 9]


def test_range_below_the_smallest_names_the_smallest(engine: Engine) -> None:
    with pytest.raises(SizeError, match=r"cannot take 7 px: give a range that reaches at least 8 px\.$"):
        sweep_sizes(engine, Sweep(CNN, 3, 7))


def test_errors_by_layer_begin_where_theory_says(results: list[SizeResult]) -> None:
    for result in results:
        names = list(result.layer_errors)
        first = names.index(result.broken_layers[0]) if result.broken_layers else len(names)
        errors = list(result.layer_errors.values())
        assert all(error < ROUNDING_LEVEL["float64"] for error in errors[:first])
        assert all(error > 1e-4 for error in errors[first : first + 1])


def test_sizes_are_measured_one_after_the_other(engine: Engine, picture: Picture) -> None:
    told: list[float] = []
    results = sweep_sizes(engine, Sweep(CNN, 28, 30, picture), progress=told.append)
    assert told == []
    next(results)
    once = len(told)
    next(results)
    assert once > 10 and len(told) == 2 * once


def test_size_above_the_maximum_is_refused_before_anything_is_measured(
    engine: Engine, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "inspect", lambda *_, **__: pytest.fail("measured"))
    with pytest.raises(SizeError, match=r"65×65 px is more .* at most 64 px a side, or raise EXPLORER_MAX_SIZE_PX\.$"):
        sweep_sizes(engine, Sweep(CNN, 60, 65, picture))


def test_theory_and_measurement_agree_at_every_size(results: list[SizeResult]) -> None:
    assert {(*result.disagreements, *result.unseen, result.undecided) for result in results} == {(False,)}


def answer_with_the_theory_of(side_px: int, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever size the engine measures."""
    inspect = Engine.inspect

    def wrong(self: Engine, *arguments: object, **options: object) -> Inspection:
        found = inspect(self, *arguments, **options)  # type: ignore[arg-type]
        structure = engine.served(NETWORK, 0, "float64").structure
        prediction = predict(structure, height_px=side_px, width_px=side_px)
        return dataclasses.replace(found, prediction=prediction, verdict=judge(prediction, found.measurement))

    monkeypatch.setattr(Engine, "inspect", wrong)


def test_a_theory_that_is_wrong_disagrees_in_every_turn_and_from_the_broken_layer_on(
    engine: Engine, picture: Picture, results: list[SizeResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with_the_theory_of(33, engine, monkeypatch)
    right = next(result for result in results if result.size_px == 32)
    wrong = size_result(engine, Sweep(NETWORK, 32, 32, picture, dtype="float64"), 32)

    layers = list(right.layer_errors)
    from_the_break = layers[layers.index("stage2.block1.conv1") :]
    assert wrong.predicted
    assert list(wrong.disagreements) == ["⟲ 90°", "⟲ 180°", "⟲ 270°", *from_the_break]
    assert max(wrong.disagreements.values()) == pytest.approx(right.error)


def test_a_break_that_the_picture_does_not_show_is_unseen(
    engine: Engine, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with_the_theory_of(32, engine, monkeypatch)
    result = size_result(engine, Sweep(NETWORK, 33, 33, picture, dtype="float64"), 33)

    assert (result.unseen, result.disagreements) == (("⟲ 90°", "⟲ 180°", "⟲ 270°"), {})


@pytest.mark.parametrize(("first_px", "last_px", "end_px"), [(3, 6, 5), (4, 9, 5), (9, 10, 9)])
def test_too_much_work_names_the_bound_and_the_last_size_within(first_px: int, last_px: int, end_px: int) -> None:
    with pytest.raises(SizeError, match=rf"{first_px} to {last_px} px .* at most 50 pixels in all, so end at {end_px}"):
        check_work(first_px, last_px, max_pixels=50)  # 9 + 16 + 25 = 50


@pytest.mark.parametrize(("first_px", "last_px"), [(3, 5), (4, 5), (9, 9)])
def test_work_within_the_bound_and_a_single_size_are_accepted(first_px: int, last_px: int) -> None:
    check_work(first_px, last_px, max_pixels=50)
