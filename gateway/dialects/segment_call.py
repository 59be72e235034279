"""A Segment call, and what every event of it has in common (segment.md#mapping).

The fields are those of Segment's own Amplitude destination with its default mapping.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw

from gateway.dialects.moments import milliseconds_of
from schemas.events import INVALID_IDS

Members: TypeAlias = dict[str, object]

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "app_version": ("app", "version"),
    "os_name": ("os", "name"),
    "os_version": ("os", "version"),
    "device_brand": ("device", "brand"),
    "device_manufacturer": ("device", "manufacturer"),
    "device_model": ("device", "model"),
    "carrier": ("network", "carrier"),
    "country": ("location", "country"),
    "region": ("location", "region"),
    "city": ("location", "city"),
    "dma": ("location", "dma"),
    "language": ("locale",),
    "ip": ("ip",),
    "idfv": ("device", "id"),
    "user_agent": ("userAgent",),
    "timezone": ("timezone",),
}
COORDINATES: Final = {
    "location_lat": ("location", "latitude"),
    "location_lng": ("location", "longitude"),
}
TOUCHES: Final[Mapping[str, tuple[str, ...]]] = {
    "utm_source": ("campaign", "source"),
    "utm_medium": ("campaign", "medium"),
    "utm_campaign": ("campaign", "name"),
    "utm_term": ("campaign", "term"),
    "utm_content": ("campaign", "content"),
    "referrer": ("page", "referrer"),
}
CONTEXT: Final = frozenset(
    path[0] for paths in (FIELDS, COORDINATES, TOUCHES) for path in paths.values()
) | {"library", "sessionId", "traits"}
_AMOUNT = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
_PLATFORMS = {"ios": "iOS", "android": "Android"}
_object = msgspec.json.Decoder(dict[str, Raw])


@dataclass(frozen=True, slots=True)
class Call:
    """One call, with what its batch says for all of them."""

    kind: str
    members: Mapping[str, object]
    properties: Mapping[str, Raw]
    traits: Mapping[str, Raw]
    time: int | None

    def at(self, *path: str) -> object:
        found: object = self.members
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def text(self, *path: str) -> str | None:
        return text(self.at(*path))


def event_of(call: Call, event_type: str, nth: int = 0) -> Members:
    """What every event of a call has in common; `nth` tells apart those of one call."""
    event: Members = {"event_type": event_type, "library": "segment"}
    if (user_id := call.text("userId")) is not None:
        event["user_id"] = user_id
    if (device_id := _device_id(call)) is not None:
        event["device_id"] = device_id
    if call.time is not None:
        event["time"] = call.time
    if (message_id := call.text("messageId")) is not None:
        event["insert_id"] = f"{message_id}-{nth}" if nth else message_id
    if (session_id := _session_id(call)) is not None:
        event["session_id"] = session_id
    for field, path in FIELDS.items():
        if (words := call.text("context", *path)) is not None:
            event[field] = words
    for field, path in COORDINATES.items():
        if (coordinate := number(call.at("context", *path))) is not None:
            event[field] = coordinate
    if (platform := _platform(call)) is not None:
        event["platform"] = platform
    advertising_id = call.text("context", "device", "advertisingId")
    advertising_id = advertising_id or call.text("context", "device", "idfa")
    if advertising_id is not None:
        event |= {"idfa": advertising_id, "adid": advertising_id}
    return event


def _device_id(call: Call) -> str | None:
    """The device's own id, unless it is one of those that many devices share."""
    device_id = call.text("context", "device", "id")
    if device_id is None or device_id.strip().lower() in INVALID_IDS:
        return call.text("anonymousId")
    return device_id


def _platform(call: Call) -> str | None:
    platform = call.text("context", "device", "type")
    if platform is not None:
        return _PLATFORMS.get(platform.lower(), platform)
    in_browser = call.text("context", "library", "name") == "analytics.js"
    return "Web" if in_browser or call.at("channel") == "web" else None


def _session_id(call: Call) -> int | None:
    """Segment's way to give one, else RudderStack's; a number, a text of digits or ISO 8601."""
    for path in (
        ("integrations", "Actions Amplitude", "session_id"),
        ("integrations", "Amplitude", "session_id"),
        ("session_id",),
        ("sessionId",),
        ("context", "sessionId"),
    ):
        given = call.at(*path)
        if isinstance(given, str):
            number_in_it = given.rpartition(":")[2]  # RudderStack's may have a text before it.
            is_number = number_in_it.isascii() and number_in_it.isdecimal()
            is_number = is_number and len(number_in_it) < 17
            given = int(number_in_it) if is_number else milliseconds_of(given)
        if isinstance(given, int) and not isinstance(given, bool) and abs(given) < 2**53:
            return given
    return None


def traits_of(call: Call) -> Members:
    """The traits of the user; RudderStack's SDKs put them into the context."""
    if call.traits:
        return dict(call.traits)
    traits = call.at("context", "traits")
    return dict(traits) if isinstance(traits, dict) else {}


def touches_of(call: Call) -> Members:
    found = {name: call.text("context", *path) for name, path in TOUCHES.items()}
    return {name: words for name, words in found.items() if words is not None}


def text(value: object) -> str | None:
    """A text that says something; a number as it is written, since Segment takes numeric ids."""
    if isinstance(value, str):
        return value or None
    return str(value) if number(value) is not None else None


def is_object(raw: Raw) -> bool:
    return bytes(memoryview(raw)[:1]) == b"{"


def members_of(raw: Raw) -> dict[str, Raw]:
    return _object.decode(raw)


def amount(value: object) -> int | float | None:
    """A number, also as text: senders write prices so. A currency sign makes it none."""
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return int(value) if value.strip("+-").isdecimal() else float(value)
    return number(value)


def number(value: object) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
