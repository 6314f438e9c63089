"""What a trained network answers for a picture and its turns: the likeliest classes, and whether the answer changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from explorer.training.metrics import TURNS

SHOWN = 3
_WORDS = dict(zip(TURNS, ("upright", "turned by 90°", "turned by 180°", "turned by 270°"), strict=True))


@dataclass(frozen=True)
class Answer:
    """Of one turn: its name, and the likeliest classes with their shares, the largest first (softmax, 0..1)."""

    turn: str
    top: tuple[tuple[str, float], ...]

    @property
    def said(self) -> str:
        """The class that the network answers."""
        return self.top[0][0]

    @property
    def words(self) -> str:
        """`upright`, or `turned by 90°`."""
        return _WORDS[self.turn]


def answers_of(logits: Mapping[str, Sequence[float]], classes: Sequence[str]) -> tuple[Answer, ...]:
    """The answers of TURNS from the logits by transform; `classes` are named in the order of the logits."""
    return tuple(Answer(turn, _likeliest(logits[turn], classes)) for turn in TURNS if turn in logits)


def _likeliest(logits: Sequence[float], classes: Sequence[str]) -> tuple[tuple[str, float], ...]:
    values = np.asarray(logits, dtype=np.float64)
    shares = np.exp(values - values.max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")[:SHOWN]
    return tuple((classes[number], float(shares[number])) for number in order)


def answer_changes(answers: Sequence[Answer]) -> bool:
    """Whether a turn is answered otherwise than the upright picture."""
    return len({answer.said for answer in answers}) > 1


def answers_in_words(answers: Sequence[Answer]) -> str:
    """One sentence: the upright answer, and the turns that get another one."""
    upright = answers[0].said
    others = [f"{answer.words} {answer.said}" for answer in answers[1:] if answer.said != upright]
    if not others:
        return f"Upright {upright}, and the same answer at all four turns"
    return f"Upright {upright}, {', '.join(others)}: the answer changes"
