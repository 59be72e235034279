"""A Segment call's event, and its record, which is built without reading the event again."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.records import record_of_built
from gateway.dialects.segment_call import Call, read_call
from gateway.dialects.segment_context import CallContexts
from gateway.dialects.segment_mapping import Event, encoded, only_event_of
from gateway.dialects.segment_records import facts_of, is_no_deeper, usual_record
from gateway.dialects.segment_wire import wires_of
from gateway.dialects.shapes import Context
from schemas.events import EventFacts, read_event, usable_event
from schemas.strictness import Defect, is_surely_shallow, strictness_defect
from tests.unit.gateway.calls import CONTEXT, NOW_MS, ROOM
from tests.unit.gateway.dialects.segment_calls import CALLS, TRACK

FACTS = ("event_type", "user_id", "device_id", "time", "insert_id", "ip", "session_id")
CONTEXTS = [
    CONTEXT,
    Context([("source", b"s")], 1000, "9.9.9.0", lambda _: "0.0.0.0", keeps_ip=False, room=ROOM),
    Context([("source", b"s")], 1000, None, lambda _: None, keeps_ip=False, room=ROOM),
]
# What a call may say instead, each as likely as nothing of it.
ODD: list[dict[str, Any]] = [
    *({"type": kind} for kind in ("identify", "page", "screen")),
    *({"event": name} for name in ("", " ", "\u2003", "$groupidentify", "é")),
    *({"userId": name} for name in (None, "none", 7, "ü" * 7, "x" * 3_000)),
    *({"anonymousId": name} for name in (None, "0", "device-of-12", "\u00a0unknown")),
    *({"messageId": name} for name in (None, "", "ß", 5)),
    *({"timestamp": time} for time in (None, "2026-01-01T00:00:00+01:00", 1_767_225_600)),
    *({"context": {"ip": ip}} for ip in ("", "1.2.3.4", "$remote", 7)),
    *({"context": {"page": {"referrer": "r"}} | more} for more in ({}, {"traits": {"a": [1]}})),
    *({"traits": {"a": json.loads("[" * levels + "]" * levels)}} for levels in (1, 38, 39)),
    *({"properties": given} for given in ({}, None, {"time": None, "insert_id": None, "ip": ""})),
    *({"integrations": {name: False}} for name in ("All", "Amplitude")),
    {"integrations": {"Amplitude": {"groups": {"org": "a"}, "fieldsToUnset": ["b"]}}},
]
calls = st.builds(
    lambda *odd: msgspec.json.encode(TRACK | odd[0] | odd[1] | odd[2]),
    *[st.sampled_from([{}, *ODD])] * 3,
)


def made(value: bytes, context: Context) -> tuple[Event, Call] | None:
    """The only event of a call."""
    (wire,), contexts = wires_of([value]), CallContexts({}, context)
    call = strictness_defect(value) or read_call(wire, contexts, None, NOW_MS, None)
    event = None if isinstance(call, Defect) else only_event_of(call)
    return (event, call) if isinstance(call, Call) and isinstance(event, Event) else None


@given(st.sampled_from(CALLS).map(msgspec.json.encode) | calls)
def test_what_is_known_of_an_event_is_what_reading_it_says(value: bytes) -> None:
    if (found := made(value, CONTEXT)) is None:
        return
    event, call = found
    text, facts = encoded(event, call), facts_of(event, call)
    read = read_event(text)

    if isinstance(read, EventFacts):
        assert usable_event(facts) is facts
        for field in FACTS:
            assert getattr(facts, field) == getattr(read, field), field
    elif read.reason == "too_deep":
        assert not is_no_deeper(event)
        assert not is_surely_shallow(text)
    else:
        assert usable_event(facts) == read


@given(calls, st.sampled_from(CONTEXTS))
def test_a_usual_event_becomes_the_record_of_what_it_is_encoded_as(
    value: bytes, context: Context
) -> None:
    if (found := made(value, context)) is None:
        return
    event, call = found
    if (record := usual_record(event, call)) is not None:
        text = encoded(event, call)
        facts = read_event(text)
        assert isinstance(facts, EventFacts)
        assert (record, event.insert_id) == record_of_built(text, facts, call.context.whence)


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize(
    "members",
    [
        *({}, {"type": "page"}, {"type": "identify", "traits": {"a": [1]}}, {"timestamp": None}),
        *({"context": {"campaign": {"source": "s"}}}, {"integrations": {"Amplitude": False}}),
    ],
)
def test_calls_as_most_senders_write_them_are_usual(
    members: dict[str, Any], context: Context
) -> None:
    users = {"userId": "user-of-10", "anonymousId": "device-of-12"}
    found = made(msgspec.json.encode(TRACK | users | members), context)

    assert found is not None
    assert usual_record(*found) is not None
