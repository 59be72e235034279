"""More partitions while everything runs, and whose order may have changed by it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from aiokafka.admin import NewPartitions

from ampgate.archive.archive import archive
from ampgate.lab.chaos.asking import until_done
from ampgate.topics import admin_client
from schemas.configuration.config import Kafka
from schemas.kafka.partitioner import positive_hash
from schemas.records import Stored


@dataclass(frozen=True, slots=True)
class Growth:
    """Of the events' topic: how far its partitions were written before, and how many there are."""

    ends: Mapping[int, int]
    now: int


async def grow(kafka: Kafka, topics: Iterable[str], now: int) -> None:
    """So many partitions from now on."""
    for topic in topics:
        await until_done(partial(_grow, kafka, topic, now))


async def grow_events(kafka: Kafka, now: int) -> Growth:
    """Those that are written; nobody who writes by an old number may run meanwhile."""
    ends = await until_done(partial(_ends, kafka))
    await grow(kafka, [kafka.topics.events], now)
    return Growth(ends, now)


async def _ends(kafka: Kafka) -> Mapping[int, int]:
    async with archive(kafka) as stored:
        return {span.partition: span.end for span in await stored.spans(kafka.topics.events)}


async def _grow(kafka: Kafka, topic: str, now: int) -> None:
    async with admin_client(kafka) as client:
        [found] = await client.describe_topics([topic])
        if len(found["partitions"]) < now:  # An earlier try may have done it.
            await client.create_partitions({topic: NewPartitions(total_count=now)})


def written_late(records: Iterable[Stored], growths: Sequence[Growth]) -> Iterator[Stored]:
    """Those in a former partition of their key that were written when it had another one: they may
    arrive after newer ones. Pure.
    """
    for record in records:
        for growth in growths:
            end = growth.ends.get(record.partition)
            is_later = end is not None and record.offset >= end
            if is_later and positive_hash(record.key or b"") % growth.now != record.partition:
                yield record
                break
