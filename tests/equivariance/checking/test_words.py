"""A decision in words: one case for each sentence."""

import math
from typing import Any

import pytest

from equivariance.checking.words import reason_of, remedy_of, sentence_of
from equivariance.following.code_lines import CodeLine
from equivariance.groups.point_groups import D4, group_called
from equivariance.layers.windows import AxisWindow
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED, AxisSampling
from equivariance.theory.proof import NotFollowed
from equivariance.theory.reasons import ALONG_ONE_SIDE, LISTED
from tests.equivariance.checking.made import TURNS, decision_of, part_of, proof_of, seen_of

LINE = CodeLine("/somewhere/net.py", 12)
UNKNOWN = NotFollowed("sharpen", "stem", LINE, "theory does not know this operation")
STRIDE = tuple(AxisSampling(AxisWindow("conv", 3, 2, 1, 0, False), 10, 4, 0, 0) for _ in range(2))
NO_STRIDE = tuple(AxisSampling(AxisWindow("conv", 2, 1, 1, 0, False), 10, 9, 0, 0) for _ in range(2))


@pytest.mark.parametrize(
    ("proof", "error", "sentence"),
    [
        (proof_of(EXACT), 0.0, "Exactly equivariant to quarter turns at 9 px."),
        (proof_of(BROKEN), 0.3, "Approximately equivariant to quarter turns at 9 px."),
        (proof_of(BROKEN, by_weights=True), 0.3, "Not equivariant to quarter turns at 9 px."),
        (proof_of(EXACT), 0.3, "Undecided whether equivariant to quarter turns at 9 px."),
        (proof_of(EXACT, width_px=12), 0.0, "Exactly equivariant to quarter turns at 9×12 px."),
        (
            proof_of(UNDECIDED, not_followed=(UNKNOWN, UNKNOWN, UNKNOWN)),
            0.0,
            "Exactly equivariant to quarter turns at 9 px, as measured on a picture and not proven: sharpen in stem at "
            "net.py:12 and sharpen in stem at net.py:12 could not be followed.",
        ),
        (
            proof_of(UNDECIDED),
            0.0,
            "Exactly equivariant to quarter turns at 9 px, as measured on a picture and not proven.",
        ),
        (proof_of(UNDECIDED, not_followed=(UNKNOWN,)), 0.3, "Not equivariant to quarter turns at 9 px."),
    ],
)
def test_the_verdict_is_one_sentence(proof: Any, error: float, sentence: str) -> None:
    assert sentence_of(decision_of(proof, seen_of(error))) == sentence


def test_what_it_is_equivariant_to_depends_on_the_group() -> None:
    def what(group: Any) -> str:
        names = [element.name for element in group.pixel_exact_elements[1:]]
        return sentence_of(decision_of(proof_of(dict.fromkeys(names, EXACT)), group=group))

    assert what(D4) == "Exactly equivariant to quarter turns and mirrors at 9 px."
    assert what(group_called("C2")) == "Exactly equivariant to half turns at 9 px."
    assert what(group_called("D1")) == "Exactly equivariant to mirrors at 9 px."


def test_a_group_that_moves_no_pixels_to_pixels_is_undecided() -> None:
    three = group_called("C3")
    base = "Undecided at 9 px: C3 has no quarter turn, half turn or mirror that moves pixels to pixels"
    assert sentence_of(decision_of(proof_of({}), group=three)) == f"{base}."
    measured = decision_of(proof_of({}), seen_of({"a": 0.02, "b": 0.25}), group=three)
    assert sentence_of(measured) == f"{base}; with resampled turns, errors are up to 2.5e-01."
    assert reason_of(measured).startswith("Resampling changes a picture by itself")
    assert remedy_of(measured) == ""


@pytest.mark.parametrize(
    ("proof", "seen", "reason"),
    [
        (
            proof_of(EXACT),
            seen_of(0.5),
            "Theory and measurement disagree: theory proves ⟲ 90° exact, but the measurement finds an error of "
            "5.0e-01. Neither is believed.",
        ),
        (
            proof_of(BROKEN),
            seen_of(0.0, insensitive=True),
            "The output is the same for every picture that was tried, so it shows nothing.",
        ),
        (proof_of(BROKEN), seen_of(math.nan), "The output holds NaN, so nothing can be compared."),
        (proof_of(EXACT), None, "Every operation commutes with every element."),
        (
            proof_of(EXACT, together=("a", "b")),
            None,
            "The network as a whole commutes with every element; a and b do not alone, and undo each other.",
        ),
        (
            proof_of(EXACT),
            seen_of(1e-16),
            "Every operation commutes; the largest error, 1.0e-16, is the rounding of float64.",
        ),
        (
            proof_of(EXACT, together=("a", "b", "c")),
            seen_of(0.0),
            "The network as a whole commutes; the largest error, 0.0e+00, is the rounding of float64; a and b do not "
            "alone, and undo each other.",
        ),
        (
            proof_of(EXACT, together=("a",)),
            seen_of(0.0),
            "The network as a whole commutes; the largest error, 0.0e+00, is the rounding of float64; a alone does "
            "not, and what comes after it makes up for that.",
        ),
        (
            proof_of(UNDECIDED),
            seen_of(1e-16),
            "Measured, not proven; the largest error, 1.0e-16, is the rounding of float64.",
        ),
        (
            proof_of(BROKEN, part_of(BROKEN, why="it pads")),
            seen_of(0.3),
            "First broken at 0 (9 → 7 px): it pads.",
        ),
        (
            proof_of(
                {"rot90": BROKEN, "rot180": EXACT, "rot270": BROKEN},
                part_of(BROKEN, why="it pads"),
                part_of(BROKEN),
            ),
            seen_of({"rot90": 0.3, "rot180": 0.0, "rot270": 0.3}),
            "First broken at 0 (9 → 7 px): it pads. 2 layers break. Still exact: ⟲ 180°.",
        ),
        (proof_of(BROKEN, by_weights=True, unpooled="It is not pooled."), seen_of(0.3), "It is not pooled."),
        (
            proof_of(UNDECIDED, not_followed=(UNKNOWN,)),
            seen_of(0.3),
            "Theory could not follow sharpen in stem at net.py:12: theory does not know this operation. The "
            "measurement finds errors up to 3.0e-01.",
        ),
        (
            proof_of(UNDECIDED, not_followed=(UNKNOWN,)),
            None,
            "Theory could not follow sharpen in stem at net.py:12: theory does not know this operation.",
        ),
        (
            proof_of(UNDECIDED),
            None,
            "Theory finds no layer that breaks and no proof either; nothing could be compared.",
        ),
        (
            proof_of(UNDECIDED),
            seen_of(0.3),
            "Theory finds no layer that breaks and no proof either; errors are up to 3.0e-01.",
        ),
    ],
)
def test_the_reason_is_what_decided(proof: Any, seen: Any, reason: str) -> None:
    assert reason_of(decision_of(proof, seen)) == reason


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (part_of(BROKEN, kind="Retyped"), " (9 → 7 px): it restricts its fields to a smaller group"),
        (
            part_of(BROKEN, weight_error=math.nan, cause="weights"),
            " (9 → 7 px): its weights hold NaN or infinity, which no size mends",
        ),
        (
            part_of(BROKEN, weight_error=0.25, cause="weights"),
            " (9 → 7 px): its weights differ from their own transform by up to 25%, so no size makes it equivariant",
        ),
        (
            part_of(BROKEN, weight_error=0.25, cause="places", why="it adds numbers"),
            " (9 → 7 px): it adds numbers, and these differ from their own transform by up to 25%",
        ),
        (part_of(BROKEN), " (9 → 7 px): it treats height and width, or their ends, differently"),
        (part_of(BROKEN, sampling=STRIDE, why="it rolls"), " (9 → 7 px): it rolls"),
        (
            part_of(BROKEN, sampling=STRIDE, in_hw=(10, 12), out_hw=(4, 5)),
            " (10×12 → 4×5 px): kernel 3, stride 2, remainder 1, displaced by −0.5 px",
        ),
        (part_of(BROKEN, in_hw=(1, 1), out_hw=(1, 1), why="it sorts"), ": it sorts"),
        (
            part_of(BROKEN, module_name="", place=LINE, block="stem", why="it pads"),
            " (in stem; 9 → 7 px; net.py:12): it pads",
        ),
        (part_of(BROKEN, place=LINE, why="it pads"), " (9 → 7 px): it pads"),
    ],
)
def test_the_first_layer_that_breaks_is_named_with_its_reason(part: Any, words: str) -> None:
    reason = reason_of(decision_of(proof_of(BROKEN, part), seen_of(0.3)))
    assert reason.startswith("First broken at 0" + words.split(", displaced")[0])


@pytest.mark.parametrize(
    ("proof", "error", "remedy"),
    [
        (proof_of(EXACT), 0.0, ""),
        (
            proof_of(UNDECIDED, not_followed=(UNKNOWN,)),
            None,
            "Teach theory the operation with equivariance.theory.handle, or use operations that it knows.",
        ),
        (proof_of({"rot90": EXACT, "rot180": UNDECIDED, "rot270": EXACT}, not_followed=(UNKNOWN,)), 0.3, ""),
        (proof_of(BROKEN, part_of(BROKEN), part_of(BROKEN, cause="weights"), by_weights=True), 0.3, ""),
        (
            proof_of(BROKEN, part_of(BROKEN, cause="flattened"), by_weights=True),
            0.3,
            "Take the mean over all places before it, or a convolution in its place.",
        ),
        (
            proof_of(BROKEN, part_of(BROKEN, cause="places"), by_weights=True),
            0.3,
            "Make these numbers symmetric about the centre, or leave them out.",
        ),
        (
            proof_of(BROKEN, part_of(BROKEN, cause="grid", sampling=STRIDE)),
            0.3,
            "Or switch on symmetric subsampling.",
        ),
        (
            proof_of(BROKEN, part_of(BROKEN, cause="grid", sampling=NO_STRIDE)),
            0.3,
            "Or cut, pad and move both ends of both sides alike.",
        ),
        (proof_of(BROKEN, part_of(BROKEN, cause="grid")), 0.3, "Or cut, pad and move both ends of both sides alike."),
        (
            proof_of(BROKEN, part_of(BROKEN, cause="grid", why=ALONG_ONE_SIDE)),
            0.3,
            "Or work along both sides of the maps, or along neither.",
        ),
        (
            proof_of(BROKEN, unpooled=LISTED, by_weights=True),
            0.3,
            "Give it as maps (B, C, H, W), or take the mean over all places.",
        ),
        (
            proof_of(BROKEN, unpooled="the group is not pooled.", by_weights=True),
            0.3,
            'Pool the group before the output, by its maximum or mean, or say output="regular" if that is meant.',
        ),
        (
            proof_of(BROKEN, unpooled="It turns with the picture.", by_weights=True),
            0.3,
            "Say with output= what the output is meant to be.",
        ),
        (proof_of(EXACT, unpooled="It turns with the picture."), 0.0, ""),
        (proof_of(UNDECIDED, unpooled="It turns."), None, ""),
    ],
)
def test_the_remedy_fits_the_cause(proof: Any, error: float | None, remedy: str) -> None:
    assert remedy_of(decision_of(proof, seen_of(error))) == remedy


def test_a_layer_that_does_not_move_its_grid_by_strides_has_another_remedy_than_one_that_does() -> None:
    first_strides = proof_of(BROKEN, part_of(BROKEN, cause="grid", sampling=STRIDE), part_of(BROKEN, cause="grid"))
    second_strides = proof_of(BROKEN, part_of(BROKEN, cause="grid"), part_of(BROKEN, cause="grid", sampling=STRIDE))
    assert remedy_of(decision_of(first_strides, seen_of(0.3))) == "Or switch on symmetric subsampling."
    assert remedy_of(decision_of(second_strides, seen_of(0.3))).startswith("Or cut, pad")
    assert set(decision_of(first_strides).elements) == set(TURNS)
