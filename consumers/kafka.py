"""Reading from Kafka, and committing. Only the files named `kafka…` know aiokafka."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import (
    AIOKafkaConsumer,
    ConsumerRebalanceListener,
)
from aiokafka import (
    TopicPartition as KafkaPartition,
)
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from consumers.kafka_notes import Committed, Notes
from schemas.config import Kafka
from schemas.records import Record, Standing, TopicPartition

POLL_MILLISECONDS = 200
ROOM_MILLISECONDS = 10  # Some are full, and may soon be no more.
NOWHERE = KafkaPartition("", 0)  # To wait for no partition: without any, aiokafka takes all.
RECONNECT_SECONDS = 1.0
REBALANCE_SECONDS = 45.0  # A heartbeat, the longest request, and a commit.
log = structlog.get_logger()


def client_arguments(kafka: Kafka) -> dict[str, Any]:
    """What every client of the same Kafka is given."""
    password = kafka.sasl_plain_password
    return {
        "bootstrap_servers": kafka.bootstrap_servers,
        "security_protocol": kafka.security_protocol,
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.sasl_plain_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
        "ssl_context": kafka.ssl_context() if "SSL" in kafka.security_protocol else None,
    }


async def started(client: Any) -> None:  # noqa: ANN401  aiokafka has no types.
    """Start it, however long Kafka is away or refuses us: a restart would change nothing."""
    said = ""
    while True:
        try:
            await client.start()
            return
        except (KafkaError, OSError) as error:
            if str(error) != said:
                log.error("Kafka cannot be used, and is tried again", error=str(error))
            said = str(error)
        await asyncio.sleep(RECONNECT_SECONDS)


async def is_co_partitioned(kafka: Kafka, topic: str) -> bool:
    """Whether the topic of the parked has the same partitions as this one."""
    client = AIOKafkaAdminClient(**client_arguments(kafka))
    await started(client)
    try:
        found = await client.describe_topics([topic, kafka.topics.parked])
    finally:
        await client.close()
    counts = {described["topic"]: len(described["partitions"]) for described in found}
    return counts.get(topic, 0) == counts.get(kafka.topics.parked, 0) > 0


class Reader(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types.
    """One consumer group's view of one topic, and of what is parked of it.

    Both have the same partitions, and the range assignor gives a member the same ones of each. The
    topic's own partition is not read before the parked one was, to the end that it then had.
    """

    def __init__(
        self,
        kafka: Kafka,
        topic: str,
        parked_topic: str | None,
        group_id: str,
        on_assigned: Callable[[Mapping[TopicPartition, Committed]], None],
        on_revoked: Callable[[Collection[TopicPartition]], Awaitable[None]],
    ) -> None:
        self._topic = topic
        self._parked_topic = parked_topic
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        # Assigned, and not read before we know what former owners left.
        self._settling: Collection[KafkaPartition] = ()
        self._scanning: dict[int, int] = {}  # Partitions, and up to where the parked are read.
        self._kafka = kafka
        self._group_id = group_id
        self.notes = Notes(client_arguments(kafka), group_id, parked_topic)

    async def start(self) -> None:
        self._consumer = AIOKafkaConsumer(
            **client_arguments(self._kafka),
            group_id=self._group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(RangePartitionAssignor,),
            fetch_max_bytes=8_000_000,
            max_partition_fetch_bytes=1_000_000,
            rebalance_timeout_ms=int(REBALANCE_SECONDS * 1000),
        )
        topics = [self._topic] if self._parked_topic is None else [self._topic, self._parked_topic]
        self._consumer.subscribe(topics, listener=self)
        await started(self._consumer)

    async def stop(self) -> None:
        await self._consumer.stop()

    @property
    def is_settling_in(self) -> bool:
        return bool(self._settling)

    async def read(
        self, *, full: Collection[TopicPartition] | None, records_max: int
    ) -> list[Sequence[Record]]:
        """What has come, by partition, but of those that are `full`; `None` means all are.

        Then it reads of the parked only, and stays in the group. A full partition is not paused:
        that would throw away what was fetched of it.
        """
        await self._end_scans()
        wanted: Collection[KafkaPartition] = ()
        if self._settling:
            await self._try_to_settle_in(self._settling)
        if not self._settling:
            if paused := self._consumer.paused():
                self._consumer.resume(*paused)
            wanted = self._wanted(full)
        is_all = len(wanted) == len(self._consumer.assignment())
        fetched = await self._consumer.getmany(
            *(wanted or (NOWHERE,)),
            timeout_ms=POLL_MILLISECONDS if is_all else ROOM_MILLISECONDS,
            max_records=records_max,
        )
        return list(fetched.values())

    def _wanted(self, full: Collection[TopicPartition] | None) -> Collection[KafkaPartition]:
        return [
            place
            for place in self._consumer.assignment()
            if place.topic != self._topic
            or (
                full is not None
                and place.partition not in self._scanning
                and TopicPartition(*place) not in full
            )
        ]

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

    async def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        """Commit those of our partitions, each with a note; what fails comes the next time."""
        assigned = self._consumer.assignment()
        ours = {
            KafkaPartition(*place): committed
            for place, committed in offsets.items()
            if KafkaPartition(*place) in assigned
        }
        if not ours:
            return
        try:
            await self._consumer.commit(ours)
        except CommitFailedError:
            log.warning("a rebalance came before a commit; its records will be sent again")
        except KafkaError as error:
            log.warning("offsets could not be committed", error=str(error))

    async def standings(self) -> dict[TopicPartition, Standing]:
        """Of the topic's partitions that are ours and whose end is known."""
        found: dict[TopicPartition, Standing] = {}
        for place in self._consumer.assignment():
            end = self._consumer.highwater(place)
            if place.topic == self._topic and end is not None:
                try:
                    position = await self._consumer.position(place)
                except IllegalStateError:
                    continue
                here = TopicPartition(place.topic, place.partition)
                found[here] = Standing(position, max(position, end))
        return found

    async def on_partitions_revoked(self, revoked: Collection[KafkaPartition]) -> None:
        self._settling, self._scanning = (), {}
        await self._on_revoked([TopicPartition(p.topic, p.partition) for p in revoked])

    def on_partitions_assigned(self, assigned: Collection[KafkaPartition]) -> None:
        """Only noted here: `read` does the rest. aiokafka sends no heartbeat before we return."""
        # Nothing was read of them yet. `read` resumes them.
        self._consumer.pause(*assigned)
        self._settling = list(assigned)

    async def _try_to_settle_in(self, places: Collection[KafkaPartition]) -> None:
        try:
            await self._settle_in(places)
        except Exception as error:  # noqa: BLE001  Whatever it is, a later try may find it gone.
            log.warning("partitions cannot be read yet", error=repr(error))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _settle_in(self, places: Collection[KafkaPartition]) -> None:
        committed = await self.notes.read(places)
        ends: Mapping[KafkaPartition, int] = await self._consumer.end_offsets(places)
        if self._settling is not places:
            return  # There was another rebalance meanwhile.
        for place, one in committed.items():
            # One that knows of more than there is tells of lost records: others get their offsets.
            if one.note is not None and one.note.left.read_to > ends[KafkaPartition(*place)]:
                committed[place] = Committed(one.offset, None)
        self._on_assigned(committed)
        self._scanning = {
            place.partition: end for place, end in ends.items() if place.topic != self._topic
        }
        self._settling = ()
        numbers = sorted({place.partition for place in places})
        log.info("partitions assigned", group=self._group_id, partitions=numbers)
