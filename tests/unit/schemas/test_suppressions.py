"""Who is suppressed, after any records of the topic in any order."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.records import RawRecord
from schemas.suppressions import Suppressions, odd

VALUE = b'{"reason":"asked","since":"2026-01-01T00:00:00Z","by":"ops"}'
NAMES = [
    *("ada", "Ada", "ada ", "anna@shop.example", "Anna@Shop.example", "ANNA@SHOP.EXAMPLE"),
    *("@shop.example", "@Shop.example", "bob@shop.example", "bob@sub.shop.example", "shop.example"),
    *("müller@shop.example", "MÜLLER@SHOP.EXAMPLE", "a@b@shop.example", "@handle", "ada@"),
]
changes = st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), max_size=30)


def after(changes: Sequence[tuple[str, bool]]) -> Suppressions:
    found = Suppressions()
    found.read([RawRecord(name.encode(), VALUE if on else None, ()) for name, on in changes])
    return found


@given(changes)
@example([("Anna@Shop.example", True), ("anna@shop.example", True), ("anna@shop.example", False)])
@example([("anna@shop.example", True), ("Anna@Shop.example", False)])
def test_a_user_is_suppressed_while_a_key_names_them_or_their_domain(
    changes: list[tuple[str, bool]],
) -> None:
    found = after(changes)
    live = {name for name, on in dict(changes).items() if on}
    folded = {name.casefold() if "@" in name else name for name in live}

    def expected(user_id: str) -> bool:
        if "@" not in user_id:
            return user_id in folded
        text = user_id.casefold()
        return text in folded or "@" + text.rpartition("@")[2] in folded

    assert [name for name in NAMES if name in found] == list(filter(expected, NAMES))
    assert found.among([*NAMES, None]) == [at for at, one in enumerate(NAMES) if expected(one)]
    assert (len(found), bool(found)) == (len(live), bool(live))


@given(changes, st.randoms())
def test_keys_may_come_in_any_order_while_each_keeps_its_own(
    changes: list[tuple[str, bool]], random: Random
) -> None:
    newest = list(dict(changes).items())
    random.shuffle(newest)
    assert set(filter(after(changes).__contains__, NAMES)) == set(
        filter(after(newest).__contains__, NAMES)
    )


@pytest.mark.parametrize("key", [None, b"", b"@", b"@@", b"\xff\xfe"])
def test_a_record_that_names_nobody_is_counted_and_suppresses_nobody(key: bytes | None) -> None:
    found = Suppressions()
    assert found.read([RawRecord(key, VALUE, ()), RawRecord(b"ada", VALUE, ())]) == 1
    assert (len(found), "ada" in found) == (1, True)


@pytest.mark.parametrize(
    "value", [b"", b"gdpr", b"[]", b"null", b"{", b"{}{}", b"\xff", b"{},{}", b"[" * 100_000]
)
def test_an_odd_value_is_counted_and_suppresses_nevertheless(value: bytes) -> None:
    found = Suppressions()
    assert found.read([RawRecord(b"ada", value, ())]) == 0
    assert "ada" in found
    assert odd([VALUE, value, None, b"{}", value]) == 2
    assert odd([VALUE, None, b"{}"]) == 0


def test_what_another_knows_is_taken_at_once() -> None:
    followed, read = Suppressions(is_known=False), after([("ada", True), ("@x.y", True)])
    followed.become(read)
    assert followed.is_known
    assert [name for name in ("ada", "bob", "A@X.Y") if name in followed] == ["ada", "A@X.Y"]
