"""Segment's tracking API (upstreams.md §4): every call is kept, and the answer is always 200.

What cannot be used becomes a dead letter. RudderStack's SDKs speak the same protocol.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

import msgspec
import orjson
from msgspec import Raw, Struct

from gateway.dialects.keys import basic_key
from gateway.dialects.moments import milliseconds_of
from gateway.dialects.segment_call import Call, Members, is_object, members_of, text
from gateway.dialects.segment_mapping import events_of
from gateway.dialects.shapes import (
    POST,
    Answer,
    Batch,
    Context,
    Facts,
    Opened,
    RefusedError,
    Rejection,
    Request,
    parse_json,
    record_of,
)
from schemas.events import ABSENT, read_event
from schemas.strictness import LEVELS_MAX, Defect
from schemas.topics import Kind

SKEW_MILLISECONDS_MIN = 10_000  # A smaller difference may be the network's.
CODES: Final[Mapping[int, str]] = {
    400: "bad_request",
    401: "invalid_write_key",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "payload_too_large",
    415: "unsupported_encoding",
    429: "rate_limited",
    503: "unavailable",
}
_array = msgspec.json.Decoder(list[Raw])
_object = msgspec.json.Decoder(dict[str, Raw])


class _Parts(Struct, gc=False):
    """What of a call travels as it came."""

    properties: Raw = ABSENT
    traits: Raw = ABSENT


_parts = msgspec.json.Decoder(_Parts)


class Segment:
    """One call a request (`call` names it), or a batch of them."""

    dialect = "segment"
    kind = Kind.EVENT
    methods = POST

    def __init__(self, call: str) -> None:
        self.call = call

    def open(self, request: Request) -> Opened:
        try:
            tree = parse_json(request.body)
        except orjson.JSONDecodeError as error:
            raise RefusedError(self.failure(400, f"malformed JSON: {error}")) from error
        if not isinstance(tree, dict):
            raise RefusedError(self.failure(400, "the body is not an object"))
        key = _key(request, tree)
        if key is None:
            raise RefusedError(self.failure(401, "there is no write key"))
        if self.call != "batch":
            return Opened(key, [request.body.strip()])
        if not isinstance(tree.get("batch"), list):
            raise RefusedError(self.failure(400, "batch is not an array"))
        raws = _array.decode(_object.decode(request.body)["batch"])
        shared = {
            name: tree[name] for name in ("context", "integrations", "sentAt") if name in tree
        }
        return Opened(key, [bytes(raw) for raw in raws], shared=shared)

    def read(self, opened: Opened, context: Context) -> Batch:
        batch = Batch()
        for index, value in enumerate(opened.values):
            found = self._events(value, opened.shared, context.now_ms)
            if isinstance(found, Defect):
                batch.rejected.append(Rejection(index, found, value))
                continue
            for event, facts in found:
                record, insert_id = record_of(event, facts, context)
                batch.records.append(record)
                batch.receipts.append((index, insert_id))
        return batch

    def _events(
        self, value: bytes, shared: Mapping[str, object], now_ms: int
    ) -> list[tuple[bytes, Facts]] | Defect:
        """All events of a call, or none."""
        call = self._read_call(value, shared, now_ms)
        events = call if isinstance(call, Defect) else events_of(call)
        if isinstance(events, Defect):
            return events
        found: list[tuple[bytes, Facts]] = []
        for event in events:
            encoded = msgspec.json.encode(event)
            facts = read_event(encoded)
            if isinstance(facts, Defect):
                return facts
            found.append((encoded, facts))
        return found

    def _read_call(self, value: bytes, shared: Mapping[str, object], now_ms: int) -> Call | Defect:
        own = decoded(value)
        if isinstance(own, Defect):
            return own
        members = merged(shared, own)
        for field in ("userId", "anonymousId", "messageId"):
            if members.get(field) not in (None, "") and text(members[field]) is None:
                return Defect("invalid_type", field, f"{field} is neither a text nor a number")
        time = event_time(members, now_ms)
        if isinstance(time, Defect):
            return time
        parts = _parts.decode(value)
        for field, raw in (("properties", parts.properties), ("traits", parts.traits)):
            if raw is not ABSENT and not is_object(raw) and bytes(raw) != b"null":
                return Defect("invalid_type", field, f"{field} is not an object")
        kind = members.get("type") if self.call == "batch" else self.call
        return Call(str(kind), members, _members(parts.properties), _members(parts.traits), time)

    def success(self, request: Request, batch: Batch, now_ms: int) -> Answer:
        return Answer(200, b'{"success":true}')

    def unknown_key(self, key: str) -> Answer:
        return self.failure(401, "no source has this write key")

    def failure(self, status: int, message: str) -> Answer:
        """Both Python SDKs read `code` and `message` (upstreams.md §4.3)."""
        code = CODES.get(status, "error")
        return Answer(status, orjson.dumps({"success": False, "code": code, "message": message}))


def event_time(members: Mapping[str, object], now_ms: int) -> int | Defect | None:
    """When it happened, by our clock: moved by as much as the sender's is off.

    Only where the event's time and the time of sending can be of one clock: nothing happens after
    it is sent. A sender that gives an old time on purpose has a clock that is right.
    """
    given = members.get("originalTimestamp") or members.get("timestamp")
    if given is None:
        return None
    time = milliseconds_of(given)
    if time is None:
        return Defect("invalid_type", "timestamp", "timestamp is not ISO 8601")
    sent = milliseconds_of(members.get("sentAt"))
    if sent is None or time > sent + SKEW_MILLISECONDS_MIN:
        return time
    skew = now_ms - sent
    return time + skew if abs(skew) > SKEW_MILLISECONDS_MIN else time


def decoded(value: bytes) -> Members | Defect:
    try:
        own = msgspec.json.decode(value)  # Unlike orjson, it keeps large numbers as they are.
    except RecursionError:
        return Defect("too_deep", "", f"nesting over {LEVELS_MAX} levels")
    except (msgspec.DecodeError, ValueError) as error:
        return Defect("invalid_type", "", str(error))
    return own if isinstance(own, dict) else Defect("not_an_object", "", "a call is one object")


def merged(shared: Mapping[str, object], own: Mapping[str, object]) -> Members:
    """The call's own members, over what its batch says for all."""
    members: Members = {**shared, **own}
    for name in ("context", "integrations"):
        ours, theirs = own.get(name), shared.get(name)
        if isinstance(theirs, dict):
            members[name] = {**theirs, **ours} if isinstance(ours, dict) else theirs
    return members


def _members(raw: Raw) -> dict[str, Raw]:
    return members_of(raw) if raw is not ABSENT and is_object(raw) else {}


def _key(request: Request, tree: Mapping[str, object]) -> str | None:
    """Basic authentication, else `writeKey` in the body, in its first call, or in the query."""
    if (key := basic_key(request.headers)) is not None:
        return key
    batch = tree.get("batch")
    first = batch[0] if isinstance(batch, list) and batch else None
    for members in (tree, first):
        key = members.get("writeKey") if isinstance(members, dict) else None
        if isinstance(key, str) and key:
            return key
    # RudderStack's beacon can set no header.
    return parse_qs(request.query.decode("latin-1")).get("writeKey", [""])[-1] or None
