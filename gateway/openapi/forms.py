"""The forms of Amplitude's dialect, as schemas: their fields hold JSON. Pure."""

from typing import Any, Final

from msgspec import Struct

from schemas.documents import MODELS
from schemas.topics import Kind

Tree = dict[str, Any]


def identification_form(kind: Kind) -> Tree:
    record = reference(MODELS[kind])
    one_or_many = {"anyOf": [record, {"type": "array", "items": record}]}
    return {
        "type": "object",
        "properties": {
            "api_key": {
                "type": "string",
                "minLength": 1,
                "description": "The source's write key.",
            },
            "identification": _json_text(one_or_many, "One identification or several, as JSON."),
            "options": _json_text({"type": "object"}, "Such as min_id_length, as JSON."),
        },
        "required": ["api_key", "identification"],
    }


def _json_text(schema: Tree, description: str) -> Tree:
    return {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": schema,
        "description": description,
    }


def reference(model: type[Struct]) -> Tree:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


LEGACY_FORM: Final[Tree] = {
    "type": "object",
    "properties": {
        "client": {"type": "string", "minLength": 1, "description": "The source's write key."},
        "e": _json_text(
            {"type": "array", "items": {"type": "object"}},
            "Events, as JSON, in the field names of amplitude-js 8, Android 2 and iOS 8.",
        ),
        "v": {"type": "string", "description": "Of their protocol."},
        "upload_time": {"type": "string", "description": "Milliseconds since 1970-01-01 UTC."},
        "checksum": {"type": "string", "description": "Not looked at."},
    },
    "required": ["client", "e"],
}
