"""Aampe's ingestion API as a pure model (aampe.md#events to aampe.md#answers).

The service is FastAPI: its 401, 404, 405 and 422 bodies are FastAPI's and pydantic's own, so
pydantic itself does the checking. Limits are not published; a rate can be set.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Annotated

import orjson
from pydantic import BaseModel, Field, ValidationError

from ampgate.lab.simulators.aampe_content import PATHS as CONTENT_PATHS
from ampgate.lab.simulators.aampe_content import content
from ampgate.lab.simulators.model import (
    FAIR,
    Answer,
    Conditions,
    Received,
    Request,
    Violations,
    bearer_token,
    json_answer,
    one_line,
)

MILLISECONDS_FROM = 1e11  # As seconds this is the year 5138.
PATHS = ("/v1/events", "/v1/properties")

# A number, not a string with one (aampe.md#events: "require `timestamp` numeric").
Seconds = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class _Event(BaseModel):
    contact_id: Annotated[str, Field(min_length=1)]
    event_name: Annotated[str, Field(min_length=1)]
    timestamp: Seconds
    timezone: str | None = None
    event_id: str | None = None
    metadata: dict[str, object] = Field(default_factory=dict)


class _Properties(BaseModel):
    contact_id: str
    timestamp: Seconds
    user_properties: dict[str, object]
    event_name: str | None = None
    event_id: str | None = None
    metadata: dict[str, object] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AampeOptions:
    accepted_keys: frozenset[str] | None = None  # `None`: any key that is not empty.
    requests_per_second: float | None = None  # With a burst of one second's worth.
    retry_after_seconds: int = 1
    in_flight_seconds: float = 0.5  # Requests under way when a 429 is answered are not early.


@dataclass(slots=True)
class _Pace:
    """One key's token bucket, and until when it was told to wait."""

    tokens: float
    filled_at: float
    told_at: float = 0.0
    retry_at: float = 0.0


def simulated(accepted_keys: frozenset[str] | None) -> "Aampe":
    return Aampe(AampeOptions(accepted_keys=accepted_keys))


class Aampe:
    kind = "aampe"
    effects = frozenset({"throttle", "reject", "max_body_bytes"})

    def __init__(self, options: AampeOptions | None = None) -> None:
        self._options = options or AampeOptions()
        self.reset()

    def reset(self) -> None:
        self.received: list[Received] = []
        self.violations = Violations()
        self._accepted: Counter[str] = Counter()
        self._event_ids: set[int] = set()  # 64-bit hashes: a few bytes each.
        self._known: set[int] = set()  # As above, of contacts.
        self._duplicates = 0
        self._dead = 0
        self._millisecond_timestamps = 0
        self._throttled_answers = 0
        self._contacts: dict[str, dict[str, object]] = {}
        self._paces: dict[str, _Pace] = {}

    def answer(self, request: Request, now: float, conditions: Conditions = FAIR) -> Answer:
        if request.path in CONTENT_PATHS:  # In reality another host, and another key.
            return content(request, self._accepts, lambda name: hash(name) in self._known)
        if request.path not in PATHS:
            return json_answer(404, {"detail": "Not Found"})
        if request.method != "POST":
            return json_answer(405, {"detail": "Method Not Allowed"}, {"allow": "POST"})
        key = bearer_token(request)
        if not self._accepts(key):
            return json_answer(401, {"detail": "Invalid API Key"})
        limited = self._limit(key, now)
        if limited is not None:
            return limited
        if conditions.max_body_bytes is not None and len(request.body) > conditions.max_body_bytes:
            return json_answer(413, {"detail": "Request Entity Too Large"})
        body = self._parse(request)
        if isinstance(body, Answer):
            return body
        shape = _Event if request.path == "/v1/events" else _Properties
        try:
            record = shape.model_validate(body, from_attributes=True)
        except ValidationError as error:
            return self._unprocessable(error, body)
        if conditions.rejected:
            (name,) = conditions.rejected.values()  # A request is one record.
            self._dead += 1
            refused = {"type": "value_error", "loc": ["body", name], "msg": "Value error, rejected"}
            return json_answer(422, {"detail": [refused]})
        if record.contact_id in conditions.throttled:
            seconds = conditions.throttled[record.contact_id]
            return self._throttle(self._pace(key, now), now, seconds)
        self._store(request, record)
        return json_answer(202, None)

    def _accepts(self, key: str) -> bool:
        keys = self._options.accepted_keys
        return bool(key) if keys is None else key in keys

    def records(self, request: Request) -> list[dict[str, object]]:
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError):
            return []
        return [body] if isinstance(body, dict) else []

    def properties(self, owner: Mapping[str, str]) -> dict[str, object] | None:
        return self._contacts.get(owner.get("contact_id") or owner.get("user_id") or "")

    def stats(self) -> dict[str, object]:
        return {
            "accepted": self._accepted.total(),
            "accepted_by_endpoint": dict(self._accepted),
            "distinct_insert_ids": len(self._event_ids),
            "duplicates": self._duplicates,
            "dead": self._dead,
            "throttled_answers": self._throttled_answers,
            "users": len(self._contacts),
            "millisecond_timestamps": self._millisecond_timestamps,
        }

    def _parse(self, request: Request) -> object | Answer:
        """The body as FastAPI reads it; it decodes no content-encoding."""
        encoding = request.headers.get("content-encoding", "identity")
        if encoding != "identity":
            self.violations.note(f"{request.path}: content-encoding {encoding}")
            return json_answer(400, {"detail": "There was an error parsing the body"})
        if not request.body:
            missing = {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
            return json_answer(422, {"detail": [missing]})
        if "json" not in request.headers.get("content-type", "json"):
            return request.body.decode("utf-8", "replace")
        try:
            body: object = orjson.loads(request.body)
        except orjson.JSONDecodeError as error:
            self._dead += 1
            return json_answer(422, {"detail": [_json_invalid(request.body, error)]})
        return body

    def _unprocessable(self, error: ValidationError, body: object) -> Answer:
        self._dead += 1
        if isinstance(body, dict) and isinstance(body.get("metadata"), str):
            self.violations.note("metadata was sent as a string")
        detail = [
            {**found, "loc": ["body", *found["loc"]]}
            for found in error.errors(include_url=False, include_context=True)
        ]
        return json_answer(422, {"detail": detail})

    def _limit(self, key: str, now: float) -> Answer | None:
        pace = self._pace(key, now)
        if now < pace.retry_at and now - pace.told_at > self._options.in_flight_seconds:
            early = f"{pace.retry_at - now:.1f} s before Retry-After had passed"
            self.violations.note(f"a request came {early}")
        rate = self._options.requests_per_second
        if rate is None:
            return None
        pace.tokens = min(max(rate, 1.0), pace.tokens + (now - pace.filled_at) * rate)
        pace.filled_at = now
        if pace.tokens < 1.0:
            return self._throttle(pace, now, None)
        pace.tokens -= 1.0
        return None

    def _throttle(self, pace: _Pace, now: float, seconds: float | None) -> Answer:
        wait = self._options.retry_after_seconds if seconds is None else ceil(seconds)
        if now >= pace.retry_at:  # An early request does not prolong the wait.
            pace.told_at, pace.retry_at = now, now + wait
        self._throttled_answers += 1
        headers = {"retry-after": str(max(1, ceil(pace.retry_at - now)))}
        return json_answer(429, {"detail": "Too Many Requests"}, headers)

    def _pace(self, key: str, now: float) -> _Pace:
        pace = self._paces.get(key)
        if pace is None:
            burst = max(self._options.requests_per_second or 1.0, 1.0)
            pace = self._paces[key] = _Pace(tokens=burst, filled_at=now)
        return pace

    def _store(self, request: Request, record: _Event | _Properties) -> None:
        if record.timestamp > MILLISECONDS_FROM:
            self._millisecond_timestamps += 1
            self.violations.note(f"{request.path}: a timestamp in milliseconds")
        self._accepted[request.path] += 1
        self._known.add(hash(record.contact_id))
        if record.event_id is not None:
            event_id = hash(record.event_id)
            if event_id in self._event_ids:
                self._duplicates += 1
            self._event_ids.add(event_id)
        if isinstance(record, _Properties):
            self._contacts.setdefault(record.contact_id, {}).update(record.user_properties)
        self.received.append(Received(request.path, one_line(request.body)))


def _json_invalid(body: bytes, error: json.JSONDecodeError) -> dict[str, object]:
    """FastAPI parses with the standard library: its words and its position."""
    try:
        json.loads(body)
    except json.JSONDecodeError as standard:
        error = standard
    except (UnicodeDecodeError, RecursionError):
        pass
    return {
        "type": "json_invalid",
        "loc": ["body", error.pos],
        "msg": "JSON decode error",
        "input": {},
        "ctx": {"error": error.msg},
    }
