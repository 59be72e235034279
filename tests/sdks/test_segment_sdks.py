"""The SDKs of Segment and RudderStack, unmodified: what they send through the edge is in Kafka."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from rudderstack.analytics import Client as RudderClient  # type: ignore[import-untyped]  # Untyped.
from segment.analytics.client import Client  # type: ignore[import-untyped]  # It ships no types.

from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS
from tests.kafka.test_edge import edge as edge  # A fixture: pytest finds it by its name here.
from tests.kafka.test_edge import stored
from tests.sdks.npm import node_with, run_send

NODE_DIR = Path(__file__).parent / "segment_node"
SENT = [
    *("$identify", "Order Placed", "Viewed Home Page", "Viewed Start Screen"),
    *("$identify", "$groupidentify"),
]
CALLS = ["identify", "track", "page", "screen", "group", "alias"]
PROPERTIES = {"total": 12.5, "note": "Grüße 🚀"}


def send_all(client: Any) -> None:  # noqa: ANN401
    client.identify("user-1", {"plan": "gold"})
    client.track("user-1", "Order Placed", PROPERTIES)
    client.page("user-1", name="Home")
    client.screen("user-1", name="Start")
    client.group("user-1", "acme", {"seats": 3})
    client.alias("user-0", "user-1")
    client.flush()
    client.join()


def python_client(sdk: type, url: str, key: str, errors: list[Exception], **more: object) -> Any:  # noqa: ANN401
    def on_error(error: Exception, _calls: object) -> None:
        errors.append(error)

    return sdk(key, host=url, on_error=on_error, max_retries=1, **more)


async def assert_all_are_there(kafka: Broker, prefix: str) -> None:
    """Once each, in order, whole, with ids that a repetition would keep."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        records = await stored(kafka, f"{prefix}events")
        (alias,) = await stored(kafka, f"{prefix}dead-letters")
    events = [json.loads(record.value) for record in records]
    assert [event["event_type"] for event in events] == SENT
    assert {record.key for record in records} == {b"user-1"}
    assert len({event["insert_id"] for event in events}) == len(SENT)
    assert dict(alias.headers)["reason"] == b"alias_not_supported"
    assert json.loads(alias.value)["previousId"] == "user-0"
    user, order, page, screen, member, group = events
    assert user["user_properties"] == {"$set": {"plan": "gold"}}
    assert order["event_properties"] == PROPERTIES
    assert page["event_properties"] == {"name": "Home"}
    assert screen["event_properties"] == {"name": "Start"}
    assert member["groups"] == group["groups"] == {"group": "acme"}
    assert group["group_properties"] == {"$set": {"seats": 3}}


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("sdk", [Client, RudderClient])
async def test_python_delivers(
    edge: httpx.AsyncClient, kafka: Broker, topic_prefix: str, sdk: type, *, gzip: bool
) -> None:
    errors: list[Exception] = []
    client = python_client(sdk, str(edge.base_url.join("/segment")), "secret", errors, gzip=gzip)
    await asyncio.to_thread(send_all, client)
    assert errors == []
    await assert_all_are_there(kafka, topic_prefix)


@pytest.mark.parametrize("sdk", [Client, RudderClient])
async def test_python_with_a_wrong_key_says_so(
    edge: httpx.AsyncClient, kafka: Broker, topic_prefix: str, sdk: type
) -> None:
    errors: list[Any] = []
    client = python_client(sdk, str(edge.base_url.join("/segment")), "wrong", errors)
    await asyncio.to_thread(send_all, client)
    assert {(error.status, error.code) for error in errors} == {(401, "invalid_write_key")}
    assert await stored(kafka, f"{topic_prefix}events") == []


@pytest.fixture(scope="session")
def node() -> str:
    return node_with(NODE_DIR)


@dataclass(frozen=True, slots=True)
class Told:
    """What Node's SDK told: of each call, and by its `error` event."""

    errors: list[str]
    calls: list[dict[str, Any]]


async def node_sdk(node: str, **what: object) -> Told:
    return Told(**json.loads(await run_send(node, NODE_DIR, what)))


@pytest.mark.parametrize(
    ("host_path", "path"),
    [("", "/segment/v1/batch"), ("/segment", None)],  # This SDK drops the path of its host.
)
async def test_node_delivers(
    edge: httpx.AsyncClient,
    kafka: Broker,
    topic_prefix: str,
    node: str,
    host_path: str,
    path: str | None,
) -> None:
    host = str(edge.base_url).rstrip("/") + host_path
    told = await node_sdk(node, host=host, path=path, key="secret", maxRetries=0)
    assert told.errors == []
    assert sorted(call["type"] for call in told.calls) == sorted(CALLS)
    assert not any(call["failed"] for call in told.calls)
    await assert_all_are_there(kafka, topic_prefix)


async def test_node_with_a_wrong_key_says_so(
    edge: httpx.AsyncClient, kafka: Broker, topic_prefix: str, node: str
) -> None:
    host = str(edge.base_url)
    told = await node_sdk(node, host=host, path="/segment/v1/batch", key="wrong", maxRetries=3)
    assert set(told.errors) == {"delivery_failure"}
    assert [call["failed"] for call in told.calls] == [True] * len(CALLS)
    assert await stored(kafka, f"{topic_prefix}events") == []
