"""Fields of an Amplitude event from a Segment call's context (segment.md#mapping). Pure.

The fields are those of Segment's own Amplitude destination with its default mapping.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from gateway.dialects.shapes import Places

Members: TypeAlias = dict[str, object]

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "app_version": ("app", "version"),
    "os_name": ("os", "name"),
    "os_version": ("os", "version"),
    "device_brand": ("device", "brand"),
    "device_manufacturer": ("device", "manufacturer"),
    "device_model": ("device", "model"),
    "carrier": ("network", "carrier"),
    "country": ("location", "country"),
    "region": ("location", "region"),
    "city": ("location", "city"),
    "dma": ("location", "dma"),
    "language": ("locale",),
    "ip": ("ip",),
    "idfv": ("device", "id"),
    "user_agent": ("userAgent",),
    "timezone": ("timezone",),
}
COORDINATES: Final = {
    "location_lat": ("location", "latitude"),
    "location_lng": ("location", "longitude"),
}
TOUCHES: Final[Mapping[str, tuple[str, ...]]] = {
    "utm_source": ("campaign", "source"),
    "utm_medium": ("campaign", "medium"),
    "utm_campaign": ("campaign", "name"),
    "utm_term": ("campaign", "term"),
    "utm_content": ("campaign", "content"),
    "referrer": ("page", "referrer"),
}
_ADVERTISING: Final = [("context", "device", name) for name in ("advertisingId", "idfa")]
PLACES: Final[Places] = {
    "event_properties": [("properties",), ("properties", "products")],
    "user_properties": [("traits",), ("context", "traits")],
    "group_properties": [("traits",)],
    "groups": [("integrations", name, "groups") for name in ("Actions Amplitude", "Amplitude")],
    "idfa": _ADVERTISING,
    "adid": _ADVERTISING,
    **{name: [("context", *path)] for name, path in {**FIELDS, **COORDINATES}.items()},
}
# The members of a context that are read.
CONTEXT: Final = frozenset(
    path[0] for paths in (FIELDS, COORDINATES, TOUCHES) for path in paths.values()
) | {"library", "sessionId", "traits"}
_AMOUNT = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
_PLATFORMS = {"ios": "iOS", "android": "Android"}
Pairs = list[tuple[str, str]]


def _by_section(fields: Mapping[str, tuple[str, ...]]) -> list[tuple[str, Pairs]]:
    """Most calls have few of these sections, so each is looked up once."""
    found: dict[str, Pairs] = {}
    for field, path in fields.items():
        if len(path) == 2:
            found.setdefault(path[0], []).append((path[1], field))
    return list(found.items())


_PLAIN: Final[Pairs] = [(path[0], field) for field, path in FIELDS.items() if len(path) == 1]
_SECTIONS: Final = _by_section(FIELDS)
_TOUCHES: Final = _by_section(TOUCHES)


def fields_of(context: Mapping[str, object]) -> Members:
    fields = _texts(_SECTIONS, context)
    for name, field in _PLAIN:
        if name in context and (words := text(context[name])) is not None:
            fields[field] = words
    location, device = context.get("location"), context.get("device")
    if isinstance(location, dict):
        for field, path in COORDINATES.items():
            if (coordinate := number(location.get(path[1]))) is not None:
                fields[field] = coordinate
    if isinstance(device, dict):
        advertising_id = text(device.get("advertisingId")) or text(device.get("idfa"))
        if advertising_id is not None:
            fields["idfa"] = fields["adid"] = advertising_id
    return fields


def platform_of(context: Mapping[str, object]) -> str | None:
    device, library = context.get("device"), context.get("library")
    platform = text(device.get("type")) if isinstance(device, dict) else None
    if platform is not None:
        return _PLATFORMS.get(platform.lower(), platform)
    in_browser = isinstance(library, dict) and library.get("name") == "analytics.js"
    return "Web" if in_browser else None


def touches_of(context: Mapping[str, object]) -> Members:
    return _texts(_TOUCHES, context)


def first_touches(touches: Members) -> Members:
    return {f"initial_{name}": words for name, words in touches.items()}


def _texts(sections: list[tuple[str, Pairs]], context: Mapping[str, object]) -> Members:
    found: Members = {}
    for section, pairs in sections:
        if section in context and isinstance(given := context[section], dict):
            for name, field in pairs:
                if name in given and (words := text(given[name])) is not None:
                    found[field] = words
    return found


def text(value: object) -> str | None:
    """A non-empty string; a number as it is written, since Segment takes numeric ids."""
    if value is None or isinstance(value, str):
        return value or None
    return str(value) if number(value) is not None else None


def amount(value: object) -> int | float | None:
    """A number, also in a string, as senders write prices; not with a currency sign."""
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return int(value) if value.strip("+-").isdecimal() else float(value)
    return number(value)


def number(value: object) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
