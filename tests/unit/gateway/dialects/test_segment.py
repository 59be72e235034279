"""Segment's dialect: which events each call becomes."""

from typing import Any

import pytest

from tests.unit.gateway.calls import NOW_MS
from tests.unit.gateway.dialects.segment_calls import TRACK, batch, one

TIME = 1_767_225_600_000
NOW = "2027-01-15T08:00:00.000Z"


def test_a_track_call_is_an_event() -> None:
    assert one() == {
        "event_type": "Signed Up",
        "user_id": "u",
        "device_id": "a",
        "insert_id": "m",
        "time": TIME,
        "event_properties": {"plan": "pro"},
        "library": "segment",
        "ip": "9.9.9.9",
    }


def test_the_context_becomes_amplitudes_fields() -> None:
    context = {
        "app": {"name": "Shop", "version": "1.2"},
        "os": {"name": "iOS", "version": 17},
        "device": {"id": "d", "type": "IOS", "manufacturer": "Apple", "model": "iPhone"}
        | {"brand": "Apple", "advertisingId": "ad"},
        "network": {"carrier": "T-Mobile"},
        "location": {"country": "Germany", "region": "BE", "city": "Berlin"}
        | {"latitude": 52.5, "longitude": 13.4},
        "locale": "de-DE",
        "ip": "1.2.3.4",
        "userAgent": "Mozilla",
    }
    expected = {
        "app_version": "1.2",
        "os_name": "iOS",
        "os_version": "17",
        "platform": "iOS",
        "device_id": "d",
        "device_brand": "Apple",
        "device_manufacturer": "Apple",
        "device_model": "iPhone",
        "idfv": "d",
        "idfa": "ad",
        "adid": "ad",
        "carrier": "T-Mobile",
        "country": "Germany",
        "region": "BE",
        "city": "Berlin",
        "language": "de-DE",
        "location_lat": 52.5,
        "location_lng": 13.4,
        "ip": "1.2.3.4",
        "user_agent": "Mozilla",
    }
    found = one(context=context)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("sent_at", "expected"),
    [
        (NOW, TIME),
        ("2027-01-15T07:59:55.000Z", TIME),
        ("2027-01-15T07:00:00.000Z", TIME + 3_600_000),
        ("2027-01-15T09:00:00.000Z", TIME - 3_600_000),
        ("1970-01-01T00:00:00.000Z", TIME),
        ("whenever", TIME),
        (None, TIME),
    ],
)
def test_a_senders_wrong_clock_is_set_right(sent_at: str | None, expected: int) -> None:
    assert one(sentAt=sent_at)["time"] == expected
    (shared,) = batch(TRACK, sentAt=sent_at).values
    assert shared["time"] == expected


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("2026-11-01T10:00:00.000Z", 1_793_527_200_000),  # As given to RudderStack's SDK.
        ("", NOW_MS - 1_000),
        ("no time", NOW_MS - 1_000),
        (None, NOW_MS - 1_000),
    ],
)
def test_a_time_given_beside_the_senders_own_stands(timestamp: str | None, expected: int) -> None:
    late = {"originalTimestamp": "2027-01-15T06:59:59.000Z", "sentAt": "2027-01-15T07:00:00.000Z"}
    assert one(timestamp=timestamp, **late)["time"] == expected


def test_a_call_of_rudderstacks_ruby_that_waited_keeps_its_time() -> None:
    """It writes `sentAt` when the call is made, and sends it again for a while."""
    made = {"timestamp": "2027-01-15T07:00:00.000Z", "sentAt": "2027-01-15T07:00:00.000Z"}
    assert one(channel="server", **made)["time"] == NOW_MS - 3_600_000
    assert one(**made)["time"] == NOW_MS


def test_without_a_timestamp_it_happened_now() -> None:
    assert one(timestamp=None)["time"] == NOW_MS


@pytest.mark.parametrize(
    ("given", "user_id"), [(7, "7"), (12345678901234567890123, "12345678901234567890123")]
)
def test_numbers_are_ids_too(given: object, user_id: str) -> None:
    assert one(userId=given)["user_id"] == user_id


@pytest.mark.parametrize("absent", [None, ""])
def test_an_empty_id_is_none(absent: str | None) -> None:
    found = batch(TRACK | {"userId": absent})
    assert found.keys == [b"a"]
    assert "user_id" not in found.values[0]


@pytest.mark.parametrize("placeholder", ["00000000-0000-0000-0000-000000000000", "unknown", ""])
def test_a_device_id_that_many_share_gives_way(placeholder: str) -> None:
    assert one(context={"device": {"id": placeholder}})["device_id"] == "a"


def test_without_a_message_id_each_event_has_its_own() -> None:
    first, second = batch(*[TRACK | {"messageId": None}] * 2).values
    assert first["insert_id"] != second["insert_id"]


@pytest.mark.parametrize(
    "members",
    [
        {"integrations": {"Actions Amplitude": {"session_id": "1767225600000"}}},
        {"integrations": {"Actions Amplitude": {"session_id": 1767225600000}}},
        {"integrations": {"Actions Amplitude": {"session_id": "2026-01-01T00:00:00Z"}}},
        {"context": {"sessionId": 1767225600000}},
    ],
)
def test_a_session_is_kept(members: dict[str, Any]) -> None:
    assert one(**members)["session_id"] == 1767225600000


def test_what_a_batch_says_for_all_holds_where_a_call_says_nothing() -> None:
    german = TRACK | {"context": {"locale": "de-DE"}}
    shared = {"locale": "en-US", "app": {"version": "3"}}
    values = batch(TRACK, german, context=shared).values
    assert [value["language"] for value in values] == ["en-US", "de-DE"]
    assert [value["app_version"] for value in values] == ["3", "3"]


def test_campaigns_are_kept_as_first_and_last_touch() -> None:
    context = {"campaign": {"source": "news", "name": "tps"}, "page": {"referrer": "r"}}
    last = {"utm_source": "news", "utm_campaign": "tps", "referrer": "r"}
    first = {f"initial_{name}": words for name, words in last.items()}
    found = one(context=context, traits={"a": 1})["user_properties"]
    assert found == {"$set": {"a": 1} | last, "$setOnce": first}
    assert one(traits={"a": 1})["user_properties"] == {"a": 1}


def test_identify_sets_the_traits_in_order_with_the_events() -> None:
    identify = {"type": "identify", "userId": "u", "messageId": "i", "traits": {"plan": "pro"}}
    found = batch(TRACK, identify, TRACK | {"messageId": "n"})
    assert [value["event_type"] for value in found.values] == [
        "Signed Up",
        "$identify",
        "Signed Up",
    ]
    assert found.keys == [b"u"] * 3
    assert found.values[1]["user_properties"] == {"$set": {"plan": "pro"}}
    assert found.values[1]["insert_id"] == "i"


def test_traits_may_be_in_the_context() -> None:
    call_ = {"type": "identify", "userId": "u", "context": {"traits": {"plan": "pro"}}}
    assert batch(call_).values[0]["user_properties"] == {"$set": {"plan": "pro"}}


def test_group_names_the_users_group_then_the_groups_traits() -> None:
    group = {"type": "group", "userId": "u", "groupId": 7, "messageId": "g", "traits": {"n": 1}}
    found = batch(group)
    user, group = found.values
    assert found.keys == [b"u", b"u"]
    assert (user["event_type"], group["event_type"]) == ("$identify", "$groupidentify")
    assert user["groups"] == group["groups"] == {"group": "7"}
    assert user["user_properties"] == {"$set": {"group": "7"}}
    assert group["group_properties"] == {"$set": {"n": 1}}
    assert (user["insert_id"], group["insert_id"]) == ("g", "g-1")


def test_a_group_without_a_user_is_kept_under_its_own_key() -> None:
    found = batch({"type": "group", "groupId": "acme", "traits": {"n": 1}})
    assert found.keys == [b"group:acme"]
    assert found.values[0]["event_type"] == "$groupidentify"


@pytest.mark.parametrize("nothing", [{}, None, []])
def test_properties_and_traits_without_members_are_left_out(nothing: object) -> None:
    (value,) = batch(TRACK | {"properties": nothing, "traits": nothing}).values
    assert not {"event_properties", "user_properties"} & value.keys()


def test_a_context_of_countless_values_is_rejected_and_a_long_one_is_not() -> None:
    many = TRACK | {"context": {"app": [1] * 50_000}}
    long = TRACK | {"context": {"userAgent": "," * 9_000 + "x" * 50_000}}
    found = batch(many, long, TRACK)

    assert found.reasons == ["too_many_values"]
    assert len(found.values) == 2
    assert batch(TRACK, context=many["context"]).reasons == ["too_many_values"]
