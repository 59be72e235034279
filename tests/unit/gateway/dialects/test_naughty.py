"""What JSONTestSuite and the Big List of Naughty Strings would break, and every dialect's calm."""

import json
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import ENDPOINTS
from tests.shared_data import DATA
from tests.unit.gateway.calls import Reply, basic, bearer, call

NAUGHTY = DATA / "naughty"
THERE = pytest.mark.skipif(not NAUGHTY.exists(), reason="the naughty data is not here")
BEARER = bearer("k")
PATHS = [path.replace("{key}", "k") for path in ENDPOINTS]
Json = Any


def bodies() -> dict[str, tuple[str, bytes]]:
    """Each body with what a parser should say to it."""
    rows = map(json.loads, (NAUGHTY / "json_bodies.ndjson").read_text().splitlines())
    return {row["id"]: (row["expect"], b64decode(row["body_b64"])) for row in rows}


def strings() -> list[str]:
    rows = map(json.loads, (NAUGHTY / "strings.ndjson").read_text().splitlines())
    return [row["string"] for row in rows]


def native_body(body: bytes) -> Reply:
    return call("/v1/events", body, BEARER)


def native_property(body: bytes) -> Reply:
    record = b'{"event_type":"e","user_id":"u","event_properties":{"x":%b}}' % body
    return call("/v1/events", record, BEARER)


def amplitude_property(body: bytes) -> Reply:
    record = b'{"event_type":"e","user_id":"user-1","event_properties":{"x":%b}}' % body
    return call("/2/httpapi", b'{"api_key":"k","events":[%b]}' % record)


def segment_property(body: bytes) -> Reply:
    record = b'{"type":"track","event":"e","userId":"u","properties":{"x":%b}}' % body
    return call("/segment/v1/batch", b'{"batch":[%b]}' % record, basic("k"))


def aampe_property(body: bytes) -> Reply:
    record = b'{"event_name":"e","contact_id":"u","timestamp":1,"metadata":{"x":%b}}' % body
    return call("/aampe/v1/events", record, BEARER)


PLACES: list[Callable[[bytes], Reply]] = [
    native_property,
    amplitude_property,
    segment_property,
    aampe_property,
]


@THERE
def test_a_body_that_is_no_json_is_malformed() -> None:
    for name, (expect, body) in bodies().items():
        reply = native_body(body)
        assert reply.status < 500
        if expect == "reject":
            assert reply.status == 400, name
        elif expect == "accept":
            # JSON, though no event: a record was looked at, or there was none to look at.
            assert reply.status == 422 or "neither an object nor an array" in reply.json["error"], (
                name
            )


@THERE
@pytest.mark.parametrize("place", PLACES)
def test_json_is_taken_and_what_is_not_is_refused(place: Callable[[bytes], Reply]) -> None:
    for name, (expect, body) in bodies().items():
        reply = place(body)
        assert reply.status < 500
        if expect == "reject":
            assert reply.values == [], name
            # Of Python's words for what is no number, Segment's dialect keeps the call aside.
            assert reply.status == 400 or reply.reasons == ["number_out_of_range"], name
        elif expect == "accept":
            assert reply.status in (200, 202), name
            assert reply.values or reply.reasons, name


@THERE
@pytest.mark.parametrize("place", PLACES)
def test_every_string_arrives_as_it_was(place: Callable[[bytes], Reply]) -> None:
    for string in strings():
        for body in (json.dumps(string), json.dumps(string, ensure_ascii=False)):
            (value,) = place(body.encode()).values
            assert value["event_properties"] == {"x": string}


@THERE
def test_every_string_may_be_a_name_or_an_id() -> None:
    """Stored as it was, or refused with a reason; never something else."""
    for string in strings():
        native = call("/v1/events", {"event_type": string, "user_id": string}, BEARER)
        event = {"event_type": string, "user_id": string}
        api = {"api_key": "k", "events": [event], "options": {"min_id_length": 1}}
        track = {"type": "track", "event": string, "userId": string}
        aampe = {"event_name": string, "contact_id": string, "timestamp": 1}
        for reply in (
            native,
            call("/batch", api),
            call("/segment/v1/batch", {"batch": [track]}, basic("k")),
            call("/aampe/v1/events", aampe, BEARER),
        ):
            if reply.values:
                (value,) = reply.values
                assert (value["event_type"], value["user_id"]) == (string, string)
                assert reply.keys == [string.encode()]
            else:
                assert reply.status in (200, 400, 422)
                assert reply.status != 200 or reply.reasons


NAMES = st.sampled_from(
    [
        *("event_type", "user_id", "device_id", "time", "insert_id", "events", "updates", "groups"),
        *("api_key", "options", "identification", "group_type", "group_value", "user_properties"),
        *("batch", "type", "event", "userId", "anonymousId", "traits", "properties", "context"),
        *("timestamp", "sentAt", "messageId", "groupId", "products", "campaign", "device", "name"),
        *("contact_id", "event_name", "metadata", "is_reply", "linkedin", "date", "email_message"),
        *("dynamic_fields", "labels", "id", "call", "duration", "integrations", "session_id"),
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(path=st.sampled_from(PATHS), members=st.dictionaries(NAMES, ANYTHING, max_size=8))
def test_whatever_the_members_every_dialect_has_an_answer(path: str, members: Json) -> None:
    kinds = {"type": "track", "event": "Order Completed"} | members
    for body in (members, [members], members | {"batch": [members, kinds], "api_key": "k"}):
        for headers in (BEARER, basic("k")):
            reply = call(path, body, headers)
            assert reply.status in (200, 202, 400, 401, 422)
            assert reply.status < 300 or not reply.values


@given(path=st.sampled_from(PATHS), body=st.binary(max_size=60), query=st.binary(max_size=30))
def test_whatever_the_bytes_every_dialect_has_an_answer(
    path: str, body: bytes, query: bytes
) -> None:
    for headers in (BEARER, basic("k"), {}, {b"content-type": b"multipart/form-data; boundary=B"}):
        assert call(path, body, headers, query).status in (200, 202, 400, 401, 422)


@pytest.mark.parametrize("path", PATHS)
def test_a_query_that_is_no_ascii_takes_back_no_answer(path: str) -> None:
    body = {"event_type": "a", "user_id": "user-1"}
    query = b"\x80=\xff&receipts=true&writeKey=k"
    assert call(path, body, BEARER, query).status in (200, 202, 400, 401, 422)


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/v1/events", bearer("k"), b'{"events":[{"event_type":"a","user_id":"u"}]}'),
        ("/2/httpapi", {}, b'{"api_key":"k","events":[{"event_type":"a"}]}'),
        ("/segment/v1/batch", basic("k"), b'{"batch":[{"type":"track"}]}'),
        ("/segment/v1/track", {}, b'{"writeKey":"k","event":"a"}'),
        ("/webhooks/amplemarket/k", {}, b'{"is_reply":true}'),
    ],
)
def test_a_body_that_is_cut_off_is_refused_with_the_place(
    path: str, headers: dict[bytes, bytes], body: bytes
) -> None:
    for end in range(1, len(body)):
        found = call(path, body[:end], headers)
        assert found.status == 400
        assert b"(byte %d)" % end in found.answer.body, body[:end]
