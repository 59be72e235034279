"""Who sends: a write key leads to its source."""

import hashlib
import time
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

from gateway.admission import TokenBucket
from schemas.config import Source

KNOWN_KEYS_MAX = 10_000


class Sender:
    """A source, with what each of its requests needs worked out once."""

    __slots__ = ("bucket", "header", "ip_policy", "name", "origins")

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self.header = ("source", source.name.encode())
        self.ip_policy = source.ip
        self.origins = frozenset(source.allowed_origins)
        rate = source.events_per_second
        self.bucket = None if rate is None else TokenBucket(rate, time.monotonic())

    def shown_ip(self, ip: str) -> str | None:
        """The address as this source's policy lets it be kept."""
        if self.ip_policy == "keep":
            return ip
        return truncated(ip) if self.ip_policy == "truncate" else None

    def allows(self, origin: str) -> bool:
        return origin in self.origins or "*" in self.origins


class Sources:
    """All configured sources."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._by_digest = {source.key_digest: Sender(source) for source in sources}
        self._by_key: dict[str, Sender] = {}

    def find(self, key: str) -> Sender | None:
        sender = self._by_key.get(key)
        if sender is None:
            digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
            sender = self._by_digest.get(digest)
            # Only right keys are remembered, so that wrong ones cannot fill the memory.
            if sender is not None and len(self._by_key) < KNOWN_KEYS_MAX:
                self._by_key[key] = sender
        return sender

    def any_allows(self, origin: str) -> bool:
        return any(sender.allows(origin) for sender in self._by_digest.values())


def truncated(ip: str) -> str | None:
    """An IPv4 address's /24, an IPv6 address's /48."""
    try:
        address = ip_address(ip.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    bits = 24 if address.version == 4 else 48
    shift = address.max_prefixlen - bits
    return str(type(address)(int(address) >> shift << shift))
