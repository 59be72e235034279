"""What a request may become, what it may repeat, and how little a wrong key costs."""

import tracemalloc
from typing import Any

import pytest

from gateway.dialects.shapes import LISTED_MAX
from tests.unit.gateway.calls import basic, bearer, call
from tests.unit.gateway.dialects.costly_requests import post
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
def test_at_most_64_bytes_of_what_is_no_key_are_repeated(spelling: str) -> None:
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
