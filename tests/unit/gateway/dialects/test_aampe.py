"""Aampe's dialect: what its clients rely on."""

from typing import Any

import pytest

from tests.unit.gateway.calls import Reply, bearer, call

EVENT = {
    "contact_id": "u",
    "event_name": "cart_viewed",
    "timestamp": 1767225600.25,
    "timezone": "Europe/Berlin",
    "event_id": "e",
    "metadata": {"items": 3},
}
UPDATE = {"contact_id": "u", "timestamp": 1767225600, "user_properties": {"plan": "pro"}}


def event(body: object) -> Reply:
    return call("/aampe/v1/events", body, bearer("k"))


def update(body: object) -> Reply:
    return call("/aampe/v1/properties", body, bearer("k"))


def test_an_event_is_one_of_amplitudes_in_kafka() -> None:
    found = event(EVENT)
    assert (found.status, found.json) == (202, None)
    assert found.keys == [b"u"]
    assert found.values == [
        {
            "event_type": "cart_viewed",
            "user_id": "u",
            "time": 1767225600250,
            "insert_id": "e",
            "timezone": "Europe/Berlin",
            "event_properties": {"items": 3},
            "ip": "9.9.9.9",
        }
    ]


@pytest.mark.parametrize(
    ("timestamp", "time"),
    [
        (1767225600, 1767225600000),
        (1767225600.123, 1767225600123),
        (1767225600123, 1767225600123),
        ("1767225600.5", 1767225600500),
        (0, 0),
    ],
)
def test_a_timestamp_is_in_seconds_or_milliseconds(timestamp: object, time: int) -> None:
    assert event(EVENT | {"timestamp": timestamp}).values[0]["time"] == time


def test_properties_are_set() -> None:
    found = update(UPDATE | {"event_id": "e", "event_name": "import", "metadata": {"a": 1}})
    assert (found.status, found.keys) == (202, [b"u"])
    assert found.values == [
        {
            "user_id": "u",
            "time": 1767225600000,
            "insert_id": "e",
            "user_properties": {"$set": {"plan": "pro"}},
        }
    ]


@pytest.mark.parametrize("optional", ["timezone", "event_id", "metadata"])
def test_what_is_optional_may_be_null_or_absent(optional: str) -> None:
    assert event(EVENT | {optional: None}).status == 202
    assert event({name: value for name, value in EVENT.items() if name != optional}).status == 202


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"contact_id": ""}, ("string_too_short", "contact_id")),
        ({"contact_id": 7}, ("string_type", "contact_id")),
        ({"contact_id": 10**30}, ("string_type", "contact_id")),
        ({"timestamp": -(10**60)}, ("float_parsing", "timestamp")),
        ({"contact_id": "anonymous"}, ("invalid_id", "contact_id")),
        ({"event_name": " "}, ("invalid_event_type", "event_name")),
        ({"timestamp": "2026-01-01"}, ("float_parsing", "timestamp")),
        ({"timestamp": None}, ("float_type", "timestamp")),
        ({"timestamp": True}, ("float_type", "timestamp")),
        ({"timestamp": "nan"}, ("float_parsing", "timestamp")),
        ({"timestamp": 1e300}, ("float_parsing", "timestamp")),
        ({"metadata": "{}"}, ("dict_type", "metadata")),
        ({"event_id": 7}, ("string_type", "event_id")),
    ],
)
def test_what_is_wrong_is_told_as_pydantic_does(
    members: dict[str, Any], expected: tuple[str, str]
) -> None:
    found = event(EVENT | members)
    assert found.status == 422
    assert found.batch.records == []
    (detail,) = found.json["detail"]
    assert (detail["type"], detail["loc"]) == (expected[0], ["body", expected[1]])
    assert detail["msg"]
    assert detail["input"] == members[expected[1]]


def test_everything_that_is_missing_is_told_at_once() -> None:
    for found, fields in (
        (event({"time": 1}), ["event_name", "contact_id", "timestamp"]),
        (update({}), ["contact_id", "timestamp", "user_properties"]),
    ):
        assert found.status == 422
        assert [detail["loc"] for detail in found.json["detail"]] == [
            ["body", field] for field in fields
        ]
        assert {detail["type"] for detail in found.json["detail"]} == {"missing"}


@pytest.mark.parametrize("body", [[EVENT], "x", 7, None])
def test_it_takes_one_object(body: object) -> None:
    found = event(body)
    assert (found.status, found.json["detail"][0]["loc"]) == (422, ["body"])


@pytest.mark.parametrize(("body", "position"), [(b'{"a":}', 5), (b'{"a":', 5), (b"", 0)])
def test_malformed_json_is_refused_with_its_position(body: bytes, position: int) -> None:
    found = event(body)
    assert found.status == 400
    (detail,) = found.json["detail"]
    assert (detail["type"], detail["loc"]) == ("json_invalid", ["body", position])


def test_a_wrong_key_reads_as_aampes() -> None:
    for headers in ({}, bearer("other"), {b"authorization": b"Basic aw=="}):
        found = call("/aampe/v1/events", EVENT, headers)
        assert (found.status, found.json) == (401, {"detail": "Invalid API Key"})
