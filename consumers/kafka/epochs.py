"""Whether a log is still the one that was read.

After an unclean leader election, or once a topic was made anew, a log has other records at offsets
that we have read. Whoever wrote the last of these is known by its epoch
(schemas/kafka/fetching/leader_epochs.py), and the log says where that ends now.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

import structlog
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import KafkaError

from consumers.kafka.notes import Committed
from schemas.kafka.fetching.taken import NewLeaderError
from schemas.records import TopicPartition

log = structlog.get_logger()


class Cut(NamedTuple):
    """From where on a log is another one, and of which epoch what is before is, if known."""

    at: int
    epoch: int | None


class Reads(Protocol):
    """What is asked of a consumer."""

    def read_to(self, place: KafkaPartition) -> tuple[int, int] | None: ...
    def believe(self, place: KafkaPartition, position: int, epoch: int | None) -> None: ...
    async def end_of_epoch(self, place: KafkaPartition, epoch: int) -> int | None: ...
    async def beginning_offsets(
        self, places: Collection[KafkaPartition]
    ) -> Mapping[KafkaPartition, int]: ...


class Epochs:
    """Of one consumer's partitions: whose records were read last, by us and by a former owner.

    What is asked of Kafka raises `KafkaError`s that may pass.
    """

    def __init__(self, consumer: Reads) -> None:
        self._consumer = consumer
        # What former owners noted: up to where they read, and the epoch there.
        self._former: dict[KafkaPartition, tuple[int, int]] = {}
        # Logs that are read anew once all that was read is settled: the epochs of their cuts.
        self._restarting: dict[KafkaPartition, int | None] = {}

    def clear(self) -> None:
        self._former.clear()
        self._restarting.clear()

    def assigned(self, committed: Mapping[TopicPartition, Committed]) -> None:
        for place, (_, note) in committed.items():
            if note is not None and note.epoch is not None:
                here, known = KafkaPartition(*place), (note.left.read_to, note.epoch)
                self._former[here] = known
                self._consumer.believe(here, *known)

    def before(self, place: TopicPartition, offset: int) -> int | None:
        """The epoch of the record before this offset, if we or a former owner read up to it."""
        here = KafkaPartition(*place)
        known = (self._consumer.read_to(here), self._former.get(here))
        return next((one[1] for one in known if one is not None and one[0] == offset), None)

    async def all_noted(
        self, committed: Mapping[TopicPartition, Committed]
    ) -> dict[TopicPartition, Committed]:
        """What former owners committed, as far as it is about the logs that are there now."""
        found = [self.noted(KafkaPartition(*place), one) for place, one in committed.items()]
        return dict(zip(committed, await asyncio.gather(*found), strict=True))

    async def noted(self, place: KafkaPartition, committed: Committed) -> Committed:
        note = committed.note
        if note is None or note.epoch is None:
            return committed
        read_to = note.left.read_to
        if (cut := await self._cut(place, read_to, note.epoch)) is None:
            return committed
        offset = min(committed.offset, cut.at)
        self._consumer.believe(place, cut.at, cut.epoch)
        log_cut(place, read_to, offset)
        return Committed(offset, None)

    async def beyond(self, place: KafkaPartition, position: int, begin: int) -> int:
        """From where to read a log that begins here and ends before our position."""
        known = [self._consumer.read_to(place), self._former.get(place)]
        found = [one for one in known if one is not None and one[0] >= position]
        cut = await self._cut(place, *found[0]) if found else None
        return self._cut_off(place, cut or Cut(begin, None))

    async def continued(self, place: KafkaPartition, found: NewLeaderError) -> int | None:
        """From where to read a log with another leader; None if it has all that was read."""
        cut = await self._cut(place, found.position, found.last_epoch)
        read_to, epoch = self._former.get(place, (0, 0))
        if cut is None and found.position < read_to and epoch < found.epoch:
            # The former owner read on here in a log that is no more.
            cut = Cut(found.position, found.last_epoch)
        if cut is None:
            self._consumer.believe(place, found.position, found.epoch)
            return None
        return self._cut_off(place, cut)

    def restarted(self, place: KafkaPartition, at: int) -> None:
        """It is read from where it was cut now."""
        self._former.pop(place, None)
        self._consumer.believe(place, at, self._restarting.pop(place, None))

    def _cut_off(self, place: KafkaPartition, cut: Cut) -> int:
        """Until it is read from there, a commit is still of the log that was read."""
        self._restarting[place] = cut.epoch
        return cut.at

    async def _cut(self, place: KafkaPartition, read_to: int, epoch: int) -> Cut | None:
        """Where it is not what was read up to `read_to`; None if it still is."""
        try:
            end = await self._consumer.end_of_epoch(place, epoch)
            if end is not None and end >= read_to:
                return None
            # With an election, an epoch begins. A log that is only shorter was made anew.
            if end is not None and await self._consumer.end_of_epoch(place, epoch + 1) is not None:
                return Cut(end, epoch)
        except KafkaError as error:
            if error.retriable:
                raise
            log.warning(
                "Kafka does not say whether a log was cut, reading on",
                topic=place.topic,
                partition=place.partition,
                error=str(error),
            )
            return None
        begins = await self._consumer.beginning_offsets([place])
        return Cut(begins[place], None)


def log_cut(place: KafkaPartition, position: int, first: int) -> None:
    log.error(
        "log was cut below our position, reading it again from there",
        topic=place.topic,
        partition=place.partition,
        position=position,
        first=first,
    )
