"""The hot path: a request in, its records stored, an answer out. A bare ASGI callable.

A small request is served by callbacks (`begin`): all that it waits for, as a rule, is Kafka. What
else has to be awaited goes on in a task, by the same steps. That saves a tenth of a request.
"""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from gateway.dialects.shapes import Answer, Batch, Endpoint, Opened, RefusedError
from gateway.edge.admission import Budget, Share
from gateway.edge.answers import (
    PIECE_BYTES,
    Send,
    answer_lines,
    answered_at_once,
    send_answer,
    send_preflight,
)
from gateway.edge.failures import failure_of
from gateway.edge.ingestion import Ingestion, Scope
from gateway.edge.metrics import Metrics
from gateway.edge.opening import Opening
from gateway.edge.reading import SMALL_BYTES, Reading
from gateway.edge.sources import NewRate, own_rate
from gateway.edge.storage import Storage, Store
from gateway.edge.suppression import Suppressed, without_suppressed
from gateway.edge.wrong_keys import WrongKeys
from gateway.http.bodies import (
    ClientGone,
    Receive,
    WholeRequest,
    at_once,
    read_body,
    taken_at_once,
    whole_request,
)
from gateway.http.cors import HttpHeaders
from gateway.http.headers import combined
from schemas.configuration.config import Config
from schemas.kafka.flushes import Write
from schemas.suppressions import NOBODY, Suppressions


class Ingest:
    """All ingest paths of the edge."""

    def __init__(
        self,
        config: Config,
        store: Store,
        new_rate: NewRate = own_rate,
        wrong_keys: WrongKeys | None = None,
        followed: Suppressions = NOBODY,
    ) -> None:
        self.budget = Budget(config.edge.max_inflight_bytes)
        self.metrics = Metrics(lambda: self.budget.used)
        self._storage = Storage(config.kafka.topics, store, self.metrics)
        self._opening = Opening(config, new_rate, wrong_keys or WrongKeys())
        self.reading = Reading()
        self._looks_again = config.edge.spool_dir is not None  # When records leave the spool.
        self.suppressed = Suppressed(frozenset(config.edge.suppressed_user_ids), followed)

    def apply(self, config: Config) -> None:
        """Use these sources and limits from the next request on."""
        self._opening.apply(config)
        listed = frozenset(config.edge.suppressed_user_ids)
        self.suppressed = replace(self.suppressed, listed=listed)
        self.budget.limit = config.edge.max_inflight_bytes

    async def __call__(
        self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send
    ) -> None:
        headers = combined(scope["headers"])
        if scope["method"] == "OPTIONS":
            await send_preflight(send, headers, self._opening.sources.origins, endpoint.methods)
            return
        one = Ingestion(endpoint, scope, headers, Share(self.budget))
        await self._serve(one, self._received(one, receive), send)

    def begin(self, endpoint: Endpoint, scope: Scope, whole: WholeRequest) -> bool:
        """Whether it is a small one that needs no task, or one for a part only; it is answered in
        a later step. What most wait for is Kafka alone, and a callback costs less than a task.
        """
        headers = combined(scope["headers"])
        text = at_once(whole, headers, self._opening.edge, SMALL_BYTES)
        if text is None or scope["method"] not in endpoint.methods:
            return False
        one = Ingestion(endpoint, scope, headers, Share(self.budget))
        loop = asyncio.get_running_loop()
        try:
            found = self._begun(one, whole, text)
        except Exception as error:  # noqa: BLE001  Each has its answer.
            found = self._failure(one, error)
        if isinstance(found, Answer):
            loop.call_soon(self._reply, one, whole, found)
        elif not isinstance(found, Write):
            whole.run(self._serve(one, found, whole.send))
        else:
            whole.tasks.add(found)
            ended = partial(self._ended, one, whole, found)
            if found.left:
                found.then = ended
            else:
                loop.call_soon(ended)
        return True

    def _begun(
        self, one: Ingestion, whole: WholeRequest, text: bytes | bytearray
    ) -> Write | Answer | Coroutine[Any, Any, Answer]:
        """The write of its records, or its answer, or what has to be awaited for an answer."""
        if (refusal := self._opening.seen_key(one)) is not None:
            return refusal
        limit = self._opening.edge.max_body_bytes
        body = one.request.body = taken_at_once(whole, text, limit, one.share)
        opened = self._opening.opened(one)
        if isinstance(opened, Answer):
            return opened
        if self.reading.takes_turns(opened, len(body)):
            return self._rest(one, opened)
        endpoint = one.endpoint
        self._judge(one, endpoint.read(opened, one.context), len(opened.values))
        if self.suppressed.concerns(one.batch, endpoint.kind):
            return self._stored(one)
        return self._storage.begin(endpoint, one.batch, one.sender) or self._stored(one)

    def _ended(self, one: Ingestion, whole: WholeRequest, write: Write) -> None:
        """Kafka has its records, or has failed, or the server waits no longer."""
        whole.tasks.discard(write)
        if write.error is not None:
            whole.run(self._serve(one, self._after(one, write), whole.send))
            return
        try:
            self._storage.count(one.endpoint, one.batch, one.sender)
            answer = self._success(one)
        except Exception as error:  # noqa: BLE001  As above.
            answer = self._failure(one, error)
        self._reply(one, whole, answer)

    def _reply(self, one: Ingestion, whole: WholeRequest, answer: Answer) -> None:
        lines = self._lines(one, answer)
        if answered_at_once(whole, answer, lines):
            one.share.give_back(one.share.size)
        else:
            whole.run(self._send(one, answer, lines, whole.send))

    async def _serve(self, one: Ingestion, rest: Coroutine[Any, Any, Answer], send: Send) -> None:
        """Await what is missing for the answer, and send it."""
        try:
            answer = await rest
        except ClientGone:
            one.share.give_back(one.share.size)
            return
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  Each has its answer.
            answer = self._failure(one, error)
        await self._send(one, answer, self._lines(one, answer), send)

    async def _send(self, one: Ingestion, answer: Answer, lines: HttpHeaders, send: Send) -> None:
        try:
            if len(answer.body) > PIECE_BYTES:
                one.share.charge(len(answer.body))  # Until the client has read most of it.
            whole = whole_request(one.scope)
            if whole is None or not answered_at_once(whole, answer, lines):
                await send_answer(send, answer, lines)
        finally:
            one.share.give_back(one.share.size)

    def _lines(self, one: Ingestion, answer: Answer) -> HttpHeaders:
        """The header lines of the answer, which is counted."""
        endpoint = one.endpoint
        self.metrics.request(
            endpoint.dialect, str(answer.status), time.perf_counter() - one.started
        )
        # Until the key is known, the origins of all sources are allowed.
        origins = one.sender.origins if one.is_known else self._opening.sources.origins
        origin = one.request.headers.get(b"origin")
        return answer_lines(answer, origin, origins, one.retry_after, endpoint.methods)

    def _failure(self, one: Ingestion, error: BaseException) -> Answer:
        """Every error is mapped to its answer here."""
        if isinstance(error, RefusedError):
            if error.records and one.is_known:
                name = one.sender.name
                self.metrics.records(name, one.endpoint.kind, "rejected", error.records)
            return error.answer
        return failure_of(error, one.endpoint)

    async def _received(self, one: Ingestion, receive: Receive) -> Answer:
        endpoint, request, scope = one.endpoint, one.request, one.scope
        if scope["method"] not in endpoint.methods:
            return endpoint.failure(405, f"{scope['method']} is not for this path")
        if (refusal := self._opening.seen_key(one)) is not None:
            return refusal
        edge, whole = self._opening.edge, whole_request(scope)
        request.body = await read_body(receive, request.headers, edge, one.share, whole)
        size = len(request.body)
        if size > SMALL_BYTES:
            await self.reading.turn(size)
        return await self._rest(one, self._opening.opened(one))

    async def _rest(self, one: Ingestion, opened: Opened | Answer) -> Answer:
        if isinstance(opened, Answer):
            return opened
        size = len(one.request.body)
        if self.reading.takes_turns(opened, size):
            batch = await self.reading.read(one.endpoint, opened, one.context, size)
        else:
            batch = one.endpoint.read(opened, one.context)
        self._judge(one, batch, len(opened.values))
        del opened  # The body is not needed any more.
        return await self._stored(one)

    def _judge(self, one: Ingestion, batch: Batch, count: int) -> None:
        """Take what was read of so many values, unless that refuses the request."""
        refusal = one.endpoint.refusal(batch)
        if refusal is not None:
            raise RefusedError(refusal, records=len({one.index for one in batch.rejected}))
        bucket = one.sender.bucket
        if bucket is not None:
            bucket.owe(max(0, len(batch.records) + len(batch.rejected) - count))
        one.batch = batch

    async def _stored(self, one: Ingestion) -> Answer:
        endpoint = one.endpoint
        if self.suppressed:
            if not (self.suppressed.followed.is_known or self._looks_again):
                return endpoint.failure(503, "not stored: suppressions are not read yet")
            turn = self.reading.turn
            one.batch = await without_suppressed(one.batch, self.suppressed, endpoint.kind, turn)
            indexes = [rejection.index for rejection in one.batch.rejected]
            if indexes and (silenced := endpoint.silenced(indexes)) is not None:
                raise RefusedError(silenced, records=len(indexes))
        await self._storage.store(endpoint, one.batch, one.context, one.sender)
        return self._success(one)

    async def _after(self, one: Ingestion, write: Write) -> Answer:
        stored = write.ended()
        await self._storage.end(one.endpoint, one.batch, one.context, one.sender, stored)
        return self._success(one)

    def _success(self, one: Ingestion) -> Answer:
        if one.reserved:
            one.share.give_back(one.reserved)  # Before the answer, which a slow client may delay.
        return one.endpoint.success(one.request, one.batch, one.context.now_ms)
