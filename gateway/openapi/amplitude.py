"""Amplitude's dialect in the OpenAPI document (amplitude.md#request). Pure."""

import json
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.dialects.amplitude_forms import Form
from gateway.dialects.amplitude_http import HttpApi
from gateway.dialects.shapes import Endpoint
from gateway.openapi.shapes import (
    DEAD_LETTERS,
    EVENT,
    GROUP,
    JSON,
    KEY,
    MALFORMED,
    OVER_RATE,
    PROPERTIES,
    TEXT,
    Described,
    Key,
    Refusal,
    Tree,
    json_of,
    json_or_text,
    reference,
)
from schemas import documents
from schemas.models import Event
from schemas.topics import Kind

_RECORDS: Final = {
    Kind.EVENT: EVENT,
    Kind.USER_PROPERTIES: PROPERTIES,
    Kind.GROUP_PROPERTIES: GROUP,
}
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
Indexes = Annotated[list[int], Meta(description="Of events of the request.")]
ByField = Annotated[dict[str, list[int]], Meta(description="Field to indexes of events.")]
_LEGACY_EVENT: Final[Tree] = {
    "event_type": "Order Completed",
    "user_id": "ann@example.org",
    "device_id": "a-browser",
    "event_properties": {"total": 42.5},
}


class UploadOptions(Struct):
    """Options of an upload."""

    min_id_length: (
        Annotated[int, Meta(ge=0, description="Of user_id and device_id. Absent: 5.")] | UnsetType
    ) = UNSET


class Upload(Struct):
    """Amplitude's HTTP API V2, and its Batch API."""

    api_key: Key
    events: list[Event]
    options: UploadOptions | UnsetType | None = UNSET
    client_upload_time: (
        Annotated[
            str,
            Meta(
                description="ISO 8601, by the clock of the events' times. Off by over a minute, it "
                "moves them."
            ),
        ]
        | UnsetType
    ) = UNSET


class Uploaded(Struct, forbid_unknown_fields=True):
    """All events were stored."""

    code: int
    events_ingested: Annotated[int, Meta(ge=0)]
    payload_size_bytes: Annotated[int, Meta(ge=0)]
    server_upload_time: Annotated[int, Meta(description="Milliseconds since 1970-01-01 UTC.")]


class UploadRefusal(Struct, forbid_unknown_fields=True):
    """Nothing was stored; the indexes name the events that are to blame."""

    code: int
    error: str
    missing_field: Annotated[str, Meta(description="Of the request.")] | UnsetType = UNSET
    events_with_invalid_fields: ByField | UnsetType = UNSET
    events_with_missing_fields: ByField | UnsetType = UNSET
    events_with_invalid_id_lengths: ByField | UnsetType = UNSET
    silenced_devices: list[str] | UnsetType = UNSET
    silenced_events: Indexes | UnsetType = UNSET


class Throttled(Struct, forbid_unknown_fields=True):
    """Nothing was stored; the named events may be sent again."""

    code: int
    error: str
    eps_threshold: Annotated[int, Meta(description="Events a second of the source.")]
    throttled_devices: dict[str, int]
    throttled_users: dict[str, int]
    throttled_events: Indexes


MODELS: tuple[type[Struct], ...] = (Upload, Uploaded, UploadRefusal, Throttled)


def described(path: str, endpoint: Endpoint) -> Described:
    match endpoint:
        case HttpApi():
            return _UPLOADING
        case Form():
            return _form(endpoint)
        case _:
            return _LEGACY_UPLOADING


def _form(endpoint: Form) -> Described:
    form = _members(endpoint)
    return Described(
        content={media_type: {"schema": form} for media_type in (*_FORMS, JSON)},
        example={"api_key": KEY, endpoint.member: json.dumps(_RECORDS[endpoint.kind])},
        answers=_text_answers("Stored, all"),
        refusal=Refusal,
        form=form,
    )


def _text_answers(stored: str) -> dict[int, tuple[str, Tree]]:
    success = {TEXT: {"schema": {"const": "success"}}}
    words = {TEXT: {"schema": {"type": "string"}}}
    return {200: (stored, success), 400: (MALFORMED, words | json_of(Refusal))}


def _members(endpoint: Form) -> Tree:
    record = reference(documents.MODELS[endpoint.kind])
    one_or_many = {"anyOf": [record, {"type": "array", "items": record}]}
    members: Tree = {
        "api_key": {"type": "string", "minLength": 1, "description": "The source's write key."},
        endpoint.member: _json_text(one_or_many, f"One {endpoint.member} or several, as JSON."),
    }
    if endpoint.kind is not Kind.EVENT:
        described = "Such as min_id_length, as JSON."
        members["options"] = _json_text({"type": "object"}, described)
    return {
        "type": "object",
        "properties": members,
        "required": ["api_key", endpoint.member],
    }


def _json_text(schema: Tree, description: str) -> Tree:
    return {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": schema,
        "description": description,
    }


_LEGACY_FORM: Final[Tree] = {
    "type": "object",
    "properties": {
        "client": {"type": "string", "minLength": 1, "description": "The source's write key."},
        "e": _json_text(
            {"type": "array", "items": {"type": "object"}},
            "Events, as JSON, in the field names of amplitude-js 8, Android 2 and iOS 8.",
        ),
        "v": {"type": "string", "description": "Of their protocol."},
        "upload_time": {
            "type": "string",
            "description": "Milliseconds since 1970-01-01 UTC, by the clock of the events' times.",
        },
        "checksum": {"type": "string", "description": "Not looked at."},
    },
    "required": ["client", "e"],
}

_UPLOADING: Final = Described(
    content=json_or_text(reference(Upload)),
    example={"api_key": KEY, "events": [EVENT]},
    answers={
        200: ("Stored, all", json_of(Uploaded)),
        400: (MALFORMED, json_of(UploadRefusal)),
        429: (OVER_RATE, json_of(Throttled)),
    },
    refusal=Refusal,
)
_LEGACY_UPLOADING: Final = Described(
    content={media_type: {"schema": _LEGACY_FORM} for media_type in _FORMS},
    example={"client": KEY, "e": json.dumps([_LEGACY_EVENT]), "v": "2"},
    answers=_text_answers(DEAD_LETTERS),
    refusal=Refusal,
)
