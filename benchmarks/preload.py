"""Topics with events in them, written as the edge writes them, in full batches."""

from ampgate import topics
from benchmarks.events import USERS, event
from schemas.configuration.config import Kafka
from schemas.kafka.log import Log
from schemas.records import NewRecord

AT_ONCE = 50_000  # So that each of 64 partitions gets a batch worth the name.
ACK_SECONDS = 30.0
HEADERS = [("source", b"bench")]


async def preload(kafka: Kafka, *, partitions: int, events: int, users: int = USERS) -> None:
    """So many events into a new topic, each in its key's partition."""
    await topics.create(kafka, partitions=partitions)
    log = Log(
        kafka, [kafka.topics.events], ack_timeout_seconds=ACK_SECONDS, on_outage="it is tried again"
    )
    await log.start()
    for first in range(0, events, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, events))
        records = [NewRecord(*event(number, users), HEADERS) for number in numbers]
        await log.append(kafka.topics.events, records)
    await log.stop()
