"""Sends one batch to the destination, and tells the engine the reply."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from consumers.bounded_log import BoundedLog
from consumers.delivery import border
from consumers.delivery.batch import Batch
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
from consumers.http.client import Sender
from consumers.metrics import Counts
from schemas.cancellation import is_cancelled

log = structlog.get_logger()


class Sending:
    def __init__(
        self,
        worker: str,
        destination: Destination,
        http: Sender,
        delivery: Delivery,
        counts: Counts,
        clock: Callable[[], float],
        on_settled: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """`failed` is told an error that is none of a record or an answer."""
        self._worker = worker
        self._destination = destination
        self._http = http
        self._delivery = delivery
        self._counts = counts
        self._clock = clock
        self._on_settled = on_settled
        self._failed = failed
        self._is_over = False
        self._errors = BoundedLog()
        self._paused: str | None = None  # The reason that was last logged.

    def begin(self, batch: Batch) -> Coroutine[Any, Any, None] | None:
        """Send one batch at once; returns what is still to be done for it, if that takes a task.

        What comes of it: the engine is told the reply, and it is counted.
        """
        request = border.request(self._destination, batch.encoded)
        if isinstance(request, Unsendable):
            self._settle(batch, request, self._clock())
            return None

        def replied(reply: Reply) -> None:
            if not self._is_over:
                try:
                    self._answered(batch, request, reply)
                except Exception as error:  # noqa: BLE001  It ends the worker, as a task's would.
                    self._failed(error)

        try:
            has_begun = self._http.begin(request, replied)
        except Exception:  # noqa: BLE001  `send` fails for the same reason, and says so.
            has_begun = False
        return None if has_begun else self._send(batch, request)

    def end(self) -> None:
        """Replies that come from now on are ignored: the requests are sent again."""
        self._is_over = True

    async def _send(self, batch: Batch, request: Request) -> None:
        try:
            reply = await self._http.send(request)
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled():
                raise
            reply = Unreachable("client_failed")
            self._errors.error(
                "HTTP client failed, request will be sent again",
                worker=self._worker,
                error=border.words(error),
            )
        self._answered(batch, request, reply)

    def _answered(self, batch: Batch, request: Request, reply: Reply) -> None:
        now = self._clock()
        status = reply.status if isinstance(reply, Response) else reply.reason
        self._counts.answered(request.path, status, now - batch.sent_at, batch.records)
        self._settle(batch, reply, now)

    def _settle(self, batch: Batch, reply: Reply | Unsendable, now: float) -> None:
        verdict = self._delivery.settle(batch, reply, now)
        if verdict.is_all_delivered:
            self._counts.delivered(batch, time.time())
        elif reason := ambiguity(reply):
            self._counts.ambiguous(reason, batch.records)
        if self._delivery.paused != self._paused:
            self._say_paused()
        self._on_settled()

    def _say_paused(self) -> None:
        """Log one line when the destination is paused, and one when it is resumed."""
        paused = self._delivery.paused
        self._counts.paused(paused, time.time())
        name = self._destination.name
        if paused is not None:
            log.error("destination paused", destination=name, reason=paused)
        else:
            log.info("destination resumed", destination=name)
        self._paused = paused
