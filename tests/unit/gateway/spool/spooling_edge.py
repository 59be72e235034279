"""Workers of an edge that share a spool, before a Kafka that fails."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.spool.draining import Exit
from gateway.spool.spool import Spool
from gateway.spool.spooling import SpoolingLog
from schemas.records import NewRecord
from tests.eventually import eventually
from tests.unit.gateway.spool.kafka_that_fails import KafkaThatFails

BYTES_MAX = 10_000_000


@dataclass
class Edge:
    """Workers that share a spool; Kafka is one."""

    directory: Path
    kafka: KafkaThatFails = field(default_factory=KafkaThatFails)
    suppressed: set[bytes | None] = field(default_factory=set)
    is_known: bool = True
    kept: int = 0
    bytes_max: int = BYTES_MAX
    workers: list[SpoolingLog] = field(default_factory=list)

    async def _unsuppressed(self, _: str, records: Sequence[NewRecord]) -> Sequence[NewRecord]:
        return [one for one in records if one.key not in self.suppressed]

    def _count(self, records: int) -> None:
        self.kept += records

    def worker(self) -> SpoolingLog:
        return SpoolingLog(
            self.kafka,
            Spool(self.directory, self.bytes_max),
            Exit(
                is_known=lambda: self.is_known,
                unsuppressed=self._unsuppressed,
                dead_letters="letters",
                too_large=lambda record, _: NewRecord(record.key, record.value[:5]),
            ),
            self._count,
        )

    async def start(self, workers: int = 1) -> None:
        self.workers = [self.worker() for _ in range(workers)]
        for worker in self.workers:
            await worker.start()

    async def emptied(self) -> None:
        await eventually(lambda: not any(one.is_spooling for one in self.workers))


@asynccontextmanager
async def running(directory: Path, workers: int = 1) -> AsyncIterator[Edge]:
    edge = Edge(directory)
    await edge.start(workers)
    yield edge
    for worker in edge.workers:
        await worker.stop()


async def send(worker: SpoolingLog, records: Sequence[NewRecord], topic: str = "events") -> None:
    """As a request does it."""
    write = worker.begin(topic, records)
    if write is None:
        await worker.append(topic, records)
    else:
        await write.ended()


def record(value: str, key: bytes = b"a") -> NewRecord:
    return NewRecord(key, value.encode(), [("source", b"shop")])
