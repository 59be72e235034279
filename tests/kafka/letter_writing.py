"""Letters as tests write them to a real broker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from consumers.delivery.destination import Encoded
from consumers.delivery.entry import Entry
from consumers.delivery.lanes import Letter
from consumers.delivery.offsets import Offsets
from consumers.kafka.letters import Letters
from schemas.configuration.config import Kafka
from schemas.records import Headers, Stored
from tests.kafka.writing import Topic

SMALL = 20_000
DESTINATION = "amplitude"


@asynccontextmanager
async def opened(kafka: Kafka) -> AsyncIterator[Letters]:
    letters = Letters(kafka)
    await letters.start()
    try:
        yield letters
    finally:
        await letters.stop()


async def topics(kafka: Kafka, max_message_bytes: str = "1048588") -> tuple[Topic, Topic]:
    dead, parked = Topic(kafka, kafka.topics.dead_letters), Topic(kafka, kafka.topics.parked)
    for topic in (dead, parked):
        await topic.create(max_message_bytes=max_message_bytes)
    return dead, parked


def a_letter(
    offset: int,
    value: bytes | None,
    key: bytes | None = b"user",
    headers: Headers = (("source", b"shop"),),
    not_before: float | None = None,
) -> Letter:
    record = Stored("t.events", 0, offset, 1_800_000_000_000, key, value, headers)
    entry = Entry(record, Offsets(0), offset, Encoded(b"", "user"), 0)
    return Letter(entry, "malformed_json", "so it says", 1_800_000_000.0, not_before)
