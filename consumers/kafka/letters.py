"""Writing letters to Kafka: dead records, and parked ones.

A write ends with success, with the process, or once the record's partition is another's, who writes
it then. Until then a failure that may pass is retried with backoff, and a letter that Kafka would
never accept is written in another form. Nothing is written twice: aiokafka's answer is waited for,
however long it takes.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from random import Random

import structlog

from consumers.delivery.lanes import Letter
from consumers.kafka.letter_forms import reference, whole
from schemas.configuration.config import Kafka
from schemas.kafka.batches import NotStored, TooLargeForKafka
from schemas.kafka.log import Log
from schemas.records import TopicPartition
from schemas.truncation import bare, cut

FIRST_BACKOFF_SECONDS = 0.5
BACKOFF_SECONDS_MAX = 10.0  # Below `outage.FRESH_SECONDS`, so that all retries count as one outage.
log = structlog.get_logger()


class Letters:
    """Writes records to another topic: the original bytes, untouched, with the reason."""

    def __init__(self, kafka: Kafka, log: Log | None = None, random: Random | None = None) -> None:
        """With a way of its own into Kafka, if none is given."""
        self._random = random or Random()
        self._dead_letters = kafka.topics.dead_letters
        self._parked = kafka.topics.parked
        self._log = log or Log(
            kafka,
            [self._dead_letters, self._parked],
            ack_timeout_seconds=None,
            on_outage="dead letters and parked records are retried",
            strict=[self._parked],
        )

    async def start(self) -> None:
        """Returns once Kafka can be used, however long that takes."""
        await self._log.start()
        await self._log.connected()

    async def stop(self) -> None:
        await self._log.stop()

    @property
    def is_failing(self) -> bool:
        """Whether the last attempts to write letters failed."""
        return self._log.outage.is_on

    async def dead_letter(self, letter: Letter, destination: str) -> bool:
        """Returns only once Kafka has it: until then it is not settled. False: it is left to
        the next owner of its partition.
        """
        original = form = whole(letter, destination)
        waits = _backoff(self._random)
        while letter.entry.offsets.is_ours:
            tried = form
            try:
                await self._log.store(self._dead_letters, form)
                return True
            except TooLargeForKafka as refused:
                form = cut(original, self._log.sizes.room(self._dead_letters, refused.size))
                if form == tried:
                    self._takes_no_letter(self._dead_letters, refused)
            except NotStored:
                pass  # `schemas/kafka/outage.py` logs it.
            except Exception as error:  # noqa: BLE001  Whatever it is, it concerns this letter.
                form = bare(original)
                log.error(
                    "Kafka refused a dead letter, writing it in another form", error=repr(error)
                )
            if form == tried:
                await asyncio.sleep(await anext(waits))
        return False

    async def park(self, letters: Sequence[Letter], destination: str) -> int:
        """As above, for several of one partition: to the partition of that number, in order.

        Returns how many Kafka has.
        """
        partition = letters[0].entry.record.partition
        left = [(letter, whole(letter, destination)) for letter in letters]
        waits = _backoff(self._random)
        while left[0][0].entry.offsets.is_ours:
            forms = [form for _, form in left]
            stored, error = await self._log.store_in_order(self._parked, forms, partition)
            left = left[stored:]
            if not left:
                break
            letter, tried = left[0]
            form = tried
            if isinstance(error, TooLargeForKafka) or not isinstance(error, NotStored):
                form = reference(letter, destination)
                left[0] = letter, form
            if form == tried:
                if isinstance(error, TooLargeForKafka):
                    self._takes_no_letter(self._parked, error)
                await asyncio.sleep(await anext(waits))
        return len(letters) - len(left)

    def _takes_no_letter(self, topic: str, why: TooLargeForKafka) -> None:
        """Not even in its shortest form: until its limit is raised, that is an outage."""
        self._log.outage.failed(TopicPartition(topic, -1), why)


async def _backoff(random: Random) -> AsyncIterator[float]:
    """Doubling, with jitter, so that letters that failed together are not in one batch again."""
    seconds = FIRST_BACKOFF_SECONDS
    while True:
        yield seconds * random.uniform(0.5, 1.0)
        seconds = min(BACKOFF_SECONDS_MAX, seconds * 2)
