"""Results kept for all: those used last, within their bounds, made once, and not at all where making one fails."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from equivariance.kept import Kept


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


def test_finding_is_a_use_and_asking_whether_it_is_there_is_none() -> None:
    kept: Kept[str] = Kept(2)
    for key in ("a", "b"):
        kept.put(key, key)
    assert kept.find("a") == "a" and "b" in kept
    kept.put("c", "c")
    assert [kept.find(key) for key in "abc"] == ["a", None, "c"]
    assert "b" not in kept and len(kept) == 2


def test_what_is_put_again_takes_the_place_of_the_old_and_counts_as_used() -> None:
    kept: Kept[str] = Kept(2)
    for key, result in (("a", "old"), ("b", "b"), ("a", "new"), ("c", "c")):
        assert kept.put(key, result) == result
    assert [kept.find(key) for key in "abc"] == ["new", None, "c"]


def test_none_is_a_result_too() -> None:
    kept: Kept[str | None] = Kept(2)
    assert kept.get("a", lambda: None) is None
    assert kept.get("a", lambda: pytest.fail("made again")) is None


def test_bytes_are_bounded_and_the_latest_stays_whatever_it_takes() -> None:
    kept: Kept[str] = Kept(most_bytes=5, bytes_of=len)
    kept.put("a", "aa")
    kept.put("b", "bb")
    kept.find("a")
    kept.put("c", "cc")
    assert [key for key in "abc" if key in kept] == ["a", "c"]
    kept.put("d", "far too long")
    assert [key for key in "abcd" if key in kept] == ["d"]


def test_shrinking_drops_what_was_used_longest_ago_and_the_latest_if_need_be() -> None:
    kept: Kept[str] = Kept(bytes_of=len)
    for key in "abc":
        kept.put(key, "four")
    kept.find("a")
    kept.shrink(8)
    assert [key for key in "abc" if key in kept] == ["a", "c"]
    kept.shrink(-1)
    assert len(kept) == 0


def test_threads_that_ask_at_once_wait_for_one_that_makes_it() -> None:
    kept: Kept[object] = Kept()
    begun, go_on = Event(), Event()

    def make() -> object:
        begun.set()
        assert go_on.wait(10)
        return object()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kept.get_once, "a", make)
        assert begun.wait(10)
        second = pool.submit(kept.get_once, "a", lambda: pytest.fail("made twice"))
        wait_for_users(kept, 2)
        assert kept.get_once("b", lambda: "at once") == "at once"  # another key waits for nobody
        go_on.set()
        assert first.result(10) is second.result(10)
    assert kept._making == {}


def test_where_making_fails_those_who_wait_try_again_one_at_a_time() -> None:
    """One fails, one waits meanwhile, and one comes while the second makes it: never two at once."""
    kept: Kept[str] = Kept()
    begun, go_on, again, end = (Event() for _ in range(4))

    def fail() -> str:
        begun.set()
        assert go_on.wait(10)
        raise InterruptedError

    def make() -> str:
        again.set()
        assert end.wait(10)
        return "made"

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(kept.get_once, "a", fail)
        assert begun.wait(10)
        second = pool.submit(kept.get_once, "a", make)
        wait_for_users(kept, 2)
        go_on.set()
        assert again.wait(10)
        third = pool.submit(kept.get_once, "a", lambda: pytest.fail("made beside the second"))
        wait_for_users(kept, 2)
        end.set()
        with pytest.raises(InterruptedError):
            first.result(10)
        assert second.result(10) == third.result(10) == "made"
    assert kept._making == {}


def wait_for_users(kept: Kept[object], users: int) -> None:
    """Until so many make the result of "a" or wait for it."""
    for _ in range(1000):
        if kept._making["a"].users == users:
            return
        Event().wait(0.01)
    pytest.fail("nobody came")
