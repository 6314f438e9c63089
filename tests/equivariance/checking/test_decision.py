"""Theory against measurement: each pair of words, and what counts as one of them."""

import math
from types import SimpleNamespace
from typing import Any

import pytest

from equivariance.checking.decision import notes_of
from equivariance.groups.point_groups import C4, group_called
from equivariance.measurement.rounding import ROUNDING_LEVEL
from equivariance.theory.grids import BROKEN, EXACT, UNDECIDED
from tests.equivariance.checking.made import TURNS, decision_of, part_of, proof_of, seen_of, seen_of_outputs

ROUNDING = ROUNDING_LEVEL["float64"]
FAR = 0.3


@pytest.mark.parametrize(
    ("theory", "error", "status", "doubts"),
    [
        (EXACT, ROUNDING, EXACT, 0),
        (EXACT, ROUNDING * 1.01, UNDECIDED, 3),
        (EXACT, FAR, UNDECIDED, 3),
        (BROKEN, FAR, BROKEN, 0),
        (BROKEN, ROUNDING * 1.01, BROKEN, 0),
        (BROKEN, ROUNDING, UNDECIDED, 3),
        (UNDECIDED, ROUNDING, EXACT, 0),
        (UNDECIDED, FAR, BROKEN, 0),
        (EXACT, None, UNDECIDED, 0),
        (BROKEN, None, BROKEN, 0),
        (UNDECIDED, None, UNDECIDED, 0),
        (EXACT, math.nan, UNDECIDED, 0),
        (BROKEN, math.nan, UNDECIDED, 0),
    ],
)
def test_neither_theory_nor_measurement_is_believed_against_the_other(
    theory: str, error: float | None, status: str, doubts: int
) -> None:
    decision = decision_of(proof_of(theory), seen_of(error))
    assert set(decision.elements.values()) == {status} and len(decision.doubts) == doubts


@pytest.mark.parametrize("theory", [EXACT, BROKEN, UNDECIDED])
def test_without_measurement_theory_has_the_word(theory: str) -> None:
    decision = decision_of(proof_of(theory))
    assert set(decision.elements.values()) == {theory}
    assert decision.evidence == "theory alone" and decision.found is None and decision.resampled is None
    assert decision.measured_elements == TURNS


def test_outputs_that_never_change_show_nothing() -> None:
    for theory in (EXACT, BROKEN, UNDECIDED):
        assert set(decision_of(proof_of(theory), seen_of(0.0, insensitive=True)).elements.values()) == {UNDECIDED}


def test_doubts_say_what_disagrees_and_by_how_much() -> None:
    exact, broken = decision_of(proof_of(EXACT), seen_of(0.5)), decision_of(proof_of(BROKEN), seen_of(1e-16))
    assert exact.doubts[0] == "theory proves ⟲ 90° exact, but the measurement finds an error of 5.0e-01"
    assert broken.doubts[0] == "theory finds ⟲ 90° broken, but every measured error is rounding (at most 1.0e-16)"


def test_each_element_is_decided_by_itself() -> None:
    theory = {"rot90": BROKEN, "rot180": EXACT, "rot270": BROKEN}
    decision = decision_of(proof_of(theory), seen_of({"rot90": FAR, "rot180": 0.0, "rot270": FAR}))
    assert decision.elements == theory and decision.verdict == "approximate" and decision.doubts == []


def test_weights_that_are_only_nearly_symmetric_may_have_larger_errors() -> None:
    between = (ROUNDING + ROUNDING_LEVEL["float32"]) / 2
    loose = proof_of(EXACT, loosest=2e-9)
    assert decision_of(loose, seen_of(between)).verdict == "exact"
    assert decision_of(loose, seen_of(between)).precision == "the weights"
    assert decision_of(proof_of(EXACT, loosest=1e-9), seen_of(between)).verdict == "undecided"
    assert decision_of(proof_of(EXACT), seen_of(0.0)).precision == "float64"
    assert decision_of(loose, seen_of(0.0), dtype="float32").precision == "float32"
    assert decision_of(proof_of(BROKEN, loosest=2e-9), seen_of(between)).doubts == []


def test_single_precision_has_a_rounding_of_its_own() -> None:
    between = (ROUNDING + ROUNDING_LEVEL["float32"]) / 2
    assert decision_of(proof_of(EXACT), seen_of(between), dtype="float32").verdict == "exact"
    assert decision_of(proof_of(BROKEN), seen_of(between), dtype="float32").verdict == "undecided"


def test_errors_of_layers_count_where_theory_takes_all_for_exact() -> None:
    layer = dict.fromkeys(TURNS, 0.2)
    assert decision_of(proof_of(EXACT), seen_of(0.0, stem=layer)).largest("rot90") == 0.2
    assert decision_of(proof_of(BROKEN), seen_of(0.1, stem=layer)).largest("rot90") == 0.1
    assert decision_of(proof_of(EXACT), seen_of(0.1, stem={})).largest("rot90") == 0.1


@pytest.mark.parametrize(
    ("theory", "error", "more", "verdict"),
    [
        (EXACT, 0.0, {}, "exact"),
        (BROKEN, FAR, {}, "approximate"),
        (BROKEN, FAR, {"by_weights": True}, "not equivariant"),
        (UNDECIDED, FAR, {}, "not equivariant"),
        (UNDECIDED, None, {}, "undecided"),
        (EXACT, FAR, {}, "undecided"),
    ],
)
def test_the_verdict_is_that_of_all_elements(theory: str, error: float | None, more: Any, verdict: str) -> None:
    decision = decision_of(proof_of(theory, **more), seen_of(error))
    assert decision.verdict == verdict
    assert decision.broken == ()


def test_an_undecided_network_whose_layer_breaks_by_its_grid_is_approximate() -> None:
    broken = part_of(BROKEN)
    decision = decision_of(proof_of(UNDECIDED, part_of(EXACT), broken), seen_of(FAR))
    assert decision.verdict == "approximate" and decision.broken == (broken,)
    assert decision_of(proof_of(UNDECIDED, broken, by_weights=True), seen_of(FAR)).verdict == "not equivariant"
    assert decision_of(proof_of(UNDECIDED, broken), seen_of(0.0)).broken == ()


@pytest.mark.parametrize(
    ("theory", "error", "evidence"),
    [
        (EXACT, 0.0, "theory and measurement"),
        (BROKEN, FAR, "theory and measurement"),
        (UNDECIDED, 0.0, "measurement alone"),
        (EXACT, FAR, "measurement alone"),
        ({"rot90": UNDECIDED, "rot180": EXACT, "rot270": EXACT}, 0.0, "measurement alone"),
    ],
)
def test_the_evidence_is_what_decided(theory: str | dict[str, str], error: float, evidence: str) -> None:
    assert decision_of(proof_of(theory), seen_of(error)).evidence == evidence


def test_a_group_without_quarter_turns_is_undecided_by_what_was_measured() -> None:
    seen = seen_of_outputs(output={"b": 0.2, "a": None}, other={"b": 0.1, "c": 0.4})
    decision = decision_of(proof_of({}), seen, group=group_called("C3"))
    assert (decision.verdict, decision.elements, decision.measured_elements) == ("undecided", {}, ("a", "b", "c"))
    assert (decision.resampled, decision.found, decision.evidence) == (0.4, None, "measurement alone")
    alone = decision_of(proof_of({}), group=group_called("C3"))
    assert alone.measured_elements == ()


def test_the_largest_error_is_that_of_all_outputs_and_elements() -> None:
    seen = seen_of_outputs(one={"rot90": 0.1}, two={"rot90": None, "rot180": 0.3})
    decision = decision_of(proof_of(UNDECIDED), seen)
    assert decision.found == 0.3


def test_notes_are_sentences() -> None:
    def notes(asked: str, **given: Any) -> tuple[str, ...]:
        subject: Any = SimpleNamespace(**{"notes": (), "elements": (1,), "group": C4, "dtype": "float64", **given})
        return notes_of(subject, asked)

    assert notes("float64") == ()
    assert notes("float64", notes=("its layers are of C4, then C2",)) == ("Its layers are of C4, then C2.",)
    assert notes("float64", elements=(), group=group_called("C3")) == (
        "C3 has no quarter turn, half turn or mirror that moves pixels to pixels.",
    )
    assert notes("float64", dtype="float32") == (
        "Worked out in float32: the network makes numbers of that precision itself.",
    )
    assert notes("float32", dtype="float32") == ()
    assert notes("float64", dtype="float32", notes=("it was made ready in float32",)) == (
        "It was made ready in float32.",
    )
