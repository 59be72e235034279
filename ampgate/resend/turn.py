"""One replay of dead letters at a time, whoever starts it and where: another waits for its end.

Theory of operation: which letters were replayed is known from the records that a replay wrote, so
two at once would send the same letters twice. Each joins a consumer group of one partition, that of
the probes: who has it may go on, the others have none. Kafka notices one that has died.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from aiokafka.errors import GroupAuthorizationFailedError

from ampgate.archive.archive import Archive
from ampgate.cli.configuration import client_arguments
from schemas.configuration.config import Kafka

GROUP = "replay"
POLL_MS = 500
LONGEST_MS = 30 * 86_400_000  # Nobody polls while a replay runs.
HAS_IT, WAITS = b"1", b"0"
Say = Callable[[str], None]


class Turns(RangePartitionAssignor):  # type: ignore[misc]  # aiokafka has no types.
    """Of one member: who has the partition keeps it, until it leaves."""

    name = "ampgate-turns"

    def __init__(self) -> None:
        self.has_it: bool | None = None  # None before the first answer.

    def metadata(self, topics: Sequence[str]) -> Any:  # noqa: ANN401  As above.
        held = HAS_IT if self.has_it else WAITS
        return ConsumerProtocolMemberMetadata(self.version, list(topics), held)

    def assign(self, _cluster: object, members: Mapping[str, Any]) -> dict[str, Any]:
        chosen = max(sorted(members), key=lambda member: members[member].user_data)
        return {
            member: ConsumerProtocolMemberAssignment(
                self.version,
                [(topic, [0]) for topic in one.subscription] if member == chosen else [],
                b"",
            )
            for member, one in members.items()
        }

    def on_assignment(self, assignment: Any) -> None:  # noqa: ANN401  As above.
        self.has_it = bool(assignment.partitions())


@asynccontextmanager
async def turn(kafka: Kafka, archive: Archive, say: Say) -> AsyncIterator[None]:
    """Begin once no other replay of dead letters is under way."""
    group_id, topic = f"{kafka.topics.prefix}{GROUP}", kafka.topics.probe
    turns = Turns()
    consumer = AIOKafkaConsumer(
        **client_arguments(kafka),
        group_id=group_id,
        enable_auto_commit=False,
        auto_offset_reset="latest",
        max_poll_interval_ms=LONGEST_MS,
        partition_assignment_strategy=(turns,),
    )
    async with consumer:
        if await archive.has(topic):
            consumer.subscribe([topic])
            try:
                await _until_in_turn(consumer, turns, say)
            except GroupAuthorizationFailedError:
                consumer.unsubscribe()
                says = f"these credentials may not join the group {group_id}"
                say(f"{says}: let no other replay of dead letters run meanwhile")
        yield


async def _until_in_turn(consumer: AIOKafkaConsumer, turns: Turns, say: Say) -> None:
    is_told = False
    while not turns.has_it:
        await consumer.getmany(timeout_ms=POLL_MS)
        if turns.has_it is False and not is_told:
            is_told = True
            say("another replay of dead letters is under way: waiting for its end")
