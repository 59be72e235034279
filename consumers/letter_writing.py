"""From the engine to Kafka: dead letters, and records that are parked."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from consumers.bounded_log import BoundedLog
from consumers.delivery import border
from consumers.delivery.delivery import Delivery
from consumers.delivery.lanes import Letter
from consumers.drain import Drain
from consumers.kafka.letters import Letters
from consumers.metrics import Counts

DEAD_LETTERS_MAX = 1000  # Written at once; each takes more memory than while it waits.
PARK_RECORDS_MAX = 2000  # Written and awaited together.


class LetterWriting:
    def __init__(
        self,
        destination: str,
        letters: Letters,
        delivery: Delivery,
        drain: Drain,
        counts: Counts,
        on_written: Callable[[], None],
    ) -> None:
        """`on_written` is told that there may be room for another dead letter."""
        self._destination = destination
        self._letters = letters
        self._delivery = delivery
        self._drain = drain
        self._counts = counts
        self._on_written = on_written
        self._errors = BoundedLog()
        self._planned = asyncio.Event()  # Set when there may be records to park.
        self._dead = 0  # Dead letters that are being written.
        self._busy: set[int] = set()  # Partitions to which parked records are being written.

    def begin(self) -> Coroutine[Any, Any, None] | None:
        """Take a dead letter from the engine; returns what writes it.

        None if there is none, or if as many as may be are being written.
        """
        if self._dead == DEAD_LETTERS_MAX or (letter := self._delivery.next_dead_letter()) is None:
            return None
        self._dead += 1
        self._drain.letters_begin(1)
        return self._write(letter)

    async def _write(self, letter: Letter) -> None:
        is_stored = await self._letters.dead_letter(letter, self._destination)
        self._delivery.dead_lettered(letter)
        if is_stored:
            self._counts.dead(letter.reason)
            self._say(letter)
        self._dead -= 1
        self._drain.letters_ended(1)
        self._on_written()

    def _say(self, letter: Letter) -> None:
        if letter.reason == border.UNPROCESSABLE:
            record = letter.entry.record
            self._errors.error(
                "record cannot be processed, written to the dead letter topic",
                destination=self._destination,
                origin=f"{record.topic}/{record.partition}/{record.offset}",
                error=letter.detail.partition(":")[0],  # The rest may quote the payload.
            )

    def planned(self) -> None:
        """The engine has planned: there may be records to park."""
        self._planned.set()

    async def park(self) -> None:
        """Write what is to be parked, until cancelled: of each partition one group after another,
        in order. So a partition that takes no writes delays no other.
        """
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._planned.wait()
                self._planned.clear()
                while self._drain.is_open and (found := self._next_parkings()):
                    for partition, letters in found.items():
                        self._busy.add(partition)
                        self._drain.letters_begin(len(letters))
                        tasks.create_task(self._park(partition, letters))

    async def _park(self, partition: int, letters: Sequence[Letter]) -> None:
        stored = await self._letters.park(letters, self._destination)
        self._delivery.parked(letters)
        self._counts.parked(stored)
        self._busy.discard(partition)
        self._drain.letters_ended(len(letters))
        self._planned.set()

    def _next_parkings(self) -> dict[int, list[Letter]]:
        found: dict[int, list[Letter]] = {}
        for _ in range(PARK_RECORDS_MAX):
            letter = self._delivery.next_parking(self._busy)
            if letter is None:
                break
            found.setdefault(letter.entry.record.partition, []).append(letter)
        return found
