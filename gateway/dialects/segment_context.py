"""What a Segment call's `context` and `integrations` say of its events. Pure.

Most SDKs write the same ones into all calls of a batch, so those alike in a row are read once.
"""

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from gateway.dialects.moments import milliseconds_of
from gateway.dialects.records import REMOTE, ip_end, time_and_ip
from gateway.dialects.segment_fields import (
    Members,
    fields_of,
    first_touches,
    platform_of,
    text,
    touches_of,
)
from gateway.dialects.segment_integrations import (
    Settings,
    event_id_in,
    groups_in,
    opted_out_of,
    settings_of,
    skips_user_properties_sync,
    unset_in,
)
from gateway.dialects.segment_wire import filled
from gateway.dialects.shapes import Context
from schemas.events import ABSENT
from schemas.ids import INVALID_IDS
from schemas.opt_outs import OPTED_OUT
from schemas.strictness import LEVELS_MAX, TREE_BYTES_MAX, Defect

# In a context or in `integrations`: as objects they take up to 100 times their text.
VALUES_MAX = 10_000
_anything = msgspec.json.Decoder()


class CallContext(Struct, frozen=True, gc=False):
    end: bytes  # Of an Amplitude event: its members, and a brace.
    timed: bytes | None  # The same of a record with a time, and of one without: with all that it
    untimed: bytes | None  # lacks. None where a member may have to be replaced.
    whence: Context
    ip: str | UnsetType
    has_platform: bool
    device_id: str | None
    first_session_id: int | None  # It counts before one of the call itself.
    session_id: int | None  # That, or the one that counts where the call has none.
    touches: Members
    operations: Raw  # What the touches set, where there are no traits.
    traits: Raw
    groups: Raw
    unset: Members


class CallContexts:
    """Those of calls, over what their batch says for all of them."""

    def __init__(self, shared: Mapping[str, object], whence: Context) -> None:
        self._shared = shared
        self._whence = whence
        self._ip_end = b"}" if whence.remote_ip is None else ip_end(whence.remote_ip)
        self._time_end = time_and_ip(whence.now_ms, whence.remote_ip)
        self._last: tuple[Raw, Raw, CallContext] | None = None

    def of(self, context: Raw, integrations: Raw) -> CallContext | Defect:
        last = self._last
        if last is not None and last[0] == context and last[1] == integrations:
            return last[2]
        found = self._read(context, integrations)
        if isinstance(found, CallContext):
            self._last = (context, integrations, found)
        return found

    def _read(self, own_context: Raw, own_integrations: Raw) -> CallContext | Defect:
        context = _with_shared(own_context, self._shared.get("context"))
        integrations = _with_shared(own_integrations, self._shared.get("integrations"))
        for part in (context, integrations):
            if isinstance(part, Defect):
                return part
        members = context if isinstance(context, dict) else {}
        fields: Members = {"library": "segment", **fields_of(members)}
        if (platform := platform_of(members)) is not None:
            fields["platform"] = platform
        settings = settings_of(integrations)
        if (event_id := event_id_in(settings)) is not None:
            fields["event_id"] = event_id
        if skips_user_properties_sync(settings):
            fields["$skip_user_properties_sync"] = True
        ip = given if isinstance(given := fields.get("ip"), str) else UNSET
        end = b"," + msgspec.json.encode(fields)[1:]
        touches, first_session_id = touches_of(members), _session_id_of(settings)
        whence = _with_opt_outs(self._whence, opted_out_of(integrations))
        if ip is UNSET:
            timed: bytes | None = end[:-1] + self._ip_end
        else:
            timed = end if whence.keeps_ip and ip != REMOTE else None
        return CallContext(
            end=end,
            timed=timed,
            untimed=end[:-1] + self._time_end if ip is UNSET else None,
            whence=whence,
            ip=ip,
            has_platform=platform is not None,
            device_id=_device_id(members),
            first_session_id=first_session_id,
            session_id=session_id_in(members.get("sessionId"))
            if first_session_id is None
            else first_session_id,
            touches=touches,
            operations=_operations(touches),
            traits=_traits_in(members),
            groups=groups_in(settings),
            unset=unset_in(settings),
        )


def _with_opt_outs(whence: Context, opted_out: bytes | None) -> Context:
    if opted_out is None:
        return whence
    return replace(whence, headers=[*whence.headers, (OPTED_OUT, opted_out)])


def _operations(touches: Members) -> Raw:
    if not touches:
        return ABSENT
    return Raw(msgspec.json.encode({"$set": touches, "$setOnce": first_touches(touches)}))


def session_id_in(given: object) -> int | None:
    """A number, digits or ISO 8601."""
    if given is None:
        return None
    if isinstance(given, str):
        number_in_it = given.rpartition(":")[2]  # RudderStack's may have a text before it.
        is_number = number_in_it.isascii() and number_in_it.isdecimal()
        is_number = is_number and len(number_in_it) < 17
        given = int(number_in_it) if is_number else milliseconds_of(given)
    if isinstance(given, int) and not isinstance(given, bool) and abs(given) < 2**53:
        return given
    return None


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


def _device_id(context: Mapping[str, object]) -> str | None:
    """The device's id, unless it is one that many devices share."""
    device = context.get("device")
    device_id = text(device.get("id")) if isinstance(device, dict) else None
    if device_id is None or device_id.strip().lower() in INVALID_IDS:
        return None
    return device_id


def _session_id_of(settings: Settings) -> int | None:
    """Segment's."""
    for given in settings:
        if (found := session_id_in(given.get("session_id"))) is not None:
            return found
    return None


def _traits_in(context: Mapping[str, object]) -> Raw:
    traits = context.get("traits")
    if isinstance(traits, Raw):  # A batch's, encoded once for all its calls.
        return filled(traits) or ABSENT
    return Raw(msgspec.json.encode(traits)) if isinstance(traits, dict) and traits else ABSENT
