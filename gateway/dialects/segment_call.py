"""A Segment call: its members, each read once, over those of its batch."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct

from gateway.dialects.moments import milliseconds_of
from gateway.dialects.segment_fields import Members, fields_of, platform_of, text, touches_of
from gateway.dialects.segment_wire import Properties, Wire, filled, wire_of
from schemas.events import ABSENT
from schemas.ids import INVALID_IDS
from schemas.strictness import LEVELS_MAX, TREE_BYTES_MAX, Defect

SKEW_MILLISECONDS_MIN = 10_000  # A smaller difference may be latency.
# In a context or in `integrations`: as objects they take up to 100 times their text.
VALUES_MAX = 10_000
_NO_MEMBERS: Final[Mapping[str, object]] = {}
_SESSIONS: Final = ("Actions Amplitude", "Amplitude")
_NO_ID: Final = (None, "")


_properties = msgspec.json.Decoder(Properties)
_anything = msgspec.json.Decoder()


class Call(Struct, frozen=True, gc=False):
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
    """The call of a strict value, of this kind or of the kind that it names."""
    try:
        wire = wire_of(value)
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
    sent_at = shared.get("sentAt") if wire.sent_at is UNSET else wire.sent_at
    time = event_time(wire.original_timestamp or wire.timestamp, sent_at, now_ms)
    if isinstance(time, Defect):
        return time
    if time is not None:
        common["time"] = time
    properties, traits = filled(wire.properties), filled(wire.traits)
    if properties is None or traits is None:
        field = "properties" if properties is None else "traits"
        return Defect("invalid_type", field, f"{field} is not an object")
    return Call(
        kind=str(wire.type) if kind is None else kind,
        event=wire.event,
        name=text(wire.name),
        category=text(wire.category),
        group_id=text(wire.group_id),
        message_id=text(wire.message_id),
        common=common,
        touches=touches_of(members),
        properties=properties,
        traits=traits,
        user_traits=_traits_in(members) if traits is ABSENT else traits,
        integrations=integrations,
    )


def _common(wire: Wire, context: Mapping[str, object], integrations: object) -> Members | Defect:
    common: Members = {"library": "segment"}
    user_id, anonymous_id = text(wire.user_id), text(wire.anonymous_id)
    if user_id is not None:
        common["user_id"] = user_id
    elif wire.user_id not in _NO_ID:
        return _no_id("userId")
    device_id = _device_id(context) or anonymous_id
    if device_id is not None:
        common["device_id"] = device_id
    if anonymous_id is None and wire.anonymous_id not in _NO_ID:
        return _no_id("anonymousId")
    if wire.message_id not in _NO_ID and text(wire.message_id) is None:
        return _no_id("messageId")
    if (session_id := _session_id(wire, context, integrations)) is not None:
        common["session_id"] = session_id
    common |= fields_of(context)
    if (platform := platform_of(context, wire.channel)) is not None:
        common["platform"] = platform
    return common


def _no_id(field: str) -> Defect:
    return Defect("invalid_type", field, f"{field} is neither a text nor a number")


def _device_id(context: Mapping[str, object]) -> str | None:
    """The device's id, unless it is one that many devices share."""
    device = context.get("device")
    device_id = text(device.get("id")) if isinstance(device, dict) else None
    return None if (device_id or "").strip().lower() in INVALID_IDS else device_id


def _session_id(wire: Wire, context: Mapping[str, object], integrations: object) -> int | None:
    """Segment's `session_id`, else RudderStack's; a number, digits or ISO 8601."""
    ours = integrations if isinstance(integrations, dict) else _NO_MEMBERS
    named = [ours.get(name) for name in _SESSIONS] if ours else ()
    settings = [given for given in named if isinstance(given, dict)]
    for given in (
        *(setting.get("session_id") for setting in settings),
        wire.own_session_id,
        wire.session_id,
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
        return _anything.decode(text_)  # Unlike orjson, it keeps large numbers as they are.
    except RecursionError:
        return Defect("too_deep", "", f"nesting over {LEVELS_MAX} levels")
    except (msgspec.DecodeError, ValueError) as error:
        return Defect("invalid_type", "", str(error))


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
        return filled(traits) or ABSENT
    return Raw(msgspec.json.encode(traits)) if isinstance(traits, dict) and traits else ABSENT
