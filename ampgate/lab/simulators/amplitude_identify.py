"""`/identify` and `/groupidentify` (amplitude.md#identify, amplitude.md#group-identify): forms in,
plain text out.

An array is taken as atomic, as `/batch` is; the documentation does not say.
"""

from collections import Counter

import msgspec

from ampgate.lab.simulators.amplitude_events import (
    ABSENT,
    decode_list,
    decode_object,
    is_invalid_id,
    min_id_length,
)
from ampgate.lab.simulators.amplitude_project import Project
from ampgate.lab.simulators.forms import form_fields, is_json
from ampgate.lab.simulators.model import Answer, Conditions, Request, one_line, text_answer
from ampgate.lab.simulators.windows import Limits, Throttle

# Documented for groups (amplitude.md#group-identify); the same is asked of users.
IDENTIFICATIONS_MAX = 1024
URL_MAX_BYTES = 8000  # "long URLs → 414" (amplitude.md#identify); the usual limit of servers.
THROTTLED_SECONDS = 15.0  # "pause devices of that request 15 s" (amplitude.md#identify).
MIN_ID_LENGTH = 5


class Identification(msgspec.Struct):
    user_id: str | None = None
    device_id: str | None = None
    user_properties: msgspec.Raw = ABSENT
    group_type: str | None = None
    group_value: str | int | float | None = None
    group_properties: msgspec.Raw = ABSENT


_IDENTIFICATION = msgspec.json.Decoder(Identification)


class IdentifyEndpoint:
    def __init__(self, path: str, project: Project) -> None:
        self._path, self._project = path, project
        options = project.options
        limits = Limits(
            options.events_per_second["/identify"],
            throttled_seconds=THROTTLED_SECONDS,
            in_flight_seconds=options.in_flight_seconds,
        )
        self._ids = Throttle(f"{path}: id", limits, project.violations)

    def answer(self, request: Request, now: float, conditions: Conditions) -> Answer:
        refusal = self._check_shape(request, conditions)
        if refusal is not None:
            return refusal
        fields = form_fields(request)
        raws = identifications(fields)
        if raws is None:
            return text_answer(400, "missing_event")
        if not self._project.accepts(fields.get("api_key", "")):
            if not fields.get("api_key"):
                self._project.violations.note(f"{self._path}: no api_key")
            return text_answer(400, "invalid_api_key")
        if len(raws) > IDENTIFICATIONS_MAX:
            self._project.violations.note(f"{self._path}: {len(raws)} identifications at once")
            return text_answer(413, "payload_too_large")
        decoded = [_decode(raw) for raw in raws]
        options = msgspec.Raw(fields.get("options", "").encode())
        for index in conditions.rejected:
            decoded[index] = None
        found = self._check(decoded, min_id_length(options, MIN_ID_LENGTH))
        if isinstance(found, Answer):
            return found
        if self._path == "/identify":
            refusal = self._judge(found, now, conditions)
            if refusal is not None:
                return refusal
        self._store(raws, found, now)
        return text_answer(200, "success")

    def _check_shape(self, request: Request, conditions: Conditions) -> Answer | None:
        violations, limit = self._project.violations, self._project.options.body_max_bytes
        if request.method not in ("POST", "GET"):
            return text_answer(405, "method_not_allowed")
        if len(request.query) > URL_MAX_BYTES:
            violations.note(f"{self._path}: a URL of {len(request.query)} bytes")
            return text_answer(414, "uri_too_long")
        if request.headers.get("content-encoding", "identity") != "identity":
            # gzip is known of the two JSON endpoints only (amplitude.md#hosts).
            violations.note(f"{self._path}: content-encoding {request.headers['content-encoding']}")
            return text_answer(400, "missing_event")
        if is_json(request):
            violations.note(f"{self._path}: a JSON body")
            return text_answer(400, "missing_event")
        size = len(request.body)
        if size > limit[self._path]:
            raws = identifications(form_fields(request))
            if raws is None or len(raws) > 1:
                violations.note(f"{self._path}: several identifications in {size} bytes")
        if size > min(limit[self._path], conditions.max_body_bytes or limit[self._path]):
            return text_answer(413, "payload_too_large")
        return None

    def _check(
        self, decoded: list[Identification | None], min_length: int
    ) -> list[Identification] | Answer:
        """The 400s are texts that name nobody; their exact words are not documented."""
        found: list[Identification] = []
        for identification in decoded:
            is_fit = identification is not None and (
                _is_group(identification)
                if self._path == "/groupidentify"
                else self._has_ids(identification, min_length)
            )
            if identification is None or not is_fit:
                self._project.dead[self._path] += len(decoded) == 1
                return text_answer(400, "invalid_event_field")
            found.append(identification)
        return found

    def _has_ids(self, identification: Identification, min_length: int) -> bool:
        """At least one id, none of them on the list; short ones count or are dropped."""
        ids = [i for i in (identification.user_id, identification.device_id) if i is not None]
        if not ids or any(is_invalid_id(name) for name in ids):
            return False
        long = [name for name in ids if len(name) >= min_length]
        if self._project.options.short_ids[self._path] == "reject":
            return len(long) == len(ids)
        return bool(long)

    def _judge(
        self, found: list[Identification], now: float, conditions: Conditions
    ) -> Answer | None:
        """One user twice in a request is always throttled (amplitude.md#identify)."""
        counts = Counter([_owner(identification) for identification in found])
        twice = [name for name, count in counts.items() if count > 1]
        for name in twice:
            self._project.violations.note(f"{self._path}: {name!r} twice in one request")
        imposed = dict(conditions.throttled)
        for identification in found:  # A fault may name the device of an identified user.
            if identification.device_id in imposed:
                imposed[_owner(identification)] = imposed[identification.device_id]
        judgement = self._ids.judge(counts, now, imposed, {})
        if twice or judgement.throttled:
            self._project.answered_throttled += 1
            return text_answer(429, "too_many_requests")
        self._ids.count(counts, now)
        return None

    def _store(self, raws: list[msgspec.Raw], found: list[Identification], now: float) -> None:
        project = self._project
        for raw, identification in zip(raws, found, strict=True):
            project.store(self._path, one_line(raw))
            if self._path == "/identify":
                changes = decode_object(identification.user_properties)
                project.users.apply(_owner(identification), changes, now)
            else:
                groups = {identification.group_type or "": identification.group_value}
                changes = decode_object(identification.group_properties)
                project.group_identify(groups, changes, now)


def identifications(fields: dict[str, str]) -> list[msgspec.Raw] | None:
    """The identification, or each of an array; `None` when there is none to be read."""
    raw = msgspec.Raw(fields.get("identification", "").strip().encode())
    if bytes(raw).startswith(b"["):
        return decode_list(raw) or None
    return [raw] if _decode(raw) is not None or bytes(raw).startswith(b"{") else None


def _decode(raw: msgspec.Raw) -> Identification | None:
    try:
        return _IDENTIFICATION.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None


def _is_group(identification: Identification) -> bool:
    value = identification.group_value
    return bool(identification.group_type) and value is not None and value != ""


def _owner(identification: Identification) -> str:
    return identification.user_id or identification.device_id or ""
