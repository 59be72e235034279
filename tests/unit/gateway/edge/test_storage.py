"""A record that Kafka takes in no topic of ours holds up none beside it."""

import json
from typing import Any

import pytest

from tests.unit.gateway.memory import EVENT, KEY, Edge

LARGE = "x" * 1_000


def small_topics() -> Edge:
    edge = Edge()
    edge.store.largest = 500
    return edge


def letters(edge: Edge) -> list[tuple[str, bytes | None]]:
    found = edge.store.topics.get("dead-letters", [])
    return [((dict(one.headers)["reason"] or b"").decode(), one.key) for one in found]


async def test_a_record_larger_than_its_topic_takes_is_rejected_alone() -> None:
    edge = small_topics()
    large = EVENT | {"user_id": "user-2", "event_properties": {"x": LARGE}}
    async with edge.client as client:
        body = [EVENT, large, {"user_id": "user-3"}, EVENT | {"insert_id": "j"}]
        answer = (await client.post("/v1/events?receipts=1", json=body, headers=KEY)).json()
        alone = await client.post("/v1/events", json=large, headers=KEY)
        metrics = (await client.get("/metrics")).text
    rejected = [(one["index"], one["reason"]) for one in answer["rejected"]]
    assert rejected == [(1, "too_large"), (2, "missing_event_type")]
    assert [one["index"] for one in answer["records"]] == [0, 3]
    assert (alone.status_code, alone.json()["accepted"]) == (422, 0)
    assert [one["insert_id"] for one in edge.store.values("events")] == ["i", "j"]
    assert letters(edge) == [
        ("missing_event_type", None),
        ("too_large", b"user-2"),
        ("too_large", b"user-2"),
    ]
    counted = 'ampgate_edge_records_total{kind="event",outcome="%s",source="shop"} %d.0\n'
    assert counted % ("accepted", 2) in metrics
    assert counted % ("rejected", 3) in metrics
    assert edge.ingest.budget.used == 0


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (
            "/segment/v1/batch",
            {
                "writeKey": "secret",
                "batch": [
                    {"type": "track", "event": "a", "userId": "u"},
                    {"type": "track", "event": "b", "userId": "u", "properties": {"x": LARGE}},
                ],
            },
            200,
        ),
        ("/", {"client": "secret", "e": [EVENT, EVENT | {"user_properties": {"x": LARGE}}]}, 200),
        ("/2/httpapi", {"api_key": "secret", "events": [EVENT, EVENT | {"city": LARGE}]}, 413),
        (
            "/aampe/v1/events",
            {"contact_id": "u", "event_name": "a", "timestamp": 1, "metadata": {"x": LARGE}},
            413,
        ),
    ],
)
async def test_who_answers_for_all_together_refuses_it_and_the_others_keep_it(
    path: str, body: dict[str, Any], status: int
) -> None:
    edge = small_topics()
    async with edge.client as client:
        answer = await client.post(path, content=json.dumps(body), headers=KEY)
    assert answer.status_code == status
    kept = status == 200
    assert len(edge.store.values("events")) == kept
    assert [reason for reason, _ in letters(edge)] == ["too_large"] * kept


async def test_a_record_that_scrubbing_makes_too_large_is_rejected_alone() -> None:
    edge = Edge({"name": "eu", "write_key": "eu", "scrub": [{"pattern": "x"}]})
    edge.store.largest = 500
    grows = EVENT | {"user_id": "user-2", "event_properties": {"a": "x" * 50}}
    async with edge.client as client:
        answer = await client.post("/v1/events?write_key=eu", json=[EVENT, grows])
    assert answer.status_code == 202
    assert [one["reason"] for one in answer.json()["rejected"]] == ["too_large"]
    assert [one["user_id"] for one in edge.store.values("events")] == ["user-1"]
    assert letters(edge) == [("too_large", b"user-2")]
