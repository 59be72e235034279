"""Amplitude's own SDKs, unmodified: what they send through the edge is in Kafka."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from amplitude import (  # type: ignore[import-untyped]  # It ships no types.
    BaseEvent,
    EventOptions,
    Identify,
    Revenue,
)

from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS
from tests.kafka.test_edge import edge as edge  # A fixture: pytest finds it by its name here.
from tests.kafka.test_edge import stored
from tests.sdks.amplitude_sdks import (
    NODE_DIR,
    SENT,
    USER,
    Result,
    node_sdk,
    python_sdk,
    send_three,
)
from tests.sdks.npm import node_with

PATHS = ("/2/httpapi", "/batch")
REVENUE = {"$productId": "socks", "$price": 3.5, "$quantity": 2, "$revenueType": "purchase"}


@pytest.fixture(scope="session")
def node() -> str:
    """A node with the SDK of package-lock.json installed."""
    return node_with(NODE_DIR)


async def events_in(kafka: Broker, prefix: str) -> list[dict[str, Any]]:
    """The events in Kafka; all are from the shop, and under their user."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        records = await stored(kafka, f"{prefix}events")
    for record in records:
        assert record.key == b"user-1"
        assert dict(record.headers)["source"] == b"shop"
    return [json.loads(record.value) for record in records]


def assert_the_three(events: list[dict[str, Any]], results: list[Result], library: str) -> None:
    """They are there once each, in order, whole, and under the ids that the SDK knows."""
    assert [result.code for result in results] == [200] * 3
    assert [event["event_type"] for event in events] == SENT
    assert [event["insert_id"] for event in events] == [result.insert_id for result in results]
    assert len({event["insert_id"] for event in events}) == 3
    for event in events:
        assert event["user_id"] == "user-1"
        assert event["time"] > 0
        assert event["library"].startswith(library)
    order, user, group = events
    assert order["event_properties"] == {"total": 12.5, "note": "Grüße 🚀"}
    assert user["user_properties"] == {"$set": {"plan": "gold"}}
    assert group["groups"] == {"org": "Acme"}
    assert group["group_properties"] == {"$set": {"seats": 3}}


def assert_the_others(events: list[dict[str, Any]]) -> None:
    member, revenue = events
    assert (member["event_type"], member["groups"]) == ("$identify", {"org": ["Acme", "Beta"]})
    assert member["user_properties"] == {"$set": {"org": ["Acme", "Beta"]}}
    assert revenue["event_type"] == "revenue_amount"
    assert revenue["event_properties"].items() >= REVENUE.items()


async def requests(edge: httpx.AsyncClient) -> dict[str, float]:
    """How many requests the edge answered with which status."""
    start = 'ampgate_edge_requests_total{dialect="amplitude",status="'
    lines = (await edge.get("/metrics")).text.splitlines()
    counts = [line.removeprefix(start).split('"} ') for line in lines if line.startswith(start)]
    return {status: float(count) for status, count in counts}


@pytest.mark.parametrize("path", PATHS)
async def test_python_delivers(
    edge: httpx.AsyncClient,
    kafka: Broker,
    topic_prefix: str,
    path: str,
) -> None:
    async with python_sdk(str(edge.base_url.join(path)), "secret", 3) as sdk:
        send_three(sdk.client)
        results = await sdk.reported(3)
    assert_the_three(await events_in(kafka, topic_prefix), results, "amplitude-python/")
    assert await requests(edge) == {"200": 1}


async def test_python_sets_groups_and_counts_revenue(
    edge: httpx.AsyncClient, kafka: Broker, topic_prefix: str
) -> None:
    async with python_sdk(str(edge.base_url.join(PATHS[0])), "secret", 2) as sdk:
        sdk.client.set_group("org", ["Acme", "Beta"], USER)
        revenue = Revenue(price=3.5, quantity=2, product_id="socks", revenue_type="purchase")
        sdk.client.revenue(revenue, USER)
        results = await sdk.reported(2)
    assert [result.code for result in results] == [200, 200]
    assert_the_others(await events_in(kafka, topic_prefix))


async def test_python_identifies_a_group_without_a_user(
    edge: httpx.AsyncClient,
    kafka: Broker,
    topic_prefix: str,
) -> None:
    async with python_sdk(str(edge.base_url.join(PATHS[0])), "secret", 1) as sdk:
        sdk.client.group_identify("org", "Acme", Identify().set("seats", 3), EventOptions())
        (result,) = await sdk.reported(1)
    assert result.code == 200
    (record,) = await stored(kafka, f"{topic_prefix}events")
    assert record.key == b"org:Acme"
    assert json.loads(record.value)["insert_id"] == result.insert_id


@pytest.mark.parametrize("path", PATHS)
async def test_python_resends_what_was_not_bad(
    edge: httpx.AsyncClient,
    kafka: Broker,
    topic_prefix: str,
    path: str,
) -> None:
    async with python_sdk(str(edge.base_url.join(path)), "secret", 4) as sdk:
        sdk.client.track(BaseEvent("Too Short", user_id="abc"))
        send_three(sdk.client)
        bad, *results = await sdk.reported(4)
    assert (bad.event_type, bad.code) == ("Too Short", 400)
    # The SDK resends in one or more requests, side by side: their order is not its promise.
    results.sort(key=lambda result: SENT.index(result.event_type))
    events = await events_in(kafka, topic_prefix)
    events.sort(key=lambda event: SENT.index(event["event_type"]))
    assert_the_three(events, results, "amplitude-python/")
    answered = await requests(edge)
    assert answered["400"] == 1
    assert answered["200"] >= 1


@pytest.mark.parametrize("path", PATHS)
async def test_python_with_a_wrong_key_says_so(
    edge: httpx.AsyncClient,
    kafka: Broker,
    topic_prefix: str,
    path: str,
) -> None:
    async with python_sdk(str(edge.base_url.join(path)), "wrong", 3) as sdk:
        send_three(sdk.client)
        async with asyncio.timeout(DEADLINE_SECONDS):
            error = await sdk.errors.get()
    assert error == "Invalid API Key"  # Only logged: this SDK calls no callback then.
    assert sdk.results.empty()
    assert await requests(edge) == {"400": 1}
    assert await events_in(kafka, topic_prefix) == []


@pytest.mark.parametrize("path", PATHS)
async def test_node_delivers(
    edge: httpx.AsyncClient,
    kafka: Broker,
    topic_prefix: str,
    node: str,
    path: str,
) -> None:
    url = str(edge.base_url.join(path))
    results = await node_sdk(node, url=url, key="secret", useBatch=path == "/batch")
    assert_the_three(await events_in(kafka, topic_prefix), results, "amplitude-node-ts/")
    assert await requests(edge) == {"200": 1}


async def test_node_sets_groups_and_counts_revenue(
    edge: httpx.AsyncClient, kafka: Broker, topic_prefix: str, node: str
) -> None:
    url = str(edge.base_url.join(PATHS[0]))
    results = await node_sdk(node, url=url, key="secret", useBatch=False, others=True)
    assert [result.code for result in results] == [200, 200]
    assert_the_others(await events_in(kafka, topic_prefix))


@pytest.mark.parametrize("path", PATHS)
async def test_node_resends_what_was_not_bad(
    edge: httpx.AsyncClient,
    kafka: Broker,
    topic_prefix: str,
    node: str,
    path: str,
) -> None:
    url = str(edge.base_url.join(path))
    results = await node_sdk(node, url=url, key="secret", useBatch=path == "/batch", shortId=True)
    bad = results.pop(1)
    assert (bad.event_type, bad.code) == ("Too Short", 400)
    assert_the_three(await events_in(kafka, topic_prefix), results, "amplitude-node-ts/")
    assert await requests(edge) == {"200": 1, "400": 1}


async def test_node_with_a_wrong_key_says_so(
    edge: httpx.AsyncClient,
    kafka: Broker,
    topic_prefix: str,
    node: str,
) -> None:
    url = str(edge.base_url.join(PATHS[0]))
    results = await node_sdk(node, url=url, key="wrong", useBatch=False)
    assert [result.code for result in results] == [400] * 3
    assert await events_in(kafka, topic_prefix) == []
