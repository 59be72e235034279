"""Members are added to a record and taken from it; the rest stays as it was sent."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.splicing import with_end, with_members, without


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"{}", b'{"t":1}'),
        (b" { } \n", b' { "t":1}'),
        (b'{"a":{"b":1.10}}', b'{"a":{"b":1.10},"t":1}'),
        (b'{"a": "}" }\r\n', b'{"a": "}" ,"t":1}'),
    ],
)
def test_members_are_added_at_the_end_and_the_rest_stays(value: bytes, expected: bytes) -> None:
    assert with_members(value, b'"t":1') == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(), JSON).filter(lambda members: "time" not in members),
    st.sampled_from([None, 2]),
    st.sampled_from([b"", b" ", b"\n"]),
    st.booleans(),
)
def test_added_members_keep_all_others(
    members: dict[str, object],
    indent: int | None,
    space: bytes,
    escaped: bool,
) -> None:
    text = json.dumps(members, indent=indent, ensure_ascii=escaped)
    value = space + text.encode(errors="replace") + space
    added = with_members(value, b'"time":1')
    assert json.loads(added) == {**json.loads(value), "time": 1}
    assert added.startswith(value[: value.rindex(b"}")])
    if members:
        assert with_end(value, b',"time":1}') == added


def test_members_taken_away_leave_the_others_byte_for_byte() -> None:
    value = b'{"time":null, "price":1.10, "x":{"time": null}, "big":123456789012345678901234567890}'
    assert without(value, "time", "absent") == (
        b'{"price":1.10,"x":{"time": null},"big":123456789012345678901234567890}'
    )
