"""What a reader says of itself before Kafka has been reached."""

from collections.abc import Collection

from consumers.kafka.reader import Reader
from schemas.configuration.config import Kafka
from schemas.records import TopicPartition


async def ignored(_revoked: Collection[TopicPartition]) -> None:
    pass


def test_a_reader_that_has_not_started_says_so() -> None:
    reader = Reader(Kafka(), "events", "parked", "group", lambda _: None, ignored)
    assert reader.trouble == "not_started"
