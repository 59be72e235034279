"""What Amplitude's older SDKs send becomes the events that the newer ones would have sent."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tests.unit.gateway.calls import NOW_MS, Reply, call
from tests.unit.gateway.memory import Edge

EVENT = {
    "event_type": "Order Placed",
    "user_id": None,
    "device_id": "device-1",
    "timestamp": 1_767_225_600_000,
    "uuid": "uuid-1",
    "version_name": "3.1",
    "event_id": 7,
    "sequence_number": 9,
    "session_id": -1,
    "library": {"name": "amplitude-android", "version": "2.40.2"},
    "event_properties": {"total": 12.50, "note": "Grüße 🚀 & 100% = +1"},
    "user_properties": {},
}


def upload(*events: object, client: str = "k") -> Reply:
    form = {"checksum": "0", "client": client, "e": json.dumps(events), "upload_time": 1, "v": "2"}
    return call("/", urlencode(form).encode())


def stored(**more: object) -> dict[str, Any]:
    (value,) = upload(EVENT | more).values
    return value


def test_an_event_has_the_names_of_http_v2() -> None:
    reply = upload(EVENT)
    assert (reply.status, reply.answer.body) == (200, b"success")
    assert reply.keys == [b"device-1"]
    assert reply.values == [
        {
            "event_type": "Order Placed",
            "user_id": None,
            "device_id": "device-1",
            "time": 1_767_225_600_000,
            "insert_id": "uuid-1",
            "app_version": "3.1",
            "event_id": 7,
            "session_id": -1,
            "library": "amplitude-android/2.40.2",
            "event_properties": EVENT["event_properties"],
            "user_properties": {},
            "ip": "9.9.9.9",
        }
    ]


def test_what_a_phone_knows_of_itself_is_kept() -> None:
    value = stored(
        api_properties={
            "androidADID": "ad",
            "ios_idfa": "fa",
            "ios_idfv": "fv",
            "location": {"lat": 52.5, "lng": 13.4},
            "limit_ad_tracking": False,
        }
    )
    assert (value["adid"], value["idfa"], value["idfv"]) == ("ad", "fa", "fv")
    assert (value["location_lat"], value["location_lng"]) == (52.5, 13.4)
    assert "api_properties" not in value


def test_an_app_that_forbids_its_address_has_none() -> None:
    assert "ip" not in stored(api_properties={"tracking_options": {"ip_address": False}})
    assert stored(api_properties={"tracking_options": {"city": False}})["ip"] == "9.9.9.9"


def test_without_a_time_and_a_uuid_they_are_filled_in() -> None:
    value = stored(timestamp=None, uuid=None)
    assert value["time"] == NOW_MS
    assert value["insert_id"]


@pytest.mark.parametrize("odd", [None, 1, "a", [], [1], {}, {"name": None}])
def test_odd_members_are_no_reason_to_lose_an_event(odd: object) -> None:
    assert stored(library=odd, api_properties=odd)["event_type"] == "Order Placed"
    places: dict[str, object] = {"location": odd, "tracking_options": odd, "ios_idfa": odd}
    assert stored(api_properties=places)["event_type"] == "Order Placed"


def test_half_an_emoji_costs_no_event() -> None:
    """The SDK for JavaScript cuts texts at 1,024 units of UTF-16."""
    note = stored(event_properties={"note": "cut \ud83d"})["event_properties"]["note"]
    assert note == "cut \ufffd"
    reply = upload(EVENT | {"event_properties": {"note": "\ud83d" * 2_000}})
    assert (reply.status, reply.values) == (413, [])


def test_what_cannot_be_used_holds_up_nothing() -> None:
    """These SDKs would send it again for ever, and everything behind it."""
    reply = upload(EVENT | {"device_id": "null"}, 5, EVENT)
    assert (reply.status, reply.answer.body) == (200, b"success")
    assert len(reply.values) == 1
    assert reply.reasons == ["invalid_id", "not_an_object"]


TEXTS = [
    json.dumps(EVENT),
    json.dumps(EVENT | {"api_properties": {"tracking_options": {"ip_address": False}}}),
    json.dumps(EVENT | {"library": {"name": "amplitude-ios"}}),
    json.dumps(EVENT | {"library": {"name": "amplitude-ios"}, "api_properties": {"ios_idfv": "v"}}),
    json.dumps(EVENT | {"api_properties": {"ios_idfv": "v", "location": {"lat": 1.5}}}),
    json.dumps(EVENT | {"library": 7, "api_properties": []}),
    json.dumps({name: EVENT[name] for name in ("event_type", "device_id", "uuid")}),
    json.dumps(EVENT | {"device_id": "null"}),
    '{"event_type":"a","device_id":"device-2","uuid":"u","x":1e999}',
    '{"event_type":"a","device_id":"device-2","uuid":"u","x":%s}' % ("[" * 50 + "]" * 50),
    '{"event_type":"a","device_id":"device-2","uuid":"u","timestamp":"1"}',
    "5",
]


@examples(50)
@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=30))
def test_of_an_upload_each_event_becomes_what_it_is_alone(texts: list[str]) -> None:
    together = call("/", urlencode({"client": "k", "e": f"[{','.join(texts)}]"}).encode())
    each = [call("/", urlencode({"client": "k", "e": f"[{text}]"}).encode()) for text in texts]

    assert together.batch.records == [record for one in each for record in one.batch.records]
    assert together.reasons == [reason for one in each for reason in one.reasons]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (b"", b"missing_api_key"),
        (b"e=[]", b"missing_api_key"),
        (b"client=k", b"missing_event"),
        (b"client=k&e={}", b"missing_event"),
        (b"client=wrong&e=[]", b"invalid_api_key"),
    ],
)
def test_what_is_no_upload_is_told_in_their_words(form: bytes, words: bytes) -> None:
    reply = call("/", form)
    assert (reply.status, reply.answer.body) == (400, words)


async def test_a_suppressed_user_holds_up_nobody_else() -> None:
    edge = Edge(suppressed_user_ids=["forgotten"])
    events = [EVENT | {"user_id": "forgotten"}, EVENT | {"user_id": "user-1"}]
    form = {"client": "secret", "e": json.dumps(events)}
    async with edge.client as client:
        answer = await client.post("/", data=form)
    assert (answer.status_code, answer.text) == (200, "success")
    assert [value["user_id"] for value in edge.store.values("events")] == ["user-1"]
    assert edge.store.values("dead-letters") == []
