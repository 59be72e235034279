"""A body is split without being parsed; that must let nothing through that a parse would not."""

import msgspec
import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.shapes import RefusedError, split_json
from tests.examples import examples

SPLIT = msgspec.json.Decoder(dict[str, msgspec.Raw])
PIECES = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u00", b"\\u00e9", b"\\x", b"\\/"),
        *(b"0", b"1", b"-", b"+", b".", b"e", b"E", b"01", b"1.5e-7", b"NaN", b"Infinity", b"tru"),
        *(b"true", b"null", b'"a":', b'"a"', b"'", b"//", b" ", b"\n", b"\x00", b"\x1f", b"\x0b"),
        *(b"\xff", b"\xc3", b"\xc3\xa9", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80"),
        *(b"\xef\xbb\xbf", b"\xc2\xa0", b"[1,2]", b'{"a":1}', b'{"a":"\xc3\xa9"}'),
    ]
)


def is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def is_split(body: bytes) -> bool:
    try:
        split_json(SPLIT, body)
    except (msgspec.DecodeError, UnicodeDecodeError, RefusedError):
        return False
    return True


@examples(1_000)
@given(st.lists(PIECES, max_size=4).map(b"".join), st.sampled_from([b"%b", b"[%b]", b'{"x":%b}']))
def test_what_is_left_as_bytes_is_json_too(value: bytes, around: bytes) -> None:
    body = b'{"a":%b}' % (around % value)
    # A number beyond every float is JSON, but not to orjson; four pieces make none.
    assert is_split(body) == is_json(body)


def test_a_number_beyond_every_float_is_json() -> None:
    assert is_split(b'{"a":[1e999,-1e999]}')
