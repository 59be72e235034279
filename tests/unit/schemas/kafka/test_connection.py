"""The keeper of a producer ends when it is told to, whatever the producer does."""

import asyncio
from types import SimpleNamespace

import pytest

from schemas.configuration.config import Kafka
from schemas.kafka import connection
from schemas.kafka.connection import Connection
from schemas.kafka.outage import Outage
from schemas.kafka.sizes import Sizes
from tests.eventually import DEADLINE_SECONDS


class Unstoppable:
    """A producer that never reaches Kafka, and cannot be stopped."""

    def __init__(self) -> None:
        self.starts = asyncio.Event()
        self._message_accumulator = SimpleNamespace(fail_all=lambda _error: None)

    async def start(self) -> None:
        self.starts.set()
        await asyncio.Event().wait()

    async def stop(self) -> None:
        raise RuntimeError("the handler is closed")  # As uvloop says.


async def test_what_a_producer_raises_as_it_ends_does_not_take_the_place_of_a_cancellation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    producer = Unstoppable()
    monkeypatch.setattr(connection, "_producer", lambda _kafka: producer)
    kept = Connection(Kafka(), ("events",), Sizes(), Outage("nothing follows"))
    kept.start()
    await producer.starts.wait()

    await kept.stop()

    with pytest.raises(Exception, match="not reachable"):
        kept.producer()


class Led:
    """A producer whose partitions have leaders, and whose question who leads is not answered."""

    def __init__(self) -> None:
        self.client = self.cluster = self

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0}

    def force_metadata_update(self) -> "asyncio.Future[bool]":
        return asyncio.get_running_loop().create_future()

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {0}

    def leader_for_partition(self, _place: object) -> int:
        return 1


async def test_a_broker_that_hangs_as_it_is_asked_who_leads_makes_no_partition_leaderless() -> None:
    kept = Connection(Kafka(), ["events"], Sizes(), Outage(""))
    kept._producer = Led()
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await kept.leaderless() is None
