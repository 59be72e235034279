"""All pulls of this process: started with their partition, stopped before it is another's."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from functools import partial

import structlog

from gateway.pulls import metrics
from gateway.pulls.journal import Journal, Standing
from gateway.pulls.owned import opened
from gateway.pulls.previewing import Shown
from gateway.pulls.run import Run, Step, Store
from gateway.pulls.schedule import Schedule
from schemas.cancellation import is_cancelled, lasting
from schemas.configuration.config import Config
from schemas.vendors.pull import ConfiguredPull

CONNECT_SECONDS = 30.0  # Of a run that somebody waits for.
# A start asks the system again for what a run had: of a month's downloads it uses one.
RESTART_FIRST_SECONDS, RESTART_LAST_SECONDS = 1.0, 300.0
log = structlog.get_logger()


@dataclass(slots=True)
class Progress:
    """One run, so far; `trouble` is what ended it before its end."""

    pull: str
    pages: int = 0
    objects: int = 0
    records: int = 0
    seconds: float = 0.0
    trouble: str | None = None


class Pulls:
    def __init__(
        self,
        config: Config,
        only: Sequence[str],
        journal: Journal,
        store: Store,
        renewed: Callable[[str], ConfiguredPull],
    ) -> None:
        self.config = config
        self.only = only
        self._journal = journal
        self._store = store
        self._renewed = renewed
        self._given: tuple[frozenset[int], int] | None = None
        self._changing = asyncio.Lock()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.schedules: dict[str, Schedule] = {}
        self._show_periods()

    @property
    def _configured(self) -> list[ConfiguredPull]:
        return [one for one in self.config.pulls if not self.only or one.name in self.only]

    def owned(self, partitions: frozenset[int], count: int) -> dict[str, int]:
        """The pulls of these partitions, each with its own."""
        if not count:  # The topic has been deleted; it is asked for again.
            return {}
        places = {one.name: self._journal.partition(one.name, count) for one in self._configured}
        return {name: place for name, place in places.items() if place in partitions}

    async def reached(self) -> None:
        """Returns once Kafka was reached for the first time."""
        await self._journal.reached()

    async def everywhere(self) -> dict[str, int]:
        """All pulls, each with its partition, whoever runs it; `NotStored` where Kafka is away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                await self.reached()
        count = await self._journal.partitions()
        return self.owned(frozenset(range(count)), count)

    async def start(self, partitions: frozenset[int], count: int) -> None:
        async with self._changing:
            self._given = partitions, count
            self._begin(partitions, count)

    async def stop(self) -> None:
        """Returns when none of them writes any more."""
        async with self._changing:
            self._given = None
            await self._end()

    async def apply(self, configured: Sequence[ConfiguredPull]) -> None:
        """From now on these are configured; those of this process begin again if any changed."""
        async with self._changing:
            if configured == self.config.pulls:
                return
            await self._end()
            self.config = self.config.model_copy(update={"pulls": configured})
            metrics.forget()
            self._show_periods()
            if self._given is not None:
                self._begin(*self._given)

    def _show_periods(self) -> None:
        for one in self._configured:
            metrics.EVERY.labels(one.name).set(one.every)

    def _begin(self, partitions: frozenset[int], count: int) -> None:
        owned = self.owned(partitions, count)
        for name, partition in owned.items():
            self._tasks[name] = asyncio.create_task(self._keep(name, partition))
        log.info("pulls assigned", pulls=sorted(owned))

    async def _end(self) -> None:
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def once(self, name: str, partition: int, shown: Callable[[Progress], None]) -> Progress:
        """One whole run now."""
        progress = Progress(name)
        began = time.monotonic()

        def on_page(step: Step) -> None:
            progress.pages += 1
            progress.objects += step.objects
            progress.records += step.records
            progress.seconds = time.monotonic() - began
            shown(progress)

        async with self._opened(name, partition) as (run, standing):
            progress.trouble = await Schedule(name, 0.0, run, standing, on_page).once()
        return progress

    async def preview(self, name: str, partition: int, each: Callable[[bytes], None]) -> None:
        """Hand over the values that a run from its beginning would produce; nothing is stored."""
        store = Shown(self._store, self.config.kafka.topics, each)
        places = self.config, name, partition, self._journal.unwritten(), store
        async with opened(*places, self._renewed) as (run, standing):
            anew = standing.begun_anew(standing.run + 1, time.time())
            await Schedule(name, 0.0, run, anew).whole()

    def _opened(
        self, name: str, partition: int
    ) -> AbstractAsyncContextManager[tuple[Run, Standing]]:
        return opened(self.config, name, partition, self._journal, self._store, self._renewed)

    async def _follow(self, name: str, partition: int, every: float) -> None:
        async with self._opened(name, partition) as (run, standing):
            self.schedules[name] = Schedule(name, every, run, standing)
            await self.schedules[name].follow()

    async def _keep(self, name: str, partition: int) -> None:
        """Whatever it raises concerns this pull alone: it starts again from what Kafka has."""
        seconds = RESTART_FIRST_SECONDS
        every = next(one.every for one in self._configured if one.name == name)
        while not is_cancelled():
            try:
                await lasting(partial(self._follow, name, partition, every))
            except Exception as error:
                log.error(
                    "pull failed, starting again", pull=name, in_seconds=seconds, exc_info=error
                )
                metrics.RUNS.labels(name, "failed").inc()
            finally:
                self.schedules.pop(name, None)
            await asyncio.sleep(seconds)
            seconds = min(2 * seconds, RESTART_LAST_SECONDS)
