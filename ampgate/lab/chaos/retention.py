"""Kafka deletes records before they were delivered, as its retention does."""

from collections.abc import Mapping, Sequence
from functools import partial

from aiokafka import TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete

from ampgate.archive.archive import Archive, Span, archive
from ampgate.archive.batches import Wanted
from ampgate.lab.chaos.asking import until_done
from ampgate.lab.chaos.fleet import DESTINATIONS
from ampgate.topics import admin_client
from schemas.configuration.config import Kafka
from schemas.records import Stored
from schemas.topics import Kind


async def overtake(kafka: Kafka, share: float) -> tuple[int, Sequence[Stored]]:
    """Delete this share of the events that some destination has not settled, the oldest first, and
    what is older; returns how many the former were, and all that is deleted.
    """
    unread, doomed, records = await until_done(partial(_doomed, kafka, share))
    if doomed:
        await until_done(partial(_delete, kafka, doomed))
    return unread, records


async def _doomed(kafka: Kafka, share: float) -> tuple[int, Sequence[Span], Sequence[Stored]]:
    topic = kafka.topics.of(Kind.EVENT)
    async with archive(kafka) as stored:
        settled = [await _settled(stored, kafka, name) for name in DESTINATIONS]
        doomed, count = list[Span](), 0
        for span in await stored.spans(topic):
            unread = max(span.start, min(one.get(span.partition, 0) for one in settled))
            before = unread + round(share * (span.end - unread))
            if before > unread:
                doomed.append(Span(topic, span.partition, span.start, before))
                count += before - unread
        return count, doomed, await stored.find(doomed, Wanted())


async def _settled(stored: Archive, kafka: Kafka, destination: str) -> Mapping[int, int]:
    group = kafka.topics.group_id(destination, Kind.EVENT)
    committed = await stored.committed(group, kafka.topics.of(Kind.EVENT))
    return {partition: one.offset for partition, one in committed.items()}


async def _delete(kafka: Kafka, doomed: Sequence[Span]) -> None:
    async with admin_client(kafka) as client:
        await client.delete_records(
            {
                TopicPartition(span.topic, span.partition): RecordsToDelete(span.end)
                for span in doomed
            }
        )
