"""One ingest path as an operation of the OpenAPI document. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.dialects.aampe import Aampe
from gateway.dialects.amplemarket import Amplemarket
from gateway.dialects.amplitude import HttpApi
from gateway.dialects.amplitude_forms import Identify
from gateway.dialects.amplitude_legacy import LegacyUpload
from gateway.dialects.native import Native
from gateway.dialects.segment import Segment
from gateway.dialects.shapes import Endpoint
from gateway.openapi.answers import (
    AampeRefusal,
    Accepted,
    Refusal,
    SegmentRefusal,
    SegmentSuccess,
    Throttled,
    Uploaded,
    UploadRefusal,
    WebhookTaken,
)
from gateway.openapi.examples import KEY, body_example
from gateway.openapi.forms import LEGACY_FORM, identification_form, reference
from gateway.openapi.requests import (
    SEGMENT_CALLS,
    AampeEvent,
    AampeProperties,
    Upload,
    Webhook,
)
from schemas.documents import MODELS
from schemas.topics import Kind

Tree = dict[str, Any]
JSON: Final = "application/json"
TEXT: Final = "text/plain"
NDJSON: Final = "application/x-ndjson"
FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")

_FAILURES: Final[Mapping[int, str]] = {
    400: "Malformed or refused; nothing was stored",
    408: "The body came too slowly",
    413: "Too large, also when unpacked; or too many records",
    415: "Unknown content encoding",
    429: "Over the source's rate",
    503: "Kafka is away, or too much waits for it",
}
# Answered before the path is known, so the same in every dialect.
_OF_ANY_PATH: Final[Mapping[int, str]] = {431: "The address or the headers are too large"}
_DEAD_LETTERS: Final = "Stored; what is not usable, as dead letters"
_RETRY_AFTER: Final[Tree] = {
    "Retry-After": {
        "description": "Seconds to wait before the same request is sent again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    }
}


def operation(path: str, endpoint: Endpoint, method: str) -> Tree:
    described: Tree = {
        "tags": [endpoint.dialect],
        "summary": f"{endpoint.kind.value.replace('_', ' ')} records, {endpoint.dialect} dialect",
        "operationId": method.lower() + re.sub(r"\W", "_", path),
        "parameters": _parameters(path, endpoint, method),
        "responses": {str(status): _answer(*said) for status, said in _answers(endpoint).items()},
    }
    if method != "GET":
        example = body_example(path, endpoint.call if isinstance(endpoint, Segment) else None)
        content = {
            media_type: described_type
            | {"example": json.dumps(example) if media_type == NDJSON else example}
            for media_type, described_type in _content(path, endpoint).items()
        }
        described["requestBody"] = {"required": True, "content": content}
    if security := _security(path, endpoint):
        described["security"] = security
    return described


def _security(path: str, endpoint: Endpoint) -> list[Tree]:
    match endpoint:
        case Native():
            return [{"bearer": []}, {"keyInQuery": []}]
        case Aampe():
            return [{"bearer": []}]
        case Segment():
            beacon: list[Tree] = [{"segmentKeyInQuery": []}] if "beacon" in path else []
            return [{"basic": []}, *beacon, {}]  # The key may be in the body, too.
        case _:
            return []  # The key is in the body or the path.


def _parameters(path: str, endpoint: Endpoint, method: str) -> list[Tree]:
    found: list[Tree] = []
    if isinstance(endpoint, Native):
        words = "Whether to answer with each record's insert_id."
        found.append(_parameter("receipts", "query", {"type": "boolean"}, words))
    if "{key}" in path:
        schema = {"type": "string", "pattern": "^[^/]+$"}
        found.append(_parameter("key", "path", schema, "The source's write key.", KEY))
    if method == "GET":
        examples = body_example(path, None)
        for name, schema in identification_form(endpoint.kind)["properties"].items():
            words, example = schema["description"], examples.get(name)
            found.append(_parameter(name, "query", schema, words, example))
    return found


def _parameter(
    name: str, place: str, schema: Tree, description: str, example: str | None = None
) -> Tree:
    required = place == "path" or name in ("api_key", "identification")
    described: Tree = {} if example is None else {"example": example}
    return described | {
        "name": name,
        "in": place,
        "required": required,
        "schema": schema,
        "description": description,
    }


def _content(path: str, endpoint: Endpoint) -> Tree:
    match endpoint:
        case Native():
            records = {"type": "array", "items": reference(MODELS[endpoint.kind]), "minItems": 1}
            member = "events" if endpoint.kind is Kind.EVENT else "updates"
            envelope = {"type": "object", "properties": {member: records}, "required": [member]}
            body = {"anyOf": [reference(MODELS[endpoint.kind]), records, envelope]}
            return _json_or_text(body) | {NDJSON: {"schema": records}}
        case HttpApi():
            return _json_or_text(reference(Upload))
        case Identify():
            form = {"schema": identification_form(endpoint.kind)}
            return dict.fromkeys((*FORMS, JSON), form)
        case LegacyUpload():
            legacy = {"schema": LEGACY_FORM}
            return dict.fromkeys(FORMS, legacy)
        case Segment():
            return _json_or_text(reference(SEGMENT_CALLS[endpoint.call]))
        case Aampe():
            model = AampeEvent if endpoint.kind is Kind.EVENT else AampeProperties
            return _json_or_text(reference(model))
        case _:
            assert isinstance(endpoint, Amplemarket), path
            return _json_or_text(reference(Webhook))


def _answers(endpoint: Endpoint) -> dict[int, tuple[str, Tree, Tree]]:
    """The description, content and headers of each status."""
    refusal, own = _own_answers(endpoint)
    failures = {status: (words, _json(refusal)) for status, words in _FAILURES.items()}
    failures |= {status: (words, _json(Refusal)) for status, words in _OF_ANY_PATH.items()}
    return {
        status: (words, content, _RETRY_AFTER if status in (429, 503) else {})
        for status, (words, content) in sorted((failures | own).items())
    }


def _own_answers(endpoint: Endpoint) -> tuple[type[Struct], dict[int, tuple[str, Tree]]]:
    unknown_key = "Unknown write key"
    match endpoint:
        case Native():
            return Refusal, {
                202: ("Stored, at least one", _json(Accepted)),
                401: (unknown_key, _json(Refusal)),
                422: ("None was usable; all are kept as dead letters", _json(Accepted)),
            }
        case HttpApi():
            return Refusal, {
                200: ("Stored, all", _json(Uploaded)),
                400: (_FAILURES[400], _json(UploadRefusal)),
                429: (_FAILURES[429], _json(Throttled)),
            }
        case Identify() | LegacyUpload():
            success = {TEXT: {"schema": {"const": "success"}}}
            words = {TEXT: {"schema": {"type": "string"}}}
            stored = "Stored, all" if isinstance(endpoint, Identify) else _DEAD_LETTERS
            return Refusal, {
                200: (stored, success),
                400: (_FAILURES[400], words | _json(Refusal)),
            }
        case Segment():
            return SegmentRefusal, {
                200: (_DEAD_LETTERS, _json(SegmentSuccess)),
                401: (unknown_key, _json(SegmentRefusal)),
            }
        case Aampe():
            return AampeRefusal, {
                202: ("Stored", {JSON: {"schema": {"type": "null"}}}),
                401: (unknown_key, _json(AampeRefusal)),
                422: ("Not usable; nothing was stored", _json(AampeRefusal)),
            }
        case _:
            return Refusal, {
                200: ("Stored; what is no event, as a dead letter", _json(WebhookTaken)),
                401: (unknown_key, _json(Refusal)),
            }


def _answer(words: str, content: Tree, headers: Tree) -> Tree:
    answer: Tree = {"description": words, "content": content}
    return answer | ({"headers": headers} if headers else {})


def _json(model: type[Struct]) -> Tree:
    return {JSON: {"schema": reference(model)}}


def _json_or_text(schema: Tree) -> Tree:
    """JSON may come as `text/plain`: a page sends that to another origin without a preflight."""
    return {JSON: {"schema": schema}, TEXT: {"schema": schema}}
