"""Who may see and act: tokens, sessions, and forms of our own pages alone."""

from hypothesis import given
from hypothesis import strategies as st

from ampgate.console.access import (
    GUESSES_MAX,
    GUESSES_SECONDS,
    SESSION_SECONDS,
    Access,
    Guesses,
    Role,
    access_of,
    is_own,
    link,
)
from schemas.configuration.config import Console

NOW = 1_000_000.0
ACCESS = Access("operator's", "viewer's")


def test_each_token_has_its_role_and_no_other_text_has_one() -> None:
    assert ACCESS.role_of("operator's") is Role.OPERATOR
    assert ACCESS.role_of(" viewer's\n") is Role.VIEWER
    assert [ACCESS.role_of(one) for one in ("", "operator", "OPERATOR'S", "é")] == [None] * 4
    assert Access("a", None).role_of("") is None


def test_a_session_lasts_until_its_end() -> None:
    cookie = ACCESS.new_session(Role.VIEWER, NOW)
    session = ACCESS.session(cookie, NOW + SESSION_SECONDS - 1)

    assert session is not None
    assert (session.role, session.may_act) == (Role.VIEWER, False)
    assert ACCESS.session(cookie, NOW + SESSION_SECONDS) is None


def test_another_token_in_the_configuration_ends_every_session() -> None:
    cookie = ACCESS.new_session(Role.OPERATOR, NOW)

    assert Access("operator's", "another").session(cookie, NOW) is None
    assert Access("another", "viewer's").session(cookie, NOW) is None
    assert Access("operator's", "viewer's").session(cookie, NOW) is not None


@given(st.text(), st.integers(0, 200))
def test_no_cookie_that_was_changed_is_a_session(text: str, at: int) -> None:
    cookie = ACCESS.new_session(Role.VIEWER, NOW)
    changed = cookie[:at] + text + cookie[at + 1 :]

    assert changed == cookie or ACCESS.session(changed, NOW) is None
    assert ACCESS.session(text, NOW) is None


def test_a_form_of_another_site_or_session_is_not_ours() -> None:
    session, other = (ACCESS.session(ACCESS.new_session(Role.OPERATOR, NOW), NOW) for _ in "ab")
    assert session is not None
    assert other is not None
    here = {"host": "console.example:8090", "origin": "https://console.example:8090"}

    assert is_own(here, session, session.csrf)
    assert not is_own(here, session, other.csrf)
    assert not is_own(here, session, "")
    for origin in ("", "null", "https://evil.example", "https://console.example"):
        assert not is_own({**here, "origin": origin}, session, session.csrf)


def test_an_address_with_too_many_wrong_tokens_is_not_listened_to_for_a_minute() -> None:
    guesses = Guesses()
    for _ in range(GUESSES_MAX):
        assert not guesses.is_blocked("10.0.0.1", NOW)
        guesses.wrong("10.0.0.1", NOW)

    assert guesses.is_blocked("10.0.0.1", NOW + 1)
    assert not guesses.is_blocked("10.0.0.2", NOW + 1)
    assert not guesses.is_blocked("10.0.0.1", NOW + GUESSES_SECONDS)


def test_without_a_token_one_is_made_and_another_one_at_the_next_start() -> None:
    access, made = access_of(Console())
    _, again = access_of(Console())

    assert made is not None
    assert access.role_of(made) is Role.OPERATOR
    assert access.role_of(again or "") is None
    assert link(Console(host="0.0.0.0"), made) == f"http://127.0.0.1:8090/sign-in?token={made}"
