"""Numbers out of range, and other values that no destination takes."""

import json

import pytest

from tests.unit.gateway.calls import basic, bearer, call
from tests.unit.gateway.dialects.segment_calls import TRACK


def test_a_number_out_of_range_costs_one_call_of_a_batch() -> None:
    odd = json.dumps(TRACK).replace('"pro"', "1e999")
    body = f'{{"batch":[{json.dumps(TRACK)},{odd},{json.dumps(TRACK)}]}}'.encode()
    reply = call("/segment/v1/batch", body, basic("k"))

    assert reply.status == 200
    assert len(reply.values) == 2
    assert reply.reasons == ["number_out_of_range"]


@pytest.mark.parametrize("number", [b"1e999", b"-1e400", b"1" * 400, b"9" * 5_000])
def test_every_dialect_refuses_a_number_out_of_range(number: bytes) -> None:
    event = b'{"event_type":"e","user_id":"user-1","event_properties":{"x":%b}}' % number
    track = b'{"event":"e","userId":"u","properties":{"x":%b}}' % number
    native = call("/v1/events", event, bearer("k"))
    amplitude = call("/2/httpapi", b'{"api_key":"k","events":[%b]}' % event)
    segment = call("/segment/v1/track", track, basic("k"))
    shared = call("/segment/v1/batch", b'{"batch":[{}],"context":{"x":%b}}' % number, basic("k"))
    aampe = call(
        "/aampe/v1/events",
        b'{"event_name":"e","contact_id":"u","timestamp":1,"metadata":{"x":%b}}' % number,
        bearer("k"),
    )
    legacy = call("/", b"client=k&e=[%b]" % event)
    webhook = b'{"is_reply":true,"lead":{"email":"a@b.c"},"dynamic_fields":{"x":%b}}' % number

    assert native.json["rejected"][0]["reason"] == "number_out_of_range"
    assert (amplitude.status, amplitude.values) == (400, [])
    assert amplitude.json["events_with_invalid_fields"] == {"event": [0]}
    for reply in (segment, shared, legacy):
        assert (reply.status, reply.reasons) == (200, ["number_out_of_range"])
    assert (aampe.status, aampe.values) == (422, [])
    assert aampe.json["detail"][0]["type"] == "number_out_of_range"
    assert call("/webhooks/amplemarket/k", webhook).reasons == ["number_out_of_range"]


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity"])
@pytest.mark.parametrize(
    "event",
    [
        b'{"event_type":"e","user_id":"user-1","event_properties":{"x":%b}}',
        b'{"event_type":"e","user_id":"user-1","user_properties":{"$set":{"NaN":[1,{"a":[%b]}]}}}',
        b'{"event_type":"e","user_id":"user-1","revenue":%b}',
        b'{"event_type":"e","user_id":"user-1","time":%b}',
        b'{"event_type":"e","user_id":"user-1","unknown":%b}',
        b'{"event_type":"e","user_id":%b}',
        b"%b",
    ],
)
def test_an_event_with_pythons_words_for_no_number_is_named(word: bytes, event: bytes) -> None:
    """Told only that its request is malformed, an SDK would send all of it again."""
    good = b'{"event_type":"say \\"NaN\\", or -Infinity","user_id":"user-1"}'
    body = b'{"api_key":"k","events":[%b]}'
    reply = call("/2/httpapi", body % b",".join([good, event % word, good]))
    assert (reply.status, reply.values) == (400, [])
    assert list(reply.json["events_with_invalid_fields"].values()) == [[1]]
    assert len(call("/2/httpapi", body % b",".join([good, good])).values) == 2


@pytest.mark.parametrize(
    "body",
    [
        b'{"api_key":"k","events":[{"event_type":"e","user_id":"user-1"}],"options":NaN}',
        b'{"api_key":"k","events":[{"event_type":"e","user_id":"user-1","NaN":1},{]}',
        b'{"api_key":"k","events":[{"event_type":"e","user_id":"user-1",NaN:1}]}',
        b'{"api_key":"k","events":["NaN]}',
    ],
)
def test_a_request_that_is_malformed_otherwise_is_told_so(body: bytes) -> None:
    reply = call("/2/httpapi", body)
    assert (reply.status, reply.values) == (400, [])
    assert reply.json["error"].startswith("Invalid JSON request body: ")


@pytest.mark.parametrize("odd", [b"1e999", b"1" * 400, b"[" * 45 + b"]" * 45, b'"\xff"'])
@pytest.mark.parametrize("path", ["/identify", "/groupidentify"])
def test_a_form_with_a_value_that_no_destination_takes_is_refused(path: str, odd: bytes) -> None:
    names = b'"user_properties"' if path == "/identify" else b'"group_properties"'
    update = b'{"user_id":"user-1","group_type":"a","group_value":"b",%b:{"x":%b}}'
    good, bad = update % (names, b"1"), update % (names, odd)
    for body in (b"api_key=k&identification=", b"api_key=k&identification=[%b," % good):
        reply = call(path, body + bad + (b"]" if b"[" in body else b""))
        assert (reply.status, reply.values) == (400, [])
    assert call(path, b"api_key=k&identification=" + good).status == 200
    as_json = b'{"api_key":"k","identification":[%b]}'
    assert call(path, as_json % bad).status == 400
    assert call(path, as_json % good).status == 200
