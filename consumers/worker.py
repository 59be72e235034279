"""One destination and topic: open, run, drain, commit, close, in this order."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import structlog

from consumers.delivery.destination import Destination
from consumers.delivery.pace import Wait
from consumers.http.client import Sender
from consumers.kafka.letters import Letters
from consumers.kafka.membership import topics_for
from consumers.metrics import Counts
from consumers.pipeline import Pipeline
from schemas.cancellation import is_cancelled
from schemas.configuration.config import Config
from schemas.suppressions import NOBODY, Suppressions

END_SECONDS = 10.0  # For each client that a worker closes.
log = structlog.get_logger()


class Worker:
    """The pipeline is built once it is known whether records can be parked."""

    def __init__(
        self,
        destination: Destination,
        config: Config,
        http: Sender,
        letters: Letters,
        wait: Wait | None,
        clock: Callable[[], float],
        suppressed: Suppressions = NOBODY,
    ) -> None:
        self._destination = destination
        self._config = config
        self._http = http
        self._letters = letters
        self._wait = wait
        self._clock = clock
        self._suppressed = suppressed
        self._counts = Counts(destination.name, destination.kind)
        topics = config.kafka.topics
        for topic in (topics.of(destination.kind), topics.parked):
            self._counts.lost(topic, 0)  # An alert compares with this value.
        self._is_stopping = False
        self._pipeline: Pipeline | None = None
        self._starting: asyncio.Task[Pipeline] | None = None

    @property
    def name(self) -> str:
        return f"{self._destination.name}/{self._destination.kind}"

    @property
    def paused(self) -> str | None:
        """Why only probes are sent to the destination; None while it is not paused."""
        return None if self._pipeline is None else self._pipeline.delivery.paused

    @property
    def is_stuck(self) -> bool:
        """Whether a partition is stuck (liveness.py)."""
        seconds = self._config.delivery.stuck_after_seconds
        return self._pipeline is not None and self._pipeline.progress.is_stuck(seconds)

    @property
    def is_reached(self) -> bool:
        """Whether Kafka answers us."""
        return self._pipeline is not None and self._pipeline.progress.is_reached

    @property
    def missing(self) -> str | None:
        """The topic, if it does not exist; then nothing is read."""
        is_missing = self._pipeline is not None and self._pipeline.presence.is_missing
        return self._config.kafka.topics.of(self._destination.kind) if is_missing else None

    async def run(self) -> None:
        """Deliver until `stop`, then drain and commit; begin anew once records can be parked."""
        is_over = False
        while not is_over:
            async with AsyncExitStack() as stack:
                stack.callback(self._counts.ended)
                is_over = not await self._delivers(stack)

    async def _delivers(self, stack: AsyncExitStack) -> bool:
        """Whether it ends since there is a parked topic now: then it is to begin anew."""
        if self._is_stopping:
            return False
        self._starting = asyncio.create_task(self._started(stack))
        try:
            pipeline = await self._starting
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            return False  # By `stop`: nothing was read yet, so nothing is to be drained.
        await pipeline.run()
        return pipeline.can_park_now

    def stop(self) -> None:
        self._is_stopping = True
        if self._starting is not None:
            self._starting.cancel()  # A join may take as long as the other members do.
        if self._pipeline is not None:
            self._pipeline.stop()

    async def _started(self, stack: AsyncExitStack) -> Pipeline:
        pipeline = self._pipeline = await self._built()
        if pipeline.loader is not None:
            stack.push_async_callback(self._ended, pipeline.loader.stop)
            await pipeline.loader.start()
        stack.push_async_callback(self._ended, pipeline.reader.stop)
        await pipeline.reader.start()
        # Also after a failure: what is committed now is not sent again.
        stack.push_async_callback(self._ended, pipeline.progress.hand_over)
        return pipeline

    async def _built(self) -> Pipeline:
        kafka = self._config.kafka
        is_there, can_park = await topics_for(kafka, kafka.topics.of(self._destination.kind))
        if not can_park:
            log.warning("topic does not exist, nothing is parked", topic=kafka.topics.parked)
        pipeline = Pipeline(
            self.name,
            self._destination,
            self._config,
            self._http,
            self._letters,
            self._wait,
            self._clock,
            self._counts,
            kafka.topics.parked if can_park else None,
            self._suppressed,
        )
        pipeline.presence.found(is_there=is_there)
        return pipeline

    async def _ended(self, end: Callable[[], Awaitable[None]]) -> None:
        """Close one; a failure or a timeout does not keep the next ones from closing."""
        try:
            async with asyncio.timeout(END_SECONDS):
                await end()
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled():
                raise  # Else aiokafka passes on that it has cancelled a fetch of its own.
            log.warning("worker did not close cleanly", worker=self.name, error=repr(error))
