"""Amplitude's `/batch`: it names records by their index in the request (amplitude.md#bad-request).

A 400 or 429 stores nothing: the records that it does not name are sent again at once
(amplitude.md#partial-success).
"""

from collections.abc import Sequence

import msgspec
import orjson
from isal import igzip

from consumers.delivery.destination import (
    Destination,
    Encoded,
    Limits,
    Merge,
    Rate,
    Request,
    Response,
)
from consumers.delivery.encoded_run import RunEncoded, bodies_of
from consumers.delivery.outcomes import Delivered, Reject, Skip, Verdict
from consumers.destinations.amplitude.answers import blame, is_success, too_large
from consumers.destinations.amplitude.forms import AmplitudeGroupIdentify, AmplitudeIdentify
from consumers.destinations.answers import by_status, not_the_destination
from consumers.destinations.records import (
    completed,
    encoded_event,
    encoded_events,
    encoded_run,
    read_record,
)
from schemas.columns import Columns
from schemas.events import (
    ABSENT,
    EventFacts,
    group_key,
    identification_key,
    read_group_identification,
    read_identification,
)
from schemas.records import Record
from schemas.topics import Kind
from schemas.vendors.amplitude import AmplitudeDestination

ENVELOPE_BYTES = 300  # The key and the options around the events.
# 1,000 a second, averaged over 30 s (amplitude.md#per-user-limits).
EVENTS = Rate(records=30_000, seconds=30.0, burst=4000)


def destinations(config: AmplitudeDestination) -> Sequence[Destination]:
    """One for each topic; updates of properties go as events, or through their own paths."""
    if config.user_properties_via == "batch":
        return (
            AmplitudeEvents(config),
            AmplitudeIdentifyAsEvents(config),
            AmplitudeGroupIdentifyAsEvents(config),
        )
    return (AmplitudeEvents(config), AmplitudeIdentify(config), AmplitudeGroupIdentify(config))


class _Batches:
    """`POST /batch` (amplitude.md#request)."""

    limits = Limits(
        records=2000,
        bytes=20_000_000 - ENVELOPE_BYTES,
        linger_seconds=0.5,
        concurrency=8,
        rate=EVENTS,
    )
    merge: Merge | None = None

    def __init__(self, config: AmplitudeDestination) -> None:
        self.name = config.name
        key = orjson.dumps(config.api_key.get_secret_value())
        self._head = b'{"api_key":' + key + b',"options":{"min_id_length":1},"events":['
        self._gzip = config.gzip

    def request(self, batch: Sequence[Encoded]) -> Request:
        bodies = bodies_of(batch) or [b""]  # `check` asks with no event.
        # Copied once: the whole may be 20 MB.
        bodies[0] = self._head + bodies[0]
        bodies[-1] += b"]}"
        body = b",".join(bodies)
        headers = {"content-type": "application/json"}
        if self._gzip and len(body) > 1024:
            body = igzip.compress(body, compresslevel=1)
            headers["content-encoding"] = "gzip"
        return Request("/batch", headers, body)

    def verdict(self, response: Response, batch: Sequence[Encoded]) -> Verdict:
        match response.status:
            case status if 200 <= status < 300:
                return Verdict(Delivered()) if is_success(response) else not_the_destination()
            case 400 | 429:
                return blame(response, batch)
            case 413:
                return too_large(response, batch)
            case _:
                return by_status(response)


class AmplitudeEvents(_Batches):
    """Events, as they are."""

    kind = Kind.EVENT

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        return encoded_event(record, _as_event)

    def encode_all(self, records: Sequence[Record]) -> list[Encoded | Reject | Skip]:
        """As `encode` of each, in half the time."""
        return encoded_events(records, _as_event)

    def encode_run(self, records: Columns) -> RunEncoded | None:
        """As `encode` of each, in two thirds of that."""
        return encoded_run(records)


class AmplitudeIdentifyAsEvents(_Batches):
    """User properties as `$identify` events through `/batch`: deduped there by `insert_id`."""

    kind = Kind.USER_PROPERTIES

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        found = read_record(record, read_identification, identification_key)
        if isinstance(found, Reject):
            return found
        facts, key, value = found
        as_event = completed(value, record, facts, event_type="$identify")
        return Encoded(as_event, key, facts.user_id, facts.device_id)


class AmplitudeGroupIdentifyAsEvents(_Batches):
    """Group properties as `$groupidentify` events through `/batch`."""

    kind = Kind.GROUP_PROPERTIES

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        group = read_record(record, read_group_identification, group_key)
        if isinstance(group, Reject):
            return group
        facts, key, _ = group
        event = EventFacts(time=facts.time, insert_id=facts.insert_id)
        members: dict[str, object] = {
            "event_type": "$groupidentify",
            "groups": {facts.group_type: facts.group_value},
        }
        if facts.group_properties is not ABSENT:
            members["group_properties"] = facts.group_properties
        if facts.insert_id:
            members["insert_id"] = facts.insert_id
        if facts.time is not None:
            members["time"] = facts.time
        body = msgspec.json.encode(members)
        return Encoded(completed(body, record, event), key)


def _as_event(record: Record, facts: EventFacts, key: str, value: bytes) -> Encoded:
    if not facts.insert_id or facts.time is None:
        value = completed(value, record, facts)
    return Encoded(value, key, facts.user_id, facts.device_id)
