"""Amplemarket's webhooks (amplemarket.md#webhooks): each becomes a product event of its prospect.

A webhook has no kind, no signature and no number. So its shape decides its kind, the key in the
path is the only secret, and the `insert_id` is made of its ids and dates.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import orjson
from msgspec import Raw
from msgspec.structs import replace

from gateway.dialects.keys import path_key
from gateway.dialects.moments import milliseconds_of
from gateway.dialects.shapes import (
    POST,
    Answer,
    Batch,
    Context,
    Endpoint,
    Opened,
    Places,
    RefusedError,
    Rejection,
    Request,
    failure,
    split_json,
)
from gateway.dialects.translated import add_event
from gateway.dialects.trees import room_for_members, tree_of
from schemas.events import read_event
from schemas.strictness import Defect, strictness_defect
from schemas.topics import Kind

EVENT_TYPES: Final[Mapping[str, str]] = {
    "workflow": "Amplemarket Reply Tagged",
    "reply.linkedin": "Amplemarket LinkedIn Reply Received",
    "reply.reply_sequence": "Amplemarket Reply Sequence Email Received",
    "reply.email": "Amplemarket Email Reply Received",
    "stage.call": "Amplemarket Call Completed",
    "stage.generic_task": "Amplemarket Task Completed",
    "stage.linkedin": "Amplemarket LinkedIn Step Completed",
    "stage.reply_sequence": "Amplemarket Reply Sequence Email Sent",
    "stage.email": "Amplemarket Email Sent",
}
# The member that holds a kind's date; else the webhook itself.
_DATED: Final[Mapping[str, str]] = {
    "workflow": "email_message",
    "reply.linkedin": "linkedin",
    "stage.call": "call",
    "stage.generic_task": "task",
    "stage.linkedin": "linkedin",
}
PLACES: Final[Places] = {
    "event_properties": [()],
    "user_properties": [("dynamic_fields",), ("lead",)],
}
_anything = msgspec.json.Decoder(Raw)
_object = msgspec.json.Decoder(dict[str, Raw])
Fields = Mapping[str, object]


class Amplemarket(Endpoint):
    """`/webhooks/amplemarket/{write key}`."""

    dialect = "webhooks"
    kind = Kind.EVENT
    methods = POST
    places = PLACES

    def seen_key(self, request: Request) -> str:
        return path_key(request.path)

    def sent_key(self, request: Request) -> str:
        return self.seen_key(request)

    def open(self, request: Request) -> Opened:
        try:
            split_json(_anything, request.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RefusedError(failure(400, f"malformed JSON: {error}")) from error
        return Opened([request.body.strip()])

    def read(self, opened: Opened, context: Context) -> Batch:
        # The connection's address is Amplemarket's, not the prospect's.
        context = replace(context, remote_ip=None)
        batch = Batch()
        for index, value in enumerate(opened.values):
            event = event_of(value, context)
            if isinstance(event, Defect):
                batch.rejected.append(Rejection(index, event, value))
            else:
                add_event(batch, index, value, event, read_event(event), context)
        return batch

    def success(self, request: Request, batch: Batch, now_ms: int) -> Answer:
        """A webhook that is no event is kept as a dead letter: sending it again is no help."""
        body = {"accepted": len(batch.records), "rejected": len(batch.rejected)}
        return Answer(200, orjson.dumps(body))

    def unknown_key(self, key: str) -> Answer:
        return failure(401, "no source has this write key")


def event_of(value: bytes, context: Context) -> bytes | Defect:
    """The event in Amplitude's field names; the webhook's own members are its properties."""
    if defect := strictness_defect(value):
        return defect
    fields = tree_of(value, context)
    if not isinstance(fields, dict):
        return Defect("not_an_object", "", "a webhook is one JSON object")
    with room_for_members(value, context):
        return _event_of(value, fields)


def _event_of(value: bytes, fields: Fields) -> bytes | Defect:
    kind = kind_of(fields)
    if kind is None:
        return Defect("unknown_webhook", "", "neither a reply, nor a stage, nor a workflow")
    dated = _at(fields, _DATED[kind]) if kind in _DATED else fields
    date = dated.get("date")
    event: dict[str, object] = {
        "event_type": EVENT_TYPES[kind],
        "user_id": _user_id(fields),
        "time": milliseconds_of(date),
        "insert_id": _insert_id(kind, fields, date),
        "event_properties": _properties(kind, fields, _object.decode(value)),
        "user_properties": _prospect(fields) or None,
    }
    return msgspec.json.encode({name: given for name, given in event.items() if given is not None})


def kind_of(fields: Fields) -> str | None:
    """The digest's rules, the first that fits (amplemarket.md#webhooks)."""
    if "email_message" in fields:
        return "workflow"
    match fields.get("is_reply"):
        case True:
            found = [name for name in ("linkedin", "reply_sequence") if name in fields]
            return f"reply.{found[0]}" if found else "reply.email"
        case False:
            names = {"call": "call", "task": "generic_task", "linkedin": "linkedin"}
            names |= {"reply_sequence": "reply_sequence", "from": "email"}
            found = [kind for name, kind in names.items() if name in fields]
            return f"stage.{found[0]}" if found else None
        case _:
            return None


def _user_id(fields: Fields) -> str | None:
    for path, name in (("dynamic_fields", "email"), ("lead", "email"), ("contact", "id")):
        given = _at(fields, path).get(name)
        if isinstance(given, str) and given.strip():
            return given.strip()
    return None


def _insert_id(kind: str, fields: Fields, date: object) -> str | None:
    """The same if a webhook is sent twice; `None` if it has no id of its own."""
    if kind == "workflow":
        message = _at(fields, "email_message")
        ids = [message.get("id"), *_labels(message.get("tag"))[:1]]
    else:
        ids = [fields.get("id")]
    if not isinstance(ids[0], str) or not ids[0]:
        return None
    parts = ["amplemarket", kind, *ids, date]
    return ":".join(part for part in parts if isinstance(part, str))


def _properties(kind: str, fields: Fields, raws: Mapping[str, Raw]) -> dict[str, object]:
    properties: dict[str, object] = {
        name: raw for name, raw in raws.items() if name != "dynamic_fields"
    }
    properties["kind"] = kind
    if "labels" in fields:
        properties["labels"] = _labels(fields["labels"])
    if kind == "stage.call":
        # It is a time, counted from the epoch.
        duration = milliseconds_of(_at(fields, "call").get("duration"))
        if duration is not None:
            properties["call_duration_seconds"] = duration / 1000
    return properties


def _labels(given: object) -> list[str]:
    """Samples show the display form: `Not Interested` is `not_interested`."""
    found = given if isinstance(given, list) else []
    return [label.strip().lower().replace(" ", "_") for label in found if isinstance(label, str)]


def _prospect(fields: Fields) -> dict[str, object]:
    """The prospect's properties; `sender` is another person."""
    known = {**_at(fields, "lead"), **_at(fields, "dynamic_fields")}
    return {name: given for name, given in known.items() if name != "sender" and given is not None}


def _at(fields: Fields, name: str) -> Fields:
    found = fields.get(name)
    return found if isinstance(found, dict) else {}
