"""A broker refuses single requests, or answers nonsense: nothing ends, and all goes on then."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import pytest
from aiokafka.protocol.metadata import MetadataResponse_v5
from structlog.testing import capture_logs

from ampgate.archive import tail as tailing
from ampgate.archive.archive import archive
from ampgate.archive.batches import Wanted
from ampgate.errors import CommandError
from ampgate.resend import turn as turning
from consumers.deliveries import Deliveries
from consumers.kafka.letters import Letters
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS, eventually
from tests.kafka.delivery_world import World, event, opened_world
from tests.kafka.fault_proxy import (
    FETCH,
    HEARTBEAT,
    JOIN_GROUP,
    LIST_OFFSETS,
    METADATA,
    OFFSET_FETCH,
    Answer,
    Behind,
    FaultProxy,
    Faults,
    fault_proxy,
)
from tests.kafka.kafka_operations import add_partitions, produce_raw, with_amplitude
from tests.kafka.test_isolation import delivering, restarts
from tests.operating import AMPLITUDE
from tests.raw_batches import Raw

UNSUPPORTED_VERSION, GROUP_DENIED, NEW_ERROR = 35, 30, 999
METADATA_SCHEMA = MetadataResponse_v5.SCHEMA  # The latest that aiokafka knows.
STILL_LOADING, NOT_COORDINATOR = 14, 16


@dataclass
class Delivering:
    world: World
    proxy: FaultProxy
    deliveries: Deliveries
    sent: int = 0

    async def deliver(self, count: int = 20) -> list[int]:
        """So many more events arrive, each once: the numbers of all that arrived."""
        await self.produce(count)
        await self.world.until_accepted("amplitude", self.sent)
        found = [one["event_properties"]["n"] for one in await self.world.received("amplitude")]
        assert sorted(found) == list(range(self.sent))
        return found

    async def produce(self, count: int) -> None:
        events = [event(n % 7, n) for n in range(self.sent, self.sent + count)]
        await self.world.produce(self.world.config.kafka.topics.events, events)
        self.sent += count

    @property
    def is_reached(self) -> bool:
        return all(worker.is_reached for worker in self.deliveries.workers)


@pytest.fixture
async def running(behind: Behind, topic_prefix: str) -> AsyncIterator[Delivering]:
    """Some events have arrived; nothing has failed, nor does in the end."""
    async with (
        fault_proxy(behind.port, behind.broker_port) as proxy,
        opened_world(Broker(behind.bootstrap_servers), topic_prefix) as opened,
    ):
        world = with_amplitude(opened)
        before = restarts(AMPLITUDE)
        async with delivering(world.config, Letters(world.config.kafka)) as deliveries:
            found = Delivering(world, proxy, deliveries)
            await found.deliver()
            yield found
            assert not any(worker.is_stuck for worker in deliveries.workers)
        assert restarts(AMPLITUDE) == before


@asynccontextmanager
async def refusing(running: Delivering, faults: Faults) -> AsyncIterator[Faults]:
    running.proxy.faults = faults
    yield faults
    running.proxy.faults = Faults()


@pytest.mark.parametrize("code", [UNSUPPORTED_VERSION, NEW_ERROR])
async def test_a_refused_fetch_is_said_once_and_not_repeated_without_pause(
    running: Delivering, code: int
) -> None:
    with capture_logs() as said:
        async with refusing(running, Faults(codes={FETCH: code})) as faults:
            began = time.monotonic()
            await running.produce(20)
            await eventually(lambda: not running.is_reached)
            await eventually(lambda: faults.struck[FETCH] >= 10)
            fetches, seconds = faults.struck[FETCH], time.monotonic() - began
        await eventually(lambda: running.is_reached)
    await running.deliver()

    assert fetches < 20 * (seconds + 1)
    events = running.world.config.kafka.topics.events
    lines = [(one["event"], one["partition"]) for one in said if one.get("topic") == events]
    assert lines
    assert len(lines) == len(set(lines))


async def test_a_search_goes_on_when_connections_break_for_a_while(running: Delivering) -> None:
    """As when brokers start again one by one: a replay would else end in the middle."""
    kafka = running.world.config.kafka
    async with archive(kafka) as stored:
        spans = await stored.spans(kafka.topics.events)
        async with refusing(running, Faults()) as faults:
            faults.broken[FETCH] = lambda answer: None if faults.struck[FETCH] < 8 else answer
            found = await stored.find(spans, Wanted())
    assert len(found) == running.sent
    assert faults.struck[FETCH] >= 8


async def test_a_replay_that_cannot_take_its_turn_says_so(
    running: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turning, "JOIN_SECONDS", 1.0)
    kafka = running.world.config.kafka
    async with archive(kafka) as stored:
        async with refusing(running, Faults(broken={JOIN_GROUP: lambda _answer: None})):
            with pytest.raises(CommandError, match="lets nobody join a group"):
                async with turning.turn(kafka, stored, print):
                    pass
        async with turning.turn(kafka, stored, print):
            pass


async def test_a_tail_says_that_kafka_is_away_and_goes_on(
    running: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailing, "QUIET_SECONDS", 0.5)
    kafka, told, ready = running.world.config.kafka, list[str](), asyncio.Event()
    topic = kafka.topics.events
    records = tailing.tail(kafka, [topic], tailing.Filter(), ready.set, told.append)
    async with aclosing(records):
        next_one = asyncio.ensure_future(anext(records))
        await asyncio.wait_for(ready.wait(), DEADLINE_SECONDS)
        cut: dict[int, Answer] = dict.fromkeys(
            (FETCH, LIST_OFFSETS, METADATA), lambda _answer: None
        )
        async with refusing(running, Faults(broken=cut)):
            running.proxy.cut()
            await eventually(lambda: bool(told))
        await eventually(lambda: told[-1] == "")
        await running.produce(1)
        assert (await asyncio.wait_for(next_one, DEADLINE_SECONDS)).topic == topic
    assert told[0] == f"Kafka at {kafka.bootstrap_servers} does not answer"
    await running.deliver(0)


@pytest.mark.parametrize("code", [UNSUPPORTED_VERSION, GROUP_DENIED])
async def test_a_member_whose_heartbeats_were_refused_joins_again(
    running: Delivering, code: int
) -> None:
    async with refusing(running, Faults(codes={HEARTBEAT: code})) as faults:
        await eventually(lambda: faults.struck[HEARTBEAT] > 0)
        await eventually(lambda: not running.is_reached)
    await eventually(lambda: running.is_reached)

    assert len(await running.deliver()) == running.sent


@pytest.mark.parametrize("code", [STILL_LOADING, NOT_COORDINATOR, GROUP_DENIED])
async def test_offsets_that_cannot_be_read_are_not_taken_for_none(
    running: Delivering, code: int
) -> None:
    """A coordinator that loads says so of the whole answer, and names no partition."""

    def refused(answer: bytes) -> bytes:
        correlation_id, time, no_topics = answer[4:8], bytes(4), bytes(4)
        frame = correlation_id + time + no_topics + code.to_bytes(2)
        return len(frame).to_bytes(4) + frame

    async with refusing(running, Faults(broken={OFFSET_FETCH: refused})) as faults:
        config = running.world.config
        async with delivering(config, Letters(config.kafka)) as others:
            await eventually(lambda: faults.struck[OFFSET_FETCH] >= 10)
            running.proxy.faults = Faults()
            await running.deliver()
            await eventually(lambda: all(worker.is_reached for worker in others.workers))
    await running.deliver()

    assert (await running.world.stats("amplitude"))["duplicates"] == 0


async def test_after_metadata_that_is_nonsense_added_partitions_are_noticed(
    running: Delivering,
) -> None:
    def without_topics(answer: bytes) -> bytes:
        fields = list(METADATA_SCHEMA.decode(io.BytesIO(answer[8:])))
        fields[-1] = None  # Where an array has to be.
        frame = answer[4:8] + bytes(METADATA_SCHEMA.encode(fields))
        return len(frame).to_bytes(4) + frame

    async with refusing(running, Faults(broken={METADATA: without_topics})) as faults:
        running.proxy.cut()
        await eventually(lambda: faults.struck[METADATA] > 0)
    await eventually(lambda: running.is_reached)
    world, topics = running.world, running.world.config.kafka.topics
    for topic in (topics.events, topics.parked):
        await add_partitions(world, topic)
    key, value = event(0, running.sent)
    await produce_raw(world, topics.events, [Raw(key, value)], partition=3)
    running.sent += 1

    assert len(await running.deliver()) == running.sent
