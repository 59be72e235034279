"""From the engine to Kafka: dead letters, and records that are parked."""

import asyncio
from collections.abc import Iterator

from consumers.bounded_log import BoundedLog
from consumers.delivery import border
from consumers.delivery.delivery import Delivery
from consumers.delivery.lanes import Letter
from consumers.drain import Drain
from consumers.kafka.letters import Letters
from consumers.metrics import Counts

PARK_RECORDS_MAX = 2000  # Written and awaited together.


class LetterWriting:
    def __init__(
        self, destination: str, letters: Letters, delivery: Delivery, drain: Drain, counts: Counts
    ) -> None:
        self._destination = destination
        self._letters = letters
        self._delivery = delivery
        self._drain = drain
        self._counts = counts
        self._errors = BoundedLog()
        self._planned = asyncio.Event()  # Set when there may be records to park.

    async def write_dead_letter(self, letter: Letter) -> None:
        """Write one; call `Drain.letters_begin` before."""
        await self._letters.bury(letter, self._destination)
        if letter.reason == border.UNPROCESSABLE:
            record = letter.entry.record
            self._errors.error(
                "record cannot be processed, written to the dead letter topic",
                destination=self._destination,
                origin=f"{record.topic}/{record.partition}/{record.offset}",
                error=letter.detail.partition(":")[0],  # The rest may quote the payload.
            )
        self._delivery.dead_lettered(letter)
        self._counts.dead(letter.reason)
        self._drain.letters_ended(1)

    def planned(self) -> None:
        """The engine has planned: there may be records to park."""
        self._planned.set()

    async def park(self) -> None:
        """Write one group of records after another, in order, until cancelled."""
        while True:
            await self._planned.wait()
            self._planned.clear()
            while self._drain.is_open and (letters := [*self._next_parkings()]):
                self._drain.letters_begin(len(letters))
                await self._letters.park(letters, self._destination)
                self._delivery.parked(letters)
                self._counts.parked(len(letters))
                self._drain.letters_ended(len(letters))

    def _next_parkings(self) -> Iterator[Letter]:
        for _ in range(PARK_RECORDS_MAX):
            letter = self._delivery.next_parking()
            if letter is None:
                return
            yield letter
