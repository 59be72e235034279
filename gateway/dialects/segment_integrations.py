"""A call's `integrations`: the destinations that its sender excludes, and what it says to Amplitude
alone. Pure.

Destinations have several names: `Amplitude`, `Actions Amplitude`, `Amplitude (Actions)` are
Segment's, and their case differs between SDKs (segment.md#mapping).
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, TypeAlias

from msgspec import Raw
from msgspec.json import encode

from schemas.events import ABSENT
from schemas.vendors import VENDORS

_NOT_THE_NAME = re.compile(r"\(?\b(actions|classic|web|cloud|mode)\b\)?|[^a-z]")


_SETTINGS: Final = ("Actions Amplitude", "Amplitude")
Settings: TypeAlias = Sequence[Mapping[str, object]]


def settings_of(integrations: object) -> Settings:
    """What is said to Amplitude, under the name that counts first at first."""
    if not isinstance(integrations, dict):
        return ()
    found = map(integrations.get, _SETTINGS)
    return [settings for settings in found if isinstance(settings, dict)]


def groups_in(settings: Settings) -> Raw:
    """The groups of the event (segment.md#mapping)."""
    for given in settings:
        if isinstance(groups := given.get("groups"), dict) and groups:
            return Raw(encode(groups))
    return ABSENT


def event_id_in(settings: Settings) -> int | None:
    for given in settings:
        event_id = given.get("event_id")
        if type(event_id) is int and abs(event_id) < 2**53:
            return event_id
    return None


def skips_user_properties_sync(settings: Settings) -> bool:
    return any(given.get("skipUserPropertiesSync") is True for given in settings)


def unset_in(settings: Settings) -> dict[str, object]:
    """User properties that an identify call removes."""
    for given in settings:
        if isinstance(names := given.get("fieldsToUnset"), list):
            return {name: "-" for name in names if isinstance(name, str)}
    return {}


def opted_out_of(integrations: object) -> bytes | None:
    """The value of the record's header; None if every destination may get it."""
    if not isinstance(integrations, dict):
        return None
    by_type: dict[str, bool] = {}
    for name, given in integrations.items():
        kind = _type_of(name)
        # An object means yes, with settings. If two values differ, the no counts.
        if kind is not None:
            by_type[kind] = given is not False and by_type.get(kind, True)
    if by_type.get("all", True):
        words = [kind for kind in sorted(VENDORS) if not by_type.get(kind, True)]
    else:
        words = ["all", *(f"-{kind}" for kind in sorted(VENDORS) if by_type.get(kind, False))]
    return ",".join(words).encode() if words else None


def only_ours(integrations: Mapping[str, object]) -> dict[str, object]:
    """The members that are read here."""
    return {name: given for name, given in integrations.items() if _type_of(name) is not None}


def _type_of(name: str) -> str | None:
    if len(name) > 64:
        return None
    found = _NOT_THE_NAME.sub("", name.lower())
    if found == "all":
        return found
    return _by_letters(tuple(VENDORS)).get(found)


@cache
def _by_letters(types: tuple[str, ...]) -> Mapping[str, str]:
    return {re.sub("[^a-z]", "", kind): kind for kind in types}
