"""One engine between Kafka and one destination: read, plan, send, settle, park, commit.

    reader, loader -> engine -> sender        -> engine -> commit
                             -> dead letters  ->
                             -> parked topic  ->

The engine decides. Each task only tells it what happened; one loop asks it what to send.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from random import Random
from typing import Any

import structlog

from consumers.delivery.clocks import inherited
from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Destination
from consumers.delivery.pace import Wait
from consumers.drain import Drain
from consumers.http.client import Sender
from consumers.kafka.letters import Letters
from consumers.kafka.loader import Loader
from consumers.kafka.membership import until_seen
from consumers.kafka.moved import Elsewhere
from consumers.kafka.notes import Committed
from consumers.kafka.presence import Presence
from consumers.kafka.reader import Reader
from consumers.letter_writing import LetterWriting
from consumers.metrics import Counts
from consumers.progress import Progress
from consumers.reading import Reading
from consumers.sending import Sending
from schemas.cancellation import lasting
from schemas.configuration.config import Config
from schemas.letters_among import may_have_letters
from schemas.records import TopicPartition
from schemas.suppressions import Suppressions

log = structlog.get_logger()
REVOKE_SECONDS = 30.0  # The longest time of a request; a rebalance waits for it that long.
PLAN_SECONDS = 1.0  # The engine is asked at least this often.


class Pipeline:
    """All of it is built here, once; `reader` and `loader` are started and stopped by the worker.

    `parked_topic` is None where that topic does not exist: then nothing is parked, and the run ends
    once it does.
    """

    can_park_now = False  # Though it could not when this was built.

    def __init__(
        self,
        name: str,
        destination: Destination,
        config: Config,
        http: Sender,
        letters: Letters,
        wait: Wait | None,
        clock: Callable[[], float],
        counts: Counts,
        parked_topic: str | None,
        suppressed: Suppressions,
    ) -> None:
        kafka, part = config.kafka, destination.name
        topic = kafka.topics.of(destination.kind)
        self._kafka, self._clock, self._counts = kafka, clock, counts
        self._drain_seconds = config.delivery.drain_timeout_seconds
        self._news = asyncio.Event()  # Set when the engine may have more to send.
        self._requests: set[asyncio.Task[None]] = set()  # And dead letters, in flight.
        self._failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        delivery = self.delivery = Delivery(
            destination,
            topic=topic,
            parked_topic=parked_topic,
            memory_max_bytes=config.delivery.max_memory_bytes,
            random=Random(),
            wait=wait,
            suppressed=suppressed,
        )
        self._drain = Drain(name, lambda: delivery.in_flight)
        self.reader = Reader(
            kafka,
            topic,
            parked_topic,
            kafka.topics.group_id(part, destination.kind),
            self._assigned,
            self._revoked,
            next(one.start for one in config.destinations if one.name == part),
            may_have_letters(part, topic),
        )
        self.loader = None if parked_topic is None else Loader(kafka, part, topic)
        notes, numbers = self.reader.notes, self.reader.numbers
        self.presence = Presence(topic, numbers)
        self._elsewhere = Elsewhere(kafka, part, topic, notes, numbers, delivery.moved)
        self._reading = Reading(name, topic, delivery, self._drain, counts, clock, self._news.set)
        self._sending = Sending(
            name, destination, http, delivery, counts, clock, self._request_ended, self._fail
        )
        self._writing = LetterWriting(part, letters, delivery, self._drain, counts, self._news.set)
        self.progress = Progress(delivery, self.reader, counts, clock, lambda: letters.is_failing)

    async def run(self) -> None:
        """Deliver until `stop`, then drain; committing is left to `progress.hand_over`."""
        async with asyncio.TaskGroup() as tasks:
            works = [
                lambda: self._reading.read(self.reader),
                self._writing.park,
                self.progress.tell_often,
                self._elsewhere.look_often,
                self.presence.look_often,
            ]
            if (loader := self.loader) is not None:
                works.append(lambda: self._reading.load(loader))
            else:
                works.append(self._until_it_can_park)
            others = [tasks.create_task(lasting(work)) for work in works]
            others.append(tasks.create_task(self._failure()))
            try:
                await self._plan(tasks)
                await self._drain.drained(self._drain_seconds)
            finally:
                self._sending.end()
            for task in (*others, *self._requests):
                task.cancel()  # Requests without a reply by now are sent again after the restart.

    async def _until_it_can_park(self) -> None:
        topic = self._kafka.topics.parked
        await until_seen(self._kafka, topic)
        log.info("topic exists, starting again to park records", topic=topic)
        self.can_park_now = True
        self.stop()

    def stop(self) -> None:
        self._drain.stop()
        self._news.set()

    async def _plan(self, tasks: asyncio.TaskGroup) -> None:
        """Start every request and dead letter that the engine gives, until `stop`."""
        while not self._drain.is_stopping:
            now = self._clock()
            if self._drain.is_open:
                self._plan_turn(tasks, now)
            self._counts.skipped(self.delivery.dropped())
            self._writing.planned()
            await self._until_news(now)

    def _plan_turn(self, tasks: asyncio.TaskGroup, now: float) -> None:
        while (writing := self._writing.begin()) is not None:
            self._start(tasks, writing)
        next_batch, begin = self.delivery.next_batch, self._sending.begin
        while (batch := next_batch(now)) is not None:
            if (work := begin(batch)) is not None:
                self._start(tasks, work)

    def _start(self, tasks: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> None:
        task = tasks.create_task(work)
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    async def _until_news(self, now: float) -> None:
        wakes_at = self.delivery.wakes_at() if self._drain.is_open else None
        seconds = PLAN_SECONDS if wakes_at is None else min(PLAN_SECONDS, wakes_at - now)
        if seconds > 0:
            # `asyncio.timeout` costs three times as much, and with one event a request it is felt.
            timer = asyncio.get_running_loop().call_later(seconds, self._news.set)
            await self._news.wait()
            timer.cancel()
        else:
            await asyncio.sleep(0)  # Let the other tasks run, even if more is due.
        self._news.clear()

    async def _failure(self) -> None:
        """Raises what a reply's callback failed with, so that the worker ends and starts again."""
        raise await self._failed

    def _fail(self, error: Exception) -> None:
        if not self._failed.done():
            self._failed.set_result(error)

    def _request_ended(self) -> None:
        self._drain.request_ended()
        self._news.set()

    def _assigned(self, committed: Mapping[TopicPartition, Committed]) -> None:
        for place, (offset, note) in committed.items():
            if note is None:
                self.delivery.assign(place, offset)
            else:
                held = inherited(note.held, note.at, self._clock())
                has_moved = self.reader.settling_in.has_moved(place)
                self.delivery.assign(place, offset, note.left, held, note.after, has_moved)

    async def _revoked(self, places: Collection[TopicPartition]) -> None:
        """Drain, commit, then forget these partitions: another consumer has them now.

        Nothing new is sent before they are forgotten: it would be neither in the commit nor in its
        note, so the next owner would send it again.
        """
        try:
            with self._drain.closed():
                try:
                    if places:
                        await self._drain.drained(REVOKE_SECONDS)
                    await self.progress.hand_over()
                finally:
                    self.delivery.revoke(places)
                    self._counts.given_away(places)
        finally:
            self._news.set()
