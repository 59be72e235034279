"""`/openapi.json` and `/docs`: made once, and served as bytes that load nothing from elsewhere."""

import json
from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.edge.pages import headers_of

PAGE = files("gateway.edge").joinpath("docs.html").read_text(encoding="utf-8")
# It connects to the edge that served it.
PAGE_HEADERS = headers_of(PAGE, connect="'self'")


class Documents:
    def __init__(self, document: Callable[[], dict[str, Any]]) -> None:
        self._document = document
        self._made: dict[str, tuple[bytes, str]] = {}  # One with the path prefix, one without.

    async def openapi(self, request: Request) -> Response:
        prefix = request.scope.get("root_path", "")
        if prefix not in self._made:
            self._made[prefix] = self._encoded(prefix)
        body, tag = self._made[prefix]
        headers = {"etag": tag, "cache-control": "no-cache"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    def _encoded(self, prefix: str) -> tuple[bytes, str]:
        tree = self._document()
        if prefix:
            tree = {**tree, "servers": [{"url": prefix}]}
        body = json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()
        return body, f'"{sha256(body).hexdigest()[:32]}"'

    async def page(self, _: Request) -> Response:
        return Response(PAGE, headers=PAGE_HEADERS, media_type="text/html")
