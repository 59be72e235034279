"""Cut emojis cost no batch."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.surrogates import LONE_MAX, repaired


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
    assert repaired(half * LONE_MAX) == rb"\ufffd" * LONE_MAX
    assert repaired(half * (LONE_MAX + 1)) is None
    assert repaired(rb"\ud83d\ude00" * (LONE_MAX + 1)) is not None
