"""The ingest paths' part of the OpenAPI document. Pure."""

import re
from typing import Any

from gateway.dialects import ENDPOINTS
from gateway.dialects.native import Native
from gateway.dialects.shapes import Endpoint
from schemas.topics import Kind

_STATUSES = {
    400: "Malformed; nothing was stored",
    408: "The body came too slowly",
    413: "Too large, also after decompression",
    415: "Unknown content encoding",
    429: "Over the source's rate; see Retry-After",
    503: "Kafka is away; see Retry-After",
}
_UNKNOWN_KEY = {401: "Unknown write key"}
_DIALECT_STATUSES = {
    "native": _UNKNOWN_KEY | {202: "Stored, at least one", 422: "None was usable"},
    "amplitude": {200: "Stored, all"},
    "segment": _UNKNOWN_KEY | {200: "Stored; what is unusable as dead letters"},
    "aampe": _UNKNOWN_KEY | {202: "Stored", 422: "Not usable; nothing was stored"},
    "webhooks": _UNKNOWN_KEY | {200: "Stored; what is unusable as a dead letter"},
}


def ingest_paths() -> dict[str, Any]:
    return {
        path: {
            method.lower(): _operation(path, endpoint, method)
            for method in sorted(endpoint.methods)
        }
        for path, endpoint in ENDPOINTS.items()
    }


def _operation(path: str, endpoint: Endpoint, method: str) -> dict[str, Any]:
    native = isinstance(endpoint, Native)
    statuses = _STATUSES | _DIALECT_STATUSES[endpoint.dialect]
    operation: dict[str, Any] = {
        "tags": [endpoint.dialect],
        "summary": f"{endpoint.kind.value.replace('_', ' ')} records, {endpoint.dialect} dialect",
        "operationId": method.lower() + re.sub(r"\W", "_", path),
        "responses": {
            str(status): {"description": words} for status, words in sorted(statuses.items())
        },
    }
    if method != "GET":
        operation["requestBody"] = {"required": True, "content": _content(path, native)}
    if "{key}" in path:
        operation["parameters"] = [_parameter("key", "path", "string")]
    if method == "GET":
        names = ("api_key", "identification")
        operation["parameters"] = [_parameter(name, "query", "string") for name in names]
    if endpoint.dialect == "aampe":
        operation["parameters"] = [_parameter("Authorization", "header", "string")]
    if native:
        operation["parameters"] = [
            {
                "name": "Authorization",
                "in": "header",
                "required": True,
                "schema": {"type": "string"},
            },
            {"name": "receipts", "in": "query", "schema": {"type": "boolean"}},
        ]
    return operation


def _parameter(name: str, place: str, kind: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place != "query", "schema": {"type": kind}}


def _content(path: str, native: bool) -> dict[str, Any]:
    record = {"type": "object", "additionalProperties": True}
    if native:
        member = "events" if ENDPOINTS[path].kind is Kind.EVENT else "updates"
        array = {"type": "array", "items": record}
        envelope = {"type": "object", "properties": {member: array}, "required": [member]}
        body = {"schema": {"anyOf": [record, array, envelope]}}
        return {"application/json": body, "application/x-ndjson": {"schema": {"type": "string"}}}
    if ENDPOINTS[path].dialect != "amplitude":
        return {"application/json": {"schema": record}}
    if ENDPOINTS[path].kind is Kind.EVENT:
        properties: dict[str, Any] = {
            "api_key": {"type": "string"},
            "events": {"type": "array", "items": record},
            "options": {"type": "object"},
        }
        required = ["api_key", "events"]
        schema = {"type": "object", "properties": properties, "required": required}
        return {"application/json": {"schema": schema}}
    text = {"type": "string"}
    form = {"type": "object", "properties": {"api_key": text, "identification": text}}
    names = ("application/x-www-form-urlencoded", "multipart/form-data", "application/json")
    return {name: {"schema": form} for name in names}
