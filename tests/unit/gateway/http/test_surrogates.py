"""A text with half an emoji does not make its batch fail."""

import json
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.surrogates import LONE_MIN, repaired

UNIT = re.compile(r"\\u([dD][89a-fA-F][0-9a-fA-F]{2})")


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uDE00"', rb'"\ufffd"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\ude00\ud83d"', rb'"\ufffd\ufffd"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\\\ud83d"', rb'"\\\ufffd"'),
    ],
)
def test_only_a_lone_surrogate_is_replaced(text: bytes, whole: bytes) -> None:
    assert repaired(text) == whole


@given(st.text(st.sampled_from('\\"u\ud83d\ude00\udfffdDa1'), max_size=12))
def test_any_string_becomes_json_for_every_parser(text: str) -> None:
    repaired_text = repaired(json.dumps(text).encode())
    assert repaired_text is not None
    parsed = orjson.loads(repaired_text)
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert parsed == whole or "\ufffd" in parsed
    assert ("\ufffd" in parsed) == ("\ufffd" in whole)


def test_a_text_of_countless_halves_is_not_repaired() -> None:
    half = rb"\ud83d"
    assert repaired(half * LONE_MIN) == rb"\ufffd" * LONE_MIN
    assert repaired(half * (LONE_MIN + 1)) is None
    assert repaired(rb"\ud83d\ude00" * (LONE_MIN + 1)) is not None
    event = b"x" * 94 + half
    assert repaired(event * 20 * LONE_MIN) == (b"x" * 94 + rb"\ufffd") * 20 * LONE_MIN


def test_a_text_of_countless_backslashes_is_read_once() -> None:
    """With recursion or backtracking, each of these texts would take hours or the stack."""
    lone = rb"\ud800"
    for filling in (rb"\\", rb"\n", rb"\u0041", rb"\ud83d\ude00", rb"\ud8zz", b"a"):
        assert repaired(lone + filling * 1_000_000) == rb"\ufffd" + filling * 1_000_000


def read_by_hand(text: str) -> str:
    """Character by character: an escape is a backslash and what follows it."""
    found, at = "", 0
    while at < len(text):
        one = UNIT.match(text, at)
        two = UNIT.match(text, at + 6)
        if one is None:
            width = 2 if text[at] == "\\" else 1
            found += text[at : at + width]
        elif int(one[1], 16) < 0xDC00 and two is not None and int(two[1], 16) >= 0xDC00:
            width = 12
            found += text[at : at + width]
        else:
            width = 6
            found += "\\ufffd"
        at += width
    return found


@given(st.lists(st.sampled_from([*'\\"ud8c0x', "\\ud83d", "\\uDE00", "\\u00"]), max_size=20))
def test_a_backslash_escapes_what_follows_it_and_nothing_else(parts: list[str]) -> None:
    text = "".join(parts)
    assert repaired(text.encode()) == read_by_hand(text).encode()
