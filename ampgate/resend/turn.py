"""One replay of dead letters at a time, whoever starts it and where: another waits for its end.

Theory of operation: which letters were replayed is known from the records that a replay wrote, so
two at once would send the same letters twice. Each joins a consumer group of one partition, that of
the probes: who has it may go on, the others have none. Kafka notices one that has died.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from aiokafka.errors import GroupAuthorizationFailedError

from ampgate.archive.archive import Archive
from ampgate.cli.configuration import client_arguments
from ampgate.errors import CommandError
from schemas.configuration.config import Kafka
from schemas.kafka.fetching.fetch import Consumer, left

GROUP = "replay"
POLL_SECONDS = 0.5
JOIN_SECONDS = 60.0  # A new cluster makes the topic of its groups first.
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
    consumer = Consumer(
        **client_arguments(kafka),
        group_id=group_id,
        enable_auto_commit=False,
        auto_offset_reset="latest",
        max_poll_interval_ms=LONGEST_MS,
        partition_assignment_strategy=(turns,),
    )
    try:
        await consumer.start()
        if await archive.has(topic):
            consumer.subscribe([topic])
            try:
                await _until_in_turn(consumer, turns, say)
            except GroupAuthorizationFailedError:
                consumer.unsubscribe()
                says = f"these credentials may not join the group {group_id}"
                say(f"{says}: let no other replay of dead letters run meanwhile")
        yield
    finally:
        await left(consumer)  # While Kafka lets nobody join, `stop` would wait for that.


async def _until_in_turn(consumer: Consumer, turns: Turns, say: Say) -> None:
    began, is_told = time.monotonic(), False
    while not turns.has_it:
        with suppress(TimeoutError):  # Without an assignment it may wait for one.
            async with asyncio.timeout(POLL_SECONDS):
                await consumer.getmany(timeout_ms=int(POLL_SECONDS * 1000))
        if turns.has_it is None and time.monotonic() - began > JOIN_SECONDS:
            raise CommandError("Kafka lets nobody join a group: see ampgate check")
        if turns.has_it is False and not is_told:
            is_told = True
            say("another replay of dead letters is under way: waiting for its end")
