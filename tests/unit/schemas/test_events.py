"""Which bytes are a usable record."""

import pytest

from schemas.events import (
    EventFacts,
    GroupFacts,
    IdentificationFacts,
    event_key,
    group_key,
    identification_key,
    read_event,
    read_group_identification,
    read_identification,
)
from schemas.ids import INVALID_IDS
from schemas.strictness import LEVELS_MAX, Defect
from tests.unit.schemas.event_values import event, nested


@pytest.mark.parametrize(
    ("value", "reason", "field"),
    [
        (b"", "not_json", ""),
        (b"{", "not_json", ""),
        (b'{"event_type":"a","user_id":"u1"}x', "not_json", ""),
        (b'{"event_type":"a","user_id":"u1","x":NaN}', "not_json", ""),
        (b'{"event_type":"a","user_id":"u1","x":"\xff"}', "not_json", ""),
        (b'{"event_type":"a","user_id":"u1","x":"\xed\xa0\x80"}', "not_json", ""),
        (b"[]", "not_an_object", ""),
        (b"null", "not_an_object", ""),
        (b'"a"', "not_an_object", ""),
        (b'{"user_id":"u1"}', "missing_event_type", "event_type"),
        (event(event_type=None), "missing_event_type", "event_type"),
        (event(event_type=" "), "invalid_event_type", "event_type"),
        (event(event_type=1), "invalid_type", "event_type"),
        (event(user_id=None), "missing_id", "user_id"),
        (event(user_id=None, device_id=None), "missing_id", "user_id"),
        (event(user_id=1), "invalid_type", "user_id"),
        (event(device_id="Null"), "invalid_id", "device_id"),
        (event(time="2026-01-01T00:00:00Z"), "invalid_type", "time"),
        (event(time=1.5), "invalid_type", "time"),
        (event(event_properties=[1]), "invalid_type", "event_properties"),
        (event(user_properties="x"), "invalid_type", "user_properties"),
        (event(groups=1), "invalid_type", "groups"),
        (b'{"event_type":"$groupidentify"}', "missing_id", "groups"),
        (b'{"event_type":"$groupidentify","groups":{}}', "missing_id", "groups"),
        (b'{"event_type":"$groupidentify","groups":null}', "missing_id", "groups"),
        (b'{"event_type":"$groupidentify","groups":{"org":1e999}}', "number_out_of_range", ""),
        (event(user_id="x" * 2_049), "invalid_id", "user_id"),
        (event(user_id="u", device_id="x" * 2_049), "invalid_id", "device_id"),
        (
            event(event_type="$groupidentify", user_id=None, groups={"a": "x" * 2_049}),
            "invalid_id",
            "groups",
        ),
        (b'{"user_id":1,"event_type":nonsense}', "not_json", ""),
    ],
)
def test_an_unusable_event_is_named_by_reason_and_field(
    value: bytes, reason: str, field: str
) -> None:
    defect = read_event(value)
    assert isinstance(defect, Defect)
    assert (defect.reason, defect.field) == (reason, field)
    assert defect.message or reason == "not_json"


@pytest.mark.parametrize("word", sorted(INVALID_IDS))
@pytest.mark.parametrize("field", ["user_id", "device_id"])
def test_each_id_that_amplitude_refuses_is_refused(field: str, word: str) -> None:
    for identifier in (word, word.upper(), f"  {word}\t"):
        defect = read_event(event(**{field: identifier}))
        assert isinstance(defect, Defect)
        assert (defect.reason, defect.field) == ("invalid_id", field)


@pytest.mark.parametrize("identifier", ["1", "x", "nullx", "00", "null null", "ü", "x" * 2000])
def test_every_other_id_is_taken(identifier: str) -> None:
    facts = read_event(event(user_id=identifier))
    assert isinstance(facts, EventFacts)
    assert event_key(facts) == identifier


@pytest.mark.parametrize("levels", [2, 3, LEVELS_MAX - 1, LEVELS_MAX])
def test_nesting_up_to_the_limit_is_taken(levels: int) -> None:
    assert isinstance(read_event(nested(levels)), EventFacts)


@pytest.mark.parametrize("levels", [LEVELS_MAX + 1, 100, 5_000, 100_000])
def test_deeper_nesting_is_refused(levels: int) -> None:
    defect = read_event(nested(levels))
    assert isinstance(defect, Defect)
    assert defect.reason == "too_deep"


@pytest.mark.parametrize("text", ["[" * 100, '\\"' + "{" * 100, '"[' * 60, "\\" * 3 + "[" * 60])
def test_brackets_inside_strings_do_not_count_as_nesting(text: str) -> None:
    assert isinstance(read_event(event(event_properties={"x": text, "[" * 50: 1})), EventFacts)


def test_many_objects_side_by_side_are_not_deep() -> None:
    assert isinstance(
        read_event(event(event_properties={"x": [{} for _ in range(99)]})), EventFacts
    )


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (event(device_id="d1"), "u1"),
        (event(user_id=None, device_id="d1"), "d1"),
        (b'{"event_type":"$groupidentify","groups":{"org":"acme"}}', "org:acme"),
        (b'{"event_type":"$groupidentify","groups":{"org":"\\u00fc\\"x"}}', 'org:ü"x'),
        (b'{"event_type":"$groupidentify","groups":{"org":5}}', "org:5"),
        (b'{"event_type":"$groupidentify","groups":{"org":["a","b"]}}', "org:a"),
        (b'{"event_type":"$groupidentify","groups":{ "o\\"g" : [ "\\"}" ],"b":1}}', 'o"g:"}'),
        (b'{"event_type":"$groupidentify","groups":{"org":[7e1,2]}}', "org:70.0"),
        (b'{"event_type":"$groupidentify","groups":{"org":null}}', "org:None"),
        (b'{"event_type":"$groupidentify","groups":{"org":[],"b":1}}', "org:"),
        (b'{"event_type":"$groupidentify","groups":{"org":{"a":1}}}', "org:"),
        (b'{"event_type":"$groupidentify","user_id":"u1","groups":{"org":"acme"}}', "u1"),
    ],
)
def test_the_key_is_the_user_else_the_device_else_the_group(value: bytes, key: str) -> None:
    facts = read_event(value)
    assert isinstance(facts, EventFacts)
    assert event_key(facts) == key


@pytest.mark.parametrize(
    ("value", "reason", "field"),
    [
        (b"[]", "not_an_object", ""),
        (b'{"user_properties":{}}', "missing_id", "user_id"),
        (b'{"user_id":"0","user_properties":{}}', "invalid_id", "user_id"),
        (b'{"user_id":"u1","user_properties":1}', "invalid_type", "user_properties"),
        (b'{"user_id":"u1","user_properties":{},"groups":1}', "invalid_type", "groups"),
    ],
)
def test_an_unusable_identification_is_named(value: bytes, reason: str, field: str) -> None:
    defect = read_identification(value)
    assert isinstance(defect, Defect)
    assert (defect.reason, defect.field) == (reason, field)


def test_an_identification_is_keyed_as_an_event() -> None:
    facts = read_identification(b'{"user_id":null,"device_id":"d1","groups":{"org":"acme"}}')
    assert isinstance(facts, IdentificationFacts)
    assert identification_key(facts) == "d1"


@pytest.mark.parametrize(
    ("value", "reason", "field"),
    [
        (b"1", "not_an_object", ""),
        (b'{"group_value":"x","group_properties":{}}', "missing_group", "group_type"),
        (b'{"group_type":"a","group_properties":{}}', "missing_group", "group_value"),
        (b'{"group_type":"a","group_value":"","group_properties":{}}', "missing_group", None),
        (b'{"group_type":"a","group_value":[],"group_properties":{}}', "invalid_type", None),
        (b'{"group_type":"a","group_value":"x","group_properties":1}', "invalid_type", None),
    ],
)
def test_an_unusable_group_identification_is_named(
    value: bytes, reason: str, field: str | None
) -> None:
    defect = read_group_identification(value)
    assert isinstance(defect, Defect)
    assert defect.reason == reason
    assert field is None or defect.field == field


@pytest.mark.parametrize(("group", "key"), [(b'"acme"', "org:acme"), (b"5", "org:5")])
def test_a_group_is_keyed_by_type_and_value(group: bytes, key: str) -> None:
    value = b'{"group_type":"org","group_value":%s,"group_properties":{}}' % group
    facts = read_group_identification(value)
    assert isinstance(facts, GroupFacts)
    assert group_key(facts) == key


@pytest.mark.parametrize("word", sorted(INVALID_IDS))
@pytest.mark.parametrize("pad", ["", " ", "\t\u2003"])
def test_an_invalid_id_is_found_in_whatever_case_and_among_spaces(word: str, pad: str) -> None:
    for identifier in (word, word.upper(), word.title()):
        for field in ("user_id", "device_id"):
            found = read_event(event(**{"user_id": "u1", field: pad + identifier + pad}))
            assert isinstance(found, Defect), (field, identifier)
