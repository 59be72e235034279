"""What a request may become, what it may repeat, and how little a wrong key costs."""

import gzip
import json
import tracemalloc
import zlib
from typing import Any

import brotli
import httpx
import pytest
import zstandard

from gateway.dialects.shapes import LISTED_MAX, RECORDS_MAX
from tests.unit.gateway.calls import basic, bearer, call
from tests.unit.gateway.dialects.segment_calls import TRACK, batch
from tests.unit.gateway.memory import KEY, Edge

JUNK = b"{" * 1_000_000
NUMBER = b"1e999"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/events", {"authorization": "Bearer wrong"}),
        ("/v1/user-properties?write_key=wrong", {}),
        ("/aampe/v1/events", {"authorization": "Bearer wrong"}),
        ("/segment/v1/batch", {"authorization": "Basic d3Jvbmc6"}),
        ("/segment/v1/batch?writeKey=wrong", {}),
        ("/identify?api_key=wrong", {}),
        ("/?client=wrong", {}),
        ("/webhooks/amplemarket/wrong", {}),
    ],
)
async def test_a_wrong_key_in_the_head_is_refused_before_the_body_is_read(
    path: str, headers: dict[str, str]
) -> None:
    edge = Edge()
    read = False

    async def body() -> Any:  # noqa: ANN401
        nonlocal read
        read = True
        yield JUNK

    async with edge.client as client:
        answer = await client.post(path, content=body(), headers=headers)

    assert answer.status_code in (400, 401)
    assert not read
    assert edge.store.topics == {}


def test_a_key_at_the_beginning_of_a_body_needs_no_more_of_it() -> None:
    reply = call("/2/httpapi", b'{"api_key":"wrong","events":[' + JUNK)

    assert reply.json == {"code": 400, "error": "Invalid API key: wrong"}


@pytest.mark.parametrize("spelling", ['"api_key":"%s"', '"x":[],"api_key" : "%s"'])
def test_at_most_64_bytes_of_a_key_are_repeated(spelling: str) -> None:
    body = "{" + spelling % ("é" * 5_000) + ',"events":[]}'
    reply = call("/2/httpapi", body.encode())

    assert reply.json["error"] == "Invalid API key: " + "é" * 32


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        (
            "/aampe/v1/events",
            {"contact_id": ["x" * 10_000], "timestamp": "y" * 10_000},
            bearer("k"),
        ),
        ("/v1/events", {"user_id": "u", "event_type": "e", "time": "x" * 10_000}, bearer("k")),
        ("/v1/events", {"x" * 10_000: 1}, bearer("k")),
        ("/2/httpapi", {"api_key": "k", "events": [{"x" * 10_000: 1}]}, {}),
        ("/identify", {"api_key": "k", "identification": {"x" * 10_000: 1}}, {}),
        ("/segment/v1/track", ["x" * 10_000], basic("k")),
    ],
)
def test_an_answer_repeats_next_to_nothing(
    path: str, body: object, headers: dict[bytes, bytes]
) -> None:
    reply = call(path, body, headers)

    assert reply.status >= 400
    assert len(reply.answer.body) < 1_000


def test_a_receipt_repeats_64_bytes_of_an_insert_id() -> None:
    event = {"event_type": "e", "user_id": "user-1", "insert_id": "é" * 10_000}
    reply = call("/v1/events", event, bearer("k"), query=b"receipts=true")

    assert reply.values[0]["insert_id"] == "é" * 10_000
    assert reply.json["records"] == [{"index": 0, "insert_id": "é" * 32}]


def test_parts_of_a_form_that_nobody_reads_are_not_made() -> None:
    body = b"\r\n--aXY" * 300_000
    headers = {b"content-type": b"multipart/form-data; boundary=a"}
    tracemalloc.start()
    try:
        assert call("/identify", body, headers).status == 400
        assert tracemalloc.get_traced_memory()[1] < 3 * len(body)
    finally:
        tracemalloc.stop()


async def test_of_one_request_a_thousand_rejections_are_kept_and_the_rest_is_counted() -> None:
    edge = Edge()
    async with edge.client as client:
        answer = await client.post("/v1/events", json=[{}] * 1_500, headers=KEY)

    assert answer.status_code == 422
    assert len(edge.store.topics["dead-letters"]) == LISTED_MAX
    assert dropped(edge) == 500


async def test_an_answer_names_a_thousand_rejections_and_counts_the_rest() -> None:
    edge, good = Edge(), {"event_type": "e", "user_id": "user-1"}
    async with edge.client as client:
        answer = await client.post("/v1/events", json=[{}] * 1_000 + [good] + [{}] * 7, headers=KEY)
        exact = await client.post("/v1/events", json=[{}] * 1_000 + [good], headers=KEY)

    assert answer.status_code == 202
    assert [one["index"] for one in answer.json()["rejected"]] == list(range(1_000))
    assert (answer.json()["accepted"], answer.json()["rejected_more"]) == (1, 7)
    assert len(exact.json()["rejected"]) == 1_000
    assert "rejected_more" not in exact.json()


@pytest.mark.parametrize("path", ["/identify", "/groupidentify"])
def test_a_form_names_a_thousand_rejections_and_counts_the_rest(path: str) -> None:
    reply = call(path, b"api_key=k&identification=[" + b"{}," * 1_500 + b"{}]")

    assert reply.status == 400
    assert reply.answer.body.endswith(b"; and 501 more")
    assert len(reply.answer.body) < 50_000


async def test_records_and_rejections_count_in_the_budget_as_objects() -> None:
    edge = Edge(max_inflight_bytes=1_000_000)
    other = edge.ingest.budget.share()
    other.charge(500_000)
    async with edge.client as client:
        for value in (b"{}", b'{"event_type":"a","user_id":"user-1"}'):
            body = b"[" + b",".join([value] * 1_000) + b"]"
            assert (await client.post("/v1/events", content=body, headers=KEY)).status_code != 503
            body = b"[" + b",".join([value] * 2_000) + b"]"
            full = await client.post("/v1/events", content=body, headers=KEY)
            assert (full.status_code, full.headers["retry-after"]) == (503, "1")

    assert edge.ingest.budget.used == 500_000


async def test_what_has_no_room_in_the_budget_is_answered_503() -> None:
    edge = Edge(max_inflight_bytes=1_000_000)
    other = edge.ingest.budget.share()
    other.charge(800_000)
    shared = {"context": {"userAgent": "x" * 50_000}}

    assert (await post(edge, {"batch": [TRACK] * 5, **shared})).status_code == 503
    other.give_back(800_000)
    assert (await post(edge, {"batch": [TRACK] * 5, **shared})).status_code == 200


async def test_what_a_source_has_rejected_has_a_rate() -> None:
    edge = Edge()
    async with edge.client as client:
        for _ in range(3):
            await client.post("/v1/events", json=[{}] * 1_000, headers=KEY)

    assert len(edge.store.topics["dead-letters"]) + dropped(edge) == 3_000
    assert dropped(edge) > 0


def dropped(edge: Edge) -> float:
    name = "ampgate_edge_dead_letters_dropped_total"
    return edge.ingest.metrics.registry.get_sample_value(name, {"source": "shop"}) or 0.0


def order(products: int) -> dict[str, object]:
    properties: dict[str, object] = {"products": [{"sku": nth} for nth in range(products)]}
    return {**TRACK, "event": "Order Completed", "properties": properties}


async def post(edge: Edge, body: object) -> httpx.Response:
    async with edge.client as client:
        return await client.post("/segment/v1/batch", json=body, auth=("secret", ""))


async def test_a_rate_counts_what_comes_out() -> None:
    edge = Edge({"name": "slow", "write_key": "slow", "events_per_second": 50})
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


def test_odd_members_of_a_segment_call_find_their_place() -> None:
    properties = {"price": "25.00", "quantity": "2", "revenue": "$50"}
    (value,) = batch(
        TRACK
        | {"event": "Order Completed", "properties": properties, "session_id": 1_767_225_600_000}
        | {"timestamp": "2026-01-01t00:00:00z", "context": {"timezone": "Europe/Berlin"}}
    ).values

    assert value["revenue"] == 50.0
    assert (value["price"], value["quantity"]) == (25.0, 2)
    assert value["timezone"] == "Europe/Berlin"
    assert value["session_id"] == 1_767_225_600_000
    assert value["time"] == 1_767_225_600_000


@pytest.mark.parametrize("path", ["/identify", "/"])
def test_of_a_form_the_last_key_counts_wherever_it_stands(path: str) -> None:
    name, field = ("api_key", "identification") if path == "/identify" else ("client", "e")
    value = b'{"user_id":"user-1","user_properties":{"url":"?%b=no"}}' % name.encode()
    value = value if path == "/identify" else b'[{"event_type":"e","user_id":"user-1"}]'
    pair = b"%b=%b" % (field.encode(), value)
    for key in (b"%b=k", b"%b=wrong&%b=k", b"x=1&%b=%%6b"):
        key = key.replace(b"%b", name.encode()).replace(b"%%", b"%")
        assert call(path, pair + b"&" + key).status == 200
        assert call(path, key + b"&" + pair).status == 200
    assert call(path, b"%b=k&%b=wrong&" % ((name.encode(),) * 2) + pair).status == 400


def test_what_looks_like_a_key_in_a_json_text_is_none() -> None:
    update = {"user_id": "user-1", "user_properties": {"url": "https://a/?x=1&api_key=no&y=2"}}
    assert call("/identify", {"api_key": "k", "identification": update}).status == 200


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
