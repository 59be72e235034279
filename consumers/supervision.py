"""Restarts a worker that fails; the other workers keep running.

Each run has a new HTTP client, consumer and engine, so no state of a failed run is left. Records
that were in flight are sent again.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Protocol

import structlog

from consumers import metrics
from schemas.cancellation import is_cancelled

BACKOFF_LAST_SECONDS = 60.0
STEADY_SECONDS = 300.0  # After so long without a failure, the backoff starts again.
log = structlog.get_logger()


class Work(Protocol):
    """What is supervised."""

    @property
    def paused(self) -> str | None: ...

    @property
    def is_stuck(self) -> bool: ...

    @property
    def is_reached(self) -> bool: ...

    @property
    def missing(self) -> str | None: ...

    async def run(self) -> None: ...

    def stop(self) -> None: ...


def full_jitter(failures: int) -> float:
    """Seconds, doubling, with jitter, so that many workers do not restart at the same moment."""
    return Random().uniform(0.0, min(BACKOFF_LAST_SECONDS, 2.0 ** min(failures, 10)))


class Supervised:
    def __init__(
        self,
        name: str,
        destination: str,
        opened: Callable[[], AbstractAsyncContextManager[Work]],
        backoff: Callable[[int], float] = full_jitter,
    ) -> None:
        self.name = name
        self._opened = opened
        self._backoff = backoff
        self._restarts = metrics.RESTARTS.labels(destination)
        self._work: Work | None = None
        self._stopping = asyncio.Event()

    @property
    def is_running(self) -> bool:
        return self._work is not None

    @property
    def is_leaving(self) -> bool:
        """Whether it was told to stop: it drains, or has ended."""
        return self._stopping.is_set()

    @property
    def paused(self) -> str | None:
        return None if self._work is None else self._work.paused

    @property
    def is_stuck(self) -> bool:
        """Whether the worker is stuck; not during backoff: a restart would not help."""
        return self._work is not None and self._work.is_stuck

    @property
    def is_reached(self) -> bool:
        return self._work is not None and self._work.is_reached

    @property
    def missing(self) -> str | None:
        """The topic that it is to read, if that does not exist."""
        return None if self._work is None else self._work.missing

    def stop(self) -> None:
        """`run` ends once the worker has drained, or at once where none is running."""
        self._stopping.set()
        if self._work is not None:
            self._work.stop()

    async def run(self) -> None:
        """Run until `stop`, whatever the worker raises."""
        failures = 0
        while not self._stopping.is_set():
            began = asyncio.get_running_loop().time()
            error = await self._live()
            if error is None:
                return
            seconds = asyncio.get_running_loop().time() - began
            failures = 1 if seconds > STEADY_SECONDS else failures + 1
            seconds = self._backoff(failures)
            self._restarts.inc()
            log.error(
                "worker failed, starting again",
                worker=self.name,
                failures=failures,
                in_seconds=round(seconds, 1),
                exc_info=error,
            )
            try:
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()
            except TimeoutError:
                pass

    async def _live(self) -> BaseException | None:
        """One run of the worker; returns its error, `None` if it was told to stop."""
        try:
            async with self._opened() as self._work:
                await self._work.run()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if not is_cancelled():
                return error
            if not isinstance(error, asyncio.CancelledError):
                # Passed on, it would end the workers of all destinations.
                log.warning("worker did not close cleanly", worker=self.name, error=repr(error))
            raise asyncio.CancelledError from error
        finally:
            self._work = None
        return None if self._stopping.is_set() else RuntimeError("it ended without being told to")
