"""Personal data is gone before it is stored, and nothing else is."""

import json
from typing import Any

import pytest

from gateway.scrubbing import Scrubber
from schemas.config import Config, ConfigError, Scrub
from schemas.config_file import parse

EMAIL = r"[^@\s]+@[^@\s]+"


def scrubber(*scrubs: dict[str, str]) -> Scrubber:
    return Scrubber([Scrub.model_validate(scrub) for scrub in scrubs])


def test_a_field_is_replaced_and_the_rest_stays_as_it_came() -> None:
    value = (
        b'{"user_id":"u","n":1e400,"event_properties":{"email":{"a":1},"x":123456789012345678901}}'
    )
    assert scrubber({"field": "event_properties.email"}).scrubbed(value) == value.replace(
        b'{"a":1}', b'"[scrubbed]"'
    )


@pytest.mark.parametrize("field", ["event_properties.phone", "event_properties.n.deeper", "ip"])
def test_a_field_that_is_not_there_changes_nothing(field: str) -> None:
    value = b'{"user_id":"u","event_properties":{"email":"a","n":5}}'
    assert scrubber({"field": field}).scrubbed(value) == value


def test_a_pattern_is_found_in_any_text_however_it_is_escaped() -> None:
    value = rb'{"event_properties":{"a":["write to ann\u0040x.org now"],"b":"plain"},"city":"o@p"}'
    found = json.loads(scrubber({"pattern": EMAIL}).scrubbed(value))
    assert found == {
        "event_properties": {"a": ["write to [scrubbed] now"], "b": "plain"},
        "city": "[scrubbed]",
    }


def test_the_ids_a_record_is_delivered_by_stay() -> None:
    value = b'{"user_id":"ann@x.org","device_id":"d@d","groups":{"org":"a@b"},"event_type":"a@b"}'
    assert scrubber({"pattern": EMAIL}).scrubbed(value) == value


def test_what_is_no_object_is_scrubbed_by_pattern() -> None:
    both = scrubber({"field": "email"}, {"pattern": EMAIL})
    assert both.scrubbed(b'["a@b", ') == b'["[scrubbed]", '
    assert both.scrubbed(b"\xff") == b"\xff"


@pytest.mark.parametrize(
    ("scrub", "words"),
    [
        ({}, "either field or pattern"),
        ({"field": "a", "pattern": "b"}, "either field or pattern"),
        ({"pattern": "("}, "no regular expression"),
        ({"field": "user_id"}, "user_id: delivery needs it"),
    ],
)
def test_a_wrong_one_is_refused(scrub: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        parse({"edge": {"scrub": [scrub]}}, {}, "ampgate.toml")
    assert str(caught.value).startswith("ampgate.toml: edge.scrub.0: ")


def test_sources_have_their_own() -> None:
    source = {"name": "a", "write_key": "k", "scrub": [{"field": "ip"}]}
    assert Config.model_validate({"sources": [source]}).sources[0].scrub[0].field == "ip"
