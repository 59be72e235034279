"""One ingest path as an operation of the OpenAPI document. Pure.

Each dialect describes its own paths, in the file of its name here.
"""

import json
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Final, Protocol, get_args

from msgspec import Struct

from gateway.dialects.shapes import Endpoint
from gateway.openapi.shapes import (
    MALFORMED,
    NDJSON,
    OVER_RATE,
    Described,
    Refusal,
    Tree,
    json_of,
    parameter,
)
from schemas.configuration.config import Dialect

_FAILURES: Final[Mapping[int, str]] = {
    400: MALFORMED,
    408: "The body came too slowly",
    413: "Too large, also when unpacked; or too many records",
    415: "Unknown content encoding",
    429: OVER_RATE,
    503: "Kafka is away, or too much waits for it",
}
# Answered before the path is known, so the same in every dialect.
_OF_ANY_PATH: Final[Mapping[int, str]] = {431: "The address or the headers are too large"}
_RETRY_AFTER: Final[Tree] = {
    "Retry-After": {
        "description": "Seconds to wait before the same request is sent again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    }
}


class Part(Protocol):
    """The file of a dialect: its models, and what it says of a path."""

    MODELS: tuple[type[Struct], ...]

    def described(self, path: str, endpoint: Endpoint) -> Described: ...


PARTS: Final[Mapping[str, Part]] = {
    dialect: import_module(f"gateway.openapi.{dialect}") for dialect in get_args(Dialect)
}


def operation(path: str, endpoint: Endpoint, method: str) -> Tree:
    described = PARTS[endpoint.dialect].described(path, endpoint)
    found: Tree = {
        "tags": [endpoint.dialect],
        "summary": f"{endpoint.kind.value.replace('_', ' ')} records, {endpoint.dialect} dialect",
        "operationId": method.lower() + re.sub(r"\W", "_", path),
        "parameters": [*described.parameters, *(_query(described) if method == "GET" else ())],
        "responses": {str(status): _answer(*said) for status, said in _answers(described).items()},
    }
    if method != "GET":
        content = {
            media_type: described_type | {"example": _example(described.example, media_type)}
            for media_type, described_type in described.content.items()
        }
        found["requestBody"] = {"required": True, "content": content}
    if described.security:
        found["security"] = list(described.security)
    return found


def _example(example: Tree, media_type: str) -> object:
    return json.dumps(example) if media_type == NDJSON else example


def _query(described: Described) -> list[Tree]:
    """The members of a form as query parameters."""
    assert described.form is not None, "only a form may come in a query"
    return [
        parameter(name, "query", schema, schema["description"], described.example.get(name))
        for name, schema in described.form["properties"].items()
    ]


def _answers(described: Described) -> dict[int, tuple[str, Tree, Tree]]:
    """The description, content and headers of each status."""
    refusal = json_of(described.refusal)
    failures = {status: (words, refusal) for status, words in _FAILURES.items()}
    failures |= {status: (words, json_of(Refusal)) for status, words in _OF_ANY_PATH.items()}
    return {
        status: (words, content, _RETRY_AFTER if status in (429, 503) else {})
        for status, (words, content) in sorted((failures | dict(described.answers)).items())
    }


def _answer(words: str, content: Tree, headers: Tree) -> Tree:
    answer: Tree = {"description": words, "content": content}
    return answer | ({"headers": headers} if headers else {})
