"""One pull that is ours: when it runs, and what follows when it cannot."""

import asyncio
import time
from collections.abc import Callable
from random import Random

import structlog
from msgspec.structs import replace

from gateway.pulls import metrics
from gateway.pulls.journal import Standing
from gateway.pulls.pull import (
    CursorLostError,
    RefusedError,
    UnavailableError,
    UnreadableError,
)
from gateway.pulls.run import Run, Step
from schemas.kafka.batches import NotStored

PROBE_FIRST_SECONDS = 30.0  # After a refusal; it doubles.
PROBE_LAST_SECONDS = 900.0
RETRY_FIRST_SECONDS = 5.0
RETRY_LAST_SECONDS = 300.0

log = structlog.get_logger()


def _unobserved(_step: Step) -> None:
    pass


def pause(standing: Standing, every_seconds: float, now: float) -> float:
    """Seconds until the next run begins.

    None before the first one and before one that goes on. A clock that is set back delays no run by
    more than its period.
    """
    if standing.finished is None:
        return 0.0
    return max(0.0, min(standing.began + every_seconds - now, every_seconds))


class Schedule:
    """When the next run begins: so long after the last one began, or at once after a longer one."""

    def __init__(
        self,
        name: str,
        every_seconds: float,
        run: Run,
        standing: Standing | None,
        on_page: Callable[[Step], None] = _unobserved,
    ) -> None:
        self.name = name
        self._every_seconds = every_seconds
        self._run = run
        self._standing = standing or Standing()
        self._on_page = on_page
        self._failures = 0
        self.paused: str | None = None
        if self._standing.finished is not None:
            metrics.LAST_SUCCESS.labels(name).set(self._standing.finished)

    async def follow(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(pause(self._standing, self._every_seconds, time.time()))
            trouble = await self.once()
            if trouble is not None:
                await asyncio.sleep(self._backoff())

    async def once(self) -> str | None:
        """One run, or the rest of one that was interrupted: what went wrong, None if nothing."""
        if self._standing.finished is not None or not self._standing.run:
            self._standing = self._standing.begun_anew(self._standing.run + 1, time.time())
        try:
            await self.whole()
        except CursorLostError as error:  # Twice in a run.
            return self._failed(str(error))
        except RefusedError as error:
            self._pause(str(error))
            return self._failed(str(error))
        except (UnavailableError, UnreadableError, NotStored) as error:
            if not self._failures:
                log.warning(
                    "pull failed, retrying from its last page", pull=self.name, error=str(error)
                )
            return self._failed(str(error))
        self._succeeded()
        return None

    async def whole(self) -> None:
        """The run as it stands, to its end; raises what ends it before."""
        try:
            await self._pages()
        except CursorLostError as error:
            log.warning(
                "cursor not known any more, starting over", pull=self.name, error=str(error)
            )
            metrics.RUNS.labels(self.name, "started_over").inc()
            at, start = self._standing.cursor, self._standing.start
            self._standing = replace(self._standing, cursor=None if at == start else start)
            await self._pages()

    async def _pages(self) -> None:
        seen: set[str | None] = set()
        while self._standing.finished is None:
            if self._standing.cursor in seen:
                raise CursorLostError("the cursors lead in a circle")
            seen.add(self._standing.cursor)
            step = await self._run.step(self._standing)
            self._standing = step.standing
            self._resume()
            self._on_page(step)
            if step.wait_seconds:
                await asyncio.sleep(step.wait_seconds)

    def _succeeded(self) -> None:
        if self._failures:
            log.info("pull succeeded again", pull=self.name, failures=self._failures)
        self._failures = 0
        metrics.RUNS.labels(self.name, "success").inc()
        metrics.LAST_SUCCESS.labels(self.name).set(time.time())

    def _failed(self, trouble: str) -> str:
        self._failures += 1
        metrics.RUNS.labels(self.name, "failed").inc()
        return trouble

    def _pause(self, reason: str) -> None:
        if self.paused != reason:
            log.error("pull refused, paused, trying again later", pull=self.name, reason=reason)
        self._resume()
        self.paused = reason
        metrics.PAUSED.labels(self.name, reason).set(1)

    def _resume(self) -> None:
        if self.paused is not None:
            metrics.PAUSED.labels(self.name, self.paused).set(0)
            self.paused = None

    def _backoff(self) -> float:
        first, last = (
            (PROBE_FIRST_SECONDS, PROBE_LAST_SECONDS)
            if self.paused
            else (RETRY_FIRST_SECONDS, RETRY_LAST_SECONDS)
        )
        longest = min(last, max(first, self._every_seconds))
        return Random().uniform(0.5, 1.0) * min(longest, first * 2.0 ** min(self._failures - 1, 10))
