"""Amplitude: events by `/batch`, property updates by `/identify` and `/groupidentify`.

`/batch` names records by their index in the request, and a 400 or 429 stores nothing: whoever is
not named goes out again at once (upstreams.md §1.7). The other two take forms and name nobody.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import quote_plus

import msgspec
import orjson
from isal import igzip

from consumers.delivery.destination import Encoded, Limits, Request, Response
from consumers.delivery.outcomes import (
    Delivered,
    Hold,
    Id,
    Outcome,
    Pause,
    Reject,
    Resend,
    Retry,
    Skip,
    Split,
    Verdict,
)
from consumers.destinations.records import completed, read_record
from schemas.config import AmplitudeDestination
from schemas.events import (
    EventFacts,
    event_key,
    group_key,
    identification_key,
    read_event,
    read_group_identification,
    read_identification,
)
from schemas.records import Record
from schemas.topics import Kind

THROTTLED_SECONDS = 30.0  # Amplitude averages over 30 s (upstreams.md §1.2).
QUOTA_SECONDS = 3600.0  # The daily quota moves on by the hour (upstreams.md §1.2).
IDENTIFY_THROTTLED_SECONDS = 30.0  # 15 s are documented (upstreams.md §1.3).
ENVELOPE_BYTES = 300  # The key and the options around the events.
DETAIL_MAX = 1000


class Answer(msgspec.Struct):
    """The members of an error body that say who is to blame (upstreams.md §1.1)."""

    error: str = ""
    missing_field: str | None = None
    events_with_invalid_fields: dict[str, list[int]] = {}
    events_with_missing_fields: dict[str, list[int]] = {}
    events_with_invalid_id_lengths: dict[str, list[int]] = {}
    silenced_events: list[int] = []
    throttled_events: list[int] = []
    throttled_users: dict[str, float] = {}
    throttled_devices: dict[str, float] = {}
    exceeded_daily_quota_users: dict[str, float] = {}
    exceeded_daily_quota_devices: dict[str, float] = {}


_answer = msgspec.json.Decoder(Answer, strict=False)


class AmplitudeEvents:
    """`POST /batch` (upstreams.md §1.2)."""

    kind = Kind.EVENT
    limits = Limits(
        records=2000, bytes=20_000_000 - ENVELOPE_BYTES, linger_seconds=0.5, concurrency=8
    )

    def __init__(self, config: AmplitudeDestination) -> None:
        self.name = config.name
        key = orjson.dumps(config.api_key.get_secret_value())
        self._head = b'{"api_key":' + key + b',"options":{"min_id_length":1},"events":['
        self._gzip = config.gzip

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        found = read_record(record, read_event, event_key)
        if isinstance(found, Reject):
            return found
        facts, key, value = found
        if facts.insert_id is None or facts.time is None:
            value = completed(value, record, facts)
        return Encoded(value, key, facts.user_id, facts.device_id)

    def request(self, batch: Sequence[Encoded]) -> Request:
        body = self._head + b",".join([encoded.body for encoded in batch]) + b"]}"
        headers = {"content-type": "application/json"}
        if self._gzip and len(body) > 1024:
            body = igzip.compress(body, compresslevel=1)
            headers["content-encoding"] = "gzip"
        return Request("/batch", headers, body)

    def verdict(self, response: Response, batch: Sequence[Encoded]) -> Verdict:
        detail = response.body[:DETAIL_MAX].decode(errors="replace")
        match response.status:
            case status if 200 <= status < 300:
                return Verdict(Delivered())
            case 413:
                return Verdict(Split("payload_too_large", detail))
            case 401 | 403 | 404 | 405 as status:
                return Verdict(Pause(f"status_{status}"))
            case 400 | 429:
                return self._blame(response, batch, detail)
            case status if 300 <= status < 400:
                return Verdict(Pause(f"status_{status}"))
            case status if 400 <= status < 500:
                return Verdict(Split(f"status_{status}", detail))
            case status:
                return Verdict(Retry(f"status_{status}", response.retry_after_seconds))

    def _blame(self, response: Response, batch: Sequence[Encoded], detail: str) -> Verdict:
        try:
            answer = _answer.decode(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            answer = Answer()
        if answer.error.lower().startswith("invalid api key"):
            return Verdict(Pause("invalid_api_key"))
        if answer.missing_field == "api_key":
            return Verdict(Pause("invalid_api_key"))
        rejected = dict(_rejected(answer, detail))
        holds = _holds(answer)
        named: dict[int, Outcome] = {i: o for i, o in rejected.items() if 0 <= i < len(batch)}
        for index in answer.throttled_events:
            if 0 <= index < len(batch) and index not in named:
                named[index] = _hold_of(batch[index], holds)
        if named or holds:
            return Verdict(Resend(), named, holds)
        if response.status == 429:
            return Verdict(Retry("throttled", response.retry_after_seconds or THROTTLED_SECONDS))
        return Verdict(Split("rejected", detail))


def _rejected(answer: Answer, detail: str) -> Mapping[int, Reject]:
    found: dict[int, Reject] = {}
    for reason, fields in (
        ("invalid_field", answer.events_with_invalid_fields),
        ("missing_field", answer.events_with_missing_fields),
        ("invalid_id_length", answer.events_with_invalid_id_lengths),
    ):
        for field, indexes in fields.items():
            for index in indexes:
                found.setdefault(index, Reject(reason, f"{field}: {detail}"[:DETAIL_MAX]))
    for index in answer.silenced_events:
        found.setdefault(index, Reject("silenced", detail))
    return found


def _holds(answer: Answer) -> dict[Id, Hold]:
    throttled = Hold(THROTTLED_SECONDS, "throttled")
    over_quota = Hold(QUOTA_SECONDS, "daily_quota")
    return {
        **{Id("user", user): throttled for user in answer.throttled_users},
        **{Id("device", device): throttled for device in answer.throttled_devices},
        **{Id("user", user): over_quota for user in answer.exceeded_daily_quota_users},
        **{Id("device", device): over_quota for device in answer.exceeded_daily_quota_devices},
    }


def _hold_of(encoded: Encoded, holds: Mapping[Id, Hold]) -> Outcome:
    """A throttled event whose user or device is named waits on that clock, else on its key's."""
    for identity in (Id("user", encoded.user_id or ""), Id("device", encoded.device_id or "")):
        if identity in holds:
            return Resend()
    return Hold(THROTTLED_SECONDS, "throttled")


class _Form:
    """What `/identify` and `/groupidentify` have in common: a form in, plain text out."""

    def __init__(self, config: AmplitudeDestination, path: str) -> None:
        self.name = config.name
        key = quote_plus(config.api_key.get_secret_value()).encode()
        options = quote_plus('{"min_id_length":1}').encode()
        self._path = path
        self._head = b"api_key=" + key + b"&options=" + options + b"&identification="

    def request(self, batch: Sequence[Encoded]) -> Request:
        body = self._head + b"%5B" + b"%2C".join([one.body for one in batch]) + b"%5D"
        return Request(self._path, {"content-type": "application/x-www-form-urlencoded"}, body)

    def verdict(self, response: Response, batch: Sequence[Encoded]) -> Verdict:
        detail = response.body[:DETAIL_MAX].decode(errors="replace")
        match response.status:
            case status if 200 <= status < 300:
                return Verdict(Delivered())
            case 400 if "api_key" in detail or "api key" in detail.lower():
                return Verdict(Pause("invalid_api_key"))
            case 429:
                held = Hold(IDENTIFY_THROTTLED_SECONDS, "throttled")
                return Verdict(held, {}, {})
            case 401 | 403 | 404 | 405 as status:
                return Verdict(Pause(f"status_{status}"))
            case 413 | 414:
                return Verdict(Split("payload_too_large", detail))
            case status if 400 <= status < 500:
                return Verdict(Split("rejected", detail))
            case status if 300 <= status < 400:
                return Verdict(Pause(f"status_{status}"))
            case status:
                return Verdict(Retry(f"status_{status}", response.retry_after_seconds))


class AmplitudeIdentify(_Form):
    """`POST /identify` (upstreams.md §1.3): no dedupe there, never two of one user in a request."""

    kind = Kind.USER_PROPERTIES
    limits = Limits(
        records=1000, bytes=900_000, linger_seconds=0.5, concurrency=4, one_per_key=True
    )

    def __init__(self, config: AmplitudeDestination) -> None:
        super().__init__(config, "/identify")

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        found = read_record(record, read_identification, identification_key)
        if isinstance(found, Reject):
            return found
        facts, key, value = found
        body = quote_plus(value).encode()
        return Encoded(body, key, facts.user_id, facts.device_id)


class AmplitudeIdentifyAsEvents(AmplitudeEvents):
    """User properties as `$identify` events through `/batch`: deduped there by `insert_id`."""

    kind = Kind.USER_PROPERTIES

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        found = read_record(record, read_identification, identification_key)
        if isinstance(found, Reject):
            return found
        facts, key, value = found
        as_event = completed(value, record, facts, event_type="$identify")
        return Encoded(as_event, key, facts.user_id, facts.device_id)


class AmplitudeGroupIdentify(_Form):
    """`POST /groupidentify` (upstreams.md §1.4)."""

    kind = Kind.GROUP_PROPERTIES
    limits = Limits(
        records=1000, bytes=900_000, linger_seconds=0.5, concurrency=2, one_per_key=True
    )

    def __init__(self, config: AmplitudeDestination) -> None:
        super().__init__(config, "/groupidentify")

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        group = read_record(record, read_group_identification, group_key)
        if isinstance(group, Reject):
            return group
        _, key, value = group
        return Encoded(quote_plus(value).encode(), key)


class AmplitudeGroupIdentifyAsEvents(AmplitudeEvents):
    """Group properties as `$groupidentify` events through `/batch`."""

    kind = Kind.GROUP_PROPERTIES

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        group = read_record(record, read_group_identification, group_key)
        if isinstance(group, Reject):
            return group
        facts, key, _ = group
        event = EventFacts(time=facts.time, insert_id=facts.insert_id)
        members: dict[str, object] = {
            "event_type": "$groupidentify",
            "groups": {facts.group_type: facts.group_value},
            "group_properties": facts.group_properties,
        }
        if facts.insert_id is not None:
            members["insert_id"] = facts.insert_id
        if facts.time is not None:
            members["time"] = facts.time
        body = msgspec.json.encode(members)
        return Encoded(completed(body, record, event), key)
