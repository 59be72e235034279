"""The edge with a real Kafka: what it answers, and what is then in the topics."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from aiokafka import AIOKafkaConsumer

from gateway.edge.app import create_app
from schemas.configuration.config import Config
from tests.conftest import Broker
from tests.eventually import seen
from tests.kafka.edge_process import create_topics
from tests.loopback import loopback_client

KEY = {"authorization": "Bearer secret"}
EVENT = {
    "event_type": "Order Placed",
    "user_id": "user-1",
    "time": 1,
    "insert_id": "i",
    "ip": "::1",
}


def config(bootstrap_servers: str, prefix: str, **edge: Any) -> Config:  # noqa: ANN401
    return Config.model_validate(
        {
            "kafka": {"bootstrap_servers": bootstrap_servers, "topic_prefix": prefix},
            "edge": {"host": "127.0.0.1", "port": 0, "max_body_bytes": 10_000} | edge,
            "sources": [
                {
                    "name": "shop",
                    "write_key": "secret",
                    "allowed_origins": ["https://shop.example"],
                },
                {"name": "slow", "write_key": "slow", "events_per_second": 1},
            ],
        }
    )


@asynccontextmanager
async def serving(settings: Config) -> AsyncIterator[httpx.AsyncClient]:
    app: Any = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", proxy_headers=False)
    )
    sockets = [server.config.bind_socket()]
    sockets[0].listen()  # Who comes before the edge has started waits.
    port = sockets[0].getsockname()[1]
    task = asyncio.create_task(server.serve(sockets))
    try:
        async with loopback_client(f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        server.should_exit = True
        await task
        sockets[0].close()


@pytest.fixture
async def edge(kafka: Broker, topic_prefix: str) -> AsyncIterator[httpx.AsyncClient]:
    settings = config(kafka.bootstrap_servers, topic_prefix)
    await create_topics(kafka.bootstrap_servers, topic_prefix)
    async with serving(settings) as client:
        yield client


async def stored(kafka: Broker, topic: str) -> list[Any]:
    """Everything that is in the topic right now."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        records: list[Any] = []
        while len(records) < sum(ends.values()):
            for batch in (await consumer.getmany(timeout_ms=1000)).values():
                records += batch
        return records
    finally:
        await consumer.stop()


async def test_a_record_is_the_bytes_that_were_sent(
    edge: httpx.AsyncClient, kafka: Broker, topic_prefix: str
) -> None:
    sent = json.dumps(EVENT, indent=1).encode()
    trace = {"traceparent": "00-1-2-01"}
    answer = await edge.post("/v1/events/", content=sent, headers=KEY | trace)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": []})
    (record,) = await stored(kafka, f"{topic_prefix}events")
    assert (record.key, record.value) == (b"user-1", sent)
    assert record.headers == (("source", b"shop"), ("traceparent", b"00-1-2-01"))


async def test_what_is_missing_is_filled_in_and_order_is_kept(
    edge: httpx.AsyncClient, kafka: Broker, topic_prefix: str
) -> None:
    events = [{"event_type": f"e{n}", "user_id": "user-1"} for n in range(200)]
    packed = gzip.compress(json.dumps(events).encode())
    answer = await edge.post(
        "/v1/events?receipts=true",
        content=packed,
        headers=KEY | {"content-encoding": "gzip"},
    )
    assert answer.status_code == 202, answer.text
    records = await stored(kafka, f"{topic_prefix}events")
    values = [json.loads(record.value) for record in records]
    assert [value["event_type"] for value in values] == [event["event_type"] for event in events]
    assert all(value["ip"] == "127.0.0.1" and value["time"] > 0 for value in values)
    receipts = [receipt["insert_id"] for receipt in answer.json()["records"]]
    assert [value["insert_id"] for value in values] == receipts


async def test_the_rejected_are_kept_as_dead_letters(
    edge: httpx.AsyncClient, kafka: Broker, topic_prefix: str
) -> None:
    answer = await edge.post("/v1/events", json=[EVENT, {"event_type": "x"}], headers=KEY)
    assert answer.status_code == 202
    assert [rejected["reason"] for rejected in answer.json()["rejected"]] == ["missing_id"]
    (letter,) = await stored(kafka, f"{topic_prefix}dead-letters")
    assert json.loads(letter.value) == {"event_type": "x"}
    headers = dict(letter.headers)
    assert (headers["destination"], headers["reason"]) == (b"edge", b"missing_id")
    assert (await edge.post("/v1/events", json={}, headers=KEY)).status_code == 422


async def test_amplitude_stores_all_or_nothing(
    edge: httpx.AsyncClient, kafka: Broker, topic_prefix: str
) -> None:
    bad = {"api_key": "secret", "events": [EVENT, {"user_id": "user-2"}]}
    refused = await edge.post("/2/httpapi", json=bad)
    assert refused.status_code == 400
    assert refused.json()["events_with_missing_fields"] == {"event_type": [1]}
    assert await stored(kafka, f"{topic_prefix}events") == []
    taken = await edge.post("/batch", json={"api_key": "secret", "events": [EVENT]})
    assert taken.json()["events_ingested"] == taken.json()["code"] - 199 == 1
    wrong = await edge.post("/2/httpapi", json={"api_key": "nope", "events": []})
    assert (wrong.status_code, wrong.json()["error"]) == (400, "Invalid API key: nope")


async def test_identify_goes_to_the_property_topics(
    edge: httpx.AsyncClient, kafka: Broker, topic_prefix: str
) -> None:
    user = json.dumps({"user_id": "user-1", "user_properties": {"$set": {"a": 1}}})
    group = json.dumps({"group_type": "org", "group_value": "A", "group_properties": {"n": 1}})
    for path, identification in (("/identify", user), ("/groupidentify", group)):
        form = {"api_key": "secret", "identification": identification, "options": "undefined"}
        answer = await edge.post(path, data=form)
        assert (answer.status_code, answer.text) == (200, "success")
    (record,) = await stored(kafka, f"{topic_prefix}user-properties")
    assert record.key == b"user-1"
    (record,) = await stored(kafka, f"{topic_prefix}group-properties")
    assert record.key == b"org:A"


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (KEY, b"{", 400),
        (KEY, b"3", 400),
        ({}, b"{}", 401),
        ({"authorization": "Bearer wrong"}, b"{}", 401),
        (KEY, b" " * 10_001, 413),
        (KEY | {"content-encoding": "gzip"}, gzip.compress(b" " * 10_001), 413),
        (KEY | {"content-encoding": "gzip"}, b"not gzip", 400),
        (KEY | {"content-encoding": "rot13"}, b"{}", 415),
        ({"authorization": "Bearer slow"}, json.dumps([EVENT] * 2).encode(), 202),
    ],
)
async def test_bad_input_has_its_status(
    edge: httpx.AsyncClient, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = await edge.post("/v1/events", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.json()["code"] == status


async def test_over_the_rate_says_when_to_retry(edge: httpx.AsyncClient) -> None:
    slow = {"authorization": "Bearer slow"}
    assert (await edge.post("/v1/events", json=[EVENT] * 90, headers=slow)).status_code == 202
    answer = await edge.post("/v1/events", json=EVENT, headers=slow)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


async def test_origins_are_named_for_their_source(edge: httpx.AsyncClient) -> None:
    shop = {"origin": "https://shop.example"}
    preflight = await edge.options("/v1/events", headers=shop)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == shop["origin"]
    answer = await edge.post("/v1/events", json=EVENT, headers=KEY | shop)
    assert answer.headers["access-control-allow-origin"] == shop["origin"]
    assert answer.headers["vary"] == "Origin"
    other = await edge.options("/v1/events", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


async def test_health_metrics_and_the_document_are_served_beside_the_dialects(
    edge: httpx.AsyncClient,
) -> None:
    await seen(lambda: edge.get("/readyz"), lambda answer: answer.status_code == 200)
    await edge.post("/v1/events", json=EVENT, headers=KEY)
    metrics = (await edge.get("/metrics")).text
    assert 'ampgate_edge_requests_total{dialect="native",status="202"} 1.0' in metrics
    assert "ampgate_edge_inflight_bytes 0.0" in metrics
    assert "/2/httpapi" in (await edge.get("/openapi.json")).json()["paths"]
    assert (await edge.get("/v1/events")).status_code == 405


async def test_without_kafka_nothing_is_acknowledged(unused_tcp_port: int) -> None:
    settings = config(f"127.0.0.1:{unused_tcp_port}", "x.", ack_timeout_seconds=0.5)
    async with serving(settings) as client:
        answer = await client.post("/v1/events", json=EVENT, headers=KEY)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200
