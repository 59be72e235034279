"""Kafka deletes records before they were delivered, as its retention does."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
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
    """Delete this share of the events that some destination has not settled, and what is older;
    returns how many the former were, and all that is deleted.
    """
    unread, records = await until_done(partial(_doomed, kafka, share))
    if unread:
        await until_done(partial(_delete, kafka, unread))
    return sum(span.end - span.start for span in unread), records


def oldest_unread(
    spans: Iterable[Span], settled: Iterable[Mapping[int, int]], share: float
) -> Iterator[Span]:
    """This share of what is not settled by all, of each partition the oldest. Pure."""
    by_all = list(settled)
    for span in spans:
        start = max(span.start, min(one.get(span.partition, 0) for one in by_all))
        end = start + round(share * (span.end - start))
        if end > start:
            yield replace(span, start=start, end=end)


async def _doomed(kafka: Kafka, share: float) -> tuple[Sequence[Span], Sequence[Stored]]:
    """What is unread, and all that is deleted with it."""
    async with archive(kafka) as stored:
        settled = [await _settled(stored, kafka, name) for name in DESTINATIONS]
        spans = {span.partition: span for span in await stored.spans(kafka.topics.events)}
        unread = list(oldest_unread(spans.values(), settled, share))
        whole = [replace(spans[span.partition], end=span.end) for span in unread]
        return unread, await stored.find(whole, Wanted())


async def _settled(stored: Archive, kafka: Kafka, destination: str) -> Mapping[int, int]:
    group = kafka.topics.group_id(destination, Kind.EVENT)
    committed = await stored.committed(group, kafka.topics.events)
    return {partition: one.offset for partition, one in committed.items()}


async def _delete(kafka: Kafka, unread: Sequence[Span]) -> None:
    async with admin_client(kafka) as client:
        await client.delete_records(
            {
                TopicPartition(span.topic, span.partition): RecordsToDelete(span.end)
                for span in unread
            }
        )
