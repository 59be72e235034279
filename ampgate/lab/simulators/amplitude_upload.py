"""`/2/httpapi` and `/batch` (amplitude.md#request), checked in the order of
amplitude.md#order-of-validation.
"""

from collections import Counter
from collections.abc import Mapping
from math import floor

import msgspec

from ampgate.lab.simulators import amplitude_events as events_of
from ampgate.lab.simulators.amplitude_events import Event, Findings, Indexes
from ampgate.lab.simulators.amplitude_project import Project, unpacked
from ampgate.lab.simulators.dedupe import Seen
from ampgate.lab.simulators.model import Answer, Conditions, Request, json_answer, one_line
from ampgate.lab.simulators.windows import Limits, Throttle

MIN_ID_LENGTH = 5
_MISSING = "Request missing required field"
_SHORT = "Invalid id length for user_id or device_id"


class UploadEndpoint:
    def __init__(self, path: str, project: Project) -> None:
        self._path, self._project = path, project
        options = project.options
        self._limits = Limits(
            options.events_per_second[path],
            daily_quota=options.daily_quota if path == "/batch" else None,
            flagged=options.flagged,
            in_flight_seconds=options.in_flight_seconds,
        )
        self._users = Throttle(f"{path}: user", self._limits, project.violations)
        self._devices = Throttle(f"{path}: device", self._limits, project.violations)

    def answer(self, request: Request, now: float, conditions: Conditions) -> Answer:
        body = self._body(request, conditions)
        if isinstance(body, Answer):
            return body
        upload = events_of.decode_upload(body)
        if upload is None:
            return _refusal(400, "Invalid JSON request body")
        for name, member in (("api_key", upload.api_key), ("events", upload.events)):
            if events_of.is_absent(member):
                self._project.violations.note(f"{self._path}: no {name}")
                return _refusal(400, _MISSING, missing_field=name)
        api_key = events_of.decode_text(upload.api_key)
        if not self._project.accepts(api_key):
            return _refusal(400, f"Invalid API key: {api_key}")
        raws = events_of.decode_list(upload.events)
        findings = Findings()
        for index, name in conditions.rejected.items():
            findings.invalid.setdefault(name, []).append(index)
        events = None if raws is None else events_of.decode_events(raws, findings)
        if raws is None or events is None:
            return _refusal(400, "Invalid event JSON")
        if len(events) > self._project.options.events_max:
            self._project.violations.note(f"{self._path}: {len(events)} events in one request")
            return _refusal(413, "Payload too large")
        refusal = self._check(events, findings, upload.options) or self._judge(
            events, now, conditions
        )
        if refusal is not None:
            return refusal
        self._store(raws, events, now)
        return json_answer(
            200,
            {
                "code": 200,
                "server_upload_time": floor(now * 1000),
                "payload_size_bytes": len(body),
                "events_ingested": len(events),
            },
        )

    def _body(self, request: Request, conditions: Conditions) -> bytes | Answer:
        """Checks 1 to 4."""
        violations, limit = self._project.violations, self._project.options.body_max_bytes
        if request.method != "POST":
            return _refusal(400, "Invalid request path")
        body = unpacked(request, limit[self._path])
        if body is None:
            encoding = request.headers.get("content-encoding")
            violations.note(f"{self._path}: content-encoding {encoding} cannot be decoded")
            return _refusal(400, "Invalid JSON request body")
        if len(body) > limit[self._path] and body.count(b'"event_type"') > 1:
            violations.note(f"{self._path}: several events in more than {limit[self._path]} bytes")
        if len(body) > min(limit[self._path], conditions.max_body_bytes or limit[self._path]):
            return _refusal(413, "Payload too large")
        return body or _refusal(400, "Missing request body")

    def _check(
        self, events: list[Event], findings: Findings, options: msgspec.Raw
    ) -> Answer | None:
        """Checks 10 to 12: nothing stored, and the indexes of the bad records."""
        min_length = events_of.min_id_length(options, MIN_ID_LENGTH)
        events_of.check_events(events, findings, min_length)
        if findings.missing:
            return self._blame(_MISSING, "events_with_missing_fields", findings.missing)
        if findings.invalid:
            error = "Invalid field values on some events"
            return self._blame(error, "events_with_invalid_fields", findings.invalid)
        if findings.short and self._project.options.short_ids[self._path] == "drop":
            events_of.drop_short_ids(events, findings)
        if findings.short:
            return self._blame(_SHORT, "events_with_invalid_id_lengths", findings.short)
        return None

    def _blame(self, error: str, member: str, indexes: Indexes) -> Answer:
        """`/2/httpapi` names only the first offending index of a field (amplitude.md#bad-request,
        "Index quirk").
        """
        if self._path == "/2/httpapi":
            indexes = {name: sorted(found)[:1] for name, found in indexes.items()}
        self._project.dead[self._path] += len({i for found in indexes.values() for i in found})
        lists: dict[str, Indexes] = {
            "events_with_invalid_fields": {},
            "events_with_missing_fields": {},
            "events_with_invalid_id_lengths": {},
        }
        return _refusal(400, error, **{**lists, member: indexes})

    def _judge(self, events: list[Event], now: float, conditions: Conditions) -> Answer | None:
        """Checks 13 and 14: silenced devices, then rates."""
        users, devices = _count(events)
        silenced = self._project.options.silenced | conditions.silenced
        if silenced and not silenced.isdisjoint(devices):
            return self._silence(events, silenced)
        imposed = (conditions.throttled, conditions.over_quota)
        of_users = self._users.judge(users, now, *imposed)
        of_devices = self._devices.judge(devices, now, *imposed)
        held_users = of_users.throttled.keys() | of_users.over_quota.keys()
        held_devices = of_devices.throttled.keys() | of_devices.over_quota.keys()
        if not held_users and not held_devices:
            self._users.count(users, now)
            self._devices.count(devices, now)
            return None
        self._project.answered_throttled += 1
        quota: dict[str, object] = {}
        if self._path == "/batch":
            quota = {
                "exceeded_daily_quota_users": of_users.over_quota,
                "exceeded_daily_quota_devices": of_devices.over_quota,
            }
        return _refusal(
            429,
            "Too many requests for some devices and users",
            eps_threshold=self._limits.events_per_second,
            throttled_devices=of_devices.throttled,
            throttled_users=of_users.throttled,
            **quota,
            throttled_events=[
                index
                for index, event in enumerate(events)
                if event.user_id in held_users or event.device_id in held_devices
            ],
        )

    def _silence(self, events: list[Event], silenced: frozenset[str]) -> Answer:
        indexes = [index for index, event in enumerate(events) if event.device_id in silenced]
        self._project.dead[self._path] += len(indexes)
        return _refusal(
            400,
            "Events silenced for device_id",
            eps_threshold=self._limits.events_per_second,
            silenced_devices=sorted({events[index].device_id or "" for index in indexes}),
            silenced_events=indexes,
            throttled_devices={},
            throttled_events=[],
            exceeded_daily_quota_devices={},
        )

    def _store(self, raws: list[msgspec.Raw], events: list[Event], now: float) -> None:
        for raw, event in zip(raws, events, strict=True):
            if event.insert_id is None:
                self._project.without_insert_id += 1
            elif self._is_repeated(event, event.insert_id, now):
                continue
            self._project.store(self._path, one_line(raw))
            self._identify(event, now)

    def _is_repeated(self, event: Event, insert_id: str, now: float) -> bool:
        # Without a device_id Amplitude derives one from the user_id (amplitude.md#deduplication).
        device = event.device_id or f"user_id {event.user_id}"
        seen = self._project.dedupe.see(device, insert_id, _content(event), now)
        if seen is Seen.CHANGED:
            reused = f"insert_id {insert_id!r} of {device!r} was reused"
            self._project.violations.note(f"{self._path}: {reused}")
        return seen is not Seen.NEW

    def _identify(self, event: Event, now: float) -> None:
        """Any event may set properties; operations are documented for `$identify` only
        (amplitude.md#property-operations).
        """
        project = self._project
        if event.event_type == "$groupidentify":
            groups = events_of.decode_object(event.groups)
            changes = events_of.decode_object(event.group_properties)
            project.group_identify(groups, changes, now)
        elif event.user_properties is not events_of.ABSENT and not event.skip_sync:
            changes = events_of.decode_object(event.user_properties)
            project.users.apply(event.user_id or event.device_id or "", changes, now)


def _count(events: list[Event]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    return (
        Counter([event.user_id for event in events if event.user_id is not None]),
        Counter([event.device_id for event in events if event.device_id is not None]),
    )


def _content(event: Event) -> int:
    """What may not differ between two sendings: not what a gateway may fill in, as `time`, `ip`."""
    return hash(
        (
            event.event_type,
            event.user_id,
            bytes(event.event_properties),
            bytes(event.user_properties),
            bytes(event.group_properties),
        )
    )


def _refusal(status: int, error: str, **members: object) -> Answer:
    return json_answer(status, {"code": status, "error": error, **members})
