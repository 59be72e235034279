"""The contacts that Amplemarket's webhooks name: found in the topic of events, where the edge put
what they became.

Each run reads on where the last one ended; the first one from the beginning of the topic.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Protocol

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from gateway.dialects.amplemarket import EVENT_TYPES
from gateway.pulls.pull import OBJECT_ID_MAX, UnavailableError
from schemas.cancellation import heeding
from schemas.configuration.config import Kafka
from schemas.decoding import NOT_DECODED
from schemas.kafka.client import started
from schemas.kafka.fetching.fetch import Consumer
from schemas.kafka.fetching.fetched import UnreadableError
from schemas.kafka.fetching.patience import Patience
from schemas.kafka.login import client_arguments

IDS_MAX = 100  # Named at once: five requests.
READ_MAX = 500_000  # Records, so that the cursor of a long topic is stored now and then.
TAKE_RECORDS, TAKE_BYTES = 5_000, 8_000_000
TAKE_MS = 1_000
MARK: Final = b'"Amplemarket '  # As the edge writes the types of these events.
Positions = Mapping[int, int]  # By partition: up to where it was read.


class Named(NamedTuple):
    ids: list[str]
    positions: Positions
    is_all: bool  # The topic was read to its end.


class Webhooks(Protocol):
    async def named(self, since: Positions) -> Named:
        """The contacts that are named from there on, some at a time.

        `UnavailableError`: Kafka cannot be read.
        """


class _Contact(msgspec.Struct):
    id: str


class _Properties(msgspec.Struct):
    contact: _Contact


class _Event(msgspec.Struct):
    event_type: str
    event_properties: _Properties


_event = msgspec.json.Decoder(_Event)
_types = frozenset(EVENT_TYPES.values())


def contacts_of(values: Iterable[bytes | None]) -> list[str]:
    """Of events, in order, each id once."""
    found: dict[str, None] = {}
    for value in values:
        if value is None or MARK not in value:
            continue
        try:
            event = _event.decode(value)
        except NOT_DECODED:
            continue  # It is another event, or names no contact.
        id_ = event.event_properties.contact.id.strip()
        if event.event_type in _types and 0 < len(id_) <= OBJECT_ID_MAX:
            found[id_] = None
    return list(found)


class EventsTopic:
    """`Webhooks` from Kafka."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    async def named(self, since: Positions) -> Named:
        consumer = Consumer(
            **client_arguments(self._kafka),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
        )
        try:
            await started(consumer)
            return await self._read(consumer, since)
        except (KafkaError, OSError) as error:
            raise UnavailableError(f"the topic of events: {error}") from error
        finally:
            await heeding(consumer.stop())

    async def _read(self, consumer: Consumer, since: Positions) -> Named:
        topic = self._kafka.topics.events
        count = await consumer.partitions_of(topic)
        places = [TopicPartition(topic, number) for number in range(count)]
        consumer.assign(places)
        begins = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        at = {place: since.get(place.partition, 0) for place in places}
        for place in places:
            if not begins[place] <= at[place] <= ends[place]:  # Retention, or made anew.
                at[place] = begins[place]
            consumer.seek(place, at[place])
        ids: dict[str, None] = {}
        read, patience = 0, Patience()
        while unread := [place for place in places if at[place] < ends[place]]:
            if len(ids) >= IDS_MAX or read >= READ_MAX:
                break
            taken = patience.of(
                await consumer.take(
                    unread, timeout_ms=TAKE_MS, records_max=TAKE_RECORDS, bytes_max=TAKE_BYTES
                )
            )
            for records in taken.records:
                read += len(records)
                ids |= dict.fromkeys(contacts_of(record.value for record in records))
            at |= taken.positions
            # Of a new leader, who is named twice is asked for twice.
            for place, error in taken.other_errors(consumer.believe):
                if not isinstance(error, UnreadableError):
                    raise error
                at[place] = error.before  # A damaged batch: a delivery says that it is lost.
                consumer.seek(place, error.before)
        return Named(
            list(ids), {place.partition: offset for place, offset in at.items()}, not unread
        )
