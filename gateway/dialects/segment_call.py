"""A Segment call: its members, each read once, over those of its batch."""

from functools import lru_cache
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct

from gateway.dialects.moments import MOMENT_CHARACTERS_MAX, milliseconds_of
from gateway.dialects.segment_context import CallContext, CallContexts, session_id_in
from gateway.dialects.segment_fields import text
from gateway.dialects.segment_wire import Properties, Wire, filled
from schemas.events import ABSENT
from schemas.strictness import Defect

SKEW_MILLISECONDS_MIN = 10_000  # A smaller difference may be latency.
_NO_ID: Final = (None, "")


_properties = msgspec.json.Decoder(Properties)


class Call(Struct, frozen=True, gc=False):
    """One call over its batch's members; `properties` and `traits` as they came, or absent."""

    kind: str
    wire: Wire
    context: CallContext
    user_id: str | None
    device_id: str | None
    message_id: str | None
    session_id: int | None
    platform: str | None  # Where the context names none.
    time: int | None
    properties: Raw
    traits: Raw
    user_traits: Raw  # Those, or the context's, where RudderStack's SDKs put them.

    def read_properties(self) -> Properties:
        given = self.properties
        return Properties() if given is ABSENT else _properties.decode(given)


def read_call(
    wire: Wire | None, contexts: CallContexts, sent_at: object, now_ms: int, kind: str | None
) -> Call | Defect:
    """The call of a strict value, of this kind or of the kind that it names."""
    if wire is None:
        return Defect("not_an_object", "", "a call is one object")
    context = contexts.of(wire.context, wire.integrations)
    if type(context) is Defect:
        return context
    user_id, anonymous_id, message_id = wire.user_id, wire.anonymous_id, wire.message_id
    if (
        (user_id is not None and type(user_id) is not str)
        or (anonymous_id is not None and type(anonymous_id) is not str)
        or (message_id is not None and type(message_id) is not str)
    ):
        if field := _field_of_no_id(wire):
            return Defect("invalid_type", field, f"{field} is neither a text nor a number")
        user_id, anonymous_id, message_id = map(text, (user_id, anonymous_id, message_id))
    time = _happened_at(wire, sent_at if wire.sent_at is UNSET else wire.sent_at, now_ms)
    if isinstance(time, Defect):
        return time
    properties = ABSENT if wire.properties is ABSENT else filled(wire.properties)
    traits = ABSENT if wire.traits is ABSENT else filled(wire.traits)
    if properties is None or traits is None:
        field = "properties" if properties is None else "traits"
        return Defect("invalid_type", field, f"{field} is not an object")
    return Call(
        str(wire.type) if kind is None else kind,
        wire,
        context,
        user_id or None,
        context.device_id or anonymous_id or None,
        message_id or None,
        context.session_id
        if wire.session_id is None and wire.own_session_id is None
        else _session_id(wire, context),
        "Web" if wire.channel == "web" and not context.has_platform else None,
        time,
        properties,
        traits,
        context.traits if traits is ABSENT else traits,
    )


def _field_of_no_id(wire: Wire) -> str | None:
    """The first id that is neither a text nor a number."""
    ids = {"userId": wire.user_id, "anonymousId": wire.anonymous_id, "messageId": wire.message_id}
    for field, given in ids.items():
        if given not in _NO_ID and text(given) is None:
            return field
    return None


def _session_id(wire: Wire, context: CallContext) -> int | None:
    """Segment's `session_id`, else RudderStack's."""
    found = context.first_session_id
    if found is None and wire.own_session_id is not None:
        found = session_id_in(wire.own_session_id)
    if found is None and wire.session_id is not None:
        found = session_id_in(wire.session_id)
    return context.session_id if found is None else found


def _happened_at(wire: Wire, sent_at: object, now_ms: int) -> int | Defect | None:
    """None if the call does not say. RudderStack's SDKs mean a `timestamp` as it is:
    `originalTimestamp` is of the sender's clock. Most name a `channel` (segment.md#api).
    """
    given, original = wire.timestamp, wire.original_timestamp
    has_original = original is not None and original != ""
    if has_original or wire.channel is not None:
        if (time := milliseconds_of(given)) is not None:
            return time
        given = original if has_original else given
    if given is None or given == "":
        return None
    return event_time(given, sent_at, now_ms)


def event_time(given: object, sent_at: object, now_ms: int) -> int | Defect:
    """The event's time on our clock: corrected by the difference to the sender's clock.

    Only if the event's time and the time of sending can be of one clock: an event is not later than
    its sending. If a sender gives an old time on purpose, its clock is right.
    """
    time = milliseconds_of(given)
    if time is None:
        return Defect("invalid_type", "timestamp", "timestamp is not ISO 8601")
    if isinstance(sent_at, str) and len(sent_at) <= MOMENT_CHARACTERS_MAX:
        sent = _sent(sent_at)
    else:
        sent = milliseconds_of(sent_at)
    if sent is None or time > sent + SKEW_MILLISECONDS_MIN:
        return time
    skew = now_ms - sent
    return time + skew if abs(skew) > SKEW_MILLISECONDS_MIN else time


@lru_cache(maxsize=16)  # The calls of a batch are sent at once.
def _sent(sent_at: str) -> int | None:
    return milliseconds_of(sent_at)
