"""An Amplitude project: its settings, its keys, and what it has stored.

Also how a body is unpacked, which both kinds of endpoints share.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from isal import isal_zlib

from ampgate.lab.simulators.dedupe import Dedupe
from ampgate.lab.simulators.model import Received, Request, Violations
from ampgate.lab.simulators.properties import GROUP_OPERATIONS, USER_OPERATIONS, PropertyTable

ShortIds = Literal["reject", "drop"]
_GZIP = 31  # zlib's window bits for a gzip header and trailer.


@dataclass(frozen=True, slots=True)
class AmplitudeOptions:
    """The real limits (amplitude.md#per-user-limits), each to be made smaller by a test."""

    accepted_keys: frozenset[str] | None = None  # `None`: any key that is not empty.
    body_max_bytes: Mapping[str, int] = field(
        default_factory=lambda: {
            "/2/httpapi": 1_000_000,
            "/batch": 20_000_000,
            "/identify": 1_000_000,
            "/groupidentify": 1_000_000,
        }
    )
    # Documentation and observation differ; these are the observations (amplitude.md#request,
    # "Too-short IDs").
    short_ids: Mapping[str, ShortIds] = field(
        default_factory=lambda: {"/2/httpapi": "reject", "/batch": "drop", "/identify": "drop"}
    )
    events_max: int = 2000
    events_per_second: Mapping[str, int] = field(
        default_factory=lambda: {"/2/httpapi": 30, "/batch": 1000, "/identify": 30}
    )
    daily_quota: int = 500_000
    flagged: frozenset[str] = frozenset()  # Only these users and devices have a daily quota.
    silenced: frozenset[str] = frozenset()
    in_flight_seconds: float = 0.5  # Requests under way when a 429 is answered are not early.
    property_misuse: Literal["violation", "tolerated"] = "violation"


class Project:
    """What all endpoints of one project share."""

    def __init__(self, options: AmplitudeOptions) -> None:
        self.options = options
        self.violations = Violations()
        misuses = self.violations if options.property_misuse == "violation" else Violations()
        self.received: list[Received] = []
        self.users = PropertyTable(USER_OPERATIONS, misuses)
        self.groups = PropertyTable(GROUP_OPERATIONS, misuses)
        self.dedupe = Dedupe()
        self.accepted: dict[str, int] = {}
        self.dead: Counter[str] = Counter()
        self.without_insert_id = 0
        self.answered_throttled = 0

    def accepts(self, api_key: str) -> bool:
        keys = self.options.accepted_keys
        return bool(api_key) if keys is None else api_key in keys

    def store(self, endpoint: str, body: bytes) -> None:
        self.received.append(Received(endpoint, body))
        self.accepted[endpoint] = self.accepted.get(endpoint, 0) + 1

    def group_identify(
        self, groups: Mapping[str, object], changes: Mapping[str, object], now: float
    ) -> None:
        """A group type may name several groups; each gets the changes."""
        for group_type, values in groups.items():
            for value in values if isinstance(values, list) else [values]:
                self.groups.apply(f"{group_type}:{value}", changes, now)


def unpacked(request: Request, limit: int) -> bytes | None:
    """The decoded body, cut soon after `limit`; `None` when it cannot be decoded.

    gzip is not in the documentation but in the official browser and Kotlin SDKs
    (amplitude.md#hosts).
    """
    match request.headers.get("content-encoding", "identity").strip().lower():
        case "identity" | "":
            return request.body
        case "gzip":
            stream = isal_zlib.decompressobj(_GZIP)
            try:
                body = stream.decompress(request.body, limit + 1)
            except isal_zlib.error:  # type: ignore[misc]  # The stub calls it an instance.
                return None
            return body if stream.eof or len(body) > limit else None
        case _:
            return None
