"""A destination that gets some of the events, or changed ones (contract.md#routing).

Order: the `events` patterns, `rename`, `drop_properties`, then the function. `not_routed`,
`drop_properties` (of an update nothing is left) and `transform` skip a record; `transform_failed`
is dead. Ids, `insert_id`, `time` and the key stay: they are put back after the function.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from glob import escape
from typing import Any

import msgspec
from msgspec import Struct

from consumers.delivery import border
from consumers.delivery.destination import (
    Destination,
    EncodesMany,
)
from consumers.delivery.outcomes import Reject, Skip
from consumers.destinations.records import Outcome, insert_id_of, read_record
from consumers.destinations.shaping.functions import Function
from consumers.destinations.shaping.properties import REMEMBERED_MAX, Drop, is_empty, matcher
from consumers.destinations.shaping.written import NotJsonError, written
from schemas.events import (
    PROPERTY_EVENTS,
    event_key,
    group_key,
    identification_key,
    read_event,
    read_group_identification,
    read_identification,
)
from schemas.records import Record, Stored
from schemas.topics import Kind
from schemas.vendors.vendor import ConfiguredDestination, Events

FAILED = "transform_failed"
NOT_ROUTED = Skip("not_routed")
EMPTIED = Skip("drop_properties")
BYTES_MAX = 1_000_000  # Of what a function returns, unless the record has more itself.
_OURS: Mapping[Kind, tuple[str, ...]] = {
    Kind.EVENT: ("user_id", "device_id", "insert_id", "time"),
    Kind.USER_PROPERTIES: ("user_id", "device_id", "insert_id", "time"),
    Kind.GROUP_PROPERTIES: ("group_type", "group_value", "insert_id", "time"),
}
_PROPERTIES = {
    Kind.USER_PROPERTIES: "user_properties",
    Kind.GROUP_PROPERTIES: "group_properties",
}


class _Type(Struct, gc=False):
    event_type: str


_type = msgspec.json.Decoder(_Type)
_record = msgspec.json.Decoder(dict[str, Any])


class Routing:
    """Which event types are wanted; `$identify` and `$groupidentify` always are."""

    def __init__(self, events: Events) -> None:
        allowed = matcher(events.allow) if events.allow is not None else None
        denied = matcher(events.deny) if events.deny else None

        @lru_cache(REMEMBERED_MAX)
        def wants(event_type: str) -> bool:
            if event_type in PROPERTY_EVENTS:
                return True
            is_allowed = allowed is None or allowed(event_type)
            return is_allowed and not (denied and denied(event_type))

        self.wants = wants


def shaped(
    destination: Destination,
    config: ConfiguredDestination,
    function: Function | None,
    classified: Sequence[str] = (),
) -> "Shaped | None":
    """None where nothing of its records is changed or left out: then it costs nothing.

    `classified` are the paths of properties that a plan has in a class that is dropped.
    """
    found = Shaped(destination, config, function, classified)
    return found if found.is_needed else None


class Shaped:
    """`encode` and `encode_all` of a destination, with its changes before them."""

    def __init__(
        self,
        destination: Destination,
        config: ConfiguredDestination,
        function: Function | None,
        classified: Sequence[str],
    ) -> None:
        self._destination = destination
        self._kind = destination.kind
        is_event = destination.kind is Kind.EVENT
        self._routing = Routing(config.events) if is_event and config.events else None
        self._rename = config.rename if is_event else {}
        dropped = [*config.drop_properties, *map(escape, classified)]
        self._drop = Drop(dropped) if dropped else None
        self._function = function
        self._changes = bool(self._rename or self._drop or function)
        self.is_needed = self._changes or self._routing is not None

    def encode(self, record: Record) -> Outcome:
        if (unusable := _unusable(record, self._kind)) is not None:
            return unusable
        assert record.value is not None, "a tombstone is not usable"
        if self._routing is not None and not self._routing.wants(_type_of(record.value)):
            return NOT_ROUTED
        if not self._changes:
            return self._destination.encode(record)
        changed = self._changed(record, record.value)
        if not isinstance(changed, bytes):
            return changed
        shaped = Stored(
            *(record.topic, record.partition, record.offset, record.timestamp),
            *(record.key, changed, record.headers),
        )
        encoded = self._destination.encode(shaped)
        if isinstance(encoded, Reject) and self._function is not None:
            return Reject(FAILED, f"what it returned is no record: {encoded.detail}")
        return encoded

    def encode_all(self, records: Sequence[Record]) -> Sequence[Outcome]:
        """Together, where only the type decides: the bytes go as they are."""
        if self._changes or not isinstance(self._destination, EncodesMany):
            return [self.encode(record) for record in records]
        outcomes = self._destination.encode_all(records)
        routing = self._routing
        assert routing is not None, "else nothing is changed or left out"
        return [
            outcome
            if isinstance(outcome, Reject) or routing.wants(_type_of(record.value))
            else NOT_ROUTED
            for record, outcome in zip(records, outcomes, strict=True)
        ]

    def _changed(self, record: Record, value: bytes) -> bytes | Reject | Skip:
        event = _record.decode(value)
        is_changed = False
        if self._rename and event["event_type"] in self._rename:
            event["event_type"] = self._rename[event["event_type"]]
            is_changed = True
        if self._drop is not None and self._drop.of(event):
            is_changed = True
            if self._function is None and self._is_nothing(event):
                return EMPTIED
        if self._function is not None:
            return self._transformed(record, event, self._function)
        return written(event) if is_changed else value

    def _is_nothing(self, update: dict[str, Any]) -> bool:
        """Of an update: it has no property left, and says nothing else."""
        if self._kind is Kind.EVENT:
            return False
        parent = _PROPERTIES[self._kind]
        return update.keys() <= {*_OURS[self._kind], parent} and is_empty(update[parent])

    def _transformed(
        self, record: Record, event: dict[str, Any], function: Function
    ) -> bytes | Reject | Skip:
        if self._kind is Kind.EVENT:  # As the destination gets them.
            if not event.get("insert_id"):
                event["insert_id"] = insert_id_of(record)
            if event.get("time") is None and record.timestamp >= 0:
                event["time"] = record.timestamp
        names = _OURS[self._kind]
        if event.get("event_type") == "$groupidentify":  # Its group may be its key.
            names = (*names, "groups")
        ours = {name: deepcopy(event[name]) for name in names if name in event}
        try:
            returned = function(event, self._kind)
            if returned is None:
                return Skip("transform")
            if not isinstance(returned, dict):
                kind = type(returned).__name__
                return Reject(FAILED, f"it returned a {kind}, not a dict or None")
            others = {name: one for name, one in returned.items() if name not in names}
            value = written({**others, **ours})
        except KeyboardInterrupt:
            raise
        except NotJsonError as error:
            return Reject(FAILED, f"what it returned is no JSON: {error}")
        except BaseException as error:  # noqa: BLE001  It, and its objects, may raise anything.
            return Reject(FAILED, border.words(error))
        bytes_max = max(BYTES_MAX, len(record.value or b""))
        if len(value) > bytes_max:
            return Reject(FAILED, f"what it returned has {len(value)} bytes, over {bytes_max}")
        return value


def _type_of(value: bytes | None) -> str:
    """Of an event that can be used."""
    return _type.decode(value or b"").event_type


def _unusable(record: Record, kind: Kind) -> Reject | None:
    found: object
    match kind:
        case Kind.EVENT:
            found = read_record(record, read_event, event_key)
        case Kind.USER_PROPERTIES:
            found = read_record(record, read_identification, identification_key)
        case Kind.GROUP_PROPERTIES:
            found = read_record(record, read_group_identification, group_key)
    return found if isinstance(found, Reject) else None
