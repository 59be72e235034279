"""Segment's tracking API (segment.md#api): every call is kept, and the answer is always 200.

Unusable calls become dead letters. RudderStack's SDKs speak the same protocol.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qs

import msgspec
import orjson
from msgspec import Raw, Struct

from gateway.dialects.arrays import SURELY_FEW_BYTES, elements
from gateway.dialects.keys import basic_key
from gateway.dialects.not_numbers import with_numbers
from gateway.dialects.segment_call import read_call
from gateway.dialects.segment_context import CallContexts, decoded
from gateway.dialects.segment_fields import CONTEXT, PLACES
from gateway.dialects.segment_integrations import only_ours
from gateway.dialects.segment_records import add_call
from gateway.dialects.segment_wire import wires_of
from gateway.dialects.shapes import (
    POST,
    Answer,
    Batch,
    Context,
    Endpoint,
    Opened,
    RefusedError,
    Rejection,
    Request,
    split_json,
)
from schemas.events import ABSENT
from schemas.strictness import Defect, are_surely_strict, strictness_defect
from schemas.topics import Kind

TOGETHER = 8  # Calls have more brackets than events, such as those of their context.
KEY_BYTES_MAX = 16_000
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


class _Outer(Struct, gc=False, rename="camel"):
    """A batch's common members, and its calls."""

    batch: Raw = ABSENT
    context: Raw = ABSENT
    integrations: Raw = ABSENT
    sent_at: Raw = ABSENT
    write_key: Raw = ABSENT


class _Short(Struct, gc=False, rename="camel"):
    """The same of a short body, whose calls need not be counted first."""

    batch: list[Raw]
    context: Raw = ABSENT
    integrations: Raw = ABSENT
    sent_at: Raw = ABSENT


_outer = msgspec.json.Decoder(_Outer)
_short = msgspec.json.Decoder(_Short)


class Segment(Endpoint):
    """One call a request (`call` names it), or a batch of them."""

    dialect = "segment"
    kind = Kind.EVENT
    methods = POST
    places = PLACES

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
            calls = elements(bytes(outer.batch), self)
            first = calls[0] if calls else b""
            key = _text_of(_outer.decode(first).write_key) if first.startswith(b"{") else None
        if key is None:
            raise RefusedError(self.failure(401, "there is no write key"))
        return key

    def open(self, request: Request) -> Opened:
        """A body with `NaN` is malformed; read without it, only the call that has it is lost."""
        try:
            return self._opened(request.body)
        except RefusedError:
            if (numbers := with_numbers(request.body)) is None:
                raise
            return self._opened(numbers)

    def _opened(self, body: bytes) -> Opened:
        if self.call != "batch":
            self._outer(body)
            return Opened([body.strip()])
        outer, calls = self._batch(body)
        parts = {"context": outer.context, "integrations": outer.integrations}
        parts |= {"sentAt": outer.sent_at}
        given = {name: _shared(raw) for name, raw in parts.items() if raw is not ABSENT}
        # Each call reads these, so only the members in use are kept.
        if isinstance(context := given.get("context"), dict):
            read = {name: context[name] for name in CONTEXT if name in context}
            if isinstance(traits := read.get("traits"), dict):
                read["traits"] = Raw(msgspec.json.encode(traits))
            given["context"] = read
        if isinstance(integrations := given.get("integrations"), dict):
            given["integrations"] = only_ours(integrations)
        size = len(msgspec.json.encode(given)) if given else 0
        return Opened(calls, shared=given, shared_bytes=size)

    def _batch(self, body: bytes) -> tuple[_Outer | _Short, list[bytes]]:
        """Its members, and its calls."""
        if len(body) <= SURELY_FEW_BYTES:
            with suppress(msgspec.DecodeError, UnicodeDecodeError):  # What is wrong is said below.
                short = split_json(_short, body)
                return short, list(map(bytes, short.batch))
        outer = self._outer(body)
        if outer.batch is ABSENT or bytes(memoryview(outer.batch)[:1]) != b"[":
            raise RefusedError(self.failure(400, "batch is not an array"))
        return outer, elements(bytes(outer.batch), self)

    def _outer(self, body: bytes) -> _Outer:
        try:
            return split_json(_outer, body)
        except msgspec.ValidationError as error:
            raise RefusedError(self.failure(400, "the body is not an object")) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RefusedError(self.failure(400, f"malformed JSON: {error}")) from error

    def read(self, opened: Opened, context: Context) -> Batch:
        batch, shared = Batch(), opened.shared
        defect = next((part for part in shared.values() if isinstance(part, Defect)), None)
        kind = None if self.call == "batch" else self.call
        shared_bytes, sent_at = opened.shared_bytes, shared.get("sentAt")
        values = opened.values
        context.room.multiply(records=0, copied=shared_bytes * len(values))
        wires = wires_of(values)
        are_strict = len(values) > 1 and None not in wires and are_surely_strict(values, TOGETHER)
        contexts = CallContexts(shared, context)
        for index, (value, wire) in enumerate(zip(values, wires, strict=True), opened.first):
            if shared_bytes:  # Each call reads them, also one that is rejected.
                context.room.fill(shared_bytes)
            found = defect if are_strict else defect or strictness_defect(value)
            call = found or read_call(wire, contexts, sent_at, context.now_ms, kind)
            if type(call) is Defect:
                batch.rejected.append(Rejection(index, call, value))
            else:
                add_call(batch, index, value, call, shared_bytes)
        return batch

    def success(self, request: Request, batch: Batch, now_ms: int) -> Answer:
        return Answer(200, b'{"success":true}')

    def unknown_key(self, key: str) -> Answer:
        return self.failure(401, "no source has this write key")

    def failure(self, status: int, message: str) -> Answer:
        """Python's SDKs read `code` and `message`, Ruby's `error` (segment.md#sdks)."""
        code = CODES.get(status, "error")
        body = {"success": False, "code": code, "message": message, "error": message}
        return Answer(status, orjson.dumps(body))


def _shared(raw: Raw) -> object:
    return strictness_defect(bytes(raw)) or decoded(raw)


def _text_of(raw: Raw) -> str | None:
    """A non-empty string; a key is not longer than a header may be."""
    if bytes(memoryview(raw)[:1]) != b'"' or len(memoryview(raw)) > KEY_BYTES_MAX:
        return None
    try:
        return str(msgspec.json.decode(raw)) or None
    except UnicodeDecodeError:
        return None


# analytics.js shortens the calls (segment.md#api).
_CALLS = {
    "track": ("track", "t"),
    "identify": ("identify", "i"),
    "group": ("group", "g"),
    "page": ("page", "p"),
    "screen": ("screen", "s"),
    "alias": ("alias", "a"),
    "batch": ("batch", "b", "import"),
}
ENDPOINTS: Mapping[str, Endpoint] = {
    **{f"/segment/v1/{name}": Segment(call) for call, names in _CALLS.items() for name in names},
    "/segment/beacon/v1/batch": Segment("batch"),  # RudderStack's, at a page's end.
    "/v1/batch": Segment("batch"),  # Segment's Node SDK ignores the path of its `host`.
}
