"""The hot path: a request in, its records stored, an answer out. A bare ASGI callable."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog

from gateway.dialects import nesting
from gateway.dialects.shapes import (
    RECORD_BYTES,
    Answer,
    Context,
    Endpoint,
    RefusedError,
    Request,
)
from gateway.edge.admission import NO_ROOM, Budget, OutOfRoomError, Share
from gateway.edge.answers import PIECE_BYTES, Send, send_answer, send_preflight
from gateway.edge.limits import limit_growth, over_limit
from gateway.edge.metrics import Metrics
from gateway.edge.reading import SMALL_BYTES, Reading
from gateway.edge.sources import NewRate, Sender, Sources, own_rate
from gateway.edge.storage import Storage, Store
from gateway.edge.suppression import Suppressed, without_suppressed
from gateway.edge.wrong_keys import WrongKeys
from gateway.http.addresses import remote_ip
from gateway.http.bodies import (
    BodyError,
    ClientGone,
    Receive,
    read_body,
    taken_at_once,
    whole_request,
)
from gateway.http.headers import combined
from schemas.configuration.config import Config
from schemas.kafka.batches import NotStored, TooLargeForKafka
from schemas.records import Headers
from schemas.suppressions import NOBODY, Suppressions

Scope = Mapping[str, Any]

FEW_RECORDS = 20  # They take less memory than a connection itself.
TRACEPARENT_BYTES_MAX = 128  # W3C's has 55 bytes; every record of a request carries it.

log = structlog.get_logger()


class Outcome:
    """The facts of a request that are known when it is answered."""

    __slots__ = ("answer", "retry_after", "sender")

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.sender: Sender | None = None
        self.retry_after = 0.0


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
        self._new_rate = new_rate
        self._sources = Sources(config, None, new_rate)
        self._wrong_keys = wrong_keys or WrongKeys()
        self._reading = Reading()
        self._edge = config.edge
        self._suppressed = Suppressed(frozenset(config.edge.suppressed_user_ids), followed)

    def apply(self, config: Config) -> None:
        """Use these sources and limits from the next request on."""
        self._sources = Sources(config, self._sources, self._new_rate)
        self._edge = config.edge
        listed = frozenset(config.edge.suppressed_user_ids)
        self._suppressed = replace(self._suppressed, listed=listed)
        self.budget.limit = config.edge.max_inflight_bytes

    async def __call__(
        self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send
    ) -> None:
        started = time.perf_counter()
        headers = combined(scope["headers"])
        if scope["method"] == "OPTIONS":
            await send_preflight(send, headers, self._sources.origins, endpoint.methods)
            return
        outcome = Outcome()
        share = self.budget.share()
        try:
            if scope["method"] in endpoint.methods:
                answer = await self._answer(endpoint, scope, headers, receive, share, outcome)
            else:
                answer = endpoint.failure(405, f"{scope['method']} is not for this path")
            self.metrics.request(
                endpoint.dialect, str(answer.status), time.perf_counter() - started
            )
            # Until the key is known, the origins of all sources are allowed.
            sender = outcome.sender
            origins = self._sources.origins if sender is None else sender.origins
            origin = headers.get(b"origin")
            whole = whole_request(scope)
            methods = endpoint.methods
            if len(answer.body) > PIECE_BYTES:
                share.charge(len(answer.body))  # Until the client has read most of it.
            await send_answer(send, answer, origin, origins, outcome.retry_after, methods, whole)
        except ClientGone:
            return
        finally:
            share.give_back(share.size)

    async def _answer(
        self,
        endpoint: Endpoint,
        scope: Scope,
        headers: Mapping[bytes, bytes],
        receive: Receive,
        share: Share,
        outcome: Outcome,
    ) -> Answer:
        """The answer to a request; every error is mapped to its answer here."""
        try:
            request = Request(scope["path"], scope["query_string"], headers)
            key = endpoint.seen_key(request)
            if key is not None:
                outcome.sender = self._sources.find(key, endpoint.dialect)
                if outcome.sender is None:  # Checked before the body is decompressed.
                    return self._unknown_key(endpoint, key, scope, outcome)
            edge, whole = self._edge, whole_request(scope)
            body = None
            if whole is not None:
                body = taken_at_once(whole, headers, edge.max_body_bytes, share)
            if body is None:
                body = await read_body(receive, headers, edge, share, whole)
            request.body = body
            return await self._take(endpoint, request, scope, share, outcome)
        except RefusedError as refused:
            if refused.records and (sender := outcome.sender) is not None:
                self.metrics.records(sender.name, endpoint.kind, "rejected", refused.records)
            return refused.answer
        except (BodyError, OutOfRoomError) as error:
            return endpoint.failure(error.status, error.message)
        except RecursionError:
            return endpoint.failure(400, "malformed JSON: the nesting is far too deep")
        except TooLargeForKafka:
            return endpoint.failure(413, "a record is larger than its topic takes")
        except NotStored:  # Logged once, when it begins (`schemas/kafka/outage.py`).
            return endpoint.failure(503, "not stored: Kafka is not available, retry later")
        except asyncio.CancelledError:
            # Only a shutdown cancels it; clients still connected get an answer.
            return endpoint.failure(503, "not stored: this edge stops, retry later")
        except ClientGone:
            raise
        except Exception:
            # The path may hold a write key.
            log.exception("request failed unexpectedly, answered 503", dialect=endpoint.dialect)
            return endpoint.failure(503, "not stored: retry later")

    async def _take(
        self,
        endpoint: Endpoint,
        request: Request,
        scope: Scope,
        share: Share,
        outcome: Outcome,
    ) -> Answer:
        sender = outcome.sender
        if sender is None:
            key = nesting.sent_key(endpoint, request)
            sender = outcome.sender = self._sources.find(key, endpoint.dialect)
            if sender is None:
                return self._unknown_key(endpoint, key, scope, outcome)
        size = len(request.body)
        if size > SMALL_BYTES:
            await self._reading.turn(size)
        opened = nesting.opened(endpoint, request)
        count = len(opened.values)
        if (refusal := over_limit(endpoint, sender, share, count, size)) is not None:
            return refusal
        if sender.bucket is not None:
            outcome.retry_after = sender.bucket.take(count, time.monotonic())
            if outcome.retry_after:
                return endpoint.throttled(count, sender.bucket.rate)
        reserved = count * RECORD_BYTES if count > FEW_RECORDS else 0
        if reserved and not share.take(reserved):
            return endpoint.failure(503, NO_ROOM)
        context = self._context(sender, request, scope, share, count)
        if self._reading.takes_turns(opened, size):
            batch = await self._reading.read(endpoint, opened, context, size)
        else:
            batch = endpoint.read(opened, context)
        del opened  # The body is not needed any more.
        refusal = endpoint.refusal(batch)
        if refusal is not None:
            raise RefusedError(refusal, records=len({one.index for one in batch.rejected}))
        if sender.bucket is not None:
            sender.bucket.owe(max(0, len(batch.records) + len(batch.rejected) - count))
        if self._suppressed:
            if not self._suppressed.followed.is_known:
                return endpoint.failure(503, "not stored: suppressions are not read yet")
            turn = self._reading.turn
            batch = await without_suppressed(batch, self._suppressed, endpoint.kind, turn)
            indexes = [rejection.index for rejection in batch.rejected]
            if indexes and (silenced := endpoint.silenced(indexes)) is not None:
                raise RefusedError(silenced, records=len(indexes))
        await self._storage.store(endpoint, batch, context, sender)
        share.give_back(reserved)  # Before the answer, which a slow client may delay.
        return endpoint.success(request, batch, context.now_ms)

    def _unknown_key(self, endpoint: Endpoint, key: str, scope: Scope, outcome: Outcome) -> Answer:
        ip = remote_ip(scope["client"], scope["headers"], self._edge.trusted_proxies)
        outcome.retry_after = self._wrong_keys.retry_after(ip, time.monotonic())
        if outcome.retry_after:
            return endpoint.failure(429, "too many wrong keys from this address")
        return endpoint.unknown_key(key)

    def _context(
        self, sender: Sender, request: Request, scope: Scope, share: Share, count: int
    ) -> Context:
        limit_growth(share, sender, self._edge, count, len(request.body))
        record_headers: Headers = [sender.header]
        traceparent = request.headers.get(b"traceparent")
        if traceparent is not None and len(traceparent) <= TRACEPARENT_BYTES_MAX:
            record_headers = [sender.header, ("traceparent", traceparent)]
        ip = remote_ip(scope["client"], scope["headers"], self._edge.trusted_proxies)
        return Context(
            record_headers,
            time.time_ns() // 1_000_000,
            None if ip is None else sender.shown_ip(ip),
            sender.shown_ip,
            sender.ip_policy == "keep",
            share,
        )
