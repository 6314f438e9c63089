"""Results kept for all visitors: the ones used last, made once, and not at all where making one fails."""

import pytest

from explorer.kept import Kept


def test_result_is_made_once_for_a_key() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    kept: Kept[int] = Kept(2)
    assert [kept.get("a", make), kept.get("a", make), kept.get("b", make)] == [0, 0, 1]


def test_result_used_longest_ago_goes_first() -> None:
    kept: Kept[str] = Kept(2)
    for key in ("a", "b", "a", "c"):
        kept.get(key, lambda: "first")
    assert [kept.get(key, lambda: "anew") for key in ("a", "c", "b")] == ["first", "first", "anew"]


def test_nothing_is_kept_of_what_fails() -> None:
    kept: Kept[str] = Kept(2)

    def fail() -> str:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        kept.get("a", fail)
    assert kept.get("a", lambda: "made") == "made"
