"""The hot path: a request in, its records stored, an answer out. A bare ASGI callable."""

import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from gateway.admission import Budget
from gateway.bodies import BodyError, ClientGone, Message, Receive, read_body
from gateway.dead_letters import dead_letter
from gateway.dialects import endpoint_of
from gateway.dialects.shapes import Answer, Batch, Context, Endpoint, RefusedError, Request
from gateway.log import Log, NotStored, TooLargeForKafka
from gateway.metrics import Metrics
from gateway.sources import Sender, Sources
from schemas.config import Edge
from schemas.records import Headers
from schemas.topics import Topics

Send = Callable[[Message], Awaitable[None]]
Scope = Mapping[str, Any]
RETRY_AFTER_SECONDS = 1
PREFLIGHT_SECONDS = b"7200"
ALLOWED_HEADERS = (
    b"authorization, content-type, content-encoding, traceparent, "
    b"x-retry-count, anonymousid"  # The SDKs of Segment and RudderStack.
)

_logger = logging.getLogger("ampgate.edge")


class Ingest:
    """All ingest paths of the edge."""

    def __init__(
        self, edge: Edge, topics: Topics, log: Log, sources: Sources, budget: Budget
    ) -> None:
        self.metrics = Metrics(lambda: budget.used)
        self._edge = edge
        self._topics = topics
        self._log = log
        self._sources = sources
        self._budget = budget

    @staticmethod
    def endpoint(path: str) -> Endpoint | None:
        return endpoint_of(path)

    async def __call__(
        self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send
    ) -> None:
        started = time.perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        origin = headers.get(b"origin")
        if scope["method"] not in endpoint.methods:
            await self._other_method(endpoint, scope["method"], origin, send)
            return
        sender: Sender | None = None
        retry_after = 0.0
        try:
            body = await read_body(
                receive, headers, self._edge.max_body_bytes, self._edge.body_timeout_seconds
            )
            request = Request(scope["path"], scope["query_string"], headers, body)
            opened = endpoint.open(request)
            sender = self._sources.find(opened.key)
            if sender is None:
                answer = endpoint.unknown_key(opened.key)
            else:
                retry_after = self._over_rate(sender, len(opened.values))
                if retry_after:
                    answer = endpoint.failure(429, "over the source's events_per_second")
                else:
                    context = self._context(sender, headers, scope["client"])
                    batch = endpoint.read(opened, context)
                    answer = await self._store(endpoint, request, sender, batch, context)
        except ClientGone:
            return
        except RefusedError as refused:
            answer = refused.answer
        except BodyError as error:
            answer = endpoint.failure(error.status, error.message)
        except TooLargeForKafka:
            answer = endpoint.failure(413, "a record is larger than its topic takes")
        except NotStored as error:
            _logger.warning("not stored: %s", error)
            answer = endpoint.failure(503, "not stored: Kafka is not available, come again")
        except Exception:
            # The path may hold a write key.
            _logger.exception("an unexpected error in the dialect %s", endpoint.dialect)
            answer = endpoint.failure(503, "not stored: come again")
        self.metrics.request(endpoint.dialect, answer.status, time.perf_counter() - started)
        allowed = None
        if origin is not None and sender is not None and sender.allows(origin.decode("latin-1")):
            allowed = origin
        await _answer(send, answer, origin, allowed, retry_after)

    async def _store(
        self,
        endpoint: Endpoint,
        request: Request,
        sender: Sender,
        batch: Batch,
        context: Context,
    ) -> Answer:
        size = len(request.body)
        if not self._budget.take(size):
            return endpoint.failure(503, "too much waits for Kafka, come again")
        try:
            if batch.rejected:
                letters = [dead_letter(rejection, context) for rejection in batch.rejected]
                await self._log.append(self._topics.dead_letters, letters)
            if batch.records:
                await self._log.append(self._topics.of(endpoint.kind), batch.records)
        finally:
            self._budget.give_back(size)
        kind = endpoint.kind.value
        if batch.records:
            self.metrics.records(sender.name, kind, "accepted", len(batch.records))
        if batch.rejected:
            self.metrics.records(sender.name, kind, "rejected", len(batch.rejected))
        return endpoint.success(request, batch, context.now_ms)

    def _context(
        self, sender: Sender, headers: Mapping[bytes, bytes], client: tuple[str, int] | None
    ) -> Context:
        record_headers: Headers = [sender.header]
        traceparent = headers.get(b"traceparent")
        if traceparent is not None:
            record_headers = [sender.header, ("traceparent", traceparent)]
        ip = remote_ip(client, headers, self._edge.trusted_proxies)
        return Context(
            record_headers,
            time.time_ns() // 1_000_000,
            None if ip is None else sender.shown_ip(ip),
            sender.shown_ip,
            sender.ip_policy == "keep",
        )

    @staticmethod
    def _over_rate(sender: Sender, events: int) -> float:
        return 0.0 if sender.bucket is None else sender.bucket.take(events, time.monotonic())

    async def _other_method(
        self, endpoint: Endpoint, method: str, origin: bytes | None, send: Send
    ) -> None:
        if method != "OPTIONS":
            await _answer(send, endpoint.failure(405, f"{method} is not POST"), origin, None, 0)
            return
        headers = [(b"vary", b"Origin"), (b"allow", b"POST, OPTIONS")]
        # A preflight carries no key, so the origins of all sources count.
        if origin is not None and self._sources.any_allows(origin.decode("latin-1")):
            headers += [
                (b"access-control-allow-origin", origin),
                (b"access-control-allow-methods", b"POST, OPTIONS"),
                (b"access-control-allow-headers", ALLOWED_HEADERS),
                (b"access-control-max-age", PREFLIGHT_SECONDS),
            ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def remote_ip(
    client: tuple[str, int] | None,
    headers: Mapping[bytes, bytes],
    trusted: tuple[IPv4Network | IPv6Network, ...],
) -> str | None:
    """Who sent it: the peer, or what trusted proxies say, from the nearest one outwards."""
    if client is None:
        return None
    nearest = client[0]
    forwarded = headers.get(b"x-forwarded-for")
    if not trusted or forwarded is None:
        return nearest
    hops = [hop.strip() for hop in forwarded.decode("latin-1").split(",")]
    while hops and _is_trusted(nearest, trusted):
        hop = hops.pop()
        try:
            nearest = str(ip_address(hop))
        except ValueError:
            break
    return nearest


def _is_trusted(ip: str, trusted: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    return any(address in network for network in trusted)


async def _answer(
    send: Send, answer: Answer, origin: bytes | None, allowed: bytes | None, retry_after: float
) -> None:
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    if answer.status in (429, 503):
        seconds = max(RETRY_AFTER_SECONDS, math.ceil(retry_after))
        headers.append((b"retry-after", str(seconds).encode()))
    elif answer.status == 405:
        headers.append((b"allow", b"POST, OPTIONS"))
    elif answer.status in (408, 413):
        headers.append((b"connection", b"close"))  # The rest of the body is not read.
    if origin is not None:
        headers.append((b"vary", b"Origin"))
        if allowed is not None:
            headers.append((b"access-control-allow-origin", allowed))
            headers.append((b"access-control-expose-headers", b"retry-after"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
