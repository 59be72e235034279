"""What is done before assigned partitions are read: look for what former owners of them left."""

import asyncio
from collections.abc import Callable, Collection, Mapping

import structlog
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import IllegalStateError

from consumers.delivery.moved import Ends
from consumers.kafka.moved import divided_anew, moved_to
from consumers.kafka.notes import Committed, Notes
from consumers.kafka.start import Start, began
from consumers.kafka.troubles import Troubles
from schemas.kafka.client import RECONNECT_SECONDS
from schemas.kafka.fetching.fetch import Consumer
from schemas.records import TopicPartition

ENDS_SECONDS = 15.0  # By then it is known which partitions have no leader any more.
log = structlog.get_logger()


class SettlingIn:
    """Of one member: its partitions of the topic, and of the parked topic.

    A partition is read once both of its number have leaders: others do not wait for one without.
    The topic's own one is not read before the parked one was, to the end that it then had.
    """

    def __init__(
        self,
        consumer: Consumer,
        topic: str,
        parked_topic: str | None,
        begins: Start,
        notes: Notes,
        troubles: Troubles,
        on_assigned: Callable[[Mapping[TopicPartition, Committed]], None],
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._parked_topic = parked_topic
        self._begins = begins
        self._notes = notes
        self._troubles = troubles
        self._on_assigned = on_assigned
        self._places: Collection[KafkaPartition] = ()  # Those that are not to be read yet.
        self._scanning: dict[int, int] = {}  # Partitions, and up to where the parked are read.
        self._count = 0  # Of the topic's partitions, when ours were assigned.
        self._divided: Mapping[TopicPartition, Committed] = {}
        self._is_told = False  # That some have no leader.

    def assigned(self, places: Collection[KafkaPartition]) -> None:
        """Only noted here; `go_on` does the rest."""
        self._consumer.pause(*places)
        self._places, self._divided, self._is_told = list(places), {}, False

    def revoked(self) -> None:
        self._places, self._scanning = (), {}

    def may_be_read(self, place: TopicPartition) -> bool:
        if place in self._places:
            return False
        return place.topic != self._topic or place.partition not in self._scanning

    def is_waiting(self, place: TopicPartition) -> bool:
        """Whether what former owners left of it is not known yet."""
        return place in self._places

    async def go_on(self) -> None:
        """Look for what former owners left, and end the scans whose parked records were read."""
        await self._end_scans()
        places = self._places  # While we wait, a rebalance may put others in their place.
        if ready := await self._with_leaders(places):
            try:
                await self._settle(places, ready)
                self._troubles.settled_in()
            except Exception as error:  # noqa: BLE001  Whatever it is, a later try may find it gone.
                self._troubles.not_settled_in(error)
                await asyncio.sleep(RECONNECT_SECONDS)
        if paused := [one for one in self._consumer.paused() if one not in self._places]:
            self._consumer.resume(*paused)

    def has_moved(self, place: TopicPartition) -> Callable[[str], bool] | None:
        """Of one to which keys of others moved, which these are; None of any other."""
        found = self._divided.get(place)
        if found is None or found.note is None or found.note.partitions is None:
            return None
        return moved_to(place.partition, self._count, found.note.partitions)

    def division(self, place: TopicPartition, after: Ends) -> tuple[Ends, int | None]:
        """For the next owner: what a partition waits for, and by what number its keys are divided.

        Where keys moved, the former number says it all, until none of them waits any more.
        """
        found = self._divided.get(place)
        if after and found is not None and found.note is not None:
            return {}, found.note.partitions
        return after, self._count if place.topic == self._topic else None

    async def _with_leaders(self, places: Collection[KafkaPartition]) -> list[KafkaPartition]:
        """Those of numbers of which none is without a leader: asking for its end would not end."""
        without = self._leaderless(places)
        if without and not self._is_told:  # Another member may have known of new partitions first.
            await self._consumer.look_for_leaders()
            without = self._leaderless(places)
        if without and not self._is_told:
            log.error(
                "partitions have no leader, reading the others",
                group=self._notes.group_id,
                partitions=sorted(without),
            )
        self._is_told = bool(without)
        return [one for one in places if one.partition not in without]

    def _leaderless(self, places: Collection[KafkaPartition]) -> set[int]:
        return {one.partition for one in places if not self._consumer.has_leader(one)}

    async def _settle(
        self, places: Collection[KafkaPartition], ready: Collection[KafkaPartition]
    ) -> None:
        await began(self._consumer, self._topic, self._parked_topic, self._begins)
        committed = await self._notes.read(ready)
        count = len(self._consumer.partitions_for_topic(self._topic) or ())
        divided = await divided_anew(self._consumer, self._topic, committed, count)
        async with asyncio.timeout(ENDS_SECONDS):
            # What is parked behind an unfinished transaction is to be read, too.
            ends: Mapping[KafkaPartition, int] = await self._consumer.log_ends(ready)
        noted = await self._troubles.epochs.all_noted({**committed, **divided})
        if self._places is not places:
            return  # There was another rebalance meanwhile.
        for here, one in noted.items():
            if one.offset >= 0:
                self._consumer.seek(KafkaPartition(*here), one.offset)
        self._count, self._divided = count, {**self._divided, **divided}
        assigned = {here: one.within(ends[KafkaPartition(*here)]) for here, one in noted.items()}
        self._troubles.epochs.assigned(assigned)
        self._on_assigned(assigned)
        self._scanning |= {
            place.partition: end for place, end in ends.items() if place.topic != self._topic
        }
        self._places = [one for one in places if one not in ready]
        self._say(ready)

    def _say(self, ready: Collection[KafkaPartition]) -> None:
        numbers = sorted({place.partition for place in ready})
        if alone := [n for n in numbers if KafkaPartition(self._parked_topic, n) not in ready]:
            log.warning(
                "parked topic has too few partitions, holding records in memory", partitions=alone
            )
        log.info("partitions assigned", group=self._notes.group_id, partitions=numbers)

    async def _end_scans(self) -> None:
        """Forget the scans whose parked records have by now been read."""
        scanning = self._scanning  # While we wait, a rebalance may put others in their place.
        for partition, end in list(scanning.items()):
            place = KafkaPartition(self._parked_topic, partition)
            try:
                if await self._consumer.position(place) >= end:
                    del scanning[partition]
            except IllegalStateError:  # It is no longer ours; another scan will come.
                del scanning[partition]
