"""The follower of suppressions ends when it is told to, whatever its consumer does."""

import asyncio

import pytest

from schemas.configuration.config import Kafka
from schemas.kafka import following
from schemas.kafka.following import Follower


class Unclosable:
    """A consumer that reads, and whose connections do not close."""

    def __init__(self) -> None:
        self.is_read = asyncio.Event()

    async def start(self) -> None: ...

    async def partitions_of(self, _topic: str) -> int:
        self.is_read.set()
        await asyncio.Event().wait()
        return 0

    async def stop(self) -> None:
        await asyncio.Event().wait()


async def test_a_follower_whose_consumer_does_not_close_in_time_ends_nevertheless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer = Unclosable()
    monkeypatch.setattr(following, "_consumer", lambda _kafka: consumer)
    monkeypatch.setattr(following, "STOP_SECONDS", 0.01)
    run = asyncio.create_task(Follower(Kafka(), lambda _count: None).run())
    await consumer.is_read.wait()

    run.cancel()
    await asyncio.wait([run])

    assert run.cancelled()
