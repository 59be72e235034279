"""The async shell of one destination and topic: read, send, settle, commit, drain.

It decides nothing: the engine does. Every task only reports; the one loop looks at its own pace.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Collection
from random import Random

import structlog

from consumers import metrics
from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Destination, Response
from consumers.delivery.lanes import Batch, DeadLetter
from consumers.delivery.outcomes import Delivered, Skip, Verdict
from consumers.http import Http
from consumers.kafka import DeadLetters, Reader
from schemas.config import Config
from schemas.records import TopicPartition

COMMIT_SECONDS = 1.0
REVOKE_SECONDS = 5.0  # What flies may land before a partition is given away.
READ_RECORDS_MAX = 4000
log = structlog.get_logger()


class Worker:
    def __init__(
        self, destination: Destination, config: Config, http: Http, letters: DeadLetters
    ) -> None:
        self._destination = destination
        self._http = http
        self._letters = letters
        self._drain_seconds = config.delivery.drain_timeout_seconds
        self._delivery = Delivery(
            destination, memory_max_bytes=config.delivery.max_memory_bytes, random=Random()
        )
        topics = config.kafka.topics
        self._reader = Reader(
            config.kafka,
            topics.of(destination.kind),
            topics.group_id(destination.name, destination.kind),
            self._revoked,
        )
        self._news = asyncio.Event()
        self._landed = asyncio.Event()  # Set by each landing; waited for when a drain begins.
        self._stopping = False
        self._draining = False
        self._paused: str | None = None

    @property
    def name(self) -> str:
        return f"{self._destination.name}/{self._destination.kind}"

    @property
    def paused(self) -> str | None:
        return self._delivery.paused

    async def run(self) -> None:
        """Deliver until `stop`, then drain and commit."""
        await self._reader.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                others = [tasks.create_task(self._read()), tasks.create_task(self._commit_often())]
                flights: set[asyncio.Task[None]] = set()
                await self._plan(tasks, flights)
                await self._drain(self._drain_seconds)
                for task in (*others, *flights):
                    task.cancel()  # What has not landed by now is sent again after the restart.
            await self._commit()
        finally:
            await self._reader.stop()

    def stop(self) -> None:
        self._stopping = True
        self._news.set()

    async def _plan(self, tasks: asyncio.TaskGroup, flights: set[asyncio.Task[None]]) -> None:
        while not self._stopping:
            now = time.time()
            while letter := self._delivery.next_dead_letter():
                self._launch(tasks.create_task(self._dead_letter(letter)), flights)
            while not self._draining and (batch := self._delivery.next_batch(now)):
                self._launch(tasks.create_task(self._send(batch)), flights)
            await self._wait(now)

    def _launch(self, task: asyncio.Task[None], flights: set[asyncio.Task[None]]) -> None:
        flights.add(task)
        task.add_done_callback(flights.discard)

    async def _drain(self, seconds: float) -> None:
        """Send nothing new, and wait until all that flies has landed, but not for ever."""
        self._draining = True
        try:
            async with asyncio.timeout(seconds):
                while self._delivery.in_flight > 0:
                    self._landed.clear()
                    await self._landed.wait()
        except TimeoutError:
            log.warning("some requests did not land in time", worker=self.name)
        finally:
            self._draining = False

    async def _wait(self, now: float) -> None:
        wakes_at = self._delivery.wakes_at()
        seconds = 1.0 if wakes_at is None or self._draining else min(1.0, wakes_at - now)
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                pass
        self._news.clear()

    async def _read(self) -> None:
        while not self._stopping:
            full = self._delivery.full() if self._delivery.has_room else None
            for records in await self._reader.read(full=full, records_max=READ_RECORDS_MAX):
                self._count_skipped(self._delivery.accept(records, time.time()))
            self._news.set()

    async def _send(self, batch: Batch) -> None:
        request = self._destination.request(batch.encoded)
        began = time.monotonic()
        reply = await self._http.send(request)
        status = str(reply.status) if isinstance(reply, Response) else reply.reason
        now = time.time()
        verdict = self._delivery.settle(batch, reply, now)
        name = self._destination.name
        metrics.REQUESTS.labels(name, request.path, status).inc()
        metrics.REQUEST_SECONDS.labels(name, request.path).observe(time.monotonic() - began)
        metrics.BATCH_RECORDS.labels(name).observe(len(batch.encoded))
        self._count_delivered(batch, verdict, now)
        self._say_paused()
        self._landed.set()
        self._news.set()

    async def _dead_letter(self, letter: DeadLetter) -> None:
        name = self._destination.name
        await self._letters.write(letter, name)
        self._delivery.dead_lettered(letter)
        metrics.DEAD_LETTERS.labels(name, letter.reason).inc()
        metrics.RECORDS.labels(name, self._destination.kind, "dead").inc()

    def _count_delivered(self, batch: Batch, verdict: Verdict, now: float) -> None:
        if not isinstance(verdict.rest, Delivered):
            return
        name = self._destination.name
        delivered = len(batch.encoded) - len(verdict.but)
        metrics.RECORDS.labels(name, self._destination.kind, "delivered").inc(delivered)
        oldest = min(entry.record.timestamp for _, part in batch.parts for entry in part)
        metrics.END_TO_END_SECONDS.labels(name).observe(max(0.0, now - oldest / 1000))

    def _count_skipped(self, skipped: Collection[Skip]) -> None:
        if not skipped:
            return
        name = self._destination.name
        metrics.RECORDS.labels(name, self._destination.kind, "skipped").inc(len(skipped))
        for reason, count in Counter(skip.reason for skip in skipped).items():
            metrics.SKIPPED.labels(name, reason).inc(count)

    def _say_paused(self) -> None:
        """One line when a destination stops taking records, one when it takes them again."""
        paused = self._delivery.paused
        if paused == self._paused:
            return
        name = self._destination.name
        if self._paused is not None:
            metrics.PAUSED.labels(name, self._paused).set(0)
        if paused is not None:
            metrics.PAUSED.labels(name, paused).set(1)
            log.error("destination paused", destination=name, reason=paused)
        else:
            log.info("destination resumed", destination=name)
        self._paused = paused

    async def _commit_often(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            await self._commit()
            self._measure()

    async def _commit(self) -> None:
        await self._reader.commit(self._delivery.committable())

    def _measure(self) -> None:
        name, kind = self._destination.name, self._destination.kind
        lag = self._reader.lag(self._delivery.committable())
        for place, records in lag.items():
            metrics.LAG.labels(name, place.topic, place.partition).set(records)
        held, unsettled = self._delivery.held(), self._delivery.unsettled()
        unread = max(0, sum(lag.values()) - unsettled)
        metrics.WAITING.labels(name, kind, "unread").set(unread)
        metrics.WAITING.labels(name, kind, "in_flight").set(unsettled - held)
        metrics.WAITING.labels(name, kind, "held").set(held)
        metrics.WAITING.labels(name, kind, "parked").set(0)
        metrics.CONCURRENCY_LIMIT.labels(name, kind).set(self._delivery.concurrency_limit)

    async def _revoked(self, places: Collection[TopicPartition]) -> None:
        """Let what flies land, commit it, and forget the rest: it is another consumer's."""
        if places:
            await self._drain(REVOKE_SECONDS)
        await self._commit()
        self._delivery.revoke(places)
        self._news.set()
