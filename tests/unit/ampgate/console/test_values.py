"""Bytes of others are shown safely: marked, cut, escaped, or as hexadecimal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.console.offending import offending_paths
from ampgate.console.rendering import environment
from ampgate.console.values import LINE_MAX, TEXT_MAX, hexadecimal, in_a_line, shown, visible
from schemas.records import Stored
from schemas.topics import Topics

TOPICS = Topics("ampgate.")
VALUE = {
    "event_type": "Order",
    "time": "yesterday",
    "event_properties": {"items": [{"price": 1}, {"price": "nine", "tags": ["a"]}], "x": {}},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


def marked(value: bytes, *paths: str) -> str:
    return "".join(text for text, is_marked in shown(value, paths).pieces if is_marked)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("time", '"time": "yesterday",'),
        ("event_properties.items.1.price", '"price": "nine",'),
        ("event_properties.items.1.tags.0", '"a"'),
        ("event_properties.items.1.tags", '"tags": [\n          "a"\n        ]'),
        ("event_properties.x", '"x": {}'),
        ("event_properties.y", ""),
    ],
)
def test_the_offending_member_is_marked_to_its_end(path: str, text: str) -> None:
    assert marked(json.dumps(VALUE).encode(), path).strip() == text


@given(JSON, st.text(max_size=6))
def test_marking_changes_no_text(value: object, path: str) -> None:
    raw = json.dumps({"a": value}).encode()
    pieces = shown(raw, [path, "a", "a.0"]).pieces

    assert "".join(text for text, _ in pieces) == "".join(text for text, _ in shown(raw).pieces)


@given(st.text(min_size=LINE_MAX // 2, max_size=LINE_MAX, alphabet="aé語😀"))
def test_a_long_text_is_cut_between_characters_and_stays_text(text: str) -> None:
    told = in_a_line(text.encode())
    assert text.startswith(told.removesuffix("…"))
    assert len(told.encode()) > LINE_MAX - 4 or told == text


@given(st.binary(max_size=300))
def test_any_bytes_are_shown_without_a_character_that_moves_the_text(value: bytes) -> None:
    found = shown(value)

    for text, _ in found.pieces:
        assert all(one.isprintable() or one in "\n\t" for one in text)
    assert in_a_line(value).replace("\n", "").replace("\t", "").isprintable()


def test_bytes_that_are_no_text_are_hexadecimal() -> None:
    assert shown(b"\xff\x00\x01").form == "bytes"
    assert hexadecimal(b"AB\x00").split() == ["00000000", "41", "42", "00", "AB."]
    assert in_a_line(b"\xff\xfe") == "0xfffe"
    assert in_a_line(None) == "none"
    assert shown(None).form == "none"


def test_a_value_of_a_megabyte_is_cut_around_what_is_marked() -> None:
    many = {f"name{n}": "x" * 50 for n in range(20_000)}
    found = shown(json.dumps({**many, "price": "nine", **many}).encode(), ["price"])

    assert sum(len(text) for text, _ in found.pieces) <= TEXT_MAX
    assert [text.strip() for text, is_marked in found.pieces if is_marked] == ['"price": "nine"']
    assert found.cut


def test_numbers_and_strings_stay_as_they_came() -> None:
    (piece, _) = shown(b'{"a":1.0,"b":12345678901234567890123,"a":1e999}').pieces[0]

    assert piece == '{\n  "a": 1.0,\n  "b": 12345678901234567890123,\n  "a": 1e999\n}'


def test_html_and_text_that_runs_backwards_are_only_text() -> None:
    raw = '{"event_type": "<script>alert(1)</script>", "b": "\u202egnp.exe"}'.encode()
    page = environment().from_string(
        '{% from "value_shown.html" import value_of %}{{ value_of(value) }}'
    )
    html = page.render(value=shown(raw))

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script" not in html
    assert "\\u202egnp.exe" in html
    assert visible("a\u202eb\x1b[2J") == "a\\u202eb\\x1b[2J"


@pytest.mark.parametrize(
    ("headers", "value", "path"),
    [
        ({"detail": 'time: {"code":400}', "reason": "invalid_field"}, VALUE, "time"),
        (
            {"detail": "event_properties.items[1].price: no number"},
            VALUE,
            "event_properties.items.1.price",
        ),
        ({"detail": "must not be: event_properties.x"}, VALUE, "event_properties.x"),
        (
            {"detail": '{"detail":"price: no number"}'},
            {"user_id": "a", "event_type": "b", "event_properties": {"price": "nine"}},
            "event_properties.price",
        ),
        ({"detail": '{"error":"x","events_with_invalid_fields":{"time":[0]}}'}, VALUE, "time"),
        ({}, {"event_type": 5, "user_id": "ann"}, "event_type"),
        (
            {"origin": "ampgate.user-properties/0/1"},
            {"user_id": "ann", "user_properties": 1},
            "user_properties",
        ),
    ],
)
def test_the_offending_path_is_known_from_the_letter_or_from_our_own_check(
    headers: dict[str, str], value: object, path: str
) -> None:
    told = [(name, text.encode()) for name, text in headers.items()]
    letter = Stored("ampgate.dead-letters", 0, 1, 0, None, json.dumps(value).encode(), told)
    found = shown(letter.value, offending_paths(letter, TOPICS))

    assert path in offending_paths(letter, TOPICS)
    assert [text for text, is_marked in found.pieces if is_marked]
