"""Whose runs a page shows: the login, the browser's key, or nobody's."""

from types import SimpleNamespace
from typing import Any

import pytest

from explorer.pages.session import owner

KEY = "0123456789abcdef" * 4


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A page's session and its login."""
    page = SimpleNamespace(session_state={}, user={})
    monkeypatch.setattr(owner, "st", page)
    return page


def tell(page: SimpleNamespace, said: Any) -> None:
    """As the browser's component does."""
    page.session_state["owner_component"] = {"key": said}
    owner._take()


def test_who_has_not_told_a_key_owns_nothing_and_is_not_the_command_line(page: SimpleNamespace) -> None:
    assert not owner.is_known()
    assert len(owner.key()) == 64


def test_the_browser_tells_a_key(page: SimpleNamespace) -> None:
    tell(page, {"key": KEY, "kept": True})

    assert owner.is_known() and owner.key() == KEY
    assert not owner.is_fleeting()


def test_a_browser_that_stores_nothing_is_noticed(page: SimpleNamespace) -> None:
    tell(page, {"key": KEY, "kept": False})

    assert owner.is_known() and owner.is_fleeting()


@pytest.mark.parametrize(
    "said",
    [
        None,
        KEY,
        {"key": KEY},
        {"key": KEY[1:], "kept": True},
        {"key": KEY.upper(), "kept": True},
        {"key": f"{KEY}\n", "kept": True},
        {"key": "login https://accounts.example 1", "kept": True},
        {"key": ["0"] * 64, "kept": True},
    ],
)
def test_anything_else_that_a_browser_says_is_ignored(page: SimpleNamespace, said: Any) -> None:
    tell(page, said)

    assert not owner.is_known()


def test_a_login_counts_more_than_the_key(page: SimpleNamespace) -> None:
    tell(page, {"key": KEY, "kept": True})
    page.user = {"is_logged_in": True, "iss": "https://accounts.example", "sub": "1", "email": "a@example.org"}

    assert owner.key() == "login https://accounts.example 1"
    assert not owner.can_log_in()


def test_two_accounts_of_one_address_with_two_providers_are_two_visitors(page: SimpleNamespace) -> None:
    page.user = {"is_logged_in": True, "iss": "https://one.example", "email": "a@example.org"}
    one = owner.key()
    page.user = {**page.user, "iss": "https://two.example"}

    assert owner.key() != one


def test_who_could_log_in_and_has_not_is_known_by_the_key(page: SimpleNamespace) -> None:
    tell(page, {"key": KEY, "kept": True})
    page.user = {"is_logged_in": False}

    assert owner.key() == KEY and owner.can_log_in()
