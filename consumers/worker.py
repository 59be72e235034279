"""The async shell of one destination and topic: read, send, settle, park, commit, drain.

It decides nothing: the engine does. Every task only reports; the one loop looks at its own pace.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AsyncExitStack
from random import Random

import structlog

from consumers import metrics
from consumers.bounded_log import BoundedLog
from consumers.cancellation import is_cancelled, lasting
from consumers.delivery import border
from consumers.delivery.clocks import inherited
from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import (
    Destination,
    Reply,
    Request,
    Response,
    Unreachable,
    Unsendable,
    ambiguity,
)
from consumers.delivery.lanes import Batch, Letter
from consumers.delivery.pace import Wait
from consumers.http.client import Sender
from consumers.kafka.letters import Letters
from consumers.kafka.loader import Loader
from consumers.kafka.notes import Committed
from consumers.kafka.reader import Reader, can_park
from consumers.kafka.troubles import Lost
from consumers.progress import Progress
from schemas.configuration.config import Config
from schemas.records import TopicPartition

REVOKE_SECONDS = 30.0  # As long as a request may take; Kafka's group waits for it that long.
READ_RECORDS_MAX = 4000
PARK_RECORDS_MAX = 500  # Written and awaited together.
END_SECONDS = 10.0  # For each thing that a worker closes.
log = structlog.get_logger()


class Worker:
    def __init__(
        self,
        destination: Destination,
        config: Config,
        http: Sender,
        letters: Letters,
        wait: Wait | None,
        clock: Callable[[], float],
    ) -> None:
        self._destination = destination
        self._config = config
        self._http = http
        self._errors = BoundedLog()
        self._clock = clock
        self._letters = letters
        self._wait_asked = wait
        self._counts = metrics.Counts(destination.name, destination.kind)
        self._topic = config.kafka.topics.of(destination.kind)
        for topic in (self._topic, config.kafka.topics.parked):
            self._counts.lost(topic, 0)  # An alert compares with what was before.
        self._delivery = self._new_delivery(None)
        self._reader = self._new_reader(None)
        self._loader: Loader | None = None
        self._news = asyncio.Event()
        self._parkings = asyncio.Event()
        self._landed = asyncio.Event()  # Set by each landing; waited for when a drain begins.
        self._writing = 0  # Letters that Kafka has not acknowledged yet.
        self._stopping = False
        self._draining = False  # Nothing new is sent, parked or buried.
        self._paused: str | None = None
        self._progress = self._new_progress()

    @property
    def name(self) -> str:
        return f"{self._destination.name}/{self._destination.kind}"

    @property
    def paused(self) -> str | None:
        return self._delivery.paused

    @property
    def is_stuck(self) -> bool:
        """Whether there is something to do, nothing that it waits for, and yet no progress."""
        return self._progress.is_stuck(self._config.delivery.stuck_after_seconds)

    @property
    def is_reached(self) -> bool:
        """Whether Kafka answers us."""
        return self._progress.is_reached

    async def run(self) -> None:
        """Deliver until `stop`, then drain and commit."""
        async with AsyncExitStack() as stack:
            stack.callback(self._counts.ended)
            await self._prepare(stack)
            # Also when something failed: what is committed now is not sent again.
            stack.push_async_callback(self._ended, self._progress.hand_over)
            async with asyncio.TaskGroup() as tasks:
                others = [
                    tasks.create_task(lasting(work))
                    for work in (self._read, self._load, self._park, self._progress.tell_often)
                ]
                flights: set[asyncio.Task[None]] = set()
                await self._plan(tasks, flights)
                self._draining = True
                await self._drained(self._config.delivery.drain_timeout_seconds)
                for task in (*others, *flights):
                    task.cancel()  # What has not landed by now is sent again after the restart.

    async def _ended(self, end: Callable[[], Awaitable[None]]) -> None:
        """Whatever an ending does, the next one and a restart must not wait for it for ever."""
        try:
            async with asyncio.timeout(END_SECONDS):
                await end()
        except Exception as error:  # noqa: BLE001  See above.
            log.warning("worker did not end cleanly", worker=self.name, error=repr(error))

    def stop(self) -> None:
        self._stopping = True
        self._news.set()

    def _new_delivery(self, parked_topic: str | None) -> Delivery:
        return Delivery(
            self._destination,
            topic=self._topic,
            parked_topic=parked_topic,
            memory_max_bytes=self._config.delivery.max_memory_bytes,
            random=Random(),
            wait=self._wait_asked,
        )

    def _new_reader(self, parked_topic: str | None) -> Reader:
        kafka = self._config.kafka
        group_id = kafka.topics.group_id(self._destination.name, self._destination.kind)
        name = self._destination.name
        [start] = [one.start for one in self._config.destinations if one.name == name]
        return Reader(
            kafka,
            self._topic,
            parked_topic,
            group_id,
            self._assigned,
            self._revoked,
            start,
        )

    def _new_progress(self) -> Progress:
        failing = self._is_failing
        return Progress(self._delivery, self._reader, self._counts, self._clock, failing)

    def _is_failing(self) -> bool:
        return self._letters.is_failing

    async def _prepare(self, stack: AsyncExitStack) -> None:
        kafka = self._config.kafka
        if await can_park(kafka):
            parked = kafka.topics.parked
            self._delivery, self._reader = self._new_delivery(parked), self._new_reader(parked)
            self._progress = self._new_progress()
            self._loader = Loader(kafka, self._destination.name, self._topic)
            stack.push_async_callback(self._ended, self._loader.stop)
            await self._loader.start()
        else:
            log.warning("nothing can be parked: there is no such topic", topic=kafka.topics.parked)
        stack.push_async_callback(self._ended, self._reader.stop)
        await self._reader.start()

    async def _plan(self, tasks: asyncio.TaskGroup, flights: set[asyncio.Task[None]]) -> None:
        while not self._stopping:
            now = self._clock()
            while not self._draining and (letter := self._delivery.next_dead_letter()):
                self._writing += 1
                self._launch(tasks.create_task(self._bury(letter)), flights)
            while not self._draining and (batch := self._delivery.next_batch(now)):
                self._launch(tasks.create_task(self._send(batch)), flights)
            self._parkings.set()
            await self._wait(now)

    def _launch(self, task: asyncio.Task[None], flights: set[asyncio.Task[None]]) -> None:
        flights.add(task)
        task.add_done_callback(flights.discard)

    async def _drained(self, seconds: float) -> None:
        """Wait until every request is answered and every letter written, but not for ever."""
        try:
            async with asyncio.timeout(seconds):
                while self._delivery.in_flight > 0 or self._writing > 0:
                    self._landed.clear()
                    await self._landed.wait()
        except TimeoutError:
            log.warning(
                "what is still under way will be sent again",
                worker=self.name,
                requests=self._delivery.in_flight,
                letters=self._writing,
                waited_seconds=seconds,
            )

    async def _wait(self, now: float) -> None:
        wakes_at = self._delivery.wakes_at()
        seconds = 1.0 if wakes_at is None or self._draining else min(1.0, wakes_at - now)
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                pass
        else:
            await asyncio.sleep(0)  # The other tasks have their turn, whatever is due.
        self._news.clear()

    async def _read(self) -> None:
        while not self._stopping:
            full = self._delivery.full() if self._delivery.has_room else None
            read = await self._reader.read(full=full, records_max=READ_RECORDS_MAX)
            for lost in read.lost:
                self._lose(lost)
            for records in read.records:
                is_own = records[0].topic == self._topic
                take = self._delivery.accept if is_own else self._delivery.scan
                self._counts.skipped(take(records, self._clock()))
            for place, offset in read.reached.items():
                self._delivery.reached(place, offset)
            for place in read.cut:
                self._restart(place)
            self._news.set()

    def _restart(self, place: TopicPartition) -> None:
        self._counts.lost(place.topic, self._delivery.cut(place))
        if self._delivery.restart(place):
            self._reader.restarted(place)

    def _lose(self, lost: Lost) -> None:
        """One line for what is gone; it is counted, also where nobody waited for it."""
        place, records = lost.place, self._delivery.lose(lost.place, lost.first, lost.before)
        self._counts.lost(place.topic, records)
        say = log.error if records else log.warning
        say(
            "offsets can be read no more and are left out",
            worker=self.name,
            why=lost.why,
            topic=place.topic,
            partition=place.partition,
            first=lost.first,
            last=lost.before - 1,
            lost=records,
        )

    async def _load(self) -> None:
        """Read again what was parked and whose time has come."""
        loader = self._loader
        while loader is not None:
            place = self._delivery.wants(self._clock())
            if place is None:
                await asyncio.sleep(0.1)  # The plan wakes on its own; nobody tells of room.
                continue
            offset = self._delivery.wanted_from(place.partition)
            records, begins = await loader.read(place, offset, READ_RECORDS_MAX)
            if begins > offset:
                self._lose(Lost(place, offset, begins, "deleted"))
            self._counts.skipped(self._delivery.load(records, self._clock()))
            self._news.set()

    async def _park(self) -> None:
        while True:
            await self._parkings.wait()
            self._parkings.clear()
            while not self._draining and (letters := [*self._next_parkings()]):
                self._writing += len(letters)
                await self._letters.park(letters, self._destination.name)
                self._delivery.parked(letters)
                self._counts.parked(len(letters))
                self._writing -= len(letters)
                self._landed.set()

    def _next_parkings(self) -> Iterator[Letter]:
        for _ in range(PARK_RECORDS_MAX):
            letter = self._delivery.next_parking()
            if letter is None:
                return
            yield letter

    async def _send(self, batch: Batch) -> None:
        request = border.request(self._destination, batch.encoded)
        reply = request if isinstance(request, Unsendable) else await self._reply(request, batch)
        now = self._clock()
        verdict = self._delivery.settle(batch, reply, now)
        if reason := ambiguity(reply):
            self._counts.ambiguous(reason, batch.records)
        self._counts.delivered(batch, verdict, time.time())
        self._say_paused()
        self._landed.set()
        self._news.set()

    async def _reply(self, request: Request, batch: Batch) -> Reply:
        began = time.monotonic()
        try:
            reply = await self._http.send(request)
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled():
                raise
            reply = Unreachable("client_failed")
            self._errors.error(
                "HTTP client failed, request will be sent again",
                worker=self.name,
                error=border.words(error),
            )
        status = str(reply.status) if isinstance(reply, Response) else reply.reason
        self._counts.answered(request.path, status, time.monotonic() - began, batch.records)
        return reply

    async def _bury(self, letter: Letter) -> None:
        await self._letters.bury(letter, self._destination.name)
        if letter.reason == border.UNPROCESSABLE:
            record = letter.entry.record
            self._errors.error(
                "record cannot be processed, written to the dead-letter topic",
                destination=self._destination.name,
                origin=f"{record.topic}/{record.partition}/{record.offset}",
                error=letter.detail.partition(":")[0],  # Its words may hold the payload.
            )
        self._delivery.dead_lettered(letter)
        self._counts.dead(letter.reason)
        self._writing -= 1
        self._landed.set()

    def _say_paused(self) -> None:
        """One line when a destination stops taking records, one when it takes them again."""
        paused = self._delivery.paused
        if paused == self._paused:
            return
        self._counts.paused(paused)
        name = self._destination.name
        if paused is not None:
            log.error("destination paused", destination=name, reason=paused)
        else:
            log.info("destination resumed", destination=name)
        self._paused = paused

    def _assigned(self, committed: Mapping[TopicPartition, Committed]) -> None:
        for place, (offset, note) in committed.items():
            if note is None:
                self._delivery.assign(place, offset)
            else:
                held = inherited(note.held, note.at, self._clock())
                self._delivery.assign(place, offset, note.left, held)

    async def _revoked(self, places: Collection[TopicPartition]) -> None:
        """Commit all that was sent, then forget these: they are another consumer's.

        Nothing new goes out in between. What would is neither in the commit nor in its note, so the
        next owner would send it again.
        """
        self._draining = True
        try:
            if places:
                await self._drained(REVOKE_SECONDS)
            await self._progress.hand_over()
        finally:
            self._delivery.revoke(places)
            self._counts.given_away(places)
            self._draining = self._stopping
            self._news.set()
