"""The dialects: the client protocols of the edge, and their paths.

A dialect is a name in the configuration's `Dialect`, and the module of that name here: it has the
paths and their endpoints.
"""

import re
from collections.abc import Mapping
from importlib import import_module
from typing import get_args

from gateway.dialects.shapes import Endpoint
from schemas.configuration.config import Dialect

ENDPOINTS: Mapping[str, Endpoint] = {
    path: endpoint
    for dialect in get_args(Dialect)
    for path, endpoint in import_module(f"gateway.dialects.{dialect}").ENDPOINTS.items()
}

# Their path ends in the key.
_KEYED: Mapping[str, Endpoint] = {
    path.removesuffix("{key}"): endpoint
    for path, endpoint in ENDPOINTS.items()
    if path.endswith("/{key}")
}


def endpoint_of(path: str) -> Endpoint | None:
    """The endpoint of a path; doubled slashes and one at the end do not matter."""
    if (found := ENDPOINTS.get(path)) is not None:
        return found
    path = re.sub("//+", "/", path).rstrip("/") or "/"
    if (found := ENDPOINTS.get(path)) is not None:
        return found
    return next((keyed for start, keyed in _KEYED.items() if path.startswith(start)), None)
