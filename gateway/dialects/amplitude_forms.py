"""Amplitude's `/identify` and `/groupidentify` (amplitude.md#identify), and the first version of
its HTTP API, `/httpapi` (amplitude.md#first-http-api): a form, plain-text answers.

A field may be a query parameter too, and then a GET is enough.
"""

from collections.abc import Mapping, Sequence
from email.parser import HeaderParser
from email.utils import collapse_rfc2231_value
from typing import Literal

import msgspec

from gateway.dialects.amplitude_http import plain, short_ids, too_short
from gateway.dialects.amplitude_upload import min_id_length
from gateway.dialects.arrays import elements
from gateway.dialects.insert_ids import new_insert_ids
from gateway.dialects.nesting import Shallow
from gateway.dialects.number_ids import with_text_ids
from gateway.dialects.percent import unquoted
from gateway.dialects.records import all_facts, record_of
from gateway.dialects.shapes import (
    LISTED_MAX,
    POST,
    Answer,
    Batch,
    Context,
    Endpoint,
    Opened,
    RefusedError,
    Rejection,
    Request,
    failure,
    split_json,
)
from gateway.dialects.usual_updates import are_usual_updates, records_of_usual_updates
from gateway.http.surrogates import repaired
from schemas.events import ABSENT
from schemas.strictness import Defect
from schemas.topics import Kind

FIELDS_MAX = 100
KEY_BYTES_MAX = 16_000
HEAD_BYTES_MAX = 1_000  # Of a part's header lines; an ordinary one has 60.
_anything = msgspec.json.Decoder(msgspec.Raw)


class _Members(msgspec.Struct, gc=False):
    """The fields that are read, of a JSON body."""

    api_key: msgspec.Raw = ABSENT
    identification: msgspec.Raw = ABSENT
    event: msgspec.Raw = ABSENT
    options: msgspec.Raw = ABSENT
    client: msgspec.Raw = ABSENT
    e: msgspec.Raw = ABSENT
    upload_time: msgspec.Raw = ABSENT


_members = msgspec.json.Decoder(_Members)


class Form(Endpoint):
    """Records of one kind, in one of its members."""

    dialect = "amplitude"
    methods = POST | {"GET"}
    is_atomic = True

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.member = "event" if kind is Kind.EVENT else "identification"

    def seen_key(self, request: Request) -> str | None:
        return key_in(query_fields(request), "api_key")

    def sent_key(self, request: Request) -> str:
        return key_sent(request, "api_key")

    def open(self, request: Request) -> Opened:
        fields = fields_of(request)
        text = json_in(fields, self.member)
        try:
            values = elements(text, self) if text.startswith(b"[") else [_checked(text)]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RefusedError(plain(400, "missing_event")) from error
        if self.kind is Kind.EVENT:
            return Opened(values)  # That version knows no shortest id.
        return Opened(values, min_id_length(fields.get("options", b"")))

    def read(self, opened: Opened, context: Context) -> Batch:
        values, several = opened.values, list(all_facts(self.kind, opened))
        if self.kind is Kind.EVENT and Defect in map(type, several):
            values, several = with_text_ids(values, several, context)
        if are_usual_updates(several, values, context, opened.min_id_length):
            ids = new_insert_ids(len(values))
            return Batch(records_of_usual_updates(values, several, ids, context))
        batch = Batch()
        for index, (value, facts) in enumerate(zip(values, several, strict=True), opened.first):
            if isinstance(facts, Defect):
                batch.rejected.append(Rejection(index, facts, value))
            elif short := short_ids(facts, opened.min_id_length):
                batch.rejected.append(Rejection(index, too_short(short[0]), value))
            else:
                batch.records.append(record_of(value, facts, context)[0])
        return batch

    def refusal(self, batch: Batch) -> Answer | None:
        if not batch.rejected:
            return None
        bad = [f"{one.index} {one.defect.reason} {one.defect.field}" for one in batch.rejected]
        return plain(400, "invalid_event_field: " + _listed(bad, "; "))

    def success(self, request: Request, batch: Batch, now_ms: int) -> Answer:
        return plain(200, "success")

    def unknown_key(self, key: str) -> Answer:
        return plain(400, "invalid_api_key")

    def silenced(self, indexes: Sequence[int]) -> Answer:
        """All or nothing of a request is stored, as at Amplitude."""
        return failure(400, "suppressed: " + _listed(list(map(str, indexes)), ", "))


def _checked(text: bytes) -> bytes:
    """The JSON text, however deep it is nested; msgspec's errors if it is none."""
    try:
        split_json(_anything, text)
    except RecursionError:
        split_json(_anything, Shallow(text).text)
    return text


def _listed(words: list[str], between: str) -> str:
    more = len(words) - LISTED_MAX
    listed = between.join(words[:LISTED_MAX])
    return listed if more <= 0 else f"{listed}{between}and {more} more"


def key_sent(request: Request, name: str) -> str:
    """The named fields only, of a form, which most bodies are."""
    field, key = b"&%b=" % name.encode(), None
    at = request.body.rfind(field) + 1  # If there are several, the last one counts.
    if _kind(request) == "form" and (at or request.body.startswith(field[1:])):
        start = at + len(field) - 1
        value = request.body[start : start + KEY_BYTES_MAX].partition(b"&")[0]
        key = unquoted(value).decode("utf-8", "replace")
    key = key or key_in(fields_of(request), name)
    if key is None:
        raise RefusedError(plain(400, "missing_api_key"))
    return key


def key_in(fields: Mapping[str, bytes], name: str) -> str | None:
    return fields.get(name, b"").decode("utf-8", "replace") or None


def json_in(fields: Mapping[str, bytes], name: str) -> bytes:
    """A field's JSON text: what a body's lone surrogates become, they become here, too. The body
    was looked at before it was decoded.
    """
    text = repaired(fields.get(name, b"").strip())
    if text is None:
        raise RefusedError(plain(413, "too many halves of surrogate pairs"))
    return text


def query_fields(request: Request) -> dict[str, bytes]:
    return _pairs(request.query) if request.query else {}


def fields_of(request: Request) -> dict[str, bytes]:
    return query_fields(request) | _body_fields(request)


def _body_fields(request: Request) -> dict[str, bytes]:
    match _kind(request):
        case "multipart":
            return _multipart(request.headers[b"content-type"], request.body)
        case "json":
            return _json(request.body)
        case "form":
            return _pairs(request.body)


def _kind(request: Request) -> Literal["form", "json", "multipart"]:
    content_type = request.headers.get(b"content-type", b"").lower()
    if content_type.startswith(b"multipart/form-data"):
        return "multipart"
    is_json = b"json" in content_type or request.body[:100].lstrip()[:1] == b"{"
    return "json" if is_json and request.body else "form"


def _pairs(form: bytes) -> dict[str, bytes]:
    """The fields' own bytes, whether percent-encoded or not; none of a form of too many."""
    found: dict[str, bytes] = {}
    start = 0
    for _ in range(FIELDS_MAX):  # `split` and `count` look at each byte by itself, unlike `find`.
        end = form.find(b"&", start)
        if pair := form[start:] if end < 0 else form[start:end]:
            name, _, value = pair.partition(b"=")
            found[unquoted(name).decode("latin-1")] = unquoted(value)
        if end < 0:
            return found
        start = end + 1
    return {}


def _json(body: bytes) -> dict[str, bytes]:
    try:
        found = msgspec.structs.asdict(split_json(_members, body))
    except msgspec.ValidationError as error:
        raise RefusedError(plain(400, "missing_event")) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError(plain(400, f"missing_event: malformed JSON: {error}")) from error
    # A string member holds what a form's field holds.
    return {name: _field(bytes(raw)) for name, raw in found.items() if raw is not ABSENT}


def _field(value: bytes) -> bytes:
    return str(msgspec.json.decode(value)).encode() if value.startswith(b'"') else value


def _multipart(content_type: bytes, body: bytes) -> dict[str, bytes]:
    boundary = _parameter(b"content-type: " + content_type, "content-type", "boundary")
    fields: dict[str, bytes] = {}
    if not boundary:
        return fields
    line = b"\r\n--" + boundary.encode("latin-1", "replace")
    # Each part is between two boundary lines: headers, an empty line, the value.
    for part in (b"\r\n" + body).split(line, FIELDS_MAX)[1:FIELDS_MAX]:
        head, separator, value = part.partition(b"\r\n\r\n")
        name = _parameter(head.lstrip(), "content-disposition", "name") if separator else ""
        if name:
            fields[name] = value
    return fields


def _parameter(head: bytes, header: str, name: str) -> str:
    """A parameter of one of these header lines; empty if it is not there."""
    if len(head) > HEAD_BYTES_MAX:  # The standard library's time grows with its square.
        return ""
    parsed = HeaderParser().parsestr(head.decode("latin-1"))
    return collapse_rfc2231_value(parsed.get_param(name, "", header))
