"""How many records a request may become, and how they are counted."""

import gzip
import json
import tracemalloc
import zlib

import brotli
import pytest
import zstandard

from gateway.dialects.shapes import RECORDS_MAX
from tests.unit.gateway.calls import basic, bearer, call
from tests.unit.gateway.dialects.costly_requests import post
from tests.unit.gateway.dialects.segment_calls import TRACK
from tests.unit.gateway.memory import KEY, Edge


def order(products: int) -> dict[str, object]:
    properties: dict[str, object] = {"products": [{"sku": nth} for nth in range(products)]}
    return {**TRACK, "event": "Order Completed", "properties": properties}


async def test_a_rate_counts_what_comes_out() -> None:
    edge = Edge({"name": "slow", "write_key": "slow", "events_per_second": 5})
    async with edge.client as client:
        first, second = [
            await client.post("/segment/v1/track", json=order(999), auth=("slow", ""))
            for _ in range(2)
        ]

    assert (first.status_code, second.status_code) == (200, 429)
    assert int(second.headers["retry-after"]) >= 15
    assert len(edge.store.topics["events"]) == 1_000


async def test_the_records_of_a_batch_are_those_that_come_out() -> None:
    edge = Edge({"name": "small", "write_key": "small", "max_batch_records": 100})
    async with edge.client as client:
        taken = await client.post("/segment/v1/track", json=order(99), auth=("small", ""))
        refused = await client.post("/segment/v1/track", json=order(100), auth=("small", ""))

    assert (taken.status_code, refused.status_code) == (200, 413)
    assert len(edge.store.topics["events"]) == 100


def test_an_order_with_too_many_products_is_refused() -> None:
    assert call("/segment/v1/track", order(RECORDS_MAX), basic("k")).status == 413


async def test_products_are_counted_before_any_is_built() -> None:
    body = json.dumps(order(0)).replace('"products": []', '"products": [' + "{}," * 99_000 + "{}]")
    edge = Edge()
    async with edge.client as client:
        await client.post("/segment/v1/track", json=order(1), auth=("secret", ""))
        tracemalloc.start()
        try:
            refused = await client.post("/segment/v1/track", content=body, auth=("secret", ""))
            assert tracemalloc.get_traced_memory()[1] < 40 * len(body)
        finally:
            tracemalloc.stop()

    assert refused.status_code == 413
    assert edge.ingest.budget.used == 0


async def test_a_large_order_with_products_of_usual_size_is_stored() -> None:
    products = [{"product_id": f"sku-{nth}", "price": 25, "quantity": 1} for nth in range(5_000)]
    edge = Edge()
    async with edge.client as client:
        body = {**order(0), "properties": {"products": products}}
        taken = await client.post("/segment/v1/track", json=body, auth=("secret", ""))

    assert taken.status_code == 200
    assert len(edge.store.topics["events"]) == 5_001


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_a_short_compressed_body_has_few_records(encoding: str) -> None:
    edge, event = Edge(), b'{"event_type":"a","user_id":"user-1"}'
    packed = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "br": brotli.compress,
        "zstd": zstandard.compress,
    }[encoding]
    headers = KEY | {"content-encoding": encoding}
    async with edge.client as client:
        bodies = [packed(b"[" + b",".join([event] * count) + b"]") for count in (2_000, 20_000)]
        few, many = [
            await client.post("/v1/events", content=body, headers=headers) for body in bodies
        ]

    assert (few.status_code, many.status_code) == (202, 413)
    assert len(edge.store.topics["events"]) == 2_000


async def test_events_that_differ_may_be_as_many_compressed_as_plain() -> None:
    edge = Edge()
    events = [
        {"event_type": "a", "user_id": f"user-{n}", "insert_id": f"id-{n}"} for n in range(20_000)
    ]
    packed = gzip.compress(json.dumps(events).encode())
    async with edge.client as client:
        headers = KEY | {"content-encoding": "gzip"}
        taken = await client.post("/v1/events", content=packed, headers=headers)

    assert taken.json()["accepted"] == 20_000


async def test_a_context_that_all_calls_share_counts_for_each() -> None:
    edge = Edge(max_body_bytes=1_000_000)
    shared = {"context": {"userAgent": "x" * 100_000}}
    answer = await post(edge, {"batch": [TRACK] * 1_000, **shared})

    assert answer.status_code == 413
    assert edge.store.topics == {}
    assert edge.ingest.budget.used == 0
    assert (await post(edge, {"batch": [TRACK] * 10, **shared})).status_code == 200


@pytest.mark.parametrize(
    "call", [{"type": "track", "event": "a"}, {"type": "alias", "userId": "u"}, {"type": "?"}, {}]
)
@pytest.mark.parametrize(
    "shared",
    [
        {"context": {"traits": {"a": "x" * 100_000}}},
        {"context": {"device": {"id": "x" * 100_000}}},
        {"context": {"sessionId": "1" * 100_000}},
        {"integrations": {"Amplitude": {"session_id": "1" * 100_000}}},
        {"sentAt": "T00:00" * 20_000},
    ],
)
async def test_what_all_calls_share_counts_also_for_those_that_are_rejected(
    call: dict[str, object], shared: dict[str, object]
) -> None:
    edge = Edge(max_body_bytes=1_000_000)

    assert (await post(edge, {"batch": [call] * 100, **shared})).status_code == 413
    assert (await post(edge, {"batch": [call] * 10, **shared})).status_code == 200
    assert edge.ingest.budget.used == 0


@pytest.mark.parametrize("element", [b"1", b"{}", b'"a,b"', b'{"a":[1,2,3],"b":{"c":","}}'])
@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/v1/events", b"%b", bearer("k")),
        ("/v1/events", b'{"events":%b}', bearer("k")),
        ("/2/httpapi", b'{"api_key":"k","events":%b}', {}),
        ("/identify", b"api_key=k&identification=%b", {}),
        ("/", b"client=k&e=%b", {}),
        ("/segment/v1/batch", b'{"writeKey":"k","batch":%b}', {}),
        ("/segment/v1/batch", b'{"batch":%b}', {}),
    ],
)
def test_a_record_too_many_is_told_before_any_is_made(
    path: str, body: bytes, headers: dict[bytes, bytes], element: bytes
) -> None:
    values = [element] * (RECORDS_MAX + 1)
    assert call(path, body % (b"[%b]" % b", ".join(values)), headers).status == 413
    if path == "/v1/events" and element == b"1":
        assert call(path, body % (b"[%b]" % b",".join(values[1:])), headers).status == 422


def test_a_million_numbers_are_not_made_to_be_counted() -> None:
    body = b'{"api_key":"k","events":[' + b"1," * 1_000_000 + b"1]}"
    tracemalloc.start()
    try:
        assert call("/2/httpapi", body).status == 413
        assert tracemalloc.get_traced_memory()[1] < 12 * len(body)
    finally:
        tracemalloc.stop()
