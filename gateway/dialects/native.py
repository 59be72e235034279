"""Our own protocol: Bearer key; an object, an array, an envelope or NDJSON; a per-record answer."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec
import orjson

from gateway.dialects.arrays import elements
from gateway.dialects.insert_ids import new_insert_ids
from gateway.dialects.keys import bearer_key
from gateway.dialects.records import Facts, all_facts, record_of
from gateway.dialects.shapes import (
    JSON,
    LISTED_MAX,
    POST,
    RECORDS_MAX,
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
    too_many,
)
from gateway.dialects.usual_events import are_usual, records_of_usual
from gateway.dialects.usual_updates import are_usual_updates, records_of_usual_updates
from schemas.events import ABSENT, GroupFacts, IdentificationFacts
from schemas.strictness import Defect
from schemas.topics import Kind

_SPACE = b" \t\r\n"  # JSON's white space.
_LINES = re.compile(b"ndjson|jsonl", re.IGNORECASE)


class _Envelope(msgspec.Struct, gc=False):
    events: msgspec.Raw = ABSENT
    updates: msgspec.Raw = ABSENT


class _Record(msgspec.Struct, gc=False):
    """What may have members named so, too: it has one of its kind, an envelope has none."""

    event_type: msgspec.Raw = ABSENT
    user_id: msgspec.Raw = ABSENT
    device_id: msgspec.Raw = ABSENT
    group_type: msgspec.Raw = ABSENT


_envelope = msgspec.json.Decoder(_Envelope)
_record = msgspec.json.Decoder(_Record)


class Native(Endpoint):
    dialect = "native"
    methods = POST

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._member = "events" if kind is Kind.EVENT else "updates"

    def seen_key(self, request: Request) -> str:
        key = bearer_key(request.headers) or _beacon_key(request.query)
        if key is None:
            raise RefusedError(failure(401, "Authorization: Bearer WRITE_KEY is missing"))
        return key

    def sent_key(self, request: Request) -> str:
        return self.seen_key(request)

    def open(self, request: Request) -> Opened:
        content_type = request.headers.get(b"content-type", b"")
        return self._split(request.body, content_type)

    def read(self, opened: Opened, context: Context) -> Batch:
        values, several = opened.values, list(all_facts(self.kind, opened))
        if self.kind is not Kind.EVENT:
            several = list(map(_with_properties, several))
        if are_usual(several, context):
            ids = [facts.insert_id or "" for facts in several]
            records = records_of_usual(values, several, context)
            return Batch(records, list(enumerate(ids, opened.first)))
        if are_usual_updates(several, values, context):
            made = new_insert_ids(len(values))
            records = records_of_usual_updates(values, several, made, context)
            return Batch(records, [(n, one.decode()) for n, one in enumerate(made, opened.first)])
        batch = Batch()
        for index, (value, facts) in enumerate(zip(values, several, strict=True), opened.first):
            if isinstance(facts, Defect):
                batch.rejected.append(Rejection(index, facts, value))
                continue
            record, insert_id = record_of(value, facts, context)
            batch.records.append(record)
            batch.receipts.append((index, insert_id))
        return batch

    def success(self, request: Request, batch: Batch, now_ms: int) -> Answer:
        refused = batch.rejected
        if batch.blocked:
            refused = sorted([*refused, *batch.blocked], key=lambda one: one.index)
        if batch.records and not refused and not request.query:  # The usual case.
            return Answer(202, b'{"accepted":%d,"rejected":[]}' % len(batch.records))
        body: dict[str, Any] = {
            "accepted": len(batch.records),
            "rejected": [
                {
                    "index": rejection.index,
                    "reason": rejection.defect.reason,
                    "field": rejection.defect.field,
                    "message": rejection.defect.message,
                }
                for rejection in refused[:LISTED_MAX]
            ],
        }
        if (more := len(refused) - LISTED_MAX) > 0:
            body["rejected_more"] = more
        if _last(request.query, "receipts") in ("true", "1"):
            body["records"] = [
                {"index": index, "insert_id": shown(insert_id)}
                for index, insert_id in batch.receipts
            ]
        is_taken = batch.records or batch.blocked  # The plan fails no request.
        return Answer(202 if is_taken else 422, orjson.dumps(body))

    def unknown_key(self, key: str) -> Answer:
        return failure(401, "no source has this write key")

    def _split(self, body: bytes, content_type: bytes) -> Opened:
        if content_type != JSON and _LINES.search(content_type) is not None:
            return self._lines(body)
        text = body.strip(_SPACE)
        try:
            if text.startswith(b"["):
                return Opened(elements(text, self))
            outer = split_json(_envelope, text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if _looks_like_lines(text):
                return self._lines(text)
            raise RefusedError(failure(400, _wrong(error))) from error
        several = outer.events if self.kind is Kind.EVENT else outer.updates
        if several is ABSENT or _is_record(text):
            return Opened([text])
        try:
            return Opened(elements(bytes(several), self))
        except msgspec.ValidationError as error:
            words = f"{self._member} is not an array"
            raise RefusedError(failure(400, words)) from error

    def _lines(self, body: bytes) -> Opened:
        if body.count(b"\n") > RECORDS_MAX:
            raise RefusedError(too_many(self))
        lines = [line.strip() for line in body.split(b"\n") if line.strip()]
        return Opened(lines, well_formed=False)


def _with_properties(facts: Facts | Defect) -> Facts | Defect:
    """An update without properties has no effect that was meant: their name is misspelled."""
    if type(facts) is IdentificationFacts:
        field = "user_properties"
        is_without = facts.user_properties is ABSENT and facts.groups is ABSENT
    elif type(facts) is GroupFacts:
        field, is_without = "group_properties", facts.group_properties is ABSENT
    else:
        return facts
    return Defect("missing_properties", field, f"there are no {field}") if is_without else facts


def _is_record(text: bytes) -> bool:
    found = _record.decode(text)
    named = (found.event_type, found.user_id, found.device_id, found.group_type)
    return any(raw is not ABSENT for raw in named)


def _beacon_key(query: bytes) -> str | None:
    """`?write_key=…`: a page's `sendBeacon` can set no header."""
    return _last(query, "write_key") or None


def _last(query: bytes, name: str) -> str:
    # Bytes that are not UTF-8 must not raise.
    return parse_qs(query.decode("latin-1")).get(name, [""])[-1] if query else ""


def _wrong(error: Exception) -> str:
    is_json = isinstance(error, msgspec.ValidationError)
    return "the body is neither an object nor an array" if is_json else f"malformed JSON: {error}"


def _looks_like_lines(text: bytes) -> bool:
    """Whether the first line is a whole object, and other lines follow."""
    first, newline, rest = text.partition(b"\n")
    if not newline or not rest or not first.startswith(b"{"):
        return False
    try:
        split_json(_envelope, first)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


ENDPOINTS: Mapping[str, Endpoint] = {
    "/v1/events": Native(Kind.EVENT),
    "/v1/user-properties": Native(Kind.USER_PROPERTIES),
    "/v1/group-properties": Native(Kind.GROUP_PROPERTIES),
}
