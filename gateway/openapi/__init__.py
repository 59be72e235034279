"""The OpenAPI document: the ingest paths from models, beside the operations from FastAPI. Pure.

`python -m gateway.openapi` writes it to `schemas/generated/`; a test fails when it drifts.
"""

import msgspec

from gateway.dialects import ENDPOINTS
from gateway.openapi.paths import PARTS, operation
from gateway.openapi.shapes import Refusal, Tree
from schemas.documents import MODELS, RULES

DESCRIPTION = """\
Success is answered only after Kafka has the records.

Bodies may have the content encodings gzip, deflate, br and zstd; the limits count what is unpacked.
A request has 100,000 records at most. Slashes that are doubled, or at a path's end, change nothing.
Other methods are answered with 405, unknown paths with
404, headers that are too large with 431, all with an object `{"code": …, "error": …}` or the
dialect's own. A page may read the answers when its origin is one of the source's
`allowed_origins`.
"""


def document(operations: Tree) -> Tree:
    """FastAPI's document, with the ingest paths that FastAPI does not see."""
    return operations | {
        "info": operations["info"] | {"description": DESCRIPTION},
        "paths": ingest_paths() | operations["paths"],
        "components": {"schemas": _schemas(), "securitySchemes": _security_schemes()},
    }


def ingest_paths() -> Tree:
    return {
        path: {
            method.lower(): operation(path, endpoint, method)
            for method in sorted(endpoint.methods, reverse=True)
        }
        for path, endpoint in ENDPOINTS.items()
    }


def _schemas() -> Tree:
    of_dialects = [model for part in PARTS.values() for model in part.MODELS]
    models = [*MODELS.values(), Refusal, *of_dialects]
    _, schemas = msgspec.json.schema_components(models, ref_template="#/components/schemas/{name}")
    for kind, model in MODELS.items():
        schemas[model.__name__] |= RULES[kind]
    return {name: schemas[name] for name in sorted(schemas)}


def _security_schemes() -> Tree:
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "The source's write key.",
        },
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "The source's write key as the user name, without a password.",
        },
        "keyInQuery": _in_query("write_key"),
        "segmentKeyInQuery": _in_query("writeKey"),
    }


def _in_query(name: str) -> Tree:
    return {
        "type": "apiKey",
        "in": "query",
        "name": name,
        "description": "The source's write key, for beacons, which can set no header.",
    }
