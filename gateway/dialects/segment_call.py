"""A Segment call: its members, each read once, over those of its batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.dialects.moments import milliseconds_of
from gateway.dialects.segment_fields import Members, fields_of, platform_of, text, touches_of
from schemas.events import ABSENT
from schemas.ids import INVALID_IDS
from schemas.strictness import LEVELS_MAX, TREE_BYTES_MAX, Defect, strictness_defect

SKEW_MILLISECONDS_MIN = 10_000  # A smaller difference may be latency.
# In a context or in `integrations`: as objects they take up to 100 times their text.
VALUES_MAX = 10_000
_NO_MEMBERS: Final[Mapping[str, object]] = {}
_SESSIONS: Final = ("Actions Amplitude", "Amplitude")
_NOT_PLAIN = b"[{"
_EMPTY = (b"null", b"[]")  # PHP writes an object without members as a list.


class _Wire(Struct, gc=False, rename="camel"):
    """The members of a call that are read."""

    type: Raw = ABSENT
    event: Raw = ABSENT
    name: Raw = ABSENT
    category: Raw = ABSENT
    user_id: Raw = ABSENT
    anonymous_id: Raw = ABSENT
    message_id: Raw = ABSENT
    group_id: Raw = ABSENT
    channel: Raw = ABSENT
    timestamp: Raw = ABSENT
    original_timestamp: Raw = ABSENT
    sent_at: Raw = ABSENT
    session_id: Raw = ABSENT
    own_session_id: Raw = msgspec.field(default=ABSENT, name="session_id")
    context: Raw = ABSENT
    integrations: Raw = ABSENT
    properties: Raw = ABSENT
    traits: Raw = ABSENT


class Properties(Struct, gc=False):
    """The members that are read, of any JSON type."""

    name: Raw = ABSENT
    category: Raw = ABSENT
    price: Raw = ABSENT
    quantity: Raw = ABSENT
    revenue: Raw = ABSENT
    revenue_type: Raw = msgspec.field(default=ABSENT, name="revenueType")
    product_id: Raw = msgspec.field(default=ABSENT, name="productId")
    own_product_id: Raw = msgspec.field(default=ABSENT, name="product_id")
    products: Raw = ABSENT


_wire = msgspec.json.Decoder(_Wire)
_properties = msgspec.json.Decoder(Properties)


@dataclass(frozen=True, slots=True)
class Call:
    """One call over its batch's members; `properties` and `traits` as they came, or absent."""

    kind: str
    event: object
    name: str | None
    category: str | None
    group_id: str | None
    message_id: str | None
    common: Members  # Every event of the call has these.
    touches: Members
    properties: Raw
    traits: Raw
    user_traits: Raw  # The traits, or those in the context, where RudderStack's SDKs put them.
    integrations: object

    def read_properties(self) -> Properties:
        given = self.properties
        return Properties() if given is ABSENT else _properties.decode(given)


def read_call(
    value: bytes, shared: Mapping[str, object], now_ms: int, kind: str | None
) -> Call | Defect:
    """The call, of this kind or of the kind that it names."""
    if defect := strictness_defect(value):
        return defect
    try:
        wire = _wire.decode(value)
    except msgspec.ValidationError:
        return Defect("not_an_object", "", "a call is one object")
    context = _with_shared(wire.context, shared.get("context"))
    integrations = _with_shared(wire.integrations, shared.get("integrations"))
    for part in (context, integrations):
        if isinstance(part, Defect):
            return part
    members = context if isinstance(context, dict) else _NO_MEMBERS
    common = _common(wire, members, integrations)
    if isinstance(common, Defect):
        return common
    sent_at = plain(wire.sent_at) if wire.sent_at is not ABSENT else shared.get("sentAt")
    time = event_time(plain(wire.original_timestamp) or plain(wire.timestamp), sent_at, now_ms)
    if isinstance(time, Defect):
        return time
    if time is not None:
        common["time"] = time
    for field, raw in (("properties", wire.properties), ("traits", wire.traits)):
        if raw is not ABSENT and not is_object(raw) and bytes(raw) not in _EMPTY:
            return Defect("invalid_type", field, f"{field} is not an object")
    traits = _filled(wire.traits)
    return Call(
        kind=str(plain(wire.type)) if kind is None else kind,
        event=plain(wire.event),
        name=text(plain(wire.name)),
        category=text(plain(wire.category)),
        group_id=text(plain(wire.group_id)),
        message_id=text(plain(wire.message_id)),
        common=common,
        touches=touches_of(members),
        properties=_filled(wire.properties),
        traits=traits,
        user_traits=_traits_in(members) if traits is ABSENT else traits,
        integrations=integrations,
    )


def _common(wire: _Wire, context: Mapping[str, object], integrations: object) -> Members | Defect:
    common: Members = {"library": "segment"}
    ids: dict[str, str | None] = {}
    named = (
        ("userId", wire.user_id),
        ("anonymousId", wire.anonymous_id),
        ("messageId", wire.message_id),
    )
    for field, raw in named:
        given = plain(raw)
        ids[field] = text(given)
        if ids[field] is None and given not in (None, ""):
            return Defect("invalid_type", field, f"{field} is neither a text nor a number")
    if (user_id := ids["userId"]) is not None:
        common["user_id"] = user_id
    if (device_id := _device_id(context) or ids["anonymousId"]) is not None:
        common["device_id"] = device_id
    if (session_id := _session_id(wire, context, integrations)) is not None:
        common["session_id"] = session_id
    common |= fields_of(context)
    if (platform := platform_of(context, plain(wire.channel))) is not None:
        common["platform"] = platform
    return common


def _device_id(context: Mapping[str, object]) -> str | None:
    """The device's id, unless it is one that many devices share."""
    device = context.get("device")
    device_id = text(device.get("id")) if isinstance(device, dict) else None
    return None if (device_id or "").strip().lower() in INVALID_IDS else device_id


def _session_id(wire: _Wire, context: Mapping[str, object], integrations: object) -> int | None:
    """Segment's `session_id`, else RudderStack's; a number, digits or ISO 8601."""
    ours = integrations if isinstance(integrations, dict) else _NO_MEMBERS
    settings = [given for name in _SESSIONS if isinstance(given := ours.get(name), dict)]
    for given in (
        *(setting.get("session_id") for setting in settings),
        plain(wire.own_session_id),
        plain(wire.session_id),
        context.get("sessionId"),
    ):
        if given is None:
            continue
        if isinstance(given, str):
            number_in_it = given.rpartition(":")[2]  # RudderStack's may have a text before it.
            is_number = number_in_it.isascii() and number_in_it.isdecimal()
            is_number = is_number and len(number_in_it) < 17
            given = int(number_in_it) if is_number else milliseconds_of(given)
        if isinstance(given, int) and not isinstance(given, bool) and abs(given) < 2**53:
            return given
    return None


def event_time(given: object, sent_at: object, now_ms: int) -> int | Defect | None:
    """The event's time on our clock: corrected by the difference to the sender's clock.

    Only if the event's time and the time of sending can be of one clock: an event is not later than
    its sending. If a sender gives an old time on purpose, its clock is right.
    """
    if given is None or given == "":
        return None
    time = milliseconds_of(given)
    if time is None:
        return Defect("invalid_type", "timestamp", "timestamp is not ISO 8601")
    sent = milliseconds_of(sent_at)
    if sent is None or time > sent + SKEW_MILLISECONDS_MIN:
        return time
    skew = now_ms - sent
    return time + skew if abs(skew) > SKEW_MILLISECONDS_MIN else time


def decoded(value: Raw) -> object:
    """The JSON text as objects, or the defect that makes it unusable."""
    text_ = bytes(value)
    if len(text_) > TREE_BYTES_MAX and sum(map(text_.count, (b",", b"[", b"{"))) > VALUES_MAX:
        return Defect("too_many_values", "", f"over {VALUES_MAX} values where few are read")
    try:
        return msgspec.json.decode(text_)  # Unlike orjson, it keeps large numbers as they are.
    except RecursionError:
        return Defect("too_deep", "", f"nesting over {LEVELS_MAX} levels")
    except (msgspec.DecodeError, ValueError) as error:
        return Defect("invalid_type", "", str(error))


def plain(raw: Raw) -> object:
    """A string, number, boolean or None; an object or an array stays JSON text."""
    if raw is ABSENT:
        return None
    return raw if memoryview(raw)[0] in _NOT_PLAIN else msgspec.json.decode(raw)


def is_object(raw: Raw) -> bool:
    return bytes(memoryview(raw)[:1]) == b"{"


def _with_shared(own: Raw, shared: object) -> object:
    """The call's own members over the batch's."""
    if own is ABSENT:
        return shared
    ours = decoded(own)
    if not isinstance(shared, dict):
        return ours
    return {**shared, **ours} if isinstance(ours, dict) else shared


def _traits_in(context: Mapping[str, object]) -> Raw:
    traits = context.get("traits")
    if isinstance(traits, Raw):  # A batch's, encoded once for all its calls.
        return _filled(traits)
    return Raw(msgspec.json.encode(traits)) if isinstance(traits, dict) and traits else ABSENT


def _filled(raw: Raw) -> Raw:
    """Absent if it is `null` or has no members."""
    if raw is ABSENT or not is_object(raw):
        return ABSENT
    return raw if bytes(memoryview(raw)[1:]).lstrip()[:1] != b"}" else ABSENT
