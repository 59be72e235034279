"""What waits on the edge's disk reaches a Kafka that is slow, takes less, or takes a part."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.edge.log import EdgeLog
from gateway.spool.draining import Exit
from gateway.spool.spool import Entry, Spool
from gateway.spool.spooling import SpoolingLog
from schemas.configuration.config import Kafka
from schemas.records import NewRecord
from tests.eventually import eventually
from tests.kafka.fault_proxy import PRODUCE, Behind, FaultProxy, fault_proxy
from tests.kafka.writing import Topic

MAX_BYTES = 100_000_000
TOPIC_AUTHORIZATION_FAILED = 29


@dataclass
class Leaving:
    """An edge's log whose records all wait until `is_known`."""

    log: SpoolingLog
    proxy: FaultProxy
    events: Topic
    others: Topic
    known: list[bool]

    async def keep(self, topic: Topic, *values: bytes) -> None:
        entries = [Entry(topic.name, 1_800_000_000_000, [NewRecord(b"ann", v)]) for v in values]
        self.log.spool.keep(entries)

    def leave(self) -> None:
        self.known.append(True)

    async def emptied(self) -> None:
        await eventually(lambda: not self.log.is_spooling)


@asynccontextmanager
async def leaving(
    behind: Behind, directory: Path, name: str, ack_timeout_seconds: float = 20.0
) -> AsyncIterator[Leaving]:
    kafka = Kafka(bootstrap_servers=behind.bootstrap_servers, topic_prefix=f"{name}.")
    known: list[bool] = []

    async def unsuppressed(_: str, records: Sequence[NewRecord]) -> Sequence[NewRecord]:
        return records

    log = SpoolingLog(
        EdgeLog(kafka, ack_timeout_seconds, strict=True),
        Spool(directory / "spool", MAX_BYTES),
        Exit(
            is_known=lambda: bool(known),
            unsuppressed=unsuppressed,
            dead_letters=kafka.topics.dead_letters,
            too_large=lambda record, _: record,
        ),
        lambda _: None,
    )
    async with fault_proxy(behind.port, behind.broker_port) as proxy:
        events, others = Topic(kafka, f"{name}.events"), Topic(kafka, f"{name}.others")
        for topic in (events, others):
            await topic.create()
        await log.start()
        try:
            yield Leaving(log, proxy, events, others, known)
        finally:
            await log.stop()


async def test_a_kafka_slower_than_requests_wait_for_gets_each_record_once(
    behind: Behind, tmp_path: Path
) -> None:
    async with leaving(behind, tmp_path, "slow", ack_timeout_seconds=1.0) as edge:
        await edge.keep(edge.events, b"1", b"2", b"3")
        edge.proxy.faults.delays[PRODUCE] = 2.0
        edge.leave()
        await edge.emptied()
        edge.proxy.faults.delays.clear()
        assert await edge.events.values() == [b"1", b"2", b"3"]


async def test_a_lower_limit_of_a_batch_swaps_nothing(behind: Behind, tmp_path: Path) -> None:
    values = [b"%d" % number + os.urandom(300_000) for number in range(6)]
    async with leaving(behind, tmp_path, "less") as edge:
        await edge.keep(edge.events, *values, b"last")
        await edge.events.set(max_message_bytes="400000")
        edge.leave()
        await edge.emptied()
        assert list(dict.fromkeys(await edge.events.values())) == [*values, b"last"]


async def test_a_topic_that_may_not_be_written_keeps_no_other_back(
    behind: Behind, tmp_path: Path
) -> None:
    async with leaving(behind, tmp_path, "denied") as edge:
        faults = edge.proxy.faults
        faults.codes[PRODUCE] = TOPIC_AUTHORIZATION_FAILED
        faults.topics = frozenset([edge.others.name])
        await edge.keep(edge.others, b"1", b"2")
        await edge.keep(edge.events, b"3", b"4")
        await edge.keep(edge.others, b"5")
        edge.leave()
        await eventually(lambda: edge.log.spool.level.records == 3)
        assert edge.log.is_spooling
        faults.codes.clear()
        await edge.emptied()
        assert await edge.events.values() == [b"3", b"4"]
        stored = await edge.others.values()
        assert list(dict.fromkeys(stored)) == [b"1", b"2", b"5"]


async def test_a_topic_that_was_deleted_keeps_no_other_back(behind: Behind, tmp_path: Path) -> None:
    async with leaving(behind, tmp_path, "deleted", ack_timeout_seconds=1.0) as edge:
        await edge.others.delete()
        await edge.keep(edge.others, b"1", b"2")
        await edge.keep(edge.events, b"3")
        edge.leave()
        await eventually(lambda: edge.log.spool.level.records == 2)
        await edge.others.create()
        await edge.emptied()
        assert await edge.events.values() == [b"3"]
        assert await edge.others.values() == [b"1", b"2"]
