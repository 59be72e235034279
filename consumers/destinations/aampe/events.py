"""Aampe: one event a request, 202 when it is queued (aampe.md#events).

What an event carries is what contract.md#delivery names: an ordinary event's `user_properties` are
not in it: they would be a second request. A service that wants them in Aampe sends an update, or
names the field in `metadata_fields`.
"""

from collections.abc import Mapping, Sequence

import msgspec
import orjson
from msgspec import Raw, Struct

from consumers.delivery.destination import Destination, Encoded, Limits, Merge, Request
from consumers.delivery.outcomes import Reject, Skip
from consumers.destinations.aampe.answers import verdict_on
from consumers.destinations.records import (
    encoded_event,
    encoded_events,
    insert_id_of,
    read_record,
)
from schemas.events import (
    ABSENT,
    EventFacts,
    IdentificationFacts,
    identification_key,
    read_identification,
)
from schemas.records import Record
from schemas.topics import Kind
from schemas.vendors.aampe import AampeDestination

CONCURRENCY = 256  # With answers of 100 ms, thousands a second need as many.
LANES = 64
SPAN_MAX = 2000  # Aampe documents no dedupe: a crash must not repeat more (aampe.md#answers).
EVENTS_PATH = "/v1/events"
_BRACE = ord("{")
PROPERTIES_PATH = "/v1/properties"


class Details(Struct):
    """The fields of an event that are sent to Aampe, besides those that `encode` reads anyway."""

    event_properties: Raw = ABSENT
    user_properties: Raw = ABSENT
    timezone: object = None


class Event(Struct, omit_defaults=True, gc=False):
    """The body of a request (aampe.md#events): written at once, in half the time of its parts."""

    contact_id: str
    event_name: str | None
    timestamp: Raw
    event_id: str
    metadata: Raw
    timezone: str = ""


_members = msgspec.json.Decoder(dict[str, Raw])
_details = msgspec.json.Decoder(Details)
_encode = msgspec.json.Encoder().encode
_NO_PROPERTIES = Raw(b"{}")


def destinations(config: AampeDestination) -> Sequence[Destination]:
    """Aampe takes no group properties."""
    return (AampeEvents(config), AampeProperties(config))


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
    verdict = staticmethod(verdict_on)

    def __init__(self, config: AampeDestination) -> None:
        self.name = config.name
        self._metadata_fields = config.metadata_fields
        self._headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {config.api_key.get_secret_value()}",
        }

    def request(self, batch: Sequence[Encoded]) -> Request:
        return Request(batch[0].path, self._headers, batch[0].body)

    def _context(self, value: bytes) -> dict[str, Raw]:
        """The record's fields that `metadata_fields` names, those that are present."""
        if not self._metadata_fields:
            return {}
        members = _members.decode(value)
        return {name: members[name] for name in self._metadata_fields if name in members}

    def _property_update(
        self,
        record: Record,
        found: tuple[EventFacts | IdentificationFacts, str, bytes],
        user_properties: Raw,
    ) -> Encoded | Skip:
        facts, key, value = found
        properties, left_out = _properties(_object(user_properties))
        if not properties:
            return Skip("unsupported_operation" if left_out else "no_user_properties")
        context = self._context(value)
        body = b'{"contact_id":%b,"timestamp":%b,"event_id":%b,"user_properties":%b%b}' % (
            orjson.dumps(facts.user_id),
            _seconds(facts.time if facts.time is not None else record.timestamp),
            orjson.dumps(facts.insert_id or insert_id_of(record)),
            msgspec.json.encode(properties),
            b',"metadata":' + msgspec.json.encode(context) if context else b"",
        )
        return Encoded(body, key, facts.user_id, facts.device_id, PROPERTIES_PATH, left_out)


class AampeEvents(_Aampe):
    """`POST /v1/events`; `$identify` events go to `/v1/properties`, in their user's order."""

    kind = Kind.EVENT

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        return encoded_event(record, self._encoded)

    def encode_all(self, records: Sequence[Record]) -> list[Encoded | Reject | Skip]:
        return encoded_events(records, self._encoded)

    def _encoded(self, record: Record, facts: EventFacts, key: str, value: bytes) -> Encoded | Skip:
        if facts.user_id is None:
            return Skip("no_user_id")
        if facts.event_type == "$groupidentify":
            return Skip("group_properties")
        details = _details.decode(value)
        if facts.event_type == "$identify":
            found = (facts, key, value)
            return self._property_update(record, found, details.user_properties)
        zone = details.timezone
        event = Event(
            facts.user_id,
            facts.event_type,
            Raw(_seconds(facts.time if facts.time is not None else record.timestamp)),
            facts.insert_id or insert_id_of(record),
            self._metadata(details.event_properties, value),
            zone if isinstance(zone, str) else "",
        )
        return Encoded(_encode(event), key, facts.user_id, facts.device_id, EVENTS_PATH)

    def _metadata(self, event_properties: Raw, value: bytes) -> Raw:
        """The event's properties and the context; where both have a name, the event's value."""
        if self._metadata_fields and (context := self._context(value)):
            return Raw(_encode({**context, **_object(event_properties)}))
        is_object = event_properties is not ABSENT and memoryview(event_properties)[0] == _BRACE
        return event_properties if is_object else _NO_PROPERTIES


class AampeProperties(_Aampe):
    """`POST /v1/properties`."""

    kind = Kind.USER_PROPERTIES

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        found = read_record(record, read_identification, identification_key)
        if isinstance(found, Reject):
            return found
        facts, _, _ = found
        if facts.user_id is None:
            return Skip("no_user_id")
        return self._property_update(record, found, facts.user_properties)


def _properties(given: Mapping[str, Raw]) -> tuple[dict[str, Raw], int]:
    """`$set` and plain values; and how many other operations are left out, as Aampe has none."""
    plain = {name: value for name, value in given.items() if not name.startswith("$")}
    operations = len(given) - len(plain)
    if bytes(memoryview(given.get("$set", ABSENT))[:1]) == b"{":
        return {**_members.decode(given["$set"]), **plain}, operations - 1
    return plain, operations


def _object(raw: Raw) -> dict[str, Raw]:
    """The members of a JSON object; none where it is absent or null."""
    return {} if raw is ABSENT or bytes(raw) == b"null" else _members.decode(raw)


def _seconds(milliseconds: int) -> bytes:
    """Seconds with decimals, as a JSON number: exact, however large (aampe.md#events)."""
    seconds = b"%d.%03d" % divmod(abs(milliseconds), 1000)
    return b"-" + seconds if milliseconds < 0 else seconds
