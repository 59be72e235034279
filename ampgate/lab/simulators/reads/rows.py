"""A stored event as Amplitude's Export writes it (amplitude-read.md#export)."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from ampgate.lab.simulators.spool import Row

APP = 187520
# Not events: Amplitude keeps what they change, not themselves (amplitude.md#identify).
UPDATES = frozenset({"$identify", "$groupidentify"})
EVENT_ENDPOINTS = frozenset({"/2/httpapi", "/batch"})
_RENAMED = {"device_carrier": "carrier", "version_name": "app_version", "ip_address": "ip"}
_KEPT = (
    *("country", "region", "city", "dma", "language", "platform", "os_name", "os_version"),
    *("location_lat", "location_lng", "library", "start_version", "session_id", "event_id"),
    *("device_family", "device_type", "paying", "idfa", "adid"),
)
_OBJECTS = ("event_properties", "user_properties", "groups", "group_properties")


def event_of(row: Row) -> dict[str, object] | None:
    """As it was sent; None for what is no event."""
    if row.endpoint not in EVENT_ENDPOINTS:
        return None
    found: dict[str, object] = orjson.loads(row.body)
    return None if found.get("event_type") in UPDATES else found


def exported(event: Mapping[str, object], row: Row, copy: int = 0) -> dict[str, object]:
    uploaded = moment(row.uploaded_ms)
    time = event.get("time")
    happened = moment(time) if isinstance(time, int) else uploaded
    device_id = event.get("device_id") or _derived(str(event.get("user_id")))
    return {
        "$insert_id": event.get("insert_id"),
        "$schema": None,
        "amplitude_id": amplitude_id(owner_of(event)),
        "amplitude_attribution_ids": None,
        "app": APP,
        "client_event_time": happened,
        "client_upload_time": uploaded,
        "data": {},
        "device_id": device_id,
        "event_time": happened,
        "event_type": event["event_type"],
        "processed_time": uploaded,
        "sample_rate": None,
        "server_received_time": uploaded,
        "server_upload_time": uploaded,
        "user_id": event.get("user_id"),
        "uuid": f"{row.place:08x}-{copy:04x}-11f0-8000-{row.uploaded_ms:012x}",
        **{theirs: event.get(ours) for theirs, ours in _RENAMED.items()},
        **{name: event.get(name) for name in _KEPT},
        **{name: event.get(name) or {} for name in _OBJECTS},
    }


def owner_of(event: Mapping[str, object]) -> str:
    return str(event.get("user_id") or event.get("device_id") or "")


def amplitude_id(owner: str) -> int:
    digest = hashlib.blake2b(owner.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) >> 12


def moment(milliseconds: int) -> str:
    """As exported times look; one that Python cannot name becomes the last that it can."""
    try:
        found = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        found = datetime.max.replace(tzinfo=UTC)
    return found.isoformat(sep=" ", timespec="microseconds")[:26]


def _derived(user_id: str) -> str:
    """Without a device_id Amplitude derives one (amplitude.md#deduplication)."""
    return hashlib.blake2b(user_id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
