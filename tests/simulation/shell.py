"""The parts of the shell that run in a world as they are: supervision, and the writing of letters.

They are asyncio, and run on the clock of the world. A world has them if something fails in it that
they have to handle.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

from structlog.testing import capture_logs

from consumers.delivery.lanes import Letter
from consumers.kafka.letters import Letters
from consumers.supervision import Supervised
from schemas.configuration.config import Kafka
from schemas.kafka.batches import NotStored, TooLargeForKafka
from schemas.kafka.log import Log
from schemas.kafka.numbering import Numbering
from schemas.kafka.outage import Outage
from schemas.kafka.sizes import Sizes
from schemas.letters import TRUNCATED
from schemas.records import RawRecord
from tests.simulation.process import Process
from tests.simulation.subjects import NAME
from tests.simulation.virtual_time import VirtualLoop

AROUND_BYTES = 400  # What a topic takes at least, beside its values.


class Life:
    """A worker as its supervisor sees it."""

    paused = None
    is_stuck = False
    is_reached = True
    missing = None

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        await self.ended

    def stop(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class Workers:
    """All in one task group, as those of all destinations are; one is another destination's."""

    def __init__(self, loop: VirtualLoop, random: Random, join: Callable[[], Process]) -> None:
        self._loop = loop
        self._random = random
        self._join = join
        self._lives: dict[Process, tuple[Supervised, Life]] = {}
        self._running: dict[Supervised, asyncio.Task[None]] = {}
        self._other = Supervised("another", "another", self._other_life)
        self._other_lives = 0
        self._host = loop.create_task(self._hosted())
        self._over = asyncio.Event()
        loop.catch_up(loop.now)

    async def _hosted(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._other.run())
            await self._over.wait()

    @asynccontextmanager
    async def _other_life(self) -> AsyncIterator[Life]:
        self._other_lives += 1
        yield Life()

    def began(self, process: Process) -> None:
        """A process has started: its worker is supervised from now on."""
        first: list[Process] = [process]
        not_before = self._loop.now

        def backoff(failures: int) -> float:
            nonlocal not_before
            seconds = self._random.uniform(0.1, 1.0) * min(60.0, 2.0**failures)
            not_before = self._loop.now + seconds
            return seconds

        @asynccontextmanager
        async def opened() -> AsyncIterator[Life]:
            assert self._loop.now >= not_before - 0.001, "a worker started again at once"
            life = Life()
            here = first.pop() if first else self._join()
            self._lives[here] = supervised, life
            try:
                yield life
            finally:
                del self._lives[here]

        supervised = Supervised("simulated", NAME, opened, backoff)
        self._running[supervised] = self._loop.create_task(self._supervise(supervised))
        self._loop.happened()
        self._loop.catch_up(self._loop.now)

    async def _supervise(self, supervised: Supervised) -> None:
        await self._tasks.create_task(supervised.run())

    def ended(self, process: Process) -> None:
        """It was stopped, or its machine is gone: it is not started again."""
        supervised, _ = self._lives[process]
        supervised.stop()
        self._running.pop(supervised)
        self._loop.happened()

    def failed(self, process: Process, error: BaseException) -> None:
        _, life = self._lives[process]
        life.ended.set_exception(error)
        self._loop.happened()

    def check(self) -> None:
        assert not self._host.done(), f"the workers of all destinations ended: {self._host}"
        assert self._other_lives == 1, "another destination's worker was started again"
        ended = [task for task in self._running.values() if task.done()]
        assert not ended, "a worker that failed is not started again"


class Sequence:
    """How Kafka takes one producer's batches: within an epoch each number once, and in order."""

    def __init__(self) -> None:
        self._producer_id = 1
        self._numbering = Numbering()
        self._last = 0, 0, -1

    def write(self, failure: Exception | None) -> None:
        """One batch of one record; where it fails for good, its number is not used again."""
        numbers = self._producer_id, *self._numbering.take(self._producer_id, 1)
        producer_id, epoch, number = self._last
        is_new = numbers > (producer_id, epoch, number) and numbers[2] == 0
        if failure is None and not is_new and numbers != (producer_id, epoch, number + 1):
            failure = NotStored("OutOfOrderSequenceNumber")
        if failure is None:
            self._last = numbers
            return
        if not self._numbering.restart():
            self._producer_id += 1
        raise failure


class DeadLetterTopic(Log):
    """It does not take every record, nor at any time."""

    def __init__(self, random: Random, record_bytes_max: int, odds: float) -> None:
        self._random = random
        self._most = record_bytes_max
        self._odds = odds
        self.sizes = Sizes()
        self.outage = Outage("letters wait")
        self._sequence = Sequence()
        self.stored: dict[asyncio.Task[None] | None, RawRecord] = {}

    async def store(self, topic: str, record: RawRecord) -> None:
        await asyncio.sleep(self._random.choice([0.0, 0.0, 3.0]))
        key, value, headers = record
        size = sum(len(part or b"") for part in (key, value, *(one for _, one in headers)))
        failure: Exception | None = None
        is_cut = any(name == TRUNCATED for name, _ in headers)
        if size > self._most:
            failure = TooLargeForKafka(topic, size)
        elif self._random.random() < self._odds:
            failure = NotStored("no leader")
        elif value is not None and len(value) % 3 == 0 and not is_cut and self._odds:
            failure = ValueError("aiokafka does not take it in this form")
        self._sequence.write(failure)
        self.stored[asyncio.current_task()] = RawRecord(key, value, headers)


class DeadLetters:
    """Written by the product's own `Letters`."""

    def __init__(self, loop: VirtualLoop, random: Random) -> None:
        self._loop = loop
        most = random.choice([AROUND_BYTES, 1_000, 100_000])
        self._topic = DeadLetterTopic(random, most, random.choice([0.0, 0.1, 0.3]))
        self._letters = Letters(Kafka(bootstrap_servers="none:1"), self._topic, random)
        self._tasks: list[asyncio.Task[None]] = []

    def write(self, letter: Letter, on_ended: Callable[[RawRecord | None], None]) -> None:
        """None: it was left to the next owner of its partition."""
        task = self._loop.create_task(self._written(letter, on_ended))
        self._tasks.append(task)
        self._loop.happened()

    def check(self) -> None:
        """Raise what the world has against a letter that was written."""
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.remove(task)
            task.result()

    async def _written(self, letter: Letter, on_ended: Callable[[RawRecord | None], None]) -> None:
        is_stored = await self._letters.dead_letter(letter, NAME)
        on_ended(self._topic.stored.pop(asyncio.current_task()) if is_stored else None)


class Shell:
    def __init__(self, random: Random, born: float, join: Callable[[], Process]) -> None:
        self._born = born  # asyncio does not compare times as large as the world's exactly.
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(lambda *_: None)  # Whatever fails, `check` tells.
        self.workers = Workers(self.loop, random, join)
        self.dead_letters = DeadLetters(self.loop, random)

    def catch_up(self, now: float) -> None:
        with capture_logs():
            self.loop.catch_up(now - self._born)
        self.workers.check()
        self.dead_letters.check()

    @property
    def due_at(self) -> float | None:
        return None if self.loop.due_at is None else self._born + self.loop.due_at

    def close(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        with capture_logs():
            self.loop.happened()
            self.loop.catch_up(self.loop.now)
        self.loop.close()
