"""A row of Amplitude's Export as a record of ours (amplitude-read.md#export). Pure.

Exported names differ from those on the way in, and what Amplitude added is left out. Ids stay: the
`insert_id`, or where a sender gave none, Amplitude's own `uuid`; so a second run sends the same.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

# As it is called on the way in: as it is exported.
RENAMED = {"carrier": "device_carrier", "app_version": "version_name", "ip": "ip_address"}
SAME = (
    *("event_type", "user_id", "device_id", "session_id", "event_id"),
    *("event_properties", "user_properties", "groups", "group_properties"),
    *("platform", "os_name", "os_version", "country", "region", "city", "dma", "language"),
    *("location_lat", "location_lng", "library", "start_version", "idfa", "adid", "paying"),
)
SKIP_SYNC = "$skip_user_properties_sync"  # Amplitude's advice for history (amplitude.md#request).


@dataclass(frozen=True, slots=True)
class HistoryRecord:
    key: str
    device: str  # Who is paced: the device, or without one the user.
    value: bytes


def record_of(line: bytes, *, skip_sync: bool) -> HistoryRecord | None:
    """None for a row that no destination could use: without ids, or without a time."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:  # DuckDB reads more than JSON: `NaN`, a comma at the end.
        return None
    if not isinstance(row, dict):
        return None
    time = milliseconds(row.get("event_time"))
    key = row.get("user_id") or row.get("device_id")
    if time is None or not isinstance(key, str) or not row.get("event_type"):
        return None
    given = {name: row.get(name) for name in SAME}
    given |= {ours: row.get(theirs) for ours, theirs in RENAMED.items()}
    members = {name: value for name, value in given.items() if value not in (None, "", {})}
    members["time"] = time
    if insert_id := row.get("$insert_id") or row.get("uuid"):
        members["insert_id"] = str(insert_id)
    if skip_sync:
        members[SKIP_SYNC] = True
    return HistoryRecord(key, str(row.get("device_id") or key), orjson.dumps(members))


def milliseconds(text: object) -> int | None:
    """Of an exported time, which is UTC: `2026-01-05 09:00:00.123000`."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000 + 0.5)
