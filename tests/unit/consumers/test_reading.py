"""How many records are read at once, and of which partition: none holds up the others."""

import asyncio
from random import Random

import pytest

from consumers.delivery.delivery import Delivery
from consumers.destinations.amplitude.events import destinations
from consumers.drain import Drain
from consumers.kafka.loader import Loader
from consumers.metrics import Counts
from consumers.reading import READ_RECORDS_MAX, Reading, next_read
from schemas.letters import LetterHeaders, Origin
from schemas.records import Record, Stored, TopicPartition
from schemas.topics import Kind
from schemas.vendors.amplitude import AmplitudeDestination
from tests.eventually import eventually

DUE_AT, READ_SECONDS = 100.0, 0.2


@pytest.mark.parametrize(
    ("before", "records", "seconds", "following"),
    [
        (READ_RECORDS_MAX, 4000, 0.02, READ_RECORDS_MAX),
        (READ_RECORDS_MAX, 4000, 0.4, 1000),
        (READ_RECORDS_MAX, 2, 0.1, 2),
        (READ_RECORDS_MAX, 1, 5.0, 1),
        (1, 1, 0.0, 2),
        (10, 0, 0.0, 10),
    ],
)
def test_a_read_takes_as_many_records_as_a_tenth_of_a_second_allows(
    before: int, records: int, seconds: float, following: int
) -> None:
    assert next_read(before, records, seconds) == following


class Parked(Loader):
    """What is parked: one record a partition. Of some there is no leader, of others another record
    than before; and all may be slow.
    """

    def __init__(self, away: set[int], odd: set[int], tries: int, records: list[Record]) -> None:
        self._away, self._odd, self._tries, self._records = away, odd, tries, records
        self._last = (-1, 0)  # The partition that was asked last, and how often in a row.
        self.now = DUE_AT
        self.given: list[int] = []

    async def read(
        self, place: TopicPartition, offset: int, records_max: int
    ) -> tuple[list[Record], int]:
        await asyncio.sleep(0)
        self.now += READ_SECONDS
        last, tries = self._last
        self._last = place.partition, tries + 1 if last == place.partition else 1
        if place.partition in self._away or self._last[1] < self._tries:
            return [], offset
        if place.partition in self._odd:
            return [Stored(*place, offset, 1, b"another", b"{}", ())], offset
        self.given.append(place.partition)
        return [one for one in self._records if one.partition == place.partition], offset


@pytest.mark.parametrize("tries", [1, 40], ids=["quick", "slow"])
async def test_parked_records_do_not_wait_for_a_partition_without_a_leader(tries: int) -> None:
    """Nor is what a slow Kafka is about to give thrown away again and again."""
    configured = {"name": "a", "type": "amplitude", "api_key": "key", "region": "us"}
    delivery = Delivery(
        destinations(AmplitudeDestination.model_validate(configured))[0],
        topic="events",
        parked_topic="parked",
        memory_max_bytes=1_000_000,
        random=Random(0),
    )
    records: list[Record] = []
    for number in range(5):
        origin = Origin(TopicPartition("events", number), 0)
        letter = LetterHeaders("a", "quota", "", origin, 1, 0.0, not_before=DUE_AT, parked_at=0.0)
        value = b'{"event_type":"e","user_id":"user-1"}'
        parked = Stored("parked", number, 0, 1, b"user-1", value, letter.encoded(()))
        delivery.assign(TopicPartition("parked", number), 0)
        delivery.scan([parked], 0.0)
        records.append(parked)
    loader = Parked({0, 3}, {1}, tries, records)
    reading = Reading(
        *("a/events", "events", delivery, Drain("a", lambda: 0), Counts("loading", Kind.EVENT)),
        *(lambda: loader.now, lambda: None),
    )
    loading = asyncio.create_task(reading.load(loader))
    await eventually(lambda: set(loader.given) == {2, 4})
    loading.cancel()
    await asyncio.wait([loading])
    assert loader.given == [2, 4]
