"""Answers of a trained network: the likeliest classes by softmax, and whether they change with the turn."""

import math

import pytest

from explorer.studies.answers import SHOWN, answer_changes, answers_in_words, answers_of
from explorer.training.metrics import TURNS

CLASSES = ("six", "nine", "four", "seven")
SIX, NINE = (3.0, 1.0, 0.0, -1.0), (1.0, 3.0, 0.0, -1.0)


def test_the_likeliest_come_first_with_their_share_of_the_exponentials() -> None:
    (answer,) = answers_of({"identity": SIX}, CLASSES)

    total = sum(map(math.exp, SIX))
    assert [name for name, _ in answer.top] == ["six", "nine", "four"] and len(answer.top) == SHOWN
    assert [share for _, share in answer.top] == pytest.approx([math.exp(value) / total for value in SIX[:3]])


def test_large_logits_do_not_overflow() -> None:
    (answer,) = answers_of({"identity": (9000.0, 8000.0)}, ("a", "b"))
    assert answer.top == (("a", 1.0), ("b", 0.0))


def test_the_turns_with_another_answer_are_named() -> None:
    logits = {"mirror": NINE, **dict.fromkeys(TURNS, SIX), "rot180": NINE}

    answers = answers_of(logits, CLASSES)

    assert [answer.turn for answer in answers] == [*TURNS]
    assert answer_changes(answers)
    assert answers_in_words(answers) == "Upright six, turned by 180° nine: the answer changes"


def test_the_same_answer_is_said_to_be_the_same_whatever_its_share() -> None:
    answers = answers_of({**dict.fromkeys(TURNS, SIX), "rot90": (9.0, 1.0, 0.0, 0.0)}, CLASSES)

    assert not answer_changes(answers)
    assert answers_in_words(answers) == "Upright six, and the same answer at all four turns"
