"""The replays that were started on the pages: one at a time, in the background."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import structlog

from ampgate.console.access import Session
from ampgate.errors import CommandError
from ampgate.resend.parking import Outgoing, named
from ampgate.resend.writer import Writer, writer
from schemas.configuration.config import Config, ConfigError

KEPT_MAX = 50
REFUSED_MAX = 20  # Of so many records the reason is kept.
log = structlog.get_logger()
Work = Callable[[Writer], Awaitable[None]]


class BusyError(Exception):
    """Another replay is under way."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a confirmed form asks for: `rate` records a second at most, none is no limit."""

    at: str
    what: str
    total: int
    again: str
    rate: float | None


@dataclass(slots=True)
class Started:
    """One replay; `at` names it, as in its records. The times are seconds since 1970."""

    at: str
    what: str
    total: int
    by: str
    began: float
    again: str  # Where the rest is planned.
    written: int = 0
    refused: list[str] = field(default_factory=list)
    refused_count: int = 0
    ended: float | None = None
    trouble: str = ""

    @property
    def state(self) -> Literal["running", "failed", "done"]:
        if self.ended is None:
            return "running"
        return "failed" if self.trouble or self.refused_count else "done"


class Runs:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._runs: dict[str, Started] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def all(self) -> Mapping[str, Started]:
        """By name, the newest first."""
        return dict(sorted(self._runs.items(), reverse=True))

    def start(
        self, asked: Asked, session: Session, work: Work, *, is_resumed: bool = False
    ) -> None:
        """Begin one; a name that has begun before is the same form, sent twice, or is resumed."""
        before = self._runs.get(asked.at)
        if before is not None and not (is_resumed and before.state == "failed"):
            return
        if self._task is not None and not self._task.done():
            raise BusyError("Another replay is under way. Start this one when it has ended.")
        by = f"{session.role} {session.name}"
        run = Started(asked.at, asked.what, asked.total, by, time.time(), asked.again)
        self._runs[asked.at] = run
        for old in list(self._runs)[:-KEPT_MAX]:
            del self._runs[old]
        self._task = asyncio.create_task(self._run(run, work, asked.rate))

    async def stop(self) -> None:
        """What is written stays written; the rest is not sent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, run: Started, work: Work, rate: float | None) -> None:
        def written(count: int) -> None:
            run.written += count

        def refused(record: Outgoing, why: str) -> None:
            run.refused_count += 1
            if len(run.refused) < REFUSED_MAX:
                run.refused.append(f"{named(record)}: {why}")

        try:
            async with writer(
                self._config.kafka, rate=rate, on_written=written, on_refused=refused
            ) as writing:
                await work(writing)
        except (CommandError, ConfigError) as error:
            run.trouble = str(error)
        except asyncio.CancelledError:
            run.trouble = "the console was stopped"
            raise
        except Exception as error:
            run.trouble = f"a failure of ours: {type(error).__name__}"
            log.error("replay failed", run=run.at, exc_info=error)
        finally:
            run.ended = time.time()
            log.info("replay ended", run=run.at, written=run.written, refused=run.refused_count)
