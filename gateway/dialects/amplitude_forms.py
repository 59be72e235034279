"""Amplitude's `/identify` and `/groupidentify` (upstreams.md §1.3): a form, plain-text answers.

A field may be a query parameter too, and then a GET is enough.
"""

import re
from typing import Any

import msgspec
import orjson

from gateway.dialects.amplitude import min_id_length, plain, short_ids
from gateway.dialects.percent import unquoted
from gateway.dialects.shapes import (
    POST,
    Answer,
    Batch,
    Context,
    Opened,
    RefusedError,
    Request,
    failure,
    read_facts,
    record_of,
)
from schemas.strictness import Defect
from schemas.topics import Kind

FIELDS_MAX = 100
_BOUNDARY = re.compile(rb'boundary="?([^";,]+)"?')
_NAME = re.compile(rb'[;\s]name="?([^";\r\n]+)"?')
_array = msgspec.json.Decoder(list[msgspec.Raw])
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Identify:
    dialect = "amplitude"
    methods = POST | {"GET"}

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def open(self, request: Request) -> Opened:
        fields = fields_of(request)
        key = fields.get("api_key", b"").decode("utf-8", "replace")
        if not key:
            raise RefusedError(plain(400, "missing_api_key"))
        identification = fields.get("identification", b"").strip()
        try:
            tree = orjson.loads(identification)
        except orjson.JSONDecodeError as error:
            raise RefusedError(plain(400, "missing_event")) from error
        if isinstance(tree, list):
            values = [bytes(raw) for raw in _array.decode(identification)]
        else:
            values = [identification]
        return Opened(key, values, min_id_length(_lenient(fields.get("options", b""))))

    def read(self, opened: Opened, context: Context) -> Batch:
        batch = Batch()
        bad: list[str] = []
        for index, value in enumerate(opened.values):
            facts = read_facts(self.kind, value)
            if isinstance(facts, Defect):
                bad.append(f"{index} {facts.reason} {facts.field}")
            elif short := short_ids(facts, opened.min_id_length):
                bad.append(f"{index} invalid_id_length {short[0]}")
            else:
                batch.records.append(record_of(value, facts, context)[0])
        if bad:
            raise RefusedError(plain(400, "invalid_event_field: " + "; ".join(bad)))
        return batch

    def success(self, request: Request, batch: Batch, now_ms: int) -> Answer:
        return plain(200, "success")

    def unknown_key(self, key: str) -> Answer:
        return plain(400, "invalid_api_key")

    def failure(self, status: int, message: str) -> Answer:
        return failure(status, message)


def fields_of(request: Request) -> dict[str, bytes]:
    return _pairs(request.query) | _body_fields(request)


def _body_fields(request: Request) -> dict[str, bytes]:
    if not request.body:
        return {}
    content_type = request.headers.get(b"content-type", b"")
    if content_type.lower().startswith(b"multipart/form-data"):
        return _multipart(content_type, request.body)
    if b"json" in content_type.lower() or request.body.lstrip()[:1] == b"{":
        return _json(request.body)
    return _pairs(request.body)


def _pairs(form: bytes) -> dict[str, bytes]:
    """The fields' own bytes, whether percent-encoded or not."""
    if form.count(b"&") >= FIELDS_MAX:
        return {}
    pairs = (pair.partition(b"=") for pair in form.split(b"&") if pair)
    return {unquoted(name).decode("latin-1"): unquoted(value) for name, _, value in pairs}


def _json(body: bytes) -> dict[str, bytes]:
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedError(plain(400, f"missing_event: malformed JSON: {error}")) from error
    if not isinstance(tree, dict):
        raise RefusedError(plain(400, "missing_event"))
    # Members that are text hold what a form's field would.
    return {
        name: tree[name].encode() if isinstance(tree[name], str) else bytes(raw)
        for name, raw in _object.decode(body).items()
    }


def _multipart(content_type: bytes, body: bytes) -> dict[str, bytes]:
    boundary = _BOUNDARY.search(content_type)
    fields: dict[str, bytes] = {}
    if boundary is None:
        return fields
    # Each part is between two boundary lines: headers, an empty line, the value.
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1])[1:FIELDS_MAX]:
        head, separator, value = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if separator and name:
            fields[name[1].decode("utf-8", "replace")] = value
    return fields


def _lenient(options: bytes) -> Any:  # noqa: ANN401  JSON is anything.
    """Segment's connector sends the word `undefined`; then there are no options."""
    try:
        return orjson.loads(options)
    except orjson.JSONDecodeError:
        return None
