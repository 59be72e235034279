"""A Segment call as Amplitude events (docs/segment-mapping.md has the reasons).

Properties and traits stay as they came. Fields that all events of a call share are built once.
"""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw

from gateway.dialects.arrays import has_too_many
from gateway.dialects.segment_call import Call
from gateway.dialects.segment_fields import Members, amount, text
from gateway.dialects.segment_wire import is_object, plain
from gateway.dialects.shapes import RECORDS_MAX, Room
from schemas.events import ABSENT
from schemas.splicing import with_members
from schemas.strictness import Defect

GROUP_TYPE = "group"  # Segment's group calls have no type, and Amplitude requires one.
ORDER = "Order Completed"
_array = msgspec.json.Decoder(list[Raw])
_encode = msgspec.json.encode


def only_event_of(call: Call) -> bytes | Defect | None:
    """The event of a call that becomes one; None of a call of which there may be several."""
    match call.kind:
        case "track":
            return _track(call)
        case "page" | "screen":
            return _view(call)
        case "identify":
            event = _event(call, "$identify")
            return _encode(event | _operations(_with_touches(call), call))
        case "group":
            return None
        case "alias":
            words = "Amplitude joins users by its own rules; an alias changes nothing there"
            return Defect("alias_not_supported", "type", words)
        case _:
            return Defect("unknown_type", "type", "no type of Segment's tracking API")


def events_of(call: Call, room: Room) -> Iterator[bytes | Defect]:
    """Those of another call. An iterator: each event is stored before the next one is built."""
    return _group(call, room) if call.kind == "group" else _order(call, room)


def _event(call: Call, event_type: str, nth: int = 0) -> Members:
    """`nth` tells apart the events of one call."""
    event: Members = {"event_type": event_type, **call.common}
    if call.message_id is not None:
        event["insert_id"] = f"{call.message_id}-{nth}" if nth else call.message_id
    return event


def _track(call: Call) -> bytes | Defect | None:
    if not isinstance(call.event, str):
        return Defect("missing_event_type", "event", "a track call needs an event")
    return None if call.event == ORDER else _encode(_tracked(call))


def _tracked(call: Call) -> Members:
    event = _event(call, str(call.event)) | _sets(call)
    if call.properties is not ABSENT:
        event["event_properties"] = call.properties
    return event


def _order(call: Call, room: Room) -> Iterator[bytes]:
    yield _encode(_tracked(call) | _revenue(call))
    yield from _purchases(call, room)


def _purchases(call: Call, room: Room) -> Iterator[bytes]:
    raw = call.read_properties().products
    if raw is ABSENT or bytes(memoryview(raw)[:1]) != b"[":
        return
    if has_too_many(bytes(raw)):
        room.multiply(records=RECORDS_MAX, copied=0)
    products = list(filter(is_object, _array.decode(raw)))
    common = _encode({"event_type": "Product Purchased", **call.common})
    room.multiply(records=len(products), copied=len(products) * len(common))
    message_id = None if call.message_id is None else _encode(call.message_id)[:-1]
    for nth, product in enumerate(products, start=1):
        members = b'"event_properties":%b' % bytes(product)
        if message_id is not None:
            members = b'"insert_id":%b-%d",%b' % (message_id, nth, members)
        yield with_members(common, members)


def _view(call: Call) -> bytes:
    properties = call.read_properties()
    given = {"name": properties.name, "category": properties.category}
    named = {"name": call.name, "category": call.category}
    title = call.name or text(plain(properties.name)) or call.category
    kind = call.kind.capitalize()
    event = _event(call, f"Viewed {title} {kind}" if title else f"Viewed {kind}") | _sets(call)
    # Where both have a member, that of the properties counts.
    added = {name: words for name, words in named.items() if words and given[name] is ABSENT}
    if added or call.properties is not ABSENT:
        event["event_properties"] = _with(call.properties, added)
    return _encode(event)


def _group(call: Call, room: Room) -> Iterator[bytes | Defect]:
    group = call.group_id
    if group is None:
        yield Defect("missing_group", "groupId", "a group call needs a groupId")
        return
    groups: Members = {"groups": {GROUP_TYPE: group}}
    given = call.traits
    properties: Members = {} if given is ABSENT else {"group_properties": {"$set": given}}
    identified = _event(call, "$identify") | groups
    if "user_id" not in identified and "device_id" not in identified:
        yield _encode(_event(call, "$groupidentify") | groups | properties)
        return
    room.multiply(records=1, copied=0)
    yield _encode(identified | {"user_properties": {"$set": {GROUP_TYPE: group}}})
    yield _encode(_event(call, "$groupidentify", 1) | groups | properties)


def _sets(call: Call) -> Members:
    """The user properties of an event that is not an identification; plain ones where possible.

    Operations and plain keys do not mix (amplitude.md#property-operations).
    """
    if call.touches:
        return _operations(_with_touches(call), call)
    return {} if call.user_traits is ABSENT else {"user_properties": call.user_traits}


def _operations(sets: Raw, call: Call) -> Members:
    """First touch and last touch, as Segment's destination sets them."""
    first = {f"initial_{name}": words for name, words in call.touches.items()}
    operations: Members = {} if sets is ABSENT else {"$set": sets}
    if first:
        operations["$setOnce"] = first
    return {"user_properties": operations} if operations else {}


def _with_touches(call: Call) -> Raw:
    return _with(call.user_traits, call.touches)


def _with(raw: Raw, members: Mapping[str, object]) -> Raw:
    """The object with these members at its end, where they take effect."""
    if not members:
        return raw
    encoded = _encode(members)
    return Raw(encoded if raw is ABSENT else with_members(bytes(raw), encoded[1:-1]))


def _revenue(call: Call) -> Members:
    """Price times quantity, else revenue, as Amplitude does."""
    given = call.read_properties()
    price, quantity, revenue = (
        amount(plain(raw)) for raw in (given.price, given.quantity, given.revenue)
    )
    if price is not None and quantity is not None:
        revenue = price * quantity
    if not revenue:
        return {}
    fields: Members = {
        "revenue": revenue,
        "revenueType": text(plain(given.revenue_type)) or "Purchase",
        "quantity": None if quantity is None else round(quantity),
        "price": price,
        "productId": text(plain(given.product_id)) or text(plain(given.own_product_id)),
    }
    return {name: value for name, value in fields.items() if value is not None}
