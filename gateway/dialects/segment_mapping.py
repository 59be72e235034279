"""A Segment call as Amplitude events (upstreams.md §4.4; docs/segment-mapping.md has the reasons).

The fields are those of Segment's own Amplitude destination with its default mapping. Properties
and traits travel as they came.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw

from gateway.dialects.moments import milliseconds_of
from schemas.events import INVALID_IDS, Defect

Members: TypeAlias = dict[str, object]

GROUP_TYPE = "group"  # Segment's group calls name no type, and Amplitude wants one.
ORDER = "Order Completed"
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


def events_of(call: Call) -> list[Members] | Defect:
    match call.kind:
        case "track":
            return _track(call)
        case "page" | "screen":
            return [_view(call)]
        case "identify":
            operations: Members = {"$set": _traits(call) | _touches(call)}
            return [_event(call, "$identify") | _user_properties(operations, call)]
        case "group":
            return _group(call)
        case "alias":
            words = "Amplitude joins users by its own rules; an alias changes nothing there"
            return Defect("alias_not_supported", "type", words)
        case _:
            return Defect("unknown_type", "type", "no type of Segment's tracking API")


def _track(call: Call) -> list[Members] | Defect:
    name = call.at("event")
    if not isinstance(name, str):
        return Defect("missing_event_type", "event", "a track call needs an event")
    event = _event(call, name) | _sets(call)
    if call.properties:
        event["event_properties"] = call.properties
    if name != ORDER:
        return [event]
    events = [event | _revenue(call)]
    for product in _products(call):
        purchase = _event(call, "Product Purchased", len(events))
        events.append(purchase | {"event_properties": product})
    return events


def _view(call: Call) -> Members:
    named = {name: words for name in ("name", "category") if (words := call.text(name))}
    properties: Members = {**named, **call.properties}
    name = named.get("name") or call.text("properties", "name") or named.get("category")
    kind = call.kind.capitalize()
    event = _event(call, f"Viewed {name} {kind}" if name else f"Viewed {kind}") | _sets(call)
    return event | ({"event_properties": properties} if properties else {})


def _group(call: Call) -> list[Members] | Defect:
    group = call.text("groupId")
    if group is None:
        return Defect("missing_group", "groupId", "a group call needs a groupId")
    groups = {"groups": {GROUP_TYPE: group}}
    properties = {"group_properties": {"$set": call.traits}} if call.traits else {}
    identified = _event(call, "$identify") | groups
    if "user_id" not in identified and "device_id" not in identified:
        return [_event(call, "$groupidentify") | groups | properties]
    return [
        identified | {"user_properties": {"$set": {GROUP_TYPE: group}}},
        _event(call, "$groupidentify", 1) | groups | properties,
    ]


def _event(call: Call, event_type: str, number: int = 0) -> Members:
    """What every event of a call has in common; the number tells apart those of one call."""
    event: Members = {"event_type": event_type, "library": "segment"}
    if (user_id := call.text("userId")) is not None:
        event["user_id"] = user_id
    if (device_id := _device_id(call)) is not None:
        event["device_id"] = device_id
    if call.time is not None:
        event["time"] = call.time
    if (message_id := call.text("messageId")) is not None:
        event["insert_id"] = f"{message_id}-{number}" if number else message_id
    if (session_id := _session_id(call)) is not None:
        event["session_id"] = session_id
    for field, path in FIELDS.items():
        if (words := call.text("context", *path)) is not None:
            event[field] = words
    for field, path in COORDINATES.items():
        if (number_ := _number(call.at("context", *path))) is not None:
            event[field] = number_
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
        ("context", "sessionId"),
    ):
        given = call.at(*path)
        if isinstance(given, str):
            given = int(given) if given.isdecimal() and len(given) < 17 else milliseconds_of(given)
        if isinstance(given, int) and not isinstance(given, bool) and abs(given) < 2**53:
            return given
    return None


def _traits(call: Call) -> Members:
    """The traits of the user; RudderStack's SDKs put them into the context."""
    if call.traits:
        return dict(call.traits)
    traits = call.at("context", "traits")
    return dict(traits) if isinstance(traits, dict) else {}


def _touches(call: Call) -> Members:
    found = {name: call.text("context", *path) for name, path in TOUCHES.items()}
    return {name: words for name, words in found.items() if words is not None}


def _sets(call: Call) -> Members:
    """The user properties of an event that is no identification: plain, if nothing else is there.

    Operations and plain keys do not mix (upstreams.md §1.6).
    """
    traits, touches = _traits(call), _touches(call)
    if touches:
        return _user_properties({"$set": traits | touches}, call)
    return {"user_properties": traits} if traits else {}


def _user_properties(operations: Members, call: Call) -> Members:
    """With the first touch beside the last, as Segment keeps them."""
    first = {f"initial_{name}": words for name, words in _touches(call).items()}
    operations = operations | ({"$setOnce": first} if first else {})
    filled = {operation: values for operation, values in operations.items() if values}
    return {"user_properties": filled} if filled else {}


def _revenue(call: Call) -> Members:
    """Price times quantity wins over revenue, as it does at Amplitude."""
    price, quantity, revenue = (
        _number(call.at("properties", name)) for name in ("price", "quantity", "revenue")
    )
    if price is not None and quantity is not None:
        revenue = price * quantity
    if not revenue:
        return {}
    fields: Members = {
        "revenue": revenue,
        "revenueType": call.text("properties", "revenueType") or "Purchase",
        "quantity": None if quantity is None else round(quantity),
        "price": price,
        "productId": call.text("properties", "productId") or call.text("properties", "product_id"),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _products(call: Call) -> list[Raw]:
    products = call.properties.get("products")
    if products is None or not bytes(products).startswith(b"["):
        return []
    return [raw for raw in msgspec.json.decode(products, type=list[Raw]) if is_object(raw)]


def text(value: object) -> str | None:
    """A text that says something; a number as it is written, since Segment takes numeric ids."""
    if isinstance(value, str):
        return value or None
    return str(value) if _number(value) is not None else None


def is_object(raw: Raw) -> bool:
    return bytes(memoryview(raw)[:1]) == b"{"


def members_of(raw: Raw) -> dict[str, Raw]:
    return _object.decode(raw)


def _number(value: object) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
