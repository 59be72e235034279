"""Percent-encoding is what urllib says it is, however much of it there is."""

import re
import tracemalloc
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.percent import unquoted

PIECES = [b"%41", b"%c3%BC", b"%25", b"%3D", b"=", b"=41", b"=\n", b"=\r\n", b"+", b"_", b" \n"]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=3)).map(b"".join))
def test_it_is_what_urllib_says(text: bytes) -> None:
    text = re.sub(rb"%(?![0-9A-Fa-f]{2})", b"", text)
    assert unquoted(text) == unquote_to_bytes(text.replace(b"+", b" "))


@pytest.mark.parametrize("text", [b"100%", b'{"a":"1+1%20=2 %"}', b"%", b"%4", b"%zz%41", b"%%41"])
def test_what_was_never_encoded_stays_as_it_is(text: bytes) -> None:
    assert unquoted(text) == text


def test_escapes_cost_no_more_memory_than_a_few_copies_of_their_text() -> None:
    text = b"%41" * 100_000
    tracemalloc.start()
    try:
        assert unquoted(text) == b"A" * 100_000
        assert tracemalloc.get_traced_memory()[1] < 5 * len(text)
    finally:
        tracemalloc.stop()
