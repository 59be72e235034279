"""Opens a request: who sent it, and what is in its body, if neither is refused."""

import time

from gateway.dialects import nesting
from gateway.dialects.shapes import RECORD_BYTES, Answer, Context, Opened
from gateway.edge.admission import NO_ROOM
from gateway.edge.ingestion import Ingestion
from gateway.edge.limits import limit_growth, over_limit
from gateway.edge.sources import NewRate, Sources
from gateway.edge.wrong_keys import WrongKeys
from gateway.http.addresses import remote_ip
from schemas.configuration.config import Config
from schemas.records import Headers

FEW_RECORDS = 20  # They take less memory than a connection itself.
TRACEPARENT_BYTES_MAX = 128  # W3C's has 55 bytes; every record of a request carries it.


class Opening:
    """By the sources and limits of the configuration."""

    def __init__(self, config: Config, new_rate: NewRate, wrong_keys: WrongKeys) -> None:
        self._new_rate = new_rate
        self._wrong_keys = wrong_keys
        self.sources = Sources(config, None, new_rate)
        self.edge = config.edge

    def apply(self, config: Config) -> None:
        """Use these from the next request on."""
        self.sources = Sources(config, self.sources, self._new_rate)
        self.edge = config.edge

    def seen_key(self, one: Ingestion) -> Answer | None:
        """Finds the sender, if its key is not in the body; returns what refuses it."""
        key = one.endpoint.seen_key(one.request)
        # Checked before the body is decompressed.
        return None if key is None else self._find(one, key)

    def _find(self, one: Ingestion, key: str) -> Answer | None:
        sender = self.sources.find(key, one.endpoint.dialect)
        if sender is None:
            return self._unknown_key(one, key)
        one.sender, one.is_known = sender, True
        return None

    def opened(self, one: Ingestion) -> Opened | Answer:
        """Its records, unless its key is unknown or they are over a limit."""
        endpoint, share = one.endpoint, one.share
        if not one.is_known:
            refusal = self._find(one, nesting.sent_key(endpoint, one.request))
            if refusal is not None:
                return refusal
        sender, opened = one.sender, nesting.opened(endpoint, one.request)
        count = len(opened.values)
        refusal = over_limit(endpoint, sender, share, count, len(one.request.body))
        if refusal is not None:
            return refusal
        if sender.bucket is not None:
            one.retry_after = sender.bucket.take(count, time.monotonic())
            if one.retry_after:
                return endpoint.throttled(count, sender.bucket.rate)
        if count > FEW_RECORDS:
            reserved = count * RECORD_BYTES
            if not share.take(reserved):
                return endpoint.failure(503, NO_ROOM)
            one.reserved = reserved
        one.context = self._context(one, count)
        return opened

    def _unknown_key(self, one: Ingestion, key: str) -> Answer:
        ip = remote_ip(one.scope["client"], one.scope["headers"], self.edge.trusted_proxies)
        one.retry_after = self._wrong_keys.retry_after(ip, time.monotonic())
        if one.retry_after:
            return one.endpoint.failure(429, "too many wrong keys from this address")
        return one.endpoint.unknown_key(key)

    def _context(self, one: Ingestion, count: int) -> Context:
        request, scope, sender = one.request, one.scope, one.sender
        limit_growth(one.share, sender, self.edge, count, len(request.body))
        record_headers: Headers = [sender.header]
        traceparent = request.headers.get(b"traceparent")
        if traceparent is not None and len(traceparent) <= TRACEPARENT_BYTES_MAX:
            record_headers = [sender.header, ("traceparent", traceparent)]
        ip = remote_ip(scope["client"], scope["headers"], self.edge.trusted_proxies)
        return Context(
            record_headers,
            time.time_ns() // 1_000_000,
            None if ip is None else sender.shown_ip(ip),
            sender.shown_ip,
            sender.ip_policy == "keep",
            one.share,
        )
