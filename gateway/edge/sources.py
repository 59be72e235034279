"""Sources by write key."""

import hashlib
import time
from collections.abc import Callable

from gateway.edge.admission import Rate, TokenBucket
from gateway.edge.scrubbing import Scrubber
from gateway.http.addresses import truncated
from schemas.configuration.config import Config, Edge, Source
from schemas.plans.checking import held

KNOWN_KEYS_MAX = 10_000
# Dead letters of one source and process: of more, a sample is enough to find the defect.
REJECTIONS_PER_SECOND = 1_000.0
NewRate = Callable[[str, float], Rate]


class Sender:
    """A source, with values that each of its requests needs."""

    __slots__ = (
        *("bucket", "dialects", "header", "ip_policy", "max_batch_records", "max_body_bytes"),
        *("name", "origins", "plan", "rejections", "scrubber"),
    )

    def __init__(self, source: Source, edge: Edge, bucket: Rate | None) -> None:
        self.name = source.name
        self.header = ("source", source.name.encode())
        self.ip_policy = source.ip
        self.origins = frozenset(source.allowed_origins)
        self.bucket = bucket
        self.rejections = TokenBucket(REJECTIONS_PER_SECOND, time.monotonic())
        self.dialects = None if source.dialects is None else frozenset(source.dialects)
        self.max_body_bytes = source.max_body_bytes
        self.max_batch_records = source.max_batch_records
        scrubs = edge.scrub + source.scrub
        self.scrubber = Scrubber(scrubs) if scrubs else None
        self.plan = held(source)

    def shown_ip(self, ip: str) -> str | None:
        """The address, as far as the source's policy keeps it."""
        if self.ip_policy == "keep":
            return ip
        return truncated(ip) if self.ip_policy == "truncate" else None


def own_rate(_source: str, rate: float) -> Rate:
    return TokenBucket(rate, time.monotonic())


class Sources:
    """All configured sources."""

    def __init__(
        self,
        config: Config,
        before: "Sources | None" = None,
        new_rate: NewRate = own_rate,
    ) -> None:
        """A source's rate continues from `before`, if it is unchanged."""
        rates = {} if before is None else before.rates()
        self._by_digest: dict[str, Sender] = {}
        for source in config.sources:
            rate, bucket = source.events_per_second, rates.get(source.name)
            if rate is None:
                bucket = None
            elif bucket is None or bucket.rate != rate:
                bucket = new_rate(source.name, rate)
            self._by_digest[source.key_digest] = Sender(source, config.edge, bucket)
        self._by_key: dict[str, Sender] = {}
        self.origins = frozenset().union(*(sender.origins for sender in self._by_digest.values()))

    def find(self, key: str, dialect: str) -> Sender | None:
        """The source of a key, if the source allows this dialect."""
        sender = self._by_key.get(key) or self._by_digest_of(key)
        if sender is None or sender.dialects is None or dialect in sender.dialects:
            return sender
        return None

    def _by_digest_of(self, key: str) -> Sender | None:
        digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
        sender = self._by_digest.get(digest)
        # Only valid keys are cached, so that invalid ones cannot fill the memory.
        if sender is not None and len(self._by_key) < KNOWN_KEYS_MAX:
            self._by_key[key] = sender
        return sender

    def rates(self) -> dict[str, Rate | None]:
        return {sender.name: sender.bucket for sender in self._by_digest.values()}
