"""The follower of the suppressions on a real Kafka."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka.admin import NewPartitions
from aiokafka.errors import KafkaError

from ampgate import topics
from ampgate.lab.kafka.kafka import EmbeddedKafka
from schemas.configuration.config import Kafka
from schemas.kafka.following import Follower
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS, eventually, seen
from tests.kafka.acls import READ, WITH_ACLS, denied, until_denied
from tests.operating import Message, Operation, alter, operation

VALUE = b'{"reason":"asked","since":"2026-01-01T00:00:00Z","by":"ops"}'


@asynccontextmanager
async def following(
    kafka: Kafka, on_odd: Callable[[int], None] = lambda _: None
) -> AsyncIterator[Follower]:
    follower = Follower(kafka, on_odd)
    task = asyncio.create_task(follower.run())
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await follower.known()
        yield follower
    finally:
        task.cancel()
        await asyncio.wait([task])


async def suppress(here: Operation, *names: str, lift: bool = False) -> None:
    value = None if lift else VALUE
    messages = [Message(value, name.encode()) for name in names]
    await here.produce(here.config.kafka.topics.suppressions, messages)


async def test_what_was_there_is_known_at_once_and_changes_follow(here: Operation) -> None:
    await suppress(here, "ada", "bob", "@Shop.example")
    async with following(here.config.kafka) as follower:
        users = follower.suppressions
        assert [one for one in ("ada", "bob", "x@shop.example", "cid") if one in users] == [
            *("ada", "bob", "x@shop.example")
        ]
        await suppress(here, "cid")
        await suppress(here, "ada", lift=True)
        await eventually(lambda: "cid" in users and "ada" not in users)


async def takes_no_key(here: Operation, topic: str) -> bool:
    try:
        await here.produce(topic, [Message(VALUE, None)])
    except KafkaError:
        return False
    return True


async def test_odd_records_are_counted_and_the_others_count(here: Operation) -> None:
    topic = here.config.kafka.topics.suppressions
    await alter(here, topic, **{"cleanup.policy": "delete"})  # Else Kafka takes no null keys.
    await seen(lambda: takes_no_key(here, topic), bool)
    odd = [
        *(Message(VALUE, None), Message(VALUE, b""), Message(VALUE, b"\xff\xfe")),
        *(Message(b"{", b"eve"), Message(b"\xff" * 200_000, b"large")),
        Message(VALUE, b"with headers", {"a" * 300: "b" * 10_000}),
    ]
    await here.produce(topic, odd)
    await suppress(here, "ada")
    counted: list[int] = []
    async with following(here.config.kafka, counted.append) as follower:
        users = follower.suppressions
        assert all(one in users for one in ("ada", "eve", "large", "with headers"))
        assert (sum(counted), len(users)) == (6, 4)


async def test_without_the_topic_nobody_is_suppressed_until_it_is_made(here: Operation) -> None:
    kafka = here.config.kafka
    async with topics.admin_client(kafka) as admin:
        await admin.delete_topics([kafka.topics.suppressions])
        await seen(admin.list_topics, lambda names: kafka.topics.suppressions not in names)
    async with following(kafka) as follower:
        assert not follower.suppressions
        await topics.create(kafka)
        await suppress(here, "ada")
        await eventually(lambda: "ada" in follower.suppressions)


async def test_partitions_that_are_added_are_followed_too(here: Operation) -> None:
    await suppress(here, "ada", "bob")
    async with following(here.config.kafka) as follower:
        async with topics.admin_client(here.config.kafka) as admin:
            more = {here.config.kafka.topics.suppressions: NewPartitions(7)}
            await admin.create_partitions(more)
        names = [f"user-{n}" for n in range(50)]
        await suppress(here, *names)
        await eventually(lambda: len(follower.suppressions) == 52)
        assert all(name in follower.suppressions for name in ("ada", "bob", *names))


async def test_while_kafka_is_away_what_is_known_stays(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path / "kafka", heap_megabytes=256) as kafka:
        here = await operation(Broker(kafka.bootstrap_servers), "away.")
        await suppress(here, "ada")
        async with following(here.config.kafka) as follower:
            last = follower.read_at
            await asyncio.to_thread(kafka.kill, 1)
            await asyncio.to_thread(kafka.restart, 1)
            assert "ada" in follower.suppressions
            assert follower.suppressions.is_known
            await suppress(here, "bob")
            await eventually(lambda: "bob" in follower.suppressions)
            assert "ada" in follower.suppressions
            await eventually(lambda: follower.read_at > last)


async def test_while_the_topic_may_not_be_read_nobody_is_taken_for_not_suppressed(
    tmp_path: Path,
) -> None:
    with EmbeddedKafka(tmp_path / "kafka", heap_megabytes=256, settings=WITH_ACLS) as kafka:
        broker = Broker(kafka.bootstrap_servers)
        here = await operation(broker, "acl.")
        topic = here.config.kafka.topics.suppressions
        await suppress(here, "ada")
        follower = Follower(here.config.kafka, lambda _: None)
        users = follower.suppressions
        async with denied(broker, topic, READ):
            await until_denied(broker, topic)
            running = asyncio.create_task(follower.run())
            await eventually(lambda: users.is_forbidden and not users.is_known)
        await asyncio.wait_for(follower.known(), DEADLINE_SECONDS)
        assert "ada" in users
        async with denied(broker, topic, READ):
            await eventually(lambda: users.is_forbidden and users.is_known)
            assert "ada" in users
        await suppress(here, "bob")
        await eventually(lambda: "bob" in users and "ada" in users)
        assert not users.is_forbidden
        running.cancel()
        await asyncio.wait([running])
