"""Sends one batch to the destination, and tells the engine the reply."""

import asyncio
import time
from collections.abc import Callable

import structlog

from consumers.bounded_log import BoundedLog
from consumers.delivery import border
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
from consumers.delivery.lanes import Batch
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
    ) -> None:
        self._worker = worker
        self._destination = destination
        self._http = http
        self._delivery = delivery
        self._counts = counts
        self._clock = clock
        self._on_settled = on_settled
        self._errors = BoundedLog()
        self._paused: str | None = None  # The reason that was last logged.

    async def send(self, batch: Batch) -> None:
        """Send one batch, tell the engine the reply, and count."""
        request = border.request(self._destination, batch.encoded)
        reply = request if isinstance(request, Unsendable) else await self._reply(request, batch)
        verdict = self._delivery.settle(batch, reply, self._clock())
        if reason := ambiguity(reply):
            self._counts.ambiguous(reason, batch.records)
        self._counts.delivered(batch, verdict, time.time())
        self._say_paused()
        self._on_settled()

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
                worker=self._worker,
                error=border.words(error),
            )
        status = str(reply.status) if isinstance(reply, Response) else reply.reason
        self._counts.answered(request.path, status, time.monotonic() - began, batch.records)
        return reply

    def _say_paused(self) -> None:
        """Log one line when the destination is paused, and one when it is resumed."""
        paused = self._delivery.paused
        if paused == self._paused:
            return
        self._counts.paused(paused, time.time())
        name = self._destination.name
        if paused is not None:
            log.error("destination paused", destination=name, reason=paused)
        else:
            log.info("destination resumed", destination=name)
        self._paused = paused
