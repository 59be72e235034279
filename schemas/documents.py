"""The contract as documents, generated from the models: JSON Schemas and an AsyncAPI document.

`python -m schemas.documents` writes them to `schemas/generated/`; a test fails when they drift.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from schemas.configuration.config import Config
from schemas.models import HAS_GROUP, HAS_ID, Event, GroupIdentification, Identification
from schemas.topics import Kind, Topics

DIRECTORY = Path(__file__).parent / "generated"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_FILES = {
    Kind.EVENT: "event.schema.json",
    Kind.USER_PROPERTIES: "user-properties.schema.json",
    Kind.GROUP_PROPERTIES: "group-properties.schema.json",
}
MODELS: Mapping[Kind, type[Struct]] = {
    Kind.EVENT: Event,
    Kind.USER_PROPERTIES: Identification,
    Kind.GROUP_PROPERTIES: GroupIdentification,
}
_USER_KEY = "user_id, else device_id"
_GROUP_KEY = "group_type:group_value"

Tree = dict[str, Any]

# Over several fields, what a type cannot say.
RULES: Mapping[Kind, Tree] = {
    Kind.EVENT: {"anyOf": [*HAS_ID, HAS_GROUP]},
    Kind.USER_PROPERTIES: {"anyOf": HAS_ID},
    Kind.GROUP_PROPERTIES: {},
}


def documents() -> Mapping[str, str]:
    """Every document: its file's name and its text."""
    trees: dict[str, Tree] = {
        SCHEMA_FILES[kind]: _schema(model, RULES[kind]) for kind, model in MODELS.items()
    }
    trees |= {
        "config.schema.json": _config_schema(),
        "asyncapi.json": _asyncapi(Topics("ampgate.")),
    }
    return {name: _text(tree) for name, tree in trees.items()}


def _schema(model: type[Struct], rules: Tree) -> Tree:
    """The model's schema, with the rules over several fields that a type cannot say."""
    definitions: Tree = msgspec.json.schema(model)["$defs"]
    own = definitions.pop(model.__name__)
    schema = {"$schema": DIALECT, **own, "additionalProperties": True, **rules}
    return schema | ({"$defs": definitions} if definitions else {})


def _config_schema() -> Tree:
    schema = Config.model_json_schema()
    schema["description"] = (
        "The configuration after ${NAME} and every *_file key were replaced by what they name."
    )
    return {"$schema": DIALECT, **schema}


def _asyncapi(topics: Topics) -> Tree:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "ampgate",
            "version": "1",
            "description": "Records that services may write to Kafka, and those that ampgate "
            "writes. The prefix of the topics is configurable. Keys are UTF-8, partitioned by "
            "Kafka's default (murmur2 of the key).",
        },
        "defaultContentType": "application/json",
        "channels": {
            "events": _channel(topics.events, "event"),
            "userProperties": _channel(topics.user_properties, "identification"),
            "groupProperties": _channel(topics.group_properties, "groupIdentification"),
            "deadLetters": _channel(topics.dead_letters, "deadLetter"),
            "parked": _channel(topics.parked, "parked"),
        },
        "operations": {
            "receiveEvents": _operation("receive", "events"),
            "receiveUserProperties": _operation("receive", "userProperties"),
            "receiveGroupProperties": _operation("receive", "groupProperties"),
            "sendDeadLetters": _operation("send", "deadLetters"),
            "sendParked": _operation("send", "parked"),
            "receiveParked": _operation("receive", "parked"),
        },
        "components": {
            "messages": {
                "event": _message(Kind.EVENT, _USER_KEY),
                "identification": _message(Kind.USER_PROPERTIES, _USER_KEY),
                "groupIdentification": _message(Kind.GROUP_PROPERTIES, _GROUP_KEY),
                "deadLetter": _kept("What a destination, or the edge, refuses.", _refusal()),
                "parked": _kept("What waits longer than memory allows.", _wait()),
            }
        },
    }


def _channel(address: str, message: str) -> Tree:
    return {
        "address": address,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {"kafka": {"topic": address, "bindingVersion": "0.5.0"}},
    }


def _operation(action: str, channel: str) -> Tree:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _message(kind: Kind, key: str) -> Tree:
    return {
        "name": kind.value,
        "contentType": "application/json",
        "headers": _headers({}),
        "payload": {"$ref": f"./{SCHEMA_FILES[kind]}"},
        "bindings": _key_binding(key),
    }


def _kept(summary: str, headers: Tree) -> Tree:
    return {
        "summary": summary,
        "description": "The value is the original's bytes, untouched.",
        "contentType": "application/octet-stream",
        "headers": headers,
        "payload": {},
        "bindings": _key_binding("the original's"),
    }


def _key_binding(key: str) -> Tree:
    key_schema = {"type": "string", "description": key}
    return {"kafka": {"key": key_schema, "bindingVersion": "0.5.0"}}


def _refusal() -> Tree:
    added = {
        "destination": "The destination's name; edge: the edge refused it.",
        "reason": "A stable snake_case code.",
        "detail": "The destination's own words, cut at 1 kB.",
        "status": "Of the last answer, if there was one.",
        "origin": "topic/partition/offset of the original.",
        "attempts": "How often it was sent.",
        "first_failed_at": "RFC 3339, UTC.",
        "truncated": "How many bytes the original value had, where its topic takes no more of it.",
    }
    return _headers(added, optional=("status", "truncated"))


def _wait() -> Tree:
    headers = _refusal()
    headers["properties"]["not_before"] = _header("When it goes on; RFC 3339, UTC.")
    headers["required"].append("not_before")
    return headers


def _headers(added: Mapping[str, str], optional: Collection[str] = ()) -> Tree:
    properties = {
        "source": _header("The source's name; without it: kafka."),
        "traceparent": _header("W3C trace context, carried through."),
        **{name: _header(words) for name, words in added.items()},
    }
    required = [name for name in added if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _header(description: str) -> Tree:
    return {"type": "string", "description": description}


def _text(tree: Tree) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def _write() -> None:
    DIRECTORY.mkdir(exist_ok=True)
    for name, text in documents().items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write()
