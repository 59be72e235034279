"""Our own dialect: bytes in, records and answers out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.native import Native
from gateway.dialects.shapes import Batch, Context, RefusedError, Request
from gateway.http.addresses import truncated
from schemas.topics import Kind
from tests.unit.gateway.calls import ROOM

FULL = b'{ "event_type":"a", "user_id":"u", "time":1, "insert_id":"i", "ip":"1.2.3.4", "x":1.50 }'
KEEP = Context([("source", b"s")], 1000, "9.9.9.9", lambda ip: ip, keeps_ip=True, room=ROOM)
TRUNCATE = Context([("source", b"s")], 1000, "9.9.9.0", truncated, keeps_ip=False, room=ROOM)
DROP = Context([("source", b"s")], 1000, None, lambda _: None, keeps_ip=False, room=ROOM)
EVENTS = Native(Kind.EVENT)


def request(body: bytes, content_type: bytes = b"application/json", query: bytes = b"") -> Request:
    headers = {b"authorization": b"Bearer k", b"content-type": content_type}
    return Request("/v1/events", query, headers, body)


def read(body: bytes, context: Context = KEEP, endpoint: Native = EVENTS) -> Batch:
    return endpoint.read(endpoint.open(request(body)), context)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (FULL, 1),
        (b"[" + FULL + b"," + FULL + b"]", 2),
        (b'{"events":[' + FULL + b"]}", 1),
        (FULL + b"\n\n" + FULL + b"\r\n" + FULL, 3),
    ],
)
def test_a_complete_event_travels_byte_for_byte(body: bytes, count: int) -> None:
    batch = read(body)
    assert [record.value for record in batch.records] == [FULL] * count
    assert {record.key for record in batch.records} == {b"u"}


def test_no_line_is_completed_by_the_next_one() -> None:
    """Though all of them with commas between are as many events as there are lines."""
    lines = [b"%b,%b" % (FULL, FULL), FULL[:-1], b'"y":1}']
    body = b"\n".join([FULL, *lines])
    batch = EVENTS.read(EVENTS.open(request(body, b"application/x-ndjson")), KEEP)
    assert [record.value for record in batch.records] == [FULL]
    assert [rejection.index for rejection in batch.rejected] == [1, 2, 3]


@pytest.mark.parametrize(
    ("event", "context", "ip"),
    [
        ({}, KEEP, "9.9.9.9"),
        ({"ip": "$remote"}, KEEP, "9.9.9.9"),
        ({"ip": None}, KEEP, "9.9.9.9"),
        ({"ip": "1.2.3.4"}, KEEP, "1.2.3.4"),
        ({}, TRUNCATE, "9.9.9.0"),
        ({"ip": "1.2.3.4"}, TRUNCATE, "1.2.3.0"),
        ({}, DROP, None),
        ({"ip": "1.2.3.4"}, DROP, None),
        ({"ip": "$remote"}, DROP, None),
    ],
)
@pytest.mark.parametrize("complete", [{}, {"time": 1000, "insert_id": "0" * 36}])
def test_the_source_decides_which_address_is_kept(
    event: dict[str, Any], context: Context, ip: str | None, complete: dict[str, Any]
) -> None:
    body = json.dumps({"event_type": "a", "device_id": "d"} | event | complete).encode()
    (record,) = read(body, context).records
    value = json.loads(record.value)
    assert value.get("ip") == ip
    assert value["time"] == 1000
    assert len(value["insert_id"]) == 36


def test_a_property_is_not_taken_for_the_address() -> None:
    properties = b'"event_properties":{"ip":"$remote"}'
    body = FULL.replace(b'"ip":"1.2.3.4"', properties + b',"ip" : "$remote"')
    (record,) = read(body).records
    value = json.loads(record.value)
    assert (value["ip"], value["event_properties"]) == ("9.9.9.9", {"ip": "$remote"})


MEMBERS = [
    *(b'"ip":"$remote"', b'"ip" : "$remote"', b'"\\u0069p":"$remote"', b'"ip":"1.2.3.4"'),
    *(b'"ip":null', b'"\\u0069p":"1.2.3.4"', b'"x":"\\n"', b'"x":"\\"ip"'),
    *(b'"x":{"ip":"$remote"}', b'"x":{"\\u0069p":"$remote"}', b'"x":["ip"]', b'"x":"ip"'),
    b'"x":"\\"ip\\":\\"$remote\\""',
]


@given(st.lists(st.sampled_from(MEMBERS), max_size=4), st.sampled_from(MEMBERS[:3]))
def test_only_the_events_own_ip_becomes_the_senders(before: list[bytes], last: bytes) -> None:
    usual = b'"event_type":"a","user_id":"u","time":1,"insert_id":"i"'
    body = b"{%b}" % b",".join([*before, usual, last])
    [record] = read(body).records

    assert json.loads(record.value) == json.loads(body) | {"ip": "9.9.9.9"}


@given(st.lists(st.sampled_from(MEMBERS), max_size=4), st.sampled_from(MEMBERS))
def test_no_address_stays_that_the_source_does_not_keep(before: list[bytes], last: bytes) -> None:
    """Also of an event that has several members of that name."""
    usual = b'"event_type":"a","user_id":"u","time":1,"insert_id":"i"'
    body = b"{%b}" % b",".join([*before, usual, last])
    for context, kept in ((TRUNCATE, {"9.9.9.0", "1.2.3.0"}), (DROP, set[str]())):
        [record] = read(body, context).records
        pairs = json.loads(record.value, object_pairs_hook=list)
        assert {value for name, value in pairs if name == "ip"} <= kept


@pytest.mark.parametrize("insert_id", [b"null", b'""'])
@pytest.mark.parametrize("time", [b"null", b"1"])
def test_what_says_nothing_is_filled_in_once(insert_id: bytes, time: bytes) -> None:
    event = b'{"event_type":"a","user_id":"u","time":%b,"insert_id":%b}' % (time, insert_id)
    (record,) = read(event).records
    assert len(json.loads(record.value)["insert_id"]) == 36
    pairs = json.loads(record.value, object_pairs_hook=list)
    names = [name for name, _ in pairs]
    assert sorted(names) == ["event_type", "insert_id", "ip", "time", "user_id"]


@pytest.mark.parametrize("properties", [{}, {"event_properties": {"time": None, "ip": None}}])
@pytest.mark.parametrize("insert_id", [{}, {"insert_id": None}, {"insert_id": "i"}])
@pytest.mark.parametrize("time", [{}, {"time": None}, {"time": 5}])
@pytest.mark.parametrize("ip", [{}, {"ip": None}, {"ip": "1.2.3.4"}])
@pytest.mark.parametrize("spelling", [("{", "}"), ("{ ", "\n}")])
def test_only_what_an_event_lacks_is_filled_in(
    properties: dict[str, Any],
    insert_id: dict[str, Any],
    time: dict[str, Any],
    ip: dict[str, Any],
    spelling: tuple[str, str],
) -> None:
    sent = {"event_type": "a", "user_id": "u", **properties, **insert_id, **time, **ip}
    start, end = spelling
    (record,) = read(f"{start}{json.dumps(sent)[1:-1]}{end}".encode()).records
    stored = json.loads(record.value)

    given = {name: value for name, value in sent.items() if value is not None}
    filled_in = {"insert_id": stored["insert_id"], "time": 1000, "ip": "9.9.9.9"}
    assert stored == filled_in | given


def test_equal_events_are_two_events() -> None:
    one = b'{"event_type":"a","user_id":"u"}'
    receipts = read(b"[" + one + b"," + one + b"]").receipts
    assert receipts[0][1] != receipts[1][1]


def test_each_record_has_its_own_outcome() -> None:
    query = request(b"[" + FULL + b',{"event_type":"x"}]', query=b"receipts=true")
    batch = EVENTS.read(EVENTS.open(query), KEEP)
    answer = EVENTS.success(query, batch, 1000)
    body = json.loads(answer.body)
    assert answer.status == 202
    assert body["accepted"] == 1
    assert [(r["index"], r["reason"]) for r in body["rejected"]] == [(1, "missing_id")]
    assert body["records"] == [{"index": 0, "insert_id": "i"}]
    assert batch.rejected[0].value == b'{"event_type":"x"}'


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"user_id": "u"}, "missing_event_type"),
        ({"event_type": " ", "user_id": "u"}, "invalid_event_type"),
        ({"event_type": "a"}, "missing_id"),
        ({"event_type": "a", "user_id": "NULL"}, "invalid_id"),
        ({"event_type": "a", "user_id": 7}, "invalid_type"),
        ({"event_type": "a", "user_id": "u", "time": "2026-01-01"}, "invalid_type"),
        ([], "not_an_object"),
    ],
)
def test_none_usable_is_422(event: object, reason: str) -> None:
    asked = request(json.dumps([event]).encode())
    batch = EVENTS.read(EVENTS.open(asked), KEEP)
    answer = EVENTS.success(asked, batch, 1000)
    assert answer.status == 422
    assert json.loads(answer.body)["rejected"][0]["reason"] == reason


@pytest.mark.parametrize(
    "body", [b"", b"{", b"3", b"null", b'{"events":1}', b"[NaN]", b'"\xff"', b"{}\x0b"]
)
def test_malformed_is_400(body: bytes) -> None:
    with pytest.raises(RefusedError) as raised:
        EVENTS.open(request(body))
    assert raised.value.answer.status == 400


def test_a_bad_line_does_not_spoil_the_others() -> None:
    asked = request(FULL + b"\n{bad\n" + FULL, b"application/x-ndjson")
    batch = EVENTS.read(EVENTS.open(asked), KEEP)
    assert len(batch.records) == 2
    assert [(r.index, r.defect.reason) for r in batch.rejected] == [(1, "not_json")]


def test_an_update_is_kept_under_its_group_or_its_device_and_gets_no_address() -> None:
    group = b'{"group_type":"org","group_value":"A","group_properties":{"n":1}}'
    (record,) = read(b'{"updates":[' + group + b"]}", KEEP, Native(Kind.GROUP_PROPERTIES)).records
    assert record.key == b"org:A"
    user = b'{"device_id":"d","user_properties":{"$set":{"a":1}}}'
    (record,) = read(user, KEEP, Native(Kind.USER_PROPERTIES)).records
    assert record.key == b"d"
    assert "ip" not in json.loads(record.value)
