"""The first version of Amplitude's HTTP API: a form with events."""

import json
from urllib.parse import urlencode

import pytest

from tests.unit.gateway.calls import NOW_MS, call

EVENT = {"event_type": "Order & more", "user_id": "ann", "event_properties": {"é": "🚀 +1 %"}}
FORM = {b"content-type": b"application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("body", "headers", "query"),
    [
        (urlencode({"api_key": "k", "event": json.dumps([EVENT])}).encode(), FORM, b""),
        (urlencode({"api_key": "k", "event": json.dumps(EVENT)}).encode(), FORM, b""),
        (b"", {}, urlencode({"api_key": "k", "event": json.dumps(EVENT)}).encode()),
        (json.dumps({"api_key": "k", "event": [EVENT]}).encode(), {}, b""),
        (json.dumps({"api_key": "k", "event": json.dumps([EVENT])}).encode(), {}, b""),
    ],
)
def test_an_event_comes_in_a_form_a_query_or_json(
    body: bytes, headers: dict[bytes, bytes], query: bytes
) -> None:
    reply = call("/httpapi", body, headers, query)
    assert (reply.status, reply.answer.body) == (200, b"success")
    (value,) = reply.values
    assert value.pop("insert_id")
    assert value == EVENT | {"time": NOW_MS, "ip": "9.9.9.9"}
    assert reply.keys == [b"ann"]


def test_several_keep_their_order_and_what_they_say() -> None:
    events = [{**EVENT, "insert_id": f"i{number}", "time": number} for number in range(3)]
    reply = call("/httpapi", urlencode({"api_key": "k", "event": json.dumps(events)}).encode())
    assert reply.values == [event | {"ip": "9.9.9.9"} for event in events]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (b"api_key=wrong&event=[]", b"invalid_api_key"),
        (b"event=[]", b"missing_api_key"),
        (b"api_key=k", b"missing_event"),
        (b"api_key=k&event={", b"missing_event"),
        (b'api_key=k&event=[{"user_id":"ann"}]', b"invalid_event_field: 0 missing_event_type"),
    ],
)
def test_what_is_no_event_is_told_in_text(form: bytes, words: bytes) -> None:
    reply = call("/httpapi", form)
    assert reply.status == 400
    assert reply.answer.body.startswith(words)
    assert reply.values == []
