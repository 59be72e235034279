"""The edge's way into Kafka while some of it is closed: what it stores and what the probe says."""

import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ampgate.topics import create
from gateway.edge.log import EdgeLog
from schemas.configuration.config import Kafka
from schemas.kafka.batches import NotStored
from schemas.records import NewRecord
from schemas.topics import Kind
from tests.conftest import Broker
from tests.eventually import seen
from tests.kafka.writing import Topic, records


@asynccontextmanager
async def opened(kafka: Kafka, ack_timeout_seconds: float = 60.0) -> AsyncIterator[EdgeLog]:
    log = EdgeLog(kafka, ack_timeout_seconds)
    await log.start()
    try:
        yield log
    finally:
        await log.stop()


async def test_what_the_edge_refuses_is_kept_cut_where_its_topic_takes_no_more(
    kafka: Broker, topic_prefix: str
) -> None:
    configured = Kafka(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix)
    dead = Topic(configured, configured.topics.dead_letters)
    await dead.create(max_message_bytes="20000")
    ours = [("destination", b"edge"), ("origin", b"edge"), ("reason", b"too_deep")]
    large = os.urandom(50_000)
    async with opened(configured) as log:
        values = [b"1", large, b"3"]
        await log.append(dead.name, [NewRecord(None, value, ours) for value in values])

    first, cut, last = await records(dead)
    assert (first.value, last.value) == (b"1", b"3")
    assert large.startswith(cut.value)
    assert dict(cut.headers) == {**dict(ours), "truncated": b"50000"}


@pytest.mark.parametrize("kind", [*Kind, None])
async def test_the_probe_speaks_for_every_topic_that_the_edge_writes(
    kind: Kind | None, kafka: Broker, topic_prefix: str
) -> None:
    configured = Kafka(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix)
    await create(configured, partitions=2)
    topics = configured.topics
    topic = Topic(configured, topics.dead_letters if kind is None else topics.of(kind))
    async with opened(configured) as log:
        await seen(log.probe, bool)
        await topic.set(cleanup_policy="compact")  # It takes no record without a key.

        async def is_refused() -> bool:
            try:
                await log.append(topic.name, [NewRecord(None, b"lost")])
            except NotStored:
                return True
            return False

        await seen(is_refused, bool)
        await seen(log.probe, lambda is_ready: not is_ready)

        await topic.set(cleanup_policy="delete")

        async def is_ready() -> bool:  # It takes a while until the broker follows its settings.
            with contextlib.suppress(NotStored):
                await log.append(topic.name, [NewRecord(None, b"kept")])
            return await log.probe()

        await seen(is_ready, bool)


async def test_the_edge_is_ready_at_once_when_a_topic_that_was_missing_takes_writes(
    kafka: Broker, topic_prefix: str
) -> None:
    configured = Kafka(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix)
    await create(configured, partitions=2)
    events = Topic(configured, configured.topics.events)
    await events.delete()
    async with opened(configured) as log:

        async def is_stored() -> bool:
            try:
                await log.append(events.name, [NewRecord(None, b"{}")])
            except NotStored:
                return False
            return True

        assert not await is_stored()
        await events.create()
        await seen(is_stored, bool)
        assert not log._log.outage.is_on
