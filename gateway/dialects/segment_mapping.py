"""A Segment call as Amplitude events (docs/segment-mapping.md has the reasons).

Properties and traits stay as they came. Fields that all events of a call share are built once.
"""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw, Struct

from gateway.dialects.arrays import has_too_many
from gateway.dialects.segment_call import Call
from gateway.dialects.segment_fields import Members, amount, first_touches, text
from gateway.dialects.segment_wire import is_object, plain
from gateway.dialects.shapes import RECORDS_MAX, Room
from schemas.events import ABSENT
from schemas.splicing import with_end, with_members
from schemas.strictness import Defect

GROUP_TYPE = "group"  # Segment's group calls have no type, and Amplitude requires one.
ORDER = "Order Completed"
_array = msgspec.json.Decoder(list[Raw])
_members = msgspec.json.Decoder(dict[str, object])
_encode = msgspec.json.encode


class Event(Struct, gc=False, omit_defaults=True):
    """An event without the fields of its call's context."""

    event_type: str
    user_id: str | None = None
    device_id: str | None = None
    session_id: int | None = None
    platform: str | None = None
    time: int | None = None
    insert_id: str | None = None
    user_properties: Raw | Members = ABSENT  # As members they are operations.
    event_properties: Raw = ABSENT
    groups: Raw | Members = ABSENT
    group_properties: Members | None = None
    revenue: float | None = None
    revenue_type: str | None = msgspec.field(default=None, name="revenueType")
    quantity: int | None = None
    price: float | None = None
    product_id: str | None = msgspec.field(default=None, name="productId")


def only_event_of(call: Call) -> Event | Defect | None:
    """The event of a call that becomes one; None of a call of which there may be several."""
    match call.kind:
        case "track":
            event_type = call.wire.event
            if not isinstance(event_type, str):
                return Defect("missing_event_type", "event", "a track call needs an event")
            return None if event_type == ORDER else _tracked(call, event_type)
        case "page" | "screen":
            return _view(call)
        case "identify":
            event = _event(call, "$identify")
            event.user_properties = _identified(call)
            return event
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


def encoded(event: Event, call: Call) -> bytes:
    return with_end(_encode(event), call.context.end)


def _event(call: Call, event_type: str, nth: int = 0) -> Event:
    """`nth` tells apart the events of one call."""
    message_id = call.message_id
    return Event(
        event_type,
        call.user_id,
        call.device_id,
        call.session_id,
        call.platform,
        call.time,
        f"{message_id}-{nth}" if nth and message_id is not None else message_id,
        groups=call.context.groups,
    )


def _tracked(call: Call, event_type: str) -> Event:
    return Event(
        event_type,
        call.user_id,
        call.device_id,
        call.session_id,
        call.platform,
        call.time,
        call.message_id,
        _sets(call),
        call.properties,
        call.context.groups,
    )


def _order(call: Call, room: Room) -> Iterator[bytes]:
    event = _tracked(call, ORDER)
    _add_revenue(event, call)
    yield encoded(event, call)
    yield from _purchases(call, room)


def _purchases(call: Call, room: Room) -> Iterator[bytes]:
    raw = call.read_properties().products
    if raw is ABSENT or bytes(memoryview(raw)[:1]) != b"[":
        return
    if has_too_many(bytes(raw)):
        room.multiply(records=RECORDS_MAX, copied=0)
    products = list(filter(is_object, _array.decode(raw)))
    purchase = _event(call, "Product Purchased")
    purchase.insert_id = None
    common = encoded(purchase, call)
    room.multiply(records=len(products), copied=len(products) * len(common))
    message_id = None if call.message_id is None else _encode(call.message_id)[:-1]
    for nth, product in enumerate(products, start=1):
        members = b'"event_properties":%b' % bytes(product)
        if message_id is not None:
            members = b'"insert_id":%b-%d",%b' % (message_id, nth, members)
        yield with_members(common, members)


def _view(call: Call) -> Event:
    properties = call.read_properties()
    given = {"name": properties.name, "category": properties.category}
    named = {"name": text(call.wire.name), "category": text(call.wire.category)}
    title = named["name"] or text(plain(properties.name)) or named["category"]
    kind = call.kind.capitalize()
    event = _event(call, f"Viewed {title} {kind}" if title else f"Viewed {kind}")
    event.user_properties = _sets(call)
    # Where both have a member, that of the properties counts.
    added = {name: words for name, words in named.items() if words and given[name] is ABSENT}
    event.event_properties = _with(call.properties, added)
    return event


def _group(call: Call, room: Room) -> Iterator[bytes | Defect]:
    group = text(call.wire.group_id)
    if group is None:
        yield Defect("missing_group", "groupId", "a group call needs a groupId")
        return
    identified = _event(call, "$identify")
    is_of_nobody = identified.user_id is None and identified.device_id is None
    if not is_of_nobody:
        room.multiply(records=1, copied=0)
        identified.groups = {GROUP_TYPE: group}
        identified.user_properties = {"$set": {GROUP_TYPE: group}}
        yield encoded(identified, call)
    event = _event(call, "$groupidentify", 0 if is_of_nobody else 1)
    event.groups = {GROUP_TYPE: group}
    if call.traits is not ABSENT:
        event.group_properties = {"$set": call.traits}
    yield encoded(event, call)


def _sets(call: Call) -> Raw | Members:
    """The user properties of an event that is not an identification; plain ones where possible.

    Operations and plain keys do not mix (amplitude.md#property-operations).
    """
    return _operations(call) if call.context.touches else call.user_traits


def _identified(call: Call) -> Raw | Members:
    """With what it removes, as RudderStack's callers say it (segment.md#mapping)."""
    operations, unset = _operations(call), call.context.unset
    if not unset:
        return operations
    if isinstance(operations, Raw):
        operations = {} if operations is ABSENT else _members.decode(operations)
    return {**operations, "$unset": unset}


def _operations(call: Call) -> Raw | Members:
    """First touch and last touch, as Segment's destination sets them."""
    traits, context = call.user_traits, call.context
    if traits is ABSENT:
        return context.operations
    operations: Members = {"$set": _with(traits, context.touches)}
    if context.touches:
        operations["$setOnce"] = first_touches(context.touches)
    return operations


def _with(raw: Raw, members: Mapping[str, object]) -> Raw:
    """The object with these members at its end, where they take effect."""
    if not members:
        return raw
    encoded = _encode(members)
    return Raw(encoded if raw is ABSENT else with_members(bytes(raw), encoded[1:-1]))


def _add_revenue(event: Event, call: Call) -> None:
    """Price times quantity, else revenue, as Amplitude does."""
    given = call.read_properties()
    price, quantity, revenue = (
        amount(plain(raw)) for raw in (given.price, given.quantity, given.revenue)
    )
    if price is not None and quantity is not None:
        revenue = price * quantity
    if not revenue:
        return
    event.revenue, event.price = revenue, price
    event.revenue_type = text(plain(given.revenue_type)) or "Purchase"
    event.quantity = None if quantity is None else round(quantity)
    event.product_id = text(plain(given.product_id)) or text(plain(given.own_product_id))
