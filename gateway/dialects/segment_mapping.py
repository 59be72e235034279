"""What becomes of a Segment call: Amplitude events (docs/segment-mapping.md has the reasons).

Properties and traits travel as they came.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from gateway.dialects.segment_call import (
    Call,
    Members,
    amount,
    event_of,
    is_object,
    touches_of,
    traits_of,
)
from schemas.strictness import Defect

GROUP_TYPE = "group"  # Segment's group calls name no type, and Amplitude wants one.
ORDER = "Order Completed"


def events_of(call: Call) -> Iterator[Members | Defect]:
    """One after the other: each is encoded before the next is made."""
    match call.kind:
        case "track":
            yield from _track(call)
        case "page" | "screen":
            yield _view(call)
        case "identify":
            operations: Members = {"$set": traits_of(call) | touches_of(call)}
            yield event_of(call, "$identify") | _user_properties(operations, call)
        case "group":
            yield from _group(call)
        case "alias":
            words = "Amplitude joins users by its own rules; an alias changes nothing there"
            yield Defect("alias_not_supported", "type", words)
        case _:
            yield Defect("unknown_type", "type", "no type of Segment's tracking API")


def _track(call: Call) -> Iterator[Members | Defect]:
    name = call.at("event")
    if not isinstance(name, str):
        yield Defect("missing_event_type", "event", "a track call needs an event")
        return
    event = event_of(call, name) | _sets(call)
    if call.properties:
        event["event_properties"] = call.properties
    if name != ORDER:
        yield event
        return
    yield event | _revenue(call)
    for nth, product in enumerate(_products(call), start=1):
        yield event_of(call, "Product Purchased", nth) | {"event_properties": product}


def _view(call: Call) -> Members:
    named = {name: words for name in ("name", "category") if (words := call.text(name))}
    properties: Members = {**named, **call.properties}
    name = named.get("name") or call.text("properties", "name") or named.get("category")
    kind = call.kind.capitalize()
    event = event_of(call, f"Viewed {name} {kind}" if name else f"Viewed {kind}") | _sets(call)
    return event | ({"event_properties": properties} if properties else {})


def _group(call: Call) -> Iterator[Members | Defect]:
    group = call.text("groupId")
    if group is None:
        yield Defect("missing_group", "groupId", "a group call needs a groupId")
        return
    groups = {"groups": {GROUP_TYPE: group}}
    properties = {"group_properties": {"$set": call.traits}} if call.traits else {}
    identified = event_of(call, "$identify") | groups
    if "user_id" not in identified and "device_id" not in identified:
        yield event_of(call, "$groupidentify") | groups | properties
        return
    yield identified | {"user_properties": {"$set": {GROUP_TYPE: group}}}
    yield event_of(call, "$groupidentify", 1) | groups | properties


def _sets(call: Call) -> Members:
    """The user properties of an event that is no identification: plain, if nothing else is there.

    Operations and plain keys do not mix (amplitude.md#property-operations).
    """
    traits, touches = traits_of(call), touches_of(call)
    if touches:
        return _user_properties({"$set": traits | touches}, call)
    return {"user_properties": traits} if traits else {}


def _user_properties(operations: Members, call: Call) -> Members:
    """With the first touch beside the last, as Segment keeps them."""
    first = {f"initial_{name}": words for name, words in touches_of(call).items()}
    operations = operations | ({"$setOnce": first} if first else {})
    filled = {operation: values for operation, values in operations.items() if values}
    return {"user_properties": filled} if filled else {}


def _revenue(call: Call) -> Members:
    """Price times quantity wins over revenue, as it does at Amplitude."""
    price, quantity, revenue = (
        amount(call.at("properties", name)) for name in ("price", "quantity", "revenue")
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
