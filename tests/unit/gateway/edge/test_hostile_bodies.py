"""Hostile bodies: each is answered, and none makes another record fail."""

import asyncio
import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.dialects import ENDPOINTS
from gateway.dialects.shapes import RECORDS_MAX
from tests.unit.gateway.memory import EVENT, KEY, Edge

IDS = b'"event_type":"a","user_id":"user-1","time":1767225600000,"insert_id":"i-123456"'
LARGE = 19_000_000
WRAPPED = {
    "/v1/events": b"[%b]",
    "/2/httpapi": b'{"api_key":"secret","events":[%b]}',
    "/": b"client=secret&e=[%b]",
}
COUNTLESS = b'{"contact_id":"c","event_name":"e","timestamp":1,"is_reply":true,"metadata":{"x":%b}}'
IDENTIFY = b'{"api_key":"secret","identification":{"user_id":"user-1","user_properties":{}}'


@pytest.mark.parametrize(
    "properties",
    [
        b'"n":1',
        b",".join(b'"p%d":%d' % (nth, nth) for nth in range(200)),
        b",".join(b'"property_%d":"value %d"' % (nth, nth) for nth in range(200)),
        b'"at":[%b]' % b",".join([b"7"] * 2_000),
        b'"path":[%b]' % b",".join([b"[1,2.5]"] * 200),
        b'"products":[%b]' % b",".join([b'{"sku":"s","n":1}'] * 50),
        b'"a":{' * 37 + b'"":1' + b"}" * 37,
    ],
)
@pytest.mark.long
@pytest.mark.parametrize("path", WRAPPED)
async def test_events_of_any_legal_shape_may_fill_the_largest_body(
    path: str, properties: bytes
) -> None:
    edge = Edge()
    event = b'{%b,"event_properties":{%b}}' % (IDS, properties)
    count = min(RECORDS_MAX, LARGE // len(event))
    body = WRAPPED[path] % b",".join([event] * count)
    async with edge.client as client:
        answer = await client.post(path, content=body, headers=KEY)

    assert answer.status_code in (200, 202), answer.text[:200]
    assert len(edge.store.topics["events"]) == count


@pytest.mark.long
@pytest.mark.parametrize("path", WRAPPED)
async def test_large_events_of_a_request_are_taken_apart_one_by_one(path: str) -> None:
    edge = Edge()
    names = b",".join(b'"property_%d":"value %d"' % (nth, nth) for nth in range(1_500))
    # As Amplitude's SDK for Java writes what it does not know.
    event = b'{"event_type":"a","user_id":"user-1","insert_id":null,"ip":null,"x":{%b}}' % names
    async with edge.client as client:
        body = WRAPPED[path] % b",".join([event] * 150)
        answer = await client.post(path, content=body, headers=KEY)

    assert answer.status_code in (200, 202), answer.text[:200]
    assert len(edge.store.topics["events"]) == 150


async def test_a_list_of_many_numbers_is_not_taken_for_as_many_members(tmp_path: Path) -> None:
    (plan := tmp_path / "plan.json").write_text('{"events": {"a": {}}}')
    edge = Edge(
        {"name": "eu", "write_key": "eu", "ip": "truncate"},
        {"name": "held", "write_key": "held", "plan": str(plan)},
    )
    track = EVENT | {"event_properties": {"track": [1] * 400_000}}
    async with edge.client as client:
        for key in ("eu", "held"):
            answer = await client.post(f"/v1/events?write_key={key}", json=[track, EVENT])
            assert answer.json() == {"accepted": 2, "rejected": []}


@pytest.mark.parametrize("element", [b'{"":' * 30 + b"1" + b"}" * 30, b"[]", b"{}", b"1"])
@pytest.mark.parametrize(
    ("path", "body", "statuses"),
    [
        ("/aampe/v1/events", COUNTLESS, {202, 413}),
        ("/webhooks/amplemarket/secret", COUNTLESS, {413}),
        ("/v1/events", b'{"event_type":"$groupidentify","groups":{"a":%b}}', {202}),
        ("/v1/events", b'{"x":%b}\n{', {422}),
        ("/v1/events", b'{"x":[%b', {400}),
        ("/2/httpapi", b'{"api_key":"secret","events":[],"options":%b}', {200}),
        ("/identify", IDENTIFY + b',"options":%b}', {200}),
    ],
)
async def test_a_body_of_countless_values_takes_no_memory_for_them(
    path: str, body: bytes, statuses: set[int], element: bytes
) -> None:
    edge, values = Edge(), b"[%b]" % b",".join([element] * (10_000_000 // (len(element) + 1)))
    async with edge.client as client:
        await client.post(path, content=b"{}", headers=KEY)
        tracemalloc.start()
        try:
            answer = await client.post(path, content=body % values, headers=KEY)
            assert tracemalloc.get_traced_memory()[1] < 80_000_000
        finally:
            tracemalloc.stop()

    assert answer.status_code in statuses
    assert edge.ingest.budget.used == 0


async def test_a_body_of_countless_halves_of_emojis_is_refused() -> None:
    async with Edge().client as client:
        bomb = b'"' + rb"\ud83d" * 10_001 + b'"'
        answer = await client.post("/v1/events", content=bomb, headers=KEY)
        assert answer.status_code == 413


async def test_half_an_emoji_does_not_cost_the_batch() -> None:
    edge = Edge()
    event = json.dumps(EVENT | {"user_id": "user \ud83d", "x": "\ud83d\ude00"}).encode()
    async with edge.client as client:
        for path, body in (
            ("/v1/events", event),
            ("/v1/events", event + b"\n" + event),
            ("/2/httpapi", b'{"api_key":"secret","events":[%b]}' % event),
        ):
            answer = await client.post(path, content=body, headers=KEY)
            assert answer.is_success, answer.text
    found = [(value["user_id"], value["x"]) for value in edge.store.values("events")]
    assert found == [("user \ufffd", "\U0001f600")] * 4


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/events", "%s"),
        ("/v1/events", "%s\n%s"),
        ("/batch", '{"api_key":"secret","events":[%s]}'),
        ("/", "client=secret&e=[%s]"),
    ],
)
async def test_a_byte_order_mark_is_passed_over(path: str, body: str) -> None:
    edge = Edge()
    sent = body.replace("%s", json.dumps(EVENT)).encode("utf-8-sig")
    async with edge.client as client:
        plain = await client.post(path, content=sent, headers=KEY)
        packed = {"content-encoding": "gzip", **KEY}
        gzipped = await client.post(path, content=gzip.compress(sent), headers=packed)
    assert (plain.is_success, gzipped.is_success) == (True, True)
    assert len(edge.store.topics["events"]) == 2 * body.count("%s")
    assert edge.store.topics.keys() == {"events"}


DEEP = b'{"event_type":"a","user_id":"user-1","x":' + b"[" * 41 + b"]" * 41 + b"}"


async def test_too_deep_a_record_is_rejected_alone() -> None:
    edge = Edge()
    body = b"[" + DEEP + b"," + json.dumps(EVENT).encode() + b"]"
    async with edge.client as client:
        answer = await client.post("/v1/events", content=body, headers=KEY)
        assert [rejected["reason"] for rejected in answer.json()["rejected"]] == ["too_deep"]
        assert answer.json()["accepted"] == 1
        for depth in (900, 1_000, 1_010, 1_023, 1_030, 1_000_000):
            deep = b'[{"a":' + b"[" * depth + b"]" * depth + b"}]"
            answer = await client.post("/v1/events", content=deep, headers=KEY)
            assert answer.status_code in (400, 413, 422)


def bodies() -> st.SearchStrategy[bytes]:
    numbers = ["NaN", "Infinity", "-Infinity", "1e999", "-0", "1" * 400, "01", "0x1", "1.5e-999"]
    names = st.sampled_from(
        ["event_type", "user_id", "time", "insert_id", "ip", "groups", "user_properties", "x"]
    )
    scalars = st.sampled_from(
        [*numbers, "null", "true", '""', '"a"', '"\\ud800"', '"\\u0000"', '"']
    )
    values = st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda items: "[" + ",".join(items) + "]"),
            st.lists(st.tuples(names, inner), max_size=4).map(
                lambda items: "{" + ",".join(f'"{name}":{value}' for name, value in items) + "}"
            ),
        ),
        max_leaves=12,
    )
    wrapped = values.map(
        lambda value: f'{{"api_key":"secret","events":[{value}],"options":{value}}}'
    )
    lines = st.lists(values, max_size=3).map("\n".join)
    return st.one_of(st.binary(max_size=40), st.one_of(values, wrapped, lines).map(str.encode))


@given(st.sampled_from(sorted(ENDPOINTS)), bodies(), st.sampled_from(["", "gzip", "br", "zstd,x"]))
@example("/identify", b"api_key=secret&identification=%5B%22%5Cud800%22%5D", "")
@example("/identify", b'{"api_key":"secret","identification":[[]],"options":1e999}', "")
@example("/v1/events", b"[[[" * 340 + b"]]]" * 340, "")
def test_bad_input_is_never_a_5xx(path: str, body: bytes, encoding: str) -> None:
    async def post() -> tuple[httpx.Response, Edge]:
        edge = Edge()
        headers = KEY | ({"content-encoding": encoding} if encoding else {})
        async with edge.client as client:
            return await client.post(path, content=body, headers=headers), edge

    answer, edge = asyncio.run(post())
    assert answer.status_code < 500, answer.text
    stored: list[Any] = [*edge.store.topics.get("events", ())]
    for record in stored:
        json.loads(record.value, parse_constant=pytest.fail)
    assert edge.ingest.budget.used == 0
