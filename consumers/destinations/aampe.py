"""Aampe: one event a request, 202 when it is queued (upstreams.md §2)."""

from collections.abc import Sequence

import msgspec
import orjson
from msgspec import Raw

from consumers.delivery.destination import Encoded, Limits, Merge, Request, Response
from consumers.delivery.outcomes import Delivered, Pause, Reject, Retry, Skip, Verdict
from consumers.destinations.records import insert_id_of, read_record
from schemas.config import AampeDestination
from schemas.events import (
    ABSENT,
    EventFacts,
    IdentificationFacts,
    event_key,
    identification_key,
    read_event,
    read_identification,
)
from schemas.records import Record
from schemas.topics import Kind

CONCURRENCY = 64
LANES = 64
SPAN_MAX = 2000  # Aampe documents no dedupe: a crash must not repeat more (upstreams.md §2.3).
THROTTLED_SECONDS = 5.0
DETAIL_MAX = 1000
_members = msgspec.json.Decoder(dict[str, Raw])


class _Aampe:
    limits = Limits(
        records=1,
        bytes=20_000_000,
        linger_seconds=0.0,
        concurrency=CONCURRENCY,
        lanes=LANES,
        span_max=SPAN_MAX,
    )

    merge: Merge | None = None

    def __init__(self, config: AampeDestination) -> None:
        self.name = config.name
        self._metadata_fields = config.metadata_fields
        self._headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {config.api_key.get_secret_value()}",
        }

    def request(self, batch: Sequence[Encoded]) -> Request:
        return Request(batch[0].path, self._headers, batch[0].body)

    def verdict(self, response: Response, batch: Sequence[Encoded]) -> Verdict:
        detail = response.body[:DETAIL_MAX].decode(errors="replace")
        match response.status:
            case status if 200 <= status < 300:
                return Verdict(Delivered())
            case 401 | 403 | 404 | 405 as status:
                return Verdict(Pause(f"status_{status}"))
            case 429:
                return Verdict(
                    Retry("throttled", response.retry_after_seconds or THROTTLED_SECONDS)
                )
            case 422:
                return Verdict(Reject("invalid_field", detail))
            case status if 400 <= status < 500:
                return Verdict(Reject("rejected", detail))
            case status if 300 <= status < 400:
                return Verdict(Pause(f"status_{status}"))
            case status:
                return Verdict(Retry(f"status_{status}", response.retry_after_seconds))


class AampeEvents(_Aampe):
    """`POST /v1/events`; `$identify` events go to `/v1/properties`, in their user's order."""

    kind = Kind.EVENT

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        found = read_record(record, read_event, event_key)
        if isinstance(found, Reject):
            return found
        facts, key, value = found
        if facts.user_id is None:
            return Skip("no_user_id")
        if facts.event_type == "$groupidentify":
            return Skip("group_properties")
        if facts.event_type == "$identify":
            return _property_update(record, facts, key)
        metadata = b"{}" if facts.event_properties is ABSENT else bytes(facts.event_properties)
        if metadata == b"null":
            metadata = b"{}"
        body = (b'{"contact_id":%b,"event_name":%b,"timestamp":%b,"event_id":%b,"metadata":%b}') % (
            orjson.dumps(facts.user_id),
            orjson.dumps(facts.event_type),
            _seconds(facts.time if facts.time is not None else record.timestamp),
            orjson.dumps(facts.insert_id or insert_id_of(record)),
            self._with_context(metadata, value),
        )
        return Encoded(body, key, facts.user_id, facts.device_id, "/v1/events")

    def _with_context(self, metadata: bytes, value: bytes) -> bytes:
        """The event's properties, and the context fields that the destination asks for."""
        if not self._metadata_fields:
            return metadata
        members = _members.decode(value)
        chosen = {name: members[name] for name in self._metadata_fields if name in members}
        return msgspec.json.encode({**chosen, **_members.decode(metadata)})


class AampeProperties(_Aampe):
    """`POST /v1/properties`."""

    kind = Kind.USER_PROPERTIES

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        found = read_record(record, read_identification, identification_key)
        if isinstance(found, Reject):
            return found
        facts, key, _ = found
        if facts.user_id is None:
            return Skip("no_user_id")
        return _property_update(record, facts, key)


def _property_update(
    record: Record, facts: EventFacts | IdentificationFacts, key: str
) -> Encoded | Skip:
    """`$set` and plain values; Aampe has no meaning for the other operations."""
    raw = facts.user_properties
    given = {} if raw is ABSENT or bytes(raw) == b"null" else _members.decode(raw)
    plain = {name: value for name, value in given.items() if not name.startswith("$")}
    if "$set" in given and bytes(given["$set"]).startswith(b"{"):
        plain = {**_members.decode(given["$set"]), **plain}
    if not plain:
        return Skip("unsupported_operation")
    body = b'{"contact_id":%b,"timestamp":%b,"event_id":%b,"user_properties":%b}' % (
        orjson.dumps(facts.user_id),
        _seconds(facts.time if facts.time is not None else record.timestamp),
        orjson.dumps(facts.insert_id or insert_id_of(record)),
        msgspec.json.encode(plain),
    )
    return Encoded(body, key, facts.user_id, facts.device_id, "/v1/properties")


def _seconds(milliseconds: int) -> bytes:
    """Seconds with decimals, as a JSON number (upstreams.md §2.1)."""
    return orjson.dumps(milliseconds / 1000)
