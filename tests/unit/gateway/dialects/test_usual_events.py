"""Events that are made to records together become the same records as one by one."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.amplitude_http import HttpApi, short_ids
from gateway.dialects.native import Native
from gateway.dialects.records import record_of
from gateway.dialects.shapes import Context, Opened
from gateway.dialects.usual_events import are_usual, records_of_usual
from schemas.events import read_event
from schemas.records import NewRecord
from schemas.strictness import Defect
from schemas.topics import Kind
from tests.unit.gateway.calls import ROOM

USUAL = {"event_type": "a", "user_id": "user-of-10", "insert_id": "i", "time": 1}
CONTEXTS = [
    Context([("source", b"s")], 1000, "9.9.9.9", lambda ip: ip, keeps_ip=True, room=ROOM),
    Context([("source", b"s")], 1000, "9.9.9.0", lambda _: "0.0.0.0", keeps_ip=False, room=ROOM),
    Context([("source", b"s")], 1000, None, lambda _: None, keeps_ip=False, room=ROOM),
]
# What an event may say instead, each as likely as nothing of it.
ODD: list[dict[str, Any]] = [
    *({"user_id": name} for name in (None, "none", "short", "ü" * 7)),
    *({"device_id": name} for name in (None, "device-of-12", "tiny", "unknown")),
    *({"insert_id": name} for name in (None, "", "ß")),
    *({"time": time} for time in (None, 0, "2026", 1.5)),
    *({"ip": ip} for ip in (None, "", "1.2.3.4", "$remote", 7)),
    *({"event_properties": {"ip": "$remote", "time": None}}, {"event_type": "$groupidentify"}),
    {"ip": "$remote", "event_properties": {"ip": "$remote"}},
    {"ip": "$remote", "event_properties": {"page": "\0"}},  # Written as an escape.
]
NEW_ID = re.compile(rb'"insert_id":"[0-9a-f]{8}-[0-9a-f-]{27}"')  # Random: another one each time.

events = st.builds(
    lambda odd, gone, space: (
        msgspec.json.encode({name: it for name, it in (USUAL | odd).items() if name not in gone})
        + space
    ),
    st.sampled_from([{}, {}, *ODD]) | st.builds(lambda a, b: a | b, *[st.sampled_from(ODD)] * 2),
    st.sets(st.sampled_from([*USUAL]), max_size=1) | st.just(frozenset[str]()),
    st.sampled_from([b"", b"", b" \n"]),
)
contexts = st.sampled_from(CONTEXTS)


def with_no_random_id(records: list[NewRecord]) -> list[NewRecord]:
    return [NewRecord(one.key, NEW_ID.sub(b"", one.value), one.headers) for one in records]


def one_by_one(values: list[bytes], context: Context, shortest: int) -> list[NewRecord]:
    read = [(value, read_event(value)) for value in values]
    return [
        record_of(value, facts, context)[0]
        for value, facts in read
        if type(facts) is not Defect and not short_ids(facts, shortest)
    ]


@given(st.lists(events, min_size=1, max_size=4), contexts, st.sampled_from([0, 5, 8, 12]))
def test_amplitudes_events_become_the_same_records(
    values: list[bytes], context: Context, shortest: int
) -> None:
    records = HttpApi().read(Opened(values, shortest), context).records

    assert with_no_random_id(records) == with_no_random_id(one_by_one(values, context, shortest))


@given(st.lists(events, min_size=1, max_size=4), contexts)
def test_native_events_become_the_same_records_with_their_ids(
    values: list[bytes], context: Context
) -> None:
    batch = Native(Kind.EVENT).read(Opened(values, first=7), context)

    assert with_no_random_id(batch.records) == with_no_random_id(one_by_one(values, context, 0))
    said = [msgspec.json.decode(one.value)["insert_id"] for one in batch.records]
    assert [insert_id for _, insert_id in batch.receipts] == said
    places = {index for index, _ in batch.receipts} | {one.index for one in batch.rejected}
    assert places == set(range(7, 7 + len(values)))


@given(events, contexts, st.sampled_from([0, 8, 12]))
def test_an_event_is_usual_only_if_its_record_is_the_same(
    value: bytes, context: Context, shortest: int
) -> None:
    several = [read_event(value)]
    if are_usual(several, context, shortest):
        assert records_of_usual([value], several, context) == one_by_one([value], context, shortest)


@pytest.mark.parametrize("context", CONTEXTS)
def test_events_as_most_senders_write_them_are_usual(context: Context) -> None:
    anonymous = {**USUAL, "user_id": None, "device_id": "device-of-12"}
    read = [read_event(msgspec.json.encode(one)) for one in (USUAL, anonymous)]

    assert are_usual(read, context, 5)


def test_an_address_that_is_kept_is_usual_and_another_one_is_not() -> None:
    read = [read_event(msgspec.json.encode({**USUAL, "ip": "1.2.3.4"}))]

    assert [are_usual(read, context) for context in CONTEXTS] == [True, False, False]


def test_remote_is_usual_whatever_is_kept_of_addresses() -> None:
    read = [read_event(msgspec.json.encode({**USUAL, "ip": "$remote"}))]

    assert all(are_usual(read, context) for context in CONTEXTS)
