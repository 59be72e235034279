"""Requests of connectors, byte for byte as their source writes them (amplitude.md#identify)."""

import json

import pytest

from tests.unit.gateway.calls import call

FORM = {b"content-type": b"application/x-www-form-urlencoded;charset=UTF-8"}


# Segment: an identify call without traits; the user of a device; a group call without traits.
SEGMENTS = (
    b"api_key=k&identification=%7B%22user_id%22%3A%22user-1%22%2C%22os_name%22%3A%22iOS%22%2C"
    b"%22library%22%3A%22segment%22%7D&options=undefined"
)
LINK = (
    b"api_key=k&identification=%5B%7B%22user_id%22%3A%22user-1%22%2C%22device_id%22%3A"
    b"%22device-1%22%7D%5D"
)
SEGMENTS_GROUP = (
    b"api_key=k&identification=%5B%7B%22group_value%22%3A%22acme%22%2C%22group_type%22%3A"
    b"%22company%22%2C%22library%22%3A%22segment%22%7D%5D&options=undefined"
)
# RudderStack: a group that the call's `integrations` name.
RUDDERSTACKS = (
    b"api_key=k&identification=%7B%22group_type%22%3A%22Company%22%2C%22group_value%22%3A"
    b"%22ABC%22%7D"
)


@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        ("/identify", SEGMENTS, b"user-1"),
        ("/identify", LINK, b"user-1"),
        ("/groupidentify", SEGMENTS_GROUP, b"company:acme"),
        ("/groupidentify", RUDDERSTACKS, b"Company:ABC"),
    ],
)
def test_an_update_needs_no_properties(path: str, body: bytes, key: bytes) -> None:
    found = call(path, body, FORM)

    assert (found.status, found.answer.body) == (200, b"success")
    assert found.keys == [key]


def test_natively_an_update_without_properties_is_named() -> None:
    """There it is a misspelled one."""
    good = {"user_id": "user-1", "user_properties": {"a": 1}}
    bad = {"user_id": "user-1", "properties": {"a": 1}}
    for body in ([good, bad], [{**good, "insert_id": "i", "time": 1}, bad]):
        found = call("/v1/user-properties", body, {b"authorization": b"Bearer k"})
        assert (found.status, found.reasons) == (202, ["missing_properties"])
    group = {"group_type": "company", "group_value": "acme", "properties": {}}
    found = call("/v1/group-properties", group, {b"authorization": b"Bearer k"})
    assert (found.status, found.reasons) == (422, ["missing_properties"])
    assert json.loads(found.answer.body)["rejected"][0]["field"] == "group_properties"
