"""A producer's transaction that is not finished: what is behind it waits, and that is told."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from structlog.testing import capture_logs

from consumers import withheld
from tests.eventually import eventually
from tests.kafka.delivery_world import Clock, World
from tests.kafka.kafka_operations import metric, produce_in_order, with_amplitude
from tests.kafka.test_odd_logs import lag, numbers, purchase
from tests.operating import AMPLITUDE, Operation

TOLD = "unfinished transaction, records behind it are not given out"
OVER = "transaction is finished, reading on"


@pytest.fixture
def amplitude(world: World) -> World:
    return with_amplitude(world)


@asynccontextmanager
async def open_transaction(world: World, topic: str) -> AsyncIterator[None]:
    """In the topic's first partition; it is aborted at the end of the block."""
    servers = world.config.kafka.bootstrap_servers
    async with AIOKafkaProducer(
        bootstrap_servers=servers, transactional_id=topic, transaction_timeout_ms=900_000
    ) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"{}", b"x", partition=0)
        yield
        await producer.abort_transaction()


def parked() -> float:
    """How often a record was, in this process."""
    return metric("records_total", destination=AMPLITUDE, kind="event", outcome="parked")


def kept_back(topic: str) -> float:
    return metric("withheld_records", destination=AMPLITUDE, topic=topic, partition="0")


async def test_what_waits_behind_an_unfinished_transaction_is_told(
    amplitude: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withheld, "LASTS_SECONDS", 0.5)
    topic = amplitude.config.kafka.topics.events
    with capture_logs() as logged:
        async with amplitude.delivering():
            async with open_transaction(amplitude, topic):
                await produce_in_order(amplitude, topic, [purchase(0), purchase(1)], b"ann")
                await eventually(lambda: kept_back(topic) == 3)
                here = Operation(amplitude.config)
                said = await here.run(tmp_path, "trace", "--user", "ann", "--everywhere")
            await amplitude.until_accepted("amplitude", 2)
            await eventually(lambda: kept_back(topic) == lag(topic) == 0)

    assert f"{topic}/0: nobody can read the 3 records" in " ".join(said.stderr.split())
    told = [one for one in logged if one["event"] in (TOLD, OVER)]
    assert [(one["event"], one["partition"]) for one in told] == [(TOLD, 0), (OVER, 0)]
    assert (told[0]["topic"], told[0]["first"]) == (topic, 0)
    assert await numbers(amplitude) == [0, 1]


async def test_what_is_parked_behind_an_unfinished_transaction_is_not_overtaken(
    amplitude: World,
) -> None:
    """As when a rename is killed: it writes the parked records of one destination anew."""
    topics, clock = amplitude.config.kafka.topics, Clock()
    quota = {"kind": "daily_quota", "ids": ["ann"], "seconds": 1.0}
    bob = b'{"event_type":"Bought","user_id":"bob","event_properties":{"n":3}}'
    async with AsyncExitStack() as running, AsyncExitStack() as parking:
        async with amplitude.delivering(clock):
            await produce_in_order(amplitude, topics.events, [purchase(0)], b"ann")
            await amplitude.until_accepted("amplitude", 1)
            await parking.enter_async_context(open_transaction(amplitude, topics.parked))
            await amplitude.set_faults("amplitude", {"effect": quota})
            before = parked()
            await produce_in_order(amplitude, topics.events, [purchase(1)], b"ann")
            await eventually(lambda: parked() == before + 1 and lag(topics.events) == 0)
        await amplitude.set_faults("amplitude")
        clock.ahead_seconds += 3600.0
        await produce_in_order(amplitude, topics.events, [purchase(2)], b"ann")
        await produce_in_order(amplitude, topics.events, [bob], b"bob", partition=1)
        await running.enter_async_context(amplitude.delivering(clock))
        await amplitude.until_accepted("amplitude", 2)
        await eventually(lambda: lag(topics.events) == 1)
        await parking.aclose()
        await amplitude.until_accepted("amplitude", 4)

    assert await numbers(amplitude) == [0, 3, 1, 2]
