"""The body of `/2/httpapi` and `/batch`: what is in it, and what is wrong with it.

The checks and their order are those of amplitude.md#order-of-validation; the fields those of
amplitude.md#request.

Only the members that decide something are decoded; everything else stays a slice of the body,
which is checked to be JSON and never built. 2,000 events so cost about a millisecond.
"""

from dataclasses import dataclass, field

import msgspec
import orjson

from schemas.decoding import NOT_DECODED

ABSENT = msgspec.Raw(b"")
INVALID_IDS = frozenset(
    ("anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown", "", "{}", "lmy47d")
) | {"00000000-0000-0000-0000-000000000000", "0", "-1"}
LISTED_ID_MAX = max(len(name) for name in INVALID_IDS if name.strip("0-"))
_OBJECT = ord("{")


class Event(msgspec.Struct, gc=False):
    event_type: str | None = None
    user_id: str | None = None
    device_id: str | None = None
    insert_id: str | None = None
    time: int | None = None
    session_id: int | None = None
    event_id: int | None = None
    event_properties: msgspec.Raw = ABSENT
    user_properties: msgspec.Raw = ABSENT
    groups: msgspec.Raw = ABSENT
    group_properties: msgspec.Raw = ABSENT
    skip_sync: bool | None = msgspec.field(default=None, name="$skip_user_properties_sync")


class Upload(msgspec.Struct):
    api_key: msgspec.Raw = ABSENT
    events: msgspec.Raw = ABSENT
    options: msgspec.Raw = ABSENT


class _Options(msgspec.Struct):
    min_id_length: int | None = None


_TEXTS = ("event_type", "user_id", "device_id", "insert_id")
_INTEGERS = ("time", "session_id", "event_id")
_OBJECTS = ("event_properties", "user_properties", "groups", "group_properties")
_UPLOAD = msgspec.json.Decoder(Upload)
_EVENT = msgspec.json.Decoder(Event)
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_OPTIONS = msgspec.json.Decoder(_Options)

Indexes = dict[str, list[int]]


@dataclass(slots=True)
class Findings:
    """Field → indexes of the events in which it is wrong."""

    missing: Indexes = field(default_factory=dict)
    invalid: Indexes = field(default_factory=dict)
    short: Indexes = field(default_factory=dict)


def decode_upload(body: bytes) -> Upload | None:
    """The request's members, or `None` when it is not a JSON object."""
    try:
        body.decode()  # A slice that is never decoded could hide what is not UTF-8.
        return _UPLOAD.decode(body)
    except NOT_DECODED:
        return None


def decode_list(raw: msgspec.Raw) -> list[msgspec.Raw] | None:
    try:
        return _RAWS.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None


def decode_events(raws: list[msgspec.Raw], findings: Findings) -> list[Event] | None:
    """The events; a member of the wrong type is a finding and absent. `None`: not all objects."""
    events: list[Event] = []
    for index, raw in enumerate(raws):
        try:
            events.append(_EVENT.decode(raw))
        except (msgspec.DecodeError, RecursionError):
            event = _lenient(raw, index, findings)
            if event is None:
                return None
            events.append(event)
    return events


def min_id_length(raw: msgspec.Raw, default: int) -> int:
    """Unreadable options are ignored: Segment sends `undefined` (amplitude.md#identify)."""
    try:
        length = _OPTIONS.decode(raw).min_id_length
    except (msgspec.DecodeError, RecursionError):
        return default
    return default if length is None else length


def decode_text(raw: msgspec.Raw) -> str:
    """A string; of anything else its JSON text."""
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.DecodeError:
        return bytes(raw).decode()


def decode_object(raw: msgspec.Raw) -> dict[str, object]:
    """An object; of anything else an empty one."""
    if is_absent(raw):
        return {}
    try:
        value = orjson.loads(bytes(raw))
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def is_absent(raw: msgspec.Raw) -> bool:
    return raw is ABSENT or bytes(raw) in (b"", b"null")


def is_invalid_id(name: str) -> bool:
    """Amplitude's list, and ids of zeros only, as a phone that limits tracking sends
    (amplitude.md#per-user-limits).
    """
    if len(name) > LISTED_ID_MAX and name[-1] not in "0- \t\r\n":
        return False  # Most ids, at a third of the cost.
    return name.strip().lower() in INVALID_IDS or not name.strip("0-")


def check_events(events: list[Event], findings: Findings, min_length: int) -> None:
    """Checks 10 to 12 of amplitude.md#order-of-validation."""
    for index, event in enumerate(events):
        event_type = event.event_type
        if event_type is None:
            if index not in findings.invalid.get("event_type", ()):
                _find(findings.missing, "event_type", index)
        elif not event_type or event_type.isspace():
            _find(findings.invalid, "event_type", index)
        user, device = event.user_id, event.device_id
        if user is None and device is None:
            _check_anonymous(event, index, findings)
        if user is not None:
            if is_invalid_id(user):
                _find(findings.invalid, "user_id", index)
            elif len(user) < min_length:
                _find(findings.short, "user_id", index)
        if device is not None:
            if is_invalid_id(device):
                _find(findings.invalid, "device_id", index)
            elif len(device) < min_length:
                _find(findings.short, "device_id", index)
        _check_objects(event, index, findings)


def drop_short_ids(events: list[Event], findings: Findings) -> None:
    """`/batch` removes a short id from its event; a finding stays only where none is left."""
    short, findings.short = findings.short, {}
    for index in short.get("user_id", ()):
        events[index].user_id = None
    for index in short.get("device_id", ()):
        events[index].device_id = None
    for name, indexes in short.items():
        left = [i for i in indexes if events[i].user_id is None and events[i].device_id is None]
        if left:
            findings.short[name] = left


def _check_objects(event: Event, index: int, findings: Findings) -> None:
    raws = (event.event_properties, event.user_properties, event.groups, event.group_properties)
    for name, raw in zip(_OBJECTS, raws, strict=True):
        if raw is not ABSENT and memoryview(raw)[0] != _OBJECT and not is_absent(raw):
            _find(findings.invalid, name, index)


def _check_anonymous(event: Event, index: int, findings: Findings) -> None:
    """A `$groupidentify` may come with neither id (amplitude.md#property-operations)."""
    is_wrong_type = any(index in findings.invalid.get(n, ()) for n in ("user_id", "device_id"))
    if event.event_type != "$groupidentify" and not is_wrong_type:
        _find(findings.missing, "user_id", index)
        _find(findings.missing, "device_id", index)


def _lenient(raw: msgspec.Raw, index: int, findings: Findings) -> Event | None:
    try:
        members = orjson.loads(bytes(raw))
    except orjson.JSONDecodeError:  # A lone surrogate: JSON by its grammar, but not text.
        _find(findings.invalid, "event_properties", index)
        return Event(event_type="?", device_id="unreadable")
    if not isinstance(members, dict):
        return None
    event = Event()
    for name in _TEXTS:
        value = members.get(name)
        if isinstance(value, str):
            setattr(event, name, value)
        elif value is not None:
            _find(findings.invalid, name, index)
    for name in _INTEGERS:
        value = members.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            _find(findings.invalid, name, index)
    for name in _OBJECTS:
        if members.get(name) is not None:
            setattr(event, name, msgspec.Raw(orjson.dumps(members[name])))
    skip = members.get("$skip_user_properties_sync")
    event.skip_sync = skip if isinstance(skip, bool) else None
    if skip is not None and event.skip_sync is None:
        _find(findings.invalid, "$skip_user_properties_sync", index)
    return event


def _find(where: Indexes, name: str, index: int) -> None:
    where.setdefault(name, []).append(index)
