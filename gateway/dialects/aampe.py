"""Aampe's ingestion API (aampe.md#events): one object a request, stored or refused as a whole."""

import re
from collections.abc import Mapping

import msgspec
import orjson
from msgspec import Raw

from gateway.dialects.keys import bearer_key
from gateway.dialects.moments import milliseconds_of_number
from gateway.dialects.records import read_facts, record_of
from gateway.dialects.shapes import (
    POST,
    SHOWN_BYTES_MAX,
    Answer,
    Batch,
    Context,
    Endpoint,
    Opened,
    RefusedError,
    Request,
    split_json,
)
from gateway.dialects.trees import room_for_members
from schemas.strictness import Defect, strictness_defect
from schemas.topics import Kind

_anything = msgspec.json.Decoder(Raw)
_object = msgspec.json.Decoder(dict[str, Raw])
_STRING = ("string_type", "Input should be a valid string")
_NUMBER = ("float_type", "Input should be a valid number")
_UNPARSABLE = (
    "float_parsing",
    "Input should be a valid number, unable to parse string as a number",
)
_OBJECT = ("dict_type", "Input should be a valid dictionary")
# The request's member that a record's field came from, for error answers.
_ORIGINS = {"user_id": "contact_id", "event_type": "event_name", "event_properties": "metadata"}
Detail = dict[str, object]


class Aampe(Endpoint):
    """`/v1/events` and `/v1/properties`, after Aampe's own prefix."""

    dialect = "aampe"
    methods = POST
    is_atomic = True

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def seen_key(self, request: Request) -> str:
        key = bearer_key(request.headers)
        if key is None:
            raise RefusedError(self.unknown_key(""))
        return key

    def sent_key(self, request: Request) -> str:
        return self.seen_key(request)

    def open(self, request: Request) -> Opened:
        try:
            split_json(_anything, request.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # Malformed JSON is a 400 at every path of the edge; the detail is FastAPI's.
            detail = _detail(("json_invalid", "JSON decode error"), _position(error), {})
            raise RefusedError(_refusal(400, [detail | {"ctx": {"error": str(error)}}])) from error
        return Opened([request.body.strip()])

    def read(self, opened: Opened, context: Context) -> Batch:
        (value,) = opened.values
        if defect := strictness_defect(value):
            raise _invalid([_detail((defect.reason, defect.message))])
        with room_for_members(value, context):
            return self._taken_apart(value, context)

    def _taken_apart(self, value: bytes, context: Context) -> Batch:
        try:
            raws = _object.decode(value)
        except msgspec.ValidationError as error:
            words = ("model_attributes_type", "Input should be a valid dictionary")
            raise _invalid([_detail(words)]) from error
        fields = {name: _plain(raw) for name, raw in raws.items()}
        is_event = self.kind is Kind.EVENT
        checked = Fields(fields)
        members = _event(checked, raws) if is_event else _update(checked, raws)
        if checked.details:
            raise _invalid(checked.details)
        record = msgspec.json.encode(members)
        facts = read_facts(self.kind, record)
        if isinstance(facts, Defect):
            field = _ORIGINS.get(facts.field, facts.field)
            words = (facts.reason, facts.message)
            raise _invalid([_detail(words, field, fields.get(field))])
        stored, insert_id = record_of(record, facts, context)
        context.room.fill(len(stored.value))
        return Batch([stored], [(0, insert_id)])

    def success(self, request: Request, batch: Batch, now_ms: int) -> Answer:
        return Answer(202, b"null")

    def unknown_key(self, key: str) -> Answer:
        return self.failure(401, "Invalid API Key")

    def failure(self, status: int, message: str) -> Answer:
        return Answer(status, orjson.dumps({"detail": message}))


class Fields:
    """The fields of a request, and all errors in them."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields
        self.details: list[Detail] = []

    def text(self, name: str) -> str | None:
        """It must be there, with at least one character."""
        if name not in self._fields:
            self._missing(name)
            return None
        value = self._fields[name]
        if not isinstance(value, str):
            self.details.append(_detail(_STRING, name, value))
            return None
        if not value:
            words = ("string_too_short", "String should have at least 1 character")
            self.details.append(_detail(words, name, value) | {"ctx": {"min_length": 1}})
        return value

    def optional_text(self, name: str) -> str | None:
        value = self._fields.get(name)
        if value is None or isinstance(value, str):
            return value or None
        self.details.append(_detail(_STRING, name, value))
        return None

    def time(self) -> int | None:
        """`timestamp` in milliseconds; a number in a string is taken, as by pydantic."""
        value = self._fields.get("timestamp")
        if "timestamp" not in self._fields:
            self._missing("timestamp")
        elif isinstance(value, bool) or not isinstance(value, int | float | str):
            self.details.append(_detail(_NUMBER, "timestamp", value))
        else:
            try:
                found = milliseconds_of_number(float(value))
            except ValueError:
                found = None
            if found is None:
                self.details.append(_detail(_UNPARSABLE, "timestamp", value))
            return found
        return None

    def object(self, name: str) -> None:
        value = self._fields.get(name)
        if value is not None and not isinstance(value, dict):
            self.details.append(_detail(_OBJECT, name, value))

    def required_object(self, name: str) -> None:
        if name not in self._fields:
            self._missing(name)
        elif not isinstance(self._fields[name], dict):
            self.details.append(_detail(_OBJECT, name, self._fields[name]))

    def _missing(self, name: str) -> None:
        self.details.append(_detail(("missing", "Field required"), name, self._fields))


def _event(checked: Fields, raws: Mapping[str, Raw]) -> dict[str, object]:
    """`timezone` has no place in Amplitude; it stays beside the event's other members."""
    members: dict[str, object] = {
        "event_type": checked.text("event_name"),
        "user_id": checked.text("contact_id"),
        "time": checked.time(),
        "insert_id": checked.optional_text("event_id"),
        "timezone": checked.optional_text("timezone"),
        "event_properties": raws.get("metadata"),
    }
    checked.object("metadata")
    return {name: value for name, value in members.items() if value is not None}


def _update(checked: Fields, raws: Mapping[str, Raw]) -> dict[str, object]:
    """An update of properties is not an event: its `event_name` and `metadata` are not used."""
    members: dict[str, object] = {
        "user_id": checked.text("contact_id"),
        "time": checked.time(),
        "insert_id": checked.optional_text("event_id"),
        "user_properties": {"$set": raws.get("user_properties")},
    }
    checked.required_object("user_properties")
    checked.optional_text("event_name")
    checked.object("metadata")
    return {name: value for name, value in members.items() if value is not None}


def _position(error: Exception) -> int:
    found = re.search(r"\(byte (\d+)\)", str(error))
    return int(found[1]) if found else 0


def _detail(words: tuple[str, str], place: str | int | None = None, given: object = None) -> Detail:
    """One entry of pydantic's list (aampe.md#answers)."""
    loc = ["body"] if place in (None, "") else ["body", place]
    detail: Detail = {"type": words[0], "loc": loc, "msg": words[1]}
    # A long input is left out, as pydantic can do, too.
    is_short = len(msgspec.json.encode(given)) <= SHOWN_BYTES_MAX
    return detail | ({"input": given} if is_short else {})


def _invalid(details: list[Detail]) -> RefusedError:
    return RefusedError(_refusal(422, details), records=1)


def _refusal(status: int, details: list[Detail]) -> Answer:
    return Answer(status, msgspec.json.encode({"detail": details}))


def _plain(raw: Raw) -> object:
    """What a member says; of a large object or array only which it is, as no answer shows more."""
    text = memoryview(raw)
    if len(text) > SHOWN_BYTES_MAX and text[0] in b"{[":
        large = "x" * SHOWN_BYTES_MAX
        return {"": large} if text[0] == ord("{") else [large]
    return msgspec.json.decode(raw)


ENDPOINTS: Mapping[str, Endpoint] = {
    "/aampe/v1/events": Aampe(Kind.EVENT),
    "/aampe/v1/properties": Aampe(Kind.USER_PROPERTIES),
}
