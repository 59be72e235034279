"""Events, identifications and group identifications: field names are Amplitude's.

`read_*` decide whether a value is a usable record. They decode only the members that decide it; the
rest stays bytes, unchanged.
"""

from collections.abc import Iterable, Sequence
from typing import Final, final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from schemas.decoding import decoded
from schemas.first_group import first_group
from schemas.ids import (
    ID_CHARACTERS_MAX,
    INVALID_LONG,
    INVALID_SHORT_MAX,
    ids_defect,
    length_defect,
)
from schemas.several import AT_ONCE, read_several, read_strict, read_together
from schemas.strictness import Defect

ABSENT: Final = Raw(b"")
# Property updates among the events: every routing lets them pass, and they keep their type.
PROPERTY_EVENTS: Final = frozenset({"$identify", "$groupidentify"})


class _Object(Struct, gc=False):
    """Any object: its members are not kept."""


@final  # `type(…) is` is faster than `isinstance`.
class EventFacts(Struct, gc=False):
    """The members of an event that decide whether, where and when it is delivered."""

    event_type: str | None = None
    user_id: str | None = None
    device_id: str | None = None
    time: int | None = None
    insert_id: str | None = None
    ip: str | UnsetType | None = UNSET  # Searching for the name of a null is slower.
    session_id: int | None = None
    event_id: int | None = None
    event_properties: _Object | None = None
    user_properties: _Object | None = None
    groups: Raw = ABSENT
    group_properties: _Object | None = None


@final
class IdentificationFacts(Struct, gc=False):
    user_id: str | None = None
    device_id: str | None = None
    time: int | None = None
    insert_id: str | None = None
    user_properties: Raw = ABSENT
    groups: Raw = ABSENT


@final
class GroupFacts(Struct, gc=False):
    group_type: str | None = None
    group_value: str | int | float | None = None
    time: int | None = None
    insert_id: str | None = None
    group_properties: Raw = ABSENT


_OBJECT_OR_NULL = b"{n"
_event = msgspec.json.Decoder(EventFacts)
_identification = msgspec.json.Decoder(IdentificationFacts)
_group = msgspec.json.Decoder(GroupFacts)


def read_event(value: bytes) -> EventFacts | Defect:
    facts = decoded(_event, value)
    return facts if type(facts) is Defect else usable_event(facts)


def read_events(values: Sequence[bytes]) -> Iterable[EventFacts | Defect]:
    """As `read_event` of each value, in half of the time."""
    return read_several(values, _event, read_event, _usable_events)


def events_by_hundreds(values: Sequence[bytes]) -> Iterable[Sequence[EventFacts] | None]:
    """The facts of a hundred after the other; None of those among which one has a defect."""
    for first in range(0, len(values), AT_ONCE):
        facts = read_together(values[first : first + AT_ONCE], _event, read_event, _usable_events)
        found = [one for one in facts if type(one) is EventFacts]
        yield found if len(found) == len(facts) else None


def read_strict_events(values: Sequence[bytes]) -> Sequence[EventFacts | Defect]:
    """The same of values that are strict by themselves, at most a hundred."""
    return read_strict(values, _event, read_event, _usable_events)


def _usable_events(several: Sequence[EventFacts]) -> Sequence[EventFacts | Defect]:
    return several if _are_surely_usable(several) else list(map(usable_event, several))


def _are_surely_usable(several: Sequence[EventFacts]) -> bool:
    """Whether `usable_event` finds no defect; where an event is unusual, it may be False, too.

    It takes half of the time: most events have a plain type, and ids without spaces around.
    """
    short, long = INVALID_SHORT_MAX, ID_CHARACTERS_MAX
    for facts in several:
        event_type, user_id, device_id = facts.event_type, facts.user_id, facts.device_id
        if not event_type or not "$" < event_type[0] < "\x7f" or facts.groups is not ABSENT:
            return False
        if user_id is not None and (
            not short < len(user_id) <= long
            or user_id != user_id.strip()
            or user_id == INVALID_LONG
        ):
            return False
        if device_id is None:
            if user_id is None:
                return False
        elif (
            not short < len(device_id) <= long
            or device_id != device_id.strip()
            or device_id == INVALID_LONG
        ):
            return False
    return True


def usable_event(facts: EventFacts) -> EventFacts | Defect:
    """The facts, or why no destination takes the event."""
    event_type = facts.event_type
    if event_type is None:
        return Defect("missing_event_type", "event_type", "an event needs an event_type")
    if not event_type or event_type.isspace():
        return Defect("invalid_event_type", "event_type", "event_type is blank")
    if (raw := facts.groups) is not ABSENT and not _is_object(raw):
        return _not_an_object("groups")
    if event_type == "$groupidentify" and facts.user_id is None and facts.device_id is None:
        key = event_key(facts)
        if key is None:
            return Defect("missing_id", "groups", "$groupidentify needs a group or an id")
        return length_defect("groups", key) or facts
    return ids_defect(facts.user_id, facts.device_id) or facts


def read_identification(value: bytes) -> IdentificationFacts | Defect:
    facts = decoded(_identification, value)
    return facts if isinstance(facts, Defect) else _usable_identification(facts)


def read_identifications(values: Sequence[bytes]) -> Iterable[IdentificationFacts | Defect]:
    """As `read_identification` of each value, in half of the time."""
    return read_several(values, _identification, read_identification, _usable_identifications)


def _usable_identifications(
    several: Sequence[IdentificationFacts],
) -> Sequence[IdentificationFacts | Defect]:
    return several if _are_surely_updates(several) else list(map(_usable_identification, several))


def _are_surely_updates(several: Sequence[IdentificationFacts]) -> bool:
    """As `_are_surely_usable`: most have properties, no groups, and ids without spaces around."""
    short, long = INVALID_SHORT_MAX, ID_CHARACTERS_MAX
    for facts in several:
        user_id, device_id, raw = facts.user_id, facts.device_id, facts.user_properties
        if raw is ABSENT or not _is_object(raw) or facts.groups is not ABSENT:
            return False
        if user_id is not None and (
            not short < len(user_id) <= long
            or user_id != user_id.strip()
            or user_id == INVALID_LONG
        ):
            return False
        if device_id is None:
            if user_id is None:
                return False
        elif (
            not short < len(device_id) <= long
            or device_id != device_id.strip()
            or device_id == INVALID_LONG
        ):
            return False
    return True


def _usable_identification(facts: IdentificationFacts) -> IdentificationFacts | Defect:
    """Properties are optional (amplitude.md#identify): it may be about a country."""
    if defect := ids_defect(facts.user_id, facts.device_id):
        return defect
    properties, groups = facts.user_properties, facts.groups
    if properties is not ABSENT and not _is_object(properties):
        return _not_an_object("user_properties")
    if groups is not ABSENT and not _is_object(groups):
        return _not_an_object("groups")
    return facts


def read_group_identification(value: bytes) -> GroupFacts | Defect:
    facts = decoded(_group, value)
    return facts if isinstance(facts, Defect) else _usable_group(facts)


def read_group_identifications(values: Sequence[bytes]) -> Iterable[GroupFacts | Defect]:
    """As `read_group_identification` of each value, in half of the time."""
    read, usable = read_group_identification, _usable_group
    return read_several(values, _group, read, lambda several: list(map(usable, several)))


def _usable_group(facts: GroupFacts) -> GroupFacts | Defect:
    if not facts.group_type:
        return Defect("missing_group", "group_type", "a group needs a group_type")
    if facts.group_value is None or facts.group_value == "":
        return Defect("missing_group", "group_value", "a group needs a group_value")
    properties = facts.group_properties
    if properties is not ABSENT and not _is_object(properties):
        return _not_an_object("group_properties")
    return length_defect("group_value", group_key(facts)) or facts


def event_key(facts: EventFacts) -> str | None:
    """The record's key: `user_id`, else `device_id`; of a `$groupidentify` with neither, its group.

    Without a key, the group's updates would lose their order.
    """
    if facts.user_id is not None:
        return facts.user_id
    if facts.device_id is not None or facts.groups is ABSENT:
        return facts.device_id
    return first_group(bytes(facts.groups))


def identification_key(facts: IdentificationFacts) -> str | None:
    return facts.user_id if facts.user_id is not None else facts.device_id


def group_key(facts: GroupFacts) -> str:
    return f"{facts.group_type}:{facts.group_value}"


def _is_object(raw: Raw) -> bool:
    # A `null` counts as absent; no other JSON value begins with `n`.
    return memoryview(raw)[0] in _OBJECT_OR_NULL


def _not_an_object(field: str) -> Defect:
    return Defect("invalid_type", field, f"{field} is not an object")
