"""Who sends: a write key leads to its source."""

import hashlib
import time

from gateway.addresses import truncated
from gateway.admission import TokenBucket
from gateway.scrubbing import Scrubber
from schemas.config import Config, Edge, Source

KNOWN_KEYS_MAX = 10_000


class Sender:
    """A source, with what each of its requests needs worked out once."""

    __slots__ = (
        *("bucket", "header", "ip_policy", "max_batch_records", "max_body_bytes", "name"),
        *("origins", "scrubber"),
    )

    def __init__(self, source: Source, edge: Edge, bucket: TokenBucket | None) -> None:
        self.name = source.name
        self.header = ("source", source.name.encode())
        self.ip_policy = source.ip
        self.origins = frozenset(source.allowed_origins)
        self.bucket = bucket
        self.max_body_bytes = source.max_body_bytes
        self.max_batch_records = source.max_batch_records
        scrubs = edge.scrub + source.scrub
        self.scrubber = Scrubber(scrubs) if scrubs else None

    def shown_ip(self, ip: str) -> str | None:
        """The address as this source's policy lets it be kept."""
        if self.ip_policy == "keep":
            return ip
        return truncated(ip) if self.ip_policy == "truncate" else None


class Sources:
    """All configured sources."""

    def __init__(self, config: Config, before: "Sources | None" = None) -> None:
        """What a source has sent `before` still counts against an unchanged rate."""
        buckets = {} if before is None else before.buckets()
        self._by_digest: dict[str, Sender] = {}
        for source in config.sources:
            bucket = _bucket(source.events_per_second, buckets.get(source.name))
            self._by_digest[source.key_digest] = Sender(source, config.edge, bucket)
        self._by_key: dict[str, Sender] = {}
        self.origins = frozenset().union(*(sender.origins for sender in self._by_digest.values()))

    def find(self, key: str) -> Sender | None:
        sender = self._by_key.get(key)
        if sender is None:
            digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
            sender = self._by_digest.get(digest)
            # Only right keys are remembered, so that wrong ones cannot fill the memory.
            if sender is not None and len(self._by_key) < KNOWN_KEYS_MAX:
                self._by_key[key] = sender
        return sender

    def buckets(self) -> dict[str, TokenBucket | None]:
        return {sender.name: sender.bucket for sender in self._by_digest.values()}


def _bucket(rate: float | None, before: TokenBucket | None) -> TokenBucket | None:
    if rate is None:
        return None
    if before is not None and before.rate == rate:
        return before
    return TokenBucket(rate, time.monotonic())
