"""Segment's tracking API (segment.md#api): every call is kept, and the answer is always 200.

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
from gateway.dialects.segment_call import CONTEXT, Call, Members, is_object, members_of, text
from gateway.dialects.segment_integrations import only_ours, opted_out_of
from gateway.dialects.segment_mapping import events_of
from gateway.dialects.shapes import (
    POST,
    RECORDS_MAX,
    Answer,
    Batch,
    Context,
    Opened,
    RefusedError,
    Rejection,
    Request,
    record_of,
    split_json,
    too_many,
)
from schemas.events import ABSENT, read_event
from schemas.opt_outs import OPTED_OUT
from schemas.strictness import LEVELS_MAX, Defect, strictness_defect
from schemas.topics import Kind

KEY_BYTES_MAX = 16_000
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


class _Outer(Struct, gc=False, rename="camel"):
    """What a batch says for all its calls, and its calls."""

    batch: Raw = ABSENT
    context: Raw = ABSENT
    integrations: Raw = ABSENT
    sent_at: Raw = ABSENT
    write_key: Raw = ABSENT


_outer = msgspec.json.Decoder(_Outer)


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

    def seen_key(self, request: Request) -> str | None:
        """Basic authentication; RudderStack's beacon can set no header, and uses the query."""
        if (key := basic_key(request.headers)) is not None or not request.query:
            return key
        return parse_qs(request.query.decode("latin-1")).get("writeKey", [""])[-1] or None

    def sent_key(self, request: Request) -> str:
        """`writeKey` in the body, or in its first call."""
        outer = self._outer(request.body)
        key = _text_of(outer.write_key)
        if key is None and bytes(memoryview(outer.batch)[:1]) == b"[":
            calls = _array.decode(outer.batch)
            first = calls[0] if calls else ABSENT
            key = _text_of(_outer.decode(first).write_key) if is_object(first) else None
        if key is None:
            raise RefusedError(self.failure(401, "there is no write key"))
        return key

    def open(self, request: Request) -> Opened:
        outer = self._outer(request.body)
        if self.call != "batch":
            return Opened([request.body.strip()])
        if outer.batch is ABSENT or bytes(memoryview(outer.batch)[:1]) != b"[":
            raise RefusedError(self.failure(400, "batch is not an array"))
        parts = {"context": outer.context, "integrations": outer.integrations}
        parts |= {"sentAt": outer.sent_at}
        given = {name: decoded(bytes(raw)) for name, raw in parts.items() if raw is not ABSENT}
        # Every call looks at them, so only what is ever read is kept.
        if isinstance(context := given.get("context"), dict):
            given["context"] = {name: context[name] for name in CONTEXT if name in context}
        if isinstance(integrations := given.get("integrations"), dict):
            given["integrations"] = only_ours(integrations)
        values = [bytes(raw) for raw in _array.decode(outer.batch)]
        return Opened(values, shared=given)

    def _outer(self, body: bytes) -> _Outer:
        try:
            return split_json(_outer, body)
        except msgspec.ValidationError as error:
            raise RefusedError(self.failure(400, "the body is not an object")) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RefusedError(self.failure(400, f"malformed JSON: {error}")) from error

    def read(self, opened: Opened, context: Context) -> Batch:
        batch = Batch()
        shared = opened.shared
        defect = next((part for part in shared.values() if isinstance(part, Defect)), None)
        read_bytes = built_bytes = 0
        for index, value in enumerate(opened.values):
            call = defect or self._read_call(value, shared, context.now_ms)
            read_bytes += len(value)
            stored = len(batch.records)
            failed = call if isinstance(call, Defect) else None
            if not isinstance(call, Defect):
                whence = _with_opt_out(context, call)
                for event in events_of(call):
                    failed = self._add(batch, index, event, whence)
                    if failed is not None:
                        break
                    size = len(batch.records[-1].value)
                    built_bytes += size
                    if built_bytes > read_bytes and not context.has_room(size):
                        raise RefusedError(self.failure(413, "the calls become too many bytes"))
                    if len(batch.records) > RECORDS_MAX:
                        raise RefusedError(too_many(self))
            if failed is not None:  # All events of a call, or none.
                del batch.records[stored:], batch.receipts[stored:]
                batch.rejected.append(Rejection(index, failed, value))
        return batch

    def _add(
        self, batch: Batch, index: int, event: Members | Defect, context: Context
    ) -> Defect | None:
        if isinstance(event, Defect):
            return event
        encoded = msgspec.json.encode(event)
        facts = read_event(encoded)
        if isinstance(facts, Defect):
            return facts
        record, insert_id = record_of(encoded, facts, context)
        batch.records.append(record)
        batch.receipts.append((index, insert_id))
        return None

    def _read_call(self, value: bytes, shared: Mapping[str, object], now_ms: int) -> Call | Defect:
        own = decoded(value)
        if isinstance(own, Defect):
            return own
        if not isinstance(own, dict):
            return Defect("not_an_object", "", "a call is one object")
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
        """Both Python SDKs read `code` and `message` (segment.md#sdks)."""
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


def decoded(value: bytes) -> object:
    """What the JSON text says, or the defect that makes it unusable."""
    if defect := strictness_defect(value):
        return defect
    try:
        return msgspec.json.decode(value)  # Unlike orjson, it keeps large numbers as they are.
    except RecursionError:
        return Defect("too_deep", "", f"nesting over {LEVELS_MAX} levels")
    except (msgspec.DecodeError, ValueError) as error:
        return Defect("invalid_type", "", str(error))


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


def _text_of(raw: Raw) -> str | None:
    """A text that says something; a key is no longer than a header may be."""
    if bytes(memoryview(raw)[:1]) != b'"' or len(memoryview(raw)) > KEY_BYTES_MAX:
        return None
    try:
        return str(msgspec.json.decode(raw)) or None
    except UnicodeDecodeError:
        return None


def _with_opt_out(context: Context, call: Call) -> Context:
    found = opted_out_of(call.at("integrations"))
    if found is None:
        return context
    return context._replace(headers=[*context.headers, (OPTED_OUT, found)])
