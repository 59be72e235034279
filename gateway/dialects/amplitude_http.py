"""Amplitude's protocol (amplitude.md#request, amplitude-sdks.md#checklist-for-an-edge): all of a
request is stored, or nothing.
"""

import math
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import orjson

from gateway.dialects.amplitude_upload import opened_upload
from gateway.dialects.clocks import set_right, skew_of
from gateway.dialects.records import Facts, record_of
from gateway.dialects.shapes import (
    POST,
    TEXT,
    Answer,
    Batch,
    Context,
    Endpoint,
    Opened,
    RefusedError,
    Rejection,
    Request,
    failure,
    shown,
    split_json,
)
from gateway.dialects.usual_events import are_usual, records_of_usual
from schemas.events import ABSENT, GroupFacts, read_events
from schemas.strictness import Defect
from schemas.topics import Kind

SHORT: Final = "invalid_id_length"


class _Key(msgspec.Struct, gc=False):
    api_key: str
    events: msgspec.Raw


class _Outer(msgspec.Struct, gc=False):
    api_key: msgspec.Raw = ABSENT


KEY_CHARACTERS_MAX: Final = 1_000  # Whoever sends more than that sends no key.
_outer = msgspec.json.Decoder(_Outer)
_key = msgspec.json.Decoder(_Key)
# SDKs write the key first: then the body is read once.
_FIRST_KEY = re.compile(rb'\s*\{\s*"api_key"\s*:\s*"([\x20!#-\[\]-\x7e]{1,200})"')


class HttpApi(Endpoint):
    """`/2/httpapi` and `/batch`."""

    dialect = "amplitude"
    kind = Kind.EVENT
    methods = POST
    is_atomic = True

    def seen_key(self, request: Request) -> None:
        return None

    def sent_key(self, request: Request) -> str:
        if (first := _FIRST_KEY.match(request.body)) is not None:
            return first[1].decode()
        try:
            key = split_json(_key, request.body).api_key
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _unreadable(request.body) from error
        if not key:
            raise _missing_field("api_key")
        return key

    def open(self, request: Request) -> Opened:
        try:
            return opened_upload(request.body, self)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _unreadable(request.body) from error

    def read(self, opened: Opened, context: Context) -> Batch:
        values, shortest = opened.values, opened.min_id_length
        several = list(read_events(values))
        if skew := skew_of(opened.sent_ms, context.now_ms):
            values, several = set_right(values, several, skew, context)
        if are_usual(several, context, shortest):
            return Batch(records_of_usual(values, several, context))
        batch = Batch()
        for index, (value, facts) in enumerate(zip(values, several, strict=True), opened.first):
            if type(facts) is Defect:
                batch.rejected.append(Rejection(index, facts, value))
                continue
            user_id, device_id = facts.user_id, facts.device_id
            if (user_id is not None and len(user_id) < shortest) or (
                device_id is not None and len(device_id) < shortest
            ):
                for field in short_ids(facts, shortest):
                    batch.rejected.append(Rejection(index, too_short(field), value))
                continue
            batch.records.append(record_of(value, facts, context)[0])
        return batch

    def refusal(self, batch: Batch) -> Answer | None:
        return _invalid(batch.rejected) if batch.rejected else None

    def success(self, request: Request, batch: Batch, now_ms: int) -> Answer:
        return Answer(
            200,
            b'{"code":200,"events_ingested":%d,"payload_size_bytes":%d,"server_upload_time":%d}'
            % (len(batch.records) + len(batch.blocked), len(request.body), now_ms),
        )

    def unknown_key(self, key: str) -> Answer:
        """The SDK for Swift knows it by the whole key (amplitude-sdks.md#how-they-react)."""
        said = key if len(key) <= KEY_CHARACTERS_MAX else shown(key)
        return failure(400, f"Invalid API key: {said}")

    def throttled(self, count: int, rate: float) -> Answer:
        """The SDKs wait 30 s for the events that are named, and then send them again
        (amplitude-sdks.md#how-they-react).
        """
        body = {
            "code": 429,
            "error": "Too many requests for some devices and users",
            "eps_threshold": math.ceil(rate),
            "throttled_devices": {},
            "throttled_users": {},
            "throttled_events": list(range(count)),
        }
        return Answer(429, orjson.dumps(body))

    def silenced(self, indexes: Sequence[int]) -> Answer:
        """The SDKs drop the events that are named, and send the others again
        (amplitude.md#request).
        """
        body = {
            "code": 400,
            "error": "Events silenced for user_id",
            "silenced_devices": [],
            "silenced_events": list(indexes),
            "events_with_invalid_fields": {"user_id": list(indexes)},
        }
        return Answer(400, orjson.dumps(body))


def _invalid(rejected: Sequence[Rejection]) -> Answer:
    """Names every bad index of a request, so that an SDK drops them all and resends the rest once.

    Short ids are among the invalid fields as well: the Kotlin SDK reads only these.
    """
    missing: dict[str, list[int]] = {}
    invalid: dict[str, list[int]] = {}
    short: dict[str, list[int]] = {}
    for rejection in rejected:
        defect = rejection.defect
        fields = missing if defect.reason.startswith("missing") else invalid
        fields.setdefault(defect.field or "event", []).append(rejection.index)
        if defect.reason == SHORT:
            short.setdefault(defect.field, []).append(rejection.index)
    error = "Invalid field values on some events"
    if short and not missing and invalid == short:
        error = "Invalid id length for user_id or device_id"
    elif not invalid:
        error = "Request missing required field"
    body = {
        "code": 400,
        "error": error,
        "events_with_invalid_fields": invalid,
        "events_with_missing_fields": missing,
        "events_with_invalid_id_lengths": short,
    }
    return Answer(400, orjson.dumps(body))


def short_ids(facts: Facts, shortest: int) -> list[str]:
    if type(facts) is GroupFacts:
        return []
    user_id, device_id = facts.user_id, facts.device_id
    found = [] if user_id is None or len(user_id) >= shortest else ["user_id"]
    if device_id is not None and len(device_id) < shortest:
        found.append("device_id")
    return found


def too_short(field: str) -> Defect:
    return Defect(SHORT, field, f"{field} is too short")


def plain(status: int, words: str) -> Answer:
    return Answer(status, words.encode(), TEXT)


def _unreadable(body: bytes) -> RefusedError:
    """What is wrong with a body that is not an upload."""
    if not body.strip():
        return RefusedError(failure(400, "Missing request body"))
    try:
        outer = split_json(_outer, body)
    except msgspec.ValidationError:
        return RefusedError(failure(400, "Invalid JSON request body"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return RefusedError(failure(400, f"Invalid JSON request body: {error}"))
    is_text = bytes(memoryview(outer.api_key)[:1]) == b'"' and len(memoryview(outer.api_key)) > 2
    return _missing_field("events" if is_text else "api_key")


def _missing_field(name: str) -> RefusedError:
    body: dict[str, Any] = {
        "code": 400,
        "error": "Request missing required field",
        "missing_field": name,
    }
    return RefusedError(Answer(400, orjson.dumps(body)))
